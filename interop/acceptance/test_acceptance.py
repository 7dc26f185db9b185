"""Every acceptance test definition, played against the acceptor and, with roles reversed, the initiator."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

import pytest

from interop.acceptance.definition import Definition, for_initiator, read_all
from interop.acceptance.engine import AcceptorEngine, Engine, InitiatorEngine
from interop.acceptance.player import play

FOLDER = os.environ.get("ACCEPTANCE_DEFINITIONS", "")
DEFAULT_APPL_VER_ID = os.environ.get("DEFAULT_APPL_VER_ID", "")
REFERENCE_ENGINE = os.environ.get("ACCEPTANCE_LIKE") or "quickfix"
"""The engine for which the definitions were written."""
DEFINITIONS = read_all(Path(FOLDER), DEFAULT_APPL_VER_ID) if FOLDER else []
SINGLE_CONNECTION = [each for each in DEFINITIONS if each.connection_count == 1]
"""Definitions with a single connection. In all others the peer opens a second connection, so they apply
only to an acceptor."""
WORKERS = 8
"""Number of definitions played in parallel. They spend most of their time waiting."""

pytestmark = pytest.mark.skipif(
    not DEFINITIONS,
    reason="no acceptance definitions: see the output of `make interop`, or set ACCEPTANCE_DEFINITIONS",
)


class _Engines:
    """Running engines by their settings; each plays one definition at a time."""

    def __init__(self) -> None:
        self._idle: dict[str | None, SimpleQueue[Engine]] = {}
        self._all: list[Engine] = []

    def play(self, definition: Definition, heart_bt_int: str | None) -> None:
        idle = self._idle.setdefault(heart_bt_int, SimpleQueue())
        engine: Engine
        if idle.empty():
            like = ("--like", REFERENCE_ENGINE)
            engine = AcceptorEngine(*like) if heart_bt_int is None else InitiatorEngine(heart_bt_int, *like)
            self._all.append(engine)
        else:
            engine = idle.get()
        try:
            play(definition, engine.connect)
        finally:
            idle.put(engine)

    def close(self) -> None:
        for engine in self._all:
            engine.close()


Results = Mapping[tuple[str, str], Future[None]]


@pytest.fixture(scope="module")
def results(request: pytest.FixtureRequest) -> Iterator[Results]:
    """The results of all selected definitions, played in parallel."""
    selected = {item.callspec.id for item in request.session.items if hasattr(item, "callspec")}
    engines = _Engines()
    futures: dict[tuple[str, str], Future[None]] = {}
    with ThreadPoolExecutor(WORKERS) as pool:
        for definition in DEFINITIONS:
            if definition.name in selected:
                futures["acceptor", definition.name] = pool.submit(engines.play, definition, None)
        for definition in SINGLE_CONNECTION:
            if definition.name in selected:
                reversed_definition = for_initiator(definition)
                futures["initiator", definition.name] = pool.submit(
                    engines.play, reversed_definition, definition.heart_bt_int
                )
        yield futures
    engines.close()


@pytest.mark.parametrize("name", [each.name for each in DEFINITIONS] or ["none"])
def test_the_acceptor_follows_the_definition(results: Results, name: str) -> None:
    results["acceptor", name].result()


@pytest.mark.parametrize("name", [each.name for each in SINGLE_CONNECTION] or ["none"])
def test_the_initiator_follows_the_definition(results: Results, name: str) -> None:
    results["initiator", name].result()
