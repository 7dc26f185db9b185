"""TLS settings: the certificates to trust.

Kalshi's gateways require TLS 1.2 or newer (page "Connectivity"). Verification cannot be disabled; only the
trusted certificates can be chosen. Plain TCP is for a TLS proxy on this machine. Plain TCP to another machine
must be allowed explicitly. A connection to a peer in the same process needs neither TLS nor TCP.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from kalshi_fix_adapters.net.key_text import looks_like_key, safe_repr
from kalshi_fix_sansio.classes.hide_locals import init_hides_locals
from kalshi_fix_sansio.classes.value import Value
from kalshi_fix_sansio.errors import ConfigurationError

if TYPE_CHECKING:
    import socket
    import ssl


def _to_fingerprint(value: str | None) -> str | None:
    if value is None:
        return None
    digits = value.replace(":", "").lower()
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise ConfigurationError(
            "a pinned SHA-256 fingerprint must be 64 hexadecimal digits; "
            "print one with: openssl x509 -in certificate.pem -noout -fingerprint -sha256"
        )
    return digits


def _to_path(value: str | Path | None) -> Path | None:
    if value is not None and looks_like_key(str(value)):
        raise ConfigurationError(
            "ca_file or pinned_file is PEM text (not shown); specify the file's path, or pass a CA's text as "
            "ca_data"
        )
    return None if value is None else Path(value)


@init_hides_locals
@attrs.frozen(kw_only=True, eq=False, repr=False)
class Tls(Value):
    """TLS with these trusted certificates. Default: the system's certificate authorities.

    With a pinned certificate and no CA, the pin replaces the checks of chain, name and dates. With a pinned
    certificate and a CA, the pin and these checks are required.

    Attributes:
        ca_file: PEM file with the certificate authorities to trust instead of the system's.
        ca_data: PEM text with the certificate authorities, instead of `ca_file`.
        pinned_file: PEM file with the venue's own certificate.
        pinned_sha256: SHA-256 of the venue's own certificate (DER), in hexadecimal, colons allowed.
        server_name: The name in the certificate, also sent as SNI, if it differs from the host.
    """

    ca_file: Path | None = attrs.field(default=None, converter=_to_path)
    ca_data: str | None = attrs.field(default=None, repr=False)
    pinned_file: Path | None = attrs.field(default=None, converter=_to_path)
    pinned_sha256: str | None = attrs.field(default=None, converter=_to_fingerprint)
    server_name: str | None = None

    def context(self) -> ssl.SSLContext:
        """Return a client context for TLS 1.2 or newer, with verification according to these settings.

        Raises:
            ConfigurationError: the CA file or text cannot be read.
        """
        # Imported here, because importing ssl is slow and most uses of the settings do not need it.
        import ssl

        try:
            # Without cafile or cadata, this loads the system's authorities.
            context = ssl.create_default_context(
                cafile=None if self.ca_file is None else str(self.ca_file), cadata=self.ca_data
            )
        except FileNotFoundError:
            raise ConfigurationError(
                f"the CA file {safe_repr(self.ca_file)} does not exist; check the path"
            ) from None
        except (OSError, ValueError):
            source = "ca_data" if self.ca_file is None else f"the CA file {safe_repr(self.ca_file)}"
            raise ConfigurationError(
                f"{source} contains no readable PEM certificate; use one that begins with "
                "'-----BEGIN CERTIFICATE-----'"
            ) from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        has_custom_ca = self.ca_file is not None or self.ca_data is not None
        is_pinned = self.pinned_file is not None or self.pinned_sha256 is not None
        if is_pinned and not has_custom_ca:
            # This is safe, because `Dialer.check_certificate` checks the pin before any data is sent, and a
            # pin is stricter than the verification of a chain. The order of these lines matters, because
            # Python rejects CERT_NONE while check_hostname is set.
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def pins(self) -> frozenset[str]:
        """Return the allowed SHA-256 fingerprints of the venue's certificate; empty without a pin.

        Raises:
            ConfigurationError: the pinned file cannot be read.
        """
        import ssl

        fingerprints = set() if self.pinned_sha256 is None else {self.pinned_sha256}
        if self.pinned_file is not None:
            try:
                der = ssl.PEM_cert_to_DER_cert(_first_certificate(self.pinned_file.read_text("latin-1")))
            except (OSError, ValueError):
                raise ConfigurationError(
                    f"the pinned certificate {safe_repr(self.pinned_file)} cannot be read as PEM; "
                    "save it with: openssl s_client -connect HOST:PORT </dev/null | openssl x509 > FILE"
                ) from None
            fingerprints.add(hashlib.sha256(der).hexdigest())
        return frozenset(fingerprints)


def _first_certificate(pem: str) -> str:
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    body, mark, _ = pem[pem.index(begin) :].partition(end)
    return body + mark


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Plaintext(Value):
    """Plain TCP without TLS, for a proxy such as stunnel on this machine.

    Signatures, orders and fills would be readable in transit, so another machine requires
    `allow_remote=True`.
    """

    allow_remote: bool = False


@attrs.frozen(eq=False, repr=False)
class InProcess(Value):
    """A connection within this process, without a network or TLS, for example to a simulated venue in a test.

    Only clients that connect with `net.dial.dial` support it; the host is not resolved.

    Attributes:
        connect: A function that is called with the client's host and port. It returns one end of a
            connection, whose other end belongs to the peer, or raises OSError if there is no such peer.
    """

    connect: Callable[[str, int], socket.socket] = attrs.field(repr=False)


Security = Tls | Plaintext | InProcess
