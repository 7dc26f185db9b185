"""The client's program: it connects, sends orders while it is logged on, and reconnects with backoff.

The reports that its user receives are recorded outside the process.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from kalshi_fix_sansio import Header, scalars
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_sansio.events import (
    CloseReason,
    Event,
    GapDetected,
    LoggedOn,
    MessageReceived,
    MessageRejected,
    MessagesLost,
    OrdersUnverified,
    OutcomesUnknown,
    RejectReceived,
    SequenceSkipped,
    SessionEnded,
)
from kalshi_fix_sansio.session import Session
from tests.simulation import exchange, reader
from tests.simulation.disk_shared import SharedStore
from tests.simulation.ledger import Entry, Ledger, uid_of
from tests.simulation.orders import key_of, keys_of
from tests.simulation.process import Connection, Point, Process
from tests.simulation.schedule import Side
from tests.simulation.violation import Violation
from tests.simulation.wire import ADMIN

if TYPE_CHECKING:
    from tests.simulation.world import World

FIRST_WAIT, MAX_WAIT = 0.5, 15.0
"""The first and the longest wait between two attempts to connect, in seconds."""
CONNECT_TIME = 0.1
TOO_LOW_TEXT = "MsgSeqNum too low"


class Client(Process):
    """One incarnation of the client's process."""

    side = Side.CLIENT

    def __init__(self, world: World, incarnation: int) -> None:
        super().__init__(world, incarnation)
        self._session: Session | None = None
        """The session of the last connection."""
        self._failures = 0
        self.restart_numbers = False
        """Whether the next Logon resets the numbers, because the operator or a refusal requires it."""
        self.established_at: float | None = None
        self._resting: set[str] = set()
        """OrderIDs of the orders that are resting, as far as this user knows."""
        self._attempt_at(0.0)
        self._watch_lease()

    @property
    def _is_superseded(self) -> bool:
        """Whether another process has taken over the store."""
        return self.store is not self.world.stores[Side.CLIENT]

    # The store that is shared with a standby

    def _watch_lease(self) -> None:
        if isinstance(self.store, SharedStore) and (due := self.store.lease.due_in()) is not None:
            # Without the margin, rounding could keep the timer from ever being due.
            self.after(due + 1e-6, self._step_lease)

    def _step_lease(self) -> None:
        self.store.lease.step()
        self._watch_lease()

    def _committed(self) -> None:
        super()._committed()
        if isinstance(self.store, SharedStore) and self.store.has_failed and not self.connections:
            self.world.restart_after_store_failure(self)

    # Connecting

    @property
    def connection(self) -> Connection | None:
        return self.connections[-1] if self.connections else None

    def _attempt_at(self, delay: float) -> None:
        self.after(delay, self._attempt)

    def _attempt(self) -> None:
        if self.connections:
            return
        self.after(CONNECT_TIME, self._connect)

    def _connect(self) -> None:
        if self.connections:
            return
        link = self.world.dial()
        if link is None:
            self._back_off()
            return
        config = self.world.config(Side.CLIENT, reset=self.restart_numbers)
        if self._session is None:
            session = Session(config, self.store)
        else:
            session = Session(config, continues=self._session)
        self.restart_numbers = False
        self._session = session
        connection = self.open(link, session)
        # Events of the previous session that the user has not taken yet will be confirmed to this session.
        self.queue = deque((connection, event) for _, event in self.queue)
        session.connect(self.now)
        self.service(connection)

    def _back_off(self) -> None:
        ceiling = min(MAX_WAIT, FIRST_WAIT * 2**self._failures)
        self._failures += 1
        self._attempt_at(FIRST_WAIT / 2 + self.world.random.random() * ceiling)

    def on_closed(self, connection: Connection) -> None:
        ended = connection.ended
        if ended is not None:
            too_low = ended.reason is CloseReason.SEQUENCE_TOO_LOW or ended.text.startswith(TOO_LOW_TEXT)
            if too_low:
                self.restart_numbers = True
            if ended.reason is CloseReason.STORE_FAILED:
                return
        self.established_at = None
        self._back_off()

    # The user

    def send(self, message: Message) -> None:
        """Send a message, if the session accepts it."""
        connection = self.connection
        if connection is None or not connection.session.is_established:
            return
        if self._is_superseded:
            with suppress(LocalProtocolError):
                connection.session.send(message, self.now)
            self.service(connection)
            return
        self.world.user_orders.send(message)
        try:
            seq_num = connection.session.send(message, self.now)
        except LocalProtocolError:
            self.world.user_orders.withdraw(message)
            self.service(connection)
            return
        self.world.record_client_sent(message, seq_num)
        self.reach(Point.SENT)
        self.service(connection)

    def process_event(self, connection: Connection, event: Event) -> None:
        world = self.world
        world.record_event(self.side, event)
        if self._is_superseded:
            return  # the user of the next process receives the same message
        world.user_orders.take(event)
        from_venue, requests = world.from_venue, world.requests
        lost = record_losses(world, from_venue, event)
        match event:
            case MessageReceived():
                message: Any = event.message
                from_venue.record_taken(message, poss_dup=event.poss_dup)
                key = world.exchange.reported_request.get(uid_of(message))
                requests.record_outcome(key, ended=exchange.is_cancelled(message))
                if message.MSG_TYPE == "8" and world.schedule.session == "KalshiNR":
                    exchange.update_resting(self._resting, message)
            case LoggedOn():
                self._failures = 0
                self.established_at = world.now
                record_restart(world, Side.VENUE, event)
            case SequenceSkipped(gap_fill=True) if lost:
                raise Violation("lost to a gap fill", f"{lost[0]} was skipped, although it has to be resent")
            case OrdersUnverified():
                if event.complete and (left_out := self._resting - {one.order_id for one in event.orders}):
                    raise Violation(
                        "unverified", f"{', '.join(left_out)} were resting, but {event} does not contain them"
                    )
                self._resting.clear()
            case SessionEnded():
                if self._resting and not (event.clean and event.reason is CloseReason.LOGGED_OUT):
                    raise Violation(
                        "unverified", f"{', '.join(self._resting)} were resting when the session ended"
                    )
                self._resting.clear()
            case OutcomesUnknown():
                requests.record_unknown(keys_of(event.requests), event.why.name)
            case RejectReceived():
                sent: Any = event.sent
                if sent is not None:
                    requests.record_outcome(key_of(sent))
        reader.check(event, lost)


