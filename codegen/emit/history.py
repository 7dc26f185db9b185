"""Python expressions for the changes from which dialects as of earlier dates are derived."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from codegen.emit.imports import Imports
from codegen.emit.layouts import LayoutWriter, call, text_literal, tuple_expression
from codegen.model import Change, Dialect, Element, Member, Message

HISTORY = "kalshi_fix_sansio.dialect.history"


def changes(dialect: Dialect, imports: Imports, package: str) -> list[str]:
    """Return the changes as expressions, ordered by the first day on which each certainly applied."""
    entries = dict.fromkeys(_all_changes(dialect, LayoutWriter(imports, package)))
    in_order = sorted(entries, key=lambda entry: (entry[0].certain_from, entry[1:]))
    return [_expression(*entry, imports) for entry in in_order]


def first_day(dialect: Dialect) -> date:
    """Return the day of the first change."""
    return min(change.first_day for change, _, _ in _all_changes(dialect, LayoutWriter(Imports(), "")))


def certain_from(dialect: Dialect) -> date | None:
    """Return the first day on which the dialect certainly has the form that the spec describes, or None if
    no earlier form is known.
    """
    entries = _all_changes(dialect, LayoutWriter(Imports(), ""))
    return max((change.certain_from for change, _, effect in entries if effect), default=None)


def date_expression(day: date, imports: Imports) -> str:
    """Return a date as an expression."""
    imports.import_on_one_line("datetime", "date")
    return call("date", str(day.year), str(day.month), str(day.day))


_ChangeEntry = tuple[Change, str, tuple[tuple[str, str], ...]]
"""A change, its text, and the arguments that describe the earlier form (none if the form is unknown)."""


def _all_changes(dialect: Dialect, layouts: LayoutWriter) -> Iterator[_ChangeEntry]:
    for message in dialect.messages:
        yield from _message(message, layouts)
    for name, members in (("Header", dialect.header), ("Trailer", dialect.trailer)):
        yield from _members(name, members, layouts)
    for group in dialect.groups:
        yield from _members(group.entry_class, group.members, layouts)
    for field in dialect.fields:
        yield from _changes_without_form(field, f"{field.name} ({field.tag})")
    for codeset in dialect.codesets:
        for code in codeset.codes:
            yield from _changes_without_form(code, f"{code.name} ({code.value}) of {codeset.name}")


def _message(message: Message, layouts: LayoutWriter) -> Iterator[_ChangeEntry]:
    subject, block = f"{message.name} ({message.msg_type})", ("block", repr(message.name))
    added = message.pedigree.added
    if added is not None:
        yield added, f"{subject} added", (block,)
    for change, fields in message.past:
        removed_tags = tuple_expression(str(field.tag) for field in fields)
        yield change, f"{subject}: {change.note}", (block, ("removed_tags", removed_tags))
    yield from _changes_without_form(message, subject, {change for change, _ in message.past})
    yield from _members(message.name, message.members, layouts, added)


def _members(
    name: str, members: tuple[Member, ...], layouts: LayoutWriter, block_added: Change | None = None
) -> Iterator[_ChangeEntry]:
    """Yield the changes to the members of a block; `block_added` is the change that added the block."""
    for member in members:
        field, group = member.field, member.group
        subject = f"{field.name} ({field.tag}) of {name}"
        location = (("block", repr(name)), ("tag", str(field.tag)))
        group_added = None if group is None else group.pedigree.added
        added = member.pedigree.added or group_added or field.pedigree.added
        if added is not None and (block_added is None or block_added.certain_from < added.certain_from):
            yield added, f"{subject} added", location
        for change, earlier in member.past:
            yield change, f"{subject}: {change.note}", (*location, ("old_member", layouts.member(earlier)))
        if member.pedigree != field.pedigree:
            yield from _changes_without_form(member, subject, {change for change, _ in member.past})


def _expression(change: Change, text: str, effect: tuple[tuple[str, str], ...], imports: Imports) -> str:
    """Return a change as an expression."""
    days = (date_expression(day, imports) for day in (change.first_day, change.certain_from))
    return call("Change", *days, text_literal(text.rstrip(".")), **dict(effect))


def _changes_without_form(
    element: Element, subject: str, with_form: set[Change] | None = None
) -> Iterator[_ChangeEntry]:
    """Yield the changes whose earlier form the spec does not contain."""
    for change in element.pedigree.changes:
        if change.kind == "updated" and change not in (with_form or ()):
            yield change, f"{subject}: {change.note}", ()
