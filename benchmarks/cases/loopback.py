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
from typing import Any

from benchmarks.engines import missing
from benchmarks.measure import ROOT, Result, in_turn, python, result
from kalshi_fix_venue.identities import ClientKey

MEDIAN, RATE = "f: order to report", "f: order with 100 in flight"
TLS = ", TLS"
ADAPTERS = ("blocking", "asyncio", "trio")
UVLOOP = "asyncio on uvloop"
BARE, LOWER_BOUNDS = "bare session", ("bare session, asyncio", "bare session, trio")
SDK, QUICKFIX = "kalshi-sdk", "quickfix"
_WAIT = 60
"""Maximum wait in seconds for a process to end."""


def ours(client: str) -> str:
    """Return the name that one of our clients has in the results."""
    return f"kalshi-fix-sansio, {client}"


def round_trips(rounds: int = 9) -> list[Result]:
    """Measure every client once in each round; each has a fresh process and a fresh acceptor."""
    absent = missing()
    if "quickfix" in absent:
        return []
    sdk = [] if "kalshi.fix" in absent else [SDK]
    own = [*ADAPTERS, *([] if find_spec("uvloop") is None else [UVLOOP]), BARE]
    clients = [(name, "") for name in (*own, *LOWER_BOUNDS, QUICKFIX, *sdk)]
    clients += [(name, TLS) for name in (*own, *sdk)]
    found = in_turn({client: partial(_figures, *client) for client in clients}, rounds)
    results = []
    for (name, tls), figures in found.items():
        shown = name if name in (QUICKFIX, SDK) else ours(name)
        medians, p99, rates = zip(*figures, strict=True)
        results += [
            result(f"{MEDIAN}{tls}", shown, medians, by_round=True),
            result(f"{MEDIAN}{tls}, p99", shown, p99),
            result(f"{RATE}{tls}", shown, rates),
        ]
    return results


def _figures(name: str, tls: str) -> tuple[float, float, float]:
    """Return the median and the 99th percentile of a round trip, and the time per order with 100 in flight.

    All times are in microseconds.
    """
    try:
        measured = run_client(name, tls=bool(tls))
    except subprocess.SubprocessError as error:
        print(f"{name} failed and will be run once more: {error}", flush=True)
        measured = run_client(name, tls=bool(tls))
    seconds = sorted(measured["seconds"])
    p99 = seconds[len(seconds) * 99 // 100]
    return statistics.median(seconds) * 1e6, p99 * 1e6, measured["each"] * 1e6


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
        found: dict[str, Any] = json.loads(python(*client, *options))
    return found


@contextmanager
def serving(module: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Run a module of `benchmarks.clients` to which other processes connect, until the context ends."""
    command = [sys.executable, "-m", f"benchmarks.clients.{module}", *map(str, arguments)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        if process.stdout.readline() != "listening\n":
            raise RuntimeError(f"{module} did not start")
        yield process
        process.stdin.close()
        try:
            process.wait(_WAIT)
        except subprocess.TimeoutExpired:
            process.kill()


@cache
def client_key() -> ClientKey:
    """Return a throwaway API key."""
    return ClientKey.generate()


def free_port() -> int:
    """Return a free port."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    return port
