"""The fast way out: it writes what the careful one writes, leaves alone what is not plain, and is bounded."""

from __future__ import annotations

import copy
import decimal
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kalshi_fix_sansio._generated import DIALECT as KALSHI
from kalshi_fix_sansio._generated import OrdType, SelfTradePreventionType, Side
from kalshi_fix_sansio.base import UnknownMessage
from kalshi_fix_sansio.codec import Codec, forms
from kalshi_fix_sansio.codec.composer import COMPOSER_ERRORS, PLAIN_INT_END, composer, form_of, heads
from kalshi_fix_sansio.framing import ADLER_ASCII_BLOCK, is_frame
from kalshi_fix_sansio.layout import FieldMember, GroupMember, Kind, MessageLayout
from kalshi_fix_sansio.scalars import format_utctimestamp
from tests.samples import full, minimal
from tests.strategies import headers, messages
from tests.tiny_dialect import BOOK, DIALECT, Book, Entry, Logon, Order, Party, Request, header

every_message = pytest.mark.parametrize(
    "layout", KALSHI.messages.values(), ids=[layout.name for layout in KALSHI.messages.values()]
)


class Loud(str):
    """A string of another class."""

    def __str__(self) -> str:
        return "loud"


class Rate(Decimal):
    """A decimal of another class."""

    def __str__(self) -> str:
        return "a rate"


class Moment(datetime):
    """A datetime of another class."""


NOON = datetime(2026, 8, 17, 12, 0, 0, 123456, tzinfo=UTC)
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
    Loud("1"),
    True,
    False,
    0,
    -1,
    7,
    PLAIN_INT_END - 1,
    PLAIN_INT_END,
    10**18,
    0.5,
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
    Side.BUY,
    OrdType.LIMIT,
    SelfTradePreventionType.MAKER,
    object(),
]


def outcome(codec: Codec, message: Any, head: Any, *, careful: bool = False) -> object:
    """What encoding gives: bytes, or the kind and text of the error."""
    try:
        return (codec._encode_carefully if careful else codec.encode)(message, head)
    except Exception as error:  # noqa: BLE001
        return type(error), str(error)


def fast(codec: Codec, message: Any, head: Any) -> bytes | None:
    """What the code of the form used last makes of a message."""
    try:
        return codec._forms.latest[message.__class__](message, head)
    except COMPOSER_ERRORS:
        return None


def trained(message: Any, head: Any) -> Codec:
    """A codec that knows the form of a message."""
    codec = Codec(KALSHI)
    for _ in range(2):
        codec.encode(message, head)
    return codec


def places(block: Any) -> Iterator[tuple[Any, str]]:
    """Every attribute of a message or header, and of the entries of its groups."""
    for member in block.LAYOUT.members:
        yield block, member.attribute
        if isinstance(member, GroupMember):
            for entry in getattr(block, member.attribute):
                yield from places(entry)


def plain(block: Any) -> Any:
    """The block without unknown fields, those of its entries included."""
    block.unknown = ()
    for member in block.LAYOUT.members:
        if isinstance(member, GroupMember):
            for entry in getattr(block, member.attribute):
                plain(entry)
    return block


@every_message
@pytest.mark.parametrize("make", [minimal, full])
def test_every_hostile_value_in_every_place_gives_what_the_careful_path_gives(
    layout: MessageLayout, make: Any
) -> None:
    message, head = plain(make(layout.body)), plain(full(KALSHI.header))
    codec = trained(message, head)
    assert fast(codec, message, head) is not None or _beyond_ascii(codec, message, head)
    for block, attribute in [*places(message), *places(head)]:
        kept = getattr(block, attribute)
        for value in HOSTILE:
            setattr(block, attribute, value)
            expected = outcome(codec, message, head, careful=True)
            assert outcome(codec, message, head) == expected
            assert outcome(codec, message, head) == expected
        setattr(block, attribute, kept)


def _beyond_ascii(codec: Codec, message: Any, head: Any) -> bool:
    data = codec._encode_carefully(message, head)
    return not data.isascii() or b"\0" in data


@every_message
@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(data=st.data())
def test_any_message_is_written_the_same_fast(layout: MessageLayout, data: st.DataObject) -> None:
    message = data.draw(messages(layout, KALSHI))
    head = data.draw(headers(KALSHI))
    codec = trained(message, head)
    expected = codec._encode_carefully(message, head)
    assert codec.encode(message, head) == expected
    assert fast(codec, message, head) in (None, expected)
    again = copy.deepcopy(message)
    block, attribute = data.draw(st.sampled_from(list(places(again))))
    setattr(block, attribute, data.draw(st.sampled_from(HOSTILE)))
    assert outcome(codec, again, head) == outcome(codec, again, head, careful=True)


# --- what the fast path takes, and what it leaves ------------------------------------------------------


