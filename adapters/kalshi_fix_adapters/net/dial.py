"""Connecting: the stages of an attempt, its checks, and its errors.

A `Dialer` represents one attempt, without I/O, so that every adapter has the same checks and errors. `dial`
performs the stages, for every event loop and for a thread (`open_socket`). Only the three methods of `Steps`
wait; each loop implements them. An adapter whose loop has no sockets performs the same stages itself:

    dialer = Dialer(host, port, security, timeout)
    addresses = resolve host                            or raise dialer.not_resolved()
    for address in addresses:
        dialer.check_address(address)
        connect to it                                   or raise dialer.not_connected(the last error)
    if dialer.context is not None:
        TLS handshake with dialer.context and dialer.server_name   or raise dialer.not_secured(error)
        dialer.check_certificate(the peer's certificate, DER)

If all stages together take longer than `timeout` seconds, raise `dialer.timed_out(stage)`.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
import os
import selectors
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, Protocol, TypeVar

from kalshi_fix_adapters import errors
from kalshi_fix_adapters.events import Endpoint
from kalshi_fix_adapters.net.sleeper import MAX_SLEEP, READ, WRITE
from kalshi_fix_adapters.net.tls import InProcess, Plaintext, Security
from kalshi_fix_sansio.errors import ConfigurationError, KalshiFixError

_HOSTNAME_MISMATCH_CODES = frozenset({62, 64})
"""OpenSSL: X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH."""
_OUT_OF_DATE_CODES = frozenset({9, 10})
"""X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED."""
_NOT_TLS_REASONS = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"})
"""The reasons that different versions of OpenSSL report for an answer that is not TLS."""
_MAX_CAUSES = 10
"""Maximum number of errors examined in a chain of causes, which may be circular."""
AddressInfo = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]
"""An entry of the result of `socket.getaddrinfo`."""
Connection_co = TypeVar("Connection_co", covariant=True)
"""The class of the connections of one event loop."""


class Stage(Enum):
    """The stages of an attempt. Each value describes a timeout in the stage, as part of an error text."""

    RESOLVE = "was not resolved to an address"
    CONNECT = "did not accept a connection"
    HANDSHAKE = "did not complete the TLS handshake"


class Dialer:
    """One attempt to connect."""

    def __init__(self, host: str, port: int, security: Security, timeout: float) -> None:
        """Check the settings before any connection is made.

        Args:
            host: name or address to connect to.
            port: TCP port.
            security: TLS settings, `Plaintext()`, or an `InProcess`.
            timeout: seconds for the whole attempt.

        Raises:
            ConfigurationError: a certificate file cannot be read, or the host name is invalid.
        """
        self.host = host
        self.port = port
        self.timeout = timeout
        self.stage = Stage.RESOLVE
        """The current stage of `dial`."""
        self._deadline = math.inf
        """The monotonic deadline, set by `start_clock`."""
        self.peer: str = str(Endpoint(host, port))
        self._plaintext = security if isinstance(security, Plaintext) else None
        self._in_process = security if isinstance(security, InProcess) else None
        self.context: ssl.SSLContext | None = None
        """The TLS context; None without TLS."""
        self.server_name: str = host
        """The name sent as SNI, for which the certificate must be valid."""
        self._pins: frozenset[str] = frozenset()
        if not isinstance(security, Plaintext | InProcess):
            self.context, self._pins = security.context(), security.pins()
            self.server_name = _check_name(security.server_name or host)

    def start_clock(self) -> None:
        """Start the timeout."""
        self._deadline = time.monotonic() + self.timeout

    def seconds_left(self) -> float:
        """Return the remaining seconds of the timeout.

        Raises:
            ConnectTimeoutError: the timeout has expired.
        """
        seconds = self._deadline - time.monotonic()
        if seconds <= 0:
            raise self.timed_out()
        return seconds

    def connect_in_process(self) -> socket.socket | None:
        """Return the connection to a peer in this process; None without `InProcess`.

        Raises:
            ConnectionFailedError: the peer does not accept connections.
        """
        if self._in_process is None:
            return None
        try:
            raw = self._in_process.connect(self.host, self.port)
        except OSError as error:
            raise self.not_connected(error) from None
        raw.setblocking(False)
        return raw

    def check_address(self, address: str) -> None:
        """Refuse plain TCP to another machine, unless `allow_remote` is set.

        Raises:
            PlaintextRefusedError: the address is not a loopback address.
        """
        if self._plaintext is None or self._plaintext.allow_remote:
            return
        if not ipaddress.ip_address(address.partition("%")[0]).is_loopback:
            raise errors.PlaintextRefusedError(
                f"plain TCP to {address} would be readable in transit; use TLS or a TLS proxy on this "
                "machine, or set Plaintext(allow_remote=True)"
            )

    def check_certificate(self, certificate: bytes | None) -> None:
        """Compare the certificate with the pin, if there is one.

        Must be called after the handshake and before any data is sent, because with a pin and no CA the
        handshake verifies nothing (`Tls.context`).

        Args:
            certificate: the venue's own certificate in DER form, from `getpeercert(binary_form=True)`.

        Raises:
            CertificateRejectedError: the certificate is not the pinned certificate.
        """
        if not self._pins:
            return
        fingerprint = hashlib.sha256(certificate or b"").hexdigest()
        if fingerprint not in self._pins:
            raise errors.CertificateRejectedError(
                f"the certificate of {self.peer} is not the pinned one (its SHA-256 is {fingerprint}); if "
                "the venue has renewed it, verify the new one by other means and pin it"
            )

    def not_resolved(self) -> errors.HostNotFoundError:
        """Return the error for a host without an address."""
        return errors.HostNotFoundError(
            f"the host {self.host} has no known address; check its spelling and this machine's DNS"
        )

    def not_connected(self, error: BaseException | None) -> errors.ConnectionFailedError:
        """Return the error for a failed TCP connection; `error` is None if there was no address."""
        cause = _system_error(error)
        if isinstance(cause, ConnectionRefusedError):
            return errors.ConnectionFailedError(
                f"{self.peer} refused the connection; no server is listening there, so check the port, or "
                "start the server (kalshi-fix venue)"
            )
        reason = "no address" if cause is None else cause.strerror or type(cause).__name__
        return errors.ConnectionFailedError(
            f"{self.peer} cannot be reached ({reason}); check the network, host and port"
        )

    def not_secured(self, error: BaseException) -> errors.TlsError:
        """Return the error for a failed TLS handshake. `error` is the exception raised by the event loop."""
        cause = _system_error(error)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return errors.CertificateRejectedError(self._explain_certificate(cause))
        if isinstance(cause, ssl.SSLError) and not _is_end_of_stream(cause):
            return errors.TlsError(self._explain_tls(cause))
        reason = "end of file" if cause is None or isinstance(cause, ssl.SSLError) else cause.strerror
        return errors.TlsError(
            f"{self.peer} closed the connection during the TLS handshake ({reason or 'end of file'}); "
            "check that the host and port are those of a TLS gateway"
        )

    def timed_out(self, stage: Stage | None = None) -> errors.ConnectTimeoutError:
        """Return the error for a stage that timed out; the default is the current stage of `dial`."""
        stage = stage or self.stage
        peer, suspects = self.peer, "host, port and firewall"
        if stage is Stage.RESOLVE:
            peer, suspects = self.host, "this machine's DNS"
        return errors.ConnectTimeoutError(
            f"{peer} {stage.value} within {self.timeout:g} s; check {suspects}, or allow more time"
        )

    def _explain_certificate(self, error: ssl.SSLCertVerificationError) -> str:
        if error.verify_code in _HOSTNAME_MISMATCH_CODES:
            return (
                f"the certificate of {self.peer} is not for {self.server_name}; check the host, or set the "
                "server name that the certificate contains"
            )
        if error.verify_code in _OUT_OF_DATE_CODES:
            return (
                f"the certificate of {self.peer} is not valid at this time ({error.verify_message}); "
                "check this machine's clock"
            )
        return (
            f"the certificate of {self.peer} could not be verified ({error.verify_message}); set ca_file "
            "to the CA that signed it, or pin the certificate"
        )

    def _explain_tls(self, error: ssl.SSLError) -> str:
        reason = _reason(error)
        if reason in _NOT_TLS_REASONS:
            return (
                f"{self.peer} does not speak TLS; check the port, or use Plaintext() for a proxy on this "
                "machine"
            )
        if "PROTOCOL" in reason:
            return f"{self.peer} does not offer TLS 1.2 ({reason}); check that it is the venue's gateway"
        text = reason or error.strerror
        return f"the TLS handshake with {self.peer} failed ({text}); check that it is a TLS gateway"


def _is_end_of_stream(error: ssl.SSLError) -> bool:
    return isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)) or "EOF" in _reason(error)


def _reason(error: ssl.SSLError) -> str:
    """Return OpenSSL's name for the failure; empty for errors raised by Python itself."""
    return getattr(error, "reason", None) or ""


