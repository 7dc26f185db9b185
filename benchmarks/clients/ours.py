"""Our clients."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from benchmarks import samples
from benchmarks.clients.drive import TIMEOUT, Measured, awaited, drive, finished
from kalshi_fix_adapters.net.tls import Plaintext, Tls
from kalshi_fix_sansio import NewOrderSingle


def _options(port: int, key: str, authority: str | None) -> dict[str, Any]:
    return {
        "key_id": samples.KEY_ID,
        "private_key_path": key,
        "host": "127.0.0.1",
        "port": port,
        "tls": Plaintext() if authority is None else Tls(ca_file=Path(authority), server_name="localhost"),
    }


def blocking(*options: Any) -> Measured:
    """Our blocking client."""
    from kalshi_fix_adapters.blocking import order_entry

    with order_entry(**_options(*options)) as client:
        messages: Any = client.messages(timeout=TIMEOUT)
        send = awaited(lambda values: client.send(NewOrderSingle(**values)))
        return finished(drive(send, awaited(lambda: next(messages).cl_ord_id)))


async def _driven(module: Any, *options: Any) -> Measured:
    async with module.order_entry(**_options(*options)) as client:
        following = client.messages(timeout=TIMEOUT).__anext__

        async def take() -> str | None:
            name: str | None = (await following()).cl_ord_id
            return name

        return await drive(lambda values: client.send(NewOrderSingle(**values)), take)


def on_asyncio(*options: Any) -> Measured:
    """Our asyncio client."""
    from kalshi_fix_adapters import asyncio as module

    return asyncio.run(_driven(module, *options))


def on_uvloop(*options: Any) -> Measured:
    """Our asyncio client on the event loop of uvloop."""
    import uvloop  # type: ignore[import-not-found, unused-ignore]

    from kalshi_fix_adapters import asyncio as module

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_driven(module, *options))


def on_trio(*options: Any) -> Measured:
    """Our trio client."""
    import trio

    from kalshi_fix_adapters import trio as module

    found: Measured = trio.run(_driven, module, *options)
    return found


ENGINES = {"blocking": blocking, "asyncio": on_asyncio, "asyncio on uvloop": on_uvloop, "trio": on_trio}
