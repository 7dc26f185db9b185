"""The clients of the round trips, each in a process of its own.

    python -m benchmarks.clients ENGINE PORT KEY [CA]      with CA: over TLS

Prints JSON: the seconds of each round trip from `send` to the typed report in hand, and those of an
order while 100 of them are on their way.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import queue
import socket
import ssl
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import samples

ROUND_TRIPS, PIPELINED, WINDOW, WARM_UP = 2000, 6000, 100, 200
TIMEOUT = 20.0


def _ours_options(port: int, key: str, authority: str | None) -> dict[str, Any]:
    from kalshi_fix_adapters.tls import Plaintext, Tls

    return {
        "key_id": samples.KEY_ID,
        "private_key_path": key,
        "host": "127.0.0.1",
        "port": port,
        "tls": Plaintext() if authority is None else Tls(ca_file=Path(authority), server_name="localhost"),
    }


def _orders() -> Callable[[], tuple[str, Any]]:
    numbers = itertools.count()

    def make() -> tuple[str, Any]:
        order = samples.order()
        order.cl_ord_id = name = f"order-{next(numbers)}"
        return name, order

    return make


def blocking(port: int, key: str, authority: str | None) -> dict[str, Any]:
    """Our blocking client."""
    from kalshi_fix_adapters.blocking import order_entry

    make, times = _orders(), []
    with order_entry(**_ours_options(port, key, authority)) as client:
        messages = client.messages(timeout=TIMEOUT)
        for _ in range(WARM_UP + ROUND_TRIPS):
            name, order = make()
            begin = time.perf_counter()
            client.send(order)
            report: Any = next(messages)
            times.append(time.perf_counter() - begin)
            assert report.cl_ord_id == name
        begin, sent = time.perf_counter(), 0
        for taken in range(PIPELINED):
            while sent < min(taken + WINDOW, PIPELINED):
                client.send(make()[1])
                sent += 1
            next(messages)
        each = (time.perf_counter() - begin) / PIPELINED
    return {"seconds": times[WARM_UP:], "each": each}


async def _async(module: Any, port: int, key: str, authority: str | None) -> dict[str, Any]:
    make, times = _orders(), []
    async with module.order_entry(**_ours_options(port, key, authority)) as client:
        messages = client.messages(timeout=TIMEOUT)
        take = messages.__anext__
        for _ in range(WARM_UP + ROUND_TRIPS):
            name, order = make()
            begin = time.perf_counter()
            await client.send(order)
            report = await take()
            times.append(time.perf_counter() - begin)
            assert report.cl_ord_id == name
        begin, sent = time.perf_counter(), 0
        for taken in range(PIPELINED):
            while sent < min(taken + WINDOW, PIPELINED):
                await client.send(make()[1])
                sent += 1
            await take()
        each = (time.perf_counter() - begin) / PIPELINED
    return {"seconds": times[WARM_UP:], "each": each}


def our_asyncio(port: int, key: str, authority: str | None) -> dict[str, Any]:
    """Our asyncio client."""
    from kalshi_fix_adapters import asyncio as module

    return asyncio.run(_async(module, port, key, authority))


def our_trio(port: int, key: str, authority: str | None) -> dict[str, Any]:
    """Our trio client."""
    import trio

    from kalshi_fix_adapters import trio as module

    found: dict[str, Any] = trio.run(_async, module, port, key, authority)
    return found


def bare(port: int, key: str, authority: str | None) -> dict[str, Any]:
    """Our session on a blocking socket and nothing else: what is left when no client is around it."""
    from kalshi_fix_sansio import DIALECT
    from kalshi_fix_sansio.clock import Instant
    from kalshi_fix_sansio.config import Role, SessionConfig
    from kalshi_fix_sansio.events import LoggedOn, MessageReceived
    from kalshi_fix_sansio.session import Session

    del key
    session = Session(
        SessionConfig(
            role=Role.INITIATOR,
            dialect=DIALECT,
            session_type=DIALECT.session_types[samples.VENUE],
            product="prediction",
            sender_comp_id=samples.KEY_ID,
            target_comp_id=samples.VENUE,
            sign_logon=lambda _: b"c2lnbmF0dXJl",
        )
    )
    make, times = _orders(), []
    with socket.create_connection(("127.0.0.1", port)) as plain, contextlib.ExitStack() as stack:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link = plain
        if authority is not None:
            context = ssl.create_default_context(cafile=authority)
            link = stack.enter_context(context.wrap_socket(plain, server_hostname="localhost"))

        def now() -> Instant:
            return Instant(time.monotonic(), datetime.now(UTC))

        def take(kind: type[Any]) -> list[Any]:
            while True:
                session.receive_data(link.recv(65536), now())
                found = [event for event in session.events() if isinstance(event, kind)]
                if found:
                    return found

        session.connect(now())
        link.sendall(session.data_to_send())
        take(LoggedOn)
        for _ in range(WARM_UP + ROUND_TRIPS):
            name, order = make()
            begin = time.perf_counter()
            session.send(order, now())
            link.sendall(session.data_to_send())
            event = take(MessageReceived)[0]
            times.append(time.perf_counter() - begin)
            assert event.message.cl_ord_id == name
        begin, sent, taken = time.perf_counter(), 0, 0
        while taken < PIPELINED:
            while sent < min(taken + WINDOW, PIPELINED):
                session.send(make()[1], now())
                sent += 1
            link.sendall(session.data_to_send())
            taken += len(take(MessageReceived))
        each = (time.perf_counter() - begin) / PIPELINED
    return {"seconds": times[WARM_UP:], "each": each}


def sdk(port: int, key: str, authority: str | None) -> dict[str, Any]:
    """kalshi-sdk's session, its messages decoded to typed models as its documentation has it."""
    from kalshi.fix.auth import FixSigner
    from kalshi.fix.config import FixConfig, FixSessionType
    from kalshi.fix.messages.dispatch import decode_app_message
    from kalshi.fix.session import FixSession

    from benchmarks.engines import kalshi_sdk

    async def run() -> dict[str, Any]:
        reports: asyncio.Queue[Any] = asyncio.Queue()

        async def take(raw: Any) -> None:
            reports.put_nowait(decode_app_message(raw))

        config = FixConfig.prediction(
            host="127.0.0.1", port=port, use_tls=authority is not None, use_dollars=True
        )
        context = None
        if authority is not None:
            context = ssl.create_default_context(cafile=authority)
            context.check_hostname = False
        signer = FixSigner.from_key_path(samples.KEY_ID, key)
        times, numbers = [], itertools.count()

        def make() -> tuple[str, Any]:
            order = kalshi_sdk.order()
            name = f"order-{next(numbers)}"
            return name, order.model_copy(update={"cl_ord_id": name})

        async with FixSession(
            signer, config, FixSessionType.ORDER_ENTRY_NR, on_message=take, ssl_context=context
        ) as session:
            for _ in range(WARM_UP + ROUND_TRIPS):
                name, order = make()
                begin = time.perf_counter()
                await session.send(order)
                report = await reports.get()
                times.append(time.perf_counter() - begin)
                assert report.cl_ord_id == name
            begin, sent = time.perf_counter(), 0
            for taken in range(PIPELINED):
                while sent < min(taken + WINDOW, PIPELINED):
                    await session.send(make()[1])
                    sent += 1
                await reports.get()
            each = (time.perf_counter() - begin) / PIPELINED
        return {"seconds": times[WARM_UP:], "each": each}

    return asyncio.run(run())


