"""The Logon handshake as the acceptor."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio import LogonFields
from kalshi_fix_sansio.config import QUICKFIX, QUICKFIXJ, ProtocolOptions, Role
from kalshi_fix_sansio.dialect.layout import SessionType
from kalshi_fix_sansio.errors import InvalidMessageError, LocalProtocolError
from kalshi_fix_sansio.events import CloseReason, LogonRequested, SessionEnded
from kalshi_fix_sansio.framing import encode_frame
from kalshi_fix_sansio.session import MemoryStore, State
from tests.helpers import LOGON, connected, kinds, one

RESET = LOGON + "141=Y|"
ORDER = "11=a1|38=1|40=2|44=0.5|54=1|55=S|"


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


def test_without_resend_a_logon_after_a_gap_is_answered_with_a_logout() -> None:
    wired = connected(
        Role.ACCEPTOR, session_type=SessionType(name="KalshiRT", resend=False, reset_required=False)
    )
    wired.receive(wired.peer.logon(LOGON, 3))
    wired.session.accept_logon(wired.clock.now)
    ended = one(wired.session.events(), SessionEnded)
    assert ended.reason is CloseReason.SEQUENCE_GAP
    assert kinds(wired.sent()) == ["Logout"]


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


@pytest.mark.parametrize(
    ("protocol_options", "malformed_answered", "unacceptable_answered"),
    [(ProtocolOptions(), True, True), (QUICKFIX, False, False), (QUICKFIXJ, False, True)],
)
def test_malformed_and_unacceptable_logons_are_distinguished(
    protocol_options: ProtocolOptions, malformed_answered: bool, unacceptable_answered: bool
) -> None:
    cases: list[tuple[str, dict[str, str], bool]] = [
        ("98=0|108=30|96=eA==|", {}, malformed_answered),
        (LOGON, {"t52": "20260821-13:00:00"}, malformed_answered),
        ("98=0|108=-10|96=eA==|1137=9|", {}, unacceptable_answered),
        ("98=0|108=30|96=eA==|1137=33|", {}, unacceptable_answered),
    ]
    for body, header, answered in cases:
        wired = connected(Role.ACCEPTOR, strict=True, protocol_options=protocol_options)
        ended = one(wired.receive(wired.peer.logon(body, **header)), SessionEnded)
        assert ended.reason is CloseReason.LOGON_REFUSED
        assert [(m.NAME, m.text) for m in wired.sent()] == ([("Logout", ended.text)] if answered else [])
