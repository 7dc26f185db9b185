"""Download the venue's pages about the dialect, as listed in its documentation index, and its dictionary.

The index is the `llms.txt` that documentation hosts offer: Markdown with a link to each page. The program
downloads the pages in the products' folders and the pages that the manifest names. Bytes, pages and time are
limited. If a page or the dictionary cannot be downloaded, no file is written.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPMessage, HTTPResponse
from ipaddress import ip_address
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, urljoin, urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, ProxyHandler, Request, build_opener

import attrs
import click

from codegen.diff.documents import markdown
from codegen.diff.spec_index import SpecIndex
from codegen.errors import SpecError
from codegen.files import write_files
from codegen.read.bounded_xml import MAX_XML_SIZE

MAX_INDEX = 4 * 1024 * 1024
"""Maximum size of the index in bytes."""
MAX_PAGES = 300
"""Maximum number of pages to fetch."""
MAX_TOTAL = 64 * 1024 * 1024
"""Maximum total size of the pages, in bytes."""
TIMEOUT = 30.0
"""Seconds without data after which a connection is abandoned."""
DEADLINE = 600.0
"""Maximum time in seconds for the index and all pages together; the dictionary, which may be on another host,
has as much time again. The limit is checked after each block received.
"""
_BLOCK = 64 * 1024
# A Markdown link, with or without `<…>`, or a bare address. Its length is bounded, so that a very long line
# takes linear time.
_LINK = re.compile(r"\]\(\s*<?([^\s()<>]{1,2000})|(?<![\w(<\[])(https?://[^\s()<>\]]{1,2000})")
_DICTIONARY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,100}\.xml")
# Becomes a file path below --out: no part may begin with a dot, which excludes `..`.
_PATH = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]{0,100}/){0,10}[A-Za-z0-9_][A-Za-z0-9_.-]{0,100}\.mdx?")


class FetchError(Exception):
    """Raised if the pages could not be fetched; the text names the page and the reason."""


@attrs.frozen
class Page:
    """A page as received."""

    path: str
    """Path below the host, such as fix/order-entry.md."""
    text: str


@attrs.define
class _Host:
    """The host of the pages, or of the dictionary. A redirect to another origin is an error."""

    url: SplitResult
    now: Callable[[], float]
    _remaining_bytes: int = attrs.field(init=False)
    _opener: OpenerDirector = attrs.field(init=False)
    _deadline: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        # Proxies set in the environment apply, except for a server on this machine.
        proxies = [ProxyHandler({})] if _is_local(self.url) else []
        self._opener = build_opener(_SameOrigin(self.url), *proxies)
        self._deadline = self.now() + DEADLINE
        self._remaining_bytes = MAX_TOTAL

    def get(self, url: str, maximum: int) -> tuple[str, HTTPMessage]:
        """Return the text at a URL and the response headers.

        Raises:
            FetchError: the request failed, or the response is too large or not text.
        """
        try:
            accepted = "text/markdown, text/plain, application/xml, text/xml"
            headers = {"Accept": accepted, "User-Agent": "codegen"}
            request = Request(url, headers=headers)  # noqa: S310 - `fetch` has checked the scheme
            with self._opener.open(request, timeout=TIMEOUT) as response:
                data, response_headers = self._read(response, url, maximum), response.headers
        except HTTPError as error:
            error.close()
            raise FetchError(f"{url}: the response is {error.code} {error.reason}") from None
        except URLError as error:
            raise FetchError(f"{url}: {error.reason}") from None
        except (OSError, HTTPException, ValueError) as error:
            raise FetchError(f"{url}: {type(error).__name__}: {error}") from None
        if response_headers.get_content_type() == "text/html":
            raise FetchError(f"{url} is HTML, not Markdown or XML")
        try:
            return data.decode("utf-8"), response_headers
        except UnicodeDecodeError:
            raise FetchError(f"{url} is not UTF-8") from None

    def _read(self, response: HTTPResponse, url: str, maximum: int) -> bytes:
        data = bytearray()
        # Read only the bytes that are available: reading a fixed size can take hours with a slow server.
        while block := response.read1(min(_BLOCK, maximum + 1 - len(data))):
            data += block
            # The bytes of all pages are counted while they are read, so an endless page is noticed early.
            self._remaining_bytes -= len(block)
            if len(data) > maximum:
                raise FetchError(f"{url} has more than {maximum} bytes")
            if self._remaining_bytes < 0:
                raise FetchError(f"{url}: all pages together have more than {MAX_TOTAL} bytes")
            if self.now() > self._deadline:
                raise FetchError(f"{url} was not received completely within {DEADLINE:.0f} seconds")
        if response.length:  # Fewer bytes than Content-Length.
            raise FetchError(f"{url} is incomplete; missing bytes: {response.length}")
        return bytes(data)


class _SameOrigin(HTTPRedirectHandler):
    """Redirect handler that rejects redirects to other origins; urllib raises after ten redirects."""

    def __init__(self, url: SplitResult) -> None:
        self._url = url

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        if not _same_origin(urlsplit(newurl), self._url):
            raise FetchError(f"{req.full_url} redirects to {newurl}, which has another origin")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch(index: str, spec: SpecIndex, now: Callable[[], float] = time.monotonic) -> list[Page]:
    """Download the pages about the dialect that an index lists, in the order of the index.

    Raises:
        FetchError: the index or a page cannot be downloaded, or the index lists no page about the dialect, or
            more than MAX_PAGES.
    """
    host = _Host(_address(index), now)
    listed = [path for path in links(host.get(index, MAX_INDEX)[0], index) if _is_relevant(path, spec)]
    if not listed:
        raise FetchError(f"{index} lists no page about {spec.dialect.title}")
    if len(listed) > MAX_PAGES:
        raise FetchError(
            f"{index} lists {len(listed)} pages about {spec.dialect.title}, more than {MAX_PAGES}"
        )
    pages = []
    for path in listed:
        url = urljoin(index, f"/{path}")
        text, headers = host.get(url, markdown.MAX_PAGE_SIZE)
        pages.append(Page(path, _with_address(text, url, headers)))
    return pages


def fetch_dictionary(url: str, now: Callable[[], float] = time.monotonic) -> Page:
    """Download a QuickFIX dictionary; its path is the file name of its URL.

    Raises:
        FetchError: it cannot be downloaded, or its URL has no file name that ends with .xml.
    """
    address = _address(url)
    name = PurePosixPath(address.path).name
    if not _DICTIONARY.fullmatch(name):
        raise FetchError(f"{url} does not end with the name of an .xml file")
    return Page(name, _Host(address, now).get(url, MAX_XML_SIZE)[0])


def _address(url: str) -> SplitResult:
    try:
        address = urlsplit(url)
        is_valid = address.hostname is not None and address.port != 0
    except ValueError as error:  # brackets without an IPv6 address, or an invalid port
        raise FetchError(f"{url} is not an https URL: {error}") from error
    is_safe = address.scheme == "https" or (address.scheme == "http" and _is_local(address))
    if not (is_valid and is_safe):
        raise FetchError(f"{url} is not an https URL")
    return address


def links(text: str, index: str) -> list[str]:
    """Return the paths of the Markdown pages that an index lists on its own host, each once."""
    index_url = urlsplit(index)
    paths: dict[str, None] = {}
    for match in _LINK.finditer(text):
        try:
            url = urlsplit(urljoin(index, match[1] or match[2]))
            is_on_host = _same_origin(url, index_url)
        except ValueError:
            continue
        path = url.path.lstrip("/")
        if is_on_host and _PATH.fullmatch(path):
            paths[path] = None
    return list(paths)


def _is_relevant(path: str, spec: SpecIndex) -> bool:
    """Return whether the spec may cover a page.

    Such a page is in the manifest, in the folder of a product, or in a folder with a similar name.
    """
    name = path.rpartition(".")[0]
    return bool(spec.kinds.get(name) or spec.product_of_page(name) or spec.unknown_folder(name))


def _same_origin(url: SplitResult, other: SplitResult) -> bool:
    return (url.scheme, url.hostname, url.port) == (other.scheme, other.hostname, other.port)


def _is_local(url: SplitResult) -> bool:
    try:
        return ip_address(url.hostname or "").is_loopback
    except ValueError:
        return url.hostname == "localhost"


def _with_address(text: str, url: str, headers: HTTPMessage) -> str:
    """Return the page with its URL and date as front matter, which `diff` reads.

    A page that already has front matter is returned unchanged.
    """
    if markdown.front_matter(text)[0]:
        return text
    settings = {"url": url}
    # If there is no modification date, the date of the download is used.
    for name in ("Last-Modified", "Date"):
        try:
            settings["lastmod"] = parsedate_to_datetime(headers[name]).date().isoformat()
            break
        except (TypeError, ValueError):
            continue
    front_matter = "".join(f"{key}: {value}\n" for key, value in settings.items())
    return f"---\n{front_matter}---\n{text}"


def write(pages: list[Page], out: Path) -> list[Path]:
    """Write pages into a new or empty folder; return the files.

    Raises:
        FetchError: the folder is not empty, or cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise FetchError(f"{out} is not empty")
        return write_files({page.path: page.text for page in pages}, out)
    except OSError as error:
        raise FetchError(f"{out}: {error.strerror}") from None


@click.command("fetch")
@click.option(
    "--index",
    metavar="URL",
    help="The index, such as https://docs.example.com/llms.txt.  [default: the manifest's]",
)
@click.option("--dictionary", metavar="URL", help="The dictionary.  [default: the manifest's, if any]")
@click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="New or empty folder."
)
@click.pass_context
def command(context: click.Context, index: str | None, dictionary: str | None, out: Path) -> None:
    """Download the pages about the dialect that the venue's llms.txt lists, and the venue's dictionary.

    If any of them cannot be downloaded, no file is written and the exit status is 2.
    """
    try:
        spec = SpecIndex(context.obj)
        index = index or spec.documents.get("index")
        dictionary = dictionary or spec.documents.get("dictionary")
        if index is None:
            raise click.UsageError("The manifest has no `documents.index`: pass the index URL with --index.")
        pages = fetch(index, spec)
        files = write([*pages, fetch_dictionary(dictionary)] if dictionary else pages, out)
    except (SpecError, FetchError) as error:
        click.echo(str(error), err=True)
        context.exit(2)
    for file in files:
        click.echo(file)
