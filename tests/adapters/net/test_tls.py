"""The sockets that a blocking client opens.

All faults of the peer are tested with every client in `conformance`.
"""

from __future__ import annotations

import itertools
import socket
import ssl
from pathlib import Path
from unittest.mock import Mock

import attrs
import pytest

from kalshi_fix_adapters.errors import (
    CertificateRejectedError,
    ConnectionFailedError,
    ConnectTimeoutError,
    TlsError,
)
from kalshi_fix_adapters.net.dial import Dialer, open_socket
from kalshi_fix_adapters.net.tls import Plaintext, Tls
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_venue.identities import ServerIdentity
from tests.adapters.net.certificates import fingerprint, issue, leaf
from tests.adapters.net.peers import full_backlog, keep_silent, listening
from tests.adapters.net.tls_cases import HOST, ISSUER, TRUST, TRUSTED_SETTINGS, VALID_IDENTITY


def handshake(settings: Tls, identity: ServerIdentity = VALID_IDENTITY, host: str = HOST) -> str | None:
    """Connect to a server with this identity; return the TLS version."""
    with (
        listening(keep_silent, identity.ssl_context()) as port,
        open_socket(host, port, settings, 10) as sock,
    ):
        assert isinstance(sock, ssl.SSLSocket)
        return sock.version()


# --- trust


def test_a_private_certificate_authority_may_be_given_as_a_file(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(ISSUER.certificate_pem)
    assert handshake(Tls(ca_file=path))


def test_the_server_name_may_differ_from_the_host() -> None:
    elsewhere = issue(ISSUER, names=["fix.example"])
    with pytest.raises(CertificateRejectedError, match="is not for localhost"):
        handshake(TRUST, elsewhere, host="localhost")
    assert handshake(attrs.evolve(TRUST, server_name="fix.example"), elsewhere)


@pytest.mark.parametrize("settings", TRUSTED_SETTINGS.values(), ids=TRUSTED_SETTINGS)
def test_valid_trust_settings_are_accepted(settings: Tls) -> None:
    assert handshake(settings) in {"TLSv1.2", "TLSv1.3"}


def test_a_pinned_certificate_needs_no_authority(tmp_path: Path) -> None:
    path = tmp_path / "venue.pem"
    path.write_text("subject=/CN=localhost\n" + leaf(VALID_IDENTITY))
    pin = fingerprint(VALID_IDENTITY)
    colons = ":".join(pin[i : i + 2].upper() for i in range(0, 64, 2))
    assert handshake(Tls(pinned_file=path))
    assert handshake(Tls(pinned_sha256=colons), host="localhost")


def test_tls_1_1_is_refused() -> None:
    assert Tls().context().minimum_version is ssl.TLSVersion.TLSv1_2
    assert Tls(pinned_sha256=fingerprint(VALID_IDENTITY)).context().minimum_version is ssl.TLSVersion.TLSv1_2


def test_the_error_for_unusable_settings_names_the_problem(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    for settings, text in (
        (Tls(ca_file=tmp_path / "missing.pem"), "missing.pem does not exist"),
        (Tls(ca_file=empty), "empty.pem contains no readable PEM certificate"),
        (Tls(ca_data="nothing"), "ca_data contains no readable PEM certificate"),
        (Tls(pinned_file=empty), "empty.pem cannot be read as PEM"),
        (Tls(pinned_file=tmp_path / "missing.pem"), "missing.pem cannot be read as PEM"),
    ):
        with pytest.raises(ConfigurationError, match=text):
            open_socket(HOST, 1, settings, 1)
    with pytest.raises(ConfigurationError, match="64 hexadecimal digits"):
        Tls(pinned_sha256="abc")


@pytest.mark.parametrize("name", [".", "a..b", "x" * 70])
def test_an_invalid_server_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="give a name or an address"):
        open_socket(HOST, 1, attrs.evolve(TRUST, server_name=name), 10)


# --- failed connections


def test_an_unreachable_network_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "connect", Mock(side_effect=OSError(101, "Network is unreachable")))
    with pytest.raises(ConnectionFailedError, match=r"cannot be reached \(Network is unreachable\)"):
        open_socket(HOST, 1, Tls(), 10)


