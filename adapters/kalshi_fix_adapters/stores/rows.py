"""The encoding of messages, requests and numbers as rows. Each row has its own checksum, in addition to those
that the databases compute.
"""

from __future__ import annotations

import time
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

from kalshi_fix_adapters.stores.owner import StoreOwner
from kalshi_fix_adapters.stores.sent_requests import SentRequest
from kalshi_fix_sansio.events import OpenRequest
from kalshi_fix_sansio.session.store import StoredMessage

Row = tuple[Any, ...]

# The columns of each table, in the order in which the functions below write and read a row.
NUMBER_COLUMNS = "next_outgoing, next_incoming, oldest_kept, kept, reset_unanswered, generation, check_sum"
SESSION_COLUMNS = f"environment, product, sender_comp_id, target_comp_id, {NUMBER_COLUMNS}"
MESSAGE_COLUMNS = "seq_num, sent_at, frame, check_sum"
REQUEST_COLUMNS = "key, request_id, msg_type, seq_num, sent_at, uncertain, frame, check_sum"
SENT_REQUEST_COLUMNS = "request_id, msg_type, seq_num, generation, sent_at, check_sum"
JOURNAL_COLUMNS = "key, value, check_sum"
EARLIER_KEY_COLUMNS = "sender_comp_id, next_outgoing, next_incoming, reset_unanswered, generation, check_sum"

MAX_NUMBER = 2**63 - 1
"""The largest integer that the databases can store."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class DamagedRowError(Exception):
    """A row is missing or does not match its checksum."""


@attrs.define
class Numbers:
    """The state of a store, except its messages, requests and rows."""

    next_outgoing: int = 1
    next_incoming: int = 1
    oldest_kept: int = 1
    """One more than the number of the last dropped message. A message with this number need not exist."""
    kept: int = 0
    """Number of messages kept for resend."""
    reset_unanswered: bool = False
    generation: int = attrs.field(factory=lambda: time.time_ns() // 1000)
    """Increases by 1 when the outgoing numbers restart. It begins with the time in microseconds since 1970,
    so it also differs between two API keys of an account, and between a store and its replacement.
    """


def microseconds(value: datetime | timedelta) -> int:
    """Return a time as microseconds since 1970, or a time span in microseconds."""
    return (value - _EPOCH if isinstance(value, datetime) else value) // _MICROSECOND


def datetime_of(count: int) -> datetime:
    """Return the UTC time this many microseconds after 1970."""
    return _EPOCH + count * _MICROSECOND


def message_row(seq_num: int, message: StoredMessage) -> Row:
    """Return the row of table `sent`."""
    return _with_checksum((seq_num, microseconds(message.sent_at), message.frame))


def message_of(row: Row) -> StoredMessage:
    """Return the message of a row.

    Raises:
        DamagedRowError: the checksum of the row is wrong.
    """
    seq_num, sent_at, frame = _without_checksum(row)
    return StoredMessage(seq_num, datetime_of(sent_at), frame)


def request_row(request: OpenRequest) -> Row:
    """Return the row of table `request`."""
    return _with_checksum(
        (
            request.key,
            request.request_id,
            request.msg_type,
            request.seq_num,
            microseconds(request.sent_at),
            int(request.uncertain),
            request.frame,
        )
    )


def request_of(row: Row) -> OpenRequest:
    """Return the request of a row.

    Raises:
        DamagedRowError: the checksum of the row is wrong.
    """
    key, request_id, msg_type, seq_num, sent_at, uncertain, frame = _without_checksum(row)
    return OpenRequest(request_id, msg_type, seq_num, datetime_of(sent_at), frame, key, bool(uncertain))


def sent_request_row(sent: SentRequest) -> Row:
    """Return the columns of table `sent_request`, in the order of `SENT_REQUEST_COLUMNS`."""
    sent_at = microseconds(sent.sent_at)
    return _with_checksum((sent.request_id, sent.msg_type, sent.seq_num, sent.generation, sent_at))


def sent_request_of(row: Row) -> SentRequest:
    """Return the sent request of a row.

    Raises:
        DamagedRowError: the checksum of the row is wrong.
    """
    request_id, msg_type, seq_num, generation, sent_at = _without_checksum(row)
    return SentRequest(request_id, msg_type, seq_num, generation, datetime_of(sent_at))


def journal_row(key: str, text: str) -> Row:
    """Return the row of table `journal`, which contains the user's rows."""
    return _with_checksum((key, text))


def journal_text(row: Row | None) -> str:
    """Return the text of a row of table `journal`.

    Raises:
        DamagedRowError: the row is missing, or its checksum is wrong.
    """
    if row is None:
        raise DamagedRowError("a row of the journal is missing")
    text: str = _without_checksum(row)[1]
    return text


def numbers_row(owner: StoreOwner, numbers: Numbers) -> Row:
    """Return the columns of the numbers in a row of table `session`, after the owner."""
    values = (
        numbers.next_outgoing,
        numbers.next_incoming,
        numbers.oldest_kept,
        numbers.kept,
        int(numbers.reset_unanswered),
        numbers.generation,
    )
    return (*values, _checksum((*owner_row(owner), *values)))


def owner_row(owner: StoreOwner) -> Row:
    """Return the columns of the owner in a row of table `session`, before the numbers."""
    return (owner.environment, owner.product, owner.sender_comp_id, owner.target_comp_id)


def session_of(row: Row | None) -> tuple[StoreOwner, Numbers]:
    """Return the owner of the store, and its numbers.

    Raises:
        DamagedRowError: the row is missing, or its checksum is wrong.
    """
    if row is None:
        raise DamagedRowError("its numbers are missing")
    environment, product, sender, target, *values = _without_checksum(row)
    outgoing, incoming, oldest_kept, kept, unanswered, generation = values
    owner = StoreOwner(environment=environment, product=product, sender_comp_id=sender, target_comp_id=target)
    return owner, Numbers(outgoing, incoming, oldest_kept, kept, bool(unanswered), generation)


def earlier_key_row(owner: StoreOwner, numbers: Numbers) -> Row:
    """Return the row of table `earlier_key`."""
    reset = int(numbers.reset_unanswered)
    return _with_checksum(
        (owner.sender_comp_id, numbers.next_outgoing, numbers.next_incoming, reset, numbers.generation)
    )


def numbers_of_earlier_key(row: Row | None) -> Numbers:
    """Return the numbers of an earlier key of the store. Messages sent with that key are not kept. Without a
    row, return the initial numbers.

    Raises:
        DamagedRowError: the checksum of the row is wrong.
    """
    if row is None:
        return Numbers()
    _, outgoing, incoming, unanswered, generation = _without_checksum(row)
    return Numbers(
        outgoing,
        incoming,
        oldest_kept=outgoing,
        reset_unanswered=bool(unanswered),
        generation=generation,
    )


def _checksum(values: Row) -> int:
    # `repr` distinguishes 1, "1" and b"1". The text that it returns is part of the layout: if it changed,
    # every old row would look damaged.
    return zlib.crc32(repr(values).encode())


def _with_checksum(values: Row) -> Row:
    return (*values, _checksum(values))


def _without_checksum(row: Row) -> Row:
    """Return the values of a row, after verifying its checksum."""
    *values, checksum = row
    if not isinstance(checksum, int) or checksum != _checksum(tuple(values)):
        raise DamagedRowError("a checksum is wrong")
    return tuple(values)
