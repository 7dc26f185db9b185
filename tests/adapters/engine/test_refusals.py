from __future__ import annotations

import pytest

from kalshi_fix_adapters.config.reconnect import Resolution
from kalshi_fix_adapters.engine.logon_errors import _ADVICE, MAX_SEARCHED, explain_refusal, logon_error
from kalshi_fix_adapters.errors import LogonFailedError, LogonRefusedError
from kalshi_fix_sansio import REFUSALS
from kalshi_fix_sansio.dialect.layout import Refusal
from kalshi_fix_sansio.events import CloseReason, SessionEnded


@pytest.mark.parametrize(
    ("text", "advice", "resolution"),
    [
        ("Signature verification failed", "private key belongs to this API key", Resolution.ACTION),
        ("session already exists", "another connection uses this API key", Resolution.TIME),
        ("Invalid TargetCompID", "port of the session type", Resolution.ACTION),
        ("API usage level is not allowed for FIX", "ask the venue to give", Resolution.ACTION),
        ("rate limit exceeded", "wait", Resolution.TIME),
        ("FIX logon service busy; retry with backoff", "wait", Resolution.TIME),
        ("The exchange is down for maintenance", "the venue is not ready", Resolution.TIME),
        ("Service temporarily unavailable, try again", "the venue is not ready", Resolution.TIME),
        ("SendingTime accuracy problem", "clock", Resolution.UNCLEAR),
        ("ResetSeqNumFlag must be Y", "ResetSeqNumFlag=Y", Resolution.ACTION),
        ("HeartBtInt out of range", "heartbeat interval", Resolution.ACTION),
        ("something new", "see the venue's reason", Resolution.UNCLEAR),
        ("MsgSeqNum too low, expecting 5 but received 2", "reset_seq_num=True", Resolution.ACTION),
        ("", "see the venue's reason", Resolution.UNCLEAR),
        ("Internal error", "see the venue's reason", Resolution.UNCLEAR),
        ("Gateway restarting", "see the venue's reason", Resolution.UNCLEAR),
        ("Server shutting down", "the venue is not ready", Resolution.TIME),
        # permanent, whatever else the text contains
        ("Invalid signature, please try again", "private key belongs to this API key", Resolution.ACTION),
        ("Signature verification failed: service unavailable for this key", "private key", Resolution.ACTION),
        ("permission denied: too many sessions not allowed", "ask the venue to give", Resolution.ACTION),
        ("account locked: too many failed attempts", "ask the venue to give", Resolution.ACTION),
        ("Key not found, try again later", "check the API key id", Resolution.ACTION),
        ("API key revoked", "check the API key id", Resolution.ACTION),
        ("Sequence number too low", "reset_seq_num=True", Resolution.ACTION),
        ("NextExpectedMsgSeqNum too high", "reset_seq_num=True", Resolution.ACTION),
    ],
)
def test_known_texts_have_advice(text: str, advice: str, resolution: Resolution) -> None:
    found, found_resolution = explain_refusal(text)
    assert advice in found
    assert found_resolution is resolution


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda value: value.name)
def test_every_reason_in_the_spec_has_specific_advice(refusal: Refusal) -> None:
    assert set(_ADVICE) == {item.name for item in REFUSALS}
    assert list(_ADVICE.values()).count(_ADVICE[refusal.name]) == 1
    assert Resolution(refusal.resolution) in {Resolution.ACTION, Resolution.TIME, Resolution.UNCLEAR}


def test_permanent_reasons_are_matched_before_temporary_ones() -> None:
    resolutions = [refusal.resolution for refusal in REFUSALS]
    assert resolutions == sorted(resolutions, key=lambda resolution: resolution == "time")
    assert {"action", "time"} < set(resolutions)


def test_only_the_beginning_of_a_long_text_is_matched() -> None:
    """Some patterns take quadratic time: 40 KB of these words took half a minute."""
    assert explain_refusal("key " * 100_000)[1] is Resolution.UNCLEAR
    assert explain_refusal("x" * (MAX_SEARCHED - 4) + "busy" + "y" * 100_000)[1] is Resolution.TIME
    assert explain_refusal("x" * (MAX_SEARCHED - 3) + "busy")[1] is Resolution.UNCLEAR


def ended(reason: CloseReason, text: str = "text from the venue") -> SessionEnded:
    return SessionEnded(reason, text, clean=False)


def test_a_refusal_keeps_the_text_from_the_venue() -> None:
    error = logon_error(ended(CloseReason.LOGON_REFUSED, "rate limit exceeded"), "host:1")
    assert isinstance(error, LogonRefusedError)
    assert (error.text, error.retryable) == ("rate limit exceeded", True)
    assert str(error).startswith("the venue refused the logon: rate limit exceeded; wait")


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (CloseReason.LOGON_TIMEOUT, "host:1 did not answer the Logon in time"),
        (CloseReason.CONNECTION_LOST, "host:1 closed the connection before it answered"),
        (CloseReason.PROTOCOL_ERROR, "text from the venue"),
    ],
)
def test_the_error_for_another_cause_names_the_cause(reason: CloseReason, text: str) -> None:
    error = logon_error(ended(reason), "host:1")
    assert isinstance(error, LogonFailedError)
    assert text in str(error)
