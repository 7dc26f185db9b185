"""One run: virtual time, both sides, the wire between them, the true state, and the schedule's faults."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from itertools import count
from random import Random
from typing import Any

from kalshi_fix_adapters.engine import standby
from kalshi_fix_sansio._generated import DIALECT
from kalshi_fix_sansio.config import QUICKFIX, ProtocolOptions, Role, SessionConfig, resend_everything
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import (
    Event,
    MessageReceived,
    MessagesLost,
    MessageTooLarge,
    OutcomesUnknown,
    SessionEnded,
)
from kalshi_fix_sansio.messages import CODEC
from kalshi_fix_sansio.session import resend
from tests.simulation import bounds
from tests.simulation.client import Client
from tests.simulation.clocks import SideClock
from tests.simulation.disk import Disk
from tests.simulation.disk_shared import SharedDisk, SharedStore
from tests.simulation.disk_sqlite import SqliteDisk
from tests.simulation.endings import is_explained
from tests.simulation.exchange import Exchange, client_message
from tests.simulation.faults import DOWNTIME, Injector
from tests.simulation.ledger import Entry, Ledger, uid_of
from tests.simulation.machine import UserOrders
from tests.simulation.network import Conditions, Link
from tests.simulation.orders import Key, Requests, key_of
from tests.simulation.process import Connection, Process
from tests.simulation.schedule import Schedule, Side
from tests.simulation.venue import KEY, OTHER_KEY, SimulatedVenue
from tests.simulation.violation import Violation
from tests.simulation.wire import Wire

RESEND_TIMEOUT, RESEND_ATTEMPTS = 10.0, 3
LOGON_TIMEOUT, LOGOUT_TIMEOUT = 5.0, 5.0
TOLERANCE = 30.0
ROUND_TRIP = 0.005
"""Longest duration of a commit to a shared store, in seconds, unless the schedule sets a longer one."""
RESTART_TIME = 2.0
"""Seconds until a process restarts after its store has failed."""
MAX_STEPS = 200_000
"""Steps after which a run is considered endless."""


class World:
    """A run in progress. `finish` runs it to its end, and raises Violation if an invariant does not hold."""

    def __init__(self, schedule: Schedule, *, keep_log: bool = False) -> None:
        self.schedule = schedule
        self._keep_log = keep_log
        self.now = 0.0
        self.random = Random(schedule.seed)
        self.session_type = DIALECT.session_types[schedule.session]
        self.resend = self.session_type.resend
        self.clocks = {side: SideClock(self.random) for side in Side}
        self.conditions = {side: Conditions(Random(self.random.getrandbits(32))) for side in Side}
        self.wire = Wire(self._filled, keep_log=keep_log)
        self.from_venue, self.from_client = Ledger(Side.VENUE), Ledger(Side.CLIENT)
        self.ledgers = {Side.VENUE: self.from_venue, Side.CLIENT: self.from_client}
        self.requests = Requests()
        self.user_orders = UserOrders(schedule.session)
        self.endings: Counter[str] = Counter()
        self.event_counts: Counter[str] = Counter()
        """Counts of the events that users took, by type."""
        self.other_names = {Side.CLIENT: OTHER_KEY.encode(), Side.VENUE: self._other_name()}
        """A second CompID of each side, which its peer accepts too."""
        self.max_message = dict.fromkeys(Side, bounds.MAX_MESSAGE)
        """Maximum size of the messages that each side accepts, as its operator has configured it."""
        self.restarts = 0
        self.takeovers = 0
        """The number of takeovers from a process that was alive."""
        self.settled_at: float | None = None
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._connections = count(1)
        self.links: list[Link] = []
        self.hosts = [self.clocks[Side.CLIENT]]
        """The clocks of the hosts on which the client runs."""
        if schedule.standby:
            self.hosts.append(SideClock(Random(schedule.seed + 3)))
        self.former: list[Process] = []
        """Clients whose store was taken over while they were alive."""
        self.disks = {side: self._disk(side) for side in Side}
        self.stores: dict[Side, Any] = {side: self.disks[side].open() for side in Side}
        self.exchange = Exchange(self, Random(self.random.getrandbits(32)))
        self.processes: dict[Side, Process] = {}
        self.refused_until, self.refused_with = 0.0, ""
        """The time until which the venue refuses every Logon, and the text of the refusals."""
        self.shut_until = 0.0
        """The time until which the venue accepts no connection."""
        self.injector = Injector(self)
        self.processes[Side.VENUE] = SimulatedVenue(self, 1)
        self.processes[Side.CLIENT] = Client(self, 1)
        if schedule.standby:
            self.at(0.0, lambda: self._stand_by(1))
        self._plan_work()
        self.injector.plan()

    # Time

    def at(self, when: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._heap, (when, next(self._order), action))

    def finish(self) -> None:
        """Run until neither side has work left, or until the time limit."""
        page, resend.PAGE_SIZE = resend.PAGE_SIZE, self.schedule.page
        per_turn, resend.MESSAGES_PER_TURN = resend.MESSAGES_PER_TURN, bounds.MESSAGES_PER_TURN
        try:
            self.at(self.schedule.calm_from, self._end_faults)
            heap = self._heap
            for _ in range(MAX_STEPS):
                self.now, _, action = heapq.heappop(heap)
                action()
                if self.settled_at is not None and self.now > self.settled_at:
                    break
            else:
                raise Violation(
                    "endless", f"after {MAX_STEPS} steps, the virtual time is only {self.now:.0f} s"
                )
            self._check_the_end()
        finally:
            resend.PAGE_SIZE, resend.MESSAGES_PER_TURN = page, per_turn
            for side in Side:
                self.stores[side].close()
                self.disks[side].remove()

    @property
    def patience(self) -> float:
        """Seconds after the last fault within which both sides must have logged on and completed all work.
        This is enough time to detect twice that the peer is gone, to log out and reconnect, and to repeat a
        ResendRequest as often as allowed.
        """
        silence = 2.4 * self.schedule.heart_bt_int
        return 3 * silence + 4 * (LOGON_TIMEOUT + LOGOUT_TIMEOUT) + 2 * RESEND_TIMEOUT * RESEND_ATTEMPTS + 60

    # Work

    def _plan_work(self) -> None:
        schedule = self.schedule
        times = Random(schedule.seed + 1)
        for number in range(schedule.orders):
            when = times.uniform(0.5, schedule.calm_from)
            if schedule.session != "KalshiPT":
                message = client_message(schedule.session, f"c{number}", number)
                self.at(when, lambda message=message: self.client_sends(message))  # type: ignore[misc]
        times = Random(schedule.seed + 2)
        for _ in range(schedule.reports):
            self.at(
                times.uniform(0.5, schedule.calm_from),
                lambda: self.exchange.publish(self.exchange.unsolicited),
            )

    def client_sends(self, message: Message) -> None:
        client = self.client
        client.run(lambda: client.send(message))

    @property
    def client(self) -> Client:
        client = self.processes[Side.CLIENT]
        assert isinstance(client, Client)
        return client

    @property
    def venue(self) -> SimulatedVenue:
        venue = self.processes[Side.VENUE]
        assert isinstance(venue, SimulatedVenue)
        return venue

    # Called by the sides

    def config(self, side: Side, *, reset: bool = False) -> SessionConfig:
        schedule = self.schedule
        values: dict[str, Any] = {
            "dialect": DIALECT,
            "codec": CODEC,
            "session_type": self.session_type,
            "product": "prediction",
            "min_heart_bt_int": 1,
            "sending_time_tolerance": TOLERANCE,
            "logon_timeout": LOGON_TIMEOUT,
            "logout_timeout": LOGOUT_TIMEOUT,
            "resend_timeout": RESEND_TIMEOUT,
            "resend_attempts": RESEND_ATTEMPTS,
            "max_message_size": self.max_message[side],
            "max_unsent": bounds.MAX_UNSENT,
            "max_held": bounds.MAX_HELD,
            "max_held_bytes": bounds.MAX_HELD_BYTES,
            "max_events": bounds.MAX_EVENTS,
            "max_event_bytes": bounds.MAX_EVENT_BYTES,
            "max_sent_record": bounds.MAX_RECORD,
            "max_sent_record_bytes": bounds.MAX_RECORD_BYTES,
            "max_open_requests": bounds.MAX_OPEN,
            "max_open_request_bytes": bounds.MAX_OPEN_BYTES,
            "max_resting_orders": bounds.MAX_RESTING,
            "max_resting_order_bytes": bounds.MAX_RESTING_BYTES,
            "explicit_confirm": schedule.explicit,
            "protocol_options": QUICKFIX if schedule.like_quickfix else ProtocolOptions(),
        }
        if side is Side.VENUE:
            values["accepted_sender_comp_ids"] = (KEY, OTHER_KEY)
            return SessionConfig(
                role=Role.ACCEPTOR,
                sender_comp_id=schedule.session,
                strict=schedule.strict,
                **values,
            )
        if schedule.resend_orders:
            values["resend_policy"] = resend_everything
        if reset:
            values["reset_seq_num"] = True
        return SessionConfig(
            role=Role.INITIATOR,
            sender_comp_id=KEY,
            target_comp_id=schedule.session,
            heart_bt_int=schedule.heart_bt_int,
            sign_logon=lambda _: b"c2lnbmF0dXJl",
            offer_next_expected=schedule.next_expected and self.resend,
            **values,
        )

    def _other_name(self) -> bytes:
        return next(name for name in self.session_type.comp_ids if name != self.schedule.session).encode()

    def next_connection(self) -> int:
        return next(self._connections)

    def _disk(self, side: Side) -> Disk:
        schedule = self.schedule
        if schedule.sqlite:
            return SqliteDisk(synced=schedule.synced, keep=schedule.keep)
        is_shared = schedule.standby and side is Side.CLIENT
        disk = (
            SharedDisk(self, keep=schedule.keep, eager=schedule.eager)
            if is_shared
            else Disk(synced=schedule.synced, keep=schedule.keep, eager=schedule.eager)
        )
        disk.max_commit_seconds = max(schedule.max_commit_seconds, ROUND_TRIP if is_shared else 0.0)
        if disk.max_commit_seconds:
            disk.call_later = lambda seconds, act: self.at(self.now + seconds, act)
        return disk

    def dial(self) -> Link | None:
        """Connect to the venue if it is listening."""
        venue = self.venue
        if not venue.awake or self.now < self.shut_until:
            return None
        link = Link(self, self.conditions)
        self.links = [old for old in self.links if not all(p.broken for p in old.pipes.values())]
        self.links.append(link)
        self.at(self.now, lambda: venue.run(lambda: venue.accept(link)))
        return link

    def refusal(self) -> str | None:
        """Return why the venue currently refuses every Logon, or None if it accepts them."""
        return self.refused_with if self.now < self.refused_until else None

    # Reports from the sides

    def record_write(self, process: Process, connection: Connection, data: bytes) -> None:
        side, ledger = process.side, self.ledgers[process.side]
        if process.store is not self.stores[side]:
            raise Violation("two primaries", f"{side.value} sends after its store was taken over")
        if connection.session.store is not self.stores[side]:
            self.wire.record_refusal(self.now, side, connection.id, data)
            return
        epoch, peer_awaits_reset = self.stores[side].durable_epoch, self.stores[side.other].reset_unanswered
        for written_epoch, number in self.wire.record(
            self.now, side, connection.id, data, epoch, peer_awaits_reset=peer_awaits_reset
        ):
            ledger.record_written(written_epoch, number)

    def record_client_sent(self, message: Any, number: int) -> None:
        self.from_client.record_sent(message, self.stores[Side.CLIENT].epoch, number)
        key = key_of(message, number)
        if key is not None:
            self.requests.record_sent(key, self.client.incarnation)

    def record_venue_sent(self, message: Message, number: int) -> None:
        self.from_venue.record_sent(message, self.stores[Side.VENUE].epoch, number)

    def dispatch_venue(self) -> None:
        venue = self.venue
        venue.run(venue.dispatch)

    def record_event(self, side: Side, event: Event) -> None:
        """Record that the user of a side takes an event."""
        self.event_counts[type(event).__name__] += 1
        if isinstance(event, MessageTooLarge):
            self.max_message[side] = bounds.MAX_HUGE  # an operator who reads this event raises the limit
        if self._keep_log:
            self.wire.add_line(self.now, side, f"-- the user takes {log_text(event)}")

    def record_session_end(self, connection: Connection, event: SessionEnded) -> None:
        process, logged_on = connection.process, connection.heart_bt_int > 0
        self.endings[event.reason.name] += 1
        self.wire.add_line(self.now, process.side, f"-- session ended: {event.reason.name}: {event.text}")
        if not self.wire.losses_allowed and not is_explained(
            event, self.schedule, process.side, logged_on=logged_on
        ):
            raise Violation("unexplained", f"{process.side.value} ended: {event.reason.name}: {event.text}")

    def _filled(self, side: Side, epoch: int, begin: int, end: int) -> None:
        """Record a gap fill. The venue never fills the numbers of messages that it still has."""
        for entry in self.ledgers[side].record_filled(epoch, begin, end):
            if side is Side.VENUE and not entry.taken and not self.from_venue.losses_allowed:
                raise Violation("lost to a gap fill", f"the venue filled the gap of {entry}")

    def check_lost(self, entries: list[Entry], event: MessagesLost) -> None:
        """Check that messages reported as lost are no longer available."""
        for entry in entries:
            sender = self.ledgers[Side.VENUE] if entry in self.from_venue.entries else self.from_client
            store = self.stores[sender.sender]
            if entry.epoch == store.epoch and entry.number >= store.oldest_kept and not sender.losses_allowed:
                raise Violation("false loss", f"{entry} is reported as lost ({event}) but still kept")

    # Crashes and restarts

    def kill(self, process: Process, *, power: Random | None = None, seconds: float | None = None) -> None:
        """End a process and plan its restart on the same disk. If `power` is given, its machine loses
        power, and this generator chooses which changes the disk keeps."""
        if not process.alive:
            return
        process.die(power=power is not None)
        side, store = process.side, process.store
        if power is None:
            store.crash(self.injector.torn[side])
        else:
            store.lose_power(power)
            process.clock.reboot(self.now, power)
        self.injector.torn[side] = None
        self.wire.add_line(self.now, side, "-- power loss" if power else "-- process died")
        self.restarts += 1
        wait = self.injector.downtime[side] if seconds is None else seconds
        self.injector.downtime[side] = DOWNTIME
        if isinstance(store, SharedStore):
            self.at(self.now + wait, lambda: self._stand_by(store.host))
        else:
            self.at(self.now + wait, lambda: self._start_process(side, self.disks[side].open()))

    def _allow_losses(self) -> None:
        """Check only recovery from now on, because a disk has lost committed changes."""
        self.wire.losses_allowed = self.from_venue.losses_allowed = self.from_client.losses_allowed = (
            self.requests.losses_allowed
        ) = True

    def end_takeover_faults(self) -> None:
        """End the faults of hosts and of former primaries."""
        for clock in (*self.clocks.values(), *self.hosts):
            clock.fault_offset = 0.0
        for process in self.former:
            process.end_faults()
        if isinstance(disk := self.disks[Side.CLIENT], SharedDisk):
            disk.isolated.clear()

    def restart_after_store_failure(self, process: Process) -> None:
        """End and restart a program whose store failed."""
        if process.alive:
            if isinstance(process.store, SharedStore):
                process.store.release_lease()
            self.kill(process, seconds=RESTART_TIME)

    def _stand_by(self, host: int) -> None:
        """Try to take over the shared store until it succeeds."""
        disk = self.disks[Side.CLIENT]
        assert isinstance(disk, SharedDisk)
        store = disk.open(host)
        if store is None:
            self.at(self.now + standby.POLL_INTERVAL, lambda: self._stand_by(host))
            return
        self.former = [process for process in (*self.former, self.client) if process.alive]
        self.takeovers += bool(self.former)
        self.clocks[Side.CLIENT] = self.hosts[host]
        self._start_process(Side.CLIENT, store)

    def _start_process(self, side: Side, store: Any) -> None:
        former = self.processes[side]
        self.stores[side] = store
        if store.has_lost_commits:
            self._allow_losses()
        self.wire.add_line(
            self.now, side, f"-- process started: next {store.next_outgoing} out, {store.next_incoming} in"
        )
        sent, received = self.ledgers[side], self.ledgers[side.other]
        received.receiver_restarted(store.epoch, store.next_incoming)
        gone = sent.sender_restarted(store.epoch, store.next_outgoing)
        if side is Side.CLIENT:
            open_keys = store.peek_requests()
            for entry in gone:
                key = key_of(entry.message, entry.number)
                if key is not None:
                    self.requests.record_unsent(key)
            self.requests.client_restarted(open_keys, self._was_written)
            self.user_orders.restart()
            self.processes[side] = Client(self, former.incarnation + 1)
            return
        if self.resend:
            self.exchange.outbox.extendleft(entry.message for entry in reversed(gone))
        self.processes[side] = SimulatedVenue(self, former.incarnation + 1)
        self.dispatch_venue()

    def _was_written(self, key: Key) -> bool:
        return any(
            entry.was_written
            for entry in self.from_client.entries
            if key_of(entry.message, entry.number) == key
        )

    # The end

    def _end_faults(self) -> None:
        """End all faults; everything outstanding must now be resolved."""
        self.injector.stop()
        self._watch()

    def _watch(self) -> None:
        if self._unresolved_items():
            if self.now > self.schedule.calm_from + self.patience:
                raise Violation("unsettled", "; ".join(self._unresolved_items()))
            self.at(self.now + 1.0, self._watch)
        else:
            self.at(self.now + 2.5 * self.schedule.heart_bt_int + 1, self._settle)

    def _settle(self) -> None:
        if self._unresolved_items():
            self._watch()
        else:
            self.settled_at = self.now

    def _unresolved_items(self) -> list[str]:
        """Return descriptions of everything that is still unresolved."""
        found = []
        if any(process.alive for process in self.former):
            return ["a process whose store was taken over is still alive"]
        client, venue = self.client, self.venue
        connection, active = client.connection, venue.active
        alive = client.alive and venue.alive
        if not alive or connection is None or active is None or connection.link is not active.link:
            return ["not connected"]
        for side, one in ((Side.CLIENT, connection), (Side.VENUE, active)):
            if one.session.state.name != "ESTABLISHED":
                found.append(f"the {side.value} is {one.session.state.value}")
            if self.processes[side].queue or (one.session.unconfirmed and self.schedule.explicit):
                found.append(f"the user of the {side.value} still has events to take")
        if self.wire.losses_allowed:
            return found
        found.extend(
            f"not received from the {ledger.sender.value}: {', '.join(map(str, outstanding[:5]))}"
            for ledger in self.ledgers.values()
            if (outstanding := ledger.outstanding())
        )
        if self.exchange.outbox:
            found.append(f"{len(self.exchange.outbox)} messages in the outbox")
        if still_open := self.requests.unsettled():
            found.append(f"no outcome for {', '.join(map(str, still_open[:5]))}")
        if left := self.stores[Side.CLIENT].peek_requests():
            found.append(f"the store has {', '.join(map(str, sorted(left)[:5]))} open")
        return found

    def _check_the_end(self) -> None:
        """Check at the end that each store has confirmed all messages from its peer."""
        if self.wire.losses_allowed:
            return
        if isinstance(shared := self.disks[Side.CLIENT], SharedDisk):
            SharedStore(shared, 0)  # replays all writes, which raises if a number was overwritten
        for side in Side:
            store, peer = self.stores[side], self.stores[side.other]
            if (
                self.schedule.explicit
                and not peer.next_outgoing - 1 <= store.next_incoming <= peer.next_outgoing
            ):
                raise Violation(
                    "behind",
                    f"{side.value} confirmed up to {store.next_incoming}, but its peer sends "
                    f"{peer.next_outgoing} next",
                )


def log_text(event: Event) -> str:
    """Return an event formatted for the log."""
    name = type(event).__name__
    match event:
        case MessageReceived():
            return f"{name} {uid_of(event.message)}{' (possible duplicate)' if event.poss_dup else ''}"
        case OutcomesUnknown():
            return f"{name} {', '.join(event.request_ids)}: {event.why.name}"
        case MessagesLost():
            return f"{name} {event.begin} to {event.end}"
    return name