def _system_error(error: BaseException | None) -> OSError | None:
    """Return the error from ssl or the operating system in a chain of causes; None if there is none."""
    for _ in range(_MAX_CAUSES):
        if error is None or isinstance(error, OSError):
            return error
        if isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        else:
            error = error.__cause__ or error.__context__
    return None


def _check_name(server_name: str) -> str:
    try:
        server_name.encode("idna")
    except UnicodeError:
        raise ConfigurationError(f"{server_name!r} is not a host name; give a name or an address") from None
    if not server_name.strip("."):
        raise ConfigurationError("the host name is empty; give a name or an address")
    return server_name


class Steps(Protocol[Connection_co]):
    """The steps that each loop implements. The sockets are non-blocking."""

    async def resolve(self, host: str, port: int) -> Sequence[AddressInfo]:
        """Return the addresses of a host; an empty sequence on a timeout.

        Raises:
            OSError, UnicodeError: the host has no address.
        """

    async def connect_socket(self, raw: socket.socket, address: Any, seconds: float) -> None:
        """Connect a socket to an address.

        Raises:
            OSError: the connection failed; TimeoutError if it took longer than `seconds`.
        """

    async def secure(self, raw: socket.socket, dialer: Dialer) -> Connection_co:
        """Take over a connected socket and return the connection.

        If the dialer has a `context`, perform the TLS handshake and call the dialer's `check_certificate`.
        Close the socket after a failure.

        Raises:
            OSError: TLS failed.
        """


