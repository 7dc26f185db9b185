"""Contents of LoggedOn: the requested Logon fields, and the messages still missing."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio import LogonFields
from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.events import Event, GapClosed, GapDetected, LoggedOn, LogonRequested
from kalshi_fix_sansio.session import MemoryStore
from tests.helpers import LOGON, connected, of_type, wire

RESET = "98=0|108=30|1137=9|141=Y|"


def logged_on_events(events: list[Event]) -> LoggedOn:
    (event,) = of_type(events, LoggedOn)
    return event


def test_the_requested_fields_are_included_without_secrets() -> None:
    fields = LogonFields(use_dollars=True, cancel_orders_on_disconnect=False, password="hush")
    wired = connected(Role.INITIATOR, "KalshiNR", logon_fields=fields)
    event = logged_on_events(wired.receive(wired.peer.logon(RESET)))
    assert event.flags == {"use_dollars": True, "cancel_orders_on_disconnect": False}
    assert "hush" not in repr(event)
    with pytest.raises(TypeError):
        event.flags["use_dollars"] = False  # type: ignore[index]


def test_an_acceptor_reports_its_answer() -> None:
    wired = connected(Role.ACCEPTOR, "KalshiNR")
    assert of_type(wired.receive(wired.peer.logon(LOGON + "141=Y|")), LogonRequested)
    wired.session.accept_logon(wired.clock.now, fields=LogonFields(use_dollars=True))
    assert logged_on_events(wired.session.events()).flags == {"use_dollars": True}


def test_no_messages_are_missing_without_a_gap() -> None:
    wired = connected(Role.INITIATOR, store=MemoryStore(next_outgoing=5, next_incoming=7))
    event = logged_on_events(wired.receive(wired.peer.logon(number=7)))
    assert (event.missing, event.resend_expected, event.reset) == (None, False, False)


@pytest.mark.parametrize("offered", [False, True])
def test_messages_sent_by_the_peer_but_not_received_are_missing(offered: bool) -> None:
    wired = wire(
        Role.INITIATOR, store=MemoryStore(next_outgoing=5, next_incoming=7), offer_next_expected=offered
    )
    wired.session.connect(wired.clock.now)
    events = wired.receive(wired.peer.logon(f"98=0|108=30|1137=9|{'789=6|' if offered else ''}", 10))
    assert (logged_on_events(events).missing, logged_on_events(events).resend_expected) == ((7, 9), True)
    assert [(gap.begin, gap.end) for gap in of_type(events, GapDetected)] == [(7, 9)]
    rest = wired.receive(
        *(wired.peer.message("0", "43=Y|122=20260821-14:03:07.123|", number) for number in (7, 8, 9))
    )
    assert of_type(rest, GapClosed)


def test_an_acceptor_also_reports_missing_messages() -> None:
    wired = connected(Role.ACCEPTOR, store=MemoryStore(next_outgoing=5, next_incoming=7))
    assert logged_on_events(wired.log_on(number=8)).missing == (7, 7)


def test_unconfirmed_events_at_a_reconnect_are_not_missing() -> None:
    wired = connected(Role.INITIATOR)
    wired.receive(wired.peer.logon())
    wired.session.receive_data(wired.peer.message("j", "45=1|372=D|380=0|"), wired.clock.now)
    wired.session.receive_eof(wired.clock.now)
    wired.reconnect()
    events = wired.receive(wired.peer.logon())
    assert logged_on_events(events).missing is None


def test_a_reset_within_the_session_leaves_no_missing_messages() -> None:
    wired = connected(Role.INITIATOR)
    wired.receive(wired.peer.logon())
    wired.session.reset(wired.clock.now)
    event = logged_on_events(wired.receive(wired.peer.logon(RESET, 1)))
    assert (event.reset, event.missing) == (True, None)


@pytest.mark.parametrize(("number", "restarted"), [(1, False), (2, True)])
def test_a_refused_logon_leaves_no_reset_to_report(number: int, restarted: bool) -> None:
    store = MemoryStore()
    wired = connected(Role.INITIATOR, store=store)
    wired.receive(wired.peer.message("5", "58=Invalid signature|", 1))
    wired = connected(Role.INITIATOR, store=store)
    (event,) = of_type(wired.receive(wired.peer.logon(number=number)), LoggedOn)
    assert (event.reset, event.reset_requested) == (restarted, not restarted)


def test_the_generation_counts_the_resets_of_the_store() -> None:
    store = MemoryStore()
    store.reset()
    wired = connected(Role.INITIATOR, store=store)
    generations = [logged_on_events(wired.receive(wired.peer.logon())).generation]
    wired.session.reset(wired.clock.now)
    generations.append(logged_on_events(wired.receive(wired.peer.logon(RESET, 1))).generation)
    assert generations == [1, 2]
