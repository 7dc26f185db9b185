"""Determine the kind (page, guide, dictionary, changelog) and the product of each given file; parse it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import attrs

from codegen.diff.documents import changelog, markdown, pages, quickfix
from codegen.diff.facts import Fact, UnreadableFact
from codegen.diff.spec_index import CHANGELOG, DICTIONARY, GUIDE, PAGE, SpecIndex
from codegen.errors import SpecError
from codegen.read.bounded_xml import MAX_XML_SIZE
from codegen.read.nodes import read_bounded
from kalshi_fix_adapters.documents.mistakes import Location

_PAGE_SUFFIXES = (".md", ".mdx", ".markdown")


class SourceError(Exception):
    """A source that cannot be opened, or whose subject cannot be determined."""


@attrs.frozen
class SkippedFile(Exception):  # noqa: N818 - part of the report
    """A file that is not about the dialect."""

    file: str
    why: str
    folder: str = ""
    """Its folder, if that is named like a product's folder but belongs to no product of the spec."""

    def __str__(self) -> str:
        return f"{self.file}: {self.why}"


@attrs.frozen
class Reading:
    """One file that was read, and the facts parsed from it."""

    file: str
    """Path as given, for display."""
    kind: str
    """`page`, `guide`, `dictionary` or `changelog`."""
    page: str
    """Name of the page, such as fix-margin/order-entry; empty for a dictionary."""
    product: str | None
    """Its product; None if it covers all products."""
    text: str
    facts: tuple[Fact, ...] = ()


@attrs.frozen
class GivenSources:
    """All given sources."""

    readings: tuple[Reading, ...]
    folders: frozenset[str]
    """The venue's folders of pages, such as fix-margin, that were given completely."""
    skipped: tuple[SkippedFile, ...] = ()
    unknown_folders: tuple[tuple[str, str], ...] = ()
    """Pairs of a folder and a file. Each folder is named like a product's folder but belongs to no product of
    the spec."""

    def covered_sources(self, spec: SpecIndex) -> frozenset[str]:
        """Return the manifest's sources that the given files cover: pages (including those missing from a
        folder that was given completely), guides, the dictionary and the changelog.
        """
        given = {(reading.kind, reading.page) for reading in self.readings}
        kinds = {kind for kind, _ in given} & {DICTIONARY, CHANGELOG}
        return frozenset(
            origin.name
            for origin in spec.origins.values()
            if (origin.kind, origin.id) in given
            or (origin.kind == PAGE and _folder(origin.id) in self.folders)
            or origin.kind in kinds
        )


def gather(paths: Iterable[Path], spec: SpecIndex, product: str | None) -> GivenSources:
    """Read all given files, and all pages and dictionaries below given folders.

    The product of a page is determined by its address or folder; `product` is used for pages that have
    neither, and for dictionaries. Files about other subjects are skipped.

    Raises:
        SourceError: a file cannot be read or is of an unknown type, or no file is about the dialect.
    """
    readings: list[Reading] = []
    complete_folders: set[str] = set()
    skipped: list[SkippedFile] = []
    unknown_folders: list[tuple[str, str]] = []
    for path in paths:
        for file in _files(path):
            folder = spec.unknown_folder(f"{file.parent.name}/{file.stem}") if file.parent != path else ""
            try:
                reading = _read(file, spec, product)
            except SkippedFile as skip:
                skipped.append(skip)
                folder = skip.folder or folder
            else:
                readings.append(reading)
                # The folder of a dictionary does not determine its product.
                folder = "" if reading.kind == DICTIONARY else folder
                if path.is_dir() and reading.kind == PAGE:
                    complete_folders.add(_folder(reading.page))
            if folder:
                unknown_folders.append((folder, file.as_posix()))
    if not readings and not unknown_folders:
        raise SourceError("\n".join(map(str, skipped)))
    return GivenSources(tuple(readings), frozenset(complete_folders), tuple(skipped), tuple(unknown_folders))


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in (*_PAGE_SUFFIXES, ".xml"))
    if not files:
        raise SourceError(f"{path} contains no page (.md, .mdx) or dictionary (.xml)")
    yield from files