def test_a_handshake_is_limited_by_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.chain([0.0, 4.0, 4.0, 4.0, 4.0], itertools.repeat(5.0))
    monkeypatch.setattr("kalshi_fix_adapters.net.dial.time.monotonic", lambda: next(clock))
    with (
        listening(keep_silent) as port,
        pytest.raises(ConnectTimeoutError, match="did not complete the TLS handshake within 5 s"),
    ):
        open_socket(HOST, port, Tls(), 5)


def test_connecting_to_a_host_with_a_full_backlog_times_out() -> None:
    with (
        full_backlog() as port,
        pytest.raises(ConnectTimeoutError, match=r"did not accept a connection within 0\.2 s"),
    ):
        open_socket(HOST, port, Tls(), 0.2)


def test_a_server_that_closes_before_the_handshake_causes_a_tls_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        ssl.SSLContext, "wrap_socket", Mock(side_effect=ssl.SSLError(1, "Closed before TLS handshake"))
    )
    with listening(keep_silent) as port, pytest.raises(TlsError, match="Closed before TLS handshake"):
        open_socket(HOST, port, Tls(), 10)


def test_the_message_for_an_unrecognized_openssl_error_mentions_the_handshake() -> None:
    error = Dialer("venue", 1, Tls(), 10).not_secured(_ssl_error("BAD_ECPOINT"))
    assert str(error).startswith("the TLS handshake with venue:1 failed")


def test_exceptions_wrapped_by_an_event_loop_are_unwrapped() -> None:
    dialer = Dialer("::1", 1, Tls(), 10)
    refused = ConnectionRefusedError()
    chained = RuntimeError("broken")
    chained.__cause__ = ExceptionGroup("all of them", [ValueError(), refused])
    group = ExceptionGroup("all of them", [refused, ValueError()])
    for error in (refused, group):
        assert str(dialer.not_connected(error)).startswith("[::1]:1 refused the connection")
    assert "(no address)" in str(dialer.not_connected(chained))  # the first exception represents the group
    wrapped = RuntimeError("broken")
    wrapped.__context__ = _ssl_error("WRONG_VERSION_NUMBER")
    assert str(dialer.not_secured(wrapped)).startswith("[::1]:1 does not speak TLS")
    endless = RuntimeError("broken")
    endless.__context__ = ValueError()
    endless.__context__.__context__ = endless
    assert "(end of file)" in str(dialer.not_secured(endless))
    assert "(no address)" in str(dialer.not_connected(None))


def test_an_interrupt_closes_the_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[socket.socket] = []
    monkeypatch.setattr(socket.socket, "connect", Mock(side_effect=KeyboardInterrupt))
    close = socket.socket.close

    def closing(opened: socket.socket) -> None:
        closed.append(opened)
        close(opened)

    monkeypatch.setattr(socket.socket, "close", closing)
    with pytest.raises(KeyboardInterrupt):
        open_socket(HOST, 1, Plaintext(), 10)
    assert len(closed) == 1


def _ssl_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, "text")
    error.reason = reason
    return error


# --- plain TCP


def test_plain_tcp_to_this_machine_is_allowed() -> None:
    with listening(keep_silent) as port, open_socket("localhost", port, Plaintext(), 10) as sock:
        assert not isinstance(sock, ssl.SSLSocket)


def test_plain_tcp_to_other_machines_must_be_allowed_explicitly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "connect", Mock(side_effect=ConnectionRefusedError))
    with pytest.raises(ConnectionFailedError, match="refused"):
        open_socket("192.0.2.1", 8228, Plaintext(allow_remote=True), 10)
