"""Checks of incoming messages: CompIDs, SendingTime, the dialect's rules, and MsgSeqNum (34).

The rules are in the FIXT 1.1 session layer, "Message validation", "Sequence numbers" and "Possible
duplicates". A failed check is answered with a Reject (3) that contains the SessionRejectReason (373) returned
here. If CompIDs or SendingTime are wrong, a Logout follows. The rules about MsgSeqNum apply to every message
except a SequenceReset-Reset and a Logon that resets the numbers.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from enum import Enum
from typing import Any, Final

from kalshi_fix_sansio.classes.lazy_dict import LazyDict
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.config import SessionConfig
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.dialect.layout import LogonFacts, MessageContext, MessageLayout
from kalshi_fix_sansio.dialect.problems import Problem, Reason
from kalshi_fix_sansio.errors import StoreError
from kalshi_fix_sansio.scalars import MAX_INT_DIGITS
from kalshi_fix_sansio.validation import Check, block_checker, checker

SENDER_COMP_ID, TARGET_COMP_ID, SENDING_TIME, ORIG_SENDING_TIME = 49, 56, 52, 122
DEFAULT_APPL_VER_ID = 1137
PeerRules = LazyDict[str, tuple[Check, Check]]
"""The checks of the header and of the body by MsgType, compiled for the first message of each type."""


def comp_id_problem(header: Any, config: SessionConfig, accepted: Collection[str]) -> Problem | None:
    """Check that the peer may use this SenderCompID (49), and that TargetCompID (56) is this side's CompID.

    If `accepted` is empty, any SenderCompID passes; an acceptor then learns the peer's CompID from its Logon.
    """
    if header.sender_comp_id is None or (accepted and header.sender_comp_id not in accepted):
        return Problem(Reason.COMP_ID_PROBLEM, "Invalid SenderCompID", SENDER_COMP_ID)
    if header.target_comp_id != config.sender_comp_id:
        return Problem(Reason.COMP_ID_PROBLEM, "Invalid TargetCompID", TARGET_COMP_ID)
    return None


def sending_time_problem(header: Any, config: SessionConfig, now: Instant) -> Problem | None:
    """Check that SendingTime (52) is close to the wall clock. A missing or unreadable SendingTime passes,
    because the decoder has already reported it in the problems of the message.
    """
    if config.sending_time_tolerance is None or header.sending_time is None:
        return None
    if abs(now.utc - header.sending_time) <= timedelta(seconds=config.sending_time_tolerance):
        return None
    return Problem(
        Reason.SENDING_TIME_ACCURACY,
        f"SendingTime is more than {config.sending_time_tolerance:g} seconds off",
        SENDING_TIME,
    )


def version_problem(logon: Message, config: SessionConfig) -> Problem | None:
    """Check that the DefaultApplVerID (1137) of a Logon is the dialect's version."""
    version: str | None = getattr(logon, "default_appl_ver_id", None)
    if version is None or version == config.dialect.appl_ver_id:
        return None
    text = f"DefaultApplVerID must be {config.dialect.appl_ver_id}, not {version}"
    return Problem(Reason.VALUE_INCORRECT, text, DEFAULT_APPL_VER_ID, version)


def poss_dup_problem(header: Any) -> Problem | None:
    """Check that a possible duplicate (PossDupFlag=Y) has an OrigSendingTime (122) that is not after its
    SendingTime.
    """
    if header.poss_dup_flag is not True:
        return None
    if header.orig_sending_time is None:
        return Problem(
            Reason.REQUIRED_TAG_MISSING, "OrigSendingTime is required with PossDupFlag=Y", ORIG_SENDING_TIME
        )
    if header.sending_time is not None and header.orig_sending_time > header.sending_time:
        return Problem(
            Reason.SENDING_TIME_ACCURACY, "OrigSendingTime is after SendingTime", ORIG_SENDING_TIME
        )
    return None


def peer_may_send(layout: MessageLayout, config: SessionConfig) -> bool:
    """Return whether the peer may send this type of message on this product and session type."""
    return layout.allowed(config.product, config.session_type.name, config.role.peer)


def rule_problems(message: Message, config: SessionConfig, rules: PeerRules) -> tuple[Problem, ...]:
    """Return the problems that strict decoding cannot find. These are violations of rules that depend on the
    product, the session type, the sender or the settings of the Logon, and of the rules for possible
    duplicates.

    The dialect must contain the type of the message.
    """
    header = message.header
    duplicate = poss_dup_problem(header)
    if duplicate is not None:
        return (duplicate,)
    layout = config.dialect.messages[header.msg_type]
    # There are no rules for a type that the peer may not send. The receiver rejects such messages.
    if not peer_may_send(layout, config):
        return ()
    check_header, check_body = rules[header.msg_type]
    return check_header(header) + check_body(message)


def peer_rules(config: SessionConfig, logon: LogonFacts | None) -> PeerRules:
    """Return the rules of a strict session for the peer's messages; `logon` contains the settings of the
    session's Logon.
    """

    def compile_rules(msg_type: str) -> tuple[Check, Check]:
        context = MessageContext(config.product, config.session_type.name, config.role.peer, msg_type, logon)
        dialect = config.dialect
        return block_checker(dialect.header, context), checker(dialect.messages[msg_type], context)

    return LazyDict(compile_rules)


LAST_NUMBER: Final = 10**MAX_INT_DIGITS - 1
"""Maximum MsgSeqNum. Once it has been used, the numbers must be reset."""


class Verdict(Enum):
    """The classification of an incoming MsgSeqNum."""

    EXPECTED = "expected"
    """The expected number: the message is processed, and the expected number advances."""
    TOO_HIGH = "too high"
    """Earlier messages are missing: see `recovery`."""
    TOO_LOW = "too low"
    """The number was used before, and the message does not have PossDupFlag=Y: a Logout ends the session."""
    DUPLICATE = "duplicate"
    """The number was used before, and the message has PossDupFlag=Y: it is checked and then ignored."""


def classify(seq_num: int, expected: int, *, poss_dup: bool) -> Verdict:
    """Classify an incoming MsgSeqNum; `expected` is the next expected number.

    PossDupFlag matters only for numbers below `expected`. Messages that fill a gap have it too, although
    this side has not received them before.
    """
    if seq_num == expected:
        return Verdict.EXPECTED
    if seq_num > expected:
        return Verdict.TOO_HIGH
    return Verdict.DUPLICATE if poss_dup else Verdict.TOO_LOW


def checked_number(number: int) -> int:
    """Return a number that is about to be used; raise StoreError if it exceeds the maximum."""
    if number > LAST_NUMBER:
        raise StoreError(used_up_text())
    return number


def used_up_text() -> str:
    """Return the error text for sequence numbers that have reached their maximum."""
    return f"the sequence numbers end at {LAST_NUMBER}: log on with ResetSeqNumFlag=Y"


def too_low_text(seq_num: int, expected: int) -> str:
    """Return the Text (58) of the Logout that answers a number that is too low."""
    return f"MsgSeqNum too low, expecting {expected} but received {seq_num}"


def too_high_text(seq_num: int, expected: int) -> str:
    """Return the Text (58) of the Logout that answers a gap which cannot be repaired."""
    numbers = f"expecting {expected} but received {seq_num}"
    return f"MsgSeqNum too high, {numbers}; this session does not support resends"
