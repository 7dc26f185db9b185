"""The invented dialect `pier` with its pages and dictionary: copies for tests to edit and to compare."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from codegen.diff import compare, differences, findings, passages, sources
from codegen.diff.facts import Vocabulary
from codegen.diff.findings import Finding
from codegen.diff.spec_index import SpecIndex
from codegen.export import dictionary
from codegen.files import write_files
from codegen.read.resolve import load_dialect
from tests.codegen import spec_folder
from tests.codegen.harbour_spec import SpecCopy

HERE = Path(__file__).resolve().parent
SPEC = HERE / "pier"
PAGES = HERE / "pages"

FindingSummary = tuple[str, str, str, str]
"""The kind, element, address and source text of a finding."""


class Scratch(SpecCopy):
    """Copies of the spec and of both kinds of sources; the copies agree until a test edits one of them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, SPEC)
        self.pages = folder / "pages"
        self.dictionary = folder / "dictionary"
        shutil.copytree(PAGES, self.pages)
        write_files(_dictionary_files(), self.dictionary)
        self._edited: tuple[list[int], SpecIndex] | None = None
        """The modification times of the files of the edited spec, and the spec loaded from them."""

    @property
    def index(self) -> SpecIndex:
        """Return the spec: the cached original, or a newly loaded one if the copy was edited."""
        files = sorted(self.spec.rglob("*.yaml"))
        texts = {path.relative_to(self.spec): path.read_text(encoding="utf-8") for path in files}
        if texts == _originals():
            return original()
        edits = [path.stat().st_mtime_ns for path in files]
        if self._edited is None or self._edited[0] != edits:
            self._edited = edits, SpecIndex(self.spec)
        return self._edited[1]

    def set_differences(self, *entries: str) -> None:
        """Write the entries of `differences.yaml`, the differences that are intended."""
        listed = "".join(f"  - {entry}\n" for entry in entries)
        (self.spec / "differences.yaml").write_text(f"differences:\n{listed}", encoding="utf-8")

    def revise(self, folder: Path, edits: Iterable[tuple[str, str, str]]) -> None:
        """Edit passages in the files of a folder."""
        for name, old, new in edits:
            self.edit(folder / name, old, new)

    def diff(self, *paths: Path, product: str | None = None) -> list[Finding]:
        """Return the open findings."""
        index = self.index
        given_sources = sources.gather(paths, index, product)
        evidence = findings.evidence_of(given_sources, index, product)
        found, recorded = compare.compare(evidence), differences.read(index)
        unresolved, _ = differences.apply_differences(found, recorded, evidence)
        unresolved += passages.compare(evidence, unresolved, index)
        return findings.merge_products(unresolved, index.products)

    def diff_pages(self) -> list[Finding]:
        """Return the open findings of the pages."""
        return self.diff(self.pages)

    def diff_dictionary(self) -> list[Finding]:
        """Return the open findings of the dictionary, which covers one product."""
        return self.diff(self.dictionary, product="freight")


@cache
def _originals() -> dict[Path, str]:
    return {path.relative_to(SPEC): path.read_text(encoding="utf-8") for path in sorted(SPEC.rglob("*.yaml"))}


@cache
def original() -> SpecIndex:
    """Return the unedited spec."""
    return SpecIndex(SPEC)


@cache
def _dictionary_files() -> dict[str, str]:
    """Return the files of the dictionary that agrees with the spec."""
    return dictionary.render(load_dialect(SPEC), "freight")


def summarize(found: Iterable[Finding]) -> set[FindingSummary]:
    """Return the summaries of findings."""
    return {(item.kind, item.element, item.address, item.in_source) for item in found}


def locations_of(finding: Finding) -> list[str]:
    """Return the locations of a finding by file name and line."""
    return [f"{Path(place.file).name}:{place.line}" for place in finding.locations]


def row_of(path: Path, start: str) -> str:
    """Return the only row of a page with this beginning, including its line end."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    (row,) = [line for line in lines if line.startswith(start)]
    return row


def line_of(path: Path, needle: str) -> int:
    """Return the number of the line in which a passage begins; the passage must occur only once."""
    return spec_folder.line_of(path.read_text(encoding="utf-8"), needle)


def vocabulary() -> Vocabulary:
    """Return the names of the dialect."""
    return original().vocabulary
