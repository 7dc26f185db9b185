"""Lenient decoding: unknown, malformed and misplaced fields are kept, and every problem is reported."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

import pytest

from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.codec.findings import MAX_PROBLEMS
from kalshi_fix_sansio.dialect.base import UnknownMessage
from kalshi_fix_sansio.dialect.problems import Reason
from kalshi_fix_sansio.errors import DecodeError
from kalshi_fix_sansio.framing import Frame, encode_frame
from tests.tiny_dialect import (
    DIALECT,
    SENDING_TIME,
    Book,
    Entry,
    Logon,
    Order,
    OrdType,
    Party,
    PartySub,
    RelatedSym,
    Request,
    Role,
    Side,
    frame,
)

CODEC = Codec(DIALECT)


def decode(msg_type: str, body: str) -> Any:
    return CODEC.decode(frame(msg_type, body))


def found(message: Any) -> list[tuple[Reason, int | None, str | None]]:
    return [(problem.reason, problem.tag, problem.value) for problem in message.problems]


def texts(message: Any) -> list[str]:
    return [str(problem) for problem in message.problems]


def test_every_kind_of_value_is_decoded_into_its_type() -> None:
    order = decode(
        "D",
        "11=a|38=10.00|40=2|44=0.45|54=1|126=20260801-12:00:00|64=20260802|45=9|79=-3|354=3|355=x\x01y|",
    )
    assert order == Order(
        cl_ord_id="a",
        order_qty="10.00",
        ord_type=OrdType.LIMIT,
        price="0.45",
        side=Side.BUY,
        expire_time=datetime(2026, 8, 1, 12, tzinfo=UTC),
        settl_date=date(2026, 8, 2),
        ref_seq_num=9,
        alloc_account=-3,
        encoded_text=b"x\x01y",
    )
    assert order.problems == ()
    assert str(order.order_qty) == "10.00"
    assert type(order.side) is Side
    assert decode("A", "383=100|5002=N|") == Logon(max_message_size=100, new_flag=False)
    entry = decode("W", "55=K|268=1|269=2|270=1|273=10:11:12.500|").md_entries[0]
    assert entry.md_entry_time == time(10, 11, 12, 500000)


def test_header_and_trailer_are_decoded_in_any_order() -> None:
    body = b"35=A\x0134=7\x0152=20260801-12:30:15.123\x0156=b\x0143=Y\x0149=a\x0193=3\x0189=x\x01y\x01"
    data = encode_frame("FIXT.1.1", body)
    logon = CODEC.decode(data)
    assert (logon.header.begin_string, logon.header.msg_type) == ("FIXT.1.1", "A")
    assert logon.header.body_length == len(body)
    assert (logon.header.sender_comp_id, logon.header.target_comp_id) == ("a", "b")
    assert (logon.header.msg_seq_num, logon.header.sending_time) == (7, SENDING_TIME)
    assert logon.header.poss_dup_flag is True
    assert logon.trailer.signature == b"x\x01y"
    assert logon.trailer.check_sum == data[-4:-1].decode()
    assert logon.problems == ()


def test_groups_of_the_header_are_decoded() -> None:
    order = decode("D", "627=2|628=x|628=y|43=Y|11=a|38=1|")
    assert [hop.hop_comp_id for hop in order.header.hops] == ["x", "y"]
    assert (order.header.poss_dup_flag, order.cl_ord_id, order.problems) == (True, "a", ())
    again = CODEC.decode(CODEC.encode(order))
    assert again.header.hops == order.header.hops


def test_a_repeated_entry_field_that_is_also_out_of_order_is_reported_as_repeated() -> None:
    message, problems = CODEC.check(frame("D", "11=a|38=1|453=1|448=p|452=3|802=1|523=s|452=35|"))
    assert found(message) == [(Reason.TAG_REPEATED, 452, "35")]
    assert problems == message.problems
    assert message.party_ids[0].party_role == 3  # type: ignore[attr-defined]


def test_a_header_field_in_the_body_is_still_decoded() -> None:
    order = CODEC.decode(frame("D", "11=a|52=20260801-12:30:15.123|38=1|", head="49=a|56=b|34=7|"))
    assert order.header.sending_time == SENDING_TIME
    assert order.problems == ()


def test_unknown_code_values_stay_plain_values() -> None:
    order = decode("D", "11=a|38=1|54=Q|40=9|453=1|448=p|452=99|")
    assert order.side == "Q"
    assert order.ord_type == "9"
    assert order.party_ids[0].party_role == 99
    assert order.problems == ()


def test_integer_codes_are_numbers_in_any_notation() -> None:
    parties = decode("D", "11=a|38=1|453=3|448=p|452=35|448=q|452=0035|448=r|452=007|").party_ids
    assert [party.party_role for party in parties] == [Role.MAKER, Role.MAKER, 7]
    assert [type(party.party_role) for party in parties] == [Role, Role, int]


def test_unknown_fields_are_kept_in_their_place() -> None:
    order = decode(
        "D", "9001=top|11=a|38=1|453=2|448=p|9002=in p|802=1|523=s|9003=in s|448=q|9004=in q|79=1|9005=end|"
    )
    assert order.unknown == ((9001, b"top"), (9005, b"end"))
    assert order.party_ids == [
        Party(
            party_id="p",
            unknown=((9002, b"in p"),),
            party_sub_ids=[PartySub(party_sub_id="s", unknown=((9003, b"in s"),))],
        ),
        Party(party_id="q", unknown=((9004, b"in q"),)),
    ]
    assert order.alloc_account == 1
    assert order.problems == ()


def test_a_tag_of_another_message_is_an_unknown_field() -> None:
    assert decode("W", "55=K|268=0|44=0.45|").unknown == ((44, b"0.45"),)


def test_unknown_fields_in_every_entry_do_not_end_the_group() -> None:
    """Regression: a venue added fields to the entries of its market data."""
    book = decode("W", "55=K|268=3|269=1|270=1|9001=x|269=2|9001=y|270=2|9001=z|269=1|270=3|58=after|")
    assert [entry.md_entry_px for entry in book.md_entries] == [1, 2, 3]
    assert [entry.unknown for entry in book.md_entries] == [((9001, b"x"),), ((9001, b"y"), (9001, b"z")), ()]
    assert book.text == "after"
    assert book.problems == ()


def test_entries_after_a_body_field_between_entries_are_kept() -> None:
    book = decode("W", "55=K|268=3|269=1|270=1|58=between|269=2|270=2|269=1|270=3|")
    assert [entry.md_entry_px for entry in book.md_entries] == [1, 2, 3]
    assert book.text == "between"
    assert book.problems == ()


def test_a_body_field_inside_an_entry_does_not_end_the_entry() -> None:
    book = decode("W", "55=K|268=2|269=1|58=inside|270=1|269=2|270=2|")
    assert book.md_entries == [
        Entry(md_entry_type="1", md_entry_px=1),
        Entry(md_entry_type="2", md_entry_px=2),
    ]
    assert (book.text, book.problems) == ("inside", ())


def test_a_nested_group_continues_after_a_field_of_its_entry() -> None:
    order = decode("D", "11=a|38=1|453=1|448=p|802=2|523=s|452=3|523=t|")
    assert order.party_ids == [
        Party(
            party_id="p", party_role=3, party_sub_ids=[PartySub(party_sub_id="s"), PartySub(party_sub_id="t")]
        )
    ]
    assert order.problems == ()


def test_group_fields_without_their_counter_are_unknown() -> None:
    order = decode("D", "11=a|38=1|448=p|452=3|")
    assert order.unknown == ((448, b"p"), (452, b"3"))
    assert order.party_ids == []


def test_the_fields_of_entries_may_be_in_any_order() -> None:
    order = decode("D", "11=a|38=1|453=2|452=3|448=p|448=q|452=35|")
    assert order.party_ids == [Party(party_id="p", party_role=3), Party(party_id="q", party_role=35)]
    assert order.problems == ()


def test_entries_may_open_with_another_delimiter() -> None:
    assert decode("R", "146=2|38=5|38=6|").related_sym == [
        RelatedSym(order_qty=5),
        RelatedSym(order_qty=6),
    ]
    assert decode("R", "146=1|152=5|55=K|").related_sym == [RelatedSym(symbol="K", cash_order_qty=5)]
    mixed = decode("R", "146=3|55=K|38=5|38=6|152=7|38=8|")
    assert mixed.related_sym == [
        RelatedSym(symbol="K", order_qty=5),
        RelatedSym(order_qty=6, cash_order_qty=7),
        RelatedSym(order_qty=8),
    ]
    assert mixed.problems == ()


def test_a_delimiter_after_the_last_entry_is_a_repeated_field() -> None:
    request = decode("R", "146=1|55=K|38=5|38=6|")
    assert request.related_sym == [RelatedSym(symbol="K", order_qty=5)]
    assert found(request) == [(Reason.TAG_REPEATED, 38, "6")]


@pytest.mark.parametrize(
    ("counter", "entries"),
    [("3", 2), ("1", 2), ("0", 2), ("999999999999999999", 2), ("5", 0), ("1", 0)],
)
def test_a_wrong_counter_is_reported_and_every_entry_kept(counter: str, entries: int) -> None:
    book = decode("W", f"55=K|268={counter}|" + "269=1|270=1|" * entries + "58=x|")
    assert len(book.md_entries) == entries
    assert book.text == "x"
    assert found(book) == [(Reason.WRONG_NUM_IN_GROUP, 268, counter)]
    assert texts(book)[0].startswith(f"NoMDEntries (268) is '{counter}', but {entries} entries were found")


@pytest.mark.parametrize("counter", ["", "-1", "x", "1.0", "9" * 30, "+1"])
def test_an_invalid_counter_is_reported_and_every_entry_kept(counter: str) -> None:
    book = decode("W", f"55=K|268={counter}|269=1|270=1|269=2|270=2|")
    assert len(book.md_entries) == 2
    reason = Reason.INCORRECT_DATA_FORMAT if counter else Reason.TAG_WITHOUT_VALUE
    assert found(book) == [(reason, 268, counter)]


def test_a_counter_of_zero_and_no_counter_give_an_empty_list() -> None:
    book, order, request = decode("W", "55=K|268=0|"), decode("D", "11=a|38=1|"), decode("R", "79=1|")
    assert (book, book.problems) == (Book(symbol="K"), ())
    assert (order.party_ids, order.problems) == ([], ())
    assert request == Request(alloc_account=1)
    assert found(request) == [(Reason.REQUIRED_TAG_MISSING, 146, None)]


def test_a_second_counter_of_the_same_group_is_reported_and_its_entries_kept() -> None:
    order = decode("D", "11=a|38=1|453=1|448=p|58=x|453=1|448=q|")
    assert [party.party_id for party in order.party_ids] == ["p", "q"]
    assert found(order) == [(Reason.WRONG_NUM_IN_GROUP, 453, "1"), (Reason.TAG_REPEATED, 453, "1")]


def test_an_unknown_field_between_counter_and_first_entry_belongs_to_the_enclosing_block() -> None:
    order = decode("D", "11=a|38=1|453=1|9001=x|448=p|802=1|9002=y|523=s|")
    assert order.unknown == ((9001, b"x"),)
    (party,) = order.party_ids
    assert party.unknown == ((9002, b"y"),)
    assert party.party_sub_ids == [PartySub(party_sub_id="s")]


@pytest.mark.parametrize(
    ("body", "attribute", "problem"),
    [
        ("11=a|38=1e5|", "order_qty", (Reason.INCORRECT_DATA_FORMAT, 38, "1e5")),
        ("11=a|38=|", "order_qty", (Reason.TAG_WITHOUT_VALUE, 38, "")),
        ("11=a|", "order_qty", (Reason.REQUIRED_TAG_MISSING, 38, None)),
        ("11=a|38=1|44=NaN|", "price", (Reason.INCORRECT_DATA_FORMAT, 44, "NaN")),
        ("11=a|38=1|54=10|", "side", (Reason.INCORRECT_DATA_FORMAT, 54, "10")),
        (
            "11=a|38=1|126=20260230-12:00:00|",
            "expire_time",
            (Reason.INCORRECT_DATA_FORMAT, 126, "20260230-12:00:00"),
        ),
        ("11=a|38=1|64=20260230|", "settl_date", (Reason.INCORRECT_DATA_FORMAT, 64, "20260230")),
        ("11=a|38=1|45=-1|", "ref_seq_num", (Reason.INCORRECT_DATA_FORMAT, 45, "-1")),
        ("11=a|38=1|58=|", "text", (Reason.TAG_WITHOUT_VALUE, 58, "")),
        ("11=a|38=1|9001=|", "text", (Reason.TAG_WITHOUT_VALUE, 9001, "")),
    ],
)
def test_an_unreadable_value_is_none_and_reported(
    body: str, attribute: str, problem: tuple[Reason, int, str | None]
) -> None:
    order = decode("D", body)
    assert getattr(order, attribute) is None
    assert order.cl_ord_id == "a"
    assert found(order) == [problem]
    assert order.unknown == ()


def test_the_first_of_repeated_fields_is_used_and_the_others_are_reported() -> None:
    order = decode("D", "11=a|38=1|11=b|11=c|453=1|448=p|448=q|")
    assert order.cl_ord_id == "a"
    assert [party.party_id for party in order.party_ids] == ["p", "q"]
    assert found(order) == [
        (Reason.TAG_REPEATED, 11, "b"),
        (Reason.TAG_REPEATED, 11, "c"),
        (Reason.WRONG_NUM_IN_GROUP, 453, "1"),
    ]
    assert order.unknown == ()
    assert decode("D", "11=|11=b|38=1|").cl_ord_id is None


def test_missing_fields_are_reported_with_their_location() -> None:
    order = CODEC.decode(
        frame("D", "38=1|453=2|448=p|802=1|803=4|452=3|", head="56=b|34=7|52=20260801-12:30:15.123|")
    )
    assert [(problem.tag, str(problem)) for problem in order.problems] == [
        (453, "NoPartyIDs (453) is '2', but 1 entry was found"),
        (523, "PartySubID (523) is missing in entry 1 of NoPartySubIDs (802)"),
        (49, "SenderCompID (49) is missing"),
        (11, "ClOrdID (11) is missing"),
    ]


@pytest.mark.parametrize(
    ("field", "tag"),
    [
        ("0=x", 0),
        ("-1=x", -1),
        ("011=x", 11),
        ("=x", None),
        ("x=y", None),
        ("1.5=y", None),
        ("9999999999=x", None),
        ("garbage", None),
        ("", None),
        ("11 =x", None),
    ],
)
def test_malformed_fields_are_reported_in_full(field: str, tag: int | None) -> None:
    order = decode("D", f"11=a|{field}|38=1|")
    assert (order.cl_ord_id, order.order_qty) == ("a", 1)
    assert found(order) == [(Reason.INVALID_TAG_NUMBER, tag, field)]


def test_equals_signs_belong_to_the_value() -> None:
    order = decode("D", "11=a|58=x=11=evil|38=1|")
    assert (order.cl_ord_id, order.text, order.problems) == ("a", "x=11=evil", ())


# --- data fields ----------------------------------------------------------------------------------------


def test_data_is_read_with_its_length() -> None:
    logon = decode("A", "95=12|96=a\x0110=000\x01b\x01c|383=5|")
    assert logon.raw_data == b"a\x0110=000\x01b\x01c"
    assert (logon.max_message_size, logon.problems) == (5, ())


def test_data_without_a_length_ends_at_the_next_soh() -> None:
    logon = decode("A", "96=abc|383=5|")
    assert (logon.raw_data, logon.max_message_size, logon.problems) == (b"abc", 5, ())


@pytest.mark.parametrize("length", ["2", "4", "999999999", "1000000000", "0"])
def test_a_length_that_does_not_end_at_a_separator_is_reported(length: str) -> None:
    logon = decode("A", f"95={length}|96=abc|383=5|")
    assert (logon.raw_data, logon.max_message_size) == (b"abc", 5)
    assert found(logon) == [(Reason.VALUE_INCORRECT, 95, length)]
    assert texts(logon) == [f"RawDataLength (95) is '{length}', but RawData (96) does not end there"]


@pytest.mark.parametrize("length", ["-3", "x", "3.0", "9" * 20])
def test_an_invalid_length_is_reported(length: str) -> None:
    logon = decode("A", f"95={length}|96=abc|383=5|")
    assert (logon.raw_data, logon.max_message_size) == (b"abc", 5)
    assert found(logon) == [(Reason.INCORRECT_DATA_FORMAT, 95, length)]


def test_a_length_separated_from_its_data_is_reported() -> None:
    logon = decode("A", "95=3|383=5|96=abc|")
    assert logon.raw_data == b"abc"
    assert found(logon) == [(Reason.TAG_OUT_OF_ORDER, 95, "3")]
    assert found(CODEC.decode(frame("A", "383=5|95=3|"))) == [(Reason.TAG_OUT_OF_ORDER, 95, "3")]


def test_empty_data_is_a_field_without_a_value() -> None:
    logon = decode("A", "95=0|96=|383=5|")
    assert (logon.raw_data, logon.max_message_size) == (None, 5)
    assert [(problem.reason, problem.tag) for problem in logon.problems] == [(Reason.TAG_WITHOUT_VALUE, 96)]


def test_unknown_data_is_still_read_with_its_length() -> None:
    book = decode("W", "55=K|268=0|95=3|96=a\x01b|58=x|")
    assert book.unknown == ((95, b"3"), (96, b"a\x01b"))
    assert book.text == "x"


# --- deprecated tags ------------------------------------------------------------------------------------


def test_a_deprecated_tag_sets_the_attribute() -> None:
    logon = decode("A", "5001=Y|")
    assert (logon.new_flag, logon.unknown, logon.problems) == (True, (), ())


@pytest.mark.parametrize("body", ["5001=Y|5002=N|9001=x|", "5002=N|5001=Y|9001=x|"])
def test_a_deprecated_tag_next_to_its_successor_is_kept_as_unknown(body: str) -> None:
    logon = decode("A", body)
    assert (logon.new_flag, logon.unknown, logon.problems) == (False, ((5001, b"Y"), (9001, b"x")), ())


def test_an_invalid_or_repeated_deprecated_tag_is_reported() -> None:
    assert found(decode("A", "5001=maybe|")) == [(Reason.INCORRECT_DATA_FORMAT, 5001, "maybe")]
    assert found(decode("A", "5001=|")) == [(Reason.TAG_WITHOUT_VALUE, 5001, "")]
    logon = decode("A", "5001=|5002=N|")
    assert (logon.new_flag, logon.unknown) == (False, ())
    assert found(logon) == [(Reason.TAG_WITHOUT_VALUE, 5001, "")]
    logon = decode("A", "5001=Y|5001=N|")
    assert logon.new_flag is True
    assert found(logon) == [(Reason.TAG_REPEATED, 5001, "N")]


# --- secrets --------------------------------------------------------------------------------------------


def test_malformed_fields_after_data_are_reported_unchanged() -> None:
    assert found(decode("A", "95=1|96=x|y|")) == [(Reason.INVALID_TAG_NUMBER, None, "y")]
    assert found(decode("A", "96=x|383=1|y|")) == [(Reason.INVALID_TAG_NUMBER, None, "y")]


@pytest.mark.parametrize(
    "body",
    [
        "554=SeSaMe|554=SeSaMe2|",
        "554=|554=SeSaMe|",
        "0554=SeSaMe|",
        "95=3|96=SeSaMe|",
        "96=SeSaMe|96=SeSaMe|",
        "95=30|96=x|SeSaMe|SeSaMe|383=1|",
        "96=x|SeSaMe|",
    ],
)
def test_secret_values_are_never_shown(body: str) -> None:
    message, problems = CODEC.check(frame("A", body))
    inspection = CODEC.inspect(frame("A", body))
    shown = f"{message!r} {message.problems!r} {problems!r} {inspection!r}"
    assert problems
    assert "SeSaMe" not in shown


# --- messages of unknown type, and bytes that are not a message -----------------------------------------


def test_a_message_of_unknown_type_keeps_everything() -> None:
    message = decode("ZZ", "55=K|453=1|448=p|9001=x|95=3|96=a\x01b|55=L|")
    assert isinstance(message, UnknownMessage)
    assert message == UnknownMessage(
        msg_type="ZZ",
        unknown=((55, b"K"), (453, b"1"), (448, b"p"), (9001, b"x"), (95, b"3"), (96, b"a\x01b"), (55, b"L")),
    )
    assert message.header.msg_seq_num == 7
    assert message.problems == ()


def test_another_version_of_fix_is_reported() -> None:
    data = encode_frame("FIX.4.4", b"35=A\x0149=a\x0156=b\x0134=7\x0152=20260801-12:30:15\x01")
    assert found(CODEC.decode(data)) == [(Reason.VALUE_INCORRECT, 8, "FIX.4.4")]


@pytest.mark.parametrize(
    "broken", [b"", b"x", frame("A", "")[:-1], frame("A", "").replace(b"9=", b"9=1"), b"8=FIX\x01"]
)
def test_bytes_other_than_one_complete_message_are_refused(broken: bytes) -> None:
    for method in (CODEC.decode, CODEC.decode_strict, CODEC.check):
        with pytest.raises(DecodeError, match="not one complete FIX message") as caught:
            method(broken)
        assert caught.value.problems


def test_a_frame_is_not_checked_again() -> None:
    data = frame("D", "11=a|38=1|")
    wrong_check_sum = data[:-4] + b"999\x01"
    with pytest.raises(DecodeError):
        CODEC.decode(wrong_check_sum)
    assert CODEC.decode(Frame(wrong_check_sum)) == CODEC.decode(data)
    with pytest.raises(DecodeError, match=r"MsgType \(35\) is missing"):
        CODEC.decode(Frame(b"nonsense"))


def test_long_values_are_quoted_in_part_and_kept_whole() -> None:
    (problem,) = decode("D", f"11=a|38={'x' * 500}|").problems
    assert len(problem.text) < 250
    assert problem.value == "x" * 500


@pytest.mark.parametrize("more", [-1, 0, 1, 7])
def test_the_first_thousand_problems_are_reported_and_later_ones_counted(more: int) -> None:
    count = MAX_PROBLEMS + more
    problems = decode("D", "11=a|38=1|" + "nonsense|" * count).problems
    assert sum(problem.value == "nonsense" for problem in problems) == min(count, MAX_PROBLEMS)
    assert len(problems) == min(count, MAX_PROBLEMS) + (more > 0)
    rest = "1 more problem is not listed" if more == 1 else f"{more} more problems are not listed"
    assert (str(problems[-1]) == rest) is (more > 0)


def test_problems_of_strict_decoding_do_not_hide_others() -> None:
    undefined = "".join(f"{tag}=x|" for tag in range(30_000, 30_000 + MAX_PROBLEMS + 5))
    message, problems = CODEC.check(frame("D", f"11=a|38=1|{undefined}nonsense|"))
    assert [problem.value for problem in message.problems] == ["nonsense"]
    assert len(problems) == 1 + MAX_PROBLEMS + 1
    assert str(problems[-1]) == "5 more problems are not listed"
    assert len(message.unknown) == MAX_PROBLEMS + 5
