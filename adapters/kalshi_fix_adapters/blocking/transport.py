"""The socket of one connection, plain or with TLS, which one thread at a time uses."""

from __future__ import annotations

import contextlib
import socket
import ssl

CHUNK = 64 * 1024
"""Bytes read or written at once, at the most."""


class Transport:
    """A connected socket. Reading and writing never block; one thread at a time."""

    def __init__(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        self._socket = connected
        self._pending = connected.pending if isinstance(connected, ssl.SSLSocket) else None
        self.number: int = connected.fileno()
        self.unread: bool = False
        """Whether something may be there to be read that cannot be seen by watching the socket: it waits
        inside the TLS layer, or more was there than one reading takes."""
        self.read_wants_write: bool = False
        """Whether the TLS layer has to write before it can read on."""
        self.write_wants_read: bool = False
        """Whether it has to read before it can write on: the peer renegotiates."""

    def read(self) -> bytes | None:
        """Return what has come, nothing if the connection is over, None if nothing has come."""
        self.read_wants_write = self.write_wants_read = False
        try:
            data = self._socket.recv(CHUNK)
        except (BlockingIOError, ssl.SSLWantReadError):
            self.unread = False
            return None
        except ssl.SSLWantWriteError:
            self.unread, self.read_wants_write = False, True
            return None
        except OSError:
            data = b""
        # A record of TLS is read as a whole, so that what is not pending is seen by watching the socket.
        self.unread = len(data) == CHUNK or (self._pending is not None and self._pending() > 0)
        return data

    def write(self, data: bytearray) -> int:
        """Write some of `data` from its beginning; return how much, 0 if nothing can be written now.

        Raises:
            OSError: nothing can be written any more.
        """
        try:
            # After it took nothing, OpenSSL wants the same bytes again, or more. They stay at the beginning
            # of `output` until they were taken, so that is kept.
            return self._socket.send(data if len(data) <= CHUNK else data[:CHUNK])
        except ssl.SSLWantReadError:
            self.write_wants_read = True
            return 0
        except (BlockingIOError, ssl.SSLWantWriteError):
            return 0

    def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(OSError, ValueError):
            if isinstance(self._socket, ssl.SSLSocket):
                self._socket.unwrap()  # says goodbye, and does not wait for the answer
        self.abort()

    def abort(self) -> None:
        """Close the socket at once, without telling the peer in TLS."""
        self._socket.close()
