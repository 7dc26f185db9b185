"""A session process that dies between sending and answering neither sends an order twice nor forgets one."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any

import pytest

pytest.importorskip("nats", reason="the bus needs nats-py (extra nats)")

from kalshi_fix_adapters.bus_nats import Sent
from kalshi_fix_sansio.events import MessageReceived, OutcomesUnknown, RejectReceived
from kalshi_fix_venue.gateway.order_entry import OrderEntry
from kalshi_fix_venue.testing import Sandbox
from tests.adapters.bus.test_commands import order
from tests.adapters.bus_nats.support import connected
from tests.nats import NatsServer
from tests.postgres import Server

SENDERS = 20
RUNS = 5
"""Number of session processes in turn; all but the last are killed."""
CHANNEL = "demo.prediction.KalshiNR.desk"


def start(
    server: NatsServer, sandbox: Sandbox, store: str, kill_before_answer: int
) -> subprocess.Popen[bytes]:
    """Start a session process, which takes over the store of the killed process."""
    options: dict[str, Any] = {**sandbox.options("me", "prediction", "KalshiNR")}
    del options["tls"]
    options |= {"store": store, "account": "desk"}
    if isinstance(options["private_key"], bytes):
        options["private_key"] = options["private_key"].decode()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.adapters.bus_nats.session_process"], stdin=subprocess.PIPE
    )
    assert process.stdin is not None
    settings = {
        "url": server.url,
        "ca": sandbox.ca_pem,
        "options": options,
        "kill_before_answer": kill_before_answer,
    }
    with process.stdin:
        process.stdin.write(json.dumps(settings).encode())
    return process


@pytest.mark.parametrize(("how", "orders"), [("restarted", 10_000), ("standby", 1_000)])
def test_no_order_is_sent_twice_and_every_order_is_answered_or_reported_as_uncertain(
    server: NatsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, orders: int
) -> None:
    """The killed process is started again with its files, or a second process, which waits for the lease on
    the store in Postgres, takes over."""
    received: Counter[str] = Counter()
    place = OrderEntry._place

    def count(self: Any, message: Any, *rest: Any) -> Any:
        received[message.cl_ord_id] += 1
        return place(self, message, *rest)

    monkeypatch.setattr(OrderEntry, "_place", count)
    answers: dict[str, Sent] = {}
    repeated: set[str] = set()
    processes: list[subprocess.Popen[bytes]] = []
    random = Random(1)

    async def main(sandbox: Sandbox, store: str) -> None:
        waiting = [f"order-{number}" for number in range(orders)]
        share = orders // RUNS
        kill_points = [random.randint(share // 2, share) for _ in range(RUNS - 1)]

        def start_one() -> subprocess.Popen[bytes]:
            return start(server, sandbox, store, kill_points.pop() if kill_points else 0)

        processes.extend(start_one() for _ in range(1 if how == "restarted" else 2))
        async with connected(server) as bus:

            async def send() -> None:
                session = bus.session(CHANNEL)
                while waiting:
                    name = waiting.pop()
                    while name not in answers:
                        found = await session.send(order(name, symbol="KXHIGHNY-26DEC31-B50"), within=0.5)
                        if isinstance(found, Sent):
                            answers[name] = found
                        else:
                            repeated.add(name)
                            await asyncio.sleep(0.01)

            senders = [asyncio.create_task(send()) for _ in range(SENDERS)]
            while not all(sender.done() for sender in senders):
                await asyncio.wait(senders, timeout=0.01)
                for index, process in enumerate(processes):
                    if process.poll() is not None:
                        processes[index] = start_one()
            await asyncio.gather(*senders)
            reported: set[str] = set()
            async for event in bus.events(CHANNEL):
                match event:
                    case OutcomesUnknown():
                        reported.update(event.request_ids)
                    case MessageReceived(message=message) | RejectReceived(sent=message):
                        reported.add(getattr(message, "cl_ord_id", ""))
                if reported >= answers.keys():
                    break

    with ExitStack() as stack:
        sandbox, store = stack.enter_context(Sandbox(("me",))), str(tmp_path)
        if how == "standby":
            postgres = stack.enter_context(Server())
            store = f"{postgres.dsn(postgres.create_database())}&failover=none&lease=1"
        try:
            asyncio.run(asyncio.wait_for(main(sandbox, store), 90 + orders / 20))
        finally:
            for process in processes:
                process.kill()
                process.wait()
    assert len(answers) == orders
    assert {name: times for name, times in received.items() if times > 1} == {}
    # Otherwise no process was killed between sending and answering.
    assert repeated
    assert any(answer.known for answer in answers.values())
