"""The stages of connecting, driven by a test instead of an event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from typing import Any

import pytest

from kalshi_fix_adapters.errors import (
    CertificateRejectedError,
    ConnectionFailedError,
    ConnectTimeoutError,
    HostNotFoundError,
    PlaintextRefusedError,
)
from kalshi_fix_adapters.net.dial import AddressInfo, Dialer, Stage, dial
from kalshi_fix_adapters.net.tls import Plaintext


def addresses(*hosts: str) -> list[AddressInfo]:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, 1)) for host in hosts]


class Steps:
    """Steps of `dial` with given results. Each attempt to connect has the next of `outcomes`: an exception,
    or None for success. Only name resolution and timeouts take (virtual) time.
    """

    def __init__(self, found: Sequence[AddressInfo] | Exception, *outcomes: BaseException | None) -> None:
        self._found = found
        self._outcomes = iter(outcomes)
        self.secure_error: BaseException | None = None
        """The exception raised when the socket is secured."""
        self.tried: list[socket.socket] = []
        self.allowed: list[float] = []
        """Seconds allowed for each address."""
        self.seen: list[str] = []
        self.now = 100.0
        self.resolving = 0.0
        """Seconds that name resolution takes."""

    async def resolve(self, host: str, port: int) -> Sequence[AddressInfo]:
        self.seen.append("resolve")
        self.now += self.resolving
        if isinstance(self._found, Exception):
            raise self._found
        return self._found

    async def connect_socket(self, raw: socket.socket, address: Any, seconds: float) -> None:
        assert not raw.getblocking()
        self.tried.append(raw)
        self.allowed.append(seconds)
        outcome = next(self._outcomes)
        if isinstance(outcome, TimeoutError):
            self.now += seconds
        if outcome is not None:
            raise outcome

    def on_tcp(self) -> None:
        self.seen.append("tcp")

    async def secure(self, raw: socket.socket, dialer: Dialer) -> str:
        self.seen.append("secure")
        raw.close()
        if self.secure_error is not None:
            raise self.secure_error
        return "transport"


def run(steps: Steps, monkeypatch: pytest.MonkeyPatch, dialer: Dialer | None = None) -> str:
    monkeypatch.setattr("kalshi_fix_adapters.net.dial.time.monotonic", lambda: steps.now)
    coroutine = dial(dialer or Dialer("venue.example", 1, Plaintext(), 6.0), steps, steps.on_tcp)
    try:
        coroutine.send(None)
    except StopIteration as done:
        transport: str = done.value
        return transport
    raise AssertionError


LOCAL = ("127.0.0.1", "127.0.0.2", "127.0.0.3")


def test_the_transport_is_the_result_of_the_last_step(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(addresses("127.0.0.1"), None)
    assert run(steps, monkeypatch) == "transport"
    assert steps.seen == ["resolve", "tcp", "secure"]
    assert steps.allowed == [6.0]


def test_an_unreachable_address_leaves_time_for_the_other_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(addresses(*LOCAL), TimeoutError(), ConnectionRefusedError(), None)
    assert run(steps, monkeypatch) == "transport"
    assert steps.allowed == [2.0, 2.0, 4.0]
    assert [raw.fileno() for raw in steps.tried] == [-1] * 3


def test_name_resolution_and_connecting_share_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(addresses(*LOCAL[:2]), ConnectionRefusedError(), None)
    steps.resolving = 4.0
    assert run(steps, monkeypatch) == "transport"
    assert steps.allowed == [1.0, 2.0]


def test_slow_name_resolution_leaves_no_time_to_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(addresses(*LOCAL), None)
    steps.resolving = 6.0
    with pytest.raises(ConnectTimeoutError) as caught:
        run(steps, monkeypatch)
    assert str(caught.value) == (
        "venue.example was not resolved to an address within 6 s; check this machine's DNS, or allow "
        "more time"
    )
    assert not steps.tried


@pytest.mark.parametrize(
    ("found", "kind", "text"),
    [
        (socket.gaierror(8, "unknown"), HostNotFoundError, "no known address"),
        (UnicodeError(), HostNotFoundError, "no known address"),
        ([], ConnectTimeoutError, "was not resolved to an address within 6 s"),
        (addresses("192.0.2.1"), PlaintextRefusedError, "plain TCP"),
    ],
)
def test_a_host_that_cannot_be_dialled_raises_an_error(
    monkeypatch: pytest.MonkeyPatch, found: Any, kind: type[Exception], text: str
) -> None:
    steps = Steps(found)
    with pytest.raises(kind, match=text):
        run(steps, monkeypatch)
    assert not steps.tried


def test_the_error_of_the_last_address_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConnectionFailedError, match="refused the connection"):
        run(Steps(addresses(*LOCAL[:2]), TimeoutError(), ConnectionRefusedError()), monkeypatch)
    with pytest.raises(ConnectTimeoutError, match="did not accept a connection within 6 s"):
        run(Steps(addresses(*LOCAL[:2]), ConnectionRefusedError(), TimeoutError()), monkeypatch)


def test_addresses_of_an_unsupported_family_are_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    create = socket.socket

    def create_ipv4_only(family: int, *args: Any) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(97, "Address family not supported by protocol")
        return create(family, *args)

    monkeypatch.setattr("kalshi_fix_adapters.net.dial.socket.socket", create_ipv4_only)
    v6 = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 1))
    assert run(Steps([v6, *addresses("127.0.0.1")], None), monkeypatch) == "transport"
    with pytest.raises(ConnectionFailedError, match="Address family not supported"):
        run(Steps([v6]), monkeypatch)


def test_a_cancellation_closes_a_connecting_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(addresses("127.0.0.1"), asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        run(steps, monkeypatch)
    assert [raw.fileno() for raw in steps.tried] == [-1]
    assert "tcp" not in steps.seen


def test_an_error_from_the_handshake_is_raised_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(addresses("127.0.0.1"), None)
    steps.secure_error = CertificateRejectedError("not the pinned one")
    dialer = Dialer("venue.example", 1, Plaintext(), 6.0)
    with pytest.raises(CertificateRejectedError) as caught:
        run(steps, monkeypatch, dialer)
    assert caught.value is steps.secure_error
    assert dialer.stage is Stage.HANDSHAKE
    assert str(dialer.timed_out()) == str(dialer.timed_out(Stage.HANDSHAKE))