def trained_on(message: Any) -> Codec:
    codec = Codec(DIALECT)
    for _ in range(2):
        codec.encode(message, header(message.MSG_TYPE))
    return codec


def taken(message: Any, *, head: Any = None, learnt: Any = None) -> bytes | None:
    """What the fast path alone makes of a message, after it has seen another one of its form."""
    codec = Codec(DIALECT)
    head = header(message.MSG_TYPE) if head is None else head
    for _ in range(2):
        codec.encode(learnt or message, head)
    found = fast(codec, message, head)
    if found is not None:
        assert found == codec._encode_carefully(message, head)
    return found


def order(**values: Any) -> Order:
    return Order(**{"cl_ord_id": "a", "order_qty": "10.00", "side": "1"} | values)


def test_other_values_are_taken_and_other_forms_are_not() -> None:
    assert taken(order(order_qty="7", cl_ord_id="b"), learnt=order())
    assert taken(order(text="x"), learnt=order()) is None
    assert taken(order(), learnt=order(text="x")) is None
    assert taken(order(text="é"), learnt=order(text="x")) is None
    assert taken(order(unknown=[(9001, b"x")]), learnt=order()) is None
    assert taken(order(party_ids=[Party(party_id="p")]), learnt=order()) is None


def test_groups_are_taken_with_entries_of_any_form() -> None:
    assert taken(order(party_ids=[Party(party_id="p"), Party(party_id="q")]))
    assert taken(order(party_ids=[Party(party_id="p", unknown=[(9002, b"y")])])) is None
    assert taken(Book(symbol="K"))
    assert taken(Book(symbol="K", md_entries=[Entry(md_entry_type="1", md_entry_px="1")] * 2))


def test_decimals_are_written_the_same_in_any_context() -> None:
    plain = taken(order(order_qty="1.50"))
    for text in ("1.50", "1E+3", "1E-9", "1E-7", "NaN", "Infinity", "-0E+2", "9" * 19, "9" * 20):
        message = order()
        message.order_qty = Decimal(text)
        with decimal.localcontext(decimal.Context(prec=2, capitals=0)):
            codec = trained_on(order())
            assert outcome(codec, message, header("D")) == outcome(codec, message, header("D"), careful=True)
            assert (fast(codec, message, header("D")) == plain) is (text == "1.50")


def test_data_is_taken_with_its_length() -> None:
    assert taken(Logon(raw_data=b"a|b"))
    assert taken(Logon(raw_data=b"a\x01\xe9")) is None


def test_a_long_message_has_its_sum_and_length_right() -> None:
    for size in range(ADLER_ASCII_BLOCK - 120, ADLER_ASCII_BLOCK + 20):
        assert taken(order(text="~" * size), learnt=order(text="x"))
    assert taken(order(text="x" * 5000))


def test_the_names_of_another_route_are_written() -> None:
    codec, message = Codec(DIALECT), order()
    for name in ("key", "key", "other", "ключ", "other", "key"):
        head = attrs.evolve(header("D"), sender_comp_id=name) if name != "ключ" else header("D")
        if name == "ключ":
            head.sender_comp_id = name
        assert outcome(codec, message, head) == outcome(codec, message, head, careful=True)


def test_moments_are_written_whatever_was_written_before() -> None:
    codec, head, message = trained_on(order()), header("D"), order()
    begin = NOON.replace(microsecond=0)
    steps = (0, 1, 999, 1000, 123_456, 999_999, 1_000_000, -1, 60_000_000, 86_400_000_000, -86_400_000_000)
    moments = [begin + timedelta(microseconds=step) for step in steps]
    # Every moment after every other one.
    for before in moments:
        for moment in moments:
            for head.sending_time in (before, moment):
                found = fast(codec, message, head)
                assert found == codec._encode_carefully(message, head)
                assert found is not None


def test_moments_of_entries_and_of_messages_do_not_get_mixed_up() -> None:
    message, head = full(KALSHI.messages["D"].body), full(KALSHI.header)
    plain(message), plain(head)
    codec = trained(message, head)
    for day in (1, 2):
        for number, attribute in enumerate(("sending_time", "orig_sending_time")):
            setattr(head, attribute, NOON + timedelta(days=day, hours=number))
        message.expire_time = NOON - timedelta(days=day)
        assert fast(codec, message, head) == codec._encode_carefully(message, head)


