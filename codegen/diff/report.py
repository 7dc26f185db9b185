"""Format the findings as text and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from codegen.diff.differences import ELEMENTS
from codegen.diff.findings import (
    ACCEPTABLE,
    DIFFERENT,
    GONE,
    NEW,
    STALE,
    UNREAD,
    UNREVIEWED,
    Edit,
    Finding,
    yaml_words,
)
from codegen.diff.sources import GivenSources, Reading, SkippedFile
from kalshi_fix_adapters.documents.mistakes import Location

_HEADINGS = {
    NEW: "New: the sources have it, the spec does not",
    DIFFERENT: "Different: the sources and the spec disagree",
    GONE: "Gone: the spec has it, the sources do not",
    UNREAD: "Not read: sources that are missing, and parts to check manually",
    STALE: "Outdated: an intended difference that no longer exists",
    UNREVIEWED: "Unreviewed: text that was added, changed or removed since the last review",
}
_MAX_LOCATIONS = 6
"""Maximum number of locations shown per finding; the JSON contains all of them."""
_JSON_ATTRIBUTES = ("kind", "element", "address", "in_source", "what", "products", "sources", "passages")
"""Attributes of a finding that JSON contains under the same names."""
_MIN_GROUP = 3
"""Minimum number of findings of a group that are reported as one. Two are easier to read separately."""


def text(findings: Sequence[Finding], kept: int, given: GivenSources) -> str:
    """Return the whole report."""
    lines: list[str] = []
    for kind, heading in _HEADINGS.items():
        of_kind = [finding for finding in findings if finding.kind == kind]
        if of_kind:
            lines += [f"{heading} ({len(of_kind)})", ""]
            for group in _grouped(of_kind):
                lines += [*_group_lines(group), ""]
    if given.skipped:
        skipped = (f"* {_relative(each)}" for each in given.skipped)
        lines += [f"Skipped ({len(given.skipped)})", "", *skipped, ""]
    facts = sum(len(reading.facts) for reading in given.readings)
    summary = f"{facts} facts read from {len(given.readings)} file{'s' if len(given.readings) != 1 else ''}"
    intended = f"; {kept} differ{'s' if kept == 1 else ''} on purpose" if kept else ""
    remaining = f"{len(findings)} left to do" if findings else "nothing left to do"
    return "\n".join([*lines, f"{summary}{intended}; {remaining}."])


def _grouped(findings: Sequence[Finding]) -> Iterator[list[Finding]]:
    """Yield findings one by one, or as a group if it has enough members."""
    for finding in findings:
        evidence_and_group = (finding.evidence, finding.group)
        members = [
            each for each in findings if finding.group and (each.evidence, each.group) == evidence_and_group
        ]
        if len(members) < _MIN_GROUP:
            yield [finding]
        # A group is at the position of its first finding.
        elif finding is members[0]:
            yield members


def _group_lines(findings: list[Finding]) -> Iterator[str]:
    """Yield the lines about a finding, or about a group of findings, with each edit once."""
    printed: set[Edit] = set()
    for finding in findings:
        products = f" [{', '.join(finding.products)}]" if finding.products else ""
        yield f"* {finding.what}{products}"
        if finding.locations:
            shown = ", ".join(_relative(location) for location in finding.locations[:_MAX_LOCATIONS])
            more = len(finding.locations) - _MAX_LOCATIONS
            yield f"    found at  {shown}{f' and {more} more' if more > 0 else ''}"
        elif finding.sources:
            yield f"    expected  in {', '.join(finding.sources)}"
        yield from (f"    the text  {passage}" for passage in finding.passages)
        for edit in finding.edits:
            # Several findings of a group often have the same edit.
            if edit not in printed:
                lines = edit.text.splitlines()
                yield f"    edit at   {_relative(edit.location)}: " + f"\n{' ' * 14}".join(lines)
            printed.add(edit)
    if keep := _difference_entry(findings):
        yield f"    or keep   {keep}"


def _difference_entry(findings: list[Finding]) -> str:
    """Return the entry of `differences.yaml` that declares the findings as intended, or an empty string."""
    first = findings[0]
    sources = list(dict.fromkeys(source for each in findings for source in each.sources))
    can_be_kept = first.kind in ACCEPTABLE and first.element in ELEMENTS and first.sources
    # An entry needs sources from the manifest, and has one statement about one kind of element. The source
    # of a page that is not in the manifest is a path.
    statements = {(each.element, each.in_source) for each in findings}
    if not can_be_kept or any("/" in source for source in sources) or len(statements) > 1:
        return ""
    # YAML punctuation requires quotes.
    needs_quotes = any(c in first.in_source for c in ",:#{}[]")
    in_source = json.dumps(first.in_source) if needs_quotes else first.in_source
    listed = f"{first.element}: {yaml_words([each.address for each in findings])}"
    return f'- {{source: {yaml_words(sources)}, {listed}, in_source: {in_source}, why: "…"}}'


def as_json(findings: Iterable[Finding], kept: int, given: GivenSources) -> str:
    """Return the report as JSON: `findings`, each with its locations and edits; the number of intended
    differences (`kept`); and the files that were read or skipped.
    """
    content = {
        "findings": [
            {
                **{name: getattr(finding, name) for name in _JSON_ATTRIBUTES},
                "locations": [{"file": each.file, "line": each.line} for each in finding.locations],
                "edits": [
                    {"file": edit.location.file, "line": edit.location.line, "write": edit.text}
                    for edit in finding.edits
                ],
                "keep": _difference_entry([finding]),
            }
            for finding in findings
        ],
        "kept": kept,
        "read": [{"file": reading.file, "facts": len(reading.facts)} for reading in given.readings],
        "skipped": [{"file": each.file, "why": each.why} for each in given.skipped],
    }
    return json.dumps(content, indent=2, ensure_ascii=False)


def facts(readings: Iterable[Reading]) -> Iterator[str]:
    """Yield a line for each fact of each file, and a line that counts the file's facts by kind."""
    for reading in readings:
        for fact in sorted(reading.facts, key=lambda each: each.location):
            yield f"{_relative(fact.location)}: {fact}"
        counts = Counter(type(fact).__name__.removesuffix("Fact").lower() for fact in reading.facts)
        listed = ", ".join(f"{kind}: {number}" for kind, number in sorted(counts.items()))
        about = f" about {reading.product}" if reading.product else ""
        yield f"{reading.file}: {len(reading.facts)} facts{about} ({listed or 'nothing to compare'})"


def _relative(location: Location | SkippedFile) -> str:
    """Return a location as text, relative to the current folder if it is below that folder."""
    return str(location).removeprefix(f"{Path.cwd().as_posix()}/")
