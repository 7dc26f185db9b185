"""A venue, a database, and the example program on two hosts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.example_programs import Place, example_place
from tests.postgres import Server


@pytest.fixture
def hosts(tmp_path: Path, server: Server) -> Iterator[Place]:
    with example_place(tmp_path) as place:
        # With a shorter lease, a busy machine can delay a renewal until the lease is lost.
        place.environ["STORE"] = f"{server.dsn(server.new())}&failover=none&lease=6"
        yield place
