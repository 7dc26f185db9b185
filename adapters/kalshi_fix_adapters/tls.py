"""TLS settings, and a connected socket made from them.

Kalshi's gateways want TLS 1.2 or newer (page "Connectivity"). Verification cannot be switched off: what can
be chosen is whom to trust. Plain TCP is for a TLS proxy on this machine; further away it has to be asked for
by name.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import socket
import ssl
import time
from pathlib import Path

import attrs

from kalshi_fix_adapters.errors import (
    CertificateRejectedError,
    ConnectionFailedError,
    ConnectTimeoutError,
    HostNotFoundError,
    PlaintextRefusedError,
    TlsError,
)
from kalshi_fix_sansio.errors import ConfigurationError

_HOSTNAME_MISMATCH = frozenset({62, 64})
"""OpenSSL: X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH."""
_EXPIRED = 10
_NOT_YET_VALID = 9


def _fingerprint(value: str | None) -> str | None:
    if value is None:
        return None
    digits = value.replace(":", "").lower()
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise ConfigurationError(
            "a pinned SHA-256 fingerprint is 64 hexadecimal digits; "
            "print one with: openssl x509 -in certificate.pem -noout -fingerprint -sha256"
        )
    return digits


def _path(value: str | Path | None) -> Path | None:
    return None if value is None else Path(value)


@attrs.frozen(kw_only=True)
class Tls:
    """Whom to trust. Default: the system's certificate authorities.

    A pinned certificate is an identity by itself: given without a CA, it replaces the check of chain, name
    and dates; given with one, both must hold.
    """

    ca_file: Path | None = attrs.field(default=None, converter=_path)
    """PEM file with the certificate authorities to trust instead of the system's."""
    ca_data: str | None = attrs.field(default=None, repr=False)
    """The same as PEM text."""
    pinned_file: Path | None = attrs.field(default=None, converter=_path)
    """PEM file with the venue's own certificate."""
    pinned_sha256: str | None = attrs.field(default=None, converter=_fingerprint)
    """SHA-256 of the venue's own certificate (DER), in hexadecimal, colons allowed."""
    server_name: str | None = None
    """The name the certificate must carry (and asked for by SNI) when it is not the host connected to."""

    @property
    def _own_ca(self) -> bool:
        return self.ca_file is not None or self.ca_data is not None

    @property
    def _pinned(self) -> bool:
        return self.pinned_file is not None or self.pinned_sha256 is not None

    def context(self) -> ssl.SSLContext:
        """Return a client context: TLS 1.2 or newer, verification as set.

        Raises:
            ConfigurationError: the CA file or text cannot be read.
        """
        try:
            # Without cafile or cadata this loads the system's authorities.
            context = ssl.create_default_context(
                cafile=None if self.ca_file is None else str(self.ca_file), cadata=self.ca_data
            )
        except FileNotFoundError:
            raise ConfigurationError(f"the CA file {self.ca_file} does not exist; give its path") from None
        except (OSError, ValueError):
            where = "ca_data" if self.ca_file is None else f"the CA file {self.ca_file}"
            raise ConfigurationError(
                f"{where} holds no readable PEM certificate; give one that begins with "
                "'-----BEGIN CERTIFICATE-----'"
            ) from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self._pinned and not self._own_ca:
            # The pin is compared before a byte is sent, and is stricter than any chain.
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def pins(self) -> frozenset[str]:
        """Return the SHA-256 fingerprints of which the venue's certificate must have one; empty for no pin.

        Raises:
            ConfigurationError: the pinned file cannot be read.
        """
        found = set() if self.pinned_sha256 is None else {self.pinned_sha256}
        if self.pinned_file is not None:
            try:
                der = ssl.PEM_cert_to_DER_cert(_first_certificate(self.pinned_file.read_text("latin-1")))
            except (OSError, ValueError):
                raise ConfigurationError(
                    f"the pinned certificate {self.pinned_file} cannot be read as PEM; save it with: openssl "
                    "s_client -connect HOST:PORT </dev/null | openssl x509 > FILE"
                ) from None
            found.add(hashlib.sha256(der).hexdigest())
        return frozenset(found)


def _first_certificate(pem: str) -> str:
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    body, mark, _ = pem[pem.index(begin) :].partition(end)
    return body + mark


@attrs.frozen(kw_only=True)
class Plaintext:
    """No TLS: for a proxy such as stunnel on this machine.

    Signature, orders and fills are readable on the way, so another machine needs `allow_remote=True`.
    """

    allow_remote: bool = False


Security = Tls | Plaintext


class _Deadline:
    """A point in time by which several steps must be done."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self, what: str) -> float:
        """Return the seconds left, or raise because `what` took too long."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise self.missed(what)
        return left

    def missed(self, what: str) -> ConnectTimeoutError:
        """Return the error for `what` having taken too long."""
        return ConnectTimeoutError(
            f"{what} within {self._seconds:g} s; check host, port and firewall, or allow more time"
        )


