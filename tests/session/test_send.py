"""Messages that a user sends: headers and validation. A refused message has no effect."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta, timezone
from typing import Any

import pytest

from kalshi_fix_sansio import _generated as fix
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.dialect.base import Message, UnknownMessage
from kalshi_fix_sansio.errors import EncodeError, InvalidMessageError, LocalProtocolError
from kalshi_fix_sansio.session import MemoryStore, Session, send_validator
from kalshi_fix_sansio.validation import checker
from tests.helpers import CODEC, KEY_ID, START, config, established, order


def test_a_message_is_sent_with_the_next_number_and_our_comp_ids() -> None:
    wired = established(Role.INITIATOR, "KalshiNR")
    message = order()
    assert wired.session.send(message, wired.clock.now) == 2
    (sent,) = wired.sent()
    assert sent == message
    assert message.header is None
    assert sent.header.msg_seq_num == 2
    assert (sent.header.sender_comp_id, sent.header.target_comp_id) == (
        wired.session.config.sender_comp_id,
        "KalshiNR",
    )
    assert sent.header.sending_time == wired.clock.utc
    assert sent.header.poss_dup_flag is None
    assert wired.session.next_outgoing == 3


def test_each_message_has_a_separate_header() -> None:
    wired = established(Role.INITIATOR)
    session, clock = wired.session, wired.clock
    east = timezone(timedelta(hours=5, minutes=30))
    session.send(order("a1"), clock.now)
    session.send(order("a2"), clock.advance(1), header_fields={"poss_resend": True})
    session.send(order("a3"), Instant(clock.monotonic, clock.utc.astimezone(east)))
    session.test_request(clock.advance(2))
    session.send(order("a4"), clock.advance(0.5), header_fields={})
    session.send(order("a5"), Instant(clock.monotonic, clock.utc.astimezone(east)))
    seconds = [0.0, 1, 1, 3, 3.5, 3.5]
    headers = [message.header for message in wired.sent()]
    assert [(header.msg_type, header.msg_seq_num, header.poss_resend) for header in headers] == [
        ("D", 2, None),
        ("D", 3, True),
        ("D", 4, None),
        ("1", 5, None),
        ("D", 6, None),
        ("D", 7, None),
    ]
    assert [header.sending_time for header in headers] == [
        START + timedelta(seconds=second) for second in seconds
    ]
    assert {(header.sender_comp_id, header.target_comp_id) for header in headers} == {(KEY_ID, "KalshiRT")}
    # A header that is built separately is encoded to the same bytes.
    for header in headers:
        single = session._core.outbound.header(
            header.msg_type, header.msg_seq_num, Instant(0, header.sending_time)
        )
        single.poss_resend = header.poss_resend
        assert CODEC.encode(order(), single) == CODEC.encode(order(), header)
    stored = list(session.store.sent_between(1, 99))
    assert [(item.seq_num, item.sent_at) for item in stored] == [
        (header.msg_seq_num, header.sending_time) for header in headers if header.msg_type == "D"
    ]
    assert [CODEC.decode(item.frame).header for item in stored] == [
        header for header in headers if header.msg_type == "D"
    ]


def test_a_value_that_cannot_be_encoded_does_not_affect_later_messages() -> None:
    wired = established(Role.INITIATOR)
    invalid: Any = order("a1")
    invalid.symbol = 5
    wired.session.send(order("a0"), wired.clock.now)
    with pytest.raises(EncodeError, match="Symbol"):
        wired.session.send(invalid, wired.clock.advance(1))
    wired.session.send(order("a2"), wired.clock.advance(1))
    assert [(m.cl_ord_id, m.header.msg_seq_num, m.header.sending_time) for m in wired.sent()] == [
        ("a0", 2, START),
        ("a2", 3, START + timedelta(seconds=2)),
    ]


def unencodable() -> Message:
    message = order()
    message.secondary_cl_ord_id = "group\x0154=2"
    return message


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: order(time_in_force="6"), InvalidMessageError, "ExpireTime"),
        (lambda: order(cl_ord_id="a 1"), InvalidMessageError, "ClOrdID"),
        (lambda: fix.QuoteCancel(quote_id="q"), InvalidMessageError, "QuoteCancel"),
        (lambda: fix.Heartbeat(), LocalProtocolError, "Heartbeat must be sent by the session itself"),
        (
            lambda: fix.TestRequest(test_req_id="x"),
            LocalProtocolError,
            "TestRequest must be sent by the session",
        ),
        (lambda: fix.Logon(heart_bt_int=30), LocalProtocolError, "Logon must be sent by the session itself"),
        (lambda: UnknownMessage(msg_type="ZZ"), LocalProtocolError, "is not a message of"),
        (unencodable, EncodeError, "SOH"),
    ],
)
def test_an_invalid_message_uses_no_number_and_writes_no_bytes(
    make: Callable[[], Message], error: type[Exception], text: str
) -> None:
    store = MemoryStore()
    wired = established(Role.INITIATOR, "KalshiNR", store=store)
    with pytest.raises(error, match=text):
        wired.session.send(make(), wired.clock.now)
    assert store.next_outgoing == 2
    assert wired.session.data_to_send() == b""
    assert wired.session.send(order(), wired.clock.now) == 2


@pytest.mark.parametrize(
    "field", ["msg_seq_num", "poss_dup_flag", "sending_time", "target_comp_id", "no_such_field"]
)
def test_session_and_unknown_header_fields_cannot_be_set(field: str) -> None:
    wired = established(Role.INITIATOR)
    with pytest.raises(LocalProtocolError, match=field):
        wired.session.send(order(), wired.clock.now, header_fields={field: 1})
    assert wired.session.next_outgoing == 2


def test_sending_is_refused_while_too_many_bytes_are_unsent() -> None:
    wired = established(Role.INITIATOR, max_unsent=1000)
    sent = 0
    while len(wired.session._core.outbound.buffer) < 1000:
        wired.session.send(order(), wired.clock.now)
        sent += 1
    with pytest.raises(LocalProtocolError, match="bytes are waiting to be sent"):
        wired.session.send(order(), wired.clock.now)
    assert wired.session.next_outgoing == 2 + sent
    assert 1000 <= len(wired.session.data_to_send()) < 1400
    wired.session.send(order(), wired.clock.now)


def test_a_failing_store_prevents_sending() -> None:
    class Full(MemoryStore):
        def record_sent(self, seq_num: int, message: Any) -> None:
            if seq_num > 1:
                raise OSError("no space left")
            super().record_sent(seq_num, message)

    store = Full()
    wired = established(Role.INITIATOR, store=store)
    with pytest.raises(OSError, match="no space left"):
        wired.session.send(order(), wired.clock.now)
    assert wired.session.data_to_send() == b""
    assert store.next_outgoing == 2


# Compiled checks


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """Collect the MsgType and `allow_unknown_codes` of each check that a session requests."""
    requested = []

    def recording_checker(layout: Any, context: Any) -> Any:
        requested.append((layout.msg_type, context.allow_unknown_codes))
        return checker(layout, context)

    monkeypatch.setattr(send_validator, "checker", recording_checker)
    return requested


def test_sending_a_message_compiles_only_the_check_that_it_needs(
    compiled: list[tuple[str, bool]],
) -> None:
    wired = established(Role.INITIATOR, "KalshiNR")
    for allowed, expected in ((False, [("D", False)]), (True, [("D", False), ("D", True)])):
        for _ in range(2):
            wired.session.send(order(), wired.clock.now, allow_unknown_codes=allowed)
            assert compiled == expected


@pytest.mark.parametrize(
    ("role", "msg_types"),
    [
        (Role.INITIATOR, ["D", "G", "F", "q", "UOG", "U1"]),
        (Role.ACCEPTOR, ["j", "8", "9", "r", "UOH", "U2", "U3", "UMS"]),
    ],
)
def test_each_call_to_prepare_compiles_one_type_so_the_first_message_compiles_none(
    compiled: list[tuple[str, bool]], role: Role, msg_types: list[str]
) -> None:
    session = established(role, "KalshiNR").session
    for count in range(1, len(msg_types) + 1):
        assert session.prepare()
        assert compiled == [(msg_type, False) for msg_type in msg_types[:count]]
    assert not session.prepare()
    if role is Role.INITIATOR:
        session.send(order(), Instant(0.0, START))
    assert len(compiled) == len(msg_types)


def test_checks_are_prepared_for_the_settings_of_the_logon() -> None:
    session = Session(config(Role.INITIATOR, "KalshiNR"))
    with pytest.raises(LocalProtocolError, match="depend on the client's Logon"):
        session.prepare()
    session.connect(Instant(0.0, START))
    assert session.prepare()
