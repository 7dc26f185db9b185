"""Encoded messages decode to the same values, and a value that cannot be encoded is reported with the name of
its field.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalshi_fix_sansio._generated import DIALECT as KALSHI
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.dialect.base import Message, UnknownMessage
from kalshi_fix_sansio.errors import DecodeError, EncodeError, LocalProtocolError
from kalshi_fix_sansio.framing import is_frame
from tests.codec.wire import VALID_BODIES, fields_of, joined
from tests.strategies import messages
from tests.tiny_dialect import (
    BOOK,
    DIALECT,
    LOGON,
    ORDER,
    SENDING_TIME,
    Book,
    Hop,
    Logon,
    Order,
    Party,
    PartySub,
    Trailer,
    frame,
    header,
)

CODEC = Codec(DIALECT)


def text(message: Message, head: Any = None) -> str:
    return CODEC.encode(message, head).replace(b"\x01", b"|").decode("latin-1")


def body(message: Message) -> str:
    """Return the fields between MsgType and CheckSum."""
    return text(message).split("|", 3)[3].rpartition("10=")[0]


def test_a_message_is_encoded_with_its_header() -> None:
    order = Order(cl_ord_id="a", order_qty="10.00", side="1", text="x")
    body = "35=D|49=key|56=venue|34=7|52=20260801-12:30:15.123|11=a|38=10.00|54=1|58=x|"
    data = f"8=FIXT.1.1|9={len(body)}|{body}"
    check_sum = sum(data.replace("|", "\x01").encode()) % 256
    assert text(order, header("D")) == f"{data}10={check_sum:03d}|"


def test_a_message_without_a_header_is_encoded_without_header_fields() -> None:
    assert text(Book(symbol="K")) == "8=FIXT.1.1|9=16|35=W|55=K|268=0|10=075|"


def test_the_header_and_trailer_of_a_received_message_are_reused() -> None:
    data = joined(fields_of("35=A|49=a|56=b|34=7|52=20260801-12:30:15.123|43=Y|383=1|93=3|89=a\x01b|"))
    logon = CODEC.decode(data)
    assert CODEC.encode(logon) == data
    assert "|34=8|" in text(logon, header("A", 8))


@pytest.mark.parametrize("line", [line for line in VALID_BODIES if "5001" not in line])
def test_a_valid_received_message_is_resent_with_the_same_meaning(line: str) -> None:
    message = CODEC.decode(joined(fields_of(line)))
    again = CODEC.decode(CODEC.encode(message))
    assert again == message
    assert again.header.sending_time == SENDING_TIME
    assert again.problems == ()


def test_data_is_preceded_by_its_length_in_bytes() -> None:
    assert body(Logon(raw_data=b"a\x01\xe9")) == "95=3|96=a|é|"


def test_unknown_fields_are_written_before_the_first_group() -> None:
    order = Order(
        cl_ord_id="a",
        order_qty=1,
        unknown=[(9001, b"x")],
        alloc_account=1,
        party_ids=[
            Party(
                party_id="p",
                unknown=[(9002, b"y")],
                party_sub_ids=[PartySub(party_sub_id="s", unknown=[(9003, b"z")])],
            )
        ],
    )
    assert body(order) == "11=a|38=1|9001=x|453=1|448=p|9002=y|802=1|523=s|9003=z|79=1|"
    order.party_ids = []
    assert body(order) == "11=a|38=1|79=1|9001=x|"
    book = Book(symbol="K", unknown=[(269, b"x")], text="t")
    assert body(book) == "55=K|269=x|268=0|58=t|"
    assert CODEC.decode(CODEC.encode(book)) == book


def test_a_message_of_unknown_type_is_sent_unchanged() -> None:
    message = UnknownMessage(
        msg_type="ZZ", unknown=[(55, b"K"), (95, b"3"), (96, b"a\x01b")], header=header("ZZ")
    )
    again = CODEC.decode(CODEC.encode(message))
    assert again == message
    assert again.header.msg_seq_num == 7


def test_a_deprecated_tag_is_sent_once_and_only_with_its_successor() -> None:
    assert body(Logon(new_flag=True, unknown=[(5001, b"N")])) == "5002=Y|5001=N|"
    for invalid in (Logon(unknown=[(5001, b"N")]), Logon(new_flag=True, unknown=[(5001, b"N")] * 2)):
        with pytest.raises(
            EncodeError, match=r"OldFlag \(5001\) cannot be sent as an unknown field of Logon"
        ):
            CODEC.encode(invalid)


def changed(block: Any, **values: Any) -> Any:
    """Return the block after setting attributes without the checks of its constructor."""
    for name, value in values.items():
        setattr(block, name, value)
    return block


def order(**values: Any) -> Order:
    return Order(cl_ord_id="a", order_qty=1, **values)


@pytest.mark.parametrize(
    ("message", "pattern"),
    [
        (changed(order(), price=0.5), r"^Price \(44\): expected a Decimal, not float"),
        (changed(order(), price=Decimal("NaN")), r"^Price \(44\): NaN"),
        (changed(order(), text="a\x01b"), r"^Text \(58\): a string cannot contain SOH"),
        (changed(order(), text=""), r"^Text \(58\): an empty string"),
        (
            changed(order(), expire_time=SENDING_TIME.replace(tzinfo=None)),
            r"^ExpireTime \(126\): expected a datetime with a",
        ),
        (changed(Book(symbol="K"), md_entries=None), r"^NoMDEntries \(268\): expected a list, not NoneType"),
        (changed(Book(symbol="K"), symbol=None), r"^Symbol \(55\) is required and has no value"),
        (changed(order(), party_ids={"p": 1}), r"^NoPartyIDs \(453\): expected a list, not dict"),
        (changed(order(), party_ids=[{}]), r"^expected Party, not dict, in entry 1 of NoPartyIDs \(453\)"),
        (
            order(party_ids=[Party(party_id="p"), changed(Party(party_id="q"), party_id="\x01")]),
            r"^PartyID \(448\) in entry 2 of NoPartyIDs \(453\): a string cannot contain SOH",
        ),
        (
            order(
                party_ids=[
                    Party(party_id="p", party_sub_ids=[changed(PartySub(party_sub_id="s"), party_sub_id=5)])
                ]
            ),
            r"^PartySubID \(523\) in entry 1 of NoPartySubIDs \(802\) in entry 1 of NoPartyIDs \(453\): exp",
        ),
        (order(unknown=[(0, b"x")]), "needs a tag from 1 to 999999999, not 0"),
        (order(unknown=[(-5, b"x")]), "needs a tag from 1 to 999999999, not -5"),
        (order(unknown=[(10**9, b"x")]), "needs a tag from 1"),
        (order(unknown=[("9001", b"x")]), "needs a tag from 1"),
        (order(unknown=[(9001, "x")]), "unknown field 9001 must be bytes, not str"),
        (order(unknown=[(9001, b"")]), "unknown field 9001 is empty"),
        (order(unknown=[(9001, b"a\x01b")]), "9001 contains SOH and is not preceded by its length"),
        (
            order(unknown=[(9000, b"3"), (9001, b"a\x01b")]),
            "unknown field 9001 contains SOH but is not known to be data",
        ),
        (order(unknown=[(38, b"1")]), r"OrderQty \(38\) cannot be sent as an unknown field of Order"),
        (order(unknown=[(453, b"1")]), r"NoPartyIDs \(453\) cannot be sent as an unknown field of Order"),
        (order(unknown=[(354, b"1")]), r"EncodedTextLen \(354\) cannot be sent as an unknown field of Order"),
        (order(unknown=[(34, b"1")]), r"MsgSeqNum \(34\) cannot be sent as an unknown field of Order"),
        (order(unknown=[(10, b"1")]), r"CheckSum \(10\) cannot be sent as an unknown field of Order"),
        (
            order(unknown=[(95, b"10"), (96, b"abc")]),
            r"^RawDataLength \(95\) is '10', but RawData \(96\) has 3 b",
        ),
        (order(unknown=[(95, b"+3"), (96, b"abc")]), r"^RawDataLength \(95\) is '\+3', but RawData"),
        (order(unknown=[(95, b"3" * 19), (96, b"abc")]), r"but RawData \(96\) has 3 bytes"),
        (order(unknown=[(95, b"3")]), r"^RawDataLength \(95\) is not followed by RawData \(96\)"),
        (order(unknown=[(95, b"3"), (9001, b"abc")]), r"^RawDataLength \(95\) is not followed by RawData"),
        (order(unknown=[(95, b"3"), (95, b"3"), (96, b"abc")]), r"^RawDataLength \(95\) is not followed by"),
        (order(unknown=[(96, b"abc")]), r"^RawData \(96\) is data, but is not preceded by its length"),
        (
            order(unknown=[(95, b"3"), (96, b"abc"), (96, b"abc")]),
            r"^RawData \(96\) is data, but is not preceded by its length",
        ),
        (
            order(party_ids=[Party(party_id="p", unknown=[(95, b"10"), (96, b"abc")])]),
            r"^RawDataLength \(95\) is '10', but",
        ),
        (order(unknown=[(628, b"x")]), r"^HopCompID \(628\) cannot be sent as an unknown field of Order"),
        (UnknownMessage(msg_type="D"), r"^MsgType \(35\) 'D' belongs to Order; use that class"),
        (UnknownMessage(msg_type="ZZ\x0144=1"), "cannot contain SOH"),
        (
            changed(Logon(), header=changed(header("A"), unknown=((9001, b"x"),))),
            "^the header cannot have unk",
        ),
        (
            changed(
                Logon(), header=changed(header("A"), hops=[Hop(hop_comp_id="h", unknown=[(5002, b"Y")])])
            ),
            r"^NewFlag \(5002\) cannot be sent as an unknown field of Hop",
        ),
        (
            changed(Logon(unknown=[(9001, b"x")]), header=changed(header("A"), hops=[Hop(hop_comp_id="h")])),
            "^unknown fields cannot directly follow a group of the header",
        ),
        (
            changed(UnknownMessage(msg_type="ZZ"), trailer=Trailer(unknown=[(9001, b"x")])),
            "^the trailer cannot have unknown fields",
        ),
        (
            UnknownMessage(msg_type="ZZ", unknown=[(52, b"1")]),
            r"SendingTime \(52\) cannot be sent as an unknown",
        ),
        (
            order(party_ids=[Party(party_id="p", unknown=[(38, b"1")])]),
            r"OrderQty \(38\) cannot be sent as an unknown field of Party",
        ),
        (
            order(
                party_ids=[
                    Party(party_id="p", party_sub_ids=[PartySub(party_sub_id="s", unknown=[(448, b"1")])])
                ]
            ),
            r"PartyID \(448\) cannot be sent as an unknown field of PartySub",
        ),
        (
            changed(Logon(), trailer=changed(Trailer(), signature="x")),
            r"^Signature \(89\): expected bytes, not str",
        ),
        (
            changed(Logon(), header=changed(header("A"), msg_seq_num=-1)),
            r"^MsgSeqNum \(34\): expected a sequence number",
        ),
        (
            changed(UnknownMessage(msg_type="ZZ"), trailer=changed(Trailer(), signature=b"")),
            r"^Signature \(89\)",
        ),
    ],
)
def test_values_that_cannot_be_encoded_are_reported_with_the_name_of_the_field(
    message: Message, pattern: str
) -> None:
    with pytest.raises(EncodeError, match=pattern):
        CODEC.encode(message)


def test_an_error_unrelated_to_a_field_propagates() -> None:
    with pytest.raises(AttributeError):
        CODEC.encode(order(), header=object())

    def broken(block: Any, checked: bool = True) -> str:
        raise ValueError("no field's fault")

    layout = attrs.evolve(ORDER, body=attrs.evolve(ORDER.body, encode=broken))
    codec = Codec(attrs.evolve(DIALECT, messages={"D": layout}))
    with pytest.raises(ValueError, match="no field's fault"):
        codec.encode(order())


def test_a_message_of_another_dialect_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="Order is not a message of kalshi"):
        Codec(KALSHI).encode(order())


@settings(max_examples=400)
@given(st.sampled_from([LOGON, ORDER, BOOK]).flatmap(lambda layout: messages(layout, DIALECT)))
def test_messages_survive_encoding_and_decoding(message: Message) -> None:
    again = CODEC.decode(CODEC.encode(message, header(message.msg_type)))
    assert again == message
    assert again.problems == ()


def test_a_new_header_leaves_the_body_unchanged() -> None:
    data = frame("D", "11=a|43=Y|9001=x|38=1.50|nonsense|354=3|355=a\x01b|44=1e5|93=2|89=ss|")
    again = CODEC.with_header(data, header("D", 99))
    assert is_frame(again)
    shown = again.replace(b"\x01", b"|").decode("latin-1")
    head = "|35=D|49=key|56=venue|34=99|52=20260801-12:30:15.123|"
    inner = "11=a|9001=x|38=1.50|nonsense|354=3|355=a|b|44=1e5|"
    assert f"{head}{inner}10=" in shown


@pytest.mark.parametrize(
    "fields",
    [
        "11=a|95=10|43=N|96=abc|44=0.50|38=1|",
        # Without the trailer fields, the 10 bytes after `96=` would end exactly at the end of CheckSum, so
        # CheckSum would be read as data.
        "11=a|38=1|44=0.50|95=10|96=abc|93=2|89=ss|",
    ],
)
def test_a_body_that_would_be_parsed_differently_with_a_new_header_is_refused(fields: str) -> None:
    data = frame("D", fields)
    assert CODEC.decode(data).price == Decimal("0.50")  # type: ignore[attr-defined]
    with pytest.raises(EncodeError, match="would change which bytes belong to a data field"):
        CODEC.with_header(data, header("D"))


def test_unknown_data_after_its_length_is_sent_unchanged() -> None:
    """The data may contain any bytes, and the length may have leading zeros."""
    fields = ((95, b"10"), (96, b"\x0110=000\x01a="), (9001, b"x"), (95, b"003"), (96, b"abc"), (9002, b"y"))
    message = order(unknown=fields)
    assert CODEC.decode(CODEC.encode(message)).unknown == fields


def test_a_new_header_requires_a_complete_message() -> None:
    with pytest.raises(DecodeError):
        CODEC.with_header(b"nonsense", header("D"))


PAIRS = sorted(KALSHI.standard_data.items())


@given(
    st.sampled_from(PAIRS), st.binary(min_size=1, max_size=20).filter(lambda v: b"\x01" not in v), st.data()
)
def test_standard_length_fields_are_correct(pair: tuple[int, int], value: bytes, data: st.DataObject) -> None:
    """This includes fields unknown to the dialect, because a peer that knows them relies on the length."""
    codec, (length, tag) = Codec(KALSHI), pair
    correct = ((length, b"%d" % len(value)), (tag, value))

    def sent(*fields: tuple[int, bytes]) -> tuple[tuple[int, bytes], ...]:
        return codec.decode(codec.encode(UnknownMessage(msg_type="ZZ", unknown=fields))).unknown

    if pair == (93, 89):  # these fields are in the trailer
        with pytest.raises(EncodeError, match="cannot be sent as an unknown field"):
            sent(*correct)
        return
    assert sent(*correct, (9001, b"x")) == (*correct, (9001, b"x"))
    wrong_length = data.draw(st.integers(0, 10**6).filter(lambda size: size != len(value)))
    with pytest.raises(EncodeError, match=f"is '{wrong_length}', but"):
        sent((length, b"%d" % wrong_length), (tag, value))
    with pytest.raises(EncodeError, match="is not followed by"):
        sent(correct[0])
    with pytest.raises(EncodeError, match="is not followed by"):
        sent(correct[0], (9001, b"x"), correct[1])
    with pytest.raises(EncodeError, match="is data, but is not preceded by its length"):
        sent(correct[1])
    if tag not in KALSHI.fields:
        with pytest.raises(EncodeError, match="contains SOH"):
            sent((length, b"3"), (tag, b"a\x01b"))


def test_a_tag_with_another_meaning_in_the_dialect_is_not_a_length() -> None:
    codec = Codec(attrs.evolve(DIALECT, standard_data={9003: 9004, 9005: 38, 38: 9006}))
    for fields in (((9005, b"1"),), ((9006, b"1"),)):
        assert codec.decode(codec.encode(UnknownMessage(msg_type="ZZ", unknown=fields))).unknown == fields
    with pytest.raises(EncodeError, match="unknown field 9003 is not followed by unknown field 9004"):
        codec.encode(UnknownMessage(msg_type="ZZ", unknown=[(9003, b"1")]))
