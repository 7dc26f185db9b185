"""Fixtures: the same database, with and without a pooler."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.postgres import Pooler, Server


@pytest.fixture(scope="session")
def pooler(server: Server) -> Iterator[Pooler]:
    with Pooler(server) as running:
        yield running


@pytest.fixture(params=["direct", "pooled"])
def direct_or_pooled_dsn(request: pytest.FixtureRequest, dsn: str, database: str) -> str:
    """The DSN of the database: tests run twice, with and without PgBouncer."""
    if request.param == "direct":
        return dsn
    pooler: Pooler = request.getfixturevalue("pooler")
    return pooler.dsn(database)
