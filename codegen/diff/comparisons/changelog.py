"""Compare the venue's changelog with the dispositions in `changelog.yaml`."""

from __future__ import annotations

from collections.abc import Iterator

from codegen.diff.facts import EntryFact, Fact, VersionFact
from codegen.diff.findings import Evidence, Finding
from codegen.read.context import maps, text
from kalshi_fix_adapters.documents.mistakes import Location

FILE = "changelog.yaml"


def compare(evidence: Evidence) -> Iterator[Finding]:
    """Yield FIX-related entries without a disposition, with changed text since they were judged, or removed.

    Entries that match a version of the manifest need no disposition. Entries older than the oldest one on the
    page are not reported as removed: venues shorten their changelogs.
    """
    spec = evidence.spec
    versions = {(name, date) for name, (date, _) in spec.versions().items()}
    entries = [
        each for each in evidence.facts(EntryFact) if each.about and (each.version, each.date) not in versions
    ]
    notes = [entry for note in spec.source.notes["changelog"] for entry in maps(note.get("entries"))]
    # Keys: date, fingerprint of the title, fingerprint of the text.
    kept = {(text(each, "date"), *text(each, "entry").split("-")): each.location for each in notes}
    # Three passes: entries unchanged since they were judged, then those whose text changed under the same
    # title, then new ones. The remaining keys are removed entries.
    settled = {(each.date, each.title_print, each.text_print) for each in entries} & kept.keys()
    free = {key: location for key, location in kept.items() if key not in settled}
    for entry in entries:
        if (entry.date, entry.title_print, entry.text_print) in settled:
            continue
        judged = next((key for key in free if key[:2] == (entry.date, entry.title_print)), None)
        if judged is None:
            yield _report(evidence, "new", entry, spec.file(FILE), "entries")
        else:
            # Two entries of one day may share a title.
            yield _report(evidence, "changed", entry, free.pop(judged), "changed entries")
    oldest = min((each.date for each in evidence.facts(EntryFact)), default="")
    for (date, title, *_), location in free.items():
        if oldest and date >= oldest:
            page = Fact(Location(evidence.readings[0].file, 1))
            yield evidence.report("entry absent", page, location, date=date, title=title)
    yield from evidence.unread()


def _report(evidence: Evidence, what: str, entry: EntryFact, at: Location, group: str) -> Finding:
    tags = f" [{', '.join(entry.tags)}]" if entry.tags else ""
    values = {"date": entry.date, "title": entry.title_print, "text": entry.text_print}
    return evidence.report(f"entry {what}", entry, at, group=group, tags=tags, words=entry.title, **values)


def versions(evidence: Evidence) -> Iterator[Finding]:
    """Compare the numbered changelog of the FIX pages with `versions` of the manifest."""
    own, dates = evidence.spec.versions(), evidence.spec.dates()
    entries = evidence.facts(VersionFact)
    for each in entries:
        own_date, location = own.get(each.version, ("", evidence.spec.manifest("versions")))
        # An entry without a version number is identified by its day, or by the month of an observation.
        if not each.version:
            if each.date and each.date not in dates and each.date[:7] not in dates:
                yield evidence.report("version undated", each, location, version=each.date)
        elif each.version not in own:
            values = {"of": f" of {each.date}" if each.date else "", "date": each.date or "…"}
            yield evidence.report("version new", each, location, version=each.version, **values)
        elif each.date and own_date != each.date:
            values = {"version": each.version, "date": each.date, "own": own_date}
            yield evidence.report("version date", each, location, **values)
    listed = {each.version for each in entries}
    for version, (_, location) in own.items() if listed - {""} else ():
        if version not in listed:
            yield evidence.report("version absent", entries[:1], location, version=version)
