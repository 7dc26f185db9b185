"""NextExpectedMsgSeqNum (789): what is missing comes again after the Logon, and nobody has to ask."""

from __future__ import annotations

from typing import Any

import pytest

from kalshi_fix_sansio._generated import OrderCancelReject
from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_sansio.events import (
    CloseReason,
    Event,
    GapClosed,
    GapDetected,
    LoggedOn,
    MessageReceived,
    MessagesLost,
    RejectReceived,
    ResendServed,
    SessionEnded,
)
from kalshi_fix_sansio.session import MemoryStore, Session, State
from tests.helpers import Pair, config, established, kinds, messages, of_type, order, pair, wire

OFFER: dict[str, Any] = {"offer_next_expected": True}


def everything(message: Message, age: float) -> bool:
    return True


def report(number: int) -> OrderCancelReject:
    return OrderCancelReject(order_id="o", cl_ord_id=f"a{number}", ord_status="8", cxl_rej_response_to="1")


def interrupted(*, lost_by_client: int, lost_by_venue: int) -> tuple[MemoryStore, MemoryStore]:
    """The stores of two sides whose connection broke while messages were on their way."""
    client_store, venue_store = MemoryStore(), MemoryStore()
    both = pair(client_store=client_store, venue_store=venue_store)
    both.connect()
    for number in range(lost_by_client):
        both.venue.send(report(number), both.clock.now)
    for number in range(lost_by_venue):
        both.client.send(order(f"a{number}"), both.clock.now)
    both.client.receive_eof(both.clock.now)
    both.venue.receive_eof(both.clock.now)
    return client_store, venue_store


def reconnected(
    *, lost_by_client: int = 0, lost_by_venue: int = 0, offer: bool = True
) -> tuple[Pair, list[str]]:
    """The pair after its second logon, and the kinds of all messages that went either way, client first."""
    client_store, venue_store = interrupted(lost_by_client=lost_by_client, lost_by_venue=lost_by_venue)
    both = pair(
        client_store=client_store,
        venue_store=venue_store,
        client={"offer_next_expected": offer, "resend_policy": everything},
    )
    wires: list[bytes] = []

    def tap(data: bytes) -> list[bytes]:
        wires.append(data)
        return [data]

    both.cut = tap
    both.connect()
    names = [
        field[3:].decode() for data in wires for field in data.split(b"\x01") if field.startswith(b"35=")
    ]
    return both, names


def numbers(events: list[Event]) -> list[tuple[int, bool]]:
    return [(e.message.header.msg_seq_num, e.poss_dup) for e in of_type(events, MessageReceived)]


def test_without_loss_the_offer_changes_nothing() -> None:
    both, names = reconnected()
    assert names == ["A", "A"]
    assert both.client.state is both.venue.state is State.ESTABLISHED
    assert of_type(both.client_events + both.venue_events, ResendServed) == []


@pytest.mark.parametrize("offer", [True, False])
def test_what_the_initiator_lost_comes_again(offer: bool) -> None:
    both, names = reconnected(lost_by_client=3, offer=offer)
    assert numbers(both.client_events) == [(2, True), (3, True), (4, True)]
    assert of_type(both.client_events, GapDetected) == [GapDetected(2, 4, recoverable=True)]
    assert of_type(both.client_events, GapClosed) == [GapClosed(6)]
    assert names == (["A", "A", "9", "9", "9"] if offer else ["A", "A", "2", "9", "9", "9"])
    assert both.client.state is State.ESTABLISHED


@pytest.mark.parametrize("offer", [True, False])
def test_what_the_acceptor_lost_comes_again(offer: bool) -> None:
    both, names = reconnected(lost_by_venue=2, offer=offer)
    assert numbers(both.venue_events) == [(2, True), (3, True)]
    assert of_type(both.venue_events, GapClosed) == [GapClosed(5)]
    assert ("2" in names) is not offer
    assert both.venue.state is State.ESTABLISHED


def test_both_directions_are_mended_at_once() -> None:
    both, names = reconnected(lost_by_client=2, lost_by_venue=2)
    assert numbers(both.client_events) == numbers(both.venue_events) == [(2, True), (3, True)]
    assert "2" not in names
    assert both.client.state is both.venue.state is State.ESTABLISHED


def test_a_peer_that_offers_but_does_not_resend_is_asked() -> None:
    store = MemoryStore()
    wired = wire(Role.INITIATOR, "KalshiRT", store, **OFFER)
    wired.session.connect(wired.clock.now)
    (logon,) = wired.sent()
    assert logon.next_expected_msg_seq_num == 1
    wired.receive(wired.peer.logon("98=0|108=30|1137=9|789=2|", 4))
    assert wired.session.state is State.RECOVERING
    assert wired.sent() == []
    wired.wait(29)
    assert "ResendRequest" not in kinds(wired.sent())
    wired.wait(2)
    (request,) = [m for m in wired.sent() if m.NAME == "ResendRequest"]
    assert (request.begin_seq_no, request.end_seq_no) == (1, 3)


