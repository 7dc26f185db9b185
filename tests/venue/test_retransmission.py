"""Retransmission on KalshiRT and KalshiPT: which messages are kept, how many and for how long, and the
answers to requests for others."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from kalshi_fix_sansio import (
    SESSION_TYPES,
    ExecutionReport,
    Reject,
    ResendRequest,
    Side,
)
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.session import MemoryStore
from kalshi_fix_venue.sessions.offline_queue import OfflineQueue
from tests.helpers import bounds
from tests.venue.venue_harness import Client, VenueHarness, decode_all, order

BUY, SELL = Side.BUY, Side.SELL
HOUR = 3600
DEFAULT_HOURS = SESSION_TYPES["KalshiRT"].retention_hours or 0
MIN_HOURS = bounds("MessageRetentionPeriod").minimum or 0
MAX_HOURS = bounds("MessageRetentionPeriod").maximum or 0


@pytest.fixture
def store() -> MemoryStore:
    """Return a store that keeps messages for longer than the venue does."""
    return MemoryStore(max_age=timedelta(days=30))


def sell(harness: VenueHarness, *names: str) -> None:
    """Let Bob sell a contract to Ann with each of these orders."""
    bob = harness.connect("bob")
    for name in names:
        bob.send(order(name, SELL, 1, "0.40"))
    bob.logout()


def fill_while_away(harness: VenueHarness, store: MemoryStore, count: int = 3, **fields: Any) -> None:
    """Place a resting order for Ann, lose her connection, and partly fill the order `count` times. The missed
    reports are numbered from 3."""
    ann = harness.connect("ann", "KalshiRT", store=store, **fields)
    ann.send(order("a1", BUY, 100, "0.40"))
    ann.drop()
    sell(harness, *(f"b{number}" for number in range(count)))


def pass_time(harness: VenueHarness, seconds: float) -> None:
    """Let any amount of time pass in one step, while no client is connected."""
    assert not harness.clients
    harness.monotonic += seconds
    harness.utc += timedelta(seconds=seconds)


def cum_quantities(client: Client) -> list[str]:
    return [str(m.cum_qty) for m in client.take() if isinstance(m, ExecutionReport)]


def refusals(client: Client) -> list[str]:
    """Return the Text of the first Reject, if any.

    After a Reject the client's session searches for the oldest message that the venue still keeps.
    """
    return [m.text or "" for m in decode_all(bytes(client.wire)) if isinstance(m, Reject)][:1]


def resend_answer(harness: VenueHarness, client: Client, begin: int) -> Message:
    """Return the first answer to a ResendRequest that bypasses the client's own session."""
    harness.run()
    return client.raw(ResendRequest(begin_seq_no=begin, end_seq_no=0))[0]


@pytest.mark.parametrize(
    ("hours", "after", "kept"),
    [
        (None, DEFAULT_HOURS * HOUR, True),
        (None, DEFAULT_HOURS * HOUR + 1, False),
        (MIN_HOURS, MIN_HOURS * HOUR, True),
        (MIN_HOURS, MIN_HOURS * HOUR + 1, False),
        (MAX_HOURS, MAX_HOURS * HOUR, True),
        (MAX_HOURS, MAX_HOURS * HOUR + 1, False),
    ],
)
def test_messages_are_kept_for_the_period_in_the_logon(
    harness: VenueHarness, store: MemoryStore, hours: int | None, after: float, kept: bool
) -> None:
    fields: dict[str, Any] = {} if hours is None else {"message_retention_period": hours}
    fill_while_away(harness, store, **fields)
    pass_time(harness, after)
    reconnected = harness.connect("ann", "KalshiRT", store=store, **fields)
    if kept:
        assert (cum_quantities(reconnected), refusals(reconnected)) == (["1.00", "2.00", "3.00"], [])
    else:
        assert cum_quantities(reconnected) == []
        assert refusals(reconnected) == ["BeginSeqNo 3 is before the retention window, which begins at 6"]
    # In both cases the session continues.
    reconnected.send(order("a2", BUY, 1, "0.30"))
    assert [m.cl_ord_id for m in reconnected.take() if isinstance(m, ExecutionReport)] == ["a2"]


