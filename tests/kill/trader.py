"""The client that is killed. Its user trades on KalshiRT, and keeps a journal next to the client's store."""

from __future__ import annotations

import contextlib
import os
from decimal import Decimal
from mmap import mmap
from pathlib import Path
from random import Random
from typing import Any

import attrs

from kalshi_fix_adapters.blocking import Client, order_entry
from kalshi_fix_adapters.config.reconnect import ReconnectPolicy
from kalshi_fix_adapters.config.stores import Sync, is_url, stores_at
from kalshi_fix_adapters.errors import ClientTimeoutError, NotConnectedError, StoreInUseError
from kalshi_fix_adapters.events import ClientEvent, Connecting
from kalshi_fix_adapters.net.tls import Tls
from kalshi_fix_adapters.observe.observer import Observer
from kalshi_fix_adapters.store_sqlite import StoreOwner, store_path
from kalshi_fix_adapters.stores import StoreFactory, StoreSummary
from kalshi_fix_sansio import (
    ExecType,
    LogonFields,
    NewOrderSingle,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrdType,
    Side,
    TimeInForce,
)
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import GapClosed, GapDetected, LoggedOn, OutcomesUnknown
from kalshi_fix_sansio.session.states import State
from kalshi_fix_sansio.signing import Signer, load_private_key
from tests.kill.entries import DELIVERY_KINDS, entry_of
from tests.kill.journal import Journal, read
from tests.kill.kill_counter import KillCounter
from tests.kill.knowledge import Knowledge
from tests.kill.rows import FILL, LAST_TAKEN, ROW_LIMIT, rows_of
from tests.kill.runs import Activity, KillPoint, Run, Stage
from tests.postgres import execute_at

IDLE, SENT, EVENT, DONE = b"i", b"s", b"e", b"d"
"""Progress that the client reports on its pipe."""
MAX_WAIT = 60.0
"""Maximum duration of a wait, in seconds."""
MARKET = "KXHIGHNY-26DEC31-B50"
IMMEDIATE_RECONNECT = ReconnectPolicy(
    initial=1e-6, cap=1e-6, attempts=100, retry_first=True, maintenance=None
)
LAST_ORDER_TERMS = {"side": Side.BUY, "price": Decimal("0.01"), "time_in_force": TimeInForce.GOOD_TILL_CANCEL}
"""Terms of the last order; no other order can trade with it."""
PRICES = tuple(Decimal(cents) / 100 for cents in range(44, 57))


def _signer(private_key: str) -> Signer:
    return load_private_key(private_key.encode())


@attrs.frozen(kw_only=True)
class Settings:
    """Settings that all processes share. A process that only creates the store needs no address."""

    folder: Path = attrs.field(converter=Path)
    seed: int
    sync: Sync
    port: int = 0
    ca: str = ""
    key_id: str
    stores: str
    """A folder, or the URL of a database."""
    private_key: Signer = attrs.field(converter=_signer, repr=False)

    @property
    def journal(self) -> Path:
        return self.folder / "journal"

    @property
    def owner(self) -> StoreOwner:
        return StoreOwner(
            environment="demo", product="prediction", sender_comp_id=self.key_id, target_comp_id="KalshiRT"
        )

    @property
    def store(self) -> Path:
        return store_path(self.stores, self.owner)

    @property
    def factory(self) -> StoreFactory:
        return stores_at(self.stores, sync=self.sync)

    def summary(self) -> StoreSummary | None:
        """Return the content of the store with all rows, or None if there is no store yet."""
        factory = self.factory
        if is_url(self.stores):
            self._fence(factory)
        found = factory.read(self.owner)
        if found is None:
            return None
        [name] = factory.names()
        return factory.summary(name, rows=ROW_LIMIT)

    def _fence(self, factory: StoreFactory) -> None:
        """Take over the store of a killed process, because its last commit may still be in progress."""
        while True:
            try:
                factory.open(self.owner).close()
            except StoreInUseError:
                # Do not wait for the lease of the killed process: this process would usually be killed in
                # the meantime.
                execute_at(
                    self.stores.partition("&")[0],
                    "UPDATE kalshi_fix.session SET leased_until = clock_timestamp()",
                )
            else:
                return


