"""Why a logon did not succeed, and what to do about it, from the venue's Text (58).

The Texts are those of Kalshi's pages "Authentication & Sessions" and "Error handling" and what its
gateways were seen to send, and words that others of the kind would use. Time cures only a few of them; what
nobody has a word for is tried again some times (`ReconnectPolicy.unclear_attempts`).
"""

from __future__ import annotations

import re

import attrs

from kalshi_fix_adapters.errors import (
    AdapterError,
    CertificateRejectedError,
    ConnectionFailedError,
    LogonFailedError,
    LogonRefusedError,
    SessionClosedError,
    SigningError,
)
from kalshi_fix_adapters.reconnect import Cure
from kalshi_fix_sansio.errors import KalshiFixError
from kalshi_fix_sansio.events import CloseReason, SessionEnded

RESET_ADVICE = (
    "the two sides disagree about their numbers, which time does not cure: open the client once with "
    "reset_seq_num=True, and ask drop copy (or REST) for what was missed"
)


@attrs.frozen
class _Advice:
    """What a Text means."""

    pattern: re.Pattern[str]
    advice: str
    cure: Cure


def _on(pattern: str, advice: str, cure: Cure = Cure.ACTION) -> _Advice:
    return _Advice(re.compile(pattern, re.IGNORECASE), advice, cure)


_ALREADY_EXISTS = "already exists"

# The first that fits decides, so permanent reasons stand before temporary ones: a signature that is invalid
# stays so, even if the Text asks to try again.
_ADVICE = (
    _on(
        "signature|rawdata|verif",
        "check that the private key belongs to this API key id, and both of this product and environment",
    ),
    _on("resetseqnum", "this session type restarts its numbers at every logon; send ResetSeqNumFlag=Y"),
    _on("seq(uence)?[ _]?num|sequence|nextexpected", RESET_ADVICE),
    _on("targetcompid", "connect to the port of the session type (TargetCompID) that you log on to"),
    _on(
        "(unknown|invalid).*key|key.*(unknown|not found|invalid|expired|revoked)|sendercompid",
        "check the API key id, and that it is of this product and environment",
    ),
    _on(
        "usage level|permission|denied|not allowed|not permitted|authoriz|scope|locked|disabled|suspended",
        "ask the venue to allow this API key FIX access to this session type",
    ),
    _on("heartbt|heartbeat", "choose another heartbeat interval; 30 seconds is usual"),
    _on(
        "sending ?time|clock",
        "set this machine's clock; it may be off by 30 seconds at most",
        Cure.UNCLEAR,  # a machine that has just woken up sets it by itself
    ),
    _on(
        _ALREADY_EXISTS,
        "another connection uses this API key: end it, wait up to a minute for a dead one to expire, or use "
        "a key of its own for each connection",
        Cure.TIME,
    ),
    _on("busy|rate limit|too many", "wait a little longer before every further try", Cure.TIME),
    _on(
        "maintenance|unavailable|try again|shutting down",
        "the venue is not ready for anybody; try again a little later",
        Cure.TIME,
    ),
)


_UNKNOWN = "see what the venue says, and check API key, product, environment and session type"


def explain_refusal(text: str) -> tuple[str, Cure]:
    """Return what to do about the Text of a refused logon, and what cures it."""
    for known in _ADVICE:
        if known.pattern.search(text):
            return known.advice, known.cure
    return _UNKNOWN, Cure.UNCLEAR


def logon_error(ended: SessionEnded, peer: str) -> AdapterError:
    """Return the error for a session that ended before it was logged on."""
    if ended.reason is CloseReason.LOGON_REFUSED:
        advice, cure = explain_refusal(ended.text)
        return LogonRefusedError(ended.text, advice, retryable=cure is Cure.TIME)
    if ended.reason is CloseReason.LOGON_TIMEOUT:
        text = f"{peer} did not answer the Logon in time; check that it is a FIX gateway, or allow more time"
    elif ended.reason is CloseReason.CONNECTION_LOST:
        text = (
            f"{peer} closed the connection before it answered the Logon; check product, environment and "
            "session type, and whether it is in maintenance (Thursdays 03:00 to 05:00 ET)"
        )
    elif ended.reason is CloseReason.SEQUENCE_TOO_LOW:
        text = f"the logon to {peer} failed: {ended.text}; {RESET_ADVICE}"
    else:
        text = f"the logon to {peer} failed: {ended.text}; check that it is the venue's gateway"
    return LogonFailedError(text, ended)


_CURES = {
    CloseReason.LOGON_TIMEOUT: Cure.TIME,
    CloseReason.CONNECTION_LOST: Cure.TIME,
    CloseReason.LOGGED_OUT: Cure.TIME,
    CloseReason.SEQUENCE_TOO_LOW: Cure.ACTION,
    CloseReason.STORE_FAILED: Cure.ACTION,
}
"""Of what ends a session before it is logged on."""


def cure_of(error: KalshiFixError) -> Cure:
    """Say what would make the next attempt succeed after one that failed so."""
    match error:
        case LogonRefusedError():
            return explain_refusal(error.text)[1]
        case LogonFailedError() if error.ended is not None:
            return _CURES.get(error.ended.reason, Cure.UNCLEAR)
        case CertificateRejectedError() | SigningError():
            return Cure.UNCLEAR
        case SessionClosedError() if error.ended is not None:
            lasting = error.ended.advice or error.ended.reason is CloseReason.STORE_FAILED
            return Cure.ACTION if lasting else Cure.TIME
        case ConnectionFailedError():
            return Cure.TIME
        case _:
            return Cure.ACTION


def is_already_connected(error: KalshiFixError) -> bool:
    """Say whether the venue still knows another connection of the same API key."""
    return isinstance(error, LogonRefusedError) and _ALREADY_EXISTS in error.text.lower()


def is_about_numbers(error: KalshiFixError) -> bool:
    """Say whether the two sides disagree about their sequence numbers."""
    if isinstance(error, LogonFailedError):
        return error.ended is not None and error.ended.reason is CloseReason.SEQUENCE_TOO_LOW
    return isinstance(error, LogonRefusedError) and error.advice == RESET_ADVICE
