"""TLS 1.2: during a renegotiation requested by the peer, writing is impossible until bytes have been read."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest

from kalshi_fix_adapters.blocking.transport import Transport
from kalshi_fix_adapters.net.tls_buffer import MAX_HELD, TlsBytes
from tests.adapters.conformance.loops import TIMEOUT, Loop
from tests.adapters.conformance.support import NewClient, order, wait_for_acknowledgement
from tests.adapters.net.peers import unused_port
from tests.adapters.net.tls_cases import HOST, TRUST, VALID_IDENTITY
from tests.helpers import MIN_HEART_BT_INT


class RenegotiatingTls:
    """A wrapper of an SSLObject that refuses to write from `begin` until the next read."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._can_write = True
        self.refused = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def begin(self) -> None:
        self._can_write = False

    def write(self, data: bytes) -> int:
        if not self._can_write:
            self.refused += 1
            raise ssl.SSLWantReadError
        written: int = self._inner.write(data)
        return written

    def read(self, size: int) -> bytes:
        data: bytes = self._inner.read(size)
        self._can_write = True
        return data


class FakeSslObject:
    """A fake SSLObject that does not encrypt."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.to_read: list[bytes] = []

    def write(self, data: bytes) -> int:
        self.written.append(bytes(data))
        return len(data)

    def read(self, size: int) -> bytes:
        if not self.to_read:
            raise ssl.SSLWantReadError
        return self.to_read.pop(0)[:size]


def make_renegotiating_tls() -> tuple[TlsBytes, RenegotiatingTls, FakeSslObject]:
    memory = FakeSslObject()
    tls = TlsBytes(ssl.create_default_context(), "venue.example")
    inner = RenegotiatingTls(memory)
    vars(tls)["_tls"] = inner
    return tls, inner, memory


def test_bytes_that_cannot_be_written_wait_in_order() -> None:
    tls, inner, memory = make_renegotiating_tls()
    tls.encrypt(b"a")
    inner.begin()
    for data in (b"b", b"c", b"d"):
        tls.encrypt(data)
    assert inner.refused == 1
    assert tls.decrypt() == b""
    assert memory.written == [b"a"]
    memory.to_read = [b"hello"]
    assert tls.decrypt() == b"hello"
    assert memory.written == [b"a", b"b", b"cd"]
    tls.encrypt(b"e")
    assert memory.written == [b"a", b"b", b"cd", b"e"]
    assert not tls.ended


def test_waiting_bytes_are_bounded() -> None:
    tls, inner, _ = make_renegotiating_tls()
    inner.begin()
    half = bytes(MAX_HELD // 2)
    tls.encrypt(half)
    tls.encrypt(half)
    with pytest.raises(ConnectionAbortedError, match="renegotiation"):
        tls.encrypt(b"x")


def test_an_error_while_writing_waiting_bytes_is_raised() -> None:
    tls, inner, memory = make_renegotiating_tls()
    inner.begin()
    tls.encrypt(b"a")

    def fail(_: bytes) -> int:
        raise ssl.SSLError(1, "no renegotiation")

    vars(memory)["write"] = fail
    memory.to_read = [b"earlier data"]
    assert tls.decrypt() == b"earlier data"
    assert tls.ended


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_renegotiation_with_openssl_while_we_write(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(VALID_IDENTITY.private_key_pem)
    (tmp_path / "certificate").write_bytes(VALID_IDENTITY.certificate_pem)
    port = unused_port()
    arguments = ["-key", str(tmp_path / "key"), "-cert", str(tmp_path / "certificate"), "-accept", str(port)]
    with subprocess.Popen(
        ["openssl", "s_server", "-tls1_2", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        bufsize=1,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        text = iter(server.stdout.readline, "")
        assert any(line == "ACCEPT\n" for line in text)
        with socket.create_connection((HOST, port), TIMEOUT) as raw:
            tls = TlsBytes(TRUST.context(), HOST)

            def exchange() -> bytes:
                tls.feed(raw.recv(65536))
                data = tls.decrypt()
                raw.sendall(tls.outgoing())
                return data

            while not tls.do_handshake():
                raw.sendall(tls.outgoing())
                tls.feed(raw.recv(65536))
            raw.sendall(tls.outgoing() + tls.encrypt(b"hello\n"))
            assert any(line == "hello\n" for line in text)
            server.stdin.write("r\n")
            exchange()
            raw.sendall(tls.encrypt(b"first\n") + tls.encrypt(b"second\n"))
            assert tls._held == b"first\n"
            while tls._held:
                exchange()
            assert any(line == "first\n" for line in text)
            assert any(line == "second\n" for line in text)
            assert not tls.ended
        server.kill()


class RenegotiatingSocket:
    """An SSLSocket whose peer is renegotiating, with only the methods that `Transport` calls."""

    def setblocking(self, flag: bool) -> None:
        assert not flag

    def fileno(self) -> int:
        return 0

    def send(self, data: bytes) -> int:
        raise ssl.SSLWantReadError

    def recv(self, size: int) -> bytes:
        raise ssl.SSLWantReadError


def test_a_blocking_client_waits_until_it_can_read_before_it_continues_to_write() -> None:
    transport = Transport(RenegotiatingSocket())  # type: ignore[arg-type]
    assert transport.write(bytearray(b"a")) == 0
    assert transport.write_wants_read
    assert transport.read() is None
    assert not transport.write_wants_read


# --- every client, end to end


@pytest.mark.usefixtures("brief_heartbeats")
async def test_an_order_sent_during_a_renegotiation_is_written_afterwards(
    loop: Loop, new_client: NewClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    if loop.name.startswith("anyio"):
        pytest.skip("with anyio's own TLS streams, two tasks would read at the same time")
    armed: list[bool] = []
    refused: list[bool] = []

    def refusing(write: Any) -> Any:
        def refuse(self: Any, *args: Any) -> Any:
            if armed and isinstance(self, ssl.SSLObject | ssl.SSLSocket) and not self.server_side:
                refused.append(True)
                raise ssl.SSLWantReadError
            return write(self, *args)

        return refuse

    def disarming(read: Any) -> Any:
        def read_and_disarm(self: Any, *args: Any) -> Any:
            data = read(self, *args)
            if not self.server_side:
                armed.clear()
            return data

        return read_and_disarm

    monkeypatch.setattr(ssl.SSLObject, "write", refusing(ssl.SSLObject.write))
    monkeypatch.setattr(ssl.SSLObject, "read", disarming(ssl.SSLObject.read))
    monkeypatch.setattr(ssl.SSLSocket, "send", refusing(ssl.SSLSocket.send))
    monkeypatch.setattr(ssl.SSLSocket, "recv", disarming(ssl.SSLSocket.recv))

    async with new_client(heart_bt_int=MIN_HEART_BT_INT) as client:
        placed = order()
        armed.append(True)
        await client.send(placed)
        await wait_for_acknowledgement(client, placed.cl_ord_id)
        assert client.is_logged_on
    assert client.ended.clean
    assert refused
