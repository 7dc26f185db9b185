"""Gaps forced at the logon and in the middle of a session, in either direction and in both at once."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from pathlib import Path

import pytest

from interop.pairing import Pairing
from interop.peer import PATIENCE
from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.events import (
    Event,
    GapClosed,
    GapDetected,
    MessageReceived,
    ResendServed,
)
from kalshi_fix_sansio.session import MemoryStore
from kalshi_fix_sansio.signing import Signer

LOST = ("lost-1", "lost-2", "lost-3")


class Connection:
    """One connection between our side and QuickFIX, with the actions and checks of the tests."""

    def __init__(self, pairing: Pairing, store: MemoryStore) -> None:
        self.pairing = pairing
        self._served: queue.Queue[ResendServed] = queue.Queue()
        self.our_side, _logged_on = pairing.connect(store, take=self._take)

    def _take(self, event: Event) -> bool:
        # ResendServed is kept apart, because its position among the events varies: if both sides send a
        # ResendRequest, either may be first. QuickFIX may also send a second ResendRequest: if it processes a
        # gap fill after the messages that it has held, it ignores the gap fill, whose MsgSeqNum is then too
        # low, and detects the gap again at the next message.
        if isinstance(event, ResendServed):
            self._served.put(event)
            return True
        return False

    def expect_gap(self, begin: int, end: int) -> None:
        assert self.our_side.expect(GapDetected) == GapDetected(begin, end, recoverable=True)

    def expect_messages(self, *names: str, poss_dup: bool) -> None:
        for name in names:
            event = self.our_side.expect(MessageReceived)
            assert event.message.cl_ord_id == name  # type: ignore[attr-defined]
            assert event.poss_dup is poss_dup

    def expect_served(self, begin: int, resent: int) -> None:
        served = self._served.get(timeout=PATIENCE)
        assert (served.begin, served.resent) == (begin, resent)

    def send(self, *names: str, lost: bool = False) -> None:
        for name in names:
            if lost:
                self.our_side.outgoing.drop_next(self.pairing.our_type)
            self.our_side.send(self.pairing.our_message(name))

    def peer_sends(self, *names: str, lost: bool = False) -> None:
        """Make QuickFIX send messages."""
        for name in names:
            if lost:
                self.our_side.incoming.drop_next(self.pairing.their_type)
            self.pairing.peer.send(*self.pairing.their_message(name))

    def expect_at_the_peer(self, *names: str, poss_dup: bool) -> None:
        for name in names:
            fields = self.pairing.peer.inbox.take(self.pairing.our_type)
            assert fields[11] == name
            assert (fields.get(43) == "Y") is poss_dup

    def expect_recovery_of_both_sides(self, begin: int) -> None:
        """Expect that both sides recover LOST, whose first MsgSeqNum is `begin` in both directions."""
        self.expect_gap(begin, begin + len(LOST) - 1)
        self.expect_messages(*LOST, poss_dup=True)
        self.our_side.expect(GapClosed)
        self.expect_at_the_peer(*LOST, poss_dup=True)
        self.expect_served(begin=begin, resent=len(LOST))
        self.log_out_and_check_numbers()

    def log_out_and_check_numbers(self) -> None:
        """Exchange one more message each way, log out, and check that neither side lacks a message."""
        peer = self.pairing.peer
        self.peer_sends("last")
        self.expect_messages("last", poss_dup=False)
        assert self.our_side.session.next_incoming == peer.next_outgoing
        self.send("last")
        assert peer.inbox.take(self.pairing.our_type)[11] == "last"
        self.our_side.log_out()
        peer.inbox.wait_until_logged_out()
        assert peer.inbox.is_empty()
        assert self.our_side.session.next_outgoing == peer.next_incoming


@pytest.fixture
def peer_ahead(
    role: Role, tmp_path: Path, dictionaries: dict[str, Path], signer: Signer
) -> Iterator[Pairing]:
    """Yield a pairing in which QuickFIX has sent three messages that our side did not receive."""
    with Pairing(role, tmp_path, dictionaries, signer, queued=LOST) as pairing:
        yield pairing


@pytest.fixture
def pairing(role: Role, tmp_path: Path, dictionaries: dict[str, Path], signer: Signer) -> Iterator[Pairing]:
    """Yield a pairing in which QuickFIX's sequence numbers are 1."""
    with Pairing(role, tmp_path, dictionaries, signer) as pairing:
        yield pairing


