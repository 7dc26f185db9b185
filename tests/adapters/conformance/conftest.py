"""Fixtures of the conformance suite: every client in turn, against one venue."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import attrs
import pytest

from kalshi_fix_adapters.config.plan import ClientConfig, ConnectionPlan, make_plan
from kalshi_fix_adapters.net.tls import Plaintext
from kalshi_fix_sansio.session.timers import Timers
from kalshi_fix_venue.testing import Sandbox
from tests.adapters.conformance.loops import LOOPS, Loop
from tests.adapters.conformance.support import NewClient, make_client
from tests.relay import Relay

BRIEF_TIMEOUT = 0.2
"""Seconds that replace longer timeouts for peers that never answer."""


@pytest.fixture(params=LOOPS, ids=lambda loop: loop.name)
def loop(request: pytest.FixtureRequest) -> Loop:
    found: Loop = request.param
    return found


@pytest.fixture
def new_client(loop: Loop, sandbox: Sandbox) -> NewClient:
    """Return a function that makes a client of the sandbox's venue."""
    return partial(make_client, loop, sandbox)


@pytest.fixture
def plaintext_client(new_client: NewClient) -> NewClient:
    """Return a function that makes a client that connects without TLS to a peer."""
    return partial(new_client, tls=Plaintext())


@pytest.fixture
def stored_client(new_client: NewClient, tmp_path: Path) -> NewClient:
    """Return a function that makes a KalshiRT client with a store in a file."""
    return partial(new_client, "KalshiRT", store=tmp_path)


@pytest.fixture
def relay(sandbox: Sandbox) -> Iterator[Relay]:
    """A relay to the venue that can drop connections, redirect them and swallow bytes."""
    with Relay(sandbox.server.port("prediction", "KalshiNR")) as running:
        yield running


@pytest.fixture(autouse=True)
def _brief_closing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "engine.connection.LINGER_SECONDS",
        "asyncio.protocol.CLOSE_TIMEOUT",
        "trio.client.CLOSE_TIMEOUT",
    ):
        monkeypatch.setattr(f"kalshi_fix_adapters.{name}", BRIEF_TIMEOUT)
    monkeypatch.setattr("anyio_client.CLOSE_TIMEOUT", BRIEF_TIMEOUT)


@pytest.fixture(autouse=True)
def _no_logged_errors(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail the test if an event loop logged a warning or an error, which a loop cannot raise in the test."""
    yield
    found = [record for record in caplog.get_records("call") if record.name in {"asyncio", "trio"}]
    assert [record.getMessage() for record in found if record.levelno >= logging.WARNING] == []


@pytest.fixture
def brief_logouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the wait for the answer to a Logout."""

    def make_brief_plan(session: str, config: ClientConfig) -> ConnectionPlan:
        plan = make_plan(session, config)
        return attrs.evolve(plan, config=attrs.evolve(plan.config, logout_timeout=BRIEF_TIMEOUT))

    monkeypatch.setattr("kalshi_fix_adapters.config.factories.make_plan", make_brief_plan)


@pytest.fixture
def brief_heartbeats(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten heartbeats and timeouts to a tenth of the agreed time."""
    start = Timers.start
    monkeypatch.setattr(Timers, "start", lambda self, seconds, now: start(self, seconds / 10, now))
