"""Benchmark clients that use other engines: kalshi-sdk and QuickFIX."""

from __future__ import annotations

import asyncio
import queue
import ssl
import threading
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from benchmarks import samples
from benchmarks.clients.drive import (
    TIMEOUT,
    Measurements,
    drive,
    run_synchronously,
    tick_orders,
    to_coroutine,
)

Receive = Callable[[Any], Awaitable[object]]


def _session_maker(port: int, key: str, authority: str | None) -> Callable[[str, Receive], Any]:
    """Return a function that makes a session of kalshi-sdk."""
    from kalshi.fix.auth import FixSigner
    from kalshi.fix.config import FixConfig, FixSessionType
    from kalshi.fix.session import FixSession

    config = FixConfig.prediction(
        host="127.0.0.1", port=port, use_tls=authority is not None, use_dollars=True
    )
    context = None
    if authority is not None:
        context = ssl.create_default_context(cafile=authority)
        context.check_hostname = False

    def make(kind: str, receive: Receive) -> Any:
        signer = FixSigner.from_key_path(samples.KEY_ID, key)
        return FixSession(signer, config, FixSessionType[kind], on_message=receive, ssl_context=context)

    return make


def sdk(*options: Any) -> Measurements:
    """Measure kalshi-sdk's session, with messages decoded to typed models as in its documentation."""
    from kalshi.fix.messages.dispatch import decode_app_message

    from benchmarks.engines import kalshi_sdk

    async def run() -> Measurements:
        reports: asyncio.Queue[Any] = asyncio.Queue()

        async def take() -> str | None:
            cl_ord_id: str | None = (await reports.get()).cl_ord_id
            return cl_ord_id

        receive = to_coroutine(lambda raw: reports.put_nowait(decode_app_message(raw)))
        async with _session_maker(*options)("ORDER_ENTRY_NR", receive) as session:
            return await drive(lambda values: session.send(kalshi_sdk.order(values)), take)

    return asyncio.run(run())


def quickfix_initiator(port: int, _: str, authority: str | None) -> Measurements:
    """Measure QuickFIX's initiator. Its thread receives reports, and passes them to our thread through a
    queue."""
    from benchmarks.clients.quickfix_peer import REPORT_TAGS, Peer

    assert authority is None
    reports: queue.SimpleQueue[list[str]] = queue.SimpleQueue()

    def receive(message: Any) -> None:
        reports.put([message.getField(tag) for tag in REPORT_TAGS])

    with Peer("initiator", port, receive) as peer:
        assert peer.logged_on.wait(TIMEOUT)
        send = to_coroutine(lambda values: peer.send("D", samples.order_fields(values)))
        return run_synchronously(drive(send, to_coroutine(lambda: reports.get(timeout=TIMEOUT)[0])))


def sdk_ticks(port: int, key: str, authority: str | None, store: str | None, _: str) -> None:
    """Answer each update with an order, using kalshi-sdk's sessions, models and books."""
    from kalshi.fix.messages.dispatch import decode_app_message

    from benchmarks.engines import kalshi_sdk

    assert store is None

    async def run() -> None:
        make_session = _session_maker(port, key, authority)
        books, prepared_orders = kalshi_sdk.Books(), tick_orders()

        async def receive(raw: Any) -> None:
            message: Any = decode_app_message(raw)
            books.apply(message)
            if message.MSG_TYPE != "X":
                return
            symbol = message.entries[0].symbol
            values = {"symbol": symbol, "price": books.get(symbol).bids[0].price}
            await orders.send(kalshi_sdk.order(next(prepared_orders) | values))

        async with (
            make_session("ORDER_ENTRY_NR", to_coroutine(decode_app_message)) as orders,
            make_session("MARKET_DATA", receive),
        ):
            await asyncio.Event().wait()

    asyncio.run(run())


def quickfix_ticks(port: int, _: str, authority: str | None, store: str | None, __: str) -> None:
    """Answer each update with an order in the thread of QuickFIX's initiator, using a book whose sizes
    are strings."""
    from benchmarks.clients.quickfix_peer import REPORT_TAGS, Peer

    assert authority is None
    assert store is None
    bids: dict[Decimal, str] = {}
    prepared_orders = tick_orders()

    def receive(message: Any) -> None:
        if message.getHeader().getField(35) != "X":
            return
        if message.getField(269) == "0":
            bids[Decimal(message.getField(270))] = message.getField(271)
        values = {"symbol": message.getField(55), "price": str(max(bids, default=Decimal("0.01")))}
        orders.send("D", samples.order_fields(next(prepared_orders) | values))

    def read(report: Any) -> None:
        for tag in REPORT_TAGS:
            report.getField(tag)

    with Peer("initiator", port, read) as orders:
        assert orders.logged_on.wait(TIMEOUT)
        with Peer("initiator", port, receive, venue="KalshiMD"):
            threading.Event().wait()


TICKS = {"kalshi-sdk": sdk_ticks, "quickfix": quickfix_ticks}
ENGINES = {"kalshi-sdk": sdk, "quickfix": quickfix_initiator}
