"""Helpers for the tests of the conformance suite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, cast
from uuid import uuid4

from kalshi_fix_adapters.config.plan import Options
from kalshi_fix_adapters.config.reconnect import ReconnectPolicy
from kalshi_fix_adapters.net.tls import Plaintext
from kalshi_fix_sansio import ExecType, ExecutionReport, NewOrderSingle, OrderCancelReject, OrdType, Side
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_venue.testing import MARKETS, Sandbox
from tests.adapters.conformance.loops import TIMEOUT, Loop
from tests.adapters.conftest import ME

SYMBOL = MARKETS["prediction"][0].rules.ticker
NewClient: TypeAlias = Callable[..., Any]
"""A function that returns a client; it takes a session type, by default KalshiNR, and options."""
NO_DELAY = ReconnectPolicy(initial=1e-6, cap=1e-6, maintenance=None)
"""A policy that reconnects without waiting."""


class UserError(Exception):
    """An exception of the user's code, for example while it handles an event."""


def options(sandbox: Sandbox, session: str = "KalshiNR", /, **changes: Any) -> Options:
    """Return options for a client of the sandbox's venue. The client does not reconnect unless `changes`
    contains a policy.
    """
    chosen: Any = {**sandbox.options(ME, "prediction", session), "reconnect": None, **changes}
    return cast("Options", chosen)


def make_client(loop: Loop, sandbox: Sandbox, session: str = "KalshiNR", /, **changes: Any) -> Any:
    """Return a client of the sandbox's venue."""
    return loop.client(session, **options(sandbox, session, **changes))


def plaintext_options(sandbox: Sandbox, port: int, **changes: Any) -> Options:
    """Return options for a client that connects without TLS to a peer on this port."""
    return options(sandbox, port=port, tls=Plaintext(), **changes)


def order(**changes: Any) -> NewOrderSingle:
    """Return an order that will rest in the book."""
    fields: dict[str, Any] = {
        "cl_ord_id": str(uuid4()),
        "symbol": SYMBOL,
        "side": Side.BUY,
        "ord_type": OrdType.LIMIT,
        "price": "0.01",
        "order_qty": 1,
        **changes,
    }
    return NewOrderSingle(**fields)


def venue_message(number: int = 1) -> Message:
    """Return an OrderCancelReject, as an arbitrary message of a venue."""
    return OrderCancelReject(
        order_id=str(number), cl_ord_id=str(number), ord_status="8", cxl_rej_response_to="1"
    )


async def wait_for_acknowledgement(client: Any, cl_ord_id: str | None = None) -> ExecutionReport:
    """Wait for the report that an order is new."""
    async for message in client.messages(TIMEOUT):
        if (
            isinstance(message, ExecutionReport)
            and message.exec_type == ExecType.NEW
            and cl_ord_id in {None, message.cl_ord_id}
        ):
            return message
    raise AssertionError("no report was received")


async def wait_for_event(client: Any, kind: type) -> Any:
    """Wait for an event of a class."""
    async for event in client.events(TIMEOUT):
        if isinstance(event, kind):
            return event
    raise AssertionError(f"no {kind.__name__} was received")


async def place_order(client: Any) -> int:
    """Place an order and wait for the report that it is new; return its MsgSeqNum."""
    placed = order()
    number: int = await client.send(placed)
    await wait_for_acknowledgement(client, placed.cl_ord_id)
    return number
