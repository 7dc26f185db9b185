"""Compares the entries of the venue's changelog with what `changelog.yaml` says has become of each."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from codegen.diff.facts import EntrySaid, Unread, VersionSaid
from codegen.diff.findings import Edit, Evidence, Finding
from codegen.read.context import maps, text
from kalshi_fix_adapters.documents.mistakes import Location

FILE = "changelog.yaml"


@attrs.frozen
class _Kept:
    """An entry that the spec has a disposition of."""

    date: str
    title: str
    content: str
    location: Location


def _kept(evidence: Evidence) -> list[_Kept]:
    """What the spec has dispositions of."""
    found = []
    for note in evidence.spec.source.notes["changelog"]:
        for entry in maps(note.get("entries")):
            title, _, content = text(entry, "entry").partition("-")
            found.append(_Kept(text(entry, "date"), title, content, entry.location))
    return found


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
    kept = _kept(evidence)
    # Three rounds: entries as they were judged, then those with another text under the same title, then
    # those that are new; what is left over has gone.
    exact = {(each.date, each.title_print, each.text_print) for each in said}
    settled = {(each.date, each.title, each.content) for each in kept} & exact
    open_ = [each for each in said if (each.date, each.title_print, each.text_print) not in settled]
    free = [each for each in kept if (each.date, each.title, each.content) not in settled]
    for entry in open_:
        judged = next((k for k in free if (k.date, k.title) == (entry.date, entry.title_print)), None)
        if judged is not None:
            # Two entries of one day may have one title.
            free.remove(judged)
            yield _changed(evidence, entry, judged)
        else:
            yield _new(evidence, entry)
    oldest = min((each.date for each in evidence.facts(EntrySaid)), default="")
    for each in free:
        if oldest and each.date >= oldest:
            yield _gone(evidence, each)
    for unread in evidence.facts(Unread):
        yield evidence.unread(unread)


def _new(evidence: Evidence, entry: EntrySaid) -> Finding:
    tags = f" [{', '.join(entry.tags)}]" if entry.tags else ""
    line = f'{{date: {entry.date}, entry: {entry.title_print}-{entry.text_print}, done: "…"}}'
    edit = Edit(evidence.spec.file(FILE), f"`- {line}`; not_ours or later in place of done")
    what = f"changelog of {entry.date}{tags}: {entry.title}"
    return evidence.new(
        "entry", f"{entry.date} {entry.title_print}", what, [entry.location], edit, group="entries"
    )


def _changed(evidence: Evidence, entry: EntrySaid, judged: _Kept) -> Finding:
    edit = Edit(judged.location, f"read it again; `entry: {entry.title_print}-{entry.text_print}` keeps that")
    what = f"changelog of {entry.date}: the text has changed of: {entry.title}"
    address = f"{entry.date} {entry.title_print}"
    return evidence.differs(
        "entry", address, "another text", what, [entry.location], edit, group="changed entries"
    )


def _gone(evidence: Evidence, kept: _Kept) -> Finding:
    what = f"changelog of {kept.date}: the entry {kept.title} is not in it any more"
    edit = Edit(kept.location, "see whether it was withdrawn or has another title now")
    locations = [Location(evidence.readings[0].file, 1)]
    return evidence.gone("entry", f"{kept.date} {kept.title}", what, locations, edit)


def versions(evidence: Evidence) -> Iterator[Finding]:
    """The numbered changelog on the pages about FIX, beside the `versions` of the manifest."""
    spec = evidence.spec
    own = spec.versions()
    said = evidence.facts(VersionSaid)
    dates = spec.dates()
    for each in said:
        # An entry with a date alone is known by it: by the day, or by the month in which something
        # was seen.
        if not each.version:
            if each.date and each.date not in dates and each.date[:7] not in dates:
                edit = Edit(
                    spec.manifest("versions"),
                    f"read it; give what it changes `since: {each.date}` or the like",
                )
                text = (
                    f"changelog: an entry of {each.date} without a version; nothing in the spec has that date"
                )
                yield evidence.new("version", each.date, text, [each.location], edit)
        elif each.version not in own:
            edit = Edit(
                spec.manifest("versions"), f"`{each.version}: {each.date or '…'}`, and what it changes"
            )
            text = f"changelog: new version {each.version}{f' of {each.date}' if each.date else ''}"
            yield evidence.new("version", each.version, text, [each.location], edit)
        elif each.date and own[each.version][0] != each.date:
            edit = Edit(own[each.version][1], f"`{each.version}: {each.date}`")
            text = (
                f"changelog: version {each.version} is of {each.date}, in the spec of {own[each.version][0]}"
            )
            yield evidence.differs("version", each.version, f"date {each.date}", text, [each.location], edit)
    listed = {each.version for each in said}
    if listed - {""}:
        for version, (_, location) in own.items():
            if version not in listed:
                text = f"changelog: version {version} is not in it any more"
                edit = Edit(location, "nothing to change, if the venue only shortened its changelog")
                yield evidence.gone("version", version, text, [said[0].location], edit)
