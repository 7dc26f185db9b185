"""Benchmarks: (p) publish events over NATS: the CPU time of a publisher and a consumer, and delivery to
ten consumers."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.cases.loopback import free_port
from benchmarks.measure import ROOT, Result, python, result

KINDS = (1, 3)
"""Numbers of entries in an update."""
COUNT = 10_000
CONSUMERS = 10
FIXED_RATES = (("10,000/s without decoding", "raw", 10_000), ("2,000/s with books", "books", 2_000))
"""Measurements at a fixed rate: the name, the mode of the consumers, and the messages per second."""
SECONDS, FIXED_RATE_ROUNDS = 5, 3
NAMES = {
    "decode": "decode() alone",
    "publisher": "publisher",
    "consumer": "consumer",
    "raw": "consumer, without decoding",
}
_PROGRAM = shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin")


def over_nats(rounds: int = 9, count: int = COUNT, seconds: float = SECONDS) -> list[Result]:
    """Measure the bus with a separate server; return nothing without nats-server (`make nats`) or nats-py."""
    if _PROGRAM is None or find_spec("nats") is None:
        print("skipped: nats-server or nats-py is not installed")
        return []
    results = []
    for entries in KINDS:
        with _server() as url:
            figures: dict[str, list[float]] = _run("costs", url, entries, count, rounds)
        case = f"p: incremental of {entries} over the bus"
        results += [result(case, NAMES[name], found, by_round=True) for name, found in figures.items()]
    for name, mode, rate in FIXED_RATES:
        results += _at_fixed_rate(f"p: ten consumers, {name}", mode, rate, seconds)
    return results


def _at_fixed_rate(case: str, mode: str, rate: int, seconds: float) -> list[Result]:
    sent, received, late, published_us, consumer_us, batch = [], [], [], [], [], []
    for _ in range(FIXED_RATE_ROUNDS):
        count = int(rate * seconds)
        with _server() as url, ExitStack() as stack:
            consumers = [stack.enter_context(_consumer(url, str(count), mode)) for _ in range(CONSUMERS)]
            publisher: dict[str, float] = _run("publish", url, count, rate)
            found = [json.loads(each.stdout.readline()) for each in consumers if each.stdout is not None]
        sent.append(float(count))
        received.append(min(each["received"] for each in found))
        late.append((max(each["last"] for each in found) - publisher["end"]) * 1e3)
        published_us.append(publisher["us"])
        batch.append(publisher["batch"])
        consumer_us.append(sum(each["us"] for each in found) / CONSUMERS)
    return [
        result(case, "published", sent, "messages"),
        result(case, "received without a gap, fewest of ten", received, "messages"),
        result(case, "FIX messages per bus message", batch, "messages"),
        result(case, "last received after the last was acknowledged", late, "ms"),
        result(case, "publisher, CPU time per message", published_us),
        result(case, "consumer, CPU time per message", consumer_us),
    ]


def _run(command: str, url: str, *numbers: int) -> Any:
    return json.loads(python("-m", "benchmarks.clients.bus", command, url, *map(str, numbers)))


@contextmanager
def _consumer(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "benchmarks.clients.bus", "follow", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            if process.stdout.readline() != "listening\n":
                raise RuntimeError("a consumer did not start")
            yield process
        finally:
            process.kill()


@contextmanager
def _server() -> Iterator[str]:
    """Run a NATS server with JetStream in a new folder; yield its address."""
    port = free_port()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        config = Path(folder, "nats.conf")
        config.write_text(f'listen: "127.0.0.1:{port}"\njetstream {{ store_dir: "{folder}" }}\n')
        with subprocess.Popen(
            [str(_PROGRAM), "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as server:
            try:
                _until_open(port)
                yield f"nats://127.0.0.1:{port}"
            finally:
                server.kill()


def _until_open(port: int) -> None:
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.01)
        else:
            return
