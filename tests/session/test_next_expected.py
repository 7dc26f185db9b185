"""NextExpectedMsgSeqNum (789): missing messages are resent after the Logon without a ResendRequest."""

from __future__ import annotations

from typing import Any

import pytest

from kalshi_fix_sansio.config import resend_everything
from kalshi_fix_sansio.events import (
    Event,
    GapClosed,
    GapDetected,
    MessageReceived,
    MessagesLost,
    RejectReceived,
)
from kalshi_fix_sansio.session import MemoryStore, Session, State
from tests.helpers import Pair, messages, of_type, order, pair
from tests.samples import cancel_reject

OFFER: dict[str, Any] = {"offer_next_expected": True}


def interrupted_stores(*, lost_by_client: int, lost_by_venue: int) -> tuple[MemoryStore, MemoryStore]:
    """Return the stores of two sides whose connection was lost with messages in transit."""
    client_store, venue_store = MemoryStore(), MemoryStore()
    both = pair(client_store=client_store, venue_store=venue_store)
    both.connect()
    for _ in range(lost_by_client):
        both.venue.send(cancel_reject(), both.clock.now)
    for number in range(lost_by_venue):
        both.client.send(order(f"a{number}"), both.clock.now)
    both.client.receive_eof(both.clock.now)
    both.venue.receive_eof(both.clock.now)
    return client_store, venue_store


def reconnected_pair(*, lost_by_client: int, lost_by_venue: int) -> tuple[Pair, list[str]]:
    """Return the pair after its second logon, and the types of all messages sent by both sides,
    client first.
    """
    client_store, venue_store = interrupted_stores(lost_by_client=lost_by_client, lost_by_venue=lost_by_venue)
    both = pair(
        client_store=client_store,
        venue_store=venue_store,
        client=OFFER | {"resend_policy": resend_everything},
    )
    writes: list[bytes] = []

    def tap(data: bytes) -> list[bytes]:
        writes.append(data)
        return [data]

    both.transform = tap
    both.connect()
    return both, [message.msg_type for data in writes for message in messages(data)]


def numbers(events: list[Event]) -> list[tuple[int, bool]]:
    return [(e.message.header.msg_seq_num, e.poss_dup) for e in of_type(events, MessageReceived)]


@pytest.mark.parametrize(("lost_by_client", "lost_by_venue"), [(0, 0), (3, 0), (0, 2), (2, 2)])
def test_messages_lost_by_either_side_are_resent_without_a_request(
    lost_by_client: int, lost_by_venue: int
) -> None:
    both, names = reconnected_pair(lost_by_client=lost_by_client, lost_by_venue=lost_by_venue)
    for lost, events in ((lost_by_client, both.client_events), (lost_by_venue, both.venue_events)):
        assert numbers(events) == [(number, True) for number in range(2, 2 + lost)]
        assert len(of_type(events, GapClosed)) == len(of_type(events, GapDetected)) == bool(lost)
    assert "2" not in names
    assert both.client.state is both.venue.state is State.ESTABLISHED


@pytest.mark.parametrize("taken", [0, 1, 2, 3])
def test_unconfirmed_events_are_not_reported_as_missing(taken: int) -> None:
    """The store does not include received messages that the user has not confirmed yet. The next Logon must
    include them, or the venue would send them twice."""
    both = pair(client=OFFER | {"explicit_confirm": True})
    both.connect()
    both.client.confirm()
    for _ in range(3):
        both.venue.send(cancel_reject(), both.clock.now)
    both.settle()
    assert numbers(both.client_events) == [(2, False), (3, False), (4, False)]
    both.client.confirm(taken)
    assert both.client.store.next_incoming == 2 + taken
    both.client.receive_eof(both.clock.now)
    again = Session(both.client.config, continues=both.client)
    again.connect(both.clock.now)
    (logon,) = messages(again.data_to_send())
    assert logon.next_expected_msg_seq_num == 5


def test_the_acceptor_refuses_to_resend_messages_it_has_forgotten() -> None:
    client_store, venue_store = interrupted_stores(lost_by_client=3, lost_by_venue=0)
    both = pair(client_store=client_store, venue_store=venue_store, client=OFFER)
    venue_store.forget_before(both.clock.advance(60).utc)
    both.connect()
    both.advance(31)
    for refused in of_type(both.client_events, RejectReceived):
        assert "before the retention window" in refused.reject.text  # type: ignore[attr-defined]
    assert len(of_type(both.client_events, MessagesLost)) == 1
    assert both.client.state is State.ESTABLISHED
