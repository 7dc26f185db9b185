"""Gaps forced at the logon and in the middle of a session, in either direction and in both at once."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from pathlib import Path

import pytest

from interop.meeting import Meeting
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


class Scenario:
    """The actions of both sides, and the expected events and messages."""

    def __init__(self, meeting: Meeting, store: MemoryStore) -> None:
        self.meeting = meeting
        self._served: queue.Queue[ResendServed] = queue.Queue()
        self.ours, _logged_on = meeting.connect(store, take=self._take)

    def _take(self, event: Event) -> bool:
        # If both sides send ResendRequests, the order of the requests is unspecified. QuickFIX may also send
        # two: it processes its queued messages before a gap fill, which is then below the expected number and
        # ignored, so the next message reveals the same gap again.
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
                self.ours.outgoing.drop_next(self.meeting.our_type)
            self.ours.send(self.meeting.our(name))

    def peer_sends(self, *names: str, lost: bool = False) -> None:
        """Make QuickFIX send messages."""
        for name in names:
            if lost:
                self.ours.incoming.drop_next(self.meeting.their_type)
            self.meeting.peer.send(*self.meeting.theirs(name))

    def expect_at_the_peer(self, *names: str, poss_dup: bool) -> None:
        for name in names:
            fields = self.meeting.peer.inbox.take(self.meeting.our_type)
            assert fields[11] == name
            assert (fields.get(43) == "Y") is poss_dup

    def end_in_agreement(self) -> None:
        """Exchange one more message each way and log out; then no message is missing on either side."""
        peer = self.meeting.peer
        self.peer_sends("last")
        self.expect_messages("last", poss_dup=False)
        assert self.ours.session.next_incoming == peer.next_outgoing
        self.send("last")
        assert peer.inbox.take(self.meeting.our_type)[11] == "last"
        self.ours.log_out()
        peer.inbox.wait_until_logged_out()
        assert peer.inbox.is_empty()
        assert self.ours.session.next_outgoing == peer.next_incoming


@pytest.fixture
def peer_ahead(
    role: Role, tmp_path: Path, dictionaries: dict[str, Path], signer: Signer
) -> Iterator[Meeting]:
    """Yield a meeting in which QuickFIX has sent three messages that our side did not receive."""
    with Meeting(role, tmp_path, dictionaries, signer, waiting=LOST) as meeting:
        yield meeting


@pytest.fixture
def meeting(role: Role, tmp_path: Path, dictionaries: dict[str, Path], signer: Signer) -> Iterator[Meeting]:
    """Yield a meeting in which QuickFIX's sequence numbers are 1."""
    with Meeting(role, tmp_path, dictionaries, signer) as meeting:
        yield meeting


def test_messages_that_we_missed_before_the_logon_are_recovered(peer_ahead: Meeting) -> None:
    scenario = Scenario(peer_ahead, MemoryStore())
    scenario.expect_gap(1, 3)
    scenario.expect_messages(*LOST, poss_dup=True)
    scenario.ours.expect(GapClosed)
    scenario.end_in_agreement()


def test_messages_that_the_peer_missed_before_the_logon_are_recovered(meeting: Meeting) -> None:
    scenario = Scenario(meeting, meeting.store(LOST))
    scenario.expect_at_the_peer(*LOST, poss_dup=True)
    scenario.expect_served(begin=1, resent=3)
    scenario.end_in_agreement()


def test_messages_that_both_sides_missed_before_the_logon_are_recovered(peer_ahead: Meeting) -> None:
    scenario = Scenario(peer_ahead, peer_ahead.store(LOST))
    scenario.expect_gap(1, 3)
    scenario.expect_messages(*LOST, poss_dup=True)
    scenario.ours.expect(GapClosed)
    scenario.expect_at_the_peer(*LOST, poss_dup=True)
    scenario.expect_served(begin=1, resent=3)
    scenario.end_in_agreement()


def test_messages_that_we_miss_mid_session_are_recovered(meeting: Meeting) -> None:
    scenario = Scenario(meeting, MemoryStore())
    scenario.peer_sends("first")
    scenario.expect_messages("first", poss_dup=False)
    scenario.peer_sends(*LOST, lost=True)
    scenario.peer_sends("after")

    scenario.expect_gap(3, 5)
    scenario.expect_messages(*LOST, poss_dup=True)
    scenario.expect_messages("after", poss_dup=False)
    scenario.ours.expect(GapClosed)
    scenario.end_in_agreement()


def test_messages_that_the_peer_misses_mid_session_are_recovered(meeting: Meeting) -> None:
    scenario = Scenario(meeting, MemoryStore())
    scenario.send("first")
    scenario.expect_at_the_peer("first", poss_dup=False)
    scenario.send(*LOST, lost=True)
    scenario.send("after")

    scenario.expect_at_the_peer(*LOST, poss_dup=True)
    # QuickFIX requests all messages since the gap, and also processes the later message that it has held.
    scenario.expect_at_the_peer("after", poss_dup=False)
    scenario.expect_served(begin=3, resent=4)
    scenario.end_in_agreement()


def test_messages_that_both_sides_miss_mid_session_are_recovered(meeting: Meeting) -> None:
    scenario = Scenario(meeting, MemoryStore())
    scenario.peer_sends(*LOST, lost=True)
    scenario.send(*LOST, lost=True)
    # The TestRequest shows QuickFIX that messages are missing; the numbers of its ResendRequest, which
    # is sent first, and of its Heartbeat reveal the gap on our side.
    scenario.ours.call(lambda session, now: session.test_request(now))

    scenario.expect_gap(2, 4)
    scenario.expect_messages(*LOST, poss_dup=True)
    scenario.ours.expect(GapClosed)
    scenario.expect_at_the_peer(*LOST, poss_dup=True)
    scenario.expect_served(begin=2, resent=3)
    scenario.end_in_agreement()


def test_messages_in_transit_when_the_connection_breaks_are_recovered(meeting: Meeting) -> None:
    store = MemoryStore()
    first = Scenario(meeting, store)
    first.ours.outgoing.drop_every()
    first.send(*LOST)
    first.ours.close()
    meeting.peer.inbox.wait_until_logged_out()
    first.peer_sends("meanwhile")

    second = Scenario(meeting, store)
    second.expect_gap(2, 2)
    second.expect_messages("meanwhile", poss_dup=True)
    second.ours.expect(GapClosed)
    second.expect_at_the_peer(*LOST, poss_dup=True)
    second.expect_served(begin=2, resent=3)
    second.end_in_agreement()
