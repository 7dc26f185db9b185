"""Base classes of the generated message classes, with unknown fields, header, trailer, problems, and a
readable repr.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from kalshi_fix_sansio.dialect.layout import BY_SESSION
from kalshi_fix_sansio.dialect.problems import Problem

if TYPE_CHECKING:
    from kalshi_fix_sansio.dialect.layout import BlockLayout, MessageLayout

UnknownField = tuple[int, bytes]
"""A field that the dialect does not define in its place: the tag, and the value on the wire."""

MAX_ENTRIES_SHOWN = 10
"""Maximum number of group entries that a repr contains."""


def _to_unknown(fields: Iterable[UnknownField]) -> tuple[UnknownField, ...]:
    return tuple(fields)


@attrs.define(kw_only=True, repr=False, on_setattr=attrs.setters.NO_OP)
class Block:
    """A set of fields: a message body, a group entry, a header or a trailer.

    The constructor converts and checks values. Values assigned to attributes later are not checked until the
    message is validated or encoded.

    Attributes:
        unknown: Fields that the dialect does not define in this block, in the order received. They are also
            encoded.
    """

    LAYOUT: ClassVar[BlockLayout]

    unknown: tuple[UnknownField, ...] = attrs.field(default=(), converter=_to_unknown)

    def get_unknown(self, tag: int) -> bytes | None:
        """Return the wire value of the first unknown field with this tag, or None."""
        return next((value for other, value in self.unknown if other == tag), None)

    def __repr__(self) -> str:
        """Return the class and the fields that are set. Secrets are hidden. A unit is shown unless it depends
        on the session.
        """
        return f"{type(self).__name__}({', '.join(self._shown())})"

    def _repr_html_(self) -> str:
        from kalshi_fix_sansio.classes.display import table  # only in notebooks

        rows = (text.partition("=")[::2] for text in self._shown())
        return table(type(self).__name__, ("field", "value"), rows)

    def _shown(self) -> Iterator[str]:
        for member in self.LAYOUT.members:
            value = getattr(self, member.attribute)
            if value is None or value == []:
                continue
            field = getattr(member, "field", None)  # a group has none
            if field is None:
                yield f"{member.attribute}={_show_entries(value)}"
            elif field.secret:
                yield f"{member.attribute}=<hidden>"
            else:
                unit = f" {field.unit}" if field.unit and field.unit != BY_SESSION else ""
                yield f"{member.attribute}={_show(value)}{unit}"
        if self.unknown:
            yield f"unknown=<{_count(self.unknown, 'field')}>"


@attrs.define(kw_only=True, repr=False, on_setattr=attrs.setters.NO_OP)
class Message(Block):
    """Base of every message class.

    Attributes:
        header: The header of a decoded message; None for a constructed one, even after it has been sent.
        trailer: The trailer received; None for a constructed message.
        problems: Problems found when the message was decoded; empty if it was valid. If a required field was
            missing or malformed, its attribute is None.
    """

    MSG_TYPE: ClassVar[str]
    NAME: ClassVar[str]
    MESSAGE: ClassVar[MessageLayout]

    header: Any = attrs.field(default=None, eq=False)
    trailer: Any = attrs.field(default=None, eq=False)
    problems: tuple[Problem, ...] = attrs.field(default=(), eq=False)

    @property
    def msg_type(self) -> str:
        """MsgType (35) of this message."""
        return self.MSG_TYPE

    def _shown(self) -> Iterator[str]:
        yield from super()._shown()
        if self.problems:
            yield f"problems=<{'; '.join(str(problem) for problem in self.problems)}>"


@attrs.define(kw_only=True, repr=False, on_setattr=attrs.setters.NO_OP)
class UnknownMessage(Message):
    """A message whose MsgType (35) the dialect does not define. `unknown` contains all fields of its body.

    Attributes:
        msg_type: MsgType (35) of the message.
    """

    NAME: ClassVar[str] = "UnknownMessage"

    msg_type: str

    def _shown(self) -> Iterator[str]:
        yield f"msg_type={self.msg_type!r}"
        yield f"unknown=<{_count(self.unknown, 'field')}>"


def values_of(block: Block) -> dict[str, Any]:
    """Return the attributes of a block that are set, as keyword arguments of its constructor."""
    values = {member.attribute: getattr(block, member.attribute) for member in block.LAYOUT.members}
    if block.unknown:
        values["unknown"] = block.unknown
    return {name: value for name, value in values.items() if value is not None and value != []}


def _show(value: object) -> str:
    if isinstance(value, Enum):
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, (str, bytes)):
        return repr(value)
    return str(value)


def _show_entries(entries: list[Block]) -> str:
    shown = [repr(entry) for entry in entries[:MAX_ENTRIES_SHOWN]]
    if len(entries) > MAX_ENTRIES_SHOWN:
        shown.append(f"... {len(entries) - MAX_ENTRIES_SHOWN} more")
    return f"[{', '.join(shown)}]"


def _count(items: tuple[object, ...], noun: str) -> str:
    return f"{len(items)} {noun}{'' if len(items) == 1 else 's'}"
