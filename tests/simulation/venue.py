"""The venue's program: accepts connections, decides on logons, and sends the exchange's messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kalshi_fix_sansio import Header
from kalshi_fix_sansio.errors import LocalProtocolError, StoreError
from kalshi_fix_sansio.events import (
    Event,
    LoggedOn,
    LogonRequested,
    MessageReceived,
    OutcomesUnknown,
    SequenceSkipped,
)
from kalshi_fix_sansio.messages import CODEC
from kalshi_fix_sansio.session import Session, StoredMessage
from tests.simulation.client import record_losses, record_restart
from tests.simulation.network import Link
from tests.simulation.process import Connection, Point, Process
from tests.simulation.schedule import Side
from tests.simulation.violation import Violation

if TYPE_CHECKING:
    from tests.simulation.world import World

REFUSALS = ("FIX logon service busy; retry with backoff", "rate limit exceeded", "already exists")
KEY, OTHER_KEY = "3a6b0c1e-52d5-4d06-9d3e-0a4f3d1c9b77", "7f1d3c52-8a0e-4b6b-9c8f-5e2f0a6d4b13"


class SimulatedVenue(Process):
    """One incarnation of the venue's process."""

    side = Side.VENUE

    def __init__(self, world: World, incarnation: int) -> None:
        super().__init__(world, incarnation)
        self.active: Connection | None = None
        """The connection that is logged on."""

    def accept(self, link: Link) -> None:
        """Accept a connection."""
        session = Session(self.world.config(Side.VENUE))
        connection = self.open(link, session)
        session.connect(self.now)
        self.service(connection)

    def on_closed(self, connection: Connection) -> None:
        if self.active is connection:
            self.active = None
            self.dispatch()

    def _admit(self, connection: Connection) -> None:
        """Decide on a Logon."""
        if connection.closed or connection.session.wants_close:
            return
        text = self.world.refusal()
        if text is None and (self.active is not None or self._has_unconfirmed_events(connection)):
            text = "already exists"
        if text is not None:
            connection.session.refuse_logon(text, self.now)
            return
        self.active = connection
        connection.session.accept_logon(self.now, store=self.world.stores[Side.VENUE])

    def _has_unconfirmed_events(self, connection: Connection) -> bool:
        """Return whether events of the previous session with this store are still waiting for the user. They
        must be confirmed before the next session begins.
        """
        store = self.world.stores[Side.VENUE]
        return any(other is not connection and other.session.store is store for other, _ in self.queue)

    def process_event(self, connection: Connection, event: Event) -> None:
        world = self.world
        world.record_event(self.side, event)
        from_client = world.from_client
        lost = record_losses(world, from_client, event)
        match event:
            case LogonRequested():
                self._admit(connection)
            case MessageReceived():
                entry = from_client.record_taken(event.message, poss_dup=event.poss_dup)
                # The ResendRequest of a session with QuickFIX's options is open-ended, so it also covers
                # messages that were already received, and the answer may replace them by a gap fill.
                if entry.filled and not event.poss_dup and not world.schedule.like_quickfix:
                    raise Violation("resurrected", f"{entry} was received after its gap was filled")
                world.exchange.take(event.message)
            case LoggedOn():
                record_restart(world, Side.CLIENT, event)
                self.dispatch()
            case SequenceSkipped(gap_fill=True):
                for entry in lost:
                    if not entry.filled:
                        raise Violation(
                            "lost to a gap fill", f"{entry} was skipped, though the client filled no gap"
                        )
            case OutcomesUnknown():
                raise Violation("invented", "the venue made no request")

    # The exchange's messages

    def dispatch(self) -> None:
        """Pass the messages in the outbox to the session, or to the store while no client is connected."""
        outbox, active = self.world.exchange.outbox, self.active
        while outbox:
            if active is not None and active.session.is_established:
                try:
                    number = active.session.send(outbox[0], self.now)
                except LocalProtocolError:
                    active.session.abort("Too much unread data", self.now)
                    break
                self.world.record_venue_sent(outbox.popleft(), number)
                self.reach(Point.SENT)
            elif active is not None:
                return
            elif not self.world.resend:
                outbox.popleft()
            elif not self._store_next():
                return
        if active is not None:
            self.after(0.0, lambda: self.service(active))

    def _store_next(self) -> bool:
        """Store the next message while no client is connected, for a later resend; return whether the store
        has accepted it."""
        message = self.world.exchange.outbox[0]
        store = self.world.stores[Side.VENUE]
        number, now = store.next_outgoing, self.now
        header = Header(
            msg_type=message.MSG_TYPE,
            msg_seq_num=number,
            sender_comp_id=self.world.schedule.session,
            target_comp_id=KEY,
            sending_time=now.utc,
        )
        try:
            store.record_sent(number, StoredMessage(number, now.utc, CODEC.encode(message, header)))
            self.world.record_venue_sent(self.world.exchange.outbox.popleft(), number)
            store.begin_commit()
        except StoreError:
            self.world.at(self.world.now, lambda: self.world.restart_after_store_failure(self))
            return False
        return True
