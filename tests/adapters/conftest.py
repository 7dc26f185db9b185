"""A simulated venue that the client tests share, and a Postgres server for the tests that need one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from kalshi_fix_venue.testing import Sandbox
from tests.postgres import Server, execute_at

ME, OTHER = "me", "other"


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox((ME, OTHER)) as running:
        yield running


@pytest.fixture
def database(server: Server) -> str:
    """The name of an empty database."""
    return server.new()


@pytest.fixture
def dsn(server: Server, database: str) -> str:
    return server.dsn(database)


@pytest.fixture
def execute(dsn: str) -> Callable[[str], list[Any]]:
    """Return a function that runs a statement in this test's database, as another program would."""
    return partial(execute_at, dsn)
