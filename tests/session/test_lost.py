"""ResendRequests determine exactly which messages the peer no longer has; these are reported as lost."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kalshi_fix_sansio._generated import Header
from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.events import GapClosed, MessagesLost, SequenceSkipped
from kalshi_fix_sansio.session import MemoryStore, State, StoredMessage
from kalshi_fix_sansio.session.recovery import Search
from tests.helpers import CODEC, KEY_ID, START, Pair, config, delivered, messages, of_type, pair
from tests.samples import execution_report


@pytest.mark.parametrize("count", [*range(10), 100, 1000, 1023, 1024])
def test_the_search_finds_every_boundary_in_a_logarithmic_number_of_requests(count: int) -> None:
    for boundary in range(count + 1):
        search, requested = Search(0, count), 0
        while not search.is_complete:
            requested += 1
            if search.probe >= boundary:
                assert search.record_received(search.probe)
            else:
                search.record_refused()
        assert search.low == boundary
        assert requested <= count.bit_length()


def test_only_a_message_older_than_all_received_ones_narrows_the_search() -> None:
    search = Search(2, 10)
    assert search.record_received(6)
    assert not search.record_received(6)
    assert not search.record_received(9)
    assert not search.record_received(1)
    assert search.probe == 4


def pair_with_missed_messages(total: int, oldest: int, *, admin: int = 0) -> Pair:
    """Return a client and a venue that are not connected. The client has missed `total` messages, of which
    the venue keeps those from number `oldest` on. If `admin` is not 0, every `admin`th is a session message.
    """
    venue_store = MemoryStore()
    both = pair(venue_store=venue_store)
    for number in range(1, total + 1):
        header = Header(
            msg_type="8",
            msg_seq_num=number,
            sender_comp_id="KalshiRT",
            target_comp_id=KEY_ID,
            sending_time=START,
        )
        frame = CODEC.encode(execution_report(f"m{number}"), header)
        kept = StoredMessage(number, START - timedelta(seconds=1 if number >= oldest else 2), frame)
        venue_store.record_sent(number, None if admin and number % admin == 0 else kept)
    venue_store.forget_before(START - timedelta(seconds=1))
    return both


def requests(both: Pair) -> int:
    """Return the number of the client's ResendRequests: it sends nothing else after its Logon."""
    return both.client.next_outgoing - 2


@pytest.mark.parametrize("admin", [0, 3])
@pytest.mark.parametrize("total", range(1, 18))
def test_exactly_the_lost_messages_are_reported_and_all_others_delivered(total: int, admin: int) -> None:
    for oldest in range(1, total + 2):
        both = pair_with_missed_messages(total, oldest, admin=admin)
        kept = both.venue.store.oldest_kept
        both.connect()
        assert both.client.state is both.venue.state is State.ESTABLISHED
        lost = of_type(both.client_events, MessagesLost)
        assert lost == ([MessagesLost(1, kept - 1)] if kept > 1 else [])
        sent = range(kept, total + 1)
        assert delivered(both.client_events) == [n for n in sent if not admin or n % admin]
        assert isinstance(both.client_events[-1], GapClosed)
        assert both.client.next_incoming == both.venue.next_outgoing
        assert requests(both) <= total.bit_length() + 2


def test_many_missed_messages_cost_few_requests() -> None:
    both = pair_with_missed_messages(3000, 1234)
    both.connect()
    both.advance(5)
    assert of_type(both.client_events, MessagesLost) == [MessagesLost(1, 1233)]
    assert delivered(both.client_events) == list(range(1234, 3001))
    assert requests(both) <= 14


def test_messages_forgotten_during_the_search_are_also_reported() -> None:
    both = pair_with_missed_messages(40, 11)
    both.venue.connect(both.clock.now)
    both.client.connect(both.clock.now)
    store = both.venue.store
    assert isinstance(store, MemoryStore)
    forgotten: list[int] = []

    def forget(data: bytes) -> list[bytes]:
        """Have the venue forget more messages just before the client's second and third requests for a
        range."""
        for message in messages(data):
            if getattr(message, "begin_seq_no", None) and message.begin_seq_no != message.end_seq_no:
                forgotten.append(message.begin_seq_no)
                if len(forgotten) in {2, 3}:
                    store.oldest_kept += 5
        return [data]

    both.transform = forget
    both.settle()
    lost = of_type(both.client_events, MessagesLost)
    assert lost == [MessagesLost(1, 10), MessagesLost(11, 15), MessagesLost(16, 20)]
    assert both.client.state is State.ESTABLISHED


def test_a_gap_fill_instead_of_a_refusal_reports_no_lost_messages() -> None:
    both = pair_with_missed_messages(9, 6)
    both.venue = type(both.venue)(config(Role.ACCEPTOR, reject_forgotten_resend=False), both.venue.store)
    both.connect()
    assert of_type(both.client_events, MessagesLost) == []
    assert of_type(both.client_events, SequenceSkipped)[0] == SequenceSkipped(1, 5, gap_fill=True)
