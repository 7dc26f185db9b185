"""The fields of a message from a log, and its problems. The CompIDs in the message determine which rules
apply.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

import attrs

from kalshi_fix_adapters.logs.dates import DatedDecoder
from kalshi_fix_adapters.logs.entries import LogEntry
from kalshi_fix_adapters.logs.reader import LoggedMessage
from kalshi_fix_sansio import PRODUCTS, SESSION_TYPES
from kalshi_fix_sansio.codec import Codec, FieldNode, Inspection
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.dialect.layout import MessageContext, MessageLayout, Sender
from kalshi_fix_sansio.dialect.problems import Problem, Reason
from kalshi_fix_sansio.errors import DecodeError
from kalshi_fix_sansio.framing import encode_frame
from kalshi_fix_sansio.validation import Check, presence_checker

MAX_CACHED_CHECKS: Final = 4096
"""Maximum number of cached results of `_all_checks`: one for each message type, sender and target."""
SENDER_COMP_ID, TARGET_COMP_ID = 49, 56
VENUE_IDS: Final = frozenset(comp_id for kind in SESSION_TYPES.values() for comp_id in kind.comp_ids)
"""The CompIDs of Kalshi as a sender."""

_Context = tuple[str, str, Sender]
"""Product, session type and sender."""


@attrs.frozen
class Explanation:
    """The fields and the problems of one message in a log."""

    line: int
    inspection: Inspection
    problems: tuple[str, ...]

    @property
    def name(self) -> str | None:
        """The name of the message; None if its MsgType is unknown or missing."""
        return None if self.inspection.layout is None else self.inspection.layout.name


def valid_message(logged: LoggedMessage, decoder: DatedDecoder) -> Message | None:
    """Return the message if a fast check finds no problem. Otherwise return None; use `explain` instead."""
    if logged.truncated:
        return None
    try:
        message, problems = decoder.check(logged.frame)
    except DecodeError:
        return None
    if problems:
        return None
    header = message.header
    ids = _venue_ids(header.sender_comp_id, header.target_comp_id)
    all_checks = _all_checks(decoder.codec, message.MSG_TYPE, *ids)
    # The message may have been sent on any of several sessions. A missing field is not a problem if the
    # message has all fields that one of these sessions requires.
    if not all_checks or any(not _missing_fields(message, checks) for checks in all_checks):
        return message
    return None


def explain(logged: LoggedMessage | LogEntry, decoder: DatedDecoder) -> Explanation:
    """Parse a message and collect all its problems.

    A field that is required everywhere is always checked. A field that is only required on some session
    types, or only from the client or the venue, is checked if the CompIDs identify the session type and the
    sender. The CompIDs do not identify the product, so a missing field is only reported if both products
    require it.
    """
    decoder.select(logged.frame)
    codec = decoder.codec
    inspection = codec.inspect(logged.frame)
    missing = {p.tag for p in inspection.problems if p.reason is Reason.REQUIRED_TAG_MISSING}
    # A missing BeginString, BodyLength, MsgType or CheckSum is only reported as missing, not also as out of
    # order.
    problems = [
        p for p in inspection.problems if p.reason is not Reason.TAG_OUT_OF_ORDER or p.tag not in missing
    ]
    tags_with_problems = {problem.tag for problem in problems}
    problems += [
        p for p in _required_but_missing(codec, logged.frame, inspection) if p.tag not in tags_with_problems
    ]
    texts = [str(problem) for problem in problems]
    if logged.truncated:
        texts.append(f"the message does not end within {len(logged.frame)} bytes; the rest is skipped")
    return Explanation(logged.line, inspection, tuple(texts))


def comp_ids(inspection: Inspection) -> tuple[str | None, str | None]:
    """Return SenderCompID (49) and TargetCompID (56); None if missing."""
    return header_text(inspection, SENDER_COMP_ID), header_text(inspection, TARGET_COMP_ID)


def header_text(inspection: Inspection, tag: int) -> str | None:
    """Return the value of a header field; None if it is missing."""
    fields = (node for node in inspection.header if isinstance(node, FieldNode))
    return next((field.text for field in fields if field.tag == tag), None)


def _required_but_missing(codec: Codec, frame: bytes, inspection: Inspection) -> Iterator[Problem]:
    """Yield the missing fields that are required on every session on which the message may have been sent."""
    layout = inspection.layout
    if layout is None:
        return
    all_checks = _all_checks(codec, layout.msg_type, *_venue_ids(*comp_ids(inspection)))
    message = _decode_leniently(codec, frame) if all_checks else None
    if message is None:
        return
    first, *others = (_missing_fields(message, checks) for checks in all_checks)
    for problem in first:
        if all(problem in other for other in others):
            yield problem


_Checks = tuple[Check, Check]
"""The checks of a message and of its header."""


def _venue_ids(sender_id: str | None, target_id: str | None) -> tuple[str | None, str | None]:
    """Return the CompIDs of Kalshi, and None for others, so that the cached checks do not keep the CompIDs of
    a log.
    """
    venue_sender = sender_id if sender_id in VENUE_IDS else None
    return venue_sender, target_id if target_id in SESSION_TYPES else None


@lru_cache(MAX_CACHED_CHECKS)
def _all_checks(
    codec: Codec, msg_type: str, sender_id: str | None, target_id: str | None
) -> tuple[_Checks, ...]:
    """Return the checks of a message type, one pair for each session on which the message may have been
    sent.
    """
    layout = codec.dialect.messages[msg_type]
    return tuple(
        (
            presence_checker(layout.body, MessageContext(product, session, sender, msg_type)),
            presence_checker(codec.dialect.header, MessageContext(product, session, sender, "")),
        )
        for product, session, sender in _contexts(layout, sender_id, target_id)
    )


def _contexts(layout: MessageLayout, sender_id: str | None, target_id: str | None) -> Iterator[_Context]:
    """Yield the contexts in which a message may have been sent, if its CompIDs belong to Kalshi."""
    if target_id is not None and target_id in SESSION_TYPES:
        sessions, sender = [target_id], Sender.CLIENT
    else:
        sessions = [name for name, kind in SESSION_TYPES.items() if sender_id in kind.comp_ids]
        sender = Sender.VENUE
    for session in sessions:
        for product in PRODUCTS:
            if product in SESSION_TYPES[session].products and layout.allowed(product, session, sender):
                yield product, session, sender


def _decode_leniently(codec: Codec, frame: bytes) -> Message | None:
    """Decode a message whose BodyLength and CheckSum may be wrong or missing; None if this fails."""
    fields = frame.split(b"\x01")[1:-1]
    if fields and fields[0].startswith(b"9="):
        del fields[0]
    if fields and fields[-1].startswith(b"10="):
        del fields[-1]
    try:
        body = b"".join(field + b"\x01" for field in fields)
        return codec.decode(encode_frame(codec.dialect.begin_string, body))
    except DecodeError:
        return None


def _missing_fields(message: Message, checks: _Checks) -> list[Problem]:
    check, check_header = checks
    problems = check_header(message.header) + check(message)
    return [problem for problem in problems if problem.reason is Reason.REQUIRED_TAG_MISSING]
