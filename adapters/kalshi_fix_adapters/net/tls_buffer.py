"""TLS in memory buffers, independent of sockets and event loops.

The streams of an event loop close both directions when writing fails, so unread data from the peer is lost.
The async clients therefore use the socket directly, and after a failed write continue to read to the end of
the stream.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Awaitable, Callable
from typing import Final

_MAX_RECORD_SIZE = 16 * 1024
"""Maximum size of a TLS record in bytes."""
MAX_HELD: Final = 1024 * 1024
"""Maximum number of bytes that are held back while the peer renegotiates."""


class TlsBytes:
    """The client's side of TLS without a socket, with encrypted bytes in and out.

    After every call there may be `outgoing` bytes, for example an alert to the peer, even after a failure.
    """

    def __init__(self, context: ssl.SSLContext, server_name: str) -> None:
        self._from_peer, self._to_peer = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: Final = context.wrap_bio(self._from_peer, self._to_peer, server_hostname=server_name)
        self.ended: bool = False
        """Whether the stream has ended or a TLS error has occurred. All data received before that has been
        decrypted.
        """
        self.has_outgoing: bool = False
        """Whether there were `outgoing` bytes after the last `decrypt`."""
        self._held = b""
        """Data that could not be encrypted yet. In TLS 1.2, a peer can request a renegotiation, during which
        no data can be written. The next attempt must pass the same bytes to OpenSSL.
        """
        self._queued = bytearray()
        """Data to be encrypted after `_held`."""

    @property
    def certificate(self) -> bytes | None:
        """The peer's certificate in DER form, after the handshake."""
        return self._tls.getpeercert(binary_form=True)

    async def run_exchange(
        self,
        step: Callable[[], bool],
        push: Callable[[], object],
        receive_more: Callable[[], Awaitable[object]],
    ) -> None:
        """Repeat `step`, which is `do_handshake` or `close_notify`, until it is done.

        After each step, `push` writes the `outgoing` bytes. Before the next step, `receive_more` waits
        for received bytes and passes them to `feed`.

        Raises:
            OSError: the step failed, and `push` was called to write the alert; or `push` or `receive_more`
                failed.
        """
        done = False
        while not done:
            try:
                done = step()
            except OSError:
                with contextlib.suppress(OSError):
                    push()
                raise
            push()
            if not done:
                await receive_more()

    def feed(self, encrypted: bytes | memoryview) -> None:
        """Process received bytes. b"" means the end of the stream."""
        if encrypted:
            self._from_peer.write(encrypted)
        else:
            self._from_peer.write_eof()

    def outgoing(self) -> bytes:
        """Return the encrypted bytes to write to the transport now."""
        return self._to_peer.read()

    def do_handshake(self) -> bool:
        """Continue the handshake; return whether it is done.

        Raises:
            OSError: the handshake failed.
        """
        return _is_done_after(self._tls.do_handshake)

    def close_notify(self) -> bool:
        """Send close_notify; return whether the peer has sent it too.

        Raises:
            OSError: close_notify could not be sent, or was not answered.
        """
        return _is_done_after(self._tls.unwrap)

    def encrypt(self, data: bytes | bytearray) -> bytes:
        """Encrypt data; return the bytes to write.

        While the peer renegotiates, these bytes contain only TLS protocol messages. The data follows in the
        `outgoing` bytes after a later `decrypt`.

        Raises:
            OSError: TLS has ended, or more than MAX_HELD bytes are waiting for the end of a renegotiation.
        """
        if not self._held:
            try:
                self._tls.write(data)
            except ssl.SSLWantReadError:
                self._held = bytes(data)
        else:
            if len(self._held) + len(self._queued) + len(data) > MAX_HELD:
                raise ConnectionAbortedError("the peer started a TLS renegotiation and has not finished it")
            self._queued += data
        return self._to_peer.read()

    def _write_held(self) -> None:
        try:
            # First write the bytes that OpenSSL did not accept, unchanged. Then write all later bytes at
            # once.
            while self._held:
                self._tls.write(self._held)
                self._held = bytes(self._queued)
                self._queued.clear()
        except ssl.SSLWantReadError:
            pass
        # Not raised, because `decrypt` may have data to return. The caller sees `ended` after that data.
        except OSError:
            self.ended = True

    def decrypt(self) -> bytes:
        """Return decrypted data; b"" if there is no complete record yet, or if `ended` is set."""
        parts = []
        try:
            # Each call returns at most one record, and it is unknown how many were received.
            while part := self._tls.read(_MAX_RECORD_SIZE):
                parts.append(part)
            self.ended = True
        # Reading may have completed a renegotiation, so try to write again here.
        except ssl.SSLWantReadError:
            if self._held:
                self._write_held()
        except OSError:
            self.ended = True
        self.has_outgoing = self._to_peer.pending > 0
        return b"".join(parts)


def _is_done_after(step: Callable[[], object]) -> bool:
    try:
        step()
    except ssl.SSLWantReadError:
        return False
    return True
