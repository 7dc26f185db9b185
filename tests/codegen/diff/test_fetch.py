"""Fetching the venue's pages from a local server: which pages are saved, and every kind of failure."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

import attrs
import pytest
from click.testing import Result

from codegen.diff import fetch
from codegen.diff.documents import markdown
from tests.codegen.command import run
from tests.codegen.diff.pier_dialect import PAGES, SPEC, original
from tests.codegen.harbour_spec import SpecCopy


@attrs.define
class Answer:
    body: bytes
    status: int = 200
    headers: dict[str, str] = attrs.field(factory=dict)
    length: int | None = None


class Site:
    """A server on this machine that serves pages and an index of them; a test may replace the answer to the
    request for a path.
    """

    def __init__(self, pages: Path) -> None:
        self.answers: dict[str, Answer] = {}
        self.requested: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.requested.append(self.path)
                answer = site.answers.get(self.path, Answer(b"no", 404))
                self.send_response(answer.status)
                headers = {"Content-Type": "text/markdown; charset=utf-8", **answer.headers}
                for name, value in headers.items():
                    self.send_header(name, value)
                length = len(answer.body) if answer.length is None else answer.length
                self.send_header("Content-Length", str(length))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()
        lines = ["# Pier", "", "## Docs", ""]
        for page in sorted(pages.rglob("*.md")):
            name = page.relative_to(pages).as_posix()
            lines.append(f"- [{page.stem}]({self.url}/{name}): Says something.")
            self.put(f"/{name}", page.read_text(encoding="utf-8"))
        lines.append(f"- [Orders]({self.url}/rest/orders.md)")
        lines.append("- [Elsewhere](https://pier.example.org/pier/elsewhere.md)")
        self.put("/llms.txt", "\n".join(lines))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def put(self, path: str, text: str, **headers: str) -> None:
        self.answers[path] = Answer(
            text.encode(), headers={k.replace("_", "-"): v for k, v in headers.items()}
        )


@pytest.fixture
def site() -> Iterator[Site]:
    """Serve the pages of the pier and pages of another API."""
    with Site(PAGES) as pier_site:
        yield pier_site


def run_fetch(site: Site, out: Path) -> Result:
    return run("--spec", SPEC, "fetch", "--index", f"{site.url}/llms.txt", "--out", out)


def test_the_pages_about_the_dialect_are_fetched_and_agree_with_the_spec(site: Site, tmp_path: Path) -> None:
    result = run_fetch(site, tmp_path / "out")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        str(tmp_path / "out" / page.relative_to(PAGES)) for page in sorted(PAGES.rglob("*.md"))
    ]
    assert "/rest/orders.md" not in site.requested
    compared = run("--spec", SPEC, "diff", "--partial", tmp_path / "out")
    assert compared.exit_code == 0


DICTIONARY = '<fix type="FIX" major="5" minor="0" servicepack="2"><header/><trailer/></fix>\n'


def test_the_dictionary_is_fetched_from_its_own_address(site: Site, tmp_path: Path) -> None:
    site.put("/fix/pier.xml", DICTIONARY, Content_Type="application/xml")
    url = f"{site.url}/fix/pier.xml"
    index = ("--index", f"{site.url}/llms.txt")
    result = run("--spec", SPEC, "fetch", *index, "--dictionary", url, "--out", tmp_path / "out")
    assert result.stdout.splitlines()[-1] == str(tmp_path / "out/pier.xml")
    assert (tmp_path / "out/pier.xml").read_text(encoding="utf-8") == DICTIONARY
    for other, expected in (
        (f"{site.url}/fix/gone.xml", "fix/gone.xml: the response is 404"),
        (f"{site.url}/fix/", "does not end with the name of an .xml file"),
        ("http://pier.example.org/pier.xml", "is not an https URL"),
    ):
        result = run("--spec", SPEC, "fetch", *index, "--dictionary", other, "--out", tmp_path / "other")
        assert (result.exit_code, expected in result.stderr) == (2, True)
        assert not (tmp_path / "other").exists()


def test_the_default_addresses_are_those_of_the_manifest(site: Site, tmp_path: Path) -> None:
    copy_of_pier = SpecCopy(tmp_path / "copy", SPEC)
    site.put("/fix/pier.xml", DICTIONARY, Content_Type="application/xml")
    refused = run("--spec", copy_of_pier.spec, "fetch", "--out", tmp_path / "out")
    assert (refused.exit_code, "no `documents.index`" in refused.stderr) == (2, True)
    documents = f"documents: {{index: {site.url}/llms.txt, dictionary: {site.url}/fix/pier.xml}}\n"
    copy_of_pier.append("manifest.yaml", documents)
    assert run("--spec", copy_of_pier.spec, "fetch", "--out", tmp_path / "out").exit_code == 0
    assert (tmp_path / "out/pier.xml").is_file()


def test_the_links_of_the_index_may_have_several_forms() -> None:
    text = (
        "[a](/pier/a.md) [b](<pier/b.md>) [again](https://h.example/pier/a.md#part)\n"
        "https://h.example/pier/c.mdx and https://h.example/pier/c.html, [d](https://h.example:8443/pier/d.md)\n"
        "[up](../../etc/passwd.md) [dots](/pier/..%2fx.md) [mail](mailto:a@b.md) [bad](https://[x/y.md)\n"
        "[query](/pier/e.md?v=1) [other](http://h.example/pier/f.md) [hidden](/.pier/g.md)\n"
    )
    assert fetch.links(text, "https://h.example/llms.txt") == [
        "pier/a.md",
        "pier/b.md",
        "pier/c.mdx",
        "etc/passwd.md",
        "pier/e.md",
    ]


def test_a_page_without_address_and_date_gets_both_from_the_download(site: Site) -> None:
    site.put("/pier/tides.md", "# Tides\n", Last_Modified="Mon, 03 Jun 2024 10:00:00 GMT")
    site.put("/pier/messages.md", "# Messages\n", Last_Modified="some day")
    pages = {page.path: page.text for page in fetch.fetch(f"{site.url}/llms.txt", original())}
    assert (
        pages["pier/tides.md"] == f"---\nurl: {site.url}/pier/tides.md\nlastmod: 2024-06-03\n---\n# Tides\n"
    )
    # Without a valid Last-Modified, the date of the server's clock is used.
    settings = markdown.front_matter(pages["pier/messages.md"])[0]
    assert len(settings["lastmod"]) == len("2024-06-03")
    assert pages["pier/bookings.md"].startswith("---\nurl: https://pier.example.org/pier/bookings\n")


def test_a_redirect_is_followed_only_on_the_same_host(site: Site, tmp_path: Path) -> None:
    site.answers["/pier/tides.md"] = Answer(b"", 308, {"Location": "/moved/tides.md"})
    site.put("/moved/tides.md", "# Tides moved\n")
    assert run_fetch(site, tmp_path / "out").exit_code == 0
    assert "# Tides moved" in (tmp_path / "out/pier/tides.md").read_text(encoding="utf-8")
    for target in (
        "http://127.0.0.1:1/tides.md",
        "https://pier.example.org/tides.md",
        "file:///etc/hostname",
    ):
        site.answers["/pier/tides.md"] = Answer(b"", 302, {"Location": target})
        result = run_fetch(site, tmp_path / "other")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "/pier/tides.md" in result.stderr
    site.answers["/pier/tides.md"] = Answer(b"", 302, {"Location": "/pier/tides.md"})
    assert run_fetch(site, tmp_path / "other").exit_code == 2
    assert site.requested.count("/pier/tides.md") < 20


HTML = {"Content-Type": "text/html"}
LONG = markdown.MAX_PAGE_SIZE + 1


@pytest.mark.parametrize(
    ("path", "answer", "expected"),
    [
        ("llms.txt", Answer(b"", 500), ": the response is 500"),
        ("llms.txt", Answer(b"# Nothing\n"), " lists no page about Pier"),
        ("llms.txt", Answer(b"\xff"), " is not UTF-8"),
        ("pier/tides.md", Answer(b"", 404), ": the response is 404"),
        ("pier/tides.md", Answer(b"", 429), ": the response is 429"),
        ("pier/tides.md", Answer(b"<p>", headers=HTML), " is HTML, not Markdown or XML"),
        ("pier/tides.md", Answer(b"# T\xff"), " is not UTF-8"),
        ("pier/tides.md", Answer(b"# Tides", length=100), ""),
        ("pier/tides.md", Answer(b"x" * LONG), f" has more than {markdown.MAX_PAGE_SIZE} bytes"),
    ],
)
def test_no_file_is_written_if_a_download_fails(
    site: Site, tmp_path: Path, path: str, answer: Answer, expected: str
) -> None:
    site.answers[f"/{path}"] = answer
    result = run_fetch(site, tmp_path / "out")
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{path}{expected}" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_page_of_the_maximum_size_is_accepted(site: Site, tmp_path: Path) -> None:
    site.answers["/pier/tides.md"] = Answer(b"x" * markdown.MAX_PAGE_SIZE)
    assert run_fetch(site, tmp_path / "out").exit_code == 0


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("MAX_PAGES", 6, "lists 7 pages"),
        ("MAX_TOTAL", 5000, "all pages together"),
        ("MAX_INDEX", 10, "more than 10"),
    ],
)
def test_the_number_and_total_size_of_pages_are_bounded(
    site: Site, monkeypatch: pytest.MonkeyPatch, name: str, value: int, expected: str
) -> None:
    monkeypatch.setattr(fetch, name, value)
    with pytest.raises(fetch.FetchError, match=expected):
        fetch.fetch(f"{site.url}/llms.txt", original())


def test_fetching_ends_at_its_deadline_even_if_data_arrives_slowly(site: Site) -> None:
    """The clock advances by two minutes with every call."""
    clock = iter(range(0, 100_000, 120))
    with pytest.raises(fetch.FetchError, match="within 600 seconds"):
        fetch.fetch(f"{site.url}/llms.txt", original(), now=lambda: next(clock))


def test_the_dictionary_has_a_separate_deadline(site: Site) -> None:
    site.answers["/pier.xml"] = Answer(b"<fix/>", headers={"Content-Type": "text/xml"})
    clock = iter((1000.0, 1000.0 + fetch.DEADLINE))
    assert fetch.fetch_dictionary(f"{site.url}/pier.xml", now=lambda: next(clock)).text == "<fix/>"
    clock = iter((1000.0, 1000.1 + fetch.DEADLINE))
    with pytest.raises(fetch.FetchError, match="within 600 seconds"):
        fetch.fetch_dictionary(f"{site.url}/pier.xml", now=lambda: next(clock))


@pytest.mark.parametrize(
    "index",
    [
        "",
        "docs",
        "ftp://127.0.0.1/llms.txt",
        "http://pier.example.org/llms.txt",
        "file:///etc/passwd",
        "https://",
        "https://[",
        "https://pier.example.org:99999/llms.txt",
    ],
)
def test_an_index_is_fetched_over_https_or_from_this_machine(index: str) -> None:
    with pytest.raises(fetch.FetchError, match="is not an https URL"):
        fetch.fetch(index, original())


def test_an_unreachable_server_is_an_error(site: Site) -> None:
    port = site.server.server_port
    site.server.shutdown()
    site.server.server_close()
    with pytest.raises(fetch.FetchError, match=r"llms\.txt: "):
        fetch.fetch(f"http://127.0.0.1:{port}/llms.txt", original())


def test_a_folder_with_other_files_is_not_changed(site: Site, tmp_path: Path) -> None:
    (tmp_path / "mine.md").write_text("Mine.", encoding="utf-8")
    result = run_fetch(site, tmp_path)
    assert result.exit_code == 2
    assert result.stderr == f"{tmp_path} is not empty\n"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.md"]
    result = run_fetch(site, tmp_path / "mine.md" / "below")
    assert result.exit_code == 2
