"""Retransmission on KalshiRT and KalshiPT: which messages are kept, how many and how long, and the answers to
requests for others."""

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
KEPT = SESSION_TYPES["KalshiRT"].retention_hours or 0
SHORTEST = bounds("MessageRetentionPeriod").minimum or 0
LONGEST = bounds("MessageRetentionPeriod").maximum or 0


def fill_while_away(harness: VenueHarness, store: MemoryStore, count: int = 3, **fields: Any) -> None:
    """Let an order of Ann rest, lose her connection, and partly fill the order `count` times. The missed
    reports are numbered from 3 on."""
    ann = harness.connect("ann", "KalshiRT", store=store, **fields)
    ann.send(order("a1", BUY, 100, "0.40"))
    ann.drop()
    bob = harness.connect("bob")
    for number in range(count):
        bob.send(order(f"b{number}", SELL, 1, "0.40"))
    bob.logout()


def pass_time(harness: VenueHarness, seconds: float) -> None:
    """Let any amount of time pass in one step, while no client is connected."""
    assert not harness.clients
    harness.monotonic += seconds
    harness.utc += timedelta(seconds=seconds)


def filled(client: Client) -> list[str]:
    return [str(m.cum_qty) for m in client.take() if isinstance(m, ExecutionReport)]


def refusals(client: Client) -> list[str]:
    """Return the Text of the first Reject, if any.

    After a Reject the client's session searches for the oldest message that the venue still keeps.
    """
    return [m.text or "" for m in decode_all(bytes(client.wire)) if isinstance(m, Reject)][:1]


def resent(harness: VenueHarness, client: Client, begin: int, end: int = 0) -> list[Message]:
    """Return the answers to a ResendRequest that bypasses the client's own session."""
    harness.run()
    return client.raw(ResendRequest(begin_seq_no=begin, end_seq_no=end))


@pytest.mark.parametrize(
    ("hours", "after", "kept"),
    [
        (None, KEPT * HOUR, True),
        (None, KEPT * HOUR + 1, False),
        (SHORTEST, SHORTEST * HOUR, True),
        (SHORTEST, SHORTEST * HOUR + 1, False),
        (LONGEST, LONGEST * HOUR, True),
        (LONGEST, LONGEST * HOUR + 1, False),
    ],
)
def test_messages_are_kept_for_the_period_in_the_logon(hours: int | None, after: float, kept: bool) -> None:
    harness, store = VenueHarness(), MemoryStore(max_age=timedelta(days=30))
    fields: dict[str, Any] = {} if hours is None else {"message_retention_period": hours}
    fill_while_away(harness, store, **fields)
    pass_time(harness, after)
    again = harness.connect("ann", "KalshiRT", store=store, **fields)
    if kept:
        assert (filled(again), refusals(again)) == (["1.00", "2.00", "3.00"], [])
    else:
        assert filled(again) == []
        assert refusals(again) == ["BeginSeqNo 3 is before the retention window, which begins at 6"]
    # In both cases the session continues.
    again.send(order("a2", BUY, 1, "0.30"))
    assert [m.cl_ord_id for m in again.take() if isinstance(m, ExecutionReport)] == ["a2"]


def test_a_part_that_is_too_old_refuses_the_whole_range(harness: VenueHarness) -> None:
    store = MemoryStore(max_age=timedelta(days=30))
    fill_while_away(harness, store, 1)
    pass_time(harness, (KEPT - 1) * HOUR)
    bob = harness.connect("bob")
    bob.send(order("late", SELL, 1, "0.40"))
    bob.logout()
    pass_time(harness, 2 * HOUR)
    again = harness.connect("ann", "KalshiRT", store=store)
    assert refusals(again) == ["BeginSeqNo 3 is before the retention window, which begins at 4"]
    # The refusal contains the oldest available number, and the client requests messages from there.
    assert filled(again) == ["2.00"]


