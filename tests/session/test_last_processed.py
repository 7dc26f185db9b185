"""LastMsgSeqNumProcessed (369): the header contains the last number processed, if a setting requests it."""

from __future__ import annotations

from typing import Any

import pytest

from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.session import MemoryStore, Session
from tests.fix50sp2.helpers import config, established, order, sent
from tests.helpers import Clock, Peer, Wired


def last_processed(wired: Wired) -> list[tuple[str, int | None]]:
    """Return the messages sent, each with its LastMsgSeqNumProcessed."""
    found: list[Any] = sent(wired)
    return [(message.NAME, message.header.last_msg_seq_num_processed) for message in found]


def connected_session(role: Role, store: MemoryStore, **changes: Any) -> Wired:
    clock = Clock()
    session = Session(config(role, send_last_processed=True, **changes), store)
    peer = Peer(clock, str(session.config.target_comp_id), session.config.sender_comp_id)
    session.connect(clock.now)
    return Wired(clock, session, peer)


def test_every_message_contains_the_last_number_processed(role: Role) -> None:
    wired = established(role, send_last_processed=True)
    wired.session.send(order(), wired.clock.now)
    wired.receive(wired.peer.message("0"), wired.peer.message("0"))
    wired.session.send(order(), wired.clock.now)
    wired.session.send(order(), wired.clock.now, header_fields={"poss_resend": True})
    wired.receive(wired.peer.message("1", "112=x|"))
    assert last_processed(wired) == [
        ("NewOrderSingle", 1),
        ("NewOrderSingle", 3),
        ("NewOrderSingle", 3),
        ("Heartbeat", 3),  # The TestRequest is counted after its answer is written.
    ]


def test_the_number_stops_at_a_gap_and_resent_messages_contain_the_current_one(role: Role) -> None:
    wired = established(role, send_last_processed=True)
    wired.session.send(order(), wired.clock.now)
    wired.receive(wired.peer.message("0"))
    wired.session.data_to_send()
    wired.receive(wired.peer.message("2", "7=1|16=0|"))
    assert last_processed(wired) == [("SequenceReset", 2), ("NewOrderSingle", 2)]
    wired.receive(wired.peer.message("0", number=9))
    assert last_processed(wired) == [("ResendRequest", 3)]


def test_without_the_setting_the_field_is_absent(role: Role) -> None:
    wired = established(role)
    wired.session.send(order(), wired.clock.now)
    assert last_processed(wired) == [("NewOrderSingle", None)]


@pytest.mark.parametrize(("reset", "expected"), [(False, 6), (True, 0)])
def test_the_logon_of_an_initiator_contains_the_last_number_processed(reset: bool, expected: int) -> None:
    wired = connected_session(Role.INITIATOR, MemoryStore(next_incoming=7), reset_seq_num=reset)
    assert last_processed(wired) == [("Logon", expected)]


@pytest.mark.parametrize(
    ("number", "flag", "expected"),
    [(7, "", [("Logon", 7)]), (1, "141=Y|", [("Logon", 1)]), (9, "", [("Logon", 6), ("ResendRequest", 6)])],
)
def test_an_acceptors_answer_counts_the_logon_unless_there_is_a_gap(
    number: int, flag: str, expected: list[tuple[str, int | None]]
) -> None:
    wired = connected_session(Role.ACCEPTOR, MemoryStore(next_incoming=7))
    wired.log_on(f"98=0|108=30|1137=9|{flag}", number)
    assert last_processed(wired) == expected


def test_a_reset_within_the_session_restarts_the_number() -> None:
    wired = established(Role.INITIATOR, send_last_processed=True)
    wired.receive(wired.peer.message("0"))
    wired.session.reset(wired.clock.now)
    assert last_processed(wired) == [("Logon", 0)]
    wired = established(Role.ACCEPTOR, send_last_processed=True)
    wired.receive(wired.peer.message("0"), wired.peer.logon("98=0|108=30|1137=9|141=Y|", 1))
    assert last_processed(wired) == [("Logon", 1)]
