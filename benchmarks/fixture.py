"""`python -m benchmarks.fixture`: what the pytest fixture `kalshi_venue` costs a test, in logons and logouts.

For each way to the venue, in one run and in turns, so that what else the machine does strikes all alike:

- a bare logon and logout of a blocking client, on a venue that runs;
- a reset of the venue after a client has logged on, traded and logged out;
- in pytest, in turns: an empty test with the fixture, and a test with a bare logon and logout on a venue that
  runs, each less an empty test.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from kalshi_fix_adapters.blocking import order_entry
from kalshi_fix_adapters.testing import MARKETS, Venue
from kalshi_fix_sansio import NewOrderSingle

ROUNDS = 200
_SYMBOL = MARKETS["prediction"][0].rules.ticker


def logons_and_resets(*, tls: bool) -> tuple[float, float]:
    """Return the seconds of a logon with logout, and of a reset: medians."""
    logons, resets = [], []
    with Venue(tls=tls) as venue:
        for number in range(ROUNDS):
            begin = time.perf_counter()
            with order_entry(**venue.options()):
                pass
            logons.append(time.perf_counter() - begin)
            with order_entry(**venue.options()) as client:
                client.send(
                    NewOrderSingle(
                        cl_ord_id=f"o-{number}",
                        symbol=_SYMBOL,
                        side="1",
                        ord_type="2",
                        order_qty=1,
                        price="0.40",
                    )
                )
                venue.trader().fill(f"o-{number}")
            begin = time.perf_counter()
            venue.reset()
            resets.append(time.perf_counter() - begin)
    return median(logons), median(resets)


def in_pytest(*, tls: bool) -> tuple[float, float]:
    """Return by how many seconds the fixture makes an empty test longer, and a logon with logout: medians."""
    with tempfile.TemporaryDirectory() as folder:
        way = "tls" if tls else "in-process"
        Path(folder, "pytest.ini").write_text(f"[pytest]\nkalshi_venue = {way}\n")
        Path(folder, "conftest.py").write_text(_CONFTEST.format(tls=tls))
        Path(folder, "test_it.py").write_text(_TESTS.format(count=ROUNDS))
        # The plugin may not be installed yet; it is under the name of its entry point.
        command = (sys.executable, "-m", "pytest", "-q", "-p", "kalshi_fix_pytest")
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        times = json.loads(Path(folder, "times.json").read_text())
    empty = median(times["test_without"])
    return median(times["test_with"]) - empty, median(times["test_logon"]) - empty


_TESTS = """
from kalshi_fix_adapters.blocking import order_entry

def test_first(kalshi_venue, running):
    pass

for number in range({count}):
    def test_with(kalshi_venue):
        pass
    def test_without():
        pass
    def test_logon(running):
        with order_entry(**running.options()):
            pass
    for test in test_with, test_without, test_logon:
        globals()[f"{{test.__name__}}_{{number}}"] = test
del test_with, test_without, test_logon, test
"""
_CONFTEST = """
import json, time
import pytest
from kalshi_fix_adapters.testing import Venue

times = {{}}

@pytest.fixture(scope="session")
def running():
    with Venue(tls={tls}) as venue:
        yield venue

@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item, nextitem):
    begin = time.perf_counter()
    result = yield
    times.setdefault(item.name.rpartition("_")[0], []).append(time.perf_counter() - begin)
    return result

def pytest_sessionfinish(session):
    (session.config.rootpath / "times.json").write_text(json.dumps(times))
"""


def main() -> None:
    """Measure and print."""
    for tls in (False, True):
        logon, reset = logons_and_resets(tls=tls)
        fixture, beside = in_pytest(tls=tls)
        print(
            f"{'over TLS' if tls else 'in process'}: logon and logout {logon * 1e3:.2f} ms; "
            f"reset {reset * 1e3:.2f} ms, {reset / logon:.2f} of that; "
            f"in pytest: the fixture {fixture * 1e3:.2f} ms a test, a logon and logout {beside * 1e3:.2f}, "
            f"{fixture / beside:.2f} of that"
        )


if __name__ == "__main__":
    main()
