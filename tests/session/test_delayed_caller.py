"""A delayed caller: messages that waited unread are not treated as too old, but all others still are."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.events import MessageReceived
from tests.helpers import MIN_HEART_BT_INT, NEWS, Wired, established, of_type, wire_time

SHORT = MIN_HEART_BT_INT + 1


def fill(wired: Wired, age: float = 0.0) -> bytes:
    """Return a report sent this many seconds ago according to the wall clock."""
    return wired.peer.message("9", NEWS, t52=wire_time(wired.clock.utc - timedelta(seconds=age)))


def is_accepted(wired: Wired, message: bytes) -> bool:
    received = of_type(wired.receive(message), MessageReceived)
    assert wired.session.is_established == bool(received)
    return bool(received)


def test_messages_read_in_pieces_after_a_delay_are_accepted(wired: Wired) -> None:
    wired.delay_caller(33)
    data = fill(wired, 32.5) + fill(wired, 31)
    for at in range(0, len(data), 7):
        wired.session.receive_data(data[at : at + 7], wired.clock.advance(0.001))
    assert len(of_type(wired.session.events(), MessageReceived)) == 2


@pytest.mark.parametrize("heart_bt_int", [SHORT, 30, 60])
def test_a_punctual_caller_does_not_extend_the_tolerance(role: Role, heart_bt_int: int) -> None:
    wired = established(role, heart_bt_int=heart_bt_int)
    for _ in range(5):
        due = wired.session.next_deadline()
        assert due is not None
        wait = due - wired.clock.monotonic
        assert wait < 10.001
        wired.session.handle_timer(wired.clock.advance(wait + 4.9))
        wired.receive(wired.peer.message("0"))
    assert not is_accepted(wired, fill(wired, 30.001))
