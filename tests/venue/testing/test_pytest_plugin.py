"""The fixture, tested by running pytest as a user's project does."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PLUGIN = "kalshi_fix_venue.pytest_plugin"
TRADE = """
from kalshi_fix_adapters.blocking import order_entry
from kalshi_fix_sansio import NewOrderSingle

SYMBOL = "KXHIGHNY-26DEC31-B50"

def order():
    return NewOrderSingle(cl_ord_id="o-1", symbol=SYMBOL, side="1", ord_type="2", order_qty=3, price="0.40")
"""


def run(folder: Path, test: str, *arguments: str, ini: str = "") -> subprocess.CompletedProcess[str]:
    (folder / "pytest.ini").write_text(f"[pytest]\nfilterwarnings = error\n{ini}")
    (folder / "test_it.py").write_text(test)
    # Load the plugin under the name of its entry point, so that pytest does not load it twice.
    command = (
        sys.executable,
        "-bb",
        "-m",
        "pytest",
        "-p",
        PLUGIN,
        "-p",
        "no:cacheprovider",
        "-q",
        *arguments,
    )
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


def assert_passed(folder: Path, test: str, count: int, *arguments: str, ini: str = "") -> None:
    done = run(folder, test, *arguments, ini=ini)
    assert f"{count} passed" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


def test_the_plugin_is_an_entry_point_of_pytest() -> None:
    project = tomllib.loads((ROOT / "venue" / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {PLUGIN: PLUGIN}
    assert find_spec(PLUGIN) is not None


def test_the_package_is_not_imported_until_the_fixture_is_used(tmp_path: Path) -> None:
    loaded = """
import sys

def ours():
    return sorted(name for name in sys.modules if name.startswith("kalshi_fix"))

def test_before():
    assert ours() == ["kalshi_fix_venue", "kalshi_fix_venue.pytest_plugin"]
    assert "cryptography" not in sys.modules

def test_with(kalshi_venue):
    assert "kalshi_fix_venue.testing" in ours()
"""
    assert_passed(tmp_path, loaded, 2)


def test_the_fixture_needs_one_line_and_is_reset_for_each_test(tmp_path: Path) -> None:
    each = """
def test_{number}(kalshi_venue):
    assert kalshi_venue.orders() == () and kalshi_venue.positions() == {{}}
    assert kalshi_venue.cash() == 10_000
    seen.append(kalshi_venue)
    with order_entry(**kalshi_venue.options()) as client:
        client.send(order())
        kalshi_venue.trader().fill("o-1")
    assert kalshi_venue.positions() == {{SYMBOL: 3}}
"""
    test = TRADE + "\nseen = []\n" + "".join(each.format(number=number) for number in range(3))
    assert_passed(tmp_path, test + "\ndef test_the_same():\n    assert len(set(map(id, seen))) == 1\n", 4)


def test_a_failed_test_with_open_clients_does_not_affect_the_next(tmp_path: Path) -> None:
    test = f"""{TRADE}
open_clients = []

def test_fails(kalshi_venue):
    client = order_entry(**kalshi_venue.options(), reconnect=None).open()
    open_clients.append(client)
    client.send(order())
    kalshi_venue.do("pause")
    assert kalshi_venue.orders() == "nothing"

def test_is_clean(kalshi_venue):
    assert kalshi_venue.orders() == () and kalshi_venue.logged_on() == ()
    with order_entry(**kalshi_venue.options()) as client:
        client.send(order())
    assert len(kalshi_venue.orders()) == 1
    open_clients.pop().logout()
"""
    done = run(tmp_path, test)
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr


def test_settings_are_read_from_markers_and_the_ini_file(tmp_path: Path) -> None:
    test = f"""{TRADE}
import pytest
from kalshi_fix_adapters.net.tls import InProcess, Tls

def test_ini(kalshi_venue):
    assert isinstance(kalshi_venue.options()["tls"], Tls)
    with order_entry(**kalshi_venue.options()) as client:
        client.send(order())
        assert len(kalshi_venue.orders()) == 1

@pytest.mark.kalshi_venue(tls=False, owners=("ann", "bob"))
def test_marker(kalshi_venue):
    assert isinstance(kalshi_venue.options("ann")["tls"], InProcess)
    with pytest.raises(ValueError, match="no owner"):
        kalshi_venue.options("me")

@pytest.mark.kalshi_venue(markets={{}})
def test_a_venue_without_markets(kalshi_venue):
    with pytest.raises(ValueError):
        kalshi_venue.trader().buy(SYMBOL, 1, "0.40")

@pytest.mark.parametrize("seed", range(12))
def test_many_kinds(seed, request):
    request.node.add_marker(pytest.mark.kalshi_venue(seed=seed))
    assert request.getfixturevalue("kalshi_venue").orders() == ()
"""
    assert_passed(tmp_path, test, 15, "--strict-markers", ini="kalshi_venue = tls\n")


def test_an_invalid_ini_setting_is_reported(tmp_path: Path) -> None:
    done = run(tmp_path, "def test_it(kalshi_venue):\n    pass\n", ini="kalshi_venue = udp\n")
    assert "kalshi_venue is 'udp' in the ini file; write in-process or tls" in done.stdout
    assert done.returncode != 0


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_fixture_works_with_the_anyio_plugin(tmp_path: Path, backend: str) -> None:
    test = f"""{TRADE}
import pytest
from kalshi_fix_adapters.{backend} import order_entry

@pytest.fixture
def anyio_backend():
    return "{backend}"

@pytest.fixture
async def client(kalshi_venue):
    async with order_entry(**kalshi_venue.options()) as client:
        yield client

@pytest.mark.anyio
async def test_it(kalshi_venue, client):
    await client.send(order())
    kalshi_venue.trader().fill("o-1")
    async for message in client.messages(20):
        if message.exec_type == "F":
            break
    assert kalshi_venue.positions() == {{SYMBOL: 3}}
"""
    assert_passed(tmp_path, test, 1)
