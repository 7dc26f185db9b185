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


class OurSide:
    """The user of our side in one scenario."""

    def __init__(self, pairing: Pairing, store: MemoryStore) -> None:
        self.pairing = pairing
        self._served: queue.Queue[ResendServed] = queue.Queue()
        self.ours, _logged_on = pairing.connect(store, take=self._take)

    def _take(self, event: Event) -> bool:
        # If both sides send ResendRequests, their order is unspecified, and so is whether QuickFIX sends two:
        # it processes its queued messages before a gap fill. The gap fill is then below the expected number
        # and ignored, so the next message reveals the same gap again.
        if isinstance(event, ResendServed):
            self._served.put(event)
            return True
        return False

    def expect_gap(self, begin: int, end: int) -> None:
        assert self.ours.expect(GapDetected) == GapDetected(begin, end, recoverable=True)

    def expect_messages(self, *names: str, poss_dup: bool) -> None:
        for name in names:
            event = self.ours.expect(MessageReceived)
            assert event.message.cl_ord_id == name  # type: ignore[attr-defined]
            assert event.poss_dup is poss_dup

    def expect_served(self, begin: int, resent: int) -> None:
        served = self._served.get(timeout=PATIENCE)
        assert (served.begin, served.resent) == (begin, resent)

    def send(self, *names: str, lost: bool = False) -> None:
        for name in names:
            if lost:
                self.ours.outgoing.drop_next(self.pairing.our_type)
            self.ours.send(self.pairing.our_message(name))

    def peer_sends(self, *names: str, lost: bool = False) -> None:
        """Make QuickFIX send messages."""
        for name in names:
            if lost:
                self.ours.incoming.drop_next(self.pairing.their_type)
            self.pairing.peer.send(*self.pairing.their_message(name))

    def expect_at_the_peer(self, *names: str, poss_dup: bool) -> None:
        for name in names:
            fields = self.pairing.peer.inbox.take(self.pairing.our_type)
            assert fields[11] == name
            assert (fields.get(43) == "Y") is poss_dup

    def end_in_agreement(self) -> None:
        """Exchange one more message each way and log out; then no message is missing on either side."""
        peer = self.pairing.peer
        self.peer_sends("last")
        self.expect_messages("last", poss_dup=False)
        assert self.ours.session.next_incoming == peer.next_outgoing
        self.send("last")
        assert peer.inbox.take(self.pairing.our_type)[11] == "last"
        self.ours.log_out()
        peer.inbox.wait_until_logged_out()
        assert peer.inbox.is_empty()
        assert self.ours.session.next_outgoing == peer.next_incoming


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
    our_side = OurSide(peer_ahead, MemoryStore())
    our_side.expect_gap(1, 3)
    our_side.expect_messages(*LOST, poss_dup=True)
    our_side.ours.expect(GapClosed)
    our_side.end_in_agreement()


def test_messages_that_the_peer_missed_before_the_logon_are_recovered(pairing: Pairing) -> None:
    our_side = OurSide(pairing, pairing.store(LOST))
    our_side.expect_at_the_peer(*LOST, poss_dup=True)
    our_side.expect_served(begin=1, resent=3)
    our_side.end_in_agreement()


def test_messages_that_both_sides_missed_before_the_logon_are_recovered(peer_ahead: Pairing) -> None:
    our_side = OurSide(peer_ahead, peer_ahead.store(LOST))
    our_side.expect_gap(1, 3)
    our_side.expect_messages(*LOST, poss_dup=True)
    our_side.ours.expect(GapClosed)
    our_side.expect_at_the_peer(*LOST, poss_dup=True)
    our_side.expect_served(begin=1, resent=3)
    our_side.end_in_agreement()


def test_messages_that_we_miss_mid_session_are_recovered(pairing: Pairing) -> None:
    our_side = OurSide(pairing, MemoryStore())
    our_side.peer_sends("first")
    our_side.expect_messages("first", poss_dup=False)
    our_side.peer_sends(*LOST, lost=True)
    our_side.peer_sends("after")

    our_side.expect_gap(3, 5)
    our_side.expect_messages(*LOST, poss_dup=True)
    our_side.expect_messages("after", poss_dup=False)
    our_side.ours.expect(GapClosed)
    our_side.end_in_agreement()


def test_messages_that_the_peer_misses_mid_session_are_recovered(pairing: Pairing) -> None:
    our_side = OurSide(pairing, MemoryStore())
    our_side.send("first")
    our_side.expect_at_the_peer("first", poss_dup=False)
    our_side.send(*LOST, lost=True)
    our_side.send("after")

    our_side.expect_at_the_peer(*LOST, poss_dup=True)
    # QuickFIX requests all messages since the gap, and also processes the later message that it has held.
    our_side.expect_at_the_peer("after", poss_dup=False)
    our_side.expect_served(begin=3, resent=4)
    our_side.end_in_agreement()


def test_messages_that_both_sides_miss_mid_session_are_recovered(pairing: Pairing) -> None:
    our_side = OurSide(pairing, MemoryStore())
    our_side.peer_sends(*LOST, lost=True)
    our_side.send(*LOST, lost=True)
    # The TestRequest shows QuickFIX that messages are missing; the numbers of its ResendRequest, which
    # is sent first, and of its Heartbeat reveal the gap on our side.
    our_side.ours.call(lambda session, now: session.test_request(now))

    our_side.expect_gap(2, 4)
    our_side.expect_messages(*LOST, poss_dup=True)
    our_side.ours.expect(GapClosed)
    our_side.expect_at_the_peer(*LOST, poss_dup=True)
    our_side.expect_served(begin=2, resent=3)
    our_side.end_in_agreement()


def test_messages_in_transit_when_the_connection_breaks_are_recovered(pairing: Pairing) -> None:
    store = MemoryStore()
    first = OurSide(pairing, store)
    first.ours.outgoing.drop_every()
    first.send(*LOST)
    first.ours.close()
    pairing.peer.inbox.wait_until_logged_out()
    first.peer_sends("meanwhile")

    second = OurSide(pairing, store)
    second.expect_gap(2, 2)
    second.expect_messages("meanwhile", poss_dup=True)
    second.ours.expect(GapClosed)
    second.expect_at_the_peer(*LOST, poss_dup=True)
    second.expect_served(begin=2, resent=3)
    second.end_in_agreement()
