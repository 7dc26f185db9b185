"""What one event loop has and the others have not."""

from __future__ import annotations

import asyncio
import gc

import pytest
import trio

import kalshi_fix_adapters.asyncio
import kalshi_fix_adapters.trio
from kalshi_fix_adapters.cli.sandbox import Sandbox
from kalshi_fix_sansio.errors import LocalProtocolError
from tests.adapters.conformance.relay import Relay
from tests.adapters.conformance.support import acknowledged, options, order


def test_tasks_of_trio_need_an_owner(sandbox: Sandbox) -> None:
    async def main() -> None:
        client = kalshi_fix_adapters.trio.order_entry(**options(sandbox))
        with pytest.raises(LocalProtocolError, match="enter it by async with"):
            await client.open()
        async with client:
            assert client.is_logged_on

    trio.run(main)


@pytest.mark.parametrize("factory", ["lazy", "eager"])
def test_asyncio_in_debug_mode_and_with_eager_tasks(sandbox: Sandbox, factory: str) -> None:
    async def main() -> None:
        # Python 3.12 has eager tasks; before, this is the same test twice.
        if factory == "eager" and hasattr(asyncio, "eager_task_factory"):
            asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        async with kalshi_fix_adapters.asyncio.order_entry(**options(sandbox)) as client:
            placed = order()
            await client.send(placed)
            await acknowledged(client, placed.cl_ord_id)
        assert client.ended is not None
        assert client.ended.clean

    asyncio.run(main(), debug=True)


def test_an_asyncio_loop_that_is_closed_takes_its_clients_along(sandbox: Sandbox) -> None:
    async def main() -> None:
        client = kalshi_fix_adapters.asyncio.order_entry(**options(sandbox, port=relay.port))
        await client.open()

    with Relay(sandbox.server.port("prediction", "KalshiNR")) as relay:
        asyncio.run(main())
        relay.wait(lambda: relay.closed == relay.opened == 1)
    gc.collect()