def test_a_range_is_refused_completely_if_a_part_of_it_is_too_old(
    harness: VenueHarness, store: MemoryStore
) -> None:
    fill_while_away(harness, store, 1)
    pass_time(harness, (DEFAULT_HOURS - 1) * HOUR)
    sell(harness, "late")
    pass_time(harness, 2 * HOUR)
    reconnected = harness.connect("ann", "KalshiRT", store=store)
    assert refusals(reconnected) == ["BeginSeqNo 3 is before the retention window, which begins at 4"]
    # The refusal contains the oldest available number, and the client requests messages from there.
    assert cum_quantities(reconnected) == ["2.00"]


def test_the_period_of_each_message_begins_when_it_is_sent(harness: VenueHarness, store: MemoryStore) -> None:
    fill_while_away(harness, store, 1)
    for number in range(3):
        pass_time(harness, DEFAULT_HOURS / 2 * HOUR)
        sell(harness, f"later{number}")
    ann = harness.connect("ann", "KalshiRT", store=MemoryStore(next_outgoing=3, next_incoming=5))
    assert cum_quantities(ann) == ["3.00", "4.00"]


def test_another_logon_may_shorten_or_lengthen_the_period(harness: VenueHarness, store: MemoryStore) -> None:
    fill_while_away(harness, store, message_retention_period=MAX_HOURS)
    pass_time(harness, (DEFAULT_HOURS + 1) * HOUR)
    shortened = harness.connect("ann", "KalshiRT", store=store, message_retention_period=DEFAULT_HOURS)
    assert cum_quantities(shortened) == []
    shortened.logout()
    sell(harness, "late")
    lengthened = harness.connect("ann", "KalshiRT", store=store, message_retention_period=MAX_HOURS)
    assert cum_quantities(lengthened) == ["4.00"]
    assert resend_answer(harness, lengthened, 3).MSG_TYPE == "3"


def test_a_running_session_also_drops_old_messages(harness: VenueHarness) -> None:
    ann = harness.connect("ann", "KalshiRT", message_retention_period=MIN_HOURS)
    ann.send(order("a1", BUY, 1, "0.40"))
    harness.wait(MIN_HOURS * HOUR + 1)
    refused = resend_answer(harness, ann, 2)
    assert isinstance(refused, Reject)
    assert refused.text == "BeginSeqNo 2 is before the retention window, which begins at 3"


def test_messages_that_are_never_requested_are_dropped_after_the_period(harness: VenueHarness) -> None:
    fill_while_away(harness, MemoryStore())
    other = MemoryStore()
    harness.connect("ann-2", "KalshiRT", store=other).drop()
    queues = list(harness.venue._offline_queues.values())
    assert len(queues) == 2
    assert list(queues[0].store.sent_between(3, 5))
    pass_time(harness, (DEFAULT_HOURS + 1) * HOUR)
    for _ in queues:
        harness.venue.handle_timer(harness.now)
    assert not list(queues[0].store.sent_between(3, 5))


def test_a_reset_drops_queued_messages(harness: VenueHarness) -> None:
    fill_while_away(harness, MemoryStore())
    fresh = harness.connect("ann", "KalshiRT", reset=True)
    assert cum_quantities(fresh) == []
    assert (fresh.session.next_outgoing, fresh.session.next_incoming) == (2, 2)


def test_queued_messages_are_bounded_in_number(store: MemoryStore) -> None:
    harness = VenueHarness(max_kept_messages=5)
    fill_while_away(harness, store, 20)
    reconnected = harness.connect("ann", "KalshiRT", store=store)
    assert refusals(reconnected) == ["BeginSeqNo 3 is before the retention window, which begins at 18"]
    assert cum_quantities(reconnected) == [f"{number}.00" for number in range(16, 21)]


def test_queued_messages_are_bounded_in_bytes(store: MemoryStore) -> None:
    harness = VenueHarness(max_kept_bytes=3000)
    fill_while_away(harness, store, 100)
    reconnected = harness.connect("ann", "KalshiRT", store=store)
    found = cum_quantities(reconnected)
    assert found[-1] == "100.00"
    assert 3 <= len(found) <= 10
    assert "is before the retention window" in refusals(reconnected)[0]


def test_an_offline_queue_is_bounded_in_number_and_age(harness: VenueHarness) -> None:
    queue = OfflineQueue("KalshiRT", "key", max_messages=2, max_bytes=10**6)
    queue.retain(1, harness.now)
    for text in ("one", "two", "three"):
        queue.post(Reject(ref_seq_num=1, text=text), harness.now)
    assert (queue.store.next_outgoing, queue.store.oldest_kept) == (4, 2)
    harness.utc += timedelta(hours=1, seconds=1)
    queue.forget(harness.now)
    assert queue.store.oldest_kept == 4