async def dial(dialer: Dialer, steps: Steps[Connection_co], on_tcp: Callable[[], object]) -> Connection_co:
    """Connect; return the result of `steps.secure`. `on_tcp` is called after TCP is connected, before TLS.

    The dialer's `timeout` applies to all stages together. The caller must limit the duration of this
    coroutine with the primitives of its loop, and raise `dialer.timed_out()` when the limit is reached.

    Raises:
        ConnectionFailedError: the attempt failed. The subclass shows why, and the text contains the remedy.
        PlaintextRefusedError: plain TCP to another machine.
    """
    dialer.stage = Stage.RESOLVE
    dialer.start_clock()
    raw = dialer.connect_in_process() or await _reach(dialer, steps)
    on_tcp()
    dialer.stage = Stage.HANDSHAKE
    try:
        return await steps.secure(raw, dialer)
    except OSError as error:
        # The errors that the dialer itself raises, for example for a wrong pin, are OSErrors too: their
        # base class is `ConnectionError`.
        raise error if isinstance(error, KalshiFixError) else dialer.not_secured(error) from None


async def _reach(dialer: Dialer, steps: Steps[Any]) -> socket.socket:
    """Resolve the host, and connect to one of its addresses."""
    try:
        addresses = await steps.resolve(dialer.host, dialer.port)
    except (OSError, UnicodeError):
        raise dialer.not_resolved() from None
    if not addresses:
        raise dialer.timed_out()
    # This raises an error if resolving took too long, because a blocking lookup (`_UncancellableWaiting`)
    # cannot be interrupted.
    dialer.seconds_left()
    dialer.stage = Stage.CONNECT
    return await _reach_one_of(addresses, dialer, steps)


async def _reach_one_of(addresses: Sequence[AddressInfo], dialer: Dialer, steps: Steps[Any]) -> socket.socket:
    failure: OSError | None = None
    for number, (family, kind, protocol, _, address) in enumerate(addresses):
        dialer.check_address(str(address[0]))
        try:
            raw = socket.socket(family, kind, protocol)
        except OSError as error:  # for example, IPv6 is disabled in the system
            failure = error
            continue
        try:
            raw.setblocking(False)
            # Without this, the system delays a small order until the previous one is acknowledged (Nagle).
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # The remaining time is divided, so that an unresponsive address leaves time for the other
            # addresses.
            await steps.connect_socket(raw, address, dialer.seconds_left() / (len(addresses) - number))
        except OSError as error:
            raw.close()
            failure = error
        except BaseException:
            raw.close()
            raise
        else:
            return raw
    if isinstance(failure, TimeoutError):
        raise dialer.timed_out() from None
    raise dialer.not_connected(failure) from None


