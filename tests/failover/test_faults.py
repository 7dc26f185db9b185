"""The trading host fails in various ways, and another host takes over. The records of both hosts are compared
with the venue's."""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from kalshi_fix_adapters.engine.standby import STORE_LOST_STATUS
from tests.example_programs import TIMEOUT, Script
from tests.failover.site import Site, run_site
from tests.kill.journal import read
from tests.postgres import Replica, Server
from tests.small_disk import small_disk

Fault = Callable[[Site, Script], int]
"""A function that makes the primary end and returns its exit status."""


@contextmanager
def trading(site: Site, **environ: str) -> Iterator[tuple[Script, Script]]:
    """Run a primary that trades, and a standby."""
    with site.run_host("a", **environ) as primary:
        primary.expect("primary")
        with site.run_host("b") as standby:
            standby.expect("standby:")
            site.wait_for_orders(primary)
            yield primary, standby


def finish(site: Site, primary: Script) -> None:
    """Have the primary trade and end, then compare its records with the venue's."""
    primary.expect("primary")
    site.wait_for_orders(primary)
    end(primary)
    site.check()


def end(primary: Script) -> None:
    """Terminate the primary. On a busy machine it may have lost its lease, because its commits wait for the
    disk."""
    primary.process.terminate()
    assert primary.process.wait(TIMEOUT) in (0, STORE_LOST_STATUS)


def wait_for_takeover(site: Site, before: object) -> None:
    while site.fence() == before:
        pass


def kill(site: Site, primary: Script) -> int:
    primary.process.kill()
    return -signal.SIGKILL


def suspend_until_takeover_then_resume(site: Site, primary: Script) -> int:
    before = site.fence()
    primary.process.send_signal(signal.SIGSTOP)
    wait_for_takeover(site, before)
    primary.process.send_signal(signal.SIGCONT)
    return STORE_LOST_STATUS


def cut_off_from_the_database(site: Site, primary: Script) -> int:
    site.to_database["a"].hold("client", "server")
    assert primary.process.wait(TIMEOUT) == STORE_LOST_STATUS
    return STORE_LOST_STATUS


def cut_off_from_the_venue_and_the_database(site: Site, primary: Script) -> int:
    """The last messages from the primary arrive when the network is back, after the takeover."""
    before = site.fence()
    for relay in (site.to_venue["a"], site.to_database["a"]):
        relay.hold("client", "server")
    assert primary.process.wait(TIMEOUT) == STORE_LOST_STATUS
    wait_for_takeover(site, before)
    for relay in (site.to_venue["a"], site.to_database["a"]):
        relay.release()
    return STORE_LOST_STATUS


def crash_the_database(site: Site, primary: Script) -> int:
    site.server.crash()
    assert primary.process.wait(TIMEOUT) == STORE_LOST_STATUS
    site.server.start()
    return STORE_LOST_STATUS


@pytest.mark.parametrize(
    "fault",
    [
        kill,
        suspend_until_takeover_then_resume,
        cut_off_from_the_database,
        cut_off_from_the_venue_and_the_database,
        crash_the_database,
    ],
)
def test_a_standby_takes_over_after_any_fault(tmp_path: Path, server: Server, fault: Fault) -> None:
    with run_site(tmp_path, server) as site, trading(site) as (primary, standby):
        status = fault(site, primary)
        assert primary.process.wait(TIMEOUT) == status
        finish(site, standby)


def test_a_suspended_primary_that_resumes_after_the_takeover_sends_nothing(
    tmp_path: Path, server: Server
) -> None:
    with run_site(tmp_path, server) as site, trading(site) as (primary, standby):
        primary.process.send_signal(signal.SIGSTOP)
        # The venue ends a connection without heartbeats.
        standby.expect("primary")
        site.wait_for_orders(standby)
        primary.process.send_signal(signal.SIGCONT)
        assert primary.process.wait(TIMEOUT) == STORE_LOST_STATUS
        site.wait_for_orders(standby)
        end(standby)
        site.check()


def test_a_watchdog_kills_a_suspended_process(tmp_path: Path, server: Server) -> None:
    with run_site(tmp_path, server) as site, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(0.5)
        environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "300000"}
        with trading(site, **environ) as (primary, standby):
            primary.process.send_signal(signal.SIGSTOP)
            # Kill the process as systemd does with WatchdogSec and WatchdogSignal.
            with contextlib.suppress(TimeoutError):
                while manager.recv(4096):
                    pass
            primary.process.kill()
            finish(site, standby)


def test_a_primary_that_is_cut_off_only_from_the_venue_stays_the_primary(
    tmp_path: Path, server: Server
) -> None:
    with run_site(tmp_path, server) as site, trading(site) as (primary, standby):
        before = site.fence()
        site.to_venue["a"].hold("client", "server")
        while not any(entry["kind"] == "Disconnected" for entry in read(tmp_path / "journal-a")):
            assert primary.process.poll() is None
        site.to_venue["a"].release()
        site.wait_for_orders(primary)
        assert site.fence() == before
        end(primary)
        finish(site, standby)


@pytest.fixture
def replicated(tmp_path: Path) -> Iterator[tuple[Site, Replica]]:
    with Server() as server, Replica(server) as replica, run_site(tmp_path, server, replica) as site:
        yield site, replica


def test_a_promoted_replica_has_every_sent_message(replicated: tuple[Site, Replica]) -> None:
    site, replica = replicated
    with trading(site) as (primary, standby):
        primary.process.kill()
        site.server.crash()
        replica.control("-w", "promote")
        site.server = replica
        # The promoted server also needs a replica, for which its commits wait.
        with Replica(replica):
            finish(site, standby)


def test_a_hanging_replica_ends_the_primary_and_then_delays_the_standby(
    replicated: tuple[Site, Replica],
) -> None:
    site, replica = replicated
    with trading(site) as (primary, standby):
        replica.signal(signal.SIGSTOP)
        assert primary.process.wait(TIMEOUT) == STORE_LOST_STATUS
        replica.signal(signal.SIGCONT)
        finish(site, standby)


def test_a_full_disk_ends_the_primary(tmp_path: Path) -> None:
    with (
        TemporaryDirectory(prefix="disk-", dir="/tmp") as folder,
        small_disk(disk := Path(folder), megabytes=96),
        Server(disk) as server,
        run_site(tmp_path, server) as site,
        trading(site) as (primary, standby),
    ):
        filler = disk / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        assert primary.process.wait(TIMEOUT) == STORE_LOST_STATUS
        filler.unlink()
        if not server.is_running:
            server.start()
        finish_on_another_host(site, standby)


def finish_on_another_host(site: Site, standby: Script) -> None:
    """End the standby, which may have lost its store after a takeover; run a third host, and compare."""
    standby.process.terminate()
    # The standby may receive the signal while it is ending, when its handler is no longer installed.
    assert standby.process.wait(TIMEOUT) in {0, STORE_LOST_STATUS, -signal.SIGTERM}
    with site.run_host("c") as third:
        finish(site, third)
