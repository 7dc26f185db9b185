"""The simulated market of case t: it sends updates of a book on one session, and the client answers each
update with an order on another.

    python -m benchmarks.clients.market PORT PAUSE COUNT [--authority FILE]

Prints `listening`, then JSON: for each update the seconds from its write until the order that
answers it arrives at the socket. The market answers each order with an execution report, and waits
PAUSE seconds before each update.

The kernel records the time of arrival. If this process read the clock itself, the result would include the
delay until the process runs again, which is 1 to 3 ms if another process occupies its processor. In most
runs, of any client, such a delay would determine the maximum.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import select
import socket
import struct
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import attrs

from benchmarks import samples
from kalshi_fix_sansio import Heartbeat, Logon, Message, NewOrderSingle, TestRequest, encode
from kalshi_fix_sansio.framing import Frame, Framer
from kalshi_fix_sansio.messages import CODEC

MARKET_DATA = "KalshiMD"
_MAX_BYTES = 65536
_TIMEOUT = 30.0
_TIMESTAMPNS = 35
"""SO_TIMESTAMPNS of Linux (asm-generic/socket.h)."""
_TIMESPEC = struct.Struct("@qq")


class _Connection:
    """The venue's side of one session."""

    def __init__(self, link: socket.socket) -> None:
        self.link, self.name = link, ""
        self.orders: list[NewOrderSingle] = []
        self._framer, self._numbers = Framer(), itertools.count(1)
        link.settimeout(_TIMEOUT)
        # A copy of the descriptor, because a TLS socket does not support recvmsg.
        self._arrivals = socket.socket(fileno=os.dup(link.fileno()))
        self._arrivals.settimeout(_TIMEOUT)
        if sys.platform == "linux":
            self._arrivals.setsockopt(socket.SOL_SOCKET, _TIMESTAMPNS, 1)
        while not self.name:
            self.receive()

    def frame(self, message: Message) -> bytes:
        """Return the bytes of a message with the next MsgSeqNum and the current time."""
        now = datetime.now(UTC)
        return encode(message, samples.header(message.msg_type, next(self._numbers), now, venue=self.name))

    def receive(self) -> int:
        """Read once and process the messages; return the time of arrival, in ns of the system's clock."""
        _, ancillary, _, _ = self._arrivals.recvmsg(1, socket.CMSG_SPACE(_TIMESPEC.size), socket.MSG_PEEK)
        arrived = time.time_ns()
        for _, _, value in ancillary:
            seconds, nanoseconds = _TIMESPEC.unpack(value)
            arrived = seconds * 10**9 + nanoseconds
        data = self.link.recv(_MAX_BYTES)
        if not data:
            raise ConnectionError(f"the client closed {self.name}")
        self._framer.feed(data)
        while isinstance(frame := self._framer.next(), Frame):
            self._process(CODEC.decode(frame))
        return arrived

    def _process(self, message: Message) -> None:
        match message:
            case NewOrderSingle():
                self.orders.append(message)
            case Logon():
                assert message.header is not None
                self.name = message.header.target_comp_id
                answer = attrs.evolve(message, header=None, trailer=None, raw_data=None)
                self.link.sendall(self.frame(answer))
            case TestRequest():
                self.link.sendall(self.frame(Heartbeat(test_req_id=message.test_req_id)))


def _pause(connections: list[_Connection], seconds: float) -> None:
    """Answer TestRequests and Logons for this many seconds."""
    end = time.perf_counter() + seconds
    while (remaining := end - time.perf_counter()) > 0:
        ready, _, _ = select.select([each.link for each in connections], [], [], remaining)
        for each in connections:
            if each.link in ready:
                each.receive()


def _times(market: _Connection, orders: _Connection, pause: float, count: int) -> list[float]:
    times, both = [], [market, orders]
    market.link.sendall(market.frame(samples.snapshot(samples.LEVELS)))
    _pause(both, 0.5)
    for number in range(count):
        _pause(both, pause)
        data = market.frame(samples.incremental(1, number * len(samples.MARKETS)))
        end = begin = time.time_ns()
        market.link.sendall(data)
        while not orders.orders:
            end = orders.receive()
        times.append((end - begin) / 1e9)
        order = orders.orders.pop()
        report = samples.report(number)
        report.cl_ord_id, report.symbol, report.side = order.cl_ord_id, order.symbol, order.side
        orders.link.sendall(orders.frame(report))
    return times


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clients.market", description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("pause", type=float)
    parser.add_argument("count", type=int)
    parser.add_argument("--authority", type=Path)
    arguments = parser.parse_args()
    with socket.create_server(("127.0.0.1", arguments.port)) as server, contextlib.ExitStack() as stack:
        context = None
        if arguments.authority is not None:
            from kalshi_fix_venue.identities import Authority

            authority = Authority()
            arguments.authority.write_bytes(authority.certificate_pem)
            context = authority.issue().ssl_context()
        print("listening", flush=True)
        connections: list[_Connection] = []
        while len(connections) < 2:
            link, _ = server.accept()
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if context is not None:
                link = context.wrap_socket(link, server_side=True)
            connections.append(_Connection(stack.enter_context(link)))
        market, orders = sorted(connections, key=lambda each: each.name != MARKET_DATA)
        times = _times(market, orders, arguments.pause, arguments.count)
        print(json.dumps(times), flush=True)
        sys.stdin.read()  # until the client has been stopped


if __name__ == "__main__":
    main()
