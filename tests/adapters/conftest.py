"""Fixtures for several adapters: a runner of asynchronous tests, a simulated venue, a database."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import Any

import pytest

from kalshi_fix_venue.testing import Sandbox
from tests.postgres import Server, execute_at

ME, OTHER = "me", "other"
LIMIT = 30.0
"""Seconds after which an asynchronous test without a `loop` fails."""


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an asynchronous test function: with the loop of the client under test, or with asyncio."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    fixtures: dict[str, Any] = {name: pyfuncitem.funcargs[name] for name in names}
    loop: Any = pyfuncitem.funcargs.get("loop")  # may be requested only by another fixture
    run = run_with_asyncio if loop is None else loop.run
    run(lambda: pyfuncitem.obj(**fixtures))
    return True


def run_with_asyncio(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test for a bounded time, even if one of its tasks does not end when it is cancelled."""

    async def bounded() -> None:
        task = asyncio.create_task(main())
        done, _ = await asyncio.wait({task}, timeout=LIMIT)
        # Cancel repeatedly, because `asyncio.run` would never return if a task swallowed its cancellation.
        while left := asyncio.all_tasks() - {asyncio.current_task()}:
            for item in left:
                item.cancel()
            await asyncio.wait(left, timeout=0.1)
        assert done, f"the test did not end within {LIMIT} seconds"
        task.result()

    asyncio.run(bounded())


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox((ME, OTHER)) as running:
        yield running


@pytest.fixture
def database(server: Server) -> str:
    """The name of an empty database."""
    return server.create_database()


@pytest.fixture
def dsn(server: Server, database: str) -> str:
    return server.dsn(database)


@pytest.fixture
def execute(dsn: str) -> Callable[[str], list[Any]]:
    """Return a function that runs a statement in this test's database, as another program would."""
    return partial(execute_at, dsn)
