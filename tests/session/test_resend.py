"""Answers to the peer's ResendRequest."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from kalshi_fix_sansio.config import Role, resend_everything
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import Event, MessageRejected, OutcomesUnknown, ResendServed, SessionEnded
from kalshi_fix_sansio.session import MemoryStore, State
from kalshi_fix_sansio.session.resend import PAGE_SIZE
from tests.helpers import LOGON, START, Wired, established, kinds, messages, of_type, one, order
from tests.samples import application_message, cancel_reject


def session_with_messages(role: Role, name: str = "KalshiRT", *, sent: int = 3, **changes: Any) -> Wired:
    """Return a session that has sent its Logon as number 1, and then `sent` application messages."""
    wired = established(role, name, **changes)
    for number in range(sent):
        wired.session.send(application_message(role, f"o{number}"), wired.clock.now)
    wired.session.data_to_send()
    wired.clock.advance(5)
    return wired


def large_message(role: Role, size: int) -> Message:
    """Return a message of more than this many bytes."""
    text = "x" * size
    return order(symbol=text) if role is Role.INITIATOR else cancel_reject(text=text)


def sent_summary(wired: Wired) -> list[tuple[Any, ...]]:
    """Return a summary of the messages sent: (name, number, PossDupFlag, NewSeqNo or ClOrdID)."""
    return [
        (m.NAME, m.header.msg_seq_num, m.header.poss_dup_flag, getattr(m, "new_seq_no", None) or m.cl_ord_id)
        for m in wired.sent()
    ]


def test_sending_time_is_never_before_orig_sending_time_even_if_the_clock_was_set_back(role: Role) -> None:
    wired = session_with_messages(role, resend_policy=resend_everything)
    wired.clock.utc = START - timedelta(hours=1)
    wired.receive(wired.peer.message("2", "7=1|16=0|"))
    fill, *resent = wired.sent()
    assert fill.header.sending_time == fill.header.orig_sending_time == START - timedelta(hours=1)
    assert [(m.header.sending_time, m.header.orig_sending_time) for m in resent] == [(START, START)] * 3


def test_messages_declined_by_the_policy_are_covered_by_one_gap_fill(role: Role) -> None:
    seen: list[tuple[str, float]] = []

    def only_the_second(message: Any, age: float) -> bool:
        seen.append((message.cl_ord_id, age))
        return bool(message.cl_ord_id == "o1")

    wired = session_with_messages(role, resend_policy=only_the_second)
    *unknown, event = wired.receive(wired.peer.message("2", "7=1|16=0|"))
    lines = sent_summary(wired)
    assert lines[0] == ("SequenceReset", 1, True, 3)
    assert lines[1][1:] == (3, True, "o1")
    assert lines[2] == ("SequenceReset", 4, True, 5)
    assert event == ResendServed(1, 4, 1)
    assert seen == [("o0", 5.0), ("o1", 5.0), ("o2", 5.0)]
    declined = [event.request_ids for event in of_type(unknown, OutcomesUnknown)]
    assert declined == ([("o0",), ("o2",)] if role is Role.INITIATOR else [])


def session_with_many_messages(role: Role) -> Wired:
    """Return a session that has sent far more messages than fit on a page."""
    wired = established(role, resend_policy=resend_everything)
    for _ in range(400):
        wired.session.send(large_message(role, 2000), wired.clock.now)
        wired.session.data_to_send()
    return wired


def test_a_long_resend_is_sent_page_by_page_as_the_output_is_written(role: Role) -> None:
    wired = session_with_many_messages(role)
    assert wired.receive(wired.peer.message("2", "7=1|16=0|")) == []
    numbers: list[int] = []
    pages = 0
    events: list[Event] = []
    while not events:
        data = wired.session.data_to_send()
        assert len(data) < PAGE_SIZE + 3000
        numbers += [message.header.msg_seq_num for message in messages(data)]
        pages += 1
        assert wired.session.next_deadline() == wired.clock.monotonic
        wired.session.handle_timer(wired.clock.now)
        events = wired.session.events()
    numbers += [message.header.msg_seq_num for message in wired.sent()]
    assert numbers == list(range(1, 402))
    assert pages > 2
    assert events == [ResendServed(1, 401, 400)]
    deadline = wired.session.next_deadline()
    assert deadline is not None
    assert deadline > wired.clock.monotonic


def test_a_page_waits_until_the_previous_one_is_written(role: Role) -> None:
    wired = session_with_many_messages(role)
    wired.receive(wired.peer.message("2", "7=1|16=0|"))
    deadline = wired.session.next_deadline()
    assert deadline is not None
    assert deadline > wired.clock.monotonic
    wired.session.handle_timer(wired.clock.now)
    assert len(wired.session.data_to_send()) < PAGE_SIZE + 3000
    assert wired.session.next_deadline() == wired.clock.monotonic


def test_a_second_request_during_a_resend_extends_it(role: Role) -> None:
    wired = session_with_many_messages(role)
    wired.receive(wired.peer.message("2", "7=200|16=390|"))
    wired.session.data_to_send()
    wired.receive(wired.peer.message("2", "7=100|16=401|"))
    numbers: list[int] = []
    while (data := wired.session.data_to_send()) != b"":
        numbers += [message.header.msg_seq_num for message in messages(data)]
        wired.session.handle_timer(wired.clock.now)
    assert numbers == list(range(100, 402))
    assert of_type(wired.session.events(), ResendServed) == [ResendServed(100, 401, 302)]


def test_many_requests_do_not_queue_more_than_a_page(role: Role) -> None:
    wired = session_with_many_messages(role)
    wired.receive(*(wired.peer.message("2", "7=1|16=0|") for _ in range(50)))
    assert len(wired.session.data_to_send()) < PAGE_SIZE + 3000


def test_a_resend_continues_after_our_logout_until_the_session_ends(role: Role) -> None:
    wired = session_with_many_messages(role)
    wired.receive(wired.peer.message("2", "7=1|16=0|"))
    wired.session.logout(wired.clock.now)
    assert wired.session.state is State.LOGOUT_SENT
    wired.session.data_to_send()
    assert wired.session.next_deadline() == wired.clock.monotonic
    wired.session.handle_timer(wired.clock.now)
    assert wired.session.data_to_send()
    wired.receive(wired.peer.message("5"))
    assert wired.session.next_deadline() is None


def test_a_reset_drops_the_resend_in_progress(role: Role) -> None:
    wired = session_with_many_messages(role)
    wired.receive(wired.peer.message("2", "7=1|16=0|"))
    wired.session.data_to_send()
    wired.receive(wired.peer.logon(LOGON + "141=Y|", 1))
    assert kinds(wired.sent()) == ["Logon"]
    wired.session.handle_timer(wired.clock.now)
    assert wired.sent() == []
    wired.receive(wired.peer.message("2", "7=1|16=0|", 2))
    assert [(m.NAME, m.new_seq_no) for m in wired.sent()] == [("SequenceReset", 2)]


def acceptor_with_small_pages(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> Wired:
    """Return an acceptor that has sent three messages, keeps only three, and resends them one at a time."""
    monkeypatch.setattr("kalshi_fix_sansio.session.resend.PAGE_SIZE", 1)
    return session_with_messages(Role.ACCEPTOR, store=MemoryStore(max_messages=3), **changes)


def send_two(wired: Wired) -> None:
    for _ in range(2):
        wired.session.send(cancel_reject(), wired.clock.now)


def test_messages_forgotten_during_a_resend_cause_a_reject_instead_of_a_gap_fill(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wired = acceptor_with_small_pages(monkeypatch)
    assert wired.receive(wired.peer.message("2", "7=2|16=4|")) == []
    send_two(wired)
    assert [line[:2] for line in sent_summary(wired)] == [
        ("OrderCancelReject", number) for number in (2, 5, 6)
    ]
    event = one(wired.wait(0), MessageRejected)
    (reject,) = wired.sent()
    assert (reject.NAME, reject.ref_seq_num) == ("Reject", event.message.header.msg_seq_num)  # type: ignore[union-attr]
    assert reject.text == "BeginSeqNo 3 is before the retention window, which begins at 4"
    assert wired.wait(0) == []


def test_an_unrequested_resend_stops_at_a_forgotten_message_without_a_reject(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wired = acceptor_with_small_pages(monkeypatch)
    wired.session._receiver.resender.resend_unrequested(2, 4, wired.clock.now)
    send_two(wired)
    assert [line[1] for line in sent_summary(wired)] == [2, 5, 6]
    assert wired.wait(0) == []
    assert wired.sent() == []


def test_a_request_for_kept_messages_is_served_after_a_request_for_forgotten_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wired = acceptor_with_small_pages(monkeypatch)
    wired.receive(wired.peer.message("2", "7=2|16=4|"))
    send_two(wired)
    assert [line[1] for line in sent_summary(wired)] == [2, 5, 6]
    events = wired.receive(wired.peer.message("2", "7=5|16=6|"))
    while more := sent_summary(wired):
        assert [line[:2] for line in more] in ([("OrderCancelReject", 5)], [("OrderCancelReject", 6)])
        events += wired.wait(0)
    assert events == [ResendServed(5, 6, 2)]


def test_a_resend_larger_than_the_output_limit_does_not_end_the_session() -> None:
    wired = session_with_messages(Role.ACCEPTOR, sent=0, max_unsent=1000)
    for _ in range(40):
        wired.session.send(cancel_reject(), wired.clock.now)
        wired.session.data_to_send()
    wired.receive(wired.peer.message("2", "7=1|16=0|"))
    seen = 0
    while found := [m for m in wired.sent() if m.header.poss_dup_flag]:
        assert wired.session.state is State.ESTABLISHED
        seen += len(found)
        wired.wait(0)
    assert seen == 41


@pytest.mark.parametrize("size", [1_900, 2_000, 2_001, 50_000])
def test_a_message_larger_than_the_output_limit_is_resent(role: Role, size: int) -> None:
    """Regression: at every logon that resent the message, the session ended as if the peer had stopped
    reading.
    """
    wired = session_with_messages(role, sent=0, resend_policy=resend_everything, max_unsent=1_000)
    wired.session.send(large_message(role, size), wired.clock.now)
    unsent = wired.session.data_to_send()
    assert wired.receive(wired.peer.message("2", "7=1|16=0|"), wired.peer.message("1", "112=x|")) == []
    wired.wait(0)
    assert len(wired.session._core.outbound.buffer) > len(unsent) >= size
    assert wired.session.state is State.ESTABLISHED
    assert [message.header.msg_seq_num for message in wired.sent()][:2] == [1, 2]


def test_unsent_output_besides_the_largest_message_is_bounded(role: Role) -> None:
    # A large message that was already written does not raise the bound.
    for written in (False, True):
        wired = session_with_messages(role, sent=0, max_unsent=1_000)
        wired.session.send(large_message(role, 5_000), wired.clock.now)
        if written:
            wired.session.data_to_send()
        largest = len(wired.session._core.outbound.buffer)
        events: list[Event] = []
        while not events:
            events = wired.receive(wired.peer.message("1", "112=x|"))
        ended = one(events, SessionEnded)
        assert ended.text == "the peer has stopped reading"
        assert 2_000 < ended.unsent - largest < 2_500
