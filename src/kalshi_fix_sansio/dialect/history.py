"""Derive the dialect of an earlier date from the current dialect and a list of changes, to read older
data.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import date
from operator import is_
from types import MappingProxyType
from typing import Final

import attrs

from kalshi_fix_sansio.classes.value import Value
from kalshi_fix_sansio.dialect.layout import (
    BlockLayout,
    Dialect,
    GroupMember,
    Member,
    MessageLayout,
    Presence,
    Scope,
)

_NO_SESSION: Final = (Scope(sessions=("",)),)
"""The `flows` of a message that did not exist yet. No session type has an empty name, so the message may not
be sent anywhere.
"""


@attrs.frozen(eq=False, repr=False)
class Change(Value):
    """A change to the dialect, with the parts of the dialect that it replaced.

    Attributes:
        first_day: The first day on which the change may have applied.
        certain_from: The first day on which the change certainly applied. It differs from `first_day` if only
            the month of the change is known.
        text: Description of the change, for display.
        block: Name of the block that the change affects; empty if only the description is known.
        tag: Tag of the member that the change affects; None if it affects the whole message.
        old_member: The member before the change; None if it did not exist.
        removed_tags: Tags that the change removed from the block.
    """

    first_day: date
    certain_from: date
    text: str
    block: str = ""
    tag: int | None = None
    old_member: Member | None = None
    removed_tags: tuple[int, ...] = ()


@attrs.frozen(eq=False, repr=False)
class History(Value):
    """The changes that led to the current dialect.

    Attributes:
        since: The day from which the changes are known.
        changes: The changes, sorted by `certain_from`.
    """

    since: date
    changes: tuple[Change, ...]
    _dialects: dict[int, Dialect] = attrs.field(init=False, factory=dict, eq=False)

    def dialect_on(self, day: date, latest: Dialect) -> Dialect:
        """Return the dialect as it was on a day; `latest` is the current dialect.

        Each change has two boundaries: the first day on which it may have applied, and the first day on which
        it certainly applied. From one boundary to the next, the dialect is the same. A change without a block
        has only a description, so it cannot be reversed.
        """
        reversible = [change for change in self.changes if change.block]
        boundaries = sorted(
            {boundary for change in reversible for boundary in (change.first_day, change.certain_from)}
        )
        interval = bisect_right(boundaries, day)
        if interval == len(boundaries):
            return latest
        dialect = self._dialects.get(interval)
        if dialect is None:
            since = boundaries[interval - 1] if interval else None
            pending = [change for change in reversible if day < change.certain_from]
            dialect = _EarlierState(day, pending).dialect(latest, since, boundaries[interval])
            self._dialects[interval] = dialect
        return dialect

    def unknown_on(self, day: date) -> Iterator[str]:
        """Yield sentences about facts that are not known for a day."""
        if day < self.since:
            yield f"the dialect before {self.since} is not known"
        for change in self.changes:
            if change.first_day <= day < change.certain_from:
                yield f"changed on an unknown day of {change.first_day:%Y-%m}: {change.text}"
            elif day < change.first_day and not change.block:
                is_day_unknown = change.first_day != change.certain_from
                when = f"in {change.first_day:%Y-%m}" if is_day_unknown else f"on {change.certain_from}"
                yield f"changed {when}; only a description of the change is known: {change.text}"


@attrs.frozen(eq=False)
class _EarlierState:
    """Computes an earlier state of the dialect: undoes the changes not certainly in effect on `day`."""

    day: date
    pending: Iterable[Change]
    """The changes to undo, sorted by `certain_from`."""

    def dialect(self, latest: Dialect, since: date | None, until: date) -> Dialect:
        """Return the dialect of the day, which was the same from `since` until `until`."""
        return attrs.evolve(
            latest,
            header=self._block(latest.header),
            trailer=self._block(latest.trailer),
            messages=MappingProxyType(
                {key: self._message(layout) for key, layout in latest.messages.items()}
            ),
            since=since,
            until=until,
            history=None,
            latest=latest,
        )

    def _message(self, layout: MessageLayout) -> MessageLayout:
        body = self._block(layout.body)
        was_added_later = any(
            change.tag is None and not change.removed_tags and self.day < change.first_day
            for change in self._changes_to(layout.body)
        )
        if body is layout.body and not was_added_later:
            return layout
        return attrs.evolve(layout, body=body, flows=_NO_SESSION if was_added_later else layout.flows)

    def _changes_to(self, layout: BlockLayout) -> list[Change]:
        return [change for change in self.pending if change.block == layout.name]

    def _block(self, layout: BlockLayout) -> BlockLayout:
        changes = self._changes_to(layout)
        members = tuple(
            self._member(member, [change for change in changes if change.tag == member.tag])
            for member in layout.members
        )
        removed_tags = frozenset(tag for change in changes for tag in change.removed_tags)
        # Return the same object for an unchanged block, because its compiled checks are then shared.
        if not removed_tags and all(map(is_, members, layout.members)):
            return layout
        return attrs.evolve(layout, members=members, past_tags=removed_tags)

    def _member(self, member: Member, changes: list[Change]) -> Member:
        if changes:
            earliest, *later = changes
            if self.day < earliest.first_day:
                member = earliest.old_member or _forbid(member)
            else:
                # The earliest change may or may not have applied on this day, so the member is not required.
                # After that change, the member had the form that the next change replaced.
                member = _drop_requirements(
                    next((change.old_member for change in later if change.old_member is not None), member)
                )
        if isinstance(member, GroupMember):
            entry = self._block(member.entry)
            return member if entry is member.entry else attrs.evolve(member, entry=entry)
        return member


def _forbid(member: Member) -> Member:
    """Return a copy of a member that must not be sent, but that decoders still accept."""
    return attrs.evolve(
        member, presence=Presence.FORBIDDEN, rules=(), required_when=(), forbidden_when=(), only_when=()
    )


def _drop_requirements(member: Member) -> Member:
    """Return a copy of a member that is never required."""
    rules = tuple(
        attrs.evolve(rule, presence=_without_requirement(rule.presence))
        if rule.presence is Presence.REQUIRED
        else rule
        for rule in member.rules
    )
    return attrs.evolve(member, presence=_without_requirement(member.presence), rules=rules, required_when=())


def _without_requirement(presence: Presence) -> Presence:
    return Presence.OPTIONAL if presence is Presence.REQUIRED else presence
