"""Servers that do one thing, on loopback: what a client may meet that is no venue."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator

Handler = Callable[[socket.socket], None]


def keep_silent(connection: socket.socket) -> None:
    """Read and say nothing, until the other side goes."""
    with contextlib.suppress(OSError):
        while connection.recv(4096):
            pass


def hang_up(connection: socket.socket) -> None:
    """Go at once."""
    connection.close()


def talk_nonsense(connection: socket.socket) -> None:
    """Answer as no FIX gateway would, and no TLS server."""
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 20)
    keep_silent(connection)


@contextlib.contextmanager
def listening(
    handler: Handler, context: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> Iterator[int]:
    """Serve one connection; yields the port."""

    def serve() -> None:
        with contextlib.suppress(OSError):
            connection, _ = server.accept()
            connection.settimeout(10)
            with connection:
                if context is None:
                    handler(connection)
                else:
                    with context.wrap_socket(connection, server_side=True) as secured:
                        handler(secured)

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as server:
        server.settimeout(10)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
    thread.join(10)


def unused_port() -> int:
    """A port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port
