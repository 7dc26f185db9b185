"""A client that waits for a rate budget: in order, until a timeout, a cancellation or the session's end."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import trio

from kalshi_fix_adapters.engine.connection import read_clocks
from kalshi_fix_adapters.errors import ClientTimeoutError, NotConnectedError
from kalshi_fix_sansio import Logon, OrderCancelRequest
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.errors import InvalidMessageError, LocalProtocolError
from kalshi_fix_sansio.events import LoggedOn
from kalshi_fix_sansio.trading import RateBudget, TokenLimits, rate_budget
from kalshi_fix_venue.testing import Sandbox
from tests.adapters.conformance.loops import TASK_LOOPS, TIMEOUT, Loop
from tests.adapters.conformance.support import (
    NO_DELAY,
    NewClient,
    order,
    wait_for_acknowledgement,
    wait_for_event,
)
from tests.adapters.conftest import ME, OTHER
from tests.relay import Relay


def budget(rate: float) -> RateBudget:
    """Return a budget that allows a burst of ten orders; a third of its tokens is reserved for cancels."""
    limits = TokenLimits(write_rate=rate, write_capacity=150, read_rate=rate, read_capacity=150)
    costs = {OrderCancelRequest.MSG_TYPE: 2}
    return RateBudget(limits, use=1.0, cancel_reserve=1 / 3, costs=costs, default_cost=10)


def cancel(placed: Any) -> OrderCancelRequest:
    return OrderCancelRequest(
        cl_ord_id=f"c-{placed.cl_ord_id}"[:36],
        orig_cl_ord_id=placed.cl_ord_id,
        side=placed.side,
        symbol=placed.symbol,
    )


async def wait_until_calls_are_queued(client: Any, *, number: int = 1) -> None:
    """Return once `number` calls wait for the budget. The test requests sent meanwhile also show that the
    session is alive."""
    while sum(map(len, client._core.pacing._queues.values())) < number:
        await client.test_request(TIMEOUT)


async def test_orders_are_sent_at_the_rate_of_the_budget(new_client: NewClient) -> None:
    async with new_client(budget=budget(1000)) as client:
        numbers = [await client.send(order()) for _ in range(15)]
        assert numbers == list(range(2, 17))
        client.record_spending(150)
        last = order()
        assert await client.send(last, timeout=TIMEOUT) == 17
        await wait_for_acknowledgement(client, last.cl_ord_id)


async def test_a_cancel_overtakes_waiting_orders(loop: Loop, new_client: NewClient) -> None:
    """The session stays alive meanwhile. When it ends, the calls that still wait raise NotConnectedError."""
    ended: list[type] = []

    async with new_client(budget=budget(0.001)) as client:
        placed = order()
        for item in (placed, *(order() for _ in range(9))):
            await client.send(item)

        async def send_order() -> None:
            try:
                await client.send(order(), timeout=None)
            except NotConnectedError as error:
                ended.append(type(error))

        async with loop.run_concurrently() as start:
            for _ in range(2):
                start(send_order)
            await wait_until_calls_are_queued(client, number=2)
            await client.send(cancel(placed), timeout=0)
            await wait_for_acknowledgement(client, placed.cl_ord_id)
            await client.test_request(TIMEOUT)
            await client.logout()
    assert ended == [NotConnectedError] * 2


async def test_a_message_that_times_out_is_not_sent(new_client: NewClient) -> None:
    async with new_client(budget=budget(0.001)) as client:
        client.record_spending(145)
        for timeout in (0, 0.01):
            with pytest.raises(ClientTimeoutError, match="rate budget had no tokens"):
                await client.send(order(), timeout=timeout)
        assert client._core.pacing._queues == {}
        first: Message = cancel(order())
        assert await client.send(first) == 2


@pytest.mark.parametrize("loop", TASK_LOOPS, ids=lambda loop: loop.name)
async def test_a_cancelled_wait_sends_nothing(loop: Loop, new_client: NewClient) -> None:
    async with new_client(budget=budget(0.001)) as client:
        client.record_spending(145)
        sent = False
        with suppress(TimeoutError, trio.TooSlowError):
            await loop.with_timeout(0.01, lambda: client.send(order(), timeout=None))
            sent = True
        assert not sent
        assert client._core.pacing._queues == {}
        assert await client.send(cancel(order())) == 2


async def test_an_invalid_message_uses_no_tokens(new_client: NewClient) -> None:
    async with new_client(budget=budget(0.001)) as client:
        for _ in range(20):
            with pytest.raises(InvalidMessageError):
                await client.send(order(side="?"), timeout=0)
        await client.send(order(), timeout=0)


async def test_a_lost_connection_ends_the_wait(loop: Loop, new_client: NewClient, relay: Relay) -> None:
    ended: list[bool] = []
    async with new_client(port=relay.port, reconnect=NO_DELAY, budget=budget(0.001)) as client:
        client.record_spending(145)

        async def send_order() -> None:
            with pytest.raises(NotConnectedError):
                await client.send(order(), timeout=None)
            ended.append(True)

        async with loop.run_concurrently() as start:
            start(send_order)
            await wait_until_calls_are_queued(client)
            relay.cut()
        assert ended == [True]
        await wait_for_event(client, LoggedOn)
        await wait_for_event(client, LoggedOn)
        assert await client.send(cancel(order())) == 2


async def test_clients_that_share_a_budget_log_on_one_after_the_other(
    loop: Loop, new_client: NewClient, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_budget, "LOGON_BURST", 1)
    monkeypatch.setattr(rate_budget, "LOGON_INTERVAL", 0.001)
    shared, reserve = budget(1000), RateBudget.reserve_logon
    connecting: list[int] = []

    def watch(self: RateBudget, *args: Any) -> float:
        seconds = reserve(self, *args)
        connecting.append(len(self._reserved))
        return seconds

    monkeypatch.setattr(RateBudget, "reserve_logon", watch)
    logged_on: list[bool] = []

    async def log_on(key: int, name: str) -> None:
        identity = sandbox.options(name, "prediction", "KalshiNR", key)
        async with new_client(budget=shared, **identity) as client:
            logged_on.append(client.is_logged_on)

    async with loop.run_concurrently() as start:
        for name in (ME, OTHER):
            for key in range(2):
                start(partial(log_on, key, name))
    assert logged_on == [True] * 4
    assert max(connecting) == 1
    assert (shared._reserved, shared._waiting) == ({}, {})


@pytest.mark.parametrize("loop", TASK_LOOPS, ids=lambda loop: loop.name)
async def test_a_cancelled_wait_for_a_logon_leaves_the_queue(loop: Loop, new_client: NewClient) -> None:
    full = budget(1000)
    while not full.wait(Logon, read_clocks()):
        full.sent(Logon, read_clocks())
    client = new_client(budget=full)
    with pytest.raises((TimeoutError, trio.TooSlowError)):
        await loop.with_timeout(0.01, client.open if loop.name == "asyncio" else client.__aenter__)
    assert (full._reserved, full._waiting) == ({}, {})


async def test_without_a_budget_calls_do_not_wait(new_client: NewClient) -> None:
    client = new_client()
    with pytest.raises(LocalProtocolError, match="no rate budget"):
        client.record_spending(10)
