"""A reset of the numbers within the session, begun by this side."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio._generated import ExecutionReport, OrderCancelReject
from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_sansio.events import (
    GapDetected,
    LoggedOn,
    MessageReceived,
    OutcomesUnknown,
    SessionEnded,
)
from kalshi_fix_sansio.outcomes import Uncertainty
from kalshi_fix_sansio.session import MemoryStore, State
from tests.helpers import Wired, established, kinds, of_type, order, pair

BOTH = pytest.mark.parametrize("role", Role)
LOGON = "98=0|108=30|96=eA==|1137=9|"
NEWS = "434=1|37=o|11=a|39=8|"


def resetting(role: Role, name: str = "KalshiRT") -> Wired:
    """A session that has received number 2 and has begun a reset."""
    wired = established(role, name)
    wired.receive(wired.peer.message("9", NEWS))
    wired.session.reset(wired.clock.now)
    assert wired.session.state is State.RESETTING
    return wired


@BOTH
@pytest.mark.parametrize("name", ["KalshiRT", "KalshiNR"])
@pytest.mark.parametrize("flag", ["141=Y|", ""])
def test_both_directions_restart_once(role: Role, name: str, flag: str) -> None:
    wired = resetting(role, name)
    (logon,) = wired.sent()
    assert (logon.NAME, logon.header.msg_seq_num, logon.reset_seq_num_flag) == ("Logon", 1, True)
    (event,) = wired.receive(wired.peer.logon(LOGON + flag, 1))
    assert isinstance(event, LoggedOn)
    assert event.reset
    assert wired.sent() == []
    assert (wired.session.next_outgoing, wired.session.next_incoming) == (2, 2)
    assert wired.session.state is State.ESTABLISHED


@BOTH
def test_what_was_on_its_way_is_received_under_its_old_number(role: Role) -> None:
    wired = resetting(role)
    wired.session.data_to_send()
    events = wired.receive(wired.peer.message("9", NEWS), wired.peer.message("1", "112=x|"))
    assert [event.message.header.msg_seq_num for event in of_type(events, MessageReceived)] == [3]
    (answer,) = wired.sent()
    assert (answer.NAME, answer.header.msg_seq_num) == ("Heartbeat", 2)
    wired.receive(wired.peer.logon(LOGON + "141=Y|", 1))
    assert (wired.session.next_outgoing, wired.session.next_incoming) == (3, 2)


def test_two_sessions_agree_and_go_on() -> None:
    both = pair()
    both.connect()
    both.client.send(order("a1"), both.clock.now)
    both.settle()
    both.client.reset(both.clock.now)
    both.settle()
    assert [event.reset for event in of_type(both.client_events, LoggedOn)] == [False, True]
    assert [event.reset for event in of_type(both.venue_events, LoggedOn)] == [False, True]
    assert both.client.send(order("a2"), both.clock.now) == 2
    both.settle()
    both.venue.reset(both.clock.now)
    both.settle()
    report = OrderCancelReject(order_id="o", cl_ord_id="a", ord_status="8", cxl_rej_response_to="1")
    assert both.venue.send(report, both.clock.now) == 2
    both.settle()
    assert of_type(both.client_events, MessageReceived)[-1].message == report
    assert (both.client.next_incoming, both.venue.next_incoming) == (3, 2)


def test_resets_that_cross_are_one_reset() -> None:
    both = pair()
    both.connect()
    both.client.reset(both.clock.now)
    both.venue.reset(both.clock.now)
    both.settle()
    assert both.client.state is both.venue.state is State.ESTABLISHED
    assert (both.client.next_outgoing, both.venue.next_outgoing) == (2, 2)
    assert (both.client.next_incoming, both.venue.next_incoming) == (2, 2)


@BOTH
def test_nothing_is_sent_until_the_answer(role: Role) -> None:
    wired = resetting(role)
    message = (
        order()
        if role is Role.INITIATOR
        else OrderCancelReject(order_id="o", cl_ord_id="a", ord_status="8", cxl_rej_response_to="1")
    )
    assert not wired.session.is_established
    for call in (
        lambda: wired.session.send(message, wired.clock.now),
        lambda: wired.session.reset(wired.clock.now),
    ):
        with pytest.raises(LocalProtocolError, match="resetting"):
            call()
    assert wired.session.next_outgoing == 2


@BOTH
def test_no_reset_while_a_gap_is_open(role: Role) -> None:
    wired = established(role)
    wired.receive(wired.peer.message("9", NEWS, 5))
    with pytest.raises(LocalProtocolError, match="cannot reset the numbers"):
        wired.session.reset(wired.clock.now)


@BOTH
def test_a_gap_in_the_old_numbers_ends_the_session(role: Role) -> None:
    wired = resetting(role)
    wired.session.data_to_send()
    (gap,) = wired.receive(wired.peer.message("9", NEWS, 7))
    assert gap == GapDetected(3, 6, recoverable=False)
    assert kinds(wired.sent()) == ["Logout"]
    assert wired.session.state is State.LOGOUT_SENT


@BOTH
def test_an_answer_with_another_number_ends_the_session(role: Role) -> None:
    wired = resetting(role)
    wired.session.data_to_send()
    (ended,) = wired.receive(wired.peer.logon(LOGON + "141=Y|", 2))
    assert isinstance(ended, SessionEnded)
    assert ended.text == "MsgSeqNum must be 1 with ResetSeqNumFlag=Y"
    assert kinds(wired.sent()) == ["Logout"]


@BOTH
def test_an_abort_meanwhile_says_goodbye(role: Role) -> None:
    wired = resetting(role)
    wired.session.data_to_send()
    wired.session.abort("enough", wired.clock.now)
    (logout,) = wired.sent()
    assert logout.text == "enough"


def test_a_reset_that_the_user_was_never_told_of_is_told_by_the_next_process() -> None:
    stores = MemoryStore(), MemoryStore()
    both = pair(client_store=stores[0], venue_store=stores[1], client={"explicit_confirm": True})
    both.connect()
    both.client.confirm()
    both.venue.reset(both.clock.now)
    both.settle()
    assert [event.reset for event in of_type(both.client_events, LoggedOn)] == [False, True]
    for expected in (True, False):
        again = pair(client_store=stores[0], venue_store=stores[1])
        again.connect()
        assert [event.reset for event in of_type(again.client_events, LoggedOn)] == [expected]
        again.client.events()


def test_an_answer_that_a_reset_and_a_crash_swallowed_is_missed() -> None:
    stores = MemoryStore(), MemoryStore()
    both = pair(client_store=stores[0], venue_store=stores[1], client={"explicit_confirm": True})
    both.connect()
    both.client.send(order("a1"), both.clock.now)
    both.settle()
    report = ExecutionReport(
        order_id="o",
        cl_ord_id="a1",
        exec_id="e",
        exec_type="0",
        ord_status="0",
        side="1",
        symbol="S",
        order_qty=10,
        leaves_qty=10,
        cum_qty=0,
        avg_px=0,
    )
    both.venue.send(report, both.clock.now)
    both.settle()
    both.client.reset(both.clock.now)
    both.settle()
    assert not of_type(both.client_events, OutcomesUnknown)
    again = pair(client_store=stores[0], venue_store=stores[1])
    again.connect()
    (unknown,) = of_type(again.client_events, OutcomesUnknown)
    assert (unknown.request_ids, unknown.why) == (("a1",), Uncertainty.RESTARTED)
