"""The examples, run as separate programs against a simulated venue."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from decimal import Decimal
from pathlib import Path

import attrs
import pytest

from kalshi_fix_adapters.blocking import order_entry
from kalshi_fix_sansio import NewOrderSingle, OrdType, Side
from kalshi_fix_venue.testing import MARKETS, Sandbox
from tests.adapters.cli.venue_environ import write_environ

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
SYMBOL = MARKETS["prediction"][0].rules.ticker
TIMEOUT = 60.0


@attrs.define(eq=False)
class Script:
    """A running example whose output is read line by line."""

    process: subprocess.Popen[str]
    lines: queue.Queue[str]

    def expect(self, *words: str) -> str:
        """Return the next line that contains all these words."""
        seen: list[str] = []
        while True:
            try:
                line = self.lines.get(timeout=TIMEOUT)
            except queue.Empty:
                pytest.fail(f"no line contains {words}; received: {seen}")
            seen.append(line)
            if all(word in line for word in words):
                return line

    def interrupt(self) -> int:
        """Send SIGINT and return the exit status.

        The signal is sent again if the process continues, because Python ignores a KeyboardInterrupt that is
        raised in the callback of a weak reference.
        """
        for _ in range(2):
            self.process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                return self.process.wait(TIMEOUT / 2)
        pytest.fail("the process ignores SIGINT")


@contextmanager
def run_script(environ: dict[str, str], *arguments: object) -> Iterator[Script]:
    """Run Python with these arguments."""
    # SIGINT must work even if it is ignored in this test runner.
    process = subprocess.Popen(
        [sys.executable, "-W", "error", *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        env=environ,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    lines: queue.Queue[str] = queue.Queue()
    assert process.stdout is not None
    reader = threading.Thread(target=lambda stream: [*map(lines.put, stream)], args=(process.stdout,))
    reader.start()
    try:
        yield Script(process, lines)
    finally:
        process.kill()
        process.wait()
        reader.join()
        process.stdout.close()


@attrs.define(eq=False)
class ExampleEnvironment:
    """The venue, and the settings that scripts need to find it."""

    sandbox: Sandbox
    environ: dict[str, str]
    second_key: tuple[str, Path]

    def run(self, name: str, *arguments: object) -> AbstractContextManager[Script]:
        return run_script(self.environ, EXAMPLES / name, *arguments)

    def levels(self, side: Side) -> tuple[tuple[Decimal, Decimal], ...]:
        """Return the prices and resting quantities on one side of the market."""
        return self.sandbox.server.inspect(lambda venue: venue.exchange("prediction").levels(SYMBOL, side))

    def improve_bid(self, price: str) -> None:
        """Have another trader bid higher."""
        with order_entry(**self.sandbox.options("other", "prediction", "KalshiNR")) as client:
            bid = NewOrderSingle(
                cl_ord_id="other-1",
                symbol=SYMBOL,
                side=Side.BUY,
                ord_type=OrdType.LIMIT,
                price=price,
                order_qty=1,
            )
            client.send(bid)
            next(client.messages(timeout=TIMEOUT))


@contextmanager
def example_environment(folder: Path) -> Iterator[ExampleEnvironment]:
    """Run a venue, and write the files of its keys into a folder."""
    with Sandbox(("you", "other")) as sandbox:
        environ = {"PATH": os.environ["PATH"], **write_environ(sandbox, "you", folder)}
        second_key = environ["KALSHI_KEY_ID_2"], Path(environ["KALSHI_PRIVATE_KEY_PATH_2"])
        yield ExampleEnvironment(sandbox, environ, second_key)