def record_losses(world: World, ledger: Ledger, event: Event) -> list[Entry]:
    """Record the messages that an event reports as lost, and return them."""
    lost: list[Entry] = []
    match event:
        case MessagesLost() | SequenceSkipped() | GapDetected(recoverable=False):
            lost = ledger.record_lost(event.begin, event.end, type(event).__name__)
        case MessageRejected(message=Message(MSG_TYPE=kind, header=Header() as header), will_be_resent=False):
            if kind.encode() not in ADMIN:
                lost = ledger.record_lost(header.msg_seq_num, header.msg_seq_num, "MessageRejected")
    if isinstance(event, MessagesLost):
        world.check_lost(lost, event)
    return lost


def record_restart(world: World, sender: Side, event: LoggedOn) -> None:
    """Record the epoch of the sender's numbers, of which the receiver's user has now learned."""
    ledger = world.ledgers[sender]
    header: Any = event.logon.header
    logon = world.wire.logons[sender, scalars.format_utctimestamp(header.sending_time)]
    if event.reset:
        ledger.record_reset(logon.epoch)
    elif logon.epoch != ledger.epoch and not ledger.losses_allowed:
        raise Violation(
            "unannounced",
            f"{sender.value} logged on in epoch {logon.epoch}, but the user knows of epoch {ledger.epoch}",
        )
