"""Throwaway identities: a certificate authority with server certificates, and client keys.

For demos and tests. Nothing is written to disk unless `write` is called.
"""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from secrets import token_hex
from typing import Self
from uuid import uuid4

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kalshi_fix_sansio.signing import MIN_RSA_BITS, Verifier, load_private_key

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
_LIFETIME = timedelta(days=7)
_CLOCK_SKEW = timedelta(hours=1)


@attrs.frozen
class ServerIdentity:
    """A server certificate with its key."""

    certificate_pem: bytes
    """The server's certificate, followed by the authority's."""
    private_key_pem: bytes = attrs.field(repr=False)

    def ssl_context(self) -> ssl.SSLContext:
        """Return a context for a TLS 1.2 (or newer) server."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # The ssl module loads keys only from files. The key is encrypted, so that it is never on the
        # disk in plain text.
        passphrase = token_hex(32)
        key = serialization.load_pem_private_key(self.private_key_pem, None).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(passphrase.encode()),
        )
        with tempfile.TemporaryDirectory(prefix="kalshi-fix-") as folder:
            path = Path(folder, "server.pem")
            _write_private(path, key + self.certificate_pem)
            context.load_cert_chain(path, password=passphrase)
        return context


class Authority:
    """A certificate authority whose private key exists only in this object."""

    def __init__(self) -> None:
        """Create an authority with a new key."""
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Simulated Kalshi, throwaway CA")])
        self._certificate = (
            _builder(self._name, self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(authority=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    @property
    def certificate_pem(self) -> bytes:
        """The certificate that a client must trust."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, names: Sequence[str] = LOOPBACK_NAMES) -> ServerIdentity:
        """Return a server certificate for these host names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        certificate = (
            _builder(subject, self._name, key.public_key())
            .add_extension(
                x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False
            )
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )
        return ServerIdentity(
            certificate.public_bytes(serialization.Encoding.PEM) + self.certificate_pem, _unencrypted_pem(key)
        )


@attrs.frozen
class ClientKey:
    """An API key: its id and both halves of its key pair."""

    key_id: str
    private_key_pem: bytes = attrs.field(repr=False)
    """PKCS#8, not encrypted."""

    @classmethod
    def generate(cls, *, ed25519_key: bool = False, key_id: str | None = None) -> Self:
        """Generate a new key pair: 2048-bit RSA, or Ed25519. Without `key_id`, the id is a new UUID."""
        key = (
            ed25519.Ed25519PrivateKey.generate()
            if ed25519_key
            else rsa.generate_private_key(public_exponent=65537, key_size=MIN_RSA_BITS)
        )
        return cls(str(uuid4()) if key_id is None else key_id, _unencrypted_pem(key))

    @property
    def public_key(self) -> Verifier:
        """The public key, for the venue."""
        return load_private_key(self.private_key_pem).verifier

    def write(self, path: Path) -> None:
        """Write the private key to a new file that only its owner may read.

        Raises:
            FileExistsError: a file exists at this path.
        """
        _write_private(path, self.private_key_pem)


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + _LIFETIME)
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _unencrypted_pem(
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey,
) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
