"""A TLS relay in front of an acceptor without TLS, in a separate process.

    python -m benchmarks.clients.tls_front PORT ACCEPTOR_PORT CA_FILE

The relay connects to ACCEPTOR_PORT. It writes the CA certificate that clients must trust to CA_FILE.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from pathlib import Path
from typing import Any

from kalshi_fix_venue.identities import Authority


class _Pipe(asyncio.Protocol):
    """One end of the relay: received bytes are written to the other end."""

    def __init__(self, own: asyncio.Future[Any], other: asyncio.Future[Any]) -> None:
        self._own, self._other = own, other

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._own.set_result(transport)

    def data_received(self, data: bytes) -> None:
        if self._other.done():
            self._other.result().write(data)
        else:
            self._other.add_done_callback(lambda other: other.result().write(data))

    def connection_lost(self, _: Exception | None) -> None:
        self._other.add_done_callback(lambda other: other.result().close())


async def _serve(port: int, acceptor_port: int, context: ssl.SSLContext) -> None:
    loop = asyncio.get_running_loop()
    tasks = set()

    def accept() -> _Pipe:
        front, back = loop.create_future(), loop.create_future()
        connecting = loop.create_connection(lambda: _Pipe(back, front), "127.0.0.1", acceptor_port)
        tasks.add(loop.create_task(connecting))
        return _Pipe(front, back)

    async with await loop.create_server(accept, "127.0.0.1", port, ssl=context):
        print("listening", flush=True)
        await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    authority = Authority()
    Path(sys.argv[3]).write_bytes(authority.certificate_pem)
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2]), authority.issue().ssl_context()))
