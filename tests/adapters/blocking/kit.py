"""Helpers for the tests of the blocking client."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import pytest

from kalshi_fix_adapters.blocking import Client, order_entry
from kalshi_fix_adapters.config.reconnect import ReconnectPolicy
from kalshi_fix_adapters.engine.connection import read_clocks
from kalshi_fix_sansio import Heartbeat
from kalshi_fix_sansio.events import MessageReceived
from kalshi_fix_venue.testing import Sandbox
from tests.adapters.conformance.loops import TIMEOUT
from tests.adapters.conformance.support import options as single_connection_options
from tests.adapters.conformance.support import plaintext_options
from tests.adapters.engine.stage import report
from tests.adapters.net.peers import Acceptor, logged_on_peer

E = TypeVar("E")
options = partial(single_connection_options, reconnect=ReconnectPolicy(maintenance=None))
"""Return the options of a client that reconnects to the sandbox's venue."""


def next_of(client: Client, kind: type[E]) -> E:
    """Wait for the next event of a class and return it."""
    for event in client.events(TIMEOUT):
        if isinstance(event, kind):
            return event
    pytest.fail(f"no {kind.__name__} was received")


def next_cl_ord_id(client: Client) -> str:
    """Wait for the next message and return its ClOrdID."""
    found: str = next_of(client, MessageReceived).message.cl_ord_id  # type: ignore[attr-defined]
    return found


class PeerDriver:
    """Lets a test make the peer send messages."""

    def __init__(self) -> None:
        self.requests: queue.Queue[Callable[[Acceptor], object] | None] = queue.Queue()

    def __call__(self, peer: Acceptor) -> None:
        while (act := self.requests.get(timeout=TIMEOUT)) is not None:
            act(peer)
        for _ in peer.received():
            pass

    def send_reports(self, *names: str) -> None:
        def send(peer: Acceptor) -> None:
            for name in names:
                peer.send(report(name))

        self.requests.put(send)

    def send_heartbeat(self, test_req_id: str) -> None:
        """Send a Heartbeat. Any thread that waits for events may receive it."""
        heartbeat = Heartbeat(test_req_id=test_req_id)

        def send(peer: Acceptor) -> None:
            peer.session._core.outbound.post(heartbeat, read_clocks(), keep=False)
            peer._flush()

        self.requests.put(send)

    def end(self) -> None:
        self.requests.put(None)


@contextmanager
def trading(sandbox: Sandbox, **changes: Any) -> Iterator[tuple[Client, PeerDriver]]:
    """Yield a logged-on client whose logon events have already been read, and the driver of its peer."""
    driver = PeerDriver()
    with logged_on_peer(driver) as port:
        client = order_entry(**plaintext_options(sandbox, port, **changes))
        try:
            with client:
                list(client.events(0))
                yield client, driver
                driver.end()
        finally:
            driver.end()
