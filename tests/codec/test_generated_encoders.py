"""Generated encoders write any value as the layouts define, and report the name of a field whose value
cannot be encoded.
"""

from __future__ import annotations

import copy
import decimal
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kalshi_fix_sansio._generated import DIALECT as KALSHI
from kalshi_fix_sansio._generated import (
    Header,
    NewOrderSingle,
    OrdType,
    Party,
    SelfTradePreventionType,
    Side,
    blocks,
)
from kalshi_fix_sansio._generated.blocks import encode_header
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.dialect.layout import GroupMember, MessageLayout
from kalshi_fix_sansio.dialect.support import MAX_CACHED_COMP_ID_CHARS
from kalshi_fix_sansio.errors import EncodeError, LocalProtocolError
from kalshi_fix_sansio.framing import is_frame
from kalshi_fix_sansio.framing.frame import ADLER_ASCII_BLOCK
from kalshi_fix_sansio.scalars import NO_SECOND, format_string, format_utctimestamp
from tests.plain_encoder import encode
from tests.samples import full, minimal
from tests.strategies import headers, messages

CODEC = Codec(KALSHI)
ORDER: dict[str, Any] = {
    "cl_ord_id": "a",
    "order_qty": "10.00",
    "ord_type": "2",
    "price": "0.45",
    "side": "1",
    "symbol": "K",
}
every_message = pytest.mark.parametrize(
    "layout", KALSHI.messages.values(), ids=[layout.name for layout in KALSHI.messages.values()]
)


class LoudStr(str):
    """A subclass of str."""

    def __str__(self) -> str:
        return "loud"


class Rate(Decimal):
    """A subclass of Decimal."""

    def __str__(self) -> str:
        return "a rate"


class Moment(datetime):
    """A subclass of datetime."""


NOON = datetime(2026, 8, 17, 12, 0, 0, 123456, tzinfo=UTC)


def header() -> Header:
    """Return a header as a session writes it."""
    return Header(sender_comp_id="key", target_comp_id="venue", msg_seq_num=7, sending_time=NOON)


HOSTILE = [
    None,
    "",
    "x",
    "1",
    "a=b",
    "a=",
    "a\x01b",
    "a\x0110=000\x01",
    "nul\0",
    "é",
    "日",
    LoudStr("1"),
    True,
    False,
    0,
    -1,
    7,
    10**18 - 1,
    10**18,
    0.5,
    1.0,
    *map(
        Decimal,
        ("NaN", "NaN123", "sNaN", "-Infinity", "1E+5", "1E-30", "-0", "0.10", "1" * 19, "1" * 40, "-.5"),
    ),
    Rate("1.5"),
    NOON,
    NOON + timedelta(microseconds=999),
    datetime.max.replace(tzinfo=UTC),
    datetime.min.replace(tzinfo=UTC),
    NOON.replace(tzinfo=None),
    NOON.astimezone(timezone(timedelta(hours=2))),
    Moment(2026, 8, 17, tzinfo=UTC),
    date(2026, 8, 17),
    time(12, 0, 0, 999_999),
    time(12, tzinfo=timezone(timedelta(hours=2))),
    b"",
    b"raw\x01data\xff\0",
    [],
    [None],
    (),
    {},
    {"a": 1},
    [{}],
    Side.BUY,
    OrdType.LIMIT,
    SelfTradePreventionType.MAKER,
    object(),
]


def outcome(encode: Callable[[Any, Any], bytes], message: Any, head: Any) -> object:
    """Return the encoded bytes, or the class and text of the error."""
    try:
        return encode(message, head)
    except Exception as error:  # noqa: BLE001
        return type(error), str(error)


def encode_both_ways(message: Any, head: Any) -> object:
    """Encode with the generated and the plain encoder, check that they agree, and return the outcome."""
    found = outcome(CODEC.encode, message, head)
    assert found == outcome(partial(encode, KALSHI.begin_string), message, head)
    return found


def attributes_of(block: Any) -> Iterator[tuple[Any, str]]:
    """Yield every attribute of a message or header, including those of group entries."""
    for member in block.LAYOUT.members:
        yield block, member.attribute
        if isinstance(member, GroupMember):
            for entry in getattr(block, member.attribute):
                yield from attributes_of(entry)