def test_messages_that_we_missed_before_the_logon_are_recovered(peer_ahead: Pairing) -> None:
    connection = Connection(peer_ahead, MemoryStore())
    connection.expect_gap(1, 3)
    connection.expect_messages(*LOST, poss_dup=True)
    connection.our_side.expect(GapClosed)
    connection.log_out_and_check_numbers()


def test_messages_that_the_peer_missed_before_the_logon_are_recovered(pairing: Pairing) -> None:
    connection = Connection(pairing, pairing.store(LOST))
    connection.expect_at_the_peer(*LOST, poss_dup=True)
    connection.expect_served(begin=1, resent=3)
    connection.log_out_and_check_numbers()


def test_messages_that_both_sides_missed_before_the_logon_are_recovered(peer_ahead: Pairing) -> None:
    connection = Connection(peer_ahead, peer_ahead.store(LOST))
    connection.expect_recovery_of_both_sides(begin=1)


def test_messages_that_we_miss_mid_session_are_recovered(pairing: Pairing) -> None:
    connection = Connection(pairing, MemoryStore())
    connection.peer_sends("first")
    connection.expect_messages("first", poss_dup=False)
    connection.peer_sends(*LOST, lost=True)
    connection.peer_sends("after")

    connection.expect_gap(3, 5)
    connection.expect_messages(*LOST, poss_dup=True)
    connection.expect_messages("after", poss_dup=False)
    connection.our_side.expect(GapClosed)
    connection.log_out_and_check_numbers()


def test_messages_that_the_peer_misses_mid_session_are_recovered(pairing: Pairing) -> None:
    connection = Connection(pairing, MemoryStore())
    connection.send("first")
    connection.expect_at_the_peer("first", poss_dup=False)
    connection.send(*LOST, lost=True)
    connection.send("after")

    connection.expect_at_the_peer(*LOST, poss_dup=True)
    # QuickFIX requests all messages since the gap, and also processes the later message that it has held.
    connection.expect_at_the_peer("after", poss_dup=False)
    connection.expect_served(begin=3, resent=4)
    connection.log_out_and_check_numbers()


def test_messages_that_both_sides_miss_mid_session_are_recovered(pairing: Pairing) -> None:
    connection = Connection(pairing, MemoryStore())
    connection.peer_sends(*LOST, lost=True)
    connection.send(*LOST, lost=True)
    # The TestRequest reveals the gap to QuickFIX. It answers with a ResendRequest and then a Heartbeat, whose
    # MsgSeqNums reveal the other gap to our side.
    connection.our_side.call(lambda session, now: session.test_request(now))

    connection.expect_recovery_of_both_sides(begin=2)


def test_messages_in_transit_when_the_connection_breaks_are_recovered(pairing: Pairing) -> None:
    store = MemoryStore()
    first = Connection(pairing, store)
    first.our_side.outgoing.drop_every()
    first.send(*LOST)
    first.our_side.close()
    pairing.peer.inbox.wait_until_logged_out()
    first.peer_sends("meanwhile")

    second = Connection(pairing, store)
    second.expect_gap(2, 2)
    second.expect_messages("meanwhile", poss_dup=True)
    second.our_side.expect(GapClosed)
    second.expect_at_the_peer(*LOST, poss_dup=True)
    second.expect_served(begin=2, resent=3)
    second.log_out_and_check_numbers()
