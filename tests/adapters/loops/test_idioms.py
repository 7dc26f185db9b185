"""Behaviour that is specific to asyncio or to trio."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest
import trio
import trio.testing

import kalshi_fix_adapters.asyncio.client
import kalshi_fix_adapters.trio
from kalshi_fix_adapters.errors import ClientTimeoutError
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_venue.testing import Sandbox
from tests.adapters.conformance.loops import collect
from tests.adapters.conformance.support import options, order, place_order
from tests.relay import Relay


def test_a_trio_client_must_be_entered(sandbox: Sandbox) -> None:
    async def main() -> None:
        client = kalshi_fix_adapters.trio.order_entry(**options(sandbox))
        with pytest.raises(LocalProtocolError, match="enter it with `async with`"):
            await client.open()
        async with client:
            assert client.is_logged_on

    trio.run(main)


@pytest.mark.parametrize("factory", ["lazy", "eager"])
def test_an_asyncio_client_works_in_debug_mode_and_with_eager_tasks(sandbox: Sandbox, factory: str) -> None:
    async def main() -> None:
        # Eager tasks need Python 3.12; on older versions the two cases are the same.
        if factory == "eager" and hasattr(asyncio, "eager_task_factory"):
            asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        async with kalshi_fix_adapters.asyncio.order_entry(**options(sandbox)) as client:
            await place_order(client)
        assert client.ended is not None
        assert client.ended.clean

    asyncio.run(main(), debug=True)


def test_calls_that_need_not_wait_let_other_tasks_run_on_asyncio(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = 50

    async def count_turns(seconds: float) -> int:
        """Return the number of turns of the loop while messages are sent and waiting events are taken."""
        count = 0

        def count_turn() -> None:
            nonlocal count
            count += 1
            scheduled.append(loop.call_soon(count_turn))

        loop = asyncio.get_running_loop()
        scheduled: list[asyncio.Handle] = []
        settings = options(sandbox, queue_limit=1000)
        async with kalshi_fix_adapters.asyncio.order_entry(**settings) as client:
            for _ in range(many):
                await client.send(order())
            await client.test_request(30.0)
            monkeypatch.setattr(kalshi_fix_adapters.asyncio.client, "TIME_SLICE", seconds)
            monkeypatch.setattr(client._adapter, "before_call_due", 0.0)
            count_turn()
            for _ in range(many):
                await client.receive(0)
            for _ in range(many):
                await client.send(order())
            scheduled[-1].cancel()
        return count

    assert asyncio.run(count_turns(1000.0)) == 1
    assert asyncio.run(count_turns(0.0)) > many / 2


async def test_calls_that_need_not_wait_can_be_cancelled_on_asyncio(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kalshi_fix_adapters.asyncio.client, "TIME_SLICE", 0.0)
    async with kalshi_fix_adapters.asyncio.order_entry(**options(sandbox)) as client:
        with pytest.raises(TimeoutError):  # noqa: PT012
            async with asyncio.timeout(0):
                for _ in range(100):
                    await client.send(order())
    assert client.ended is not None
    assert client.ended.clean


async def test_no_timer_keeps_a_closed_asyncio_client_alive(sandbox: Sandbox) -> None:
    async with kalshi_fix_adapters.asyncio.order_entry(**options(sandbox)) as client:
        await client.receive(3600)
        await client.test_request(3600)
    reference = weakref.ref(client)
    del client
    gc.collect()
    assert reference() is None


def test_an_asyncio_client_can_be_reopened_in_another_loop(sandbox: Sandbox) -> None:
    client = kalshi_fix_adapters.asyncio.order_entry(**options(sandbox))

    async def open_and_trade() -> None:
        async with client:
            await place_order(client)
            with pytest.raises(ClientTimeoutError):
                await client.receive(0.01)

    for _ in range(2):
        asyncio.run(open_and_trade())


def test_every_call_to_a_trio_client_is_one_checkpoint(sandbox: Sandbox) -> None:
    async def main() -> None:
        async with kalshi_fix_adapters.trio.order_entry(**options(sandbox)) as client:
            with trio.testing.assert_checkpoints():
                await client.send(order())
            await client.test_request(30.0)
            events = client.events(30.0)
            for take in (client.receive, events.__anext__):
                task = trio.lowlevel.current_task()
                before = task._schedule_points
                with trio.testing.assert_checkpoints():
                    await take()
                assert task._schedule_points == before + 1
            await collect(client.events(0))
            with trio.testing.assert_checkpoints(), pytest.raises(ClientTimeoutError):
                await client.receive(0)

    trio.run(main)


def test_closing_an_asyncio_loop_closes_its_clients(sandbox: Sandbox) -> None:
    async def main() -> None:
        client = kalshi_fix_adapters.asyncio.order_entry(**options(sandbox, port=relay.port))
        await client.open()

    with Relay(sandbox.server.port("prediction", "KalshiNR")) as relay:
        asyncio.run(main())
        relay.wait(lambda: relay.closed == relay.opened == 1)
    gc.collect()