@pytest.mark.parametrize("taken", [0, 1, 2, 3])
def test_what_waits_for_the_user_is_not_offered_as_missing(taken: int) -> None:
    """The store is behind what has come, as long as the user has not confirmed it: it is here, and would come
    twice."""
    both = pair(client=OFFER | {"explicit_confirm": True})
    both.connect()
    both.client.confirm()
    for number in range(3):
        both.venue.send(report(number), both.clock.now)
    both.settle()
    assert numbers(both.client_events) == [(2, False), (3, False), (4, False)]
    both.client.confirm(taken)
    assert both.client.store.next_incoming == 2 + taken
    both.client.receive_eof(both.clock.now)
    again = Session(both.client.config, continues=both.client)
    again.connect(both.clock.now)
    (logon,) = messages(again.data_to_send())
    assert logon.next_expected_msg_seq_num == 5


def test_an_acceptor_that_makes_no_offer_is_asked_at_once() -> None:
    wired = wire(Role.INITIATOR, "KalshiRT", **OFFER)
    wired.session.connect(wired.clock.now)
    wired.session.data_to_send()
    wired.receive(wired.peer.logon("98=0|108=30|1137=9|", 4))
    assert kinds(wired.sent()) == ["ResendRequest"]


def test_an_initiator_that_made_no_offer_still_serves_one_and_asks_for_itself() -> None:
    store = MemoryStore()
    store.next_outgoing = 5
    wired = wire(Role.INITIATOR, "KalshiRT", store)
    wired.session.connect(wired.clock.now)
    (logon,) = wired.sent()
    assert logon.next_expected_msg_seq_num is None
    wired.receive(wired.peer.logon("98=0|108=30|1137=9|789=3|", 4))
    request, fill = wired.sent()
    assert (request.begin_seq_no, request.end_seq_no) == (1, 3)
    assert (fill.header.msg_seq_num, fill.new_seq_no, fill.gap_fill_flag) == (3, 6, True)


def test_an_acceptor_refuses_an_expectation_of_what_was_never_sent() -> None:
    wired = wire(Role.ACCEPTOR)
    wired.session.connect(wired.clock.now)
    wired.receive(wired.peer.logon("98=0|108=30|96=eA==|1137=9|789=7|"))
    wired.session.accept_logon(wired.clock.now)
    (logout,) = wired.sent()
    assert logout.text == "NextExpectedMsgSeqNum 7 is too high, expected 1 at most"
    (ended,) = of_type(wired.session.events(), SessionEnded)
    assert ended.reason is CloseReason.PROTOCOL_ERROR


def test_an_initiator_refuses_an_expectation_of_what_was_never_sent() -> None:
    wired = wire(Role.INITIATOR, "KalshiRT", **OFFER)
    wired.session.connect(wired.clock.now)
    wired.session.data_to_send()
    (ended,) = wired.receive(wired.peer.logon("98=0|108=30|1137=9|789=9|"))
    assert isinstance(ended, SessionEnded)
    assert ended.reason is CloseReason.PROTOCOL_ERROR
    assert "NextExpectedMsgSeqNum 9 is too high" in ended.text


def test_a_reset_says_it_all() -> None:
    wired = wire(Role.INITIATOR, "KalshiRT", **OFFER, reset_seq_num=True)
    wired.session.connect(wired.clock.now)
    (logon,) = wired.sent()
    assert (logon.reset_seq_num_flag, logon.next_expected_msg_seq_num) == (True, None)
    wired.receive(wired.peer.logon("98=0|108=30|1137=9|141=Y|789=2|"))
    assert wired.session.state is State.ESTABLISHED


def test_what_the_acceptor_has_forgotten_it_does_not_offer_but_refuses() -> None:
    client_store, venue_store = interrupted(lost_by_client=3, lost_by_venue=0)
    both = pair(client_store=client_store, venue_store=venue_store, client=OFFER)
    venue_store.forget_before(both.clock.advance(60).utc)
    both.connect()
    both.advance(31)
    for refused in of_type(both.client_events, RejectReceived):
        assert "before the retention window" in refused.reject.text  # type: ignore[attr-defined]
    assert len(of_type(both.client_events, MessagesLost)) == 1
    assert both.client.state is State.ESTABLISHED


def test_an_offer_needs_a_session_type_with_resend() -> None:
    with pytest.raises(ConfigurationError, match="offer_next_expected is of no use on KalshiNR"):
        config(Role.INITIATOR, "KalshiNR", **OFFER)


# --- beside ResetSeqNumFlag

AT_RESET: dict[str, Any] = {**OFFER, "offer_next_expected_at_reset": True}


def test_an_initiator_that_resets_says_that_it_expects_1_where_it_is_set() -> None:
    for changes, offered in (({}, None), (OFFER, None), (AT_RESET, 1)):
        wired = wire(Role.INITIATOR, "KalshiRT", MemoryStore(next_incoming=7), reset_seq_num=True, **changes)
        wired.session.connect(wired.clock.now)
        (logon,) = wired.sent()
        assert (logon.reset_seq_num_flag, logon.next_expected_msg_seq_num) == (True, offered)
        (logged_on,) = wired.receive(wired.peer.logon("98=0|108=30|1137=9|141=Y|789=2|"))
        assert isinstance(logged_on, LoggedOn)
        assert wired.sent() == []