def test_the_period_of_each_message_begins_when_it_was_sent(harness: VenueHarness) -> None:
    store = MemoryStore(max_age=timedelta(days=30))
    fill_while_away(harness, store, 1)
    for number in range(3):
        pass_time(harness, KEPT / 2 * HOUR)
        bob = harness.connect("bob")
        bob.send(order(f"later{number}", SELL, 1, "0.40"))
        bob.logout()
    ann = harness.connect("ann", "KalshiRT", store=MemoryStore(next_outgoing=3, next_incoming=5))
    assert filled(ann) == ["3.00", "4.00"]


def test_another_logon_may_shorten_or_lengthen_the_period(harness: VenueHarness) -> None:
    store = MemoryStore(max_age=timedelta(days=30))
    fill_while_away(harness, store, message_retention_period=LONGEST)
    pass_time(harness, (KEPT + 1) * HOUR)
    shortened = harness.connect("ann", "KalshiRT", store=store, message_retention_period=KEPT)
    assert filled(shortened) == []
    shortened.logout()
    bob = harness.connect("bob")
    bob.send(order("late", SELL, 1, "0.40"))
    bob.logout()
    lengthened = harness.connect("ann", "KalshiRT", store=store, message_retention_period=LONGEST)
    assert filled(lengthened) == ["4.00"]
    assert resent(harness, lengthened, 3)[0].MSG_TYPE == "3"


def test_a_running_session_also_drops_old_messages(harness: VenueHarness) -> None:
    ann = harness.connect("ann", "KalshiRT", message_retention_period=SHORTEST)
    ann.send(order("a1", BUY, 1, "0.40"))
    harness.wait(SHORTEST * HOUR + 1)
    refused = resent(harness, ann, 2)[0]
    assert isinstance(refused, Reject)
    assert refused.text == "BeginSeqNo 2 is before the retention window, which begins at 3"


def test_messages_that_are_not_requested_are_dropped_in_time(harness: VenueHarness) -> None:
    fill_while_away(harness, MemoryStore())
    other = MemoryStore()
    harness.connect("ann-2", "KalshiRT", store=other).drop()
    queues = list(harness.venue._offline_queues.values())
    assert len(queues) == 2
    assert list(queues[0].store.sent_between(3, 5))
    pass_time(harness, (KEPT + 1) * HOUR)
    for _ in queues:
        harness.venue.handle_timer(harness.now)
    assert not list(queues[0].store.sent_between(3, 5))


def test_a_reset_drops_queued_messages(harness: VenueHarness) -> None:
    fill_while_away(harness, MemoryStore())
    fresh = harness.connect("ann", "KalshiRT", reset=True)
    assert filled(fresh) == []
    assert (fresh.session.next_outgoing, fresh.session.next_incoming) == (2, 2)


def test_queued_messages_are_bounded_in_number() -> None:
    harness, store = VenueHarness(max_kept_messages=5), MemoryStore(max_age=timedelta(days=30))
    fill_while_away(harness, store, 20)
    again = harness.connect("ann", "KalshiRT", store=store)
    assert refusals(again) == ["BeginSeqNo 3 is before the retention window, which begins at 18"]
    assert filled(again) == [f"{number}.00" for number in range(16, 21)]


def test_queued_messages_are_bounded_in_bytes() -> None:
    harness, store = VenueHarness(max_kept_bytes=3000), MemoryStore(max_age=timedelta(days=30))
    fill_while_away(harness, store, 100)
    again = harness.connect("ann", "KalshiRT", store=store)
    found = filled(again)
    assert found[-1] == "100.00"
    assert 3 <= len(found) <= 10
    assert "is before the retention window" in refusals(again)[0]


def test_an_offline_queue_is_bounded_in_number_and_age(harness: VenueHarness) -> None:
    queue = OfflineQueue("KalshiRT", "key", max_messages=2, max_bytes=10**6)
    queue.retain(1, harness.now)
    for text in ("one", "two", "three"):
        queue.post(Reject(ref_seq_num=1, text=text), harness.now)
    assert (queue.store.next_outgoing, queue.store.oldest_kept) == (4, 2)
    harness.utc += timedelta(hours=1, seconds=1)
    queue.forget(harness.now)
    assert queue.store.oldest_kept == 4
