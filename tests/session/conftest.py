"""What most tests of the session begin with, in both roles, and throw-away keys for signed logons."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.signing import Signer
from tests.helpers import Wired, established


@pytest.fixture(params=Role)
def role(request: pytest.FixtureRequest) -> Role:
    """Our side's role."""
    found: Role = request.param
    return found


@pytest.fixture
def wired(role: Role) -> Wired:
    """A session of that role on KalshiRT whose Logon handshake is complete, and a peer by hand."""
    return established(role)


@pytest.fixture(scope="session")
def rsa_signer() -> Signer:
    return Signer(rsa.generate_private_key(public_exponent=65537, key_size=2048))


@pytest.fixture(scope="session")
def ed25519_signer() -> Signer:
    return Signer(ed25519.Ed25519PrivateKey.generate())
