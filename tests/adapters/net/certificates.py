"""Server certificates with exactly one fault, even under the stricter checks of newer Python versions."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from secrets import token_hex

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kalshi_fix_venue.identities import ServerIdentity, _general_name, _key_usage, _unencrypted_pem

_DAY = timedelta(days=1)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Issuer:
    """A certificate authority that signs any certificate."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(f"Test authority {token_hex(4)}")
        certificate = self._sign(self._name, self._key, -_DAY, _DAY, authority=True)
        self.pem = certificate.public_bytes(serialization.Encoding.PEM).decode()

    def issue(
        self, begin: timedelta = -_DAY, end: timedelta = _DAY, names: Sequence[str] = ("127.0.0.1",)
    ) -> ServerIdentity:
        """Return a server certificate that is valid from `begin` to `end`, relative to now."""
        key = ec.generate_private_key(ec.SECP256R1())
        return _identity(self._sign(_name(names[0]), key, begin, end, names=names), key)

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        begin: timedelta,
        end: timedelta,
        *,
        names: Sequence[str] = ("127.0.0.1",),
        authority: bool = False,
    ) -> x509.Certificate:
        return (
            _builder(subject, self._name, key, begin, end, names, authority=authority)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )


def self_signed() -> ServerIdentity:
    """Return a self-signed certificate."""
    key, name = ec.generate_private_key(ec.SECP256R1()), _name("127.0.0.1")
    builder = _builder(name, name, key, -_DAY, _DAY, ("127.0.0.1",), authority=False)
    return _identity(builder.sign(key, hashes.SHA256()), key)


def fingerprint(identity: ServerIdentity) -> str:
    """Return the SHA-256 of a server's own certificate."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(leaf(identity))).hexdigest()


def leaf(identity: ServerIdentity) -> str:
    """Return a server's own certificate as PEM."""
    return identity.certificate_pem.decode().split("-----END")[0] + "-----END CERTIFICATE-----\n"


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    begin: timedelta,
    end: timedelta,
    names: Sequence[str],
    *,
    authority: bool,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begin)
        .not_valid_after(now + end)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_key_usage(authority=authority), critical=True)
    )


def _identity(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> ServerIdentity:
    return ServerIdentity(
        certificate.public_bytes(serialization.Encoding.PEM),
        _unencrypted_pem(key),
    )
