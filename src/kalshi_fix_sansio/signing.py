"""Logon signatures: RSA-PSS and Ed25519 keys from PEM text, signing and verification.

The session only calls `SessionConfig.sign_logon`; this module implements that function for Kalshi accounts.
It is the only module that needs a cryptography library, which is imported when the first key is loaded,
because the import is slow. Rules: Kalshi, "Authentication & Sessions".
"""

from __future__ import annotations

import base64
import binascii
from functools import cache
from typing import TYPE_CHECKING

from kalshi_fix_sansio.classes.hide_locals import hides_locals
from kalshi_fix_sansio.config import LogonToSign
from kalshi_fix_sansio.errors import KeyFileError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

    from kalshi_fix_sansio.events import LogonRequested

MIN_RSA_BITS = 2048
SOH = "\x01"
_PRIVATE_MARK = b"PRIVATE KEY-----"
_PUBLIC_MARK = b"PUBLIC KEY-----"


def logon_payload(sending_time: str, msg_seq_num: int, sender_comp_id: str, target_comp_id: str) -> bytes:
    """Return the text that the signature of a Logon covers: SendingTime, MsgType, MsgSeqNum and the CompIDs,
    joined by SOH.

    `sending_time` must be exactly the text of tag 52.
    """
    return SOH.join((sending_time, "A", str(msg_seq_num), sender_comp_id, target_comp_id)).encode("latin-1")


@cache
def _pss() -> tuple[padding.PSS, hashes.SHA256]:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    digest = hashes.SHA256()
    # The venue requires a salt as long as the digest.
    return padding.PSS(mgf=padding.MGF1(digest), salt_length=digest.digest_size), digest


def _payload_of(logon: LogonToSign) -> bytes:
    return logon_payload(logon.sending_time, logon.msg_seq_num, logon.sender_comp_id, logon.target_comp_id)


class Verifier:
    """A public key that checks signatures."""

    __slots__ = ("_key",)

    def __init__(self, key: rsa.RSAPublicKey | ed25519.Ed25519PublicKey) -> None:
        self._key = key

    def __call__(self, payload: bytes, raw_data: bytes) -> bool:
        """Return whether `raw_data` (base64) is this key's signature over `payload`."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric import rsa

        try:
            signature = base64.b64decode(raw_data, validate=True)
            if isinstance(self._key, rsa.RSAPublicKey):
                self._key.verify(signature, payload, *_pss())
            else:
                self._key.verify(signature, payload)
        except (InvalidSignature, binascii.Error):
            return False
        return True


class Signer:
    """A private key that signs. Its repr does not show the key."""

    __slots__ = ("_key",)

    def __init__(self, key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> None:
        self._key = key

    def __call__(self, payload: bytes) -> bytes:
        """Return the signature over `payload` as base64 text, ready for RawData (96)."""
        from cryptography.hazmat.primitives.asymmetric import rsa

        if isinstance(self._key, rsa.RSAPrivateKey):
            return base64.b64encode(self._key.sign(payload, *_pss()))
        return base64.b64encode(self._key.sign(payload))

    def sign_logon(self, logon: LogonToSign) -> bytes:
        """Sign one Logon attempt; use this method as `SessionConfig.sign_logon`."""
        return self(_payload_of(logon))

    @property
    def verifier(self) -> Verifier:
        """A verifier for the public key that belongs to this key."""
        return Verifier(self._key.public_key())


def verify_logon(verifier: Verifier, request: LogonRequested) -> bool:
    """Return whether the Logon of a LogonRequested event is signed by the key of `verifier`."""
    raw_data = getattr(request.logon, "raw_data", None)
    return raw_data is not None and verifier(_payload_of(request.signed), raw_data)


@hides_locals
def load_private_key(pem: bytes, passphrase: bytes | str | None = None) -> Signer:
    """Read a private key from PEM text: RSA (2048 bits or more) or Ed25519, PKCS#8 or PKCS#1, encrypted or
    not.

    An empty passphrase means no passphrase.

    Raises:
        KeyFileError: the key cannot be used; the text contains the remedy.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

    if isinstance(passphrase, str):
        # Restores the bytes of an environment variable that is not UTF-8.
        passphrase = passphrase.encode(errors="surrogateescape")
    secret = passphrase or None
    if _PRIVATE_MARK not in pem:
        if _PUBLIC_MARK in pem:
            raise KeyFileError(
                "This is a public key, but signing needs the private one; "
                "give the file that begins with '-----BEGIN PRIVATE KEY-----' "
                "or '-----BEGIN RSA PRIVATE KEY-----'."
            )
        raise KeyFileError(
            "This is not a PEM private key; give the key file that was created together with the API key, "
            "which begins with '-----BEGIN PRIVATE KEY-----' or '-----BEGIN RSA PRIVATE KEY-----'."
        )
    try:
        key = serialization.load_pem_private_key(pem, secret)
    except TypeError:
        # cryptography raises this if a passphrase is missing, or given for a key that needs none.
        raise KeyFileError(
            "The private key is encrypted; give its passphrase."
            if secret is None
            else "The private key is not encrypted; leave the passphrase out."
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise KeyFileError(
            "The private key could not be decrypted; check the passphrase."
            if secret is not None
            else "The private key is damaged or of an unknown kind; export it again as PKCS#8 or PKCS#1 PEM."
        ) from None
    if isinstance(key, rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
        _check_size(key)
        return Signer(key)
    raise _unsupported()


@hides_locals
def load_public_key(pem: bytes) -> Verifier:
    """Read a public key from PEM text: RSA (2048 bits or more) or Ed25519.

    Raises:
        KeyFileError: the key cannot be used; the text contains the remedy.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

    if _PRIVATE_MARK in pem:
        raise KeyFileError(
            "This is a private key, but checking signatures needs the public one; "
            "export the public key first."
        )
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise KeyFileError(
            "This is not a PEM public key; give a file that begins with '-----BEGIN PUBLIC KEY-----'."
        ) from None
    if isinstance(key, rsa.RSAPublicKey | ed25519.Ed25519PublicKey):
        _check_size(key)
        return Verifier(key)
    raise _unsupported()


def _check_size(key: object) -> None:
    bits = getattr(key, "key_size", MIN_RSA_BITS)  # Ed25519 keys have no size
    if bits < MIN_RSA_BITS:
        raise KeyFileError(
            f"The RSA key has {bits} bits, fewer than {MIN_RSA_BITS}; make a new key of {MIN_RSA_BITS} bits."
        )


def _unsupported() -> KeyFileError:
    return KeyFileError("The key is neither RSA nor Ed25519; make an RSA key of 2048 bits or an Ed25519 key.")
