"""Bytes that are not fetched, while faults hold others back."""

from __future__ import annotations

from datetime import timedelta

from kalshi_fix_sansio import Side
from kalshi_fix_venue.operations import operation
from tests.venue.town import Client, Town, order


def test_messages_behind_unfetched_bytes_set_no_deadline(town: Town, ann: Client) -> None:
    venue = town.venue
    venue.perform(operation("delay", {"by": 5}), town.now)
    for name in ("a1", "a2"):
        ann.session.send(order(name, Side.BUY, 1, "0.40"), town.now)
        venue.receive_data(ann.conn, ann.session.data_to_send(), town.now)
        venue.connections_with_output()
        town.monotonic += 1
        town.utc += timedelta(seconds=1)
    # The bytes are not read: the first report is ready at 5 seconds, the second one at 6.
    for _ in range(6):
        town.monotonic += 1
        town.utc += timedelta(seconds=1)
        venue.handle_timer(town.now)
        venue.connections_with_output()
    deadline = venue.next_deadline()
    assert deadline is None or deadline > town.now.monotonic
    assert b"\x0111=a1\x01" in venue.data_to_send(ann.conn)
    assert ann.conn in venue.connections_with_output()
    assert b"\x0111=a2\x01" in venue.data_to_send(ann.conn)
