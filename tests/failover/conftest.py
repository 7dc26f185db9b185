"""A venue, a database, and the example program on two hosts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.example_programs import ExampleEnvironment, example_environment
from tests.postgres import Server


@pytest.fixture
def hosts(tmp_path: Path, server: Server) -> Iterator[ExampleEnvironment]:
    with example_environment(tmp_path) as examples:
        # With a shorter lease, a busy machine can delay a renewal until the lease is lost.
        examples.environ["STORE"] = f"{server.dsn(server.create_database())}&failover=none&lease=6"
        yield examples
