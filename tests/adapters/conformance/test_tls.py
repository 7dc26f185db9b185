"""Every client checks the peer's certificate in the same way and reports the same error."""

from __future__ import annotations

import hashlib
import ssl
from typing import Any

import attrs
import pytest

from kalshi_fix_adapters.errors import ConnectionFailedError, HostNotFoundError, PlaintextRefusedError
from kalshi_fix_adapters.net.tls import Plaintext, Tls
from kalshi_fix_sansio.errors import ConfigurationError, KalshiFixError
from kalshi_fix_venue.testing import Sandbox
from tests.adapters.conformance.support import NewClient, place_order
from tests.adapters.net.peers import unused_port
from tests.adapters.net.tls_cases import HOST, TLS_CASES, TlsCase

UNREACHABLE_HOST = "192.0.2.1"
"""An address in a range that RFC 5737 reserves for documentation; no host has it."""


async def failure(new_client: NewClient, **changes: Any) -> KalshiFixError:
    """Return the exception of a client that cannot connect."""
    with pytest.raises(KalshiFixError) as caught:
        async with new_client(**changes):
            pytest.fail("the client has connected")
    return caught.value


@pytest.mark.parametrize("case", TLS_CASES, ids=lambda case: case.name)
async def test_tls_errors_caused_by_the_peer_are_reported(new_client: NewClient, case: TlsCase) -> None:
    case = attrs.evolve(case)
    with case.serve() as port:
        error = await failure(new_client, host=HOST, port=port, tls=case.settings, timeout=case.timeout)
    assert isinstance(error, ConnectionFailedError)
    case.check(error, port)


async def test_network_errors_are_reported(new_client: NewClient) -> None:
    unused = unused_port()
    for changes, kind, text in (
        (
            {"port": unused},
            ConnectionFailedError,
            (
                f"127.0.0.1:{unused} refused the connection; no server is listening there, so check the "
                "port, or start the server (kalshi-fix venue)"
            ),
        ),
        (
            {"host": "venue.invalid"},
            HostNotFoundError,
            "the host venue.invalid has no known address; check its spelling and this machine's DNS",
        ),
        (
            {"host": UNREACHABLE_HOST, "tls": Plaintext()},
            PlaintextRefusedError,
            (
                f"plain TCP to {UNREACHABLE_HOST} would be readable in transit; use TLS or a TLS proxy on "
                "this machine, or set Plaintext(allow_remote=True)"
            ),
        ),
        (
            {"tls": Tls(ca_file="missing.pem")},
            ConfigurationError,
            "the CA file missing.pem does not exist; check the path",
        ),
        (
            {"tls": Tls(server_name=".")},
            ConfigurationError,
            "'.' is not a host name; give a name or an address",
        ),
    ):
        error = await failure(new_client, **changes)
        assert type(error) is kind
        assert str(error) == text


async def test_a_venue_with_a_pinned_certificate_is_accepted(new_client: NewClient, sandbox: Sandbox) -> None:
    shown = ssl.get_server_certificate((sandbox.server.host, sandbox.server.port("prediction", "KalshiNR")))
    pin = hashlib.sha256(ssl.PEM_cert_to_DER_cert(shown)).hexdigest()
    for tls in (Tls(pinned_sha256=pin), Tls(pinned_sha256=pin, ca_data=sandbox.ca_pem)):
        async with new_client(tls=tls) as client:
            await place_order(client)
