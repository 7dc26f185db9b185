"""The venue model: it receives and returns the bytes of connections; no I/O, no clock.

It owns an acceptor Session for each connection, accepts or refuses Logons, and carries messages between the
sessions and the gateways of the two products.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, cast
from uuid import UUID

import attrs

from kalshi_fix_adapters.documents.names import did_you_mean
from kalshi_fix_sansio import DIALECT, PRODUCTS, Logon
from kalshi_fix_sansio._generated.limits import MIN_HEARTBEAT_INTERVAL
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.config import Role, SessionConfig
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.errors import ConfigurationError, EncodeError, InvalidMessageError, LocalProtocolError
from kalshi_fix_sansio.events import Event, LogonRequested, MessageReceived, SessionEnded
from kalshi_fix_sansio.session import Session
from kalshi_fix_venue.config import VenueConfig
from kalshi_fix_venue.exchange import (
    PREDICTION,
    AccountId,
    CancelAll,
    CancelCause,
    Command,
    Exchange,
    PauseState,
    SetPause,
)
from kalshi_fix_venue.exchange.outcomes import OrderTraded, Outcome, TradePrinted
from kalshi_fix_venue.flow import Flow
from kalshi_fix_venue.gateway.drop_copy import DropCopy
from kalshi_fix_venue.gateway.flags import LogonFlags
from kalshi_fix_venue.gateway.logins import Delivery, Login
from kalshi_fix_venue.gateway.product import ProductGateway
from kalshi_fix_venue.gateway.refusals import rate_limit_reject
from kalshi_fix_venue.gateway.texts import MAINTENANCE
from kalshi_fix_venue.inbox import Backlog, Inbox
from kalshi_fix_venue.liquidity import LIQUIDITY, liquidity_orders
from kalshi_fix_venue.operations.base import Answer, Fault, Operation, SessionOperation
from kalshi_fix_venue.operations.operator import LogOut
from kalshi_fix_venue.pauses import Pauses, PauseWindow
from kalshi_fix_venue.rate_limits import RateLimits
from kalshi_fix_venue.schedule import Agenda
from kalshi_fix_venue.sessions import admission
from kalshi_fix_venue.sessions.armed_faults import ArmedFaults
from kalshi_fix_venue.sessions.connections import Connection, Connections
from kalshi_fix_venue.sessions.fault_injection import FaultInjection
from kalshi_fix_venue.sessions.offline_queue import OfflineQueue
from kalshi_fix_venue.sessions.tolerance import CODECS

NEVER = Instant(0, datetime.min.replace(tzinfo=UTC))
"""Initial value of the time of the last call."""


@attrs.frozen
class SeqNums:
    """The next MsgSeqNum (34) in each direction.

    Attributes:
        incoming: From the client.
        outgoing: From the venue.
    """

    incoming: int
    outgoing: int


class VenueModel:
    """A simulated Kalshi for both products.

    The caller, which moves the bytes, calls `connection_made`, `receive_data`, `receive_eof` and
    `handle_timer`. After each call it writes the output of `connections_with_output`, closes
    `connections_to_close`, and sleeps until `next_deadline`. The same calls with the same `random` seed
    produce the same bytes.

    Apart from the methods for the operator, no method visits all connections: the cost of a call does not
    grow with the number of unrelated connections.
    """

    def __init__(self, config: VenueConfig, random: Random) -> None:
        """Open the venue; ids of orders and trades are drawn from `random`."""
        self._config = config
        self._random = random
        self._keys = {key.key_id: key for key in config.api_keys}
        self._gateways = {
            product: ProductGateway(
                Exchange(
                    product,
                    config.markets.get(product, ()),
                    config.balances(product),
                    zone=config.zone,
                    new_id=self._new_id,
                    fees=config.fees.get(product),
                    terms=config.terms(product),
                    market_groups=config.market_groups if product == PREDICTION else (),
                    daily_caps=config.daily_caps(product),
                    assumptions=config.assumptions,
                ),
                config.symbol_limits,
                self._new_id,
                config.rfqs,
                config.combos if product == PREDICTION else (),
                drop_copy=config.drop_copy_owners(product),
                max_past_events=config.max_past_events,
                allocations=config.allocations(product),
            )
            for product in PRODUCTS
        }
        self._has_begun = False
        # The schedule and the flow act without a request from a client or an operator.
        self._agenda = Agenda(config.schedule)
        self.failed_operations: list[str] = []
        """Operations of the schedule that failed when they were due, with the reason."""
        exchanges = {product: gateway.exchange for product, gateway in self._gateways.items()}
        self._flow = None if config.flow is None else Flow(config.flow, exchanges)
        self._connections = Connections()
        self.inbox: Inbox = Inbox(self)
        """Unprocessed bytes, for a caller that reads faster than the venue processes."""
        self.unprepared: dict[int, Session] = {}
        """Sessions that have logged on, and whose checks `prepare` has not compiled yet, by connection."""
        self._logged_on: dict[str, int] = {}
        """Connection by key: a key has one connection at a time (Kalshi's page on authentication)."""
        self._offline_queues: dict[Login, OfflineQueue] = {}
        self._queues_to_trim: deque[OfflineQueue] = deque()
        """The queues of `_offline_queues`. Each call of `handle_timer` removes the expired messages from one
        of them, in turn."""
        self._pages_due: dict[int, None] = {}
        """Connections that have fetched one page of past reports and wait for the next."""
        self._aborted_connections: list[Connection] = []
        """Connections whose session was ended by an event on another connection."""
        self._last_call = NEVER
        """Time of the last call; used by calls without a time, such as `data_to_send`."""
        self._pauses = Pauses(config.pauses, config.zone)
        self._rate_limits = RateLimits(
            {
                (account.owner, account.product): account.tier
                for account in config.accounts
                if account.tier is not None
            },
            {product: {rules.shard for rules in config.markets.get(product, ())} for product in PRODUCTS},
            market_shard=self._gateways[PREDICTION].exchange.shard_of
            if config.assumptions.accepted_quotes_use_market_shard
            else None,
        )
        self._admission = admission.Admission(self._keys, self._pauses, self._rate_limits)
        self._armed = ArmedFaults(lambda: self._random.getrandbits(64))
        self._faults = FaultInjection(
            self._armed,
            self._connections,
            self._deliver,
            self._process_events,
            self._process_aborted,
            config.max_unsent,
        )

    def begin(self, now: Instant) -> None:
        """Open the initial positions, place the resting orders, and start the schedule and the simulated
        traders.

        Does nothing if the venue has already begun.
        """
        self._last_call = now
        if self._has_begun:
            return
        self._has_begun = True
        for position in self._config.schedule.positions:
            shard = self.exchange(position.product).shard_of(position.ticker)
            # A position needs a counterparty; the liquidity account takes the other side.
            pair = [AccountId(position.owner, shard=shard), AccountId(LIQUIDITY, shard=shard)]
            buyer, seller = pair if position.quantity > 0 else reversed(pair)
            self.exchange(position.product).preset_position(
                buyer, seller, position.ticker, position.price, abs(position.quantity)
            )
        for initial_orders in self._config.schedule.orders:
            rules = self.exchange(initial_orders.product).markets[initial_orders.ticker].rules
            for order in liquidity_orders(
                rules,
                initial_orders.middle,
                self._random,
                self.new_id,
                levels=initial_orders.levels,
                spacing=initial_orders.spacing,
                largest=initial_orders.largest,
            ):
                self._execute(initial_orders.product, order, now)
        # Pauses begin after the resting orders are placed, because an active pause would refuse them.
        self._advance(now)
        for gateway in self._gateways.values():
            gateway.begin(now.utc)
        self._agenda.begin(now)
        self._perform_scheduled(now)
        if self._flow is not None:
            self._flow.begin(now)

    def _perform_scheduled(self, now: Instant) -> None:
        for operation in self._agenda.pop_due(now):
            try:
                operation.perform(self, now)
            except ConfigurationError as error:
                self.failed_operations.append(f"{operation.NAME}: {error}")

    # Connections

    def connection_made(self, product: str, session_type: str, now: Instant) -> int:
        """Add a connection on the port of a product's session type; return its number.

        Raises:
            ConfigurationError: the product does not have this session type.
            KeyError: there is no such product or session type.
        """
        config = SessionConfig(
            role=Role.ACCEPTOR,
            dialect=CODECS[product].dialect,
            codec=CODECS[product],
            session_type=DIALECT.session_types[session_type],
            product=product,
            sender_comp_id=session_type,
            min_heart_bt_int=MIN_HEARTBEAT_INTERVAL[product],
            sending_time_tolerance=self._config.sending_time_tolerance,
            logon_timeout=self._config.logon_timeout,
            # Kalshi answers messages that violate its spec with a Reject (3).
            strict=True,
            max_unsent=self._config.max_unsent,
        )
        self._advance(now)
        connection = self._connections.add(product, Session(config))
        self._faults.watch_bytes(connection)
        connection.session.connect(now)
        self._connections.touch(connection)
        return connection.id

    def receive_data(self, conn: int, data: bytes, now: Instant) -> None:
        """Process bytes from a connection. Bytes from a closed connection are ignored."""
        self._advance(now)
        connection = self._connections.get(conn)
        if connection is None or connection.is_cut:
            return
        if connection.faults is not None:
            data = connection.faults.filter_input(data, connection.identity, now)
        # Done before the session reads: a ResendRequest must not get messages whose retention period has
        # ended.
        if connection.login in self._offline_queues:
            self._offline_queues[connection.login].forget(now)
        connection.session.receive_data(data, now)
        self._process_events(connection, now)
        if connection.faults is not None and connection.faults.cut is not None and not connection.is_cut:
            self._faults.cut(connection, connection.faults.cut, now)

    def prepare(self) -> None:
        """Compile the checks of one more type of message for a session that has logged on. This takes up to
        3 ms, which would otherwise delay the first message of the type.

        Call it while `unprepared` is not empty and no bytes are waiting. It does not change any result.
        """
        for conn, session in list(self.unprepared.items()):
            if session.prepare():
                return
            del self.unprepared[conn]

    def pause_reading(self, conn: int, now: Instant) -> None:
        """Record that the caller holds unprocessed bytes from a connection: until reading resumes, the
        client's silence does not cause a timeout."""
        self._advance(now)
        connection = self._connections.get(conn)
        if connection is not None:
            connection.session.pause_reading()
            self._connections.touch(connection)

    def resume_reading(self, conn: int, waited: float, now: Instant) -> None:
        """Record that reading resumes; the next bytes have waited for `waited` seconds."""
        self._advance(now)
        connection = self._connections.get(conn)
        if connection is not None:
            connection.session.resume_reading(now, waited=waited)
            self._connections.touch(connection)

    def receive_eof(self, conn: int, now: Instant) -> None:
        """Remove a connection that either side has closed."""
        self._advance(now)
        self.unprepared.pop(conn, None)
        connection = self._connections.get(conn)
        if connection is not None:
            if not connection.is_cut:
                connection.session.receive_eof(now)
                self._process_events(connection, now)
            self._connections.remove(connection)

    def data_to_send(self, conn: int) -> bytes:
        """Return the bytes to write to a connection, and remove them from its buffer."""
        if self._armed.inspects_bytes:
            self._refresh()
        connection = self._connections.get(conn)
        output = b"" if connection is None else self._connections.fetch(connection, self._last_call)
        if output and connection is not None and connection.login is not None:
            # Fetched output counts as written, so an amend whose answer was fetched is no longer in flight.
            # The next page of past reports is sent only now, so pages do not pile up for a slow reader.
            gateway = self._gateways[connection.product]
            gateway.record_output_written(connection.login)
            if gateway.drop_copy.is_replaying(connection.login):
                self._pages_due[conn] = None
        return output

    def connections_with_output(self) -> set[int]:
        """Return the connections for which `data_to_send` has bytes."""
        self._refresh()
        return set(self._connections.with_output)

    def connections_to_close(self) -> set[int]:
        """Return the connections that have ended and whose output has been fetched."""
        self._refresh()
        return set(self._connections.to_close)

    def should_close(self, conn: int) -> bool:
        """Return whether a connection must be closed, or is closed already."""
        self._refresh()
        return self._connections.get(conn) is None or conn in self._connections.to_close

    def should_reset(self, conn: int) -> bool:
        """Return whether a fault requires a connection to be closed with a reset (TCP RST)."""
        connection = self._connections.get(conn)
        return connection is not None and connection.needs_reset

    def _refresh(self) -> None:
        """Update the connections that have changed since the last call."""
        # If byte-level faults are armed, the connections are visited in order, because these faults count
        # their triggers across all connections.
        self._connections.refresh(self._faults.cut, self._last_call, in_order=self._armed.inspects_bytes)

    # Time

    def next_deadline(self) -> float | None:
        """Return when to call `handle_timer`, in seconds of `Instant.monotonic`; None for never."""
        self._refresh()
        deadlines = [self._monotonic(gateway.next_deadline()) for gateway in self._gateways.values()]
        deadlines.append(self._connections.first_due())
        deadlines.append(self._armed.next_deadline())
        if self._pages_due:
            deadlines.append(self._last_call.monotonic)
        deadlines.append(self._agenda.next_deadline())
        deadlines.append(self._monotonic(self._pauses.next_change()))
        deadlines.append(None if self._flow is None else self._flow.next_deadline())
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def handle_timer(self, now: Instant) -> None:
        """Process everything that is due: session heartbeats and timeouts, order expiries, gateway timers,
        and the order flow."""
        self._advance(now)
        # Steps draw ids from `random`, so the ids that a seed produces depend on the order of the steps. If
        # the order changed, existing input logs could no longer be replayed.
        self._faults.apply_due(now)
        self._refresh()
        for connection in self._connections.pop_due(now):
            if not connection.is_cut:
                connection.session.handle_timer(now)
                self._process_events(connection, now)
        for gateway in self._gateways.values():
            self._deliver(gateway.handle_timer(now.utc), now)
        self._process_aborted(now)
        self._send_next_pages(now)
        # The queues of silent sessions are trimmed in turn, one per call, because a call must not visit all
        # of them. The queue of a session that receives a request is trimmed when it reads (`receive_data`).
        if self._queues_to_trim:
            self._queues_to_trim[0].forget(now)
            self._queues_to_trim.rotate()
        self._perform_scheduled(now)
        if self._flow is not None:
            for product, command in self._flow.due_commands(now):
                self.execute(product, command, now)

    def _send_next_pages(self, now: Instant) -> None:
        """Send the next page of past reports to the logins that have fetched the previous one."""
        due, self._pages_due = self._pages_due, {}
        for conn in due:
            connection = self._connections.get(conn)
            if connection is not None and connection.login is not None:
                self._deliver(self._gateways[connection.product].drop_copy.next_page(connection.login), now)
        self._process_aborted(now)

    def _advance(self, now: Instant) -> None:
        """Record the time and apply the pause changes that are due. Called before an input is processed."""
        # A fault takes effect after the call that triggered it and before the next one, regardless of whether
        # and in which order output is fetched.
        if self._armed.inspects_bytes:
            self._refresh()
        self._last_call = now
        if self._pauses.is_due(now.utc):
            self._change_pauses(now)

    def _change_pauses(self, now: Instant) -> None:
        begun = self._pauses.update(now.utc)
        for product, state in self._pauses.states.items():
            if self.exchange(product).pause is not state:
                self._execute(product, SetPause(state), now)
        for window in begun:
            if window.logs_out:
                for product in window.products:
                    self.log_out(LogOut(product=product), MAINTENANCE, now)

    # The operator

    def execute(self, product: str, command: Command, now: Instant) -> Sequence[Outcome]:
        """Execute a command on a product's exchange, such as a pause, and notify the sessions concerned.

        Raises:
            ValueError: the command cannot be executed (see `Exchange.apply`).
        """
        self._advance(now)
        outcomes = self._execute(product, command, now)
        if isinstance(command, SetPause):
            # `_pauses` decides whether Logons are accepted, when a pause ends, and which of several pauses
            # applies, so it must know of this pause, too.
            if command.state is PauseState.OPEN:
                self.resume(product, now)
            else:
                window = PauseWindow(begins=now.utc, ends=None, state=command.state, products=(product,))
                self.pause(window, now)
        return outcomes

    def _execute(self, product: str, command: Command, now: Instant) -> Sequence[Outcome]:
        gateway = self._gateways[product]
        # First do the work that was due before the command; otherwise the result would depend on whether
        # `handle_timer` was called in time.
        self._deliver(gateway.handle_timer(now.utc), now)
        deliveries, outcomes = gateway.execute(command, now.utc)
        self._deliver(deliveries, now)
        self._process_aborted(now)
        return outcomes

    def perform(self, operation: Operation, now: Instant) -> Answer:
        """Perform an operation; see `operations`.

        Raises:
            ConfigurationError: the operation is not possible; the venue is unchanged.
        """
        self._advance(now)
        return operation.perform(self, now)

    def pause(self, window: PauseWindow, now: Instant) -> dict[str, PauseState]:
        """Start a pause; return the resulting state of each of its products. `Pauses.pause` describes which
        earlier pauses it replaces."""
        self._advance(now)
        self._pauses.pause(window)
        self._change_pauses(now)
        return {product: self._pauses.states[product] for product in window.products}

    def resume(self, product: str | None, now: Instant) -> dict[str, PauseState]:
        """End the current pauses of a product, or of all; return the resulting states."""
        self._advance(now)
        self._pauses.resume(product, now.utc)
        self._change_pauses(now)
        return {name: self._pauses.states[name] for name in PRODUCTS if product in (None, name)}

    def inject(self, fault: Fault, now: Instant) -> Answer:
        """Arm a fault, or apply it at once if it has no trigger.

        Raises:
            ConfigurationError: too many faults are armed, or the fault names an unknown key or owner.
        """
        self._check_names(fault)
        self._advance(now)
        return self._faults.inject(fault, now)

    def release(self, name: str | None, now: Instant) -> Answer:
        """End the faults with this name, or all faults; messages that they have withheld are sent."""
        self._advance(now)
        return self._faults.release(name, now)

    def faults(self) -> list[dict[str, Any]]:
        """Return the armed faults, oldest first."""
        return [armed.describe() for armed in self._armed]

    def _check_names(self, selection: SessionOperation) -> None:
        """Reject a misspelt name: it would not match any session, and the test would pass without testing
        anything."""
        owners = {account.owner for account in self._config.accounts}
        if selection.owner is not None and selection.owner not in owners:
            raise ConfigurationError(
                f"there is no owner {selection.owner!r}; {did_you_mean(selection.owner, owners)}"
            )
        if selection.key is not None and selection.key not in self._keys:
            raise ConfigurationError(
                f"there is no API key {selection.key!r}; {did_you_mean(selection.key, self._keys)}"
            )

    def log_out(self, selection: SessionOperation, text: str | None, now: Instant) -> list[str]:
        """Begin the Logout of the sessions that `selection` matches; return the ids of their keys.

        Raises:
            ConfigurationError: `selection` names an unknown key or owner.
        """
        self._check_names(selection)
        connections = [
            connection
            for connection in self._logged_on_connections()
            if connection.session.is_established and selection.applies_to(connection.identity)
        ]
        for connection in connections:
            connection.session.logout(now, text=text)
            self._process_events(connection, now)
        return [connection.login.key_id for connection in connections if connection.login is not None]

    def backlog(self, now: Instant) -> Backlog:
        """Return the amount of unprocessed input, which grows if the venue cannot keep up."""
        return self.inbox.backlog(now)

    @property
    def input_log_path(self) -> Path | None:
        """The file that the venue's inputs are logged to, if any."""
        return None

    def sessions(self) -> list[dict[str, Any]]:
        """Return the sessions that are logged on, with the next sequence number in each direction."""
        return [
            {
                "key": login.key_id,
                "owner": login.owner,
                "product": login.product,
                "session": login.session_type,
                "listener": login.flags.listener_session,
                "next_outgoing": connection.session.next_outgoing,
                "next_incoming": connection.session.next_incoming,
            }
            for connection in self._logged_on_connections()
            if (login := connection.login) is not None
        ]

    def _logged_on_connections(self) -> list[Connection]:
        return [self._connections[number] for number in sorted(self._logged_on.values())]

    def exchange(self, product: str) -> Exchange:
        """Return a product's exchange, for reading; change it through `execute`."""
        return self._gateways[product].exchange

    def drop_copy(self, product: str) -> DropCopy:
        """Return a product's drop copy: who may request past reports, and which requests are refused."""
        return self._gateways[product].drop_copy

    def recent_trades(self, product: str) -> Sequence[TradePrinted | OrderTraded]:
        """Return a product's last trades, each with its two sides, oldest first."""
        return self._gateways[product].trades

    def new_id(self) -> str:
        """Generate an order id."""
        return self._new_id()

    def logged_on(self) -> dict[str, str]:
        """Return the session type that each key is logged on to."""
        return {
            key_id: self._connections[conn].session.config.session_type.name
            for key_id, conn in self._logged_on.items()
        }

    def seq_nums(self, key_id: str, session_type: str) -> SeqNums | None:
        """Return the sequence numbers of a key on a session type: those of its session or, if it is not
        logged on there, the stored ones. None if there are neither."""
        conn = self._logged_on.get(key_id)
        if conn is not None and self._connections[conn].session.config.session_type.name == session_type:
            session = self._connections[conn].session
            return SeqNums(session.next_incoming, session.next_outgoing)
        for login, queue in self._offline_queues.items():
            if (login.key_id, login.session_type) == (key_id, session_type):
                return SeqNums(queue.store.next_incoming, queue.store.next_outgoing)
        return None

    # Session events

    def _process_events(self, connection: Connection, now: Instant) -> None:
        self._connections.touch(connection)
        # Answering an event may cause another one on the same session, such as its end.
        while events := connection.session.events():
            for event in events:
                self._handle_event(connection, event, now)
        self._process_aborted(now)

    def _process_aborted(self, now: Instant) -> None:
        """Process the sessions that `_send` has aborted. `_send` does not process them itself,
        because CancelOrdersOnDisconnect would cancel orders in the middle of a delivery, and the reports of
        these cancels would overtake the reports not yet delivered."""
        while self._aborted_connections:
            self._process_events(self._aborted_connections.pop(), now)

    def _handle_event(self, connection: Connection, event: Event, now: Instant) -> None:
        match event:
            case LogonRequested():
                self._admit(connection, event, now)
            # Messages that arrived in the same read as a request that triggered a cut are ignored.
            case MessageReceived() if connection.login is not None and not connection.is_cut:
                self._answer(connection, connection.login, event.message, now)
            case SessionEnded() if connection.login is not None:
                login, connection.login = connection.login, None
                self._end_session(connection.product, login, now)

    def _answer(self, connection: Connection, login: Login, message: Message, now: Instant) -> None:
        gateway = self._gateways[connection.product]
        if not self._rate_limits.accepts(message, login, now.monotonic):
            self._deliver([(login, rate_limit_reject(message))], now)
            return
        self._faults.answer(connection, login, message, gateway, now)

    def _admit(self, connection: Connection, request: LogonRequested, now: Instant) -> None:
        key_id = request.signed.sender_comp_id
        key = self._keys.get(key_id)
        # Faults are applied before the rules are checked, so a Logon that a fault refuses does not count
        # toward the Logon limit.
        text = self._faults.logon_refusal(connection, key_id, None if key is None else key.owner, now)
        if text is None:
            exchange = self.exchange(connection.product)
            text = self._admission.refusal(request, connection.product, self._logged_on, exchange, now)
        if text is not None:
            connection.session.refuse_logon(text, now)
            return
        flags = LogonFlags.from_logon(cast("Logon", request.logon), connection.product)
        login = self._login(connection, key_id)
        offline_queue = self._offline_queues.get(login)
        if offline_queue is not None:
            offline_queue.set_retention(flags.message_retention_period, now)
        connection.session.accept_logon(now, store=None if offline_queue is None else offline_queue.store)
        # If the store shows that MsgSeqNum (34) is too low, `accept_logon` has ended the session, and the key
        # is not logged on.
        if connection.session.is_established:
            connection.login = login
            self.unprepared[connection.id] = connection.session
            self._gateways[connection.product].logins.start_session(login, flags, connection.id)
            self._logged_on[key_id] = connection.id

    def _login(self, connection: Connection, key_id: str) -> Login:
        key, session_type = self._keys[key_id], connection.session.config.session_type
        login = Login(
            key_id=key_id,
            session_type=session_type.name,
            keeps_messages=session_type.resend,
            **key.properties(),
        )
        logins = self._gateways[connection.product].logins
        existing = logins.get(login.origin)
        if existing is not None:
            return existing
        logins.add(login)
        if session_type.resend:
            queue = self._offline_queues[login] = OfflineQueue(
                session_type.name,
                key_id,
                max_messages=self._config.max_kept_messages,
                max_bytes=self._config.max_kept_bytes,
            )
            self._queues_to_trim.append(queue)
        return login

    def _end_session(self, product: str, login: Login, now: Instant) -> None:
        # The order matters. First the login is disconnected, so that later messages for it are put into its
        # offline queue or, on a session type without resend, are lost. Then the messages that a fault has
        # withheld are delivered, because they are older than the reports of the cancels.
        del self._logged_on[login.key_id]
        self._gateways[product].end_session(login)
        self._faults.end_session(login, now)
        if login.flags.cancel_orders_on_disconnect:
            command = CancelAll(origin=login.origin, cause=CancelCause.DISCONNECTED)
            deliveries, _ = self._gateways[product].execute(command, now.utc)
            self._deliver(deliveries, now)

    # Messages to sessions

    def _deliver(self, deliveries: Sequence[Delivery], now: Instant) -> None:
        for login, message in deliveries:
            if self._faults.try_withhold(login, message, now):
                continue
            # A message that was sent is already in the queue's store: the session records it there under its
            # number.
            if not self._send(login, message, now) and login in self._offline_queues:
                self._offline_queues[login].post(message, now)

    def _send(self, login: Login, message: Message, now: Instant) -> bool:
        connection = None if login.connection is None else self._connections[login.connection]
        if connection is None or not connection.session.is_established:
            return False
        self._connections.touch(connection)
        try:
            connection.session.send(message, now)
        # These two LocalProtocolErrors indicate bugs in the gateway, not a slow reader.
        except (InvalidMessageError, EncodeError):
            raise
        except LocalProtocolError:
            # The client has stopped reading. A report must not be skipped silently: the connection ends, and
            # on a session with resend the report waits with the others.
            connection.session.abort("Too much unread data", now)
            self._aborted_connections.append(connection)
            return False
        return True

    def _new_id(self) -> str:
        return str(UUID(int=self._random.getrandbits(128), version=4))

    def _monotonic(self, time: datetime | None) -> float | None:
        """Convert a UTC time to seconds of `Instant.monotonic`."""
        if time is None or self._last_call is NEVER:
            return None
        return self._last_call.monotonic + (time - self._last_call.utc).total_seconds()
