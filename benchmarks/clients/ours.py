"""Our clients."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from benchmarks import samples
from benchmarks.clients import trace
from benchmarks.clients.drive import TIMEOUT, Measured, drive, drive_async
from kalshi_fix_sansio import NewOrderSingle


def _options(port: int, key: str, authority: str | None) -> dict[str, Any]:
    from kalshi_fix_adapters.net.tls import Plaintext, Tls

    trace.watch_session()
    return {
        "key_id": samples.KEY_ID,
        "private_key_path": key,
        "host": "127.0.0.1",
        "port": port,
        "tls": Plaintext() if authority is None else Tls(ca_file=Path(authority), server_name="localhost"),
    }


make_order = trace.timed(trace.MAKE, lambda values: NewOrderSingle(**values))


def blocking(port: int, key: str, authority: str | None) -> Measured:
    """Our blocking client."""
    from kalshi_fix_adapters.blocking import order_entry

    with order_entry(**_options(port, key, authority)) as client:
        messages: Any = client.messages(timeout=TIMEOUT)
        return drive(lambda values: client.send(make_order(values)), lambda: next(messages).cl_ord_id)


async def _async(module: Any, port: int, key: str, authority: str | None) -> Measured:
    async with module.order_entry(**_options(port, key, authority)) as client:
        following = client.messages(timeout=TIMEOUT).__anext__

        async def take() -> str | None:
            name: str | None = (await following()).cl_ord_id
            return name

        return await drive_async(lambda values: client.send(make_order(values)), take)


def on_asyncio(port: int, key: str, authority: str | None) -> Measured:
    """Our asyncio client."""
    from kalshi_fix_adapters import asyncio as module

    return asyncio.run(_async(module, port, key, authority))


def on_uvloop(port: int, key: str, authority: str | None) -> Measured:
    """Our asyncio client on the event loop of uvloop."""
    import uvloop  # type: ignore[import-not-found, unused-ignore]

    from kalshi_fix_adapters import asyncio as module

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_async(module, port, key, authority))


def on_trio(port: int, key: str, authority: str | None) -> Measured:
    """Our trio client."""
    import trio

    from kalshi_fix_adapters import trio as module

    found: Measured = trio.run(_async, module, port, key, authority)
    return found


ENGINES = {"blocking": blocking, "asyncio": on_asyncio, "asyncio on uvloop": on_uvloop, "trio": on_trio}