def _read(path: Path, spec: SpecIndex, product: str | None) -> Reading:
    file, suffix = path.as_posix(), path.suffix.lower()
    try:
        data = read_bounded(path, MAX_XML_SIZE if suffix == ".xml" else markdown.MAX_PAGE_SIZE)
    except OSError as error:
        raise SourceError(f"{file} cannot be read ({error.strerror})") from None
    except SpecError as error:
        raise SourceError(str(error)) from None
    if suffix == ".xml":
        facts = quickfix.read(data, file)
        # Unrelated XML, such as a site map, is skipped, not reported as a dictionary with errors.
        if (
            facts
            and isinstance(facts[0], UnreadableFact)
            and facts[0].what.endswith(quickfix.NOT_A_DICTIONARY)
        ):
            raise SkippedFile(str(facts[0].location), facts[0].what)
        return Reading(file, DICTIONARY, "", product, data.decode("utf-8", "replace"), tuple(facts))
    if suffix not in _PAGE_SUFFIXES:
        raise SourceError(f"{file} is neither a page (.md, .mdx) nor a dictionary (.xml)")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise SourceError(f"{file} is not UTF-8") from None
    addresses = _addresses(text)
    names = [*addresses, *_possible_names(path)]
    page_name = next((each for each in names if spec.product_of_page(each)), None)
    # The changelog's address has no folder, so the file name alone may identify it.
    candidates = names if addresses or page_name else [*names, path.stem]
    known_name = next((each for each in candidates if spec.kinds.get(each) in (CHANGELOG, GUIDE)), None)
    # A changelog is also recognized by its content, because its address changes more often than its form.
    if changelog.is_changelog(text, spec.vocabulary.entry) or (
        known_name and spec.kinds[known_name] == CHANGELOG
    ):
        facts = changelog.read(text, file, spec.vocabulary)
        return Reading(file, CHANGELOG, known_name or names[0], None, text, tuple(facts))
    if known_name:
        unread = (each for each in markdown.blocks(text) if isinstance(each, markdown.UnparsableMarkup))
        facts = [UnreadableFact(Location(file, each.line), each.problem) for each in unread]
        return Reading(file, GUIDE, known_name, None, text, tuple(facts))
    page, page_product = (
        (page_name, spec.product_of_page(page_name)) if page_name else _page(path, text, names, spec, product)
    )
    return Reading(file, PAGE, page, page_product, text, tuple(pages.read(text, file, spec.vocabulary)))


def _page(path: Path, text: str, names: list[str], spec: SpecIndex, product: str | None) -> tuple[str, str]:
    """Return the name and the product of a page outside the known folders, by its folder's name or
    `product`.
    """
    if not spec.dialect.products:
        return next((each for each in names if spec.kinds.get(each) == PAGE), names[-1]), ""
    file, addresses = path.as_posix(), _addresses(text)
    # `product` is for pages without an address.
    unknown_folder = "" if product and not addresses else spec.unknown_folder((*addresses, names[-1])[0])
    if unknown_folder:
        raise SkippedFile(file, f"no product of the spec has the folder {unknown_folder}", unknown_folder)
    page_product = path.parent.name if path.parent.name in spec.products else product
    folder = next(
        (folder for folder, name in spec.page_folders.items() if name == page_product), page_product
    )
    if folder and page_product:
        return f"{folder}/{path.stem}", page_product
    if addresses:
        raise SkippedFile(file, f"{addresses[0]} is not a page about the dialect")
    raise SkippedFile(file, f"unknown product: add --product {' or '.join(spec.products)}")


def _addresses(text: str) -> list[str]:
    """Return the page names from the addresses in the front matter of a page."""
    settings = markdown.front_matter(text)[0]
    keys = [key for key in ("url", "canonical", "slug") if key in settings]
    paths = [urlsplit(settings[key]).path.strip("/") for key in keys]
    return [str(PurePosixPath(path).with_suffix("")) for path in paths if path]


def _possible_names(path: Path) -> list[str]:
    """Return the possible page names of a file, from its path, longest first: a/fix/orders, fix/orders."""
    parts = path.resolve().with_suffix("").parts[1:]
    # The venue's page names have up to four parts, folders included.
    return ["/".join(parts[-length:]) for length in range(min(len(parts), 4), 1, -1)] or [path.stem]


def _folder(page: str) -> str:
    return page.rpartition("/")[0]
