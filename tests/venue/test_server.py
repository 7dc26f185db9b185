"""The venue with real TLS sockets on loopback, in a thread and in an event loop."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from kalshi_fix_adapters import asyncio as in_asyncio
from kalshi_fix_adapters import blocking
from kalshi_fix_adapters.net.tls import Tls
from kalshi_fix_sansio import ExecutionReport, NewOrderSingle, Side
from kalshi_fix_sansio.events import SessionEnded
from kalshi_fix_venue.driver import ClientProtocol, Driver
from kalshi_fix_venue.exchange import MarketState, PauseState, SetMarketState, SetPause
from kalshi_fix_venue.identities import Authority
from kalshi_fix_venue.server import VenueServer, all_ports
from kalshi_fix_venue.venue import VenueModel
from tests.venue.exchange_harness import BUY, MARKET
from tests.venue.venue_harness import KEYS, config, order, raw_logon

PATIENCE = 20.0
"""Seconds that a test waits for an expected event; it never waits for the absence of one."""
NR = ("prediction", "KalshiNR")


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def server(authority: Authority) -> Iterator[VenueServer]:
    with VenueServer(config(), authority.issue()) as running:
        yield running


def options(server: VenueServer, authority: Authority, name: str) -> dict[str, Any]:
    key = KEYS[name]
    return {
        "product": "prediction",
        "key_id": key.key_id,
        "private_key": key.private_key_pem,
        "host": server.host,
        "port": server.port(*NR),
        "tls": Tls(ca_data=authority.certificate_pem.decode()),
        "reconnect": None,
    }


def client_of(server: VenueServer, authority: Authority, name: str) -> blocking.Client:
    return blocking.order_entry(**options(server, authority, name))


def tls_context(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority.certificate_pem.decode())


def report(client: blocking.Client) -> ExecutionReport:
    message = next(client.messages(PATIENCE))
    assert isinstance(message, ExecutionReport)
    return message


def place(client: blocking.Client, new_order: NewOrderSingle) -> list[str]:
    """Place an order, and return the ExecTypes of its first two reports."""
    client.send(new_order)
    return [report(client).exec_type for _ in range(2)]


def end_event(client: blocking.Client) -> SessionEnded:
    return next(event for event in client.events(PATIENCE) if isinstance(event, SessionEnded))


def test_a_client_trades_over_tls_and_logs_out(server: VenueServer, authority: Authority) -> None:
    with client_of(server, authority, "ann") as ann, client_of(server, authority, "bob") as bob:
        assert place(ann, order("a1", Side.BUY, 5, "0.40")) == ["A", "0"]
        assert place(bob, order("b1", Side.SELL, 5, "0.40")) == ["A", "F"]
        assert report(ann).ord_status == "2"
    assert ann.ended is not None
    assert ann.ended.clean


def test_the_operator_reaches_the_venue_from_another_thread(
    server: VenueServer, authority: Authority
) -> None:
    with client_of(server, authority, "ann") as ann:
        assert place(ann, order("a1", Side.BUY, 5, "0.40", cancel_order_on_pause=True)) == ["A", "0"]
        server.execute("prediction", SetPause(PauseState.TRADING_PAUSED))
        assert report(ann).text == "TRADING_PAUSED"
        assert server.inspect(lambda venue: venue.exchange("prediction").pause) is PauseState.TRADING_PAUSED
        with pytest.raises(ValueError, match="no market NO-SUCH"):
            server.execute("prediction", SetMarketState("NO-SUCH", MarketState.CLOSED))


def test_the_venue_closes_a_connection_whose_logon_is_overdue(authority: Authority) -> None:
    with VenueServer(config(logon_timeout=0.05), authority.issue(), ports={NR: 0}) as server:
        raw = socket.create_connection((server.host, server.port(*NR)), PATIENCE)
        with tls_context(authority).wrap_socket(raw, server_hostname="localhost") as client:
            assert client.recv(1) == b""


def test_a_certificate_from_another_authority_is_refused(server: VenueServer) -> None:
    with (
        socket.create_connection((server.host, server.port(*NR)), PATIENCE) as raw,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        tls_context(Authority()).wrap_socket(raw, server_hostname="localhost")


def test_every_session_type_has_its_own_port(server: VenueServer) -> None:
    ports = {server.port(product, session_type) for product, session_type in all_ports()}
    assert len(ports) == len(all_ports()) == 10
    with pytest.raises(KeyError):
        server.port("margin", "KalshiPT")


def test_a_server_can_be_started_in_an_event_loop(authority: Authority) -> None:
    async def talk() -> bool:
        async with (
            VenueServer(config(), authority.issue(), ports={NR: 0}) as server,
            in_asyncio.order_entry(**options(server, authority, "ann")),
        ):
            return server.inspect(lambda venue: venue.exchange("prediction").levels(MARKET, BUY)) == ()

    assert asyncio.run(talk())


def test_stopping_the_server_disconnects_clients(authority: Authority) -> None:
    with VenueServer(config(), authority.issue(), ports={NR: 0}) as server:
        client = client_of(server, authority, "ann").open()
    assert not end_event(client).clean
    with pytest.raises(RuntimeError, match="not running"):
        server.inspect(lambda venue: venue)


def test_a_restarted_server_keeps_the_previous_trades(authority: Authority) -> None:
    with VenueServer(config(), authority.issue(), ports={NR: 0}) as server:
        port = server.port(*NR)
        ann = client_of(server, authority, "ann").open()
        assert place(ann, order("a1", Side.BUY, 5, "0.40")) == ["A", "0"]
        with server.down():
            assert not end_event(ann).clean
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((server.host, port), PATIENCE)
        assert server.port(*NR) == port
        with client_of(server, authority, "bob") as bob:
            assert place(bob, order("b1", Side.SELL, 5, "0.40")) == ["A", "F"]


def test_an_occupied_port_is_reported_and_leaves_no_resources_open(authority: Authority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        server = VenueServer(config(), authority.issue(), ports={("margin", "KalshiNR"): 0, NR: number})
        with pytest.raises(OSError, match="address already in use"), server:
            pass
    with VenueServer(config(), authority.issue(), ports={NR: number}) as restarted:
        assert restarted.port(*NR) == number


class RecordingTransport(asyncio.Transport):
    """A transport that records all bytes written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.closed = True


def test_no_bytes_are_written_while_the_transport_is_full() -> None:
    async def talk() -> tuple[bytes, bytes, bool]:
        driver = Driver(VenueModel(config(), Random(1)), asyncio.get_running_loop())
        transport, connection = RecordingTransport(), ClientProtocol(driver, *NR)
        connection.connection_made(transport)
        connection.pause_writing()
        connection.data_received(raw_logon("ann", now=driver.now(), signer="bob"))
        before = transport.written
        assert not transport.closed
        connection.resume_writing()
        connection.connection_lost(None)
        await driver.stop()
        return before, transport.written, transport.closed

    before, after, closed = asyncio.run(talk())
    assert before == b""
    assert b"58=Invalid signature" in after
    assert closed
