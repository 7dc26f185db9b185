"""The memory and work of a session are bounded in bytes and in messages read, whatever the peer sends."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.errors import ConfigurationError, LocalProtocolError
from kalshi_fix_sansio.events import (
    Event,
    GapClosed,
    OutcomesUnknown,
    RejectReceived,
    ResendServed,
    SequenceSkipped,
)
from kalshi_fix_sansio.session import MemoryStore, Session, State, StoredMessage
from kalshi_fix_sansio.session.resend import BYTES_PER_TURN, MESSAGES_PER_TURN
from tests.helpers import CANCEL_REJECT, LOGON, Wired, cancel_reject, delivered, established, of_type, order

# --- the record of sent messages ------------------------------------------------------------------------


def answer_test_requests(wired: Wired, count: int, size: int = 1000) -> tuple[list[int], int]:
    """Answer `count` TestRequests; return the numbers of the answers, and the size of the last in bytes."""
    first, length = wired.session.next_outgoing, 0
    for _ in range(count):
        wired.receive(wired.peer.message("1", f"112={'x' * size}|"))
        length = len(wired.session.data_to_send())
    return list(range(first, first + count)), length


def are_recorded(wired: Wired, numbers: list[int]) -> list[bool]:
    """Return whether each message is still in the session's record. If it is, the event for a Reject of that
    message contains the message."""
    reported = [wired.receive(wired.peer.message("3", f"45={number}|")) for number in numbers]
    return [event.sent is not None for events in reported for event in of_type(events, RejectReceived)]


@pytest.mark.parametrize(("spare", "kept"), [(0, [False, True, True]), (-1, [False, False, True])])
def test_the_record_of_sent_messages_is_bounded_in_bytes(role: Role, spare: int, kept: list[bool]) -> None:
    _, size = answer_test_requests(established(role, "KalshiNR"), 1)
    wired = established(role, "KalshiNR", max_sent_record_bytes=2 * size + spare)
    numbers, length = answer_test_requests(wired, 3)
    assert length == size
    assert are_recorded(wired, numbers) == kept


def test_large_test_requests_do_not_stay_in_the_record(wired: Wired) -> None:
    answer_test_requests(wired, 40, 250_000)
    assert sum(map(len, wired.session._core.outbound._record.values())) <= 4 * 1024 * 1024


def test_a_message_larger_than_the_whole_record_is_not_recorded() -> None:
    wired = established(Role.INITIATOR, "KalshiNR", max_sent_record_bytes=500)
    assert are_recorded(wired, answer_test_requests(wired, 1)[0]) == [False]
    assert are_recorded(wired, answer_test_requests(wired, 1, size=10)[0]) == [True]


def test_a_large_message_is_attached_only_to_its_first_reject(role: Role) -> None:
    wired = established(role, "KalshiNR")
    (number,), _ = answer_test_requests(wired, 1, 250_000)
    assert are_recorded(wired, [number] * 100) == [True] + [False] * 99


def test_the_record_stays_bounded_after_rejects() -> None:
    wired = established(Role.INITIATOR, "KalshiNR", max_sent_record=3)
    for _ in range(10):
        assert are_recorded(wired, answer_test_requests(wired, 1)[0]) == [True]
    outbound = wired.session._core.outbound
    assert (len(outbound._record_numbers), outbound._record, outbound._record_bytes) == (3, {}, 0)


# --- messages held after a gap --------------------------------------------------------------------------


@pytest.mark.parametrize(("spare", "held"), [(0, [3, 4]), (-1, [3])])
@pytest.mark.parametrize("strict", [False, True])
def test_held_messages_are_bounded_in_bytes_and_dropped_ones_are_requested_again(
    role: Role, spare: int, held: list[int], strict: bool
) -> None:
    size = len(cancel_reject(established(role), 3))
    wired = established(role, "KalshiRT", max_held_bytes=2 * size + spare, strict=strict)
    wired.receive(*(cancel_reject(wired, number) for number in range(3, 8)))
    assert [(m.begin_seq_no, m.end_seq_no) for m in wired.sent()] == [(2, 2)]
    accepted = role is Role.INITIATOR or not strict  # A strict venue does not accept an OrderCancelReject.
    events = wired.receive(cancel_reject(wired, 2, again=True))
    assert delivered(events) == ([2, *held] if accepted else [])
    rest = held[-1] + 1
    assert wired.session.next_incoming == rest
    assert [(m.begin_seq_no, m.end_seq_no) for m in wired.sent() if m.NAME == "ResendRequest"] == [(rest, 7)]
    events = wired.receive(*(cancel_reject(wired, number, again=True) for number in range(rest, 8)))
    assert delivered(events) == (list(range(rest, 8)) if accepted else [])
    assert events[-1] == GapClosed(8)


def test_a_message_too_large_to_be_held_is_delivered_in_order(role: Role) -> None:
    wired = established(role, max_held_bytes=1000)
    wired.receive(cancel_reject(wired, 3, text="x" * 2000))
    wired.sent()
    assert delivered(wired.receive(cancel_reject(wired, 2, again=True))) == [2]
    assert [(m.begin_seq_no, m.end_seq_no) for m in wired.sent()] == [(3, 3)]
    events = wired.receive(cancel_reject(wired, 3, text="x" * 2000, again=True))
    assert delivered(events) == [3]
    assert events[-1] == GapClosed(4)


def test_closing_a_gap_frees_the_space_of_held_messages(role: Role) -> None:
    wired = established(role, max_held_bytes=1000)
    for first in range(2, 60, 3):
        wired.receive(cancel_reject(wired, first + 1), cancel_reject(wired, first + 2))
        events = wired.receive(cancel_reject(wired, first, again=True))
        assert delivered(events) == [first, first + 1, first + 2]
    wired.receive(cancel_reject(wired, 63, text="x" * 500))
    reset = wired.peer.logon(LOGON + "141=Y|", 1)
    wired.receive(reset)
    assert wired.session._receiver.recovery._held_bytes == 0


def test_held_messages_are_kept_as_bytes_and_not_decoded() -> None:
    wired = established(Role.INITIATOR)
    unknown = "".join(f"{tag}=x|" for tag in range(20_000, 21_000))
    large = [wired.peer.message("9", CANCEL_REJECT + unknown, number) for number in range(3, 11)]
    wired.receive(large[0])
    tracemalloc.start()
    try:
        wired.receive(*large[1:])
        gc.collect()  # CPython keeps a free list of tuples, up to 2,000 of each size.
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(wired.session._receiver.recovery._held) == 8
    assert kept < 4 * sum(map(len, large))


# --- waiting events -------------------------------------------------------------------------------------


def test_waiting_events_are_bounded_by_the_bytes_of_their_messages(role: Role) -> None:
    size = len(cancel_reject(established(role)))
    wired = established(role, max_event_bytes=2 * size)
    for _ in range(2):
        wired.session.receive_data(cancel_reject(wired), wired.clock.now)
    waiting = cancel_reject(wired)
    with pytest.raises(LocalProtocolError, match=f"unfetched events: 2 \\({2 * size} bytes\\); call events"):
        wired.session.receive_data(waiting, wired.clock.now)
    assert len(wired.session.events()) == 2
    assert len(wired.receive(waiting)) == 1


def test_one_byte_below_the_bound_another_read_is_accepted(role: Role) -> None:
    size = len(cancel_reject(established(role)))
    wired = established(role, max_event_bytes=2 * size + 1)
    for _ in range(3):
        wired.session.receive_data(cancel_reject(wired), wired.clock.now)
    with pytest.raises(LocalProtocolError, match="unfetched events: 3"):
        wired.session.receive_data(cancel_reject(wired), wired.clock.now)


def test_messages_without_events_do_not_count_towards_the_bound(role: Role) -> None:
    wired = established(role, max_event_bytes=100)
    for _ in range(100):
        wired.session.receive_data(wired.peer.message("0"), wired.clock.now)
    assert wired.session.events() == []


def test_held_messages_count_towards_the_bound_when_they_are_delivered(role: Role) -> None:
    size = len(cancel_reject(established(role), 3))
    wired = established(role, max_event_bytes=10 * size)
    wired.receive(*(cancel_reject(wired, number) for number in range(3, 13)))
    wired.session.receive_data(cancel_reject(wired, 2, again=True), wired.clock.now)
    with pytest.raises(LocalProtocolError, match="unfetched events: 12"):
        wired.session.receive_data(cancel_reject(wired, 13), wired.clock.now)


def test_events_passed_to_the_next_session_count_towards_its_bound() -> None:
    size = len(cancel_reject(established(Role.ACCEPTOR)))
    wired = established(Role.ACCEPTOR, max_event_bytes=5 * size)
    wired.session.receive_data(b"".join(cancel_reject(wired) for _ in range(5)), wired.clock.now)
    wired.session.receive_eof(wired.clock.now)
    session = Session(wired.session.config, continues=wired.session)
    session.connect(wired.clock.now)
    with pytest.raises(LocalProtocolError, match="unfetched events: 6"):
        session.receive_data(wired.peer.logon(), wired.clock.now)


# --- the cost of ResendRequests -------------------------------------------------------------------------


class CountingStore(MemoryStore):
    """A store that counts the messages read for a resend."""

    read_count = 0

    def sent_between(self, begin: int, end: int) -> Iterator[StoredMessage]:
        for message in super().sent_between(begin, end):
            self.read_count += 1
            yield message


NO_RESEND: dict[str, Any] = {"resend_policy": lambda message, age: False}
"""The setting of a session that declines to resend any message."""


def send_orders(wired: Wired, count: int) -> None:
    for _ in range(count):
        wired.session.send(order(), wired.clock.now)
    wired.session.data_to_send()


def initiator_with_orders(count: int) -> tuple[Wired, CountingStore]:
    """Return an initiator that has sent `count` orders, numbered from 2, and declines to resend them."""
    store = CountingStore()
    wired = established(Role.INITIATOR, store=store, **NO_RESEND)
    send_orders(wired, count)
    return wired, store


def request_all(wired: Wired, count: int = 1) -> None:
    """Receive this many ResendRequests for all messages in one read."""
    requests = b"".join(wired.peer.message("2", "7=1|16=0|") for _ in range(count))
    wired.session.receive_data(requests, wired.clock.now)


def finish_resend(wired: Wired, store: CountingStore) -> tuple[list[Any], list[Event]]:
    """Run a resend to its end; return all messages sent and events emitted."""
    sent, reported = wired.sent(), wired.session.events()
    while wired.session._resender.job is not None:
        before = store.read_count
        reported += wired.wait(0)
        assert 0 < store.read_count - before <= MESSAGES_PER_TURN + 1
        sent += wired.sent()
    return sent, reported


@pytest.mark.parametrize("count", [MESSAGES_PER_TURN - 1, MESSAGES_PER_TURN, MESSAGES_PER_TURN + 1, 1700])
def test_a_turn_reads_a_bounded_number_of_messages_even_if_none_is_resent(count: int) -> None:
    wired, store = initiator_with_orders(count)
    request_all(wired)
    # The message beyond the limit was read from the store, but is processed in the next turn.
    assert store.read_count == min(count, MESSAGES_PER_TURN + 1)
    assert (wired.session._resender.job is None) == (count <= MESSAGES_PER_TURN)
    sent, reported = finish_resend(wired, store)
    assert [(m.NAME, m.header.msg_seq_num, m.new_seq_no) for m in sent] == [("SequenceReset", 1, count + 2)]
    (unknown, served) = reported
    assert isinstance(unknown, OutcomesUnknown)
    assert len(unknown.requests) == count
    assert served == ResendServed(1, count + 1, 0)


def test_many_requests_in_one_read_share_one_turn() -> None:
    wired, store = initiator_with_orders(1200)
    request_all(wired, 100)
    assert store.read_count <= MESSAGES_PER_TURN + 1
    sent, reported = finish_resend(wired, store)
    assert len(sent) == 1
    assert of_type(reported, ResendServed) == [ResendServed(1, 1201, 0)]


def test_many_short_requests_in_one_read_share_one_turn() -> None:
    wired, store = initiator_with_orders(400)
    request_all(wired, 100)
    assert store.read_count <= MESSAGES_PER_TURN + 1
    _, reported = finish_resend(wired, store)
    assert 1 < len(of_type(reported, ResendServed)) <= 100


def test_a_second_request_does_not_repeat_the_policy_decision() -> None:
    wired, store = initiator_with_orders(1200)
    for _ in range(3):
        request_all(wired)
    assert store.read_count == 1200 + 2
    assert of_type(wired.session.events(), ResendServed) == [ResendServed(1, 1201, 0)]


def test_a_turn_reads_a_bounded_number_of_bytes() -> None:
    wired, store = initiator_with_orders(0)
    for _ in range(40):
        wired.session.send(order(symbol="S" * 20_000), wired.clock.now)
        wired.session.data_to_send()
    request_all(wired)
    assert store.read_count == BYTES_PER_TURN // 20_000 + 2
    _, reported = finish_resend(wired, store)
    assert reported[-1] == ResendServed(1, 41, 0)


def test_declined_messages_are_gap_filled_even_if_the_store_forgets_the_next_ones() -> None:
    store = CountingStore(max_messages=600)
    wired = established(Role.INITIATOR, store=store, reject_forgotten_resend=True, **NO_RESEND)
    send_orders(wired, 600)
    wired.receive(wired.peer.message("2", "7=2|16=0|"))
    send_orders(wired, 550)
    wired.wait(0)
    fill, reject = wired.sent()
    assert (fill.NAME, fill.header.msg_seq_num, fill.new_seq_no) == ("SequenceReset", 2, 502)
    assert reject.text == "BeginSeqNo 502 is before the retention window, which begins at 552"


def test_a_session_that_declines_every_resend_still_answers_other_messages(role: Role) -> None:
    wired = established(role, store=MemoryStore(), **NO_RESEND)
    wired.receive(wired.peer.message("2", "7=1|16=0|"), wired.peer.message("1", "112=there?|"))
    assert [m.NAME for m in wired.sent()] == ["SequenceReset", "Heartbeat"]
    assert wired.session.state is State.ESTABLISHED
    events = wired.receive(wired.peer.message("4", "36=50|"))
    assert events == [SequenceSkipped(4, 49, gap_fill=False)]


# --- durations ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [10**9, 10**9 + 1, 10**400, float("inf")])
def test_settings_refuse_durations_that_are_too_long(seconds: float) -> None:
    timeouts = ("logon_timeout", "logout_timeout", "resend_timeout")
    for name in (*timeouts, "sending_time_tolerance", "max_heart_bt_int"):
        changes: dict[str, Any] = {name: seconds}
        if seconds > 10**9:
            with pytest.raises(ConfigurationError, match="at most 1000000000 seconds"):
                established(Role.INITIATOR, **changes)
        else:
            wired = established(Role.INITIATOR, **changes)
            assert wired.session.next_deadline() is not None
