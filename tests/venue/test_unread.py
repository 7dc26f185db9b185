"""Output that the caller has not fetched yet, while injected faults delay the output behind it."""

from __future__ import annotations

from datetime import timedelta

from kalshi_fix_sansio import Side
from kalshi_fix_venue.operations import operation
from tests.venue.venue_harness import Client, VenueHarness, order


def test_delayed_messages_behind_unfetched_bytes_have_no_deadline(harness: VenueHarness, ann: Client) -> None:
    venue = harness.venue
    venue.perform(operation("delay", {"by": 5}), harness.now)
    for name in ("a1", "a2"):
        ann.session.send(order(name, Side.BUY, 1, "0.40"), harness.now)
        venue.receive_data(ann.conn, ann.session.data_to_send(), harness.now)
        venue.connections_with_output()
        harness.monotonic += 1
        harness.utc += timedelta(seconds=1)
    # The bytes are not fetched: the first report is ready at 5 seconds, the second one at 6.
    for _ in range(6):
        harness.monotonic += 1
        harness.utc += timedelta(seconds=1)
        venue.handle_timer(harness.now)
        venue.connections_with_output()
    deadline = venue.next_deadline()
    assert deadline is None or deadline > harness.now.monotonic
    assert b"\x0111=a1\x01" in venue.data_to_send(ann.conn)
    assert ann.conn in venue.connections_with_output()
    assert b"\x0111=a2\x01" in venue.data_to_send(ann.conn)
