"""The venue on real TLS sockets on loopback, in a thread and in an event loop."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from random import Random
from typing import TypeVar

import pytest

from kalshi_fix_adapters.venue.driver import ClientProtocol, Driver
from kalshi_fix_adapters.venue.exchange import MarketState, PauseState, SetMarketState, SetPause
from kalshi_fix_adapters.venue.identities import Authority
from kalshi_fix_adapters.venue.server import VenueServer, all_ports
from kalshi_fix_adapters.venue.venue import Venue
from kalshi_fix_sansio import DIALECT, ExecutionReport, LogonFields, NewOrderSingle, Side
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.config import Role, SessionConfig
from kalshi_fix_sansio.events import Event, LoggedOn, MessageReceived, SessionEnded
from kalshi_fix_sansio.session import Session
from kalshi_fix_sansio.signing import load_private_key
from tests.adapters.venue.desk import BUY, MARKET
from tests.adapters.venue.town import KEYS, config, order, raw_logon

PATIENCE = 20.0
"""Seconds that a test waits for what must come; it never waits for nothing to come."""
NR = ("prediction", "KalshiNR")
E = TypeVar("E", bound=Event)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def server(authority: Authority) -> Iterator[VenueServer]:
    with VenueServer(config(), authority.issue()) as running:
        yield running


def now() -> Instant:
    return Instant(time.monotonic(), datetime.now(UTC))


def trust(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority.certificate_pem.decode())


def initiator(name: str, session_type: str = "KalshiNR") -> Session:
    key = KEYS[name]
    return Session(
        SessionConfig(
            role=Role.INITIATOR,
            dialect=DIALECT,
            session_type=DIALECT.session_types[session_type],
            product="prediction",
            sender_comp_id=key.key_id,
            target_comp_id=session_type,
            logon_fields=LogonFields(use_dollars=True),
            sign_logon=load_private_key(key.private_key_pem).sign_logon,
        )
    )


class Wire:
    """A blocking client as small as it gets, which is logged on."""

    def __init__(self, server: VenueServer, authority: Authority, name: str) -> None:
        raw = socket.create_connection((server.host, server.port(*NR)), PATIENCE)
        self.socket = trust(authority).wrap_socket(raw, server_hostname="localhost")
        self.session = initiator(name)
        self.session.connect(now())
        self.events: list[Event] = []
        self.wait_for(LoggedOn)

    def wait_for(self, kind: type[E]) -> E:
        while True:
            while self.events:
                event = self.events.pop(0)
                if isinstance(event, kind):
                    return event
            self.socket.sendall(self.session.data_to_send())
            data = self.socket.recv(65536)
            if data:
                self.session.receive_data(data, now())
            else:
                self.session.receive_eof(now())
            self.events = self.session.events()

    def report(self) -> ExecutionReport:
        event = self.wait_for(MessageReceived)
        assert isinstance(event.message, ExecutionReport)
        return event.message

    def told_of(self, placed: NewOrderSingle) -> list[str]:
        """The ExecTypes of the first two reports of an order."""
        self.session.send(placed, now())
        return [self.report().exec_type for _ in range(2)]

    def close(self) -> None:
        self.socket.close()


def test_a_client_trades_over_tls_and_logs_out(server: VenueServer, authority: Authority) -> None:
    with closing(Wire(server, authority, "ann")) as ann, closing(Wire(server, authority, "bob")) as bob:
        assert ann.told_of(order("a1", Side.BUY, 5, "0.40")) == ["A", "0"]
        assert bob.told_of(order("b1", Side.SELL, 5, "0.40")) == ["A", "F"]
        assert ann.report().ord_status == "2"
        ann.session.logout(now())
        ended = ann.wait_for(SessionEnded)
        assert ended.clean
        assert ann.socket.recv(1) == b""


def test_the_operator_reaches_the_venue_from_another_thread(
    server: VenueServer, authority: Authority
) -> None:
    with closing(Wire(server, authority, "ann")) as ann:
        assert ann.told_of(order("a1", Side.BUY, 5, "0.40", cancel_order_on_pause=True)) == ["A", "0"]
        server.execute("prediction", SetPause(PauseState.TRADING_PAUSED))
        assert ann.report().text == "TRADING_PAUSED"
        assert server.inspect(lambda venue: venue.exchange("prediction").pause) is PauseState.TRADING_PAUSED
        with pytest.raises(ValueError, match="no market NO-SUCH"):
            server.execute("prediction", SetMarketState("NO-SUCH", MarketState.CLOSED))


def test_a_timer_of_the_venue_ends_an_overdue_logon(authority: Authority) -> None:
    with VenueServer(config(logon_timeout=0.05), authority.issue(), ports={NR: 0}) as server:
        raw = socket.create_connection((server.host, server.port(*NR)), PATIENCE)
        with trust(authority).wrap_socket(raw, server_hostname="localhost") as client:
            assert client.recv(1) == b""


def test_another_authority_does_not_vouch_for_the_server(server: VenueServer) -> None:
    with (
        socket.create_connection((server.host, server.port(*NR)), PATIENCE) as raw,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        trust(Authority()).wrap_socket(raw, server_hostname="localhost")


def test_every_session_type_has_a_port_of_its_own(server: VenueServer) -> None:
    ports = {server.port(product, session_type) for product, session_type in all_ports()}
    assert len(ports) == len(all_ports()) == 10
    with pytest.raises(KeyError):
        server.port("margin", "KalshiPT")


def test_a_server_can_be_started_in_an_event_loop(authority: Authority) -> None:
    async def talk() -> list[bool]:
        async with VenueServer(config(), authority.issue(), ports={NR: 0}) as server:
            session = initiator("ann")
            session.connect(now())
            reader, writer = await asyncio.open_connection(
                server.host, server.port(*NR), ssl=trust(authority), server_hostname="localhost"
            )
            writer.write(session.data_to_send())
            async with asyncio.timeout(PATIENCE):
                while not session.is_established:
                    session.receive_data(await reader.read(65536), now())
            resting = server.inspect(lambda venue: venue.exchange("prediction").levels(MARKET, BUY))
            writer.close()
            await writer.wait_closed()
            return [session.is_established, resting == ()]

    assert asyncio.run(talk()) == [True, True]


def test_stopping_cuts_the_connections(authority: Authority) -> None:
    with VenueServer(config(), authority.issue(), ports={NR: 0}) as server:
        wire = Wire(server, authority, "ann")
    with closing(wire):
        ended = wire.wait_for(SessionEnded)
        assert not ended.clean
    with pytest.raises(RuntimeError, match="not running"):
        server.inspect(lambda venue: venue)


def test_a_server_that_was_down_goes_on_with_what_was_traded(authority: Authority) -> None:
    with VenueServer(config(), authority.issue(), ports={NR: 0}) as server:
        port = server.port(*NR)
        with closing(Wire(server, authority, "ann")) as ann:
            assert ann.told_of(order("a1", Side.BUY, 5, "0.40")) == ["A", "0"]
            with server.down():
                assert ann.socket.recv(1) == b""
                with pytest.raises(ConnectionRefusedError):
                    socket.create_connection((server.host, port), PATIENCE)
        assert server.port(*NR) == port
        with closing(Wire(server, authority, "bob")) as bob:
            assert bob.told_of(order("b1", Side.SELL, 5, "0.40")) == ["A", "F"]


def test_a_port_that_is_taken_is_told_and_leaves_nothing_behind(authority: Authority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        server = VenueServer(config(), authority.issue(), ports={("margin", "KalshiNR"): 0, NR: number})
        with pytest.raises(OSError, match="address already in use"), server:
            pass
    with VenueServer(config(), authority.issue(), ports={NR: number}) as again:
        assert again.port(*NR) == number


class SlowTransport(asyncio.Transport):
    """A transport that keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.closed = True


def test_nothing_is_written_while_the_transport_is_full() -> None:
    async def talk() -> tuple[bytes, bytes, bool]:
        driver = Driver(Venue(config(), Random(1)), asyncio.get_running_loop())
        transport, connection = SlowTransport(), ClientProtocol(driver, *NR)
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
