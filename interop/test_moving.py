"""The programs that users move from, in examples/moving, with the simulated venue."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kalshi_fix_venue.testing import Venue
from tests.adapters.cli.pipes import Piped, lines_until, started
from tests.adapters.conformance.relay import Relay
from tests.moving import (
    EXAMPLES,
    SESSIONS,
    SYMBOL,
    finish,
    gateway_after,
    order,
    wait_logged_on,
    write_keys,
    write_settings,
)


@pytest.fixture(scope="module")
def shared() -> Iterator[Venue]:
    with Venue(tls=True) as running:
        yield running


@pytest.fixture
def venue(shared: Venue) -> Iterator[Venue]:
    yield shared
    shared.reset()


@contextmanager
def gateway_before(venue: Venue, folder: Path, dictionary: Path) -> Iterator[Piped]:
    """Run the gateway on QuickFIX; a relay takes the place of stunnel."""
    ids = write_keys(venue, folder)
    with contextlib.ExitStack() as stack:
        ports = {
            name: stack.enter_context(Relay(lambda name=name: venue.server.connect("prediction", name))).port
            for name in SESSIONS
        }
        changes = {
            "0e4f1c52-7d0b-4b6e-9d55-1f6a0c1d2e3f": ids["KalshiRT"],
            "9d3c6b0c-5d1a-4f5e-8a43-6f0e2b7c9d10": ids["KalshiPT"],
            "SocketConnectPort=8230": f"SocketConnectPort={ports['KalshiRT']}",
            "SocketConnectPort=8231": f"SocketConnectPort={ports['KalshiPT']}",
            "=dictionary/": f"={dictionary}/",
            "=filestore": f"={folder / 'filestore'}",
            "=log": f"={folder / 'log'}",
            "=orders.pem": f"={folder / 'orders.pem'}",
            "=settlements.pem": f"={folder / 'settlements.pem'}",
        }
        path = write_settings("quickfix_before.cfg", folder, changes)
        program = (str(EXAMPLES / "quickfix_before.py"), str(path))
        process = stack.enter_context(started(str(folder / "journal"), program=program))
        yield process


def test_a_gateway_moves_from_quickfix_and_misses_no_report(
    venue: Venue, tmp_path: Path, dictionaries: dict[str, Path]
) -> None:
    with gateway_before(venue, tmp_path, dictionaries["prediction"]) as before:
        assert {line.split()[1] for line in wait_logged_on(before) if line.startswith("created")} == set(
            SESSIONS
        )
        order(before, "moved-1")
        venue_side = lines_until(before, "report")
        assert venue_side[-1].split()[2:] == ["moved-1", "A"]
        assert lines_until(before, "report")[-1].split()[2:] == ["moved-1", "0"]
        assert "logged out KalshiRT" in finish(before)
    # Reports while neither program runs.
    venue.trader().fill("moved-1", 4)
    venue.do("settle", market=SYMBOL, result="yes")
    with gateway_after(venue, tmp_path) as after:
        lines = wait_logged_on(after)
        assert not {"created KalshiRT 1", "created KalshiPT 1"} & set(lines)
        reports = [line.split()[1:] for line in lines if line.startswith("report")]
        while not any(report[0] == SYMBOL for report in reports) or len(reports) < 3:
            reports.append(lines_until(after, "report")[-1].split()[1:])
        finish(after)
    assert [report[1:] for report in reports if report[0] != SYMBOL] == [["moved-1", "F"], ["moved-1", "4"]]
    assert [report[1:] for report in reports if report[0] == SYMBOL] == [["yes"]]
