"""The venue's changelog: one page with an entry for each change, of whichever of its APIs.

An entry is `<Update label="May 3, 2026" tags={["FIX"]} rss={{title: "…"}}>`. It has no number, so it is known
by its date and its title. `changelog.yaml` of the spec says of each one that is about FIX what has become of
it; the text itself is not kept, only fingerprints of title and text.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

import attrs

from codegen.diff import headings, markdown
from codegen.diff.facts import EntrySaid, Fact, Unread, Vocabulary
from codegen.diff.findings import Edit, Evidence, Finding
from codegen.diff.inline import plain
from codegen.model import Location
from codegen.read.context import maps, text
from codegen.read.nodes import Map

FILE = "changelog.yaml"
API = "FIX"
"""The tag of the entries that count; untagged ones, and those of another API, count if they speak of it."""

_UPDATE = re.compile(r"^<Update\b[^>]{0,500}?\b(?:tags|rss)\s*=", re.MULTILINE)
_STRING = re.compile(r"\"((?:[^\"\\]|\\.)*+)\"|'((?:[^'\\]|\\.)*+)'")
_TITLE = re.compile(r"\btitle\s*:\s*")
_SPEAKS = re.compile(rf"\b{API}\b")


def is_changelog(page: str) -> bool:
    """Say whether a page is made of such entries."""
    return _UPDATE.search(page) is not None


def read(page: str, file: str, vocabulary: Vocabulary) -> list[Fact]:
    """Every entry of the page, and what could not be read."""
    found: list[Fact] = []
    lines = page.splitlines()
    blocks = markdown.blocks(page)
    for at, block in enumerate(blocks):
        if isinstance(block, markdown.Puzzle):
            found.append(Unread(Location(file, block.line), block.what))
        if not isinstance(block, markdown.Component) or block.name != "Update":
            continue
        ends = (each.line for each in blocks[at:] if isinstance(each, markdown.End) and each.name == "Update")
        content = "\n".join(lines[block.line - 1 : next(ends, block.line)])
        found.append(_entry(block, content, Location(file, block.line), vocabulary))
    return found


def _entry(block: markdown.Component, content: str, place: Location, vocabulary: Vocabulary) -> Fact:
    label, rss = block.attributes.get("label", ""), block.attributes.get("rss", "")
    says = headings.read(label, vocabulary)
    at = _TITLE.search(rss)
    title = next(iter(_strings(rss[at.end() :])), "") if at else block.attributes.get("description", "")
    if not says.date or not title:
        return Unread(place, f"an entry of the changelog without {'a title' if says.date else 'a date'}")
    tags = tuple(_strings(block.attributes.get("tags", "")))
    about = API in tags or _SPEAKS.search(plain(content)) is not None
    version = headings.read(title, vocabulary).version
    return EntrySaid(place, says.date, title, tags, _print(title), _print(content), about, version)


def _strings(text: str) -> list[str]:
    """The string literals of a JavaScript expression."""
    return [re.sub(r"\\(.)", r"\1", each[1] or each[2]) for each in _STRING.finditer(text)]


def _print(words: str) -> str:
    """A fingerprint of eight hexadecimal digits, the same however lines are broken."""
    return hashlib.sha256(" ".join(words.split()).encode()).hexdigest()[:8]


@attrs.frozen
class _Kept:
    """An entry that the spec has a disposition of."""

    date: str
    title: str
    content: str
    location: Location


def _kept(evidence: Evidence) -> list[_Kept]:
    """What the spec has dispositions of."""
    notes = evidence.spec.source.notes["changelog"]
    return [_of_yaml(entry) for note in notes for entry in maps(note.get("entries"))]


def _of_yaml(entry: Map) -> _Kept:
    title, _, content = text(entry, "entry").partition("-")
    return _Kept(text(entry, "date"), title, content, entry.location)


def compare(evidence: Evidence) -> Iterator[Finding]:
    """Entries about FIX without a disposition, with another text than the one judged, or gone.

    One that names a version of the manifest needs none. One that is older than all of the page is not missed:
    venues shorten their changelogs.
    """
    spec = evidence.spec
    versions = {(name, date) for name, (date, _) in spec.versions().items()}
    said = [
        each for each in evidence.said(EntrySaid) if each.about and (each.version, each.date) not in versions
    ]
    kept = _kept(evidence)
    exact = {(each.date, each.title_print, each.text_print) for each in said}
    settled = {(each.date, each.title, each.content) for each in kept} & exact
    open_ = [each for each in said if (each.date, each.title_print, each.text_print) not in settled]
    free = [each for each in kept if (each.date, each.title, each.content) not in settled]
    for entry in open_:
        judged = next((k for k in free if (k.date, k.title) == (entry.date, entry.title_print)), None)
        if judged is not None:
            free.remove(judged)
            yield _changed(evidence, entry, judged)
        else:
            yield _new(evidence, entry)
    oldest = min((each.date for each in evidence.said(EntrySaid)), default="")
    for each in free:
        if oldest and each.date >= oldest:
            yield _gone(evidence, each)
    for unread in evidence.said(Unread):
        yield evidence.unread(unread)


def _new(evidence: Evidence, entry: EntrySaid) -> Finding:
    tags = f" [{', '.join(entry.tags)}]" if entry.tags else ""
    line = f'{{date: {entry.date}, entry: {entry.title_print}-{entry.text_print}, done: "…"}}'
    edit = Edit(evidence.spec.file(FILE), f"`- {line}`; not_ours or later in place of done")
    what = f"changelog of {entry.date}{tags}: {entry.title}"
    return evidence.new(
        "entry", f"{entry.date} {entry.title_print}", what, [entry.place], edit, group="entries"
    )


def _changed(evidence: Evidence, entry: EntrySaid, judged: _Kept) -> Finding:
    edit = Edit(judged.location, f"read it again; `entry: {entry.title_print}-{entry.text_print}` keeps that")
    what = f"changelog of {entry.date}: the text has changed of: {entry.title}"
    address = f"{entry.date} {entry.title_print}"
    return evidence.differs(
        "entry", address, "another text", what, [entry.place], edit, group="changed entries"
    )


def _gone(evidence: Evidence, kept: _Kept) -> Finding:
    what = f"changelog of {kept.date}: the entry {kept.title} is not in it any more"
    edit = Edit(kept.location, "see whether it was withdrawn or has another title now")
    places = [Location(evidence.readings[0].file, 1)]
    return evidence.gone("entry", f"{kept.date} {kept.title}", what, places, edit)
