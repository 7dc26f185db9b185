"""Temporary certificates and keys."""

from __future__ import annotations

import ssl
import stat
import tempfile
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from kalshi_fix_sansio.signing import load_private_key
from kalshi_fix_venue.identities import Authority, ClientKey


def test_a_server_certificate_names_loopback_and_is_signed_by_the_authority() -> None:
    authority = Authority()
    certificate, issuer = x509.load_pem_x509_certificates(authority.issue().certificate_pem)
    assert certificate.issuer == issuer.subject
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    key = issuer.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    certificate.verify_directly_issued_by(issuer)


def test_other_host_names_can_be_requested() -> None:
    identity = Authority().issue(["venue.test"])
    certificate = x509.load_pem_x509_certificate(identity.certificate_pem)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["venue.test"]


def test_a_server_context_requires_tls_1_2_and_leaves_no_file_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    context = Authority().issue().ssl_context()
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ed25519_key", [False, True])
def test_signatures_of_a_client_key_verify_with_its_public_key(ed25519_key: bool) -> None:
    key = ClientKey.generate(ed25519_key=ed25519_key)
    signature = load_private_key(key.private_key_pem)(b"text")
    assert key.public_key(b"text", signature)
    assert not key.public_key(b"other", signature)


def test_every_client_key_has_a_unique_id_and_hides_its_secret() -> None:
    first, second = (ClientKey.generate(ed25519_key=True) for _ in range(2))
    assert first.key_id != second.key_id
    assert ClientKey.generate(ed25519_key=True, key_id="mine").key_id == "mine"
    assert "PRIVATE" not in repr(first)
    assert "PRIVATE" not in repr(Authority().issue())


def test_a_key_file_is_private_and_an_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    key, path = ClientKey.generate(ed25519_key=True), tmp_path / "client.pem"
    key.write(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_private_key(path.read_bytes()).verifier is not None
    with pytest.raises(FileExistsError):
        key.write(path)
