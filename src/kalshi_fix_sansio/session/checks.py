"""What the header of an incoming message must satisfy, whatever its type.

FIXT 1.1 session layer, "Message validation": a failed check is answered by a Reject (3) with the
SessionRejectReason (373) returned here, and for CompIDs and SendingTime by a Logout after it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.config import SessionConfig
from kalshi_fix_sansio.problems import Problem, Reason

SENDER_COMP_ID, TARGET_COMP_ID, SENDING_TIME, ORIG_SENDING_TIME = 49, 56, 52, 122


def comp_id_problem(header: Any, config: SessionConfig, peer_comp_id: str | None) -> Problem | None:
    """Check SenderCompID (49) and TargetCompID (56): the peer's accepted name, and this side's own.

    `peer_comp_id` is the name that the peer logged on with, None before that.
    """
    accepted = config.accepted_sender_comp_ids if peer_comp_id is None else frozenset((peer_comp_id,))
    if header.sender_comp_id is None or (accepted and header.sender_comp_id not in accepted):
        return Problem(Reason.COMP_ID_PROBLEM, "Invalid SenderCompID", SENDER_COMP_ID)
    if header.target_comp_id != config.sender_comp_id:
        return Problem(Reason.COMP_ID_PROBLEM, "Invalid TargetCompID", TARGET_COMP_ID)
    return None


def sending_time_problem(
    header: Any, config: SessionConfig, now: Instant, delay: float = 0.0
) -> Problem | None:
    """Check that SendingTime (52) is close to the wall clock.

    `delay` is how many seconds the message may have waited here unread. A time that could not be read is the
    decoder's finding.
    """
    if config.sending_time_tolerance is None or header.sending_time is None:
        return None
    if abs(header.sending_time - now.utc) <= timedelta(seconds=config.sending_time_tolerance + delay):
        return None
    return Problem(
        Reason.SENDING_TIME_ACCURACY,
        f"SendingTime is more than {config.sending_time_tolerance:g} seconds off",
        SENDING_TIME,
    )


def poss_dup_problem(header: Any) -> Problem | None:
    """Check that a possible duplicate says when it was first sent: OrigSendingTime (122), not after
    SendingTime."""
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
