"""Fixtures: the dictionaries written by the documented command, and the engines."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from interop.fixcore_peer import FixcorePeer
from interop.quickfix_peer import QuickfixPeer
from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.signing import Signer, load_private_key

ROOT = Path(__file__).resolve().parent.parent
PRODUCTS = ("prediction", "margin")
ENGINES: dict[str, type[QuickfixPeer | FixcorePeer]] = {"quickfix": QuickfixPeer, "fixcore": FixcorePeer}


@pytest.fixture(scope="session")
def dictionaries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folder with FIXT11.xml and FIX50SP2.xml of each product, written by the documented command."""
    folders = {}
    for product in PRODUCTS:
        out = tmp_path_factory.mktemp(product)
        command = [sys.executable, "-m", "codegen", "dictionary", "--product", product, "--out", str(out)]
        subprocess.run(command, cwd=ROOT, check=True)
        folders[product] = out
    return folders


def pytest_configure(config: pytest.Config) -> None:
    """Ignore the warnings of QuickFIX's generated bindings under Python 3.12 and newer."""
    config.addinivalue_line(
        "filterwarnings", "ignore:builtin type .* has no __module__ attribute:DeprecationWarning"
    )


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> type[QuickfixPeer | FixcorePeer]:
    """The other engine."""
    return ENGINES[request.param]


@pytest.fixture
def signer() -> Signer:
    """A temporary key of the type that Kalshi recommends."""
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return load_private_key(pem)


@pytest.fixture(params=Role, ids=lambda role: role.value)
def role(request: pytest.FixtureRequest) -> Role:
    """The role of our side."""
    param: Role = request.param
    return param
