"""NextExpectedMsgSeqNum (789) of a Logon: each side says what it expects, and the other resends the rest.

FIXT 1.1 session layer, "Using NextExpectedMsgSeqNum to facilitate message recovery". An initiator offers it
where its SessionConfig says so; an acceptor answers an offer with its own. Beside ResetSeqNumFlag it can only
be 1 in the Logon that asks and 2 in the one that answers, as QuickFIX/J has it, and there is nothing to
resend. On a session type without resend it means nothing.
"""

from __future__ import annotations

from typing import Any

from kalshi_fix_sansio.config import NEXT_EXPECTED, SessionConfig


def next_expected_of(logon: Any, config: SessionConfig) -> int | None:
    """Return the number that the peer expects next, if its Logon says it and it counts here."""
    if not config.session_type.resend:
        return None
    number: int | None = getattr(logon, NEXT_EXPECTED, None)
    return number


def next_expected_text(offered: int, least: int) -> str:
    """Say that the peer expects a number that was never sent."""
    return f"NextExpectedMsgSeqNum {offered} is too high, expected {least} at most"
