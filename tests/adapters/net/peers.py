"""Single-purpose servers on loopback, in place of the simulated venue."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator

from kalshi_fix_adapters.engine.connection import read_clocks
from kalshi_fix_sansio import DIALECT
from kalshi_fix_sansio.config import Role, SessionConfig
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import LogonRequested
from kalshi_fix_sansio.framing import Frame, Framer
from kalshi_fix_sansio.messages import decode
from kalshi_fix_sansio.session import Session

Handler = Callable[[socket.socket], object]


def keep_silent(connection: socket.socket) -> None:
    """Read until the client closes the connection, and send nothing."""
    with contextlib.suppress(OSError):
        while connection.recv(4096):
            pass


def hang_up(connection: socket.socket) -> None:
    """Close at once."""
    connection.close()


def talk_nonsense(connection: socket.socket) -> None:
    """Answer with bytes that are neither FIX nor TLS."""
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 20)
    keep_silent(connection)


@contextlib.contextmanager
def listening(
    handler: Handler, context: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> Iterator[int]:
    """Serve one connection; yield the port."""

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
    """Return a port on which no server listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


@contextlib.contextmanager
def full_backlog() -> Iterator[int]:
    """Listen with a full backlog, so no further client gets an answer; yield the port."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield server.getsockname()[1]


class Acceptor:
    """A minimal KalshiNR venue: it accepts the Logon, and leaves all other decisions to a test."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.session = Session(
            SessionConfig(
                role=Role.ACCEPTOR,
                dialect=DIALECT,
                session_type=DIALECT.session_types["KalshiNR"],
                product="prediction",
                sender_comp_id="KalshiNR",
            )
        )
        self.session.connect(read_clocks())
        while not any(isinstance(event, LogonRequested) for event in self.session.events()):
            self.session.receive_data(connection.recv(4096), read_clocks())
        self.session.accept_logon(read_clocks())
        self._flush()

    def _flush(self) -> None:
        self.connection.sendall(self.session.data_to_send())

    def send(self, message: Message) -> None:
        """Send a message."""
        self.session.send(message, read_clocks())
        self._flush()

    def log_out(self, text: str) -> None:
        """Send a Logout."""
        self.session.logout(read_clocks(), text=text)
        self._flush()

    def received(self) -> Iterator[str]:
        """Yield the names of received messages, and answer as a session does, until the session ends."""
        framer = Framer()
        while not self.session.wants_close and (data := self.connection.recv(4096)):
            framer.feed(data)
            while isinstance(frame := framer.next(), Frame):
                yield decode(frame).NAME
            self.session.receive_data(data, read_clocks())
            self.session.events()
            self._flush()


def logged_on_peer(handle: Callable[[Acceptor], object]) -> contextlib.AbstractContextManager[int]:
    """Serve one KalshiNR connection, without TLS; yield the port."""
    return listening(lambda connection: handle(Acceptor(connection)))
