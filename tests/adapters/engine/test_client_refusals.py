"""A client whose session refuses messages from the venue loses none of them, and does not reconnect
endlessly."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from kalshi_fix_adapters.config.reconnect import ReconnectPolicy
from kalshi_fix_adapters.errors import SessionClosedError
from kalshi_fix_adapters.events import Disconnected, GaveUp
from kalshi_fix_sansio.events import MessageRejected
from tests.adapters.engine.stage import Stage, only, open_stage, plan, report
from tests.helpers import raw

START = b"8=FIXT.1.1\x01"


def change_field(tag: int, value: str) -> Callable[[bytes], bytes]:
    """Return a function that changes a header field of reports and nothing else."""

    def change(data: bytes) -> bytes:
        frames = [frame.decode("latin-1").split("\x01") for frame in data.split(START)[1:]]
        result = b""
        for fields in frames:
            body = [f for f in fields if f and not f.startswith(("9=", "10="))]
            if "35=8" in body:
                body = [f"{tag}={value}" if f.startswith(f"{tag}=") else f for f in body]
            result += raw("|".join(body))
        return result

    return change


def reconnecting() -> Stage:
    return open_stage(plan("KalshiRT", reconnect=ReconnectPolicy()))


@pytest.mark.parametrize(("tag", "value"), [(52, "20260821-14:00:00"), (49, "Mallory")])
def test_a_fill_refused_once_is_delivered_after_the_reconnect(tag: int, value: str) -> None:
    stage = reconnecting()
    stage.transform = change_field(tag, value)
    stage.venue_sends(report("a1"), report("a2"))
    events = stage.take()
    assert only(events, MessageRejected).will_be_resent
    stage.transform = bytes
    stage.advance(only(events, Disconnected).retry_in)
    assert stage.take_ids() == ["a1", "a2"]


@pytest.mark.parametrize("name", ["KalshiRT", "KalshiNR"])
@pytest.mark.parametrize(("monotonic", "utc"), [(33, 33), (0, 33), (7200, 7200)])
def test_fills_received_while_the_client_was_suspended_are_delivered(
    name: str, monotonic: float, utc: float
) -> None:
    """The event loop was busy, the process was stopped, or the computer was suspended."""
    stage = open_stage(plan(name, reconnect=ReconnectPolicy()))
    stage.mute = True
    stage.venue_sends(report("a1"), report("a2"))
    waiting = stage.venue.data_to_send()
    stage.clock.monotonic += monotonic
    stage.clock.utc += timedelta(seconds=utc)
    stage.core.tick()
    stage.core.receive(waiting)
    assert stage.take_ids() == ["a1", "a2"]
    assert stage.core.is_logged_on
    assert len(stage.attempts) == 1


def test_the_client_gives_up_with_advice_after_a_second_identical_refusal() -> None:
    stage = reconnecting()
    stage.transform = change_field(49, "Mallory")
    stage.venue_sends(report("a1"))
    stage.advance(only(stage.take(), Disconnected).retry_in)
    gave_up = only(stage.take(), GaveUp)
    assert "accepted_sender_comp_ids" in gave_up.reason
    assert "Invalid SenderCompID" in gave_up.reason
    assert isinstance(gave_up.error, SessionClosedError)
    assert stage.core.over
    stage.advance(3600)
    assert len(stage.attempts) == 2
