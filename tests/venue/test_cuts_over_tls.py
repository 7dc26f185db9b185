"""Disconnect faults over TLS: the client sees a normal disconnect, and the program that requested the fault
gets no exception.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any, cast
from uuid import uuid4

import pytest

from kalshi_fix_adapters.blocking import Client, order_entry
from kalshi_fix_adapters.config.plan import Options
from kalshi_fix_adapters.config.reconnect import ReconnectPolicy
from kalshi_fix_adapters.errors import LogonFailedError
from kalshi_fix_sansio import NewOrderSingle, OrdType, Side
from kalshi_fix_sansio.events import LoggedOn
from kalshi_fix_venue.operations.faults import Cut, Release
from kalshi_fix_venue.operations.operator import Status
from kalshi_fix_venue.testing import MARKETS, Sandbox, Venue

ME = "me"
SYMBOL = MARKETS["prediction"][0].rules.ticker
PATIENCE = 30.0
"""Seconds after which a test stops waiting for an expected event."""
IMMEDIATE_RECONNECT = ReconnectPolicy(initial=1e-6, cap=1e-6, maintenance=None)


def options(sandbox: Sandbox) -> Options:
    """Return the arguments of a client that reconnects immediately."""
    chosen: Any = {**sandbox.options(ME, "prediction", "KalshiNR"), "reconnect": IMMEDIATE_RECONNECT}
    return cast("Options", chosen)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox((ME,), random=Random(5)) as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> Iterator[Client]:
    """Return a client that reconnects immediately when its connection ends. No error may be logged
    meanwhile."""
    with order_entry(**options(sandbox)) as client:
        yield client
    sandbox.server.perform(Release())
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def order() -> NewOrderSingle:
    return NewOrderSingle(
        cl_ord_id=str(uuid4()),
        symbol=SYMBOL,
        side=Side.BUY,
        ord_type=OrdType.LIMIT,
        price="0.01",
        order_qty=1,
    )


def wait_for_reconnect(client: Client) -> bool:
    """Wait until the client has logged on twice; return whether it has."""
    logons = 0
    for event in client.events(PATIENCE):
        logons += isinstance(event, LoggedOn)
        if logons == 2:
            return True
    return False


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("at", ["now", "frame", "request", "reply"])
def test_a_client_reconnects_after_any_disconnect(
    sandbox: Sandbox, client: Client, at: str, how: str
) -> None:
    answer = sandbox.server.perform(Cut(at=at, how=how))
    if at == "now":
        assert answer["text"] == "1 connection cut"
    else:
        client.send(order())
    assert wait_for_reconnect(client)
    assert len(sandbox.server.perform(Status())["sessions"]) == 1


def test_a_client_survives_repeated_disconnects(sandbox: Sandbox, client: Client) -> None:
    logons = 0
    for event in client.events(PATIENCE):
        if isinstance(event, LoggedOn):
            logons += 1
            if logons == 6:
                break
            sandbox.server.perform(Cut(how=("close", "reset")[logons % 2]))
    assert logons == 6


def test_a_disconnect_before_the_logon_is_reported_and_the_next_logon_succeeds(sandbox: Sandbox) -> None:
    sandbox.server.perform(Cut(at="request", message="Logon"))
    with pytest.raises(LogonFailedError), order_entry(**options(sandbox)):
        pass
    with order_entry(**options(sandbox)) as client:
        client.send(order())
        assert next(client.messages(PATIENCE)) is not None


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_disconnect_within_one_process_has_the_same_effect(how: str) -> None:
    with Venue() as venue:
        chosen: Any = {**venue.options("me", "KalshiNR"), "reconnect": IMMEDIATE_RECONNECT}
        with order_entry(**cast("Options", chosen)) as client:
            assert venue.do("cut", how=how)["text"] == "1 connection cut"
            assert wait_for_reconnect(client)
