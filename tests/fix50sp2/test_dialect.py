"""The messages of the plain FIX 5.0 SP2 dialect, encoded and decoded without a session."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from kalshi_fix_sansio.dialect.layout import FieldMember, GroupMember, Presence
from kalshi_fix_sansio.dialect.problems import Reason
from kalshi_fix_sansio.errors import DecodeError
from tests.fix50sp2.dialect import (
    DIALECT,
    Email,
    ExecType,
    ExecutionReport,
    Header,
    Hop,
    LineOfText,
    OrderCancelRequest,
    OrdStatus,
    Party,
    PartySubID,
    SecurityAltID,
    SecurityDefinition,
    Side,
    TimeInForce,
    TradingSession,
    Underlying,
)
from tests.fix50sp2.helpers import CODEC, NOON, order
from tests.helpers import raw

HEAD = "49=TW|56=ISLD|34=2|52=20260821-12:00:00.000|"


def header(**changes: Any) -> Header:
    values: dict[str, Any] = {
        "sender_comp_id": "TW",
        "target_comp_id": "ISLD",
        "msg_seq_num": 2,
        "sending_time": NOON,
    }
    return Header(**(values | changes))


def reasons(message: str) -> list[tuple[int | None, Reason]]:
    """Return the tag and reason of each problem that strict decoding finds."""
    with pytest.raises(DecodeError) as caught:
        CODEC.decode_strict(raw(message))
    return [(problem.tag, problem.reason) for problem in caught.value.problems]


MESSAGES = [
    order(
        party_ids=[Party(party_id="a", party_role=3, party_sub_ids=[PartySubID(party_sub_id="desk")])],
        trading_sessions=[TradingSession(trading_session_id="DAY"), TradingSession(trading_session_id="2")],
        underlyings=[Underlying(underlying_symbol="ABC", underlying_px="1.5")],
        order_qty=100,
        price="10.25",
        yield_="3.5",
        encoded_text=b"a\x01b",
        time_in_force=TimeInForce.GOOD_TILL_DATE,
    ),
    ExecutionReport(
        order_id="1",
        exec_id="2",
        exec_type=ExecType.TRADE,
        ord_status=OrdStatus.FILLED,
        side=Side.SELL,
        leaves_qty=0,
        cum_qty="5.50",
        symbol="ABC",
    ),
    OrderCancelRequest(cl_ord_id="b", orig_cl_ord_id="a", side=Side.SELL, transact_time=NOON),
    SecurityDefinition(security_req_id="q", security_alt_id=[SecurityAltID(security_alt_id="x")]),
    Email(
        email_thread_id="t",
        email_type="0",
        subject="hello",
        lines_of_text=[LineOfText(text="one"), LineOfText(text="two")],
    ),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.NAME)
def test_a_message_survives_a_round_trip(message: Any) -> None:
    assert CODEC.decode_strict(CODEC.encode(message, header())) == message


def test_a_header_may_contain_routing_fields_and_a_group() -> None:
    routed = header(
        on_behalf_of_comp_id="A",
        deliver_to_sub_id="B",
        deliver_to_location_id="C",
        poss_resend=True,
        hops=[Hop(hop_comp_id="H1", hop_ref_id=4), Hop(hop_comp_id="H2")],
    )
    frame = CODEC.encode(order(), routed)
    text = frame.decode().replace("\x01", "|")
    expected = (
        "34=2|49=TW|52=20260821-12:00:00.000|56=ISLD|97=Y|115=A|129=B|145=C|627=2|628=H1|630=4|628=H2|11=id|"
    )
    assert expected in text
    assert CODEC.decode_strict(frame).header.hops == routed.hops


def test_the_whole_standard_header_is_defined() -> None:
    tags = {member.tag for member in DIALECT.header.members}
    assert tags >= {50, 57, 115, 116, 128, 129, 142, 143, 144, 145, 347, 369, 627, 1128, 1129, 1156}


@pytest.mark.parametrize(
    ("msg_type", "required"),
    [
        ("D", {11, 40, 54, 60}),
        ("8", {14, 17, 37, 39, 54, 150, 151}),
        ("F", {11, 54, 60}),
        ("d", set()),
        ("C", {33, 94, 147, 164}),
        ("j", {372, 380}),
    ],
)
def test_fields_required_by_the_standard_are_required(msg_type: str, required: set[int]) -> None:
    members = DIALECT.messages[msg_type].body.members
    assert {member.tag for member in members if member.presence is Presence.REQUIRED} == required


def test_the_first_member_of_each_group_is_its_delimiter() -> None:
    def check(members: tuple[FieldMember | GroupMember, ...]) -> int:
        groups = [member for member in members if isinstance(member, GroupMember)]
        for group in groups:
            assert group.entry.members[0].tag == group.delimiters[0], group.name
        return len(groups) + sum(check(group.entry.members) for group in groups)

    assert sum(check(layout.body.members) for layout in DIALECT.messages.values()) > 50


@pytest.mark.parametrize(
    ("body", "tag", "reason"),
    [
        ("11=i|40=1|60=20260821-12:00:00|", 54, Reason.REQUIRED_TAG_MISSING),
        ("11=i|40=w|54=1|60=20260821-12:00:00|", 40, Reason.VALUE_INCORRECT),
        ("11=i|21=4|40=1|54=1|60=20260821-12:00:00|", 21, Reason.VALUE_INCORRECT),
        ("11=i|40=1|54=1|60=20260821-12:00:00|167=BOO|", 167, Reason.VALUE_INCORRECT),
        ("11=i|38=+1|40=1|54=1|60=20260821-12:00:00|", 38, Reason.INCORRECT_DATA_FORMAT),
        ("11=i|40=1|54=1|60=20260821-12:00:00|126=20260821|", 126, Reason.INCORRECT_DATA_FORMAT),
        ("11=i|40=1|54=1|60=20260821-12:00:00|386=3|336=A|336=B|", 386, Reason.WRONG_NUM_IN_GROUP),
        ("11=i|40=1|54=1|60=20260821-12:00:00|37=x|", 37, Reason.TAG_NOT_DEFINED_FOR_MESSAGE),
        ("11=i|40=1|54=1|60=20260821-12:00:00|112=x|", 112, Reason.TAG_NOT_DEFINED_FOR_MESSAGE),
        ("11=i|40=1|54=1|60=20260821-12:00:00|5000=x|", 5000, Reason.UNDEFINED_TAG),
        ("11=i|40=1|54=1|54=2|60=20260821-12:00:00|", 54, Reason.TAG_REPEATED),
        ("11=|40=1|54=1|60=20260821-12:00:00|", 11, Reason.TAG_WITHOUT_VALUE),
    ],
)
def test_strict_decoding_reports_problems_of_an_order(body: str, tag: int, reason: Reason) -> None:
    assert reasons(f"35=D|{HEAD}{body}") == [(tag, reason)]


@pytest.mark.parametrize(
    ("tag", "reason"),
    [
        (58, Reason.TAG_NOT_DEFINED_FOR_MESSAGE),
        (628, Reason.TAG_NOT_DEFINED_FOR_MESSAGE),
        (372, Reason.TAG_NOT_DEFINED_FOR_MESSAGE),
        (999, Reason.UNDEFINED_TAG),
        (55, Reason.UNDEFINED_TAG),
        (5000, Reason.UNDEFINED_TAG),
    ],
)
def test_in_session_messages_only_tags_of_the_session_layer_are_known(tag: int, reason: Reason) -> None:
    assert reasons(f"35=0|{HEAD}{tag}=1|") == [(tag, reason)]


def test_rare_but_valid_values_are_read() -> None:
    message: Any = CODEC.decode_strict(
        raw(f"35=D|{HEAD}11=i|38=002000.00|40=1|54=1|60=20260821-12:00:00.123456|454=0|")
    )
    assert message.order_qty == Decimal(2000)
    assert message.transact_time == datetime(2026, 8, 21, 12, 0, 0, 123456, tzinfo=UTC)
    assert message.security_alt_id == []


BODY = b"11=i\x0138=002000.00\x0140=1\x0154=1\x0160=20260821-12:00:00\x01354=3\x01355=a\x01b\x01"


def test_changing_the_header_keeps_the_body() -> None:
    head = "34=9|49=x|56=y|52=20260101-00:00:00|97=Y|627=1|628=H|212=3|213=<a>|"
    old = raw(f"35=D|{head}{BODY.decode().replace(chr(1), '|')}93=2|89=xy|")
    new = CODEC.with_header(old, header(sender_sub_id="desk"))
    expected = b"35=D\x0134=2\x0149=TW\x0150=desk\x0152=20260821-12:00:00.000\x0156=ISLD\x01" + BODY
    assert new[new.index(b"35=") : -len(b"10=000\x01")] == expected
    assert CODEC.decode_strict(new) == CODEC.decode_strict(CODEC.with_header(new, header()))
