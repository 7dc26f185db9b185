"""Compares the entries of the venue's changelog with what `changelog.yaml` says has become of each."""

from __future__ import annotations

from collections.abc import Iterator

from codegen.diff.facts import EntrySaid, Fact, VersionSaid
from codegen.diff.findings import Evidence, Finding
from codegen.read.context import maps, text
from kalshi_fix_adapters.documents.mistakes import Location

FILE = "changelog.yaml"


def compare(evidence: Evidence) -> Iterator[Finding]:
    """Entries about FIX without a disposition, with another text than the one judged, or gone.

    One that names a version of the manifest needs none. One that is older than all of the page is not missed:
    venues shorten their changelogs.
    """
    spec = evidence.spec
    versions = {(name, date) for name, (date, _) in spec.versions().items()}
    said = [
        each for each in evidence.facts(EntrySaid) if each.about and (each.version, each.date) not in versions
    ]
    notes = [entry for note in spec.source.notes["changelog"] for entry in maps(note.get("entries"))]
    # By date, fingerprint of the title and fingerprint of the text.
    kept = {(text(each, "date"), *text(each, "entry").split("-")): each.location for each in notes}
    # Three rounds: entries as they were judged, then those with another text under the same title, then
    # those that are new; what is left over has gone.
    settled = {(each.date, each.title_print, each.text_print) for each in said} & kept.keys()
    free = {key: location for key, location in kept.items() if key not in settled}
    for entry in said:
        if (entry.date, entry.title_print, entry.text_print) in settled:
            continue
        judged = next((key for key in free if key[:2] == (entry.date, entry.title_print)), None)
        if judged is None:
            yield _report(evidence, "new", entry, spec.file(FILE), "entries")
        else:
            # Two entries of one day may have one title.
            yield _report(evidence, "changed", entry, free.pop(judged), "changed entries")
    oldest = min((each.date for each in evidence.facts(EntrySaid)), default="")
    for (date, title, *_), location in free.items():
        if oldest and date >= oldest:
            page = Fact(Location(evidence.readings[0].file, 1))
            yield evidence.report("entry absent", page, location, date=date, title=title)
    yield from evidence.unread()


def _report(evidence: Evidence, what: str, entry: EntrySaid, at: Location, group: str) -> Finding:
    tags = f" [{', '.join(entry.tags)}]" if entry.tags else ""
    values = {"date": entry.date, "title": entry.title_print, "text": entry.text_print}
    return evidence.report(f"entry {what}", entry, at, group=group, tags=tags, words=entry.title, **values)


def versions(evidence: Evidence) -> Iterator[Finding]:
    """The numbered changelog on the pages about FIX, beside the `versions` of the manifest."""
    own, dates = evidence.spec.versions(), evidence.spec.dates()
    said = evidence.facts(VersionSaid)
    for each in said:
        own_date, location = own.get(each.version, ("", evidence.spec.manifest("versions")))
        # An entry with a date alone is known by it: by the day, or by the month in which something
        # was seen.
        if not each.version:
            if each.date and each.date not in dates and each.date[:7] not in dates:
                yield evidence.report("version undated", each, location, version=each.date)
        elif each.version not in own:
            values = {"of": f" of {each.date}" if each.date else "", "date": each.date or "…"}
            yield evidence.report("version new", each, location, version=each.version, **values)
        elif each.date and own_date != each.date:
            values = {"version": each.version, "date": each.date, "own": own_date}
            yield evidence.report("version date", each, location, **values)
    listed = {each.version for each in said}
    for version, (_, location) in own.items() if listed - {""} else ():
        if version not in listed:
            yield evidence.report("version absent", said[:1], location, version=version)