def test_moments_of_entries_are_written_whatever_was_written_before() -> None:
    symbol, entries = BOOK.body.members[:2]
    assert isinstance(entries, GroupMember)
    moment = FieldMember(attrs.evolve(DIALECT.fields[273], kind=Kind.UTCTIMESTAMP))
    entry = attrs.evolve(entries.entry, members=(*entries.entry.members[:-1], moment))
    body = attrs.evolve(BOOK.body, members=(symbol, attrs.evolve(entries, entry=entry)))
    layout, head = attrs.evolve(BOOK, body=body), header("W")
    book = Book(symbol="K", md_entries=[Entry(md_entry_type="1", md_entry_px=1) for _ in range(3)])
    compose = composer(layout, DIALECT, form_of(layout, DIALECT, book, head))
    for seconds in ((0, 1, 0), (0, 0, 86400), (None, 5, -5)):
        moments = [None if each is None else NOON + timedelta(seconds=each) for each in seconds]
        for made, value in zip(book.md_entries, moments, strict=True):
            made.md_entry_time = value  # type: ignore[assignment]
        found = compose(book, head)
        assert found is not None
        written = [field[4:].decode() for field in found.split(b"\x01") if field.startswith(b"273=")]
        assert written == [format_utctimestamp(value) for value in moments if value is not None]
        assert is_frame(found)


def test_what_cannot_be_written_is_named_whatever_form_came_before() -> None:
    codec = Codec(DIALECT)
    first, second = kinds_of_order(2)
    for message in (first, first, second, second):
        codec.encode(message, header("D"))
    for message in (first, second):
        for value in HOSTILE:
            message.order_qty = value  # type: ignore[assignment]
            expected = outcome(codec, message, header("D"), careful=True)
            assert outcome(codec, message, header("D")) == expected


def test_a_request_without_header_and_one_of_unknown_type_go_the_careful_way() -> None:
    codec = Codec(DIALECT)
    for message in (Request(), UnknownMessage(msg_type="ZZ", unknown=[(55, b"K")])):
        for _ in range(3):
            assert outcome(codec, message, None) == outcome(codec, message, None, careful=True)
    assert not codec._forms._forms


def test_a_header_that_does_not_begin_with_names_is_written_in_its_order() -> None:
    members = sorted(DIALECT.header.members, key=lambda member: member.tag != 34)
    dialect = attrs.evolve(DIALECT, header=attrs.evolve(DIALECT.header, members=tuple(members)))
    codec = Codec(dialect)
    for _ in range(2):
        codec.encode(order(), header("D"))
    found = fast(codec, order(), header("D"))
    assert found is not None
    assert is_frame(found)
    assert b"\x0135=D\x0134=7\x0149=key\x0156=venue\x01" in found


# --- bounds ------------------------------------------------------------------------------------------


PLAIN: dict[str, Any] = {"cl_ord_id": "a", "order_qty": 1}


def kinds_of_order(count: int) -> list[Order]:
    """Orders of different forms."""
    optional = [
        m.attribute for m in Order.LAYOUT.members if getattr(Order(**PLAIN), m.attribute) in (None, [])
    ]
    filled = full(DIALECT.messages["D"].body)
    found = []
    for number in range(count):
        made = Order(**PLAIN)
        for place, attribute in enumerate(optional):
            if number >> place & 1:
                setattr(made, attribute, getattr(filled, attribute))
        found.append(made)
    return found


def test_the_forms_kept_of_a_class_are_bounded() -> None:
    codec = Codec(DIALECT)
    for message in kinds_of_order(forms.MAX_FORMS + 3):
        for _ in range(2):
            codec.encode(message, header("D"))
    assert len(codec._forms._forms[Order]) == forms.MAX_FORMS


def test_the_form_used_last_stands_in_front() -> None:
    codec = Codec(DIALECT)
    first, second = kinds_of_order(2)
    for message in (first, first, second, second):
        codec.encode(message, header("D"))
    before = codec._forms._forms[Order]
    codec.encode(first, header("D"))
    assert codec._forms._forms[Order] == (before[1], before[0])


def test_a_form_seen_once_is_forgotten_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "MAX_SIGHTINGS", 1)
    codec = Codec(DIALECT)
    first, second = kinds_of_order(2)
    for message in (first, second, first):
        codec.encode(message, header("D"))
    assert not codec._forms._forms


def test_code_is_made_ever_more_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "FREE_COMPILATIONS", 0)
    monkeypatch.setattr(forms, "WRITINGS_PER_COMPILATION", 5)
    codec = Codec(DIALECT)
    for _ in range(4):
        codec.encode(order(), header("D"))
    assert not codec._forms._forms
    codec.encode(order(), header("D"))
    assert len(codec._forms._forms[Order]) == 1


def test_values_that_are_not_plain_make_no_second_form() -> None:
    codec = Codec(DIALECT)
    for _ in range(5):
        codec.encode(order(text="é"), header("D"))
    assert len(codec._forms._forms[Order]) == 1


def test_heads_are_ready_for_what_is_added_up_at_once() -> None:
    ready = heads("FIXT.1.1")
    assert ready[12] == b"8=FIXT.1.1\x019=12\x01"
    assert len(ready[-1]) + len(ready) - 1 == ADLER_ASCII_BLOCK
    assert heads("FIXT.1.1") is ready