def open_socket(host: str, port: int, security: Security, timeout: float) -> socket.socket:
    """Return a socket connected to the venue, TLS handshake and certificate check done, in blocking mode.

    Args:
        host: name or address to connect to.
        port: TCP port.
        security: TLS settings, or `Plaintext()`.
        timeout: seconds for everything after the name was resolved.

    Raises:
        ConnectionFailedError: or one of its kinds, with what to do.
        PlaintextRefusedError: plain TCP to another machine.
        ConfigurationError: a certificate file cannot be read.
    """
    deadline = _Deadline(timeout)
    if isinstance(security, Plaintext):
        return _connect(host, port, security, deadline)
    # Settings are read before the connection is made, so that their mistakes cost no connection.
    context, pins = security.context(), security.pins()
    server_name = _checked_name(security.server_name or host)
    raw = _connect(host, port, security, deadline)
    try:
        secured = context.wrap_socket(raw, server_hostname=server_name, do_handshake_on_connect=False)
    except OSError as error:
        raw.close()
        raise TlsError(_explain_end(error, f"{host}:{port}")) from None
    try:
        _handshake(secured, server_name, f"{host}:{port}", deadline)
        _check_pin(secured, pins, f"{host}:{port}")
    except BaseException:
        secured.close()
        raise
    secured.settimeout(None)
    return secured


def _checked_name(server_name: str) -> str:
    try:
        server_name.encode("idna")
    except UnicodeError:
        raise ConfigurationError(f"{server_name!r} is no host name; give one, or an address") from None
    if not server_name.strip("."):
        raise ConfigurationError("the host name is empty; give one, or an address")
    return server_name


def _connect(host: str, port: int, security: Security, deadline: _Deadline) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        raise HostNotFoundError(
            f"the host {host} has no known address; check its spelling and this machine's DNS"
        ) from None
    failure: OSError | None = None
    for family, kind, protocol, _, address in found:
        if isinstance(security, Plaintext):
            _check_local(str(address[0]), security)
        raw = socket.socket(family, kind, protocol)
        try:
            raw.settimeout(deadline.left(f"{host}:{port} did not accept a connection"))
            raw.connect(address)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except TimeoutError:
            raw.close()
            raise deadline.missed(f"{host}:{port} did not accept a connection") from None
        except OSError as error:
            raw.close()
            failure = error
        except BaseException:
            raw.close()
            raise
        else:
            return raw
    if isinstance(failure, ConnectionRefusedError):
        advice = "nothing listens there, so check the port, or start what should (kalshi-fix venue)"
        raise ConnectionFailedError(f"{host}:{port} refused the connection; {advice}") from None
    reason = "no address" if failure is None else failure.strerror or type(failure).__name__
    raise ConnectionFailedError(
        f"{host}:{port} cannot be reached ({reason}); check the network, host and port"
    ) from None


def _check_local(address: str, security: Plaintext) -> None:
    if not security.allow_remote and not ipaddress.ip_address(address.partition("%")[0]).is_loopback:
        raise PlaintextRefusedError(
            f"plain TCP to {address} would show everything on the way; use TLS, a TLS proxy on this machine, "
            "or say Plaintext(allow_remote=True)"
        )


def _handshake(secured: ssl.SSLSocket, server_name: str, peer: str, deadline: _Deadline) -> None:
    unfinished = f"{peer} did not complete the TLS handshake"
    secured.settimeout(deadline.left(unfinished))
    try:
        secured.do_handshake()
    except TimeoutError:
        raise deadline.missed(unfinished) from None
    except ssl.SSLCertVerificationError as error:
        raise CertificateRejectedError(_explain_certificate(error, server_name, peer)) from None
    except ssl.SSLError as error:
        raise TlsError(_explain_tls(error, peer)) from None
    except OSError as error:
        raise TlsError(_explain_end(error, peer)) from None


def _check_pin(secured: ssl.SSLSocket, pins: frozenset[str], peer: str) -> None:
    if not pins:
        return
    certificate = secured.getpeercert(binary_form=True)
    found = hashlib.sha256(certificate or b"").hexdigest()
    if found not in pins:
        raise CertificateRejectedError(
            f"the certificate of {peer} is not the pinned one (its SHA-256 is {found}); if the venue has "
            "renewed it, verify the new one by another way and pin that"
        )


def _explain_certificate(error: ssl.SSLCertVerificationError, server_name: str, peer: str) -> str:
    if error.verify_code in _HOSTNAME_MISMATCH:
        return (
            f"the certificate of {peer} is not for {server_name}; check the host, or set the server name "
            "that the certificate carries"
        )
    if error.verify_code in (_EXPIRED, _NOT_YET_VALID):
        return (
            f"the certificate of {peer} is not valid at this time ({error.verify_message}); "
            "check this machine's clock"
        )
    return (
        f"the certificate of {peer} does not verify ({error.verify_message}); give the CA that signed it "
        "(ca_file), or pin the certificate"
    )


def _explain_end(error: OSError, peer: str) -> str:
    return (
        f"{peer} closed the connection during the TLS handshake ({error.strerror or 'end of file'}); "
        "check that host and port are a TLS gateway"
    )


def _explain_tls(error: ssl.SSLError, peer: str) -> str:
    reason = error.reason or ""
    if reason in {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}:
        return f"{peer} does not speak TLS; check the port, or use Plaintext() for a proxy on this machine"
    if "PROTOCOL" in reason:
        return f"{peer} offers no TLS 1.2 or newer ({reason}); check that it is the venue's gateway"
    return f"the TLS handshake with {peer} failed ({reason or error}); check that it is a TLS gateway"