@every_message
@pytest.mark.parametrize("make", [minimal, full])
def test_every_hostile_value_in_every_field_is_encoded_or_reported(layout: MessageLayout, make: Any) -> None:
    message, head = make(layout.body, unknown=()), full(KALSHI.header, unknown=())
    assert isinstance(encode_both_ways(message, head), bytes)
    for block, attribute in [*attributes_of(message), *attributes_of(head)]:
        kept = getattr(block, attribute)
        for value in HOSTILE:
            setattr(block, attribute, value)
            encode_both_ways(message, head)
        setattr(block, attribute, kept)


@every_message
@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(data=st.data())
def test_any_message_is_encoded_as_the_layouts_define(layout: MessageLayout, data: st.DataObject) -> None:
    message, head = data.draw(messages(layout, KALSHI)), data.draw(headers(KALSHI))
    assert isinstance(encode_both_ways(message, head), bytes)
    again = copy.deepcopy(message)
    block, attribute = data.draw(st.sampled_from(list(attributes_of(again))))
    setattr(block, attribute, data.draw(st.sampled_from(HOSTILE)))
    encode_both_ways(again, head)


@every_message
def test_common_values_need_no_slow_path(layout: MessageLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every field is set, including those in groups: only rare values need `_encode_or_explain`."""
    monkeypatch.delattr(Codec, "_encode_or_explain")
    message, head = full(layout.body, unknown=()), full(KALSHI.header, unknown=())
    codec = Codec(KALSHI)
    for block in (message, head):
        for owner, attribute in attributes_of(block):
            if isinstance(getattr(owner, attribute), bytes):
                setattr(owner, attribute, b"plain")
    data = codec.encode(message, head)
    assert is_frame(data)
    assert codec.decode(data) == message


def test_a_message_of_a_class_outside_the_dialect_is_refused() -> None:
    class Own(NewOrderSingle):
        pass

    with pytest.raises(LocalProtocolError, match="Own is not a message of kalshi"):
        CODEC.encode(Own(**ORDER), header())


def test_entries_may_be_of_a_subclass_of_the_entry_class() -> None:
    class Own(Party):
        pass

    order = NewOrderSingle(**ORDER, party_ids=[Own(party_id="p", party_role="3")])
    usual = NewOrderSingle(**ORDER, party_ids=[Party(party_id="p", party_role="3")])
    assert CODEC.encode(order, header()) == CODEC.encode(usual, header())


def test_an_entry_of_another_class_is_refused_even_with_the_same_attributes() -> None:
    class Alike:
        party_id, party_role, unknown = "p", "3", ()

    order = NewOrderSingle(**ORDER)
    order.party_ids = [Alike()]  # type: ignore[list-item]
    with pytest.raises(EncodeError, match=r"^expected Party, not Alike, in entry 1 of NoPartyIDs \(453\)"):
        CODEC.encode(order, header())


def test_decimals_are_encoded_the_same_in_any_context() -> None:
    order = NewOrderSingle(**ORDER)
    for text in ("1.50", "1E+3", "1E-9", "1E-7", "NaN", "Infinity", "-0E+2", "9" * 19, "9" * 20):
        order.order_qty = Decimal(text)
        with decimal.localcontext(decimal.Context(prec=2, capitals=0)):
            encode_both_ways(order, header())


@pytest.mark.parametrize("tail", ["", "é", "\n"])
def test_messages_of_any_length_have_correct_length_and_sum(tail: str) -> None:
    head = header()
    for size in [*range(ADLER_ASCII_BLOCK - 200, ADLER_ASCII_BLOCK + 20), 5000]:
        order = NewOrderSingle(**{**ORDER, "secondary_cl_ord_id": "~" * size + tail})
        data = encode_both_ways(order, head)
        assert isinstance(data, bytes)
        assert is_frame(data)


def test_timestamps_are_encoded_correctly_after_any_other_timestamp() -> None:
    steps = (0, 1, 999, 1000, 123_456, 999_999, 1_000_000, -1, 60_000_000, 86_400_000_000, -86_400_000_000)
    begin = NOON.replace(microsecond=0)
    moments = [begin + timedelta(microseconds=step) for step in steps]
    moments += [at.astimezone(timezone(timedelta(hours=2, microseconds=7))) for at in moments]
    heads = [Header(sender_comp_id="a", target_comp_id="b", msg_seq_num=1, sending_time=m) for m in moments]
    # Set again after construction, because the constructor converts times to UTC.
    for head, at in zip(heads, moments, strict=True):
        head.sending_time = at
    # Encode every timestamp after every other one, because the encoder caches the text of the last second.
    for before in heads:
        for head in heads:
            for item in (before, head):
                assert (
                    encode_header(item)
                    == f"49=a\x0156=b\x0134=1\x0152={format_utctimestamp(item.sending_time)}\x01"
                )


@pytest.mark.parametrize("value", [None, NOON.replace(tzinfo=None), time(12, tzinfo=UTC), "now"])
def test_an_invalid_timestamp_is_refused_after_any_other_value(
    value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    head, order = header(), NewOrderSingle(**ORDER)
    for second in (NO_SECOND, blocks._second):
        monkeypatch.setattr(blocks, "_second", second)
        head.sending_time = value
        with pytest.raises(EncodeError, match=r"^SendingTime \(52\)"):
            CODEC.encode(order, head)
        head.sending_time = NOON
        assert b"\x0152=20260817-12:00:00.123\x01" in CODEC.encode(order, head)


def test_a_datetime_subclass_does_not_affect_later_timestamps(monkeypatch: pytest.MonkeyPatch) -> None:
    class Late(datetime):
        def __le__(self, other: object) -> bool:
            return True

        def __ge__(self, other: object) -> bool:
            return True

    monkeypatch.setattr(blocks, "_second", NO_SECOND)
    head = header()
    for at in (Late(2026, 8, 17, 12, tzinfo=UTC), NOON + timedelta(hours=1), NOON - timedelta(hours=1)):
        head.sending_time = at
        encode_both_ways(NewOrderSingle(**ORDER), head)
    assert list(map(type, blocks._second)) == [datetime, datetime, str]


COMP_IDS: list[Any] = [
    "key",
    "venue",
    "keys"[:3],
    LoudStr("key"),
    "é",
    "",
    None,
    "a\x01b",
    "nul\0",
    7,
    b"key",
    ["key"],
]


def test_comp_ids_are_encoded_or_refused_after_any_other_comp_id() -> None:
    order, head = NewOrderSingle(**ORDER), header()
    pairs = [(sender, target) for sender in COMP_IDS for target in COMP_IDS]
    found = {}
    for index, pair in enumerate(pairs):
        head.sender_comp_id, head.target_comp_id = pair
        found[index] = encode_both_ways(order, head)
    # Encode each pair again, after itself and after pairs that differ in one CompID.
    for index, (sender, target) in enumerate(pairs):
        for before in ((sender, target), (sender, "venue"), ("venue", target)):
            head.sender_comp_id, head.target_comp_id = before
            encode_both_ways(order, head)
            head.sender_comp_id, head.target_comp_id = sender, target
            assert encode_both_ways(order, head) == found[index]


def test_repeated_comp_ids_are_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    formatted: list[str] = []

    def counted(value: str) -> str:
        formatted.append(value)
        return format_string(value)

    monkeypatch.setattr(blocks, "format_string", counted)
    order, head = NewOrderSingle(**ORDER), header()
    # Encode other CompIDs first, because an earlier test may have left these in the cache.
    head.sender_comp_id = "someone else"
    CODEC.encode(order, head)
    formatted.clear()
    for number in range(1, 100):
        CODEC.encode(
            order, Header(sender_comp_id="key", target_comp_id="venue", msg_seq_num=number, sending_time=NOON)
        )
    assert formatted == ["key", "venue"]


def test_long_comp_ids_are_not_cached() -> None:
    order, head = NewOrderSingle(**ORDER), header()
    frame = len("49=\x0156=venue\x01")
    for size, kept in (
        (MAX_CACHED_COMP_ID_CHARS - frame, True),
        (MAX_CACHED_COMP_ID_CHARS - frame + 1, False),
        (100_000, False),
    ):
        head.sender_comp_id = "k" * size
        encode_both_ways(order, head)
        assert (blocks._names[0] is head.sender_comp_id) is kept
        assert len(blocks._names[-1]) <= MAX_CACHED_COMP_ID_CHARS