# Connecting in a blocking thread


class Waiting(Protocol):
    """The blocking operations of a thread that connects. An implementation can make them cancellable."""

    def resolve(self, host: str, port: int, seconds: float) -> Sequence[AddressInfo]:
        """Return the addresses of a host; an empty sequence if it takes longer than `seconds`.

        Raises:
            OSError, UnicodeError: the host has no address.
        """

    def until_ready(self, raw: socket.socket, interest: int, seconds: float) -> None:
        """Wait until a non-blocking socket is readable (`READ`) or writable (`WRITE`), but at most `seconds`.
        This may return early.
        """


class _UncancellableWaiting:
    """Waits that cannot be cancelled."""

    def resolve(self, host: str, port: int, seconds: float) -> Sequence[AddressInfo]:  # noqa: ARG002
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)

    def until_ready(self, raw: socket.socket, interest: int, seconds: float) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(raw, interest)
            selector.select(min(seconds, MAX_SLEEP))


def open_socket(
    host: str,
    port: int,
    security: Security,
    timeout: float,
    *,
    on_tcp: Callable[[], object] = lambda: None,
    waiting: Waiting | None = None,
) -> socket.socket:
    """Return a blocking socket connected to the venue, after the TLS handshake and the certificate check.

    Args:
        host: name or address to connect to.
        port: TCP port.
        security: TLS settings, `Plaintext()`, or an `InProcess`.
        timeout: seconds for name resolution, TCP and TLS together. By default the system's name resolution
            cannot be interrupted: if it takes longer, the attempt fails only when the resolution ends.
        on_tcp: called when TCP is connected, before TLS.
        waiting: performs the waits. An exception raised by it ends the attempt.

    Raises:
        ConnectionFailedError: the attempt failed. The subclass shows why, and the text contains the remedy.
        PlaintextRefusedError: plain TCP to another machine.
        ConfigurationError: a certificate file cannot be read.
    """
    dialer = Dialer(host, port, security, timeout)
    coroutine = dial(dialer, _ThreadSteps(dialer, waiting or _UncancellableWaiting()), on_tcp)
    # These steps block instead of awaiting, so the coroutine completes at the first `send`.
    try:
        coroutine.send(None)
    except StopIteration as done:
        connected: socket.socket = done.value
        return connected
    raise AssertionError("the coroutine has not completed, although these steps block instead of awaiting")


class _ThreadSteps:
    """Steps that block their thread instead of awaiting."""

    def __init__(self, dialer: Dialer, waiting: Waiting) -> None:
        self._dialer = dialer
        self._waiting = waiting

    async def resolve(self, host: str, port: int) -> Sequence[AddressInfo]:
        return self._waiting.resolve(host, port, self._dialer.seconds_left())

    async def connect_socket(self, raw: socket.socket, address: Any, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        try:
            raw.connect(address)
        except (BlockingIOError, InterruptedError):
            while not _is_connected(raw):
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    raise TimeoutError from None
                self._waiting.until_ready(raw, WRITE, remaining)

    async def secure(self, raw: socket.socket, dialer: Dialer) -> socket.socket:
        secured = raw
        try:
            if dialer.context is not None:
                secured = tls_socket = dialer.context.wrap_socket(
                    raw, server_hostname=dialer.server_name, do_handshake_on_connect=False
                )
                while (interest := _continue_handshake(tls_socket)) is not None:
                    self._waiting.until_ready(tls_socket, interest, dialer.seconds_left())
                dialer.check_certificate(tls_socket.getpeercert(binary_form=True))
            secured.settimeout(None)
        except BaseException:
            secured.close()
            raise
        return secured


def _is_connected(raw: socket.socket) -> bool:
    """Return whether a connecting socket is connected.

    Raises:
        OSError: the connection failed.
    """
    code = raw.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))
    # A socket that is still connecting has no error, so `getpeername` must be called too.
    try:
        raw.getpeername()
    except OSError:
        return False
    return True


def _continue_handshake(secured: ssl.SSLSocket) -> int | None:
    """Continue the handshake; return the event to wait for, or None if the handshake is done."""
    try:
        secured.do_handshake()
    except ssl.SSLWantReadError:
        return READ
    except ssl.SSLWantWriteError:
        return WRITE
    return None
