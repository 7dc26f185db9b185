"""(i) Orders through a session whose numbers and messages are durable before a byte leaves."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from itertools import count as counting
from pathlib import Path
from typing import Literal

from benchmarks import samples
from benchmarks.cases.stream import established
from benchmarks.measure import Contender, Result, measure
from kalshi_fix_adapters.store_sqlite import SqliteStore, StoreOwner
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.session import MessageStore

STORE = "i: order sent with a durable MsgSeqNum"
BATCH = 100
Sync = Literal["full", "normal"]
SYNCS: tuple[Sync, ...] = ("full", "normal")
NOW = Instant(1.0, samples.NOON + timedelta(seconds=1))
OWNER = StoreOwner(
    environment="demo", product="prediction", sender_comp_id=samples.KEY_ID, target_comp_id="KalshiRT"
)


def storing(rounds: int = 9) -> list[Result]:
    """Send orders on a session with resend, each fetched by itself as an adapter does, per sync setting."""
    with ExitStack() as stack:
        where = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        contenders = [Contender(STORE, "memory", _sender(None), BATCH, max_calls=4)]
        for sync in SYNCS:
            store = stack.enter_context(SqliteStore(where / f"{sync}.sqlite3", owner=OWNER, sync=sync))
            contenders.append(Contender(STORE, f"sqlite, sync={sync}", _sender(store), BATCH, max_calls=4))
        return measure(contenders, rounds)


def _sender(store: MessageStore | None) -> Callable[[], None]:
    session = established(name="KalshiRT", store=store)
    numbers = counting()
    orders = [samples.order(number) for number in range(BATCH)]

    def send() -> None:
        for order in orders:
            order.cl_ord_id = f"order-{next(numbers)}"
            session.send(order, NOW)
            while not session.data_to_send():
                assert isinstance(store, SqliteStore)
                store.commit()

    return send
