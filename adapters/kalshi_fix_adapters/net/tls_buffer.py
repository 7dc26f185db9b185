"""TLS between a socket and an event loop, without either: by way of memory.

An event loop's own streams close both ways when writing fails, and what the peer had said before is lost. So
the clients of event loops write to the socket without them, and who reads goes on to the end of the stream.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Awaitable, Callable
from typing import Final

_RECORD = 16 * 1024
"""Bytes that TLS has ready at once, at the most."""
MAX_HELD: Final = 1024 * 1024
"""Bytes that may wait while the peer renegotiates."""


class TlsBytes:
    """The client's side of TLS without a socket: encrypted bytes in and out, by way of memory.

    After every call there may be `outgoing` bytes, also when it has failed: an alert says to the peer what is
    wrong.
    """

    def __init__(self, context: ssl.SSLContext, server_name: str) -> None:
        self._from_peer, self._to_peer = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: Final = context.wrap_bio(self._from_peer, self._to_peer, server_hostname=server_name)
        self.ended: bool = False
        """Whether the peer will say nothing more, and all it said was decrypted."""
        self.has_outgoing: bool = False
        """Whether there were `outgoing` bytes when something was decrypted last."""
        self._held = b""
        """What could not be encrypted yet: in TLS 1.2 a peer may ask to renegotiate, and until that is done
        nothing can be written. OpenSSL wants the same bytes again."""
        self._behind = bytearray()
        """What is to be encrypted after that."""

    @property
    def certificate(self) -> bytes | None:
        """The peer's, in DER form, after the handshake."""
        return self._tls.getpeercert(binary_form=True)

    async def converse(
        self,
        step: Callable[[], bool],
        push: Callable[[], object],
        more: Callable[[], Awaitable[object]],
    ) -> None:
        """Repeat `do_handshake` or `close_notify` until it is done; after each step `push` writes what is
        `outgoing`, and before the next one `more` waits for something to `feed`.

        Raises:
            OSError: as the step does, once the peer was told why.
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
                await more()

    def feed(self, encrypted: bytes | memoryview) -> None:
        """Take what was read; nothing means the end of the transport."""
        if encrypted:
            self._from_peer.write(encrypted)
        else:
            self._from_peer.write_eof()

    def outgoing(self) -> bytes:
        """Return what is to be written to the transport now."""
        return self._to_peer.read()

    def do_handshake(self) -> bool:
        """Go on with the handshake; say whether it is done.

        Raises:
            OSError: it failed.
        """
        return _goes_through(self._tls.do_handshake)

    def close_notify(self) -> bool:
        """Tell the peer that nothing more comes; say whether it has said the same.

        Raises:
            OSError: it cannot be said, or was not answered.
        """
        return _goes_through(self._tls.unwrap)

    def encrypt(self, data: bytes | bytearray) -> bytes:
        """Return what is to be written for some data; while the peer renegotiates, that is only what TLS says
        by itself, and the rest is among the `outgoing` bytes after `decrypt`.

        Raises:
            OSError: TLS is over, or the renegotiation takes too long for all that waits.
        """
        if not self._held:
            try:
                self._tls.write(data)
            except ssl.SSLWantReadError:
                self._held = bytes(data)
        else:
            if len(self._held) + len(self._behind) + len(data) > MAX_HELD:
                raise ConnectionAbortedError("the peer began to renegotiate, and does not go on")
            self._behind += data
        return self._to_peer.read()

    def _write_held(self) -> None:
        try:
            # The bytes that OpenSSL has refused go first, alone; what came behind them follows in one piece.
            while self._held:
                self._tls.write(self._held)
                self._held = bytes(self._behind)
                self._behind.clear()
        except ssl.SSLWantReadError:
            pass
        # Not raised, because `decrypt` has data to return: the end is told after that.
        except OSError:
            self.ended = True

    def decrypt(self) -> bytes:
        """Return what has come; nothing if that is no record yet, or if `ended`."""
        parts = []
        try:
            # Each call returns one record at the most, and nothing shows how many have come.
            while part := self._tls.read(_RECORD):
                parts.append(part)
            self.ended = True
        # Reading is what takes a renegotiation further, so try again to write here.
        except ssl.SSLWantReadError:
            if self._held:
                self._write_held()
        except OSError:
            self.ended = True
        self.has_outgoing = self._to_peer.pending > 0
        return b"".join(parts)


def _goes_through(step: Callable[[], object]) -> bool:
    try:
        step()
    except ssl.SSLWantReadError:
        return False
    return True
