"""The Logon handshake as the acceptor."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio import LogonFields
from kalshi_fix_sansio.config import LogonToSign, Role
from kalshi_fix_sansio.dialect.layout import SessionType
from kalshi_fix_sansio.errors import InvalidMessageError, LocalProtocolError
from kalshi_fix_sansio.events import CloseReason, LogonRequested, SessionEnded
from kalshi_fix_sansio.framing import encode_frame
from kalshi_fix_sansio.session import MemoryStore, State
from tests.helpers import KEY_ID, LOGON, connected, kinds, one, tag_of

RESET = LOGON + "141=Y|"
ORDER = "11=a1|38=1|40=2|44=0.5|54=1|55=S|"


def test_a_logon_waits_for_the_user_and_contains_the_signed_text() -> None:
    wired = connected(Role.ACCEPTOR, "KalshiNR")
    event = one(wired.receive(wired.peer.logon(RESET, t52="20260821-14:03:07.123456789")), LogonRequested)
    assert event.logon.NAME == "Logon"
    assert event.signed == LogonToSign("20260821-14:03:07.123456789", "A", 1, KEY_ID, "KalshiNR")
    assert wired.session.state is State.LOGON_RECEIVED
    assert wired.session.peer_comp_id == KEY_ID
    assert wired.sent() == []


@pytest.mark.parametrize("forged", ["20260821-14:00:00.000", "yesterday"])
def test_a_sending_time_inside_a_data_field_is_not_part_of_the_signed_text(forged: str) -> None:
    wired = connected(Role.ACCEPTOR)
    hidden = f"x\x0152={forged}"
    data = wired.peer.message("A", f"98=0|108=30|1137=9|95={len(hidden)}|96={hidden}|")
    start, end = data.index(b"52=2026"), data.index(b"98=0")
    time, data_field = data[start:end], data[data.index(b"95=") : data.index(b"10=", end)]
    body = data[data.index(b"35=") : start] + data_field + time + b"98=0\x01108=30\x011137=9\x01"
    event = one(wired.receive(encode_frame("FIXT.1.1", body)), LogonRequested)
    assert event.signed.sending_time == ""


def test_a_reset_restarts_the_peers_store_once() -> None:
    wired = connected(Role.ACCEPTOR)
    wired.receive(wired.peer.logon(RESET))
    store = MemoryStore(next_outgoing=40, next_incoming=30)
    wired.session.accept_logon(wired.clock.now, store=store)
    assert wired.session.store is store
    assert (store.next_outgoing, store.next_incoming) == (2, 1)
    assert wired.session.next_incoming == 2
    wired.receive(wired.peer.message("0"))
    wired.session.confirm()
    assert (store.next_outgoing, store.next_incoming) == (2, 3)


def test_without_reset_the_numbers_of_the_peers_store_continue() -> None:
    wired = connected(Role.ACCEPTOR)
    wired.receive(wired.peer.logon(LOGON, 30))
    store = MemoryStore(next_outgoing=40, next_incoming=30)
    wired.session.accept_logon(wired.clock.now, store=store)
    (logon,) = wired.sent()
    assert (logon.header.msg_seq_num, logon.reset_seq_num_flag) == (40, None)
    assert (store.next_outgoing, store.next_incoming) == (41, 30)
    assert wired.session.next_incoming == 31


def test_without_resend_a_logon_ahead_is_answered_with_a_logout() -> None:
    wired = connected(
        Role.ACCEPTOR, session_type=SessionType(name="KalshiRT", resend=False, reset_required=False)
    )
    wired.receive(wired.peer.logon(LOGON, 3))
    wired.session.accept_logon(wired.clock.now)
    ended = one(wired.session.events(), SessionEnded)
    assert ended.reason is CloseReason.SEQUENCE_GAP
    assert kinds(wired.sent()) == ["Logout"]


def test_messages_that_waited_for_the_answer_are_not_too_old() -> None:
    wired = connected(Role.ACCEPTOR, sending_time_tolerance=2.0)
    wired.receive(wired.peer.logon(LOGON), wired.peer.message("0"))
    wired.clock.advance(5)
    wired.session.accept_logon(wired.clock.now)
    assert wired.session.is_established
    assert wired.session.next_incoming == 3


@pytest.mark.parametrize(
    ("session_type", "logon", "text"),
    [
        ("KalshiNR", {"t52": "-"}, "SendingTime missing or unreadable"),
        ("KalshiNR", {"t52": "noon"}, "SendingTime missing or unreadable"),
        ("KalshiNR", {"body": LOGON + "141=N|"}, "ResetSeqNumFlag must be Y on KalshiNR"),
        ("KalshiRT", {"body": "98=0|96=eA==|1137=9|"}, "HeartBtInt must be 3 to 60 seconds"),
        ("KalshiRT", {"body": "98=0|108=2|96=eA==|1137=9|"}, "HeartBtInt must be 3 to 60 seconds"),
        ("KalshiRT", {"body": "98=0|108=-30|96=eA==|1137=9|"}, "HeartBtInt must be 3 to 60 seconds"),
    ],
)
def test_a_logon_that_cannot_be_accepted_is_refused_without_asking_the_user(
    session_type: str, logon: dict[str, str], text: str
) -> None:
    wired = connected(Role.ACCEPTOR, session_type, min_heart_bt_int=3, max_heart_bt_int=60)
    body = logon.pop("body", RESET)
    ended = one(wired.receive(wired.peer.message("A", body, **logon)), SessionEnded)
    assert ended.text == text
    (logout,) = wired.sent()
    assert (logout.NAME, logout.text) == ("Logout", text)


def test_a_strict_acceptor_also_checks_the_rules_of_the_session_type() -> None:
    wired = connected(Role.ACCEPTOR, "KalshiMD", strict=True)
    ended = one(
        wired.receive(wired.peer.logon(f"{RESET}{tag_of('ReceiveSettlementReports')}=Y|")), SessionEnded
    )
    assert "ReceiveSettlementReports" in ended.text


@pytest.mark.parametrize("sender", ["-", "a\tb", "caf\xe9", "two words"])
def test_a_logon_without_a_usable_sender_gets_no_answer(sender: str) -> None:
    wired = connected(Role.ACCEPTOR)
    (ended,) = wired.receive(wired.peer.logon(LOGON, t49=sender))
    text = "the Logon has no usable SenderCompID to answer to"
    assert ended == SessionEnded(CloseReason.PROTOCOL_ERROR, text, clean=False)
    assert wired.sent() == []


def test_an_answer_that_cannot_be_sent_changes_nothing() -> None:
    wired = connected(Role.ACCEPTOR, "KalshiNR")
    wired.receive(wired.peer.logon(RESET))
    store = MemoryStore(next_outgoing=40, next_incoming=30)
    with pytest.raises(LocalProtocolError, match=r"must be a LogonFields of .*, not dict"):
        wired.session.accept_logon(wired.clock.now, store=store, fields={"use_dollars": True})  # type: ignore[arg-type]
    with pytest.raises(InvalidMessageError, match="MessageRetentionPeriod"):
        wired.session.accept_logon(
            wired.clock.now, store=store, fields=LogonFields(message_retention_period=24)
        )
    assert wired.session.state is State.LOGON_RECEIVED
    assert wired.session.store is not store
    assert (store.next_outgoing, store.next_incoming) == (40, 30)
    assert wired.session.data_to_send() == b""
