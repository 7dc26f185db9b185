"""A NATS server for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.nats import NatsServer


@pytest.fixture
def server() -> Iterator[NatsServer]:
    with NatsServer() as running:
        yield running
