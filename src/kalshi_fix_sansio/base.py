"""What every generated class shares: unknown fields, header, trailer and problems."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from kalshi_fix_sansio.problems import Problem

if TYPE_CHECKING:
    from kalshi_fix_sansio.layout import BlockLayout, MessageLayout

UnknownField = tuple[int, bytes]
"""A tag the dialect does not place here, and its value as it came on the wire."""


@attrs.define(slots=True, kw_only=True)
class Block:
    """A set of fields: a message body, a group entry, a header or a trailer."""

    LAYOUT: ClassVar[BlockLayout]

    unknown: tuple[UnknownField, ...] = attrs.field(default=(), converter=tuple, repr=False)
    """Fields the dialect does not place here, in the order in which they came; they are sent again
    when the block is encoded."""

    def get_unknown(self, tag: int) -> bytes | None:
        """Return the wire value of the first unknown field with this tag, or None."""
        return next((value for known, value in self.unknown if known == tag), None)


@attrs.define(slots=True, kw_only=True)
class Message(Block):
    """Base of every message class."""

    MSG_TYPE: ClassVar[str]
    NAME: ClassVar[str]
    MESSAGE: ClassVar[MessageLayout]

    header: Any = attrs.field(default=None, eq=False, repr=False)
    """The header as received (or as sent); None on a message that was built and not yet sent."""
    trailer: Any = attrs.field(default=None, eq=False, repr=False)
    problems: tuple[Problem, ...] = attrs.field(default=(), eq=False, repr=False)
    """What was wrong with the message as received; empty on a sound one. A required field that
    was missing or unreadable is None, and is listed here."""
