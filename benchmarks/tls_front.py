"""TLS in front of the acceptor, which has none: a relay in a process of its own.

python -m benchmarks.tls_front PORT BEHIND CERTIFICATE KEY
"""

from __future__ import annotations

import asyncio
import ssl
import sys


class _Pipe(asyncio.Protocol):
    """One direction of a connection; the other one is its peer."""

    def __init__(self, peer: _Pipe | None = None) -> None:
        self.peer = peer
        self.transport: asyncio.Transport | None = None
        self._waiting = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        if self.peer is not None and self.peer._waiting:
            transport.write(bytes(self.peer._waiting))
            self.peer._waiting.clear()

    def data_received(self, data: bytes) -> None:
        if self.peer is None or self.peer.transport is None:
            self._waiting += data
        else:
            self.peer.transport.write(data)

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - asyncio gives it
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.close()


async def _serve(port: int, behind: int, certificate: str, key: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    loop = asyncio.get_running_loop()
    tasks = set()

    def accept() -> _Pipe:
        front = _Pipe()
        front.peer = _Pipe(front)
        back = front.peer
        task = loop.create_task(loop.create_connection(lambda: back, "127.0.0.1", behind))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return front

    server = await loop.create_server(accept, "127.0.0.1", port, ssl=context)
    async with server:
        print("listening", flush=True)
        await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]))
