"""The socket of one connection, plain or with TLS."""

from __future__ import annotations

import contextlib
import socket
import ssl

CHUNK = 64 * 1024
"""Maximum number of bytes read or written at once."""


class Transport:
    """A connected socket. Reading and writing never block. Only one thread at a time may use it."""

    def __init__(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        self._socket = connected
        self._pending = connected.pending if isinstance(connected, ssl.SSLSocket) else None
        self.descriptor: int = connected.fileno()
        self.unread: bool = False
        """Whether to read again without waiting for the socket: there may be data inside the TLS layer, or
        more data than one read returns.
        """
        self.read_wants_write: bool = False
        """Whether the TLS layer must write before it can continue to read."""
        self.write_wants_read: bool = False
        """Whether the TLS layer must read before it can continue to write, because the peer renegotiates."""

    def read(self) -> bytes | None:
        """Return received bytes: b"" at the end of the stream, None if there are none yet."""
        self.read_wants_write = self.write_wants_read = False
        try:
            data = self._socket.recv(CHUNK)
        except (BlockingIOError, ssl.SSLWantReadError):
            self.unread = False
            return None
        except ssl.SSLWantWriteError:
            self.unread, self.read_wants_write = False, True
            return None
        except OSError as error:
            if error.errno is None:  # raised by a signal handler, not by the operating system
                raise
            data = b""
        # OpenSSL reads whole TLS records. So data that `pending` does not count is still in the socket, and
        # makes it readable.
        self.unread = len(data) == CHUNK or (self._pending is not None and self._pending() > 0)
        return data

    def write(self, data: bytearray) -> int:
        """Write some of `data` from its beginning; return the number of bytes, 0 if none can be written now.

        Raises:
            OSError: the connection can no longer be written to.
        """
        try:
            # If OpenSSL accepted no bytes, the next call must pass the same bytes again, perhaps with more
            # after them. The next call does so, because the caller removes bytes from `data` only after they
            # are written.
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
                self._socket.unwrap()  # sends close_notify without waiting for the answer
        self.abort()

    def abort(self) -> None:
        """Close the socket at once, without a TLS close_notify."""
        self._socket.close()