_QUICKFIX = """\
[DEFAULT]
ConnectionType=initiator
BeginString=FIXT.1.1
DefaultApplVerID=FIX.5.0SP2
NonStopSession=Y
HeartBtInt=30
ReconnectInterval=1
UseDataDictionary=N
ResetOnLogon=Y
SocketNodelay=Y
SocketConnectHost=127.0.0.1
SocketConnectPort={port}
SenderCompID={client}
TargetCompID={venue}
[SESSION]
"""


def quickfix_initiator(port: int, key: str, authority: str | None) -> dict[str, Any]:
    """QuickFIX's own initiator: reports come in its thread, and go to ours through a queue."""
    import quickfix

    del key
    assert authority is None
    reports: queue.SimpleQueue[tuple[str, ...]] = queue.SimpleQueue()
    logged_on = threading.Event()
    tags = (11, 37, 17, 150, 39, 54, 55, 38, 151, 14, 6)

    class Application(quickfix.Application):  # type: ignore[misc, unused-ignore]
        def onCreate(self, session_id: Any) -> None:  # noqa: N802
            self.session_id = session_id

        def onLogon(self, session_id: Any) -> None:  # noqa: N802, ARG002
            logged_on.set()

        def onLogout(self, session_id: Any) -> None:  # noqa: N802
            pass

        def toAdmin(self, message: Any, session_id: Any) -> None:  # noqa: N802
            pass

        def fromAdmin(self, message: Any, session_id: Any) -> None:  # noqa: N802
            pass

        def toApp(self, message: Any, session_id: Any) -> None:  # noqa: N802
            pass

        def fromApp(self, message: Any, session_id: Any) -> None:  # noqa: N802, ARG002
            try:
                reports.put(tuple([message.getField(tag) for tag in tags]))
            except Exception:  # noqa: BLE001
                traceback.print_exc()

    numbers, times = itertools.count(), []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "initiator.cfg")
        path.write_text(_QUICKFIX.format(port=port, client=samples.KEY_ID, venue=samples.VENUE))
        settings = quickfix.SessionSettings(str(path))
        application, store = Application(), quickfix.MemoryStoreFactory()
        engine = quickfix.SocketInitiator(application, store, settings)

        def send() -> str:
            name = f"order-{next(numbers)}"
            message = quickfix.Message()
            message.getHeader().setField(35, "D")
            message.setField(11, name)
            for tag, value in samples.ORDER_FIELDS[1:]:
                message.setField(tag, value)
            quickfix.Session.sendToTarget(message, application.session_id)
            return name

        engine.start()
        assert logged_on.wait(TIMEOUT)
        for _ in range(WARM_UP + ROUND_TRIPS):
            begin = time.perf_counter()
            name = send()
            report = reports.get(timeout=TIMEOUT)
            times.append(time.perf_counter() - begin)
            assert report[0] == name
        begin, sent = time.perf_counter(), 0
        for taken in range(PIPELINED):
            while sent < min(taken + WINDOW, PIPELINED):
                send()
                sent += 1
            reports.get(timeout=TIMEOUT)
        each = (time.perf_counter() - begin) / PIPELINED
        engine.stop()
    return {"seconds": times[WARM_UP:], "each": each}


ENGINES = {
    "blocking": blocking,
    "asyncio": our_asyncio,
    "trio": our_trio,
    "bare session": bare,
    "kalshi-sdk": sdk,
    "quickfix": quickfix_initiator,
}

if __name__ == "__main__":
    name, port, key, *authority = sys.argv[1:]
    json.dump(ENGINES[name](int(port), key, authority[0] if authority else None), sys.stdout)
