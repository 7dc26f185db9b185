"""What the conformance suite shares: every client in turn, against one venue."""

from __future__ import annotations

import attrs
import pytest

from kalshi_fix_adapters.plan import ClientConfig, ConnectionPlan, make_plan
from tests.adapters.conformance.loops import LOOPS, Loop

BRIEF = 0.2
"""Seconds instead of some, which a test would spend on waiting for those who never answer."""


@pytest.fixture(params=LOOPS, ids=lambda loop: loop.name)
def loop(request: pytest.FixtureRequest) -> Loop:
    found: Loop = request.param
    return found


@pytest.fixture(autouse=True)
def _brief_goodbyes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_pump.LINGER", "asyncio.GOODBYE", "trio.GOODBYE"):
        monkeypatch.setattr(f"kalshi_fix_adapters.{name}", BRIEF)
    monkeypatch.setattr("anyio_client.GOODBYE", BRIEF)


@pytest.fixture
def brief_logouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients that do not wait long for the answer to their Logout."""

    def make_brief_plan(session: str, config: ClientConfig) -> ConnectionPlan:
        plan = make_plan(session, config)
        return attrs.evolve(plan, config=attrs.evolve(plan.config, logout_timeout=BRIEF))

    monkeypatch.setattr("kalshi_fix_adapters._factories.make_plan", make_brief_plan)


@pytest.fixture
def brief_heartbeats(monkeypatch: pytest.MonkeyPatch) -> None:
    """A HeartBtInt of one second is allowed, which the venue's rules of the Logon are not for."""
    monkeypatch.setattr("kalshi_fix_sansio.session.logon.validate", lambda *_, **__: [])