class _StateObserver(Observer):
    """Records the state of the session."""

    def __init__(self, cells: mmap, kill_counter: KillCounter) -> None:
        self._cells = cells
        self._kill_counter = kill_counter

    def on_event(self, event: ClientEvent, now: Instant) -> None:
        match event:
            case Connecting():
                self._cells[0] = Stage.CONNECTING
            case LoggedOn() | GapClosed():
                self._cells[0] = Stage.ESTABLISHED
            case GapDetected():
                self._cells[0] = Stage.RECOVERING
        if self._cells[0] == Stage.RECOVERING:
            self._kill_counter.count(KillPoint.GAP)

    def on_state(self, old: State, new: State, now: Instant) -> None:
        if new is State.LOGON_SENT:
            self._cells[0] = Stage.LOGON
            self._kill_counter.count(KillPoint.LOGON)


class Trader:
    """One process of the client."""

    def __init__(self, settings: Settings, run: Run, cells: mmap, pipe: int) -> None:
        self._settings = settings
        self._run = run
        self._cells = cells
        self._pipe = pipe
        _ = settings.factory  # imports the store's class, whose commits are counted
        self._kill_counter = KillCounter(run, cells)
        self._random = Random(f"{settings.seed}/{run.number}")
        self._known = Knowledge()
        self._count = 0

    def run(self) -> None:
        """Open the journal and the store, log on, and trade until killed. Without a planned kill, send one
        order and wait until every outcome that can be known is known."""
        settings = self._settings
        self._known.read(read(settings.journal))
        self._journal = Journal(settings.journal)
        self._cells[0] = Stage.STORE
        self._kill_counter.begin()
        self._record_opening()
        client = order_entry(
            retransmission=True,
            store=settings.stores,
            sync=settings.sync,
            key_id=settings.key_id,
            private_key=settings.private_key,
            host="127.0.0.1",
            port=settings.port,
            tls=Tls(ca_data=settings.ca),
            timeout=MAX_WAIT,
            reconnect=IMMEDIATE_RECONNECT,
            # For every odd seed, the venue also sends pending reports, which are not outcomes.
            logon_fields=LogonFields(skip_pending_exec_reports=settings.seed % 2 == 0),
            observer=_StateObserver(self._cells, self._kill_counter),
        )
        with client.standby(every=0.01):
            if self._run.kill_point is KillPoint.NONE:
                self._finish(client)
            else:
                self._trade(client)
        self._signal(DONE)

    def _record_opening(self) -> None:
        """Record the state of the store, and the requests that were never sent: those without an outcome
        that are not in the store."""
        summary = self._settings.summary()
        if summary is None:
            self._record("opened", run=self._run.number, outgoing=None, incoming=None)
            waiting: set[str] = set()
        else:
            waiting = {request.request_id for request in summary.open_requests}
            self._record(
                "opened",
                run=self._run.number,
                outgoing=summary.next_outgoing,
                incoming=summary.next_incoming,
                requests=sorted(waiting),
                row=rows_of(summary).get(LAST_TAKEN, 0),
            )
        for request_id in sorted(self._known.unresolved - waiting):
            self._record("never sent", id=request_id)

    def _trade(self, client: Client) -> None:
        orders = self._run.orders
        while True:
            if orders and (client.is_logged_on or self._random.random() < 0.5):
                orders -= 1
                self._send_request(client)
            timeout = self._random.choice((0.0, 0.002)) if orders else 0.0
            try:
                event = client.receive(timeout)
            except ClientTimeoutError:
                if orders:
                    continue
                self._cells[1] = Activity.WAITING
                if self._cells[0] == Stage.ESTABLISHED:
                    self._signal(IDLE)
                event = client.receive(MAX_WAIT)
            self._record_event(client, event)

    def _finish(self, client: Client) -> None:
        """Send a last order, which rests. The venue answers in order, so the report of this order implies
        that all earlier outcomes are known."""
        self._send_request(client, last=True)
        last = next(reversed(self._known.intended))
        while last not in self._known.answered:
            self._record_event(client, client.receive(MAX_WAIT))

    # Sending

    def _send_request(self, client: Client, *, last: bool = False) -> None:
        """Record the intention to send a request, and send the request."""
        self._count += 1
        cl_ord_id = f"{self._run.number}-{self._count}"
        message = self._order(cl_ord_id, **LAST_ORDER_TERMS) if last else self._random_request(cl_ord_id)
        self._cells[1] = Activity.PLACING
        self._record("intention", id=cl_ord_id, run=self._run.number)
        try:
            seq = client.send(message, timeout=MAX_WAIT)
        except NotConnectedError:
            # The exception guarantees that the order was not sent.
            self._record("never sent", id=cl_ord_id)
        else:
            self._record("sent", id=cl_ord_id, seq=seq)
            self._signal(SENT)
        self._cells[1] = Activity.NOTHING

    def _random_request(self, cl_ord_id: str) -> Message:
        random, open_orders = self._random, self._known.open
        chance = random.random()
        if open_orders and chance < 0.3:
            orig = random.choice(list(open_orders))
            fields: dict[str, Any] = {
                "cl_ord_id": cl_ord_id,
                "orig_cl_ord_id": orig,
                "side": open_orders[orig][0],
                "symbol": MARKET,
            }
            if chance < 0.2:
                return OrderCancelRequest(**fields)
            price = random.choice(PRICES)
            return OrderCancelReplaceRequest(
                **fields, order_qty=random.randint(1, 6), ord_type=OrdType.LIMIT, price=price
            )
        if chance < 0.34:  # refused by the exchange
            return self._order(cl_ord_id, price=Decimal("0.005"))
        if chance < 0.38:  # refused with a BusinessMessageReject
            return self._order(cl_ord_id, quote_id="none")
        return self._order(cl_ord_id)

    def _order(self, cl_ord_id: str, **changes: Any) -> NewOrderSingle:
        random = self._random
        values: dict[str, Any] = {
            "cl_ord_id": cl_ord_id,
            "symbol": MARKET,
            "side": random.choice((Side.BUY, Side.SELL)),
            "ord_type": OrdType.LIMIT,
            "price": random.choice(PRICES),
            "order_qty": random.randint(1, 6),
            "time_in_force": random.choice(
                [TimeInForce.GOOD_TILL_CANCEL] * 3 + [TimeInForce.IMMEDIATE_OR_CANCEL]
            ),
        }
        return NewOrderSingle(**(values | changes))

    # Receiving

    def _record_event(self, client: Client, event: ClientEvent) -> None:
        """Record an event; taking the next event confirms it."""
        if isinstance(event, OutcomesUnknown) and self._run.kill_point is KillPoint.UNKNOWN:
            self._count_unknown(client)
        self._kill_counter.count(KillPoint.RECEIVED)
        entry = entry_of(event)
        self._record(**entry)
        # Rows in the client's store: after every kill they must agree with the confirmed events.
        if entry["kind"] in DELIVERY_KINDS:
            client.rows[LAST_TAKEN] = entry["seq"]
        if entry.get("type") == ExecType.TRADE:
            client.rows[f"{FILL}{entry['exec_id']}"] = entry["id"]
        self._cells[1] = Activity.TAKING
        self._kill_counter.count(KillPoint.UNCONFIRMED)
        self._signal(EVENT)

    def _count_unknown(self, client: Client) -> None:
        """Count an unknown outcome. A kill here happens after the gap fill that replaced the request was
        sent, and before any other event."""
        with contextlib.suppress(NotConnectedError):
            client.test_request(MAX_WAIT)
        self._kill_counter.count(KillPoint.UNKNOWN)

    def _record(self, kind: str, **values: Any) -> None:
        self._known.record(self._journal.write(kind, **values))

    def _signal(self, progress: bytes) -> None:
        os.write(self._pipe, progress)
