"""Throw-away keys for the tests of signed logons."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from kalshi_fix_sansio.signing import Signer


@pytest.fixture(scope="session")
def rsa_signer() -> Signer:
    return Signer(rsa.generate_private_key(public_exponent=65537, key_size=2048))


@pytest.fixture(scope="session")
def ed25519_signer() -> Signer:
    return Signer(ed25519.Ed25519PrivateKey.generate())
