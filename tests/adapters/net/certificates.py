"""Server certificates with exactly one fault, even under the stricter checks of newer Python versions."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Sequence
from datetime import timedelta
from unittest.mock import patch

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kalshi_fix_venue import identities
from kalshi_fix_venue.identities import (
    Authority,
    ServerIdentity,
    _builder,
    _general_name,
    _key_usage,
    _unencrypted_pem,
)

_DAY = timedelta(days=1)


def issue(
    authority: Authority,
    begin: timedelta = -_DAY,
    end: timedelta = _DAY,
    names: Sequence[str] = ("127.0.0.1",),
) -> ServerIdentity:
    """Return a server certificate, without the authority's, that is valid from `begin` to `end`, relative to
    now."""
    with patch.multiple(identities, _CLOCK_SKEW=-begin, _LIFETIME=end):
        found = authority.issue(names)
    return attrs.evolve(found, certificate_pem=leaf(found).encode())


def self_signed() -> ServerIdentity:
    """Return a server certificate that is signed with its own key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    names = x509.SubjectAlternativeName([_general_name("127.0.0.1")])
    certificate = (
        _builder(name, name, key.public_key())
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(authority=False), critical=True)
        .sign(key, hashes.SHA256())
    )
    return ServerIdentity(certificate.public_bytes(serialization.Encoding.PEM), _unencrypted_pem(key))


def fingerprint(identity: ServerIdentity) -> str:
    """Return the SHA-256 of a server's own certificate."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(leaf(identity))).hexdigest()


def leaf(identity: ServerIdentity) -> str:
    """Return a server's own certificate as PEM."""
    return identity.certificate_pem.decode().split("-----END")[0] + "-----END CERTIFICATE-----\n"
