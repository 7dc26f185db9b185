"""Every way in which TLS with a peer can fail, and the error that the client must raise."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import struct
import warnings
from collections.abc import Callable
from datetime import timedelta

import attrs

from kalshi_fix_adapters.errors import (
    CertificateRejectedError,
    ConnectionFailedError,
    ConnectTimeoutError,
    TlsError,
)
from kalshi_fix_adapters.net.tls import Tls
from kalshi_fix_venue.identities import Authority, ServerIdentity
from tests.adapters.net.certificates import fingerprint, issue, self_signed
from tests.adapters.net.peers import Handler, hang_up, keep_silent, listening, talk_nonsense

HOST = "127.0.0.1"
ISSUER = Authority()
TRUST = Tls(ca_data=ISSUER.certificate_pem.decode())
VALID_IDENTITY = issue(ISSUER)
SHORT = 0.2
"""Seconds after which a case gives up waiting."""
_DAY = timedelta(days=1)


def reset(connection: socket.socket) -> None:
    """Reset the connection, as a crash would, after the client's first bytes."""
    connection.recv(1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def hang_up_later(connection: socket.socket) -> None:
    """Read the client's bytes and close without an alert."""
    connection.recv(65536)
    hang_up(connection)


def old_tls() -> ssl.SSLContext:
    """Return a server that supports no TLS newer than 1.1."""
    context = VALID_IDENTITY.ssl_context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


@attrs.frozen
class TlsCase:
    """One server, the client's trust settings, and the error that the client must raise."""

    name: str
    text: str
    """A regular expression for the error's text, with `{peer}` in place of the peer's address."""
    error: type[ConnectionFailedError] = CertificateRejectedError
    settings: Tls = TRUST
    server: ServerIdentity | Callable[[], ssl.SSLContext] | Handler = VALID_IDENTITY
    timeout: float = 10.0

    def serve(self) -> contextlib.AbstractContextManager[int]:
        """Serve one connection; yield the port."""
        if isinstance(self.server, ServerIdentity):
            return listening(self.record_bytes, self.server.ssl_context())
        if self.server is old_tls:
            return listening(self.record_bytes, old_tls())
        return listening(self.server)  # type: ignore[arg-type]

    def record_bytes(self, connection: socket.socket) -> None:
        """Record the first bytes that the client sends; to an untrusted peer it must send none."""
        with contextlib.suppress(OSError):
            self.received.append(connection.recv(4096))

    received: list[bytes] = attrs.field(factory=list, init=False)

    def check(self, error: ConnectionFailedError, port: int) -> None:
        """Assert that the client raised the expected error."""
        assert type(error) is self.error
        assert re.fullmatch(self.text.format(peer=f"{HOST}:{port}"), str(error)), str(error)
        assert b"".join(self.received) == b""


_GATEWAY = "check that the host and port are those of a TLS gateway"
_CLOSED = r"{peer} closed the connection during the TLS handshake \(%s\); " + _GATEWAY
_OUTDATED = r"the certificate of {peer} is not valid at this time \(%s\); check this machine's clock"
_UNKNOWN = (
    r"the certificate of {peer} could not be verified \(%s\); set ca_file to the CA that signed it, or pin "
    "the certificate"
)
_WRONG_PIN = (
    r"the certificate of {peer} is not the pinned one \(its SHA-256 is [0-9a-f]{{64}}\); if the venue has "
    "renewed it, verify the new one by other means and pin it"
)
_WRONG_NAME = (
    "the certificate of {peer} is not for %s; check the host, or set the server name that the certificate "
    "contains"
)

_NO_ISSUER = "unable to get local issuer certificate"
_OTHER_NAME = attrs.evolve(TRUST, server_name="fix.example")
_OTHER_PIN = fingerprint(self_signed())
TLS_CASES = (
    TlsCase("expired", _OUTDATED % "certificate has expired", server=issue(ISSUER, -2 * _DAY, -_DAY)),
    # OpenSSL 3.5 adds: "or the system clock is incorrect".
    TlsCase(
        "not yet valid", _OUTDATED % "certificate is not yet valid.*", server=issue(ISSUER, _DAY, 2 * _DAY)
    ),
    TlsCase("another name", _WRONG_NAME % re.escape(HOST), server=issue(ISSUER, names=["fix.example"])),
    TlsCase("a name other than the one set", _WRONG_NAME % r"fix\.example", settings=_OTHER_NAME),
    TlsCase("self-signed", _UNKNOWN % "self-signed certificate", server=self_signed()),
    TlsCase("another authority", _UNKNOWN % _NO_ISSUER, settings=Tls()),
    TlsCase("another pin", _WRONG_PIN, settings=Tls(pinned_sha256=_OTHER_PIN)),
    TlsCase(
        "the right authority and another pin",
        _WRONG_PIN,
        settings=attrs.evolve(TRUST, pinned_sha256=_OTHER_PIN),
    ),
    TlsCase(
        "the right pin and authority and another name",
        _WRONG_NAME % r"fix\.example",
        settings=attrs.evolve(_OTHER_NAME, pinned_sha256=fingerprint(VALID_IDENTITY)),
    ),
    TlsCase(
        "the right pin and another authority",
        _UNKNOWN % _NO_ISSUER,
        settings=Tls(ca_data=Authority().certificate_pem.decode(), pinned_sha256=fingerprint(VALID_IDENTITY)),
    ),
    TlsCase(
        "TLS 1.1",
        r"{peer} does not offer TLS 1\.2 \(\w+\); check that it is the venue's gateway",
        TlsError,
        server=old_tls,
    ),
    TlsCase(
        "no TLS",
        r"{peer} does not speak TLS; check the port, or use Plaintext\(\) for a proxy on this machine",
        TlsError,
        server=talk_nonsense,
    ),
    TlsCase(
        "silence",
        "{peer} did not complete the TLS handshake within 0.2 s; check host, port and firewall, or "
        "allow more time",
        ConnectTimeoutError,
        server=keep_silent,
        timeout=SHORT,
    ),
    TlsCase("reset", _CLOSED % "Connection reset by peer", TlsError, server=reset),
    TlsCase("end of file", _CLOSED % "end of file", TlsError, server=hang_up_later),
)
TRUSTED_SETTINGS = {
    "an authority": TRUST,
    "an authority and a pin": attrs.evolve(TRUST, pinned_sha256=fingerprint(VALID_IDENTITY)),
    "a pin only": Tls(pinned_sha256=fingerprint(VALID_IDENTITY)),
    "a pin only, with another name": Tls(
        pinned_sha256=fingerprint(VALID_IDENTITY), server_name="fix.example"
    ),
}
"""Trust settings with which a client accepts the right server."""
