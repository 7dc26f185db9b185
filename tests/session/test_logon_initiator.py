"""The Logon handshake as the initiator."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio import LogonFields
from kalshi_fix_sansio.config import LogonToSign, Role
from kalshi_fix_sansio.errors import InvalidMessageError, LocalProtocolError
from kalshi_fix_sansio.session import MemoryStore, State
from tests.helpers import connected, kinds, order, wire


def test_the_first_message_is_a_signed_logon_with_the_configured_fields() -> None:
    seen: list[LogonToSign] = []

    def sign(logon: LogonToSign) -> bytes:
        seen.append(logon)
        return b"signed"

    wired = connected(
        Role.INITIATOR,
        "KalshiNR",
        sign_logon=sign,
        logon_fields=LogonFields(use_dollars=True),
        heart_bt_int=20,
    )
    (logon,) = wired.sent()
    assert logon.NAME == "Logon"
    assert (logon.heart_bt_int, logon.reset_seq_num_flag, logon.use_dollars) == (20, True, True)
    assert logon.raw_data == b"signed"
    assert logon.header.msg_seq_num == 1
    assert seen == [
        LogonToSign("20260821-14:03:07.123", "A", 1, wired.session.config.sender_comp_id, "KalshiNR")
    ]
    assert wired.session.state is State.LOGON_SENT
    assert wired.session.peer_comp_id is None


def test_every_attempt_is_signed_anew_with_its_own_time_and_number() -> None:
    store = MemoryStore(next_outgoing=7, next_incoming=4)
    seen: list[LogonToSign] = []

    def sign(logon: LogonToSign) -> bytes:
        seen.append(logon)
        return b"signed"

    for _ in range(2):
        wired = wire(Role.INITIATOR, store=store, sign_logon=sign)
        wired.clock.advance(1.5 * store.next_outgoing)
        wired.session.connect(wired.clock.now)
    assert [(logon.msg_seq_num, logon.sending_time) for logon in seen] == [
        (7, "20260821-14:03:17.623"),
        (8, "20260821-14:03:19.123"),
    ]


def test_an_unsigned_logon_is_not_sent_if_a_signature_is_required() -> None:
    wired = wire(Role.INITIATOR, sign_logon=None)
    with pytest.raises(InvalidMessageError, match="RawData"):
        wired.session.connect(wired.clock.now)


def test_a_signer_that_fails_changes_nothing() -> None:
    store = MemoryStore(next_outgoing=9, next_incoming=5)

    def fail(_: LogonToSign) -> bytes:
        raise RuntimeError("the key is not available")

    wired = wire(Role.INITIATOR, store=store, sign_logon=fail, reset_seq_num=True)
    with pytest.raises(RuntimeError, match="the key is not available"):
        wired.session.connect(wired.clock.now)
    assert wired.session.state is State.DISCONNECTED
    assert (store.next_outgoing, store.next_incoming) == (9, 5)


def test_no_application_message_is_sent_before_the_logon_is_complete_even_by_the_signer() -> None:
    attempts: list[str] = []

    def send_early(_: LogonToSign) -> bytes:
        with pytest.raises(LocalProtocolError, match="in the state 'disconnected'"):
            wired.session.send(order(), wired.clock.now)
        attempts.append("refused")
        return b"signed"

    wired = wire(Role.INITIATOR, sign_logon=send_early)
    wired.session.connect(wired.clock.now)
    with pytest.raises(LocalProtocolError, match="in the state 'logon sent'"):
        wired.session.send(order(), wired.clock.now)
    assert attempts == ["refused"]
    assert kinds(wired.sent()) == ["Logon"]
    assert wired.session.next_outgoing == 2
