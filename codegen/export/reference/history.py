"""The dialect's history, compiled from the pedigrees of its elements."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from codegen.model import Dialect, Element, Member, walk
from codegen.prose import sentence

_VERBS = {"added": "added", "updated": "changed", "deprecated": "deprecated", "removed": "removed"}


@attrs.frozen
class HistoryEntry:
    """The changes made in one version or on one day."""

    version: str
    """The version of the venue's API; empty if the venue stated none."""
    date: str
    lines: tuple[str, ...]


def history(dialect: Dialect) -> tuple[HistoryEntry, ...]:
    """Return all changes in the spec, newest first."""
    lines_by_version: dict[tuple[str, str], list[str]] = {}
    for element, name in _elements(dialect):
        # Only messages and members have earlier forms.
        earlier = {change for change, _ in getattr(element, "past", ())}
        for change in element.pedigree.changes:
            note = f": {change.note}" if change.note else ""
            line = sentence(f"{name} {_VERBS[change.kind]}{note}")
            if change.kind == "updated" and change not in earlier:
                line += " *Wording only.*"
            lines = lines_by_version.setdefault((change.date or "", change.version or ""), [])
            if line not in lines:
                lines.append(line)
    # Entries are sorted by date, and entries of the same day by version number: 1.0.9 is older than 1.0.10.
    dated = sorted(
        lines_by_version,
        key=lambda key: (key[0], [int(part) for part in key[1].split(".") if part.isdigit()]),
    )
    return tuple(
        HistoryEntry(version, date, tuple(lines_by_version[date, version]))
        for date, version in reversed(dated)
    )


def _elements(dialect: Dialect) -> Iterator[tuple[Element, str]]:
    """Yield elements that may have changed, with their display names."""
    for message in dialect.messages:
        yield message, f"{message.name} ({message.msg_type})"
        yield from _members(message.members, message.name)
    yield from _members(dialect.header, "the header")
    yield from _members(dialect.trailer, "the trailer")
    for field in dialect.fields:
        yield field, f"{field.name} ({field.tag})"
    for codeset in dialect.codesets:
        for code in codeset.codes:
            yield code, f"{code.name} ({code.value}) of {codeset.name}"


def _members(members: tuple[Member, ...], owner: str) -> Iterator[tuple[Element, str]]:
    for member, enclosing_groups in walk(members):
        # Changes to the field itself are listed once, with the field.
        if member.pedigree != member.field.pedigree:
            path = " in ".join([*(each.field.name for each in reversed(enclosing_groups)), owner])
            yield member, f"{member.field.name} ({member.field.tag}) of {path}"