def test_an_offer_at_a_reset_needs_one_at_all() -> None:
    with pytest.raises(ConfigurationError, match="needs offer_next_expected; set both"):
        config(Role.INITIATOR, "KalshiRT", offer_next_expected_at_reset=True)


@pytest.mark.parametrize("offered", [1, 2])
def test_an_answer_to_a_reset_may_or_may_not_count_the_logon_that_asked(offered: int) -> None:
    wired = wire(Role.INITIATOR, "KalshiRT", reset_seq_num=True, **AT_RESET)
    wired.session.connect(wired.clock.now)
    wired.sent()
    wired.receive(wired.peer.logon(f"98=0|108=30|1137=9|141=Y|789={offered}|"))
    assert wired.session.state is State.ESTABLISHED
    assert wired.sent() == []


@pytest.mark.parametrize(("offer", "answer"), [("789=1|", 2), ("789=0|", 2), ("", None)])
def test_an_acceptor_answers_an_offer_beside_a_reset_in_kind(offer: str, answer: int | None) -> None:
    wired = wire(Role.ACCEPTOR, "KalshiRT", MemoryStore(next_outgoing=2000, next_incoming=2000))
    wired.session.connect(wired.clock.now)
    wired.receive(wired.peer.logon(f"98=0|108=30|96=eA==|1137=9|141=Y|{offer}"))
    wired.session.accept_logon(wired.clock.now)
    (logon,) = wired.sent()
    assert (logon.NAME, logon.header.msg_seq_num, logon.reset_seq_num_flag) == ("Logon", 1, True)
    assert logon.next_expected_msg_seq_num == answer
    assert wired.session.state is State.ESTABLISHED


def test_no_number_but_the_first_can_be_expected_beside_a_reset() -> None:
    wired = wire(Role.ACCEPTOR, "KalshiRT", MemoryStore(next_outgoing=2000))
    wired.session.connect(wired.clock.now)
    wired.receive(wired.peer.logon("98=0|108=30|96=eA==|1137=9|141=Y|789=2|"))
    wired.session.accept_logon(wired.clock.now)
    assert [m.text for m in wired.sent()] == ["NextExpectedMsgSeqNum 2 is too high, expected 1 at most"]
    for changes, resets in ((AT_RESET, True), (OFFER, False)):
        wired = wire(Role.INITIATOR, "KalshiRT", reset_seq_num=resets, **changes)
        wired.session.connect(wired.clock.now)
        wired.sent()
        wired.receive(wired.peer.logon("98=0|108=30|1137=9|141=Y|789=3|"))
        assert wired.session.state is State.CLOSED
        most = 2 if resets else 1
        assert [m.text for m in wired.sent()] == [
            f"NextExpectedMsgSeqNum 3 is too high, expected {most} at most"
        ]


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize(("offer", "answer"), [("", None), ("789=1|", 2), ("789=2|", "too high")])
def test_a_reset_by_the_peer_within_the_session_may_offer(role: Role, offer: str, answer: Any) -> None:
    wired = established(role)
    wired.receive(wired.peer.logon(f"98=0|108=30|96=eA==|1137=9|141=Y|{offer}", 1))
    (sent,) = wired.sent()
    if answer == "too high":
        assert (sent.NAME, sent.text) == ("Logout", "NextExpectedMsgSeqNum 2 is too high, expected 1 at most")
    else:
        assert (sent.NAME, sent.next_expected_msg_seq_num) == ("Logon", answer)


@pytest.mark.parametrize(("offered", "goes_on"), [(1, True), (2, True), (3, False)])
def test_a_reset_of_our_own_within_the_session_offers_where_it_is_set(offered: int, goes_on: bool) -> None:
    wired = established(Role.INITIATOR, **AT_RESET)
    wired.session.reset(wired.clock.now)
    (logon,) = wired.sent()
    assert (logon.reset_seq_num_flag, logon.next_expected_msg_seq_num) == (True, 1)
    wired.receive(wired.peer.logon(f"98=0|108=30|1137=9|141=Y|789={offered}|", 1))
    assert (wired.session.state is State.ESTABLISHED) is goes_on
    assert kinds(wired.sent()) == ([] if goes_on else ["Logout"])


def test_on_a_session_without_resend_an_offer_means_nothing() -> None:
    wired = wire(Role.ACCEPTOR, "KalshiNR")
    wired.session.connect(wired.clock.now)
    wired.receive(wired.peer.logon("98=0|108=30|96=eA==|1137=9|141=Y|789=55|"))
    wired.session.accept_logon(wired.clock.now)
    (logon,) = wired.sent()
    assert (logon.NAME, logon.next_expected_msg_seq_num) == ("Logon", None)
