"""The rules about an incoming MsgSeqNum (34), for every message but SequenceReset-Reset and a resetting
Logon.

FIXT 1.1 session layer, "Sequence numbers" and "Possible duplicates".
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from kalshi_fix_sansio.errors import StoreError
from kalshi_fix_sansio.scalars import MAX_INT_DIGITS

LAST_NUMBER: Final = 10**MAX_INT_DIGITS - 1
"""The largest MsgSeqNum that can be written and read here; after it, the numbers have to be reset."""


class Verdict(Enum):
    """What an incoming number means."""

    EXPECTED = "expected"
    """The next one: the message is processed and the number advances."""
    TOO_HIGH = "too high"
    """Something is missing before it: see `recovery`."""
    TOO_LOW = "too low"
    """Used before, and not marked as a possible duplicate: the session cannot go on (Logout, end)."""
    DUPLICATE = "duplicate"
    """Used before and marked PossDupFlag=Y: received already, so it is checked and then ignored."""


def judge(seq_num: int, expected: int, *, poss_dup: bool) -> Verdict:
    """Say what an incoming MsgSeqNum means when `expected` is the next one.

    PossDupFlag matters only below it: a message that is resent into a gap carries it, and is new here.
    """
    if seq_num == expected:
        return Verdict.EXPECTED
    if seq_num > expected:
        return Verdict.TOO_HIGH
    return Verdict.DUPLICATE if poss_dup else Verdict.TOO_LOW


def usable(number: int) -> int:
    """Return a number that is about to be taken. Raises StoreError when all are used up."""
    if number > LAST_NUMBER:
        raise StoreError(used_up_text())
    return number


def used_up_text() -> str:
    """Return why no session can go on from the largest number."""
    return f"the sequence numbers end at {LAST_NUMBER}: log on with ResetSeqNumFlag=Y"


def too_low_text(seq_num: int, expected: int) -> str:
    """Return the Text (58) of the Logout that answers a number too low."""
    return f"MsgSeqNum too low, expecting {expected} but received {seq_num}"


def too_high_text(seq_num: int, expected: int) -> str:
    """Return the Text (58) of the Logout that answers a gap which cannot be repaired."""
    return f"MsgSeqNum too high, expecting {expected} but received {seq_num}, and this session has no resend"
