"""Convert arbitrary bytes to messages and session events, to fuzz programs that handle messages and events.

The same bytes always give the same result, so a failing input can be stored and replayed. `messages` returns
messages that the venue may send. `events` returns the events of a session in which messages are lost,
duplicated or damaged, or the connection ends. Values are chosen from small sets, so several reports refer to
the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeVar

from kalshi_fix_sansio._generated import DIALECT
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.codec.encoder import CODEC_TAGS
from kalshi_fix_sansio.config import LOGON, Role, SessionConfig
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.dialect.layout import (
    BlockLayout,
    FieldLayout,
    FieldMember,
    Kind,
    MessageLayout,
    Presence,
    Sender,
)
from kalshi_fix_sansio.events import Event
from kalshi_fix_sansio.messages import CODEC
from kalshi_fix_sansio.session import Session, State

T = TypeVar("T")

START: Final = datetime(2026, 8, 21, 14, 3, 7, tzinfo=UTC)
"""Time at which the session connects, and SendingTime of the messages that `messages` returns."""
CLIENT: Final = "fuzzed-client"
"""SenderCompID of the session."""
SESSION: Final = DIALECT.session_type_for("orders", resend=True).name
"""The default session type, which has the most message types."""
_MAX_STEPS: Final = 32
"""Maximum number of messages that `messages` returns, and of steps that `events` runs."""


class Choices:
    """Makes choices that the given bytes determine. After the last byte, every choice is the first option."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def has_more(self) -> bool:
        """Whether there are unread bytes."""
        return self._at < len(self._data)

    def below(self, count: int) -> int:
        """Return a number from 0 to `count` - 1."""
        if 1 < count <= 256:
            at = self._at
            if at >= len(self._data):
                return 0
            self._at = at + 1
            return self._data[at] % count
        size = (max(count - 1, 0).bit_length() + 7) // 8
        return int.from_bytes(self.take(size), "big") % count if size else 0

    def one_in(self, count: int) -> bool:
        """Return True for one in `count` values of the next bytes, and False after the last byte."""
        return self.below(count) == count - 1

    def pick(self, options: Sequence[T]) -> T:
        """Return one of the options."""
        return options[self.below(len(options))]

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes, or fewer at the end."""
        taken = self._data[self._at : self._at + size]
        self._at += len(taken)
        return taken

    def chunk(self) -> bytes:
        """Return up to 255 bytes; the next byte determines how many."""
        return self.take(self.below(256))

    def rest(self) -> bytes:
        """Return all unread bytes."""
        return self.take(len(self._data))


def messages(data: bytes, session_type: str = SESSION, product: str = "prediction") -> list[Message]:
    """Return messages that the venue may send on a session of this type, as decoded on receipt.

    Raises:
        KeyError: the dialect does not define this session type.
    """
    choices, layouts = Choices(data), _layouts(session_type, product)
    decoded: list[Message] = []
    while choices.has_more and len(decoded) < _MAX_STEPS:
        message = _block(choices, choices.pick(layouts).body)
        decoded.append(CODEC.decode(_encode(message, session_type, len(decoded) + 2)))
    return decoded


def events(data: bytes, session_type: str = SESSION, product: str = "prediction") -> list[Event]:
    """Return the events of a session of this type, from LoggedOn on. The bytes determine which messages and
    interruptions the session receives.

    Raises:
        KeyError: the dialect does not define this session type.
        ConfigurationError: the product does not offer this session type.
    """
    choices, layouts = Choices(data), _layouts(session_type, product)
    kind = DIALECT.session_types[session_type]
    config = SessionConfig(
        role=Role.INITIATOR,
        dialect=DIALECT,
        codec=CODEC,
        session_type=kind,
        product=product,
        sender_comp_id=CLIENT,
        target_comp_id=session_type,
        sign_logon=lambda _: b"unsigned",
    )
    session, now = Session(config), Instant(0.0, START)
    session.connect(now)
    logon = DIALECT.messages[LOGON].body.cls(
        heart_bt_int=config.heart_bt_int, reset_seq_num_flag=kind.reset_required or None
    )
    session.receive_data(_encode(logon, session_type, 1), now)
    # There are 16 kinds of steps. Kinds 0 to 12 pass a message to the session. After kind 10, the numbers
    # continue with the one that the session expects, to fill a gap. Kind 11 replaces a byte of its message,
    # and kind 12 repeats the previous number with PossDupFlag=Y. Kind 13 skips numbers, as if messages were
    # lost, kind 14 ends the connection, and in kind 15, 20 seconds pass.
    result, number, steps = session.events(), 2, 0
    while choices.has_more and steps < _MAX_STEPS and session.state is not State.CLOSED:
        steps += 1
        step = choices.below(16)
        if step == 15:
            now = Instant(now.monotonic + 20, now.utc + timedelta(seconds=20))
            session.handle_timer(now)
        elif step == 14:
            session.receive_eof(now)
        elif step == 13:
            number += 1 + choices.below(3)
        else:
            poss_dup = step == 12
            message = _block(choices, choices.pick(layouts).body)
            frame = _encode(
                message, session_type, max(number - 1, 1) if poss_dup else number, now.utc, poss_dup=poss_dup
            )
            if step == 11:
                position = choices.below(len(frame))
                frame = frame[:position] + choices.take(1) + frame[position + 1 :]
            session.receive_data(frame, now)
            number = session.next_incoming if step == 10 else number + (not poss_dup)
        result += session.events()
        session.data_to_send()
    return result


def _layouts(session_type: str, product: str) -> tuple[MessageLayout, ...]:
    """Return the messages that the venue sends on a session, except Logon."""
    name = DIALECT.session_types[session_type].name
    layouts = DIALECT.messages.values()
    return tuple(
        each for each in layouts if each.msg_type != LOGON and each.allowed(product, name, Sender.VENUE)
    )


def _encode(
    message: Message,
    session_type: str,
    number: int,
    sending_time: datetime = START,
    *,
    poss_dup: bool = False,
) -> bytes:
    header = DIALECT.header.cls(
        msg_type=message.msg_type,
        sender_comp_id=session_type,
        target_comp_id=CLIENT,
        msg_seq_num=number,
        sending_time=sending_time,
        poss_dup_flag=True if poss_dup else None,
        orig_sending_time=sending_time if poss_dup else None,
    )
    return CODEC.encode(message, header)


def _block(choices: Choices, layout: BlockLayout) -> Any:
    """Build a message or a group entry. The first field and required fields are always set, others
    sometimes.
    """
    values: dict[str, Any] = {}
    for member in layout.members:
        if isinstance(member, FieldMember):
            if member.tag not in CODEC_TAGS and (
                member.presence is Presence.REQUIRED or layout.members[0] is member or choices.one_in(4)
            ):
                values[member.attribute] = _value(choices, member.field)
        else:
            values[member.attribute] = [_block(choices, member.entry) for _ in range(choices.below(3))]
    return layout.cls(**values)


def _value(choices: Choices, field: FieldLayout) -> Any:
    """Choose a value: a code, or one of a few values of the field's kind."""
    number = choices.below(4)
    if field.codes is not None:
        codes = tuple(field.codes)
        return codes[number % len(codes)]
    if field.kind in _VALUES:
        return _VALUES[field.kind](field, number)
    return (field.minimum or 0) + choices.below(8)


_VALUES: Final[Mapping[Kind, Callable[[FieldLayout, int], Any]]] = {
    Kind.STRING: lambda field, number: f"{field.name}-{number}"[: field.max_length],
    Kind.CHAR: lambda _, number: "abcd"[number],
    Kind.DECIMAL: lambda _, number: Decimal(("0", "0.33", "0.66", "0.99")[number]),
    Kind.BOOLEAN: lambda _, number: number % 2 == 1,
    Kind.UTCTIMESTAMP: lambda _, number: START + timedelta(seconds=number),
    Kind.UTCDATEONLY: lambda _, number: START.date() + timedelta(days=number),
    Kind.UTCTIMEONLY: lambda _, number: START.time().replace(second=number),
    Kind.DATA: lambda _, number: b"data\x01"[: number + 1],
}

SEEDS: Final = tuple(
    bytes((step, *((pattern * 7 + index * (2 * pattern + 1)) % 256 for index in range(40))))
    for pattern in range(4)
    for step in range(16)
)
"""Initial inputs: each kind of step, followed by messages of several types."""
