"""Benchmarks: (f) the time from an order to its report over loopback, with a QuickFIX acceptor."""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from benchmarks.engines import missing
from benchmarks.measure import ROOT, Result, result, run_in_turn, run_python
from kalshi_fix_venue.identities import ClientKey

MEDIAN, TIME_PER_ORDER = "f: order to report", "f: order with 100 in flight"
TLS = ", TLS"
ADAPTERS = ("blocking", "asyncio", "trio")
UVLOOP = "asyncio on uvloop"
BARE, LOWER_BOUNDS = "bare session", ("bare session, asyncio", "bare session, trio")
SDK, QUICKFIX = "kalshi-sdk", "quickfix"


def title(client: str) -> str:
    """Return the name that a client has in the results."""
    return client if client in (QUICKFIX, SDK) else f"kalshi-fix-sansio, {client}"


def installed_clients() -> tuple[list[str], list[str], list[str]]:
    """Return the clients that can be measured: our own, kalshi-sdk, and QuickFIX."""
    absent = missing()
    return (
        [*ADAPTERS, *([] if find_spec("uvloop") is None else [UVLOOP])],
        [] if "kalshi.fix" in absent else [SDK],
        [] if "quickfix" in absent else [QUICKFIX],
    )


def round_trips(rounds: int = 9) -> list[Result]:
    """Measure every client once in each round; each has a fresh process and a fresh acceptor."""
    own, sdk, quickfix = installed_clients()
    if not quickfix:
        return []
    clients = [(name, "") for name in (*own, BARE, *LOWER_BOUNDS, QUICKFIX, *sdk)]
    clients += [(name, TLS) for name in (*own, BARE, *sdk)]
    measurements = run_in_turn({client: partial(_figures, *client) for client in clients}, rounds)
    results = []
    for (name, tls), figures in measurements.items():
        label = title(name)
        medians, p99, times_per_order = zip(*figures, strict=True)
        results += [
            result(f"{MEDIAN}{tls}", label, medians, by_round=True),
            result(f"{MEDIAN}{tls}, p99", label, p99),
            result(f"{TIME_PER_ORDER}{tls}", label, times_per_order),
        ]
    return results


def _figures(name: str, tls: str) -> tuple[float, float, float]:
    """Return the median and the 99th percentile of a round trip, and the time per order with 100 in flight.

    All times are in microseconds.
    """
    try:
        measurements = run_client(name, tls=bool(tls))
    except subprocess.SubprocessError as error:
        print(f"{name} failed and will be run once more: {error}", flush=True)
        measurements = run_client(name, tls=bool(tls))
    seconds = sorted(measurements["seconds"])
    p99 = seconds[len(seconds) * 99 // 100]
    pipelined = measurements["seconds_per_pipelined_order"]
    return statistics.median(seconds) * 1e6, p99 * 1e6, pipelined * 1e6


def run_client(name: str, *options: str, tls: bool = False) -> dict[str, Any]:
    """Return the measurements of one client, with a throwaway key."""
    port = free_port()
    with TemporaryDirectory() as folder, ExitStack() as stack:
        key, authority = Path(folder, "key.pem"), Path(folder, "authority.pem")
        client_key().write(key)
        stack.enter_context(serving("quickfix_peer", port))
        if tls:
            acceptor_port, port = port, free_port()
            stack.enter_context(serving("tls_front", port, acceptor_port, authority))
            options = (*options, "--authority", str(authority))
        client = ("-m", "benchmarks.clients", name, str(port), str(key))
        measurements: dict[str, Any] = json.loads(run_python(*client, *options))
    return measurements


@contextmanager
def running(module: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Run a module of `benchmarks.clients` until the context ends."""
    command = [sys.executable, "-m", f"benchmarks.clients.{module}", *map(str, arguments)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def serving(module: str, *arguments: object) -> Iterator[IO[str]]:
    """Run a module that prints `listening` when it is ready; yield the rest of its output.

    Raises:
        RuntimeError: the module did not start.
    """
    with running(module, *arguments) as process:
        assert process.stdout is not None
        if process.stdout.readline() != "listening\n":
            raise RuntimeError(f"{module} did not start")
        yield process.stdout


@cache
def client_key() -> ClientKey:
    """Return a throwaway API key."""
    return ClientKey.generate()


def free_port() -> int:
    """Return a free port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port
