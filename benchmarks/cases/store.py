"""Benchmarks: (i, j) send orders on sessions that commit sequence numbers and messages before sending."""

from __future__ import annotations

import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING, Literal, TypeAlias

from benchmarks import samples
from benchmarks.cases.stream import logged_on_session
from benchmarks.measure import Contender, Result, measure, result
from kalshi_fix_adapters.store_sqlite import SqliteStore, StoreOwner
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.session import Session

if TYPE_CHECKING:
    from kalshi_fix_adapters.store_postgres import PostgresStore

STORE = "i: order sent with a durable MsgSeqNum"
FIXED_RATE = "j: order at 1,000/s, until it is durable"
BATCH = 100
SESSIONS = 16
RATE, SECONDS = 1000, 2
FIXED_RATE_ROUNDS = 3
Sync = Literal["full", "normal"]
SYNCS: tuple[Sync, ...] = ("full", "normal")
NOW = Instant(1.0, samples.NOON + timedelta(seconds=1))
Store: TypeAlias = "SqliteStore | PostgresStore"
StoreOpener: TypeAlias = "Callable[[str], Store]"
"""A function that opens the store of an account."""


def measure_stores(rounds: int = 9) -> list[Result]:
    """Send orders on sessions with resend: one at a time, on one session and on 16, and at a fixed rate."""
    with _stores() as stores:
        contenders = [Contender(STORE, "memory", _sender(()), BATCH, max_calls=4)]
        fixed_rate_results: list[Result] = []
        for name, open_store in stores.items():
            for sessions in (1, SESSIONS):
                label = name if sessions == 1 else f"{name}, {sessions} sessions"
                opened = [open_store(f"{sessions}-{number}") for number in range(sessions)]
                contenders.append(Contender(STORE, label, _sender(opened), BATCH, max_calls=4))
            if "normal" not in name:
                fixed_rate_results += _at_fixed_rate(
                    name, [open_store(f"fixed-rate-{number}") for number in range(FIXED_RATE_ROUNDS)]
                )
        return [*measure(contenders, rounds), *fixed_rate_results]


@contextmanager
def _stores() -> Iterator[Mapping[str, StoreOpener]]:
    """Yield the functions that open stores, by kind of store. Postgres is one of them if psycopg and a server
    are installed (`make postgres`).
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))

        def sqlite(sync: Sync) -> StoreOpener:
            return lambda name: stack.enter_context(
                SqliteStore(folder / f"{sync}-{name}.sqlite3", owner=_owner(name), sync=sync)
            )

        stores: dict[str, StoreOpener] = {f"sqlite, sync={sync}": sqlite(sync) for sync in SYNCS}
        try:
            from kalshi_fix_adapters.store_postgres import PostgresStore
            from tests.postgres import Server

            server = stack.enter_context(Server())
        except Exception as error:  # noqa: BLE001 - the other stores are measured in any case
            print(f"Postgres is skipped: {error}")
        else:
            dsn = server.dsn(server.create_database())
            stores["postgres"] = lambda name: stack.enter_context(
                PostgresStore(dsn, owner=_owner(name), failover="none", lease=600)
            )
        yield stores


def _owner(name: str) -> StoreOwner:
    return StoreOwner(
        environment="demo",
        product="prediction",
        sender_comp_id=samples.KEY_ID,
        target_comp_id="KalshiRT",
        account=name,
    )


def _sender(stores: list[Store] | tuple[()]) -> Callable[[], None]:
    """Return a function that sends orders, one at a time on each session. Each store gets a session; without
    stores, one session keeps its messages in memory.
    """
    sessions = [logged_on_session(name="KalshiRT", store=store) for store in stores or (None,)]
    numbers = count()
    orders = [samples.order(number) for number in range(BATCH)]

    def send() -> None:
        for begin in range(0, BATCH, len(sessions)):
            pairs = list(zip(sessions, orders[begin:], strict=False))
            for session, order in pairs:
                order.cl_ord_id = f"order-{next(numbers)}"
                session.send(order, NOW)
            waiting = [session for session, _ in pairs if not session.data_to_send()]
            for number, session in enumerate(sessions):
                while session in waiting and not session.data_to_send():
                    stores[number].commit()

    return send


def _at_fixed_rate(name: str, stores: Iterable[Store]) -> list[Result]:
    """Send orders at a fixed rate, without waiting for earlier commits; use each store for one round.

    The delay of an order is measured from its scheduled time until the session releases its bytes, which
    is after the commit.
    """
    rounds = [quantiles(_delays(store), n=100) for store in stores]
    return [
        result(
            FIXED_RATE,
            f"{name}, p{percent}",
            [percentiles[percent - 1] for percentiles in rounds],
            by_round=True,
        )
        for percent in (50, 99)
    ]


def _delays(store: Store) -> list[float]:
    """Return the delay of each order in microseconds."""
    session = logged_on_session(name="KalshiRT", store=store)
    while session.prepare():  # clients do the same before the logon
        pass
    committed = threading.Event()
    store.on_commit = committed.set
    due: deque[float] = deque()
    delays: list[float] = []
    orders = [samples.order(number) for number in range(RATE * SECONDS)]
    started = time.perf_counter()
    for number, order in enumerate(orders):
        scheduled = started + number / RATE
        while (remaining := scheduled - time.perf_counter()) > 0:
            if committed.wait(remaining):
                _collect(session, committed, due, delays)
        due.append(scheduled)
        session.send(order, NOW)
        _collect(session, committed, due, delays)
    while due:
        committed.wait()
        _collect(session, committed, due, delays)
    return delays


def _collect(session: Session, committed: threading.Event, due: deque[float], delays: list[float]) -> None:
    """Record the delay of each order whose commit is complete."""
    committed.clear()
    sent = session.data_to_send().count(b"\x0135=D\x01")
    now = time.perf_counter()
    delays.extend((now - due.popleft()) * 1e6 for _ in range(sent))
