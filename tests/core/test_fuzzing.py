"""`kalshi_fix_sansio.fuzzing` converts any bytes to events without an exception, always to the same events,
and produces every kind of event."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_fix_sansio import DIALECT
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_sansio.events import LoggedOn, MessageReceived, SessionEnded
from kalshi_fix_sansio.fuzzing import SEEDS, Choices, events, messages

KINDS = sorted(DIALECT.session_types)


@pytest.mark.parametrize("name", KINDS)
def test_the_seeds_produce_every_kind_of_event(name: str) -> None:
    reported = [event for data in SEEDS for event in events(data, name)]
    names = {type(event).__name__ for event in reported}
    assert {"LoggedOn", "SessionEnded", "GarbledReceived", "GapDetected"} <= names
    sent = {event.message.NAME for event in reported if isinstance(event, MessageReceived)}
    assert sent
    assert {message.NAME for data in SEEDS for message in messages(data, name)} >= sent


@given(st.binary(max_size=200), st.sampled_from(KINDS))
def test_the_same_bytes_give_the_same_events(data: bytes, name: str) -> None:
    reported = events(data, name)
    assert isinstance(reported[0], LoggedOn)
    assert reported == events(data, name)
    assert not any(isinstance(event, SessionEnded) for event in reported[:-1])


def test_empty_input_yields_a_session_that_logs_on() -> None:
    assert [type(event) for event in events(b"")] == [LoggedOn]
    assert messages(b"") == []


def test_an_unknown_session_type_is_refused() -> None:
    with pytest.raises(KeyError):
        events(b"", "KalshiXX")
    with pytest.raises(ConfigurationError):
        events(b"", "KalshiRFQ", "margin")


def test_after_the_end_of_the_input_every_choice_is_the_first_option() -> None:
    choices = Choices(b"\x03\x02ab")
    assert choices.pick("abcd") == "d"
    assert choices.chunk() == b"ab"
    assert not choices.has_more
    assert (choices.below(300), choices.below(1), choices.one_in(2), choices.rest()) == (0, 0, False, b"")
