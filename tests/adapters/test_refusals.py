from __future__ import annotations

import pytest

from kalshi_fix_adapters.errors import LogonFailedError, LogonRefusedError
from kalshi_fix_adapters.refusals import explain_refusal, logon_error
from kalshi_fix_sansio.events import CloseReason, SessionEnded


@pytest.mark.parametrize(
    ("text", "advice", "retryable"),
    [
        ("Signature verification failed", "private key belongs to this API key", False),
        ("session already exists", "another connection uses this API key", True),
        ("Invalid TargetCompID", "port of the session type", False),
        ("API usage level is not allowed for FIX", "ask the venue to allow", False),
        ("rate limit exceeded", "wait", True),
        ("FIX logon service busy; retry with backoff", "wait", True),
        ("SendingTime accuracy problem", "clock", False),
        ("ResetSeqNumFlag must be Y", "ResetSeqNumFlag=Y", False),
        ("HeartBtInt out of range", "heartbeat interval", False),
        ("something new", "see what the venue says", False),
        ("", "see what the venue says", False),
    ],
)
def test_known_texts_have_advice(text: str, advice: str, retryable: bool) -> None:
    found, cured_by_time = explain_refusal(text)
    assert advice in found
    assert cured_by_time is retryable


def ended(reason: CloseReason, text: str = "text of the venue") -> SessionEnded:
    return SessionEnded(reason, text, clean=False)


def test_a_refusal_keeps_the_text_of_the_venue() -> None:
    error = logon_error(ended(CloseReason.LOGON_REFUSED, "rate limit exceeded"), "host:1")
    assert isinstance(error, LogonRefusedError)
    assert (error.text, error.retryable) == ("rate limit exceeded", True)
    assert str(error).startswith("the venue refused the logon: rate limit exceeded; wait")


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (CloseReason.LOGON_TIMEOUT, "host:1 did not answer the Logon in time"),
        (CloseReason.CONNECTION_LOST, "host:1 closed the connection before it answered"),
        (CloseReason.PROTOCOL_ERROR, "text of the venue"),
    ],
)
def test_other_ends_say_what_happened(reason: CloseReason, said: str) -> None:
    error = logon_error(ended(reason), "host:1")
    assert isinstance(error, LogonFailedError)
    assert said in str(error)
