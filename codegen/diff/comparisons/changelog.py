"""Compare the venue's changelog with `changelog.yaml`.

The file contains the disposition of each entry: how the spec handles it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import attrs

from codegen.diff.facts import EntryFact, Fact, VersionFact
from codegen.diff.findings import Evidence, Finding
from codegen.read.context import maps, text
from kalshi_fix_adapters.documents.mistakes import Location

FILE = "changelog.yaml"
_CHANGES: dict[str, Callable[[tuple[str, ...]], object]] = {
    "changed": lambda key: key[:2],
    "moved": lambda key: key[1:],
    "rewritten": lambda key: key[1],
}
"""Names of the changes to an entry, each with a function that returns the unchanged parts of its key."""


def compare(evidence: Evidence) -> Iterator[Finding]:
    """Yield entries about the dialect that have no disposition, or that changed after it was recorded.

    Venues remove old entries from their changelogs, so recorded entries older than the oldest one on the page
    are not reported as absent.
    """
    spec = evidence.spec
    notes = [entry for note in spec.merged_spec.notes["changelog"] for entry in maps(note.get("entries"))]
    # Keys: date, fingerprint of the title, fingerprint of the text.
    recorded = {(text(each, "date"), *text(each, "entry").split("-")): each.location for each in notes}
    entries = evidence.facts(EntryFact)
    unmatched = {key: recorded[key] for key in recorded.keys() - {each.key for each in entries}}
    # Entries that are not relevant are included: the text of a recorded entry may no longer mention the
    # dialect.
    unrecorded = [each for each in entries if each.key not in recorded]
    # The closest matches are found first: entries of the same day may share a title, and entries with the
    # same title may share a text.
    for change, part_of in _CHANGES.items():
        for entry in unrecorded:
            earlier = next((key for key in sorted(unmatched) if part_of(key) == part_of(entry.key)), None)
            if earlier is not None:
                unrecorded = [each for each in unrecorded if each is not entry]
                yield _report(evidence, change, entry, unmatched.pop(earlier), earlier[0])
    for entry in unrecorded:
        if entry.is_relevant:
            yield _report(evidence, "new", entry, spec.end_of_file(FILE))
    oldest = min((each.date for each in entries), default="")
    for (date, title, *_), location in sorted(unmatched.items()):
        if oldest and date >= oldest:
            page = Fact(Location(evidence.readings[0].file, 1))
            yield evidence.report("entry absent", page, location, date=date, title=title)
    yield from evidence.unreadable()


def _report(
    evidence: Evidence, change: str, entry: EntryFact, location: Location, old_date: str = ""
) -> Finding:
    tags = f" [{', '.join(entry.tags)}]" if entry.tags else ""
    values = {
        "date": entry.date,
        "title": entry.title_fingerprint,
        "text": entry.text_fingerprint,
        "was": old_date,
    }
    finding = evidence.report(
        f"entry {change}", entry, location, group=f"{change} entries", tags=tags, words=entry.title, **values
    )
    return attrs.evolve(finding, passages=(entry.text,))


def versions(evidence: Evidence) -> Iterator[Finding]:
    """Compare the numbered changelog of the FIX pages with the manifest's `versions`."""
    spec_versions, dates = evidence.spec.versions(), evidence.spec.dates()
    entries = evidence.facts(VersionFact)
    for each in entries:
        spec_date, location = spec_versions.get(
            each.version, ("", evidence.spec.manifest_location("versions"))
        )
        # An entry without a version number is identified by its day, or by its month if the spec has no day.
        if not each.version:
            if each.date and each.date not in dates and each.date[:7] not in dates:
                yield evidence.report("version undated", each, location, version=each.date)
        elif each.version not in spec_versions:
            values = {"of": f" of {each.date}" if each.date else "", "date": each.date or "…"}
            yield evidence.report("version new", each, location, version=each.version, **values)
        elif each.date and spec_date != each.date:
            values = {"version": each.version, "date": each.date, "in_spec": spec_date}
            yield evidence.report("version date", each, location, **values)
    listed = {each.version for each in entries}
    for version, (_, location) in spec_versions.items() if listed - {""} else ():
        if version not in listed:
            yield evidence.report("version absent", entries[:1], location, version=version)
