"""Messages kept for retransmission are dropped after a period, even if no client requests them."""

from __future__ import annotations

from datetime import timedelta

from kalshi_fix_sansio import SESSION_TYPES, Reject, Side
from kalshi_fix_venue.sessions.offline_queue import OfflineQueue
from tests.venue.venue_harness import VenueHarness, order

HOUR = 3600
DEFAULT_HOURS = SESSION_TYPES["KalshiRT"].retention_hours or 0


def test_messages_that_are_never_requested_are_dropped_after_the_period(harness: VenueHarness) -> None:
    ann, bob = harness.connect("ann", "KalshiRT"), harness.connect("bob")
    ann.send(order("a1", Side.BUY, 100, "0.40"))
    ann.drop()
    for number in range(3):
        bob.send(order(f"b{number}", Side.SELL, 1, "0.40"))
    bob.logout()
    harness.connect("ann-2", "KalshiRT").drop()
    queues = list(harness.venue._offline_queues.values())
    assert len(queues) == 2
    assert list(queues[0].store.sent_between(3, 5))
    assert not harness.clients
    harness._move_to(harness.monotonic + (DEFAULT_HOURS + 1) * HOUR)
    for _ in queues:
        harness.venue.handle_timer(harness.now)
    assert not list(queues[0].store.sent_between(3, 5))


def test_an_offline_queue_is_bounded_in_number_and_age(harness: VenueHarness) -> None:
    queue = OfflineQueue("KalshiRT", "key", max_messages=2, max_bytes=10**6)
    queue.set_retention(1, harness.now)
    for text in ("one", "two", "three"):
        queue.post(Reject(ref_seq_num=1, text=text), harness.now)
    assert (queue.store.next_outgoing, queue.store.oldest_kept) == (4, 2)
    harness.utc += timedelta(hours=1, seconds=1)
    queue.forget(harness.now)
    assert queue.store.oldest_kept == 4
