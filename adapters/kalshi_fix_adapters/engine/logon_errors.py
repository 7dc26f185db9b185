"""The reason why a logon failed, and the remedy, according to the venue's Text (58).

The dialect defines the meaning of a Text (`REFUSALS`); this module adds the remedies. If the meaning of a
Text is unknown, the client tries again, up to `ReconnectPolicy.unclear_attempts` times.
"""

from __future__ import annotations

import re

from kalshi_fix_adapters import errors
from kalshi_fix_adapters.config.reconnect import Maintenance, Resolution
from kalshi_fix_sansio import REFUSALS
from kalshi_fix_sansio.dialect.layout import Refusal
from kalshi_fix_sansio.errors import KalshiFixError
from kalshi_fix_sansio.events import CloseReason, SessionEnded

RESET_ADVICE = (
    "the two sides disagree about the sequence numbers, and waiting does not help: open the client once with "
    "reset_seq_num=True, and look up missed reports via drop copy or REST"
)
WRONG_SEQUENCE_NUMBER = "SequenceNumber"
"""Name of the refusal for wrong sequence numbers."""
ALREADY_CONNECTED = "SessionExists"
"""Name of the refusal for an API key that already has a connection."""

_ADVICE = {
    "Signature": "check that the private key belongs to this API key id, and that both are for this product "
    "and environment",
    "ResetSeqNumFlag": "this session type restarts its sequence numbers at every logon; send "
    "ResetSeqNumFlag=Y",
    WRONG_SEQUENCE_NUMBER: RESET_ADVICE,
    "TargetCompID": "connect to the port of the session type (TargetCompID) that you log on to",
    "ApiKey": "check the API key id, and that it belongs to this product and environment",
    "Permission": "ask the venue to give this API key FIX access to this session type",
    "HeartBtInt": "choose another heartbeat interval; 30 seconds is usual",
    "SendingTime": "correct this machine's clock",
    ALREADY_CONNECTED: "another connection uses this API key: end it, wait up to a minute for the "
    "venue to drop a dead one, or use a separate key for each connection",
    "RateLimit": "wait a little longer before each attempt",
    "NotReady": "the venue is not ready; try again a little later",
}
_UNKNOWN_ADVICE = "see the venue's reason, and check the API key, product, environment and session type"

MAX_SEARCHED = 256
"""Maximum length of the searched part of a Text, in characters. A Text can be as long as a message, and
matching a pattern can take time quadratic in the length of the Text.
"""
_PATTERNS = [(refusal, re.compile(refusal.pattern, re.IGNORECASE)) for refusal in REFUSALS]


def _refusal(text: str) -> Refusal | None:
    """Return the meaning of a Text; None if it is unknown."""
    # The first match counts. The spec lists permanent reasons before temporary ones, so that "Invalid
    # signature, please try again" is not retried forever.
    return next((refusal for refusal, pattern in _PATTERNS if pattern.search(text, 0, MAX_SEARCHED)), None)


def explain_refusal(text: str) -> tuple[str, Resolution]:
    """Return the advice for the Text of a refused logon, and the condition under which a later logon can
    succeed.
    """
    refusal = _refusal(text)
    if refusal is None:
        return _UNKNOWN_ADVICE, Resolution.UNCLEAR
    return _ADVICE[refusal.name], Resolution(refusal.resolution)


def _is_about(error: KalshiFixError, name: str) -> bool:
    refusal = _refusal(error.text) if isinstance(error, errors.LogonRefusedError) else None
    return refusal is not None and refusal.name == name


def logon_error(ended: SessionEnded, peer: str) -> errors.AdapterError:
    """Return the error for a session that ended before it was logged on."""
    if ended.reason is CloseReason.LOGON_REFUSED:
        advice, resolution = explain_refusal(ended.text)
        return errors.LogonRefusedError(ended.text, advice, retryable=resolution is Resolution.TIME)
    if ended.reason is CloseReason.LOGON_TIMEOUT:
        text = f"{peer} did not answer the Logon in time; check that it is a FIX gateway, or allow more time"
    elif ended.reason is CloseReason.CONNECTION_LOST:
        text = (
            f"{peer} closed the connection before it answered the Logon; check the product, environment and "
            f"session type, and whether the venue is in maintenance ({Maintenance()})"
        )
    elif ended.reason is CloseReason.SEQUENCE_TOO_LOW:
        text = f"the logon to {peer} failed: {ended.text}; {RESET_ADVICE}"
    else:
        text = f"the logon to {peer} failed: {ended.text}; check that it is the venue's gateway"
    return errors.LogonFailedError(text, ended)


_RESOLUTIONS = {
    CloseReason.LOGON_TIMEOUT: Resolution.TIME,
    CloseReason.CONNECTION_LOST: Resolution.TIME,
    CloseReason.LOGGED_OUT: Resolution.TIME,
    CloseReason.SEQUENCE_TOO_LOW: Resolution.ACTION,
    CloseReason.STORE_FAILED: Resolution.ACTION,
}
"""The condition under which the next attempt can succeed, by the reason why a session ended before it was
logged on.
"""


def resolution_of(error: KalshiFixError) -> Resolution:
    """Return the condition under which the next attempt can succeed after one that failed with this error."""
    match error:
        case errors.LogonRefusedError():
            return explain_refusal(error.text)[1]
        case errors.LogonFailedError() if error.ended is not None:
            return _RESOLUTIONS.get(error.ended.reason, Resolution.UNCLEAR)
        # Matched before ConnectionFailedError, which is a base class of CertificateRejectedError.
        case errors.CertificateRejectedError() | errors.SigningError():
            return Resolution.UNCLEAR
        case errors.SessionClosedError() if error.ended is not None:
            needs_action = error.ended.advice or error.ended.reason is CloseReason.STORE_FAILED
            return Resolution.ACTION if needs_action else Resolution.TIME
        case errors.ConnectionFailedError():
            return Resolution.TIME
        case _:
            return Resolution.ACTION


def is_already_connected(error: KalshiFixError) -> bool:
    """Return whether the venue refused the logon because another connection uses the same API key."""
    return _is_about(error, ALREADY_CONNECTED)


def is_sequence_number_error(error: KalshiFixError) -> bool:
    """Return whether the logon failed because the two sides disagree about their sequence numbers."""
    if isinstance(error, errors.LogonFailedError):
        return error.ended is not None and error.ended.reason is CloseReason.SEQUENCE_TOO_LOW
    return _is_about(error, WRONG_SEQUENCE_NUMBER)
