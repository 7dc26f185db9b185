"""Keys and signatures: every key format, and every kind of invalid key."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from kalshi_fix_sansio.config import LogonToSign
from kalshi_fix_sansio.errors import ConfigurationError, KeyFileError
from kalshi_fix_sansio.events import LogonRequested
from kalshi_fix_sansio.signing import (
    Signer,
    Verifier,
    load_private_key,
    load_public_key,
    logon_payload,
    verify_logon,
)
from tests.helpers import CODEC, KEY_ID, Clock, Peer

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SMALL_RSA = rsa.generate_private_key(public_exponent=65537, key_size=1024)
ED25519 = ed25519.Ed25519PrivateKey.generate()
ECDSA = ec.generate_private_key(ec.SECP256R1())
SupportedKey = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
PrivateKey = SupportedKey | ec.EllipticCurvePrivateKey
LOGON = LogonToSign("20260821-14:03:07.123", "A", 7, KEY_ID, "KalshiNR")
PAYLOAD = f"20260821-14:03:07.123\x01A\x017\x01{KEY_ID}\x01KalshiNR".encode()


def pem(
    key: PrivateKey,
    form: PrivateFormat = PrivateFormat.PKCS8,
    encryption: KeySerializationEncryption | None = None,
) -> bytes:
    return key.private_bytes(Encoding.PEM, form, encryption or NoEncryption())


def public_pem(key: PrivateKey, form: PublicFormat = PublicFormat.SubjectPublicKeyInfo) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, form)


ENCRYPTED = BestAvailableEncryption(b"sesame")
FORMS: dict[str, tuple[bytes, bytes | str | None]] = {
    "RSA in PKCS#8": (pem(RSA), None),
    "RSA in PKCS#1": (pem(RSA, PrivateFormat.TraditionalOpenSSL), None),
    "RSA in encrypted PKCS#8": (pem(RSA, encryption=ENCRYPTED), b"sesame"),
    "RSA in encrypted PKCS#1": (pem(RSA, PrivateFormat.TraditionalOpenSSL, ENCRYPTED), "sesame"),
    "Ed25519 in PKCS#8": (pem(ED25519), None),
    "Ed25519 in encrypted PKCS#8": (pem(ED25519, encryption=ENCRYPTED), "sesame"),
    "with other text around the key": (b"my key:\n" + pem(RSA) + b"\n", None),
}


def test_the_payload_is_sending_time_type_number_and_comp_ids() -> None:
    assert logon_payload("20260821-14:03:07.123", 7, KEY_ID, "KalshiNR") == PAYLOAD


@pytest.mark.parametrize("form", FORMS)
def test_signatures_with_a_key_in_any_common_format_are_verified_with_its_public_key(form: str) -> None:
    text, passphrase = FORMS[form]
    signer = load_private_key(text, passphrase)
    raw_data = signer.sign_logon(LOGON)
    assert raw_data == base64.b64encode(base64.b64decode(raw_data, validate=True))
    key = ED25519 if "Ed25519" in form else RSA
    verifier = load_public_key(public_pem(key))
    assert verifier(PAYLOAD, raw_data)
    assert signer.verifier(PAYLOAD, raw_data)
    assert not verifier(PAYLOAD + b"1", raw_data)
    assert not verifier(PAYLOAD, raw_data[:-4])
    assert not verifier(PAYLOAD, b"not base64!")
    assert not load_public_key(public_pem(RSA if key is ED25519 else ED25519))(PAYLOAD, raw_data)


def test_rsa_signatures_use_pss_with_sha_256_and_a_salt_as_long_as_the_digest() -> None:
    signature = base64.b64decode(load_private_key(pem(RSA))(PAYLOAD))
    pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
    RSA.public_key().verify(signature, PAYLOAD, pss, hashes.SHA256())


def test_ed25519_signs_the_payload_without_a_prehash() -> None:
    ED25519.public_key().verify(base64.b64decode(load_private_key(pem(ED25519))(PAYLOAD)), PAYLOAD)


def test_rsa_signatures_with_other_schemes_are_not_accepted() -> None:
    verifier = load_public_key(public_pem(RSA))
    pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=20)
    for scheme in (pss, padding.PKCS1v15()):
        assert not verifier(PAYLOAD, base64.b64encode(RSA.sign(PAYLOAD, scheme, hashes.SHA256())))


def test_an_rsa_public_key_in_pkcs1_is_accepted() -> None:
    verifier = load_public_key(public_pem(RSA, PublicFormat.PKCS1))
    assert verifier(PAYLOAD, load_private_key(pem(RSA))(PAYLOAD))


@pytest.mark.parametrize(
    ("text", "passphrase", "message"),
    [
        (b"", None, "not a PEM private key; give the key file"),
        (b"hello", None, "not a PEM private key; give the key file"),
        (public_pem(RSA), None, "a public key, but signing needs the private one; give the file"),
        (public_pem(RSA, PublicFormat.PKCS1), None, "a public key, but signing needs the private one"),
        (pem(RSA, encryption=ENCRYPTED), None, "is encrypted; give its passphrase"),
        (pem(RSA, encryption=ENCRYPTED), "", "is encrypted; give its passphrase"),
        (pem(RSA, PrivateFormat.TraditionalOpenSSL, ENCRYPTED), None, "is encrypted; give its passphrase"),
        (pem(RSA, encryption=ENCRYPTED), b"wrong", "could not be decrypted; check the passphrase"),
        (pem(RSA, PrivateFormat.TraditionalOpenSSL, ENCRYPTED), "wrong", "check the passphrase"),
        (pem(RSA), "sesame", "is not encrypted; leave the passphrase out"),
        (pem(RSA)[:300], None, "not a PEM private key|damaged or of an unknown kind; export it again"),
        (pem(RSA).replace(b"MII", b"AAA", 1), None, "damaged or of an unknown kind; export it again"),
        (pem(SMALL_RSA), None, "1024 bits, fewer than 2048; make a new key"),
        (pem(ECDSA), None, "neither RSA nor Ed25519; make an RSA key"),
    ],
)
def test_an_unusable_private_key_is_refused_with_one_sentence(
    text: bytes, passphrase: bytes | str | None, message: str
) -> None:
    with pytest.raises(KeyFileError, match=message) as caught:
        load_private_key(text, passphrase)
    output = str(caught.value)
    assert isinstance(caught.value, ConfigurationError)
    assert output.endswith(".")
    assert "\n" not in output
    assert caught.value.__cause__ is None
    assert not any(line.decode() in output for line in text.split() if len(line) > 20)
    assert "sesame" not in output


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"hello", "not a PEM public key; give a file"),
        (public_pem(RSA)[:100], "not a PEM public key; give a file"),
        (pem(RSA), "a private key, but checking signatures needs the public one"),
        (public_pem(SMALL_RSA), "1024 bits"),
        (public_pem(ECDSA), "neither RSA nor Ed25519"),
    ],
    ids=["text", "half", "private", "small", "curve"],  # not the keys, which are random
)
def test_an_unusable_public_key_is_refused_with_one_sentence(text: bytes, message: str) -> None:
    with pytest.raises(KeyFileError, match=message):
        load_public_key(text)


@pytest.mark.parametrize("key", [RSA, ED25519])
def test_no_part_of_a_key_is_in_its_repr(key: SupportedKey) -> None:
    secret = pem(key).split(b"\n")[1][:20].decode()
    for value in (Signer(key), Signer(key).verifier, Signer(key).sign_logon):
        assert secret not in repr(value)
        assert "PrivateKey" not in repr(value)


def request(raw_data: bytes | None) -> LogonRequested:
    field = "" if raw_data is None else f"96={raw_data.decode()}|"
    peer = Peer(Clock(), KEY_ID, "KalshiNR")
    return LogonRequested(CODEC.decode(peer.logon(f"98=0|108=30|{field}1137=9|", 7)), LOGON)


@pytest.mark.parametrize("key", [RSA, ED25519])
def test_a_logon_signature_is_verified_against_the_values_of_its_own_header(key: SupportedKey) -> None:
    signer = Signer(key)
    verifier: Verifier = signer.verifier
    assert verify_logon(verifier, request(signer.sign_logon(LOGON)))
    assert not verify_logon(verifier, request(signer(b"something else")))
    assert not verify_logon(verifier, request(None))
