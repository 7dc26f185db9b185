"""Why a logon did not succeed, and what to do about it, from the venue's Text (58).

The Texts are those of Kalshi's pages "Authentication & Sessions" and "Error handling" and what its
gateways were seen to send. Time cures only a few of them; the rest must not be tried again as it is.
"""

from __future__ import annotations

import re

import attrs

from kalshi_fix_adapters.errors import AdapterError, LogonFailedError, LogonRefusedError
from kalshi_fix_sansio.events import CloseReason, SessionEnded


@attrs.frozen
class _Advice:
    """What a Text means."""

    pattern: re.Pattern[str]
    advice: str
    retryable: bool = False


def _on(pattern: str, advice: str, *, retryable: bool = False) -> _Advice:
    return _Advice(re.compile(pattern, re.IGNORECASE), advice, retryable)


_ADVICE = (
    _on(
        "already exists",
        "another connection uses this API key: end it, wait up to a minute for a dead one to expire, or use "
        "a key of its own for each connection",
        retryable=True,
    ),
    _on("busy|rate limit|too many", "wait a little longer before every further try", retryable=True),
    _on(
        "sending ?time|clock",
        "set this machine's clock; it may be off by 30 seconds at most",
    ),
    _on(
        "signature|rawdata|verif",
        "check that the private key belongs to this API key id, and both of this product and environment",
    ),
    _on(
        "unknown.*key|key.*(unknown|not found|invalid)|sendercompid",
        "check the API key id, and that it is of this product and environment",
    ),
    _on("targetcompid", "connect to the port of the session type (TargetCompID) that you log on to"),
    _on("resetseqnum", "this session type restarts its numbers at every logon; send ResetSeqNumFlag=Y"),
    _on("heartbt|heartbeat", "choose another heartbeat interval; 30 seconds is usual"),
    _on(
        "usage level|permission|not allowed|not authorized|not permitted|scope",
        "ask the venue to allow this API key FIX access to this session type",
    ),
)


def explain_refusal(text: str) -> tuple[str, bool]:
    """Return what to do about the Text of a refused logon, and whether time alone can cure it."""
    for known in _ADVICE:
        if known.pattern.search(text):
            return known.advice, known.retryable
    return "see what the venue says, and check API key, product, environment and session type", False


def logon_error(ended: SessionEnded, peer: str) -> AdapterError:
    """Return the error for a session that ended before it was logged on."""
    if ended.reason is CloseReason.LOGON_REFUSED:
        advice, retryable = explain_refusal(ended.text)
        return LogonRefusedError(ended.text, advice, retryable=retryable)
    if ended.reason is CloseReason.LOGON_TIMEOUT:
        return LogonFailedError(
            f"{peer} did not answer the Logon in time; check that it is a FIX gateway, or allow more time"
        )
    if ended.reason is CloseReason.CONNECTION_LOST:
        return LogonFailedError(
            f"{peer} closed the connection before it answered the Logon; check product, environment and "
            "session type, and whether it is in maintenance (Thursdays 03:00 to 05:00 ET)"
        )
    return LogonFailedError(f"the logon to {peer} failed: {ended.text}; check that it is the venue's gateway")
