"""Sequence numbers that are reset, or jump ahead, within a session or with the next Logon."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from interop.ours import OurSide
from interop.pairing import Pairing
from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.events import (
    CloseReason,
    GapDetected,
    LoggedOn,
    LogoutReceived,
    MessagesLost,
    SequenceSkipped,
    SessionEnded,
)
from kalshi_fix_sansio.session import MemoryStore
from kalshi_fix_sansio.signing import Signer

RESETTING_LOGON = ("A", {98: "0", 108: "30", 141: "Y", 1137: "9"})
Start = Callable[..., Pairing]


@pytest.fixture
def start(tmp_path: Path, dictionaries: dict[str, Path], signer: Signer) -> Iterator[Start]:
    """Return a function that starts QuickFIX as the counterparty of our side, which plays the given role."""
    pairings = []

    def start(role: Role, **settings: str) -> Pairing:
        pairings.append(Pairing(role, tmp_path, dictionaries, signer, settings=settings))
        return pairings[-1]

    yield start
    for pairing in pairings:
        pairing.close()


def log_out(pairing: Pairing, ours: OurSide) -> None:
    ours.log_out()
    pairing.peer.inbox.wait_until_logged_out()
    assert pairing.peer.inbox.is_empty()


def test_the_peers_logon_resets_the_numbers_mid_session(start: Start) -> None:
    pairing = start(Role.ACCEPTOR)
    ours, _logged_on = pairing.connect(MemoryStore())
    pairing.exchange(ours, "before-1", "before-2")
    pairing.peer.send(*RESETTING_LOGON)

    assert ours.expect(LoggedOn).reset
    assert (ours.session.next_outgoing, ours.session.next_incoming) == (2, 2)
    pairing.exchange(ours, "after-1", "after-2")
    assert (ours.session.next_outgoing, ours.session.next_incoming) == (4, 4)
    log_out(pairing, ours)
    assert pairing.peer.next_incoming == ours.session.next_outgoing == 5


def test_the_peers_logon_resets_the_numbers_during_a_gap(start: Start) -> None:
    pairing = start(Role.ACCEPTOR)
    ours, _logged_on = pairing.connect(MemoryStore())
    pairing.exchange(ours, "before")
    ours.outgoing.drop_next("2")
    ours.incoming.drop_next("D")
    pairing.peer.send(*pairing.their_message("lost"))
    pairing.peer.send(*pairing.their_message("held"))
    ours.expect(GapDetected)
    pairing.peer.send(*RESETTING_LOGON)

    # The reset invalidates the numbers of the missing message and of the held one, so both are lost.
    assert ours.expect(MessagesLost) == MessagesLost(3, 4)
    assert ours.expect(LoggedOn).reset
    pairing.exchange(ours, "after")
    log_out(pairing, ours)


def test_our_logon_resets_the_numbers_mid_session(start: Start, role: Role) -> None:
    pairing = start(role)
    ours, _logged_on = pairing.connect(MemoryStore())
    pairing.exchange(ours, "before-1", "before-2")
    ours.call(lambda session, now: session.reset(now))

    assert ours.expect(LoggedOn).reset
    assert (ours.session.next_outgoing, ours.session.next_incoming) == (2, 2)
    pairing.exchange(ours, "after-1", "after-2")
    assert (ours.session.next_outgoing, ours.session.next_incoming) == (4, 4)
    log_out(pairing, ours)


def test_an_endless_exchange_of_resets_is_refused(start: Start) -> None:
    """QuickFIX's acceptor cannot reset during a session: it answers our answer with another reset."""
    pairing = start(Role.INITIATOR)
    ours, _logged_on = pairing.connect(MemoryStore())
    pairing.exchange(ours, "before")
    pairing.peer.send(*RESETTING_LOGON)

    assert ours.expect(LoggedOn).reset
    event = ours.expect(object)
    # Occasionally our answer arrives before the QuickFIX thread that sent the Logon has reset its numbers.
    if isinstance(event, LogoutReceived):
        assert event.text == "MsgSeqNum too low, expecting 2 but received 1"
        return
    assert isinstance(event, SessionEnded)
    assert event.reason is CloseReason.PROTOCOL_ERROR
    assert event.text == "MsgSeqNum must be 1 with ResetSeqNumFlag=Y"
    pairing.peer.inbox.wait_until_logged_out()
    assert ours.outgoing.passed["A"] == 2
    assert ours.outgoing.passed["5"] == 1


def test_the_peers_sequence_reset_is_applied_mid_session(start: Start, role: Role) -> None:
    pairing = start(role)
    ours, _logged_on = pairing.connect(MemoryStore())
    pairing.exchange(ours, "before")
    pairing.peer.send("4", {36: "1000", 123: "N"})
    pairing.peer.next_outgoing = 1000

    assert ours.expect(SequenceSkipped) == SequenceSkipped(3, 999, gap_fill=False)
    pairing.exchange(ours, "after")
    assert (ours.session.next_outgoing, ours.session.next_incoming) == (4, 1001)
    log_out(pairing, ours)


def test_the_next_logon_resets_the_numbers(start: Start, role: Role) -> None:
    store = MemoryStore()
    pairing = start(role, ResetOnLogon="Y" if role is Role.ACCEPTOR else "N")
    ours, _logged_on = pairing.connect(store, reset_seq_num=False)
    pairing.exchange(ours, "before-1", "before-2")
    log_out(pairing, ours)
    assert (store.next_outgoing, store.next_incoming) == (5, 5)

    ours, logged_on = pairing.connect(store, reset_seq_num=True)
    assert logged_on.reset
    assert (store.next_outgoing, store.next_incoming) == (2, 2)
    pairing.exchange(ours, "after")
    log_out(pairing, ours)
    assert (store.next_outgoing, store.next_incoming) == (4, 4)
