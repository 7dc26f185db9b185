"""A client and a venue whose processes can crash and whose connection can be lost between any two steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import attrs

from kalshi_fix_sansio._generated import ExecutionReport, NewOrderSingle
from kalshi_fix_sansio.config import SessionConfig
from kalshi_fix_sansio.events import Event, LoggedOn, LogonRequested, MessageReceived, OutcomesUnknown
from kalshi_fix_sansio.session import Session, State
from tests.helpers import Clock, LoggedStore, order
from tests.samples import execution_report

Step = Callable[[], object]


@attrs.define
class Side:
    """One side: the session of its current process, and the events that its user has received in this and
    earlier processes."""

    config: SessionConfig
    clock: Clock
    session: Session
    store: LoggedStore
    wire: bytearray = attrs.field(factory=bytearray)
    """Bytes sent but not delivered."""
    seen: list[tuple[int, int, str, bool]] = attrs.field(factory=list)
    """For every message received: the number of resets before it, its MsgSeqNum, its ClOrdID, and whether it
    is marked as a possible duplicate.
    """
    uncertain: set[str] = attrs.field(factory=set)
    waiting: list[Event] = attrs.field(factory=list)
    unconfirmed: int = 0
    resets: int = 0
    known_resets: int = 0
    """Number of resets of the store at the time the user last received a reset event."""
    passed: list[str] = attrs.field(factory=list)
    """Orders passed to the session by the current process."""
    sent: set[str] = attrs.field(factory=set)
    """Orders that may have been sent."""
    unanswered: list[str] = attrs.field(factory=list)
    """Orders that the venue's user has not answered yet, which the user remembers across restarts."""

    def write(self) -> None:
        self.wire += self.session.data_to_send()
        self.sent.update(self.passed)

    def fetch(self) -> None:
        """Fetch new events, which the user will process later."""
        self.waiting += self.session.events()

    def process(self) -> None:
        """Process the first half of the waiting events."""
        count = (len(self.waiting) + 1) // 2
        for event in self.waiting[:count]:
            self.record(event)
        del self.waiting[:count]
        self.unconfirmed += count
        while self.unanswered and self.session.is_established:
            self.session.send(execution_report(self.unanswered.pop(0)), self.clock.now)

    def confirm(self) -> None:
        self.session.confirm(self.unconfirmed)
        self.unconfirmed = 0

    def record_reset(self) -> None:
        self.resets += 1
        self.known_resets = self.store.resets

    def record(self, event: Event) -> None:
        if isinstance(event, LogonRequested) and self.session.state is State.LOGON_RECEIVED:
            self.session.accept_logon(self.clock.now)
        elif isinstance(event, LoggedOn):
            if event.reset:
                self.record_reset()
        elif isinstance(event, OutcomesUnknown):
            self.uncertain.update(event.request_ids)
        elif isinstance(event, MessageReceived):
            message = event.message
            number = message.header.msg_seq_num
            assert isinstance(message, NewOrderSingle | ExecutionReport)
            assert number is not None
            self.seen.append((self.resets, number, message.cl_ord_id or "", event.poss_dup))
            if isinstance(message, NewOrderSingle):
                self.unanswered.append(message.cl_ord_id)


@attrs.define
class World:
    """Both sides, and the failures that can occur."""

    clock: Clock
    client: Side
    venue: Side
    orders: int = 0

    def connect(self) -> Iterator[Step]:
        yield lambda: self.venue.session.connect(self.clock.now)
        yield lambda: self.client.session.connect(self.clock.now)
        yield from self.settle(4)

    def settle(self, rounds: int) -> Iterator[Step]:
        for _ in range(rounds):
            yield self.client.write
            yield lambda: self.deliver(self.client, self.venue)
            yield from self.process_events(self.venue)
            yield self.venue.write
            yield lambda: self.deliver(self.venue, self.client)
            yield from self.process_events(self.client)

    def process_events(self, side: Side) -> Iterator[Step]:
        yield side.fetch
        while side.waiting:
            yield side.process
            yield side.confirm

    def order(self) -> None:
        if self.client.session.is_established:
            self.orders += 1
            self.client.session.send(order(f"a{self.orders}"), self.clock.now)
            self.client.passed.append(f"a{self.orders}")

    def deliver(self, source: Side, target: Side) -> None:
        data = bytes(source.wire)
        source.wire.clear()
        if data:
            target.session.receive_data(data, self.clock.now)

    def lose_connection(self, side: Side) -> None:
        side.wire.clear()
        side.sent.update(side.passed)
        if side.session.state is not State.DISCONNECTED:
            side.session.receive_eof(self.clock.now)
            side.session = Session(side.config, continues=side.session)

    def crash(self, *names: str, all_survive: bool) -> None:
        """Crash the processes of these sides, and start them again from their stores; the others lose the
        connection.

        With `all_survive`, uncommitted records also survive the crash.
        """
        for name, side in (("client", self.client), ("venue", self.venue)):
            if name not in names:
                self.lose_connection(side)
                continue
            side.store = side.store.after_crash(all_survive=all_survive)
            side.session = Session(side.config, side.store)
            if side.store.resets > side.known_resets:
                side.record_reset()
            side.passed.clear()
            side.waiting.clear()
            side.unconfirmed = 0
            side.wire.clear()

    def check(self) -> None:
        """Check that both sides are logged on, agree on the numbers, and received no contradictory event."""
        client, venue = self.client.session, self.venue.session
        assert (client.state, venue.state) == (State.ESTABLISHED, State.ESTABLISHED)
        assert client.next_incoming == venue.next_outgoing
        assert venue.next_incoming == client.next_outgoing
        assert (self.client.store.reset_unanswered, self.venue.store.reset_unanswered) == (False, False)
        for side in (self.client, self.venue):
            check_seen(side.seen)
        answered = {name for _, _, name, _ in self.client.seen}
        assert self.client.sent <= answered | self.client.uncertain


def check_seen(seen: list[tuple[int, int, str, bool]]) -> None:
    """Check that a number identifies one message, and that messages not marked as possible duplicates are in
    order and received once.
    """
    meanings: dict[tuple[int, int], str] = {}
    for resets, number, name, _ in seen:
        known = meanings.setdefault((resets, number), name)
        assert known == name, f"number {number} belongs to {known} and to {name}"
    fresh = [(resets, number) for resets, number, _, poss_dup in seen if not poss_dup]
    assert fresh == sorted(set(fresh))


def world(client: SessionConfig, venue: SessionConfig) -> World:
    """Return two sides that have never been connected."""
    clock = Clock()
    return World(clock, side(client, clock), side(venue, clock))


def side(config: SessionConfig, clock: Clock) -> Side:
    """Return a side whose process starts for the first time."""
    store = LoggedStore()
    return Side(config, clock, Session(config, store), store)
