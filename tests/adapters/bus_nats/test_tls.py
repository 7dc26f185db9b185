"""The bus over TLS, against a real server."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("nats", reason="the bus needs nats-py (extra nats)")

from kalshi_fix_adapters.bus_nats import connect
from kalshi_fix_adapters.errors import ConnectionFailedError
from kalshi_fix_venue.identities import Authority
from tests.adapters.bus.stream import REPORTS, logged_on, report
from tests.adapters.bus_nats.support import connected
from tests.adapters.bus_nats.test_events import publish, take
from tests.adapters.net.certificates import issue
from tests.nats import NatsServer

OWN = Authority()
TRUST, DISTRUST = (
    ssl.create_default_context(cadata=authority.certificate_pem.decode()) for authority in (OWN, Authority())
)
"""A context that trusts the server's authority, and one that trusts only another authority."""


@contextmanager
def tls_server(folder: Path, name: str = "127.0.0.1") -> Iterator[NatsServer]:
    """Run a server that has a certificate for `name` and accepts only connections over TLS."""
    identity = issue(OWN, names=[name])
    (folder / "cert.pem").write_bytes(identity.certificate_pem)
    (folder / "key.pem").write_bytes(identity.private_key_pem)
    with NatsServer(f'tls {{ cert_file: "{folder}/cert.pem", key_file: "{folder}/key.pem" }}') as server:
        yield server


async def test_events_are_published_and_read_over_tls(tmp_path: Path) -> None:
    with tls_server(tmp_path) as server:
        async with connected(server, tls=TRUST) as bus:
            sent = [logged_on(), *map(report, range(1, 20))]
            await publish(bus, REPORTS, *sent)
            assert await take(bus.events(REPORTS), len(sent)) == sent


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("127.0.0.1", {"tls": DISTRUST}, "CERTIFICATE_VERIFY_FAILED"),
        ("127.0.0.1", {}, "CERTIFICATE_VERIFY_FAILED"),
        ("nats.example", {"tls": TRUST}, "IP address mismatch"),
    ],
    ids=["another CA's certificate", "the system's CA certificates", "another name"],
)
async def test_a_server_without_a_trusted_certificate_for_its_name_is_refused(
    tmp_path: Path, name: str, options: dict[str, Any], reason: str
) -> None:
    with tls_server(tmp_path, name) as server:
        with pytest.raises(ConnectionFailedError, match=reason) as raised:
            async with connect(server.url, within=1.0, user="desk", password="secret-word", **options):
                pass
        assert "secret-word" not in str(raised.value)
