"""Fixtures shared by the session tests: the role, an established session, and temporary keys for signed
logons."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.signing import Signer
from tests.helpers import Wired, established


@pytest.fixture(params=Role)
def role(request: pytest.FixtureRequest) -> Role:
    """Return each role of our side in turn."""
    found: Role = request.param
    return found


@pytest.fixture
def wired(role: Role) -> Wired:
    """Return an established KalshiRT session in this role, with a scripted peer."""
    return established(role)


@pytest.fixture(scope="session")
def rsa_signer() -> Signer:
    return Signer(rsa.generate_private_key(public_exponent=65537, key_size=2048))


@pytest.fixture(scope="session")
def ed25519_signer() -> Signer:
    return Signer(ed25519.Ed25519PrivateKey.generate())
