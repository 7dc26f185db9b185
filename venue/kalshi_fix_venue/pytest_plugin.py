"""The pytest plugin of kalshi-fix-sansio: the fixture `kalshi_venue`, a simulated Kalshi for each test.

    def test_a_fill(kalshi_venue):
        with order_entry(**kalshi_venue.options()) as client:
            ...

Every test gets a fresh venue; keys, certificates and threads are created once. The fixture works with
blocking code, with every event loop, and with any plugin that runs asynchronous tests.

pytest loads this module in every run, even if the fixture is not used. It therefore imports the project
only when the fixture is used.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from kalshi_fix_venue.testing import Venue

IN_PROCESS, TLS = "in-process", "tls"
MAX_SHARED = 8
"""Maximum number of venues, each with different settings, that are kept running for further tests."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the setting for the ini file."""
    parser.addini(
        "kalshi_venue",
        f"How clients reach the venue of the fixture kalshi_venue: {IN_PROCESS} (without network "
        f"sockets and TLS) or {TLS} (on loopback ports).",
        default=IN_PROCESS,
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        "kalshi_venue(tls=False, owners=('me', 'other'), ...): settings of the fixture kalshi_venue: "
        "arguments of kalshi_fix_venue.testing.Venue.",
    )


class _Venues:
    """The running venues, by their settings."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._shared: dict[Any, Venue] = {}
        self._stack = stack
        """Stops the venues."""

    @contextlib.contextmanager
    def provide(self, settings: dict[str, Any]) -> Iterator[Venue]:
        """Provide a fresh venue for one test."""
        from kalshi_fix_venue.testing import Venue

        key = None
        with contextlib.suppress(TypeError):  # an unhashable setting: the venue is not shared
            key = frozenset(settings.items())
        venue = self._shared.get(key)
        if venue is None and (key is None or len(self._shared) == MAX_SHARED):
            with Venue(**settings) as venue:
                yield venue
            return
        if venue is None:
            venue = self._shared[key] = self._stack.enter_context(Venue(**settings))
        try:
            yield venue
        finally:
            venue.reset()


@pytest.fixture(scope="session")
def _kalshi_venues() -> Iterator[_Venues]:
    with contextlib.ExitStack() as stack:
        yield _Venues(stack)


@pytest.fixture
def kalshi_venue(request: pytest.FixtureRequest, _kalshi_venues: _Venues) -> Iterator[Venue]:
    """A fresh simulated Kalshi (`kalshi_fix_venue.testing.Venue`).

    The marker `kalshi_venue` passes settings to it, such as `@pytest.mark.kalshi_venue(tls=True)`.
    """
    marker = request.node.get_closest_marker("kalshi_venue")
    settings = dict(marker.kwargs) if marker is not None else {}
    transport = request.config.getini("kalshi_venue")
    if transport not in (IN_PROCESS, TLS):
        raise pytest.UsageError(f"kalshi_venue is {transport!r} in the ini file; write {IN_PROCESS} or {TLS}")
    settings.setdefault("tls", transport == TLS)
    with _kalshi_venues.provide(settings) as venue:
        yield venue
