"""NextExpectedMsgSeqNum (789) of a Logon: each side says what it expects, and the other resends the rest.

FIXT 1.1 session layer, "Using NextExpectedMsgSeqNum to facilitate message recovery". An initiator offers it
where its SessionConfig says so; an acceptor answers an offer with its own. It means nothing beside
ResetSeqNumFlag, nor on a session type without resend.
"""

from __future__ import annotations

from typing import Any

from kalshi_fix_sansio.config import NEXT_EXPECTED, SessionConfig


def next_expected_of(logon: Any, config: SessionConfig) -> int | None:
    """Return the number that the peer expects next, if its Logon says it and it counts here."""
    if not config.session_type.resend or logon.reset_seq_num_flag is True:
        return None
    number: int | None = getattr(logon, NEXT_EXPECTED, None)
    return number


def next_expected_text(offered: int, least: int) -> str:
    """Say that the peer expects a number that was never sent."""
    return f"NextExpectedMsgSeqNum {offered} is too high, expected {least} at most"
