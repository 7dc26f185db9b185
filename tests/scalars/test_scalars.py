"""Scalars: which texts are valid FIX values and which are not; every value survives a round trip."""

from __future__ import annotations

import decimal
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_fix_sansio import scalars
from kalshi_fix_sansio._generated.codesets import Side, to_side
from kalshi_fix_sansio.dialect.layout import Kind
from kalshi_fix_sansio.errors import EncodeError
from kalshi_fix_sansio.scalars import FORMATTERS, LEXICAL, LEXICAL_PLAIN, PARSERS, converting, format_value

NOON = datetime(2026, 8, 1, 12, 0, 0, tzinfo=UTC)

VALID_TEXTS: list[tuple[Kind, str, Any]] = [
    (Kind.STRING, "a b=c", "a b=c"),
    (Kind.STRING, "é\n", "é\n"),
    (Kind.CHAR, "1", "1"),
    (Kind.CHAR, " ", " "),
    (Kind.INT, "0", 0),
    (Kind.INT, "-5", -5),
    (Kind.INT, "00023", 23),
    (Kind.INT, "9" * 18, 10**18 - 1),
    (Kind.LENGTH, "012", 12),
    (Kind.SEQNUM, "7", 7),
    (Kind.NUMINGROUP, "0", 0),
    (Kind.DECIMAL, "10.00", Decimal("10.00")),
    (Kind.DECIMAL, "-0.5", Decimal("-0.5")),
    (Kind.DECIMAL, ".5", Decimal("0.5")),
    (Kind.DECIMAL, "5.", Decimal(5)),
    (Kind.DECIMAL, f"{'9' * 19}.{'9' * 19}", Decimal(f"{'9' * 19}.{'9' * 19}")),
    (Kind.BOOLEAN, "Y", True),
    (Kind.BOOLEAN, "N", False),
    (Kind.UTCTIMESTAMP, "20260801-12:00:00", NOON),
    (Kind.UTCTIMESTAMP, "20260801-12:00:00.123", NOON.replace(microsecond=123000)),
    (Kind.UTCTIMESTAMP, "20260801-12:00:00.123456", NOON.replace(microsecond=123456)),
    (Kind.UTCTIMESTAMP, "20260801-12:00:00.123456999", NOON.replace(microsecond=123456)),
    (Kind.UTCTIMESTAMP, "20161231-23:59:60.500", datetime(2017, 1, 1, 0, 0, 0, 500000, tzinfo=UTC)),
    (Kind.UTCTIMESTAMP, "00010101-00:00:00", datetime(1, 1, 1, tzinfo=UTC)),
    (Kind.UTCDATEONLY, "20240229", date(2024, 2, 29)),
    (Kind.UTCTIMEONLY, "23:59:59", time(23, 59, 59)),
    (Kind.UTCTIMEONLY, "23:59:59.123456789", time(23, 59, 59, 123456)),
    (Kind.UTCTIMEONLY, "23:59:60.250", time(0, 0, 0, 250000)),
    (Kind.DATA, "a\x01=é", b"a\x01=\xe9"),
]

INVALID_TEXTS: list[tuple[Kind, str]] = [
    *((kind, "") for kind in Kind),
    (Kind.STRING, "a\x01b"),
    (Kind.CHAR, "ab"),
    (Kind.CHAR, "\x01"),
    *((Kind.INT, raw) for raw in ("+5", "1_0", " 1", "1 ", "0x1", "1.0", "--1", "-", "9" * 19, "\u0661")),
    *((kind, "-1") for kind in (Kind.LENGTH, Kind.SEQNUM, Kind.NUMINGROUP)),
    *((Kind.DECIMAL, raw) for raw in ("1e5", "1E5", "NaN", "Infinity", "+5", "1_0", " 1", "1 ", "1.2.3")),
    *((Kind.DECIMAL, raw) for raw in (".", "-", "-.", "0x1", "\u0661", "1" * 20, "." + "1" * 20)),
    *((Kind.BOOLEAN, raw) for raw in ("y", "YES", "1", "True")),
    *(
        (Kind.UTCTIMESTAMP, raw)
        for raw in (
            "20260801-12:00:00.1",
            "20260801-12:00:00.12",
            "20260801-12:00:00.1234",
            "20260801-12:00:00.",
            "20260801-12:00:00.1234567890",
            "20260801-12:00:00Z",
            "20260801-12:00:00.123Z",
            "20260801T12:00:00",
            "20260801 12:00:00",
            "2026-08-01-12:00:00",
            "20260801-12:00",
            "20260801-24:00:00",
            "20260801-12:60:00",
            "20260801-12:00:61",
            "20260001-12:00:00",
            "20261301-12:00:00",
            "20260800-12:00:00",
            "20260832-12:00:00",
            "20260229-12:00:00",
            "00000101-12:00:00",
            "99991231-23:59:60",
            "20260801-12:00:00\n",
        )
    ),
    *((Kind.UTCDATEONLY, raw) for raw in ("2026081", "20260230", "00000101", "2026-08-01", "202608011")),
    *((Kind.UTCTIMEONLY, raw) for raw in ("24:00:00", "12:00", "12:00:00.1", "1:00:00", "12:00:00Z")),
]


@pytest.mark.parametrize(("kind", "raw", "value"), VALID_TEXTS)
def test_valid_text_is_read(kind: Kind, raw: str, value: Any) -> None:
    found = PARSERS[kind](raw)
    assert found == value
    assert type(found) is type(value)
    assert getattr(found, "tzinfo", None) is getattr(value, "tzinfo", None)


@pytest.mark.parametrize(("kind", "raw"), INVALID_TEXTS)
def test_invalid_text_is_not_read(kind: Kind, raw: str) -> None:
    with pytest.raises(ValueError, match=r"^expected ") as caught:
        PARSERS[kind](raw)
    assert raw == "" or raw not in str(caught.value) or len(raw) < 3


def test_reading_keeps_the_scale_and_ignores_the_decimal_context() -> None:
    with decimal.localcontext(decimal.Context(prec=2)):
        assert str(PARSERS[Kind.DECIMAL]("123.4500")) == "123.4500"


REPRESENTABLE: list[tuple[Kind, Any, str]] = [
    (Kind.STRING, "a=é\n", "a=é\n"),
    (Kind.CHAR, "Z", "Z"),
    (Kind.INT, -5, "-5"),
    (Kind.LENGTH, 0, "0"),
    (Kind.SEQNUM, 7, "7"),
    (Kind.NUMINGROUP, 2, "2"),
    (Kind.DECIMAL, Decimal("10.00"), "10.00"),
    (Kind.DECIMAL, Decimal("1E+2"), "100"),
    (Kind.DECIMAL, Decimal("1E-8"), "0.00000001"),
    (Kind.DECIMAL, Decimal("-0"), "-0"),
    (Kind.DECIMAL, Decimal("1234567890123456789.5"), "1234567890123456789.5"),
    (Kind.BOOLEAN, True, "Y"),
    (Kind.BOOLEAN, False, "N"),
    (Kind.UTCTIMESTAMP, NOON.replace(microsecond=999999), "20260801-12:00:00.999"),
    (Kind.UTCTIMESTAMP, datetime(1, 1, 1, tzinfo=UTC), "00010101-00:00:00.000"),
    (
        Kind.UTCTIMESTAMP,
        datetime(2026, 8, 1, 23, 30, tzinfo=timezone(timedelta(hours=-4))),
        "20260802-03:30:00.000",
    ),
    (Kind.UTCDATEONLY, date(987, 6, 5), "09870605"),
    (Kind.UTCTIMEONLY, time(1, 2, 3, 999999), "01:02:03.999"),
    (Kind.UTCTIMEONLY, time(1, 2, 3, tzinfo=UTC), "01:02:03.000"),
    (Kind.DATA, b"a\x01\xe9", "a\x01é"),
]


@pytest.mark.parametrize(("kind", "value", "raw"), REPRESENTABLE)
def test_values_are_written(kind: Kind, value: Any, raw: str) -> None:
    assert FORMATTERS[kind](value) == raw


UNREPRESENTABLE: list[tuple[Kind, Any]] = [
    *((kind, None) for kind in Kind),
    *((kind, object()) for kind in Kind),
    (Kind.STRING, ""),
    (Kind.STRING, "a\x01b"),
    (Kind.STRING, "a\0b"),
    (Kind.STRING, "€"),
    (Kind.STRING, b"bytes"),
    (Kind.CHAR, "ab"),
    (Kind.CHAR, ""),
    (Kind.INT, True),
    (Kind.INT, "5"),
    (Kind.INT, 10**18),
    (Kind.INT, -(10**18)),
    (Kind.LENGTH, -1),
    (Kind.SEQNUM, -1),
    (Kind.NUMINGROUP, -1),
    (Kind.DECIMAL, 0.5),
    (Kind.DECIMAL, 5),
    (Kind.DECIMAL, Decimal("NaN")),
    (Kind.DECIMAL, Decimal("sNaN")),
    (Kind.DECIMAL, Decimal("-Infinity")),
    (Kind.DECIMAL, Decimal("1E+1000000")),
    (Kind.DECIMAL, Decimal("1E-1000000")),
    (Kind.DECIMAL, Decimal(10**19)),
    (Kind.DECIMAL, Decimal("0." + "1" * 20)),
    (Kind.BOOLEAN, 1),
    (Kind.BOOLEAN, "Y"),
    (Kind.UTCTIMESTAMP, datetime(2026, 8, 1)),  # noqa: DTZ001
    (Kind.UTCTIMESTAMP, date(2026, 8, 1)),
    (Kind.UTCTIMESTAMP, datetime.max.replace(tzinfo=timezone(timedelta(hours=-4)))),
    (Kind.UTCDATEONLY, NOON),
    (Kind.UTCDATEONLY, "20260801"),
    (Kind.UTCTIMEONLY, time(1, tzinfo=timezone(timedelta(hours=1)))),
    (Kind.DATA, b""),
    (Kind.DATA, "text"),
]


@pytest.mark.parametrize(("kind", "value"), UNREPRESENTABLE)
def test_unrepresentable_values_are_not_written(kind: Kind, value: Any) -> None:
    with pytest.raises(EncodeError):
        FORMATTERS[kind](value)


def test_decimals_are_written_the_same_in_any_context() -> None:
    with decimal.localcontext(decimal.Context(prec=2, capitals=0)):
        assert FORMATTERS[Kind.DECIMAL](Decimal("1E-8")) == "0.00000001"
        assert FORMATTERS[Kind.DECIMAL](Decimal("123.4567")) == "123.4567"


class Letter(StrEnum):
    A = "a"


class Number(IntEnum):
    ONE = 1


def test_enum_members_are_written_as_their_values() -> None:
    assert format_value(Kind.STRING, Letter.A) == "a"
    assert format_value(Kind.INT, Number.ONE) == "1"
    assert f"{scalars.format_char(Letter.A)}{scalars.format_int(Number.ONE)}" == "a1"


CONVERTIBLE: list[tuple[Callable[[Any], Any], Any, Any]] = [
    (scalars.to_str, "x", "x"),
    (scalars.to_char, "x", "x"),
    (scalars.to_int, 5, 5),
    (scalars.to_int, "-5", -5),
    (scalars.to_seqnum, 0, 0),
    (scalars.to_seqnum, "3", 3),
    (scalars.to_decimal, "0.4500", Decimal("0.4500")),
    (scalars.to_decimal, 10, Decimal(10)),
    (scalars.to_decimal, Decimal("1E+2"), Decimal(100)),
    (scalars.to_bool, False, False),
    (scalars.to_datetime, NOON, NOON),
    (scalars.to_datetime, datetime(2026, 8, 1, 8, tzinfo=timezone(timedelta(hours=-4))), NOON),
    (scalars.to_date, date(2026, 8, 1), date(2026, 8, 1)),
    (scalars.to_time, time(1), time(1)),
    (scalars.to_time, time(1, tzinfo=UTC), time(1)),
    (scalars.to_data, b"x", b"x"),
    (scalars.to_data, "é", b"\xe9"),
]


@pytest.mark.parametrize(("convert", "value", "expected"), CONVERTIBLE)
def test_values_are_converted(convert: Callable[[Any], Any], value: Any, expected: Any) -> None:
    found = convert(value)
    assert found == expected
    assert type(found) is type(expected)
    assert getattr(found, "tzinfo", None) == getattr(expected, "tzinfo", None)


REFUSED_TYPES: list[tuple[Callable[[Any], Any], Any]] = [
    (scalars.to_str, 5),
    (scalars.to_str, b"x"),
    (scalars.to_char, 5),
    (scalars.to_int, True),
    (scalars.to_int, 5.0),
    (scalars.to_int, Decimal(5)),
    (scalars.to_seqnum, None),
    (scalars.to_decimal, 0.45),
    (scalars.to_decimal, True),
    (scalars.to_decimal, None),
    (scalars.to_bool, "Y"),
    (scalars.to_bool, 1),
    (scalars.to_datetime, "20260801-12:00:00"),
    (scalars.to_date, NOON),
    (scalars.to_date, "20260801"),
    (scalars.to_time, NOON),
    (scalars.to_data, 5),
]


@pytest.mark.parametrize(("convert", "value"), REFUSED_TYPES)
def test_values_of_wrong_types_are_refused(convert: Callable[[Any], Any], value: Any) -> None:
    with pytest.raises(TypeError):
        convert(value)


REFUSED_VALUES: list[tuple[Callable[[Any], Any], Any]] = [
    (scalars.to_str, ""),
    (scalars.to_str, "a\x01"),
    (scalars.to_str, "€"),
    (scalars.to_char, "ab"),
    (scalars.to_int, "+5"),
    (scalars.to_int, 10**18),
    (scalars.to_seqnum, -1),
    (scalars.to_seqnum, "-1"),
    (scalars.to_decimal, "1e5"),
    (scalars.to_decimal, "1_0"),
    (scalars.to_decimal, " 1"),
    (scalars.to_decimal, Decimal("NaN")),
    (scalars.to_decimal, Decimal("Infinity")),
    (scalars.to_decimal, Decimal("1E+30")),
    (scalars.to_decimal, 10**18),
    (scalars.to_datetime, datetime(2026, 8, 1)),  # noqa: DTZ001
    (scalars.to_datetime, datetime.min.replace(tzinfo=timezone(timedelta(hours=4)))),
    (scalars.to_time, time(1, tzinfo=timezone(timedelta(hours=1)))),
    (scalars.to_data, b""),
    (scalars.to_data, "€"),
]


@pytest.mark.parametrize(("convert", "value"), REFUSED_VALUES)
def test_invalid_values_are_refused(convert: Callable[[Any], Any], value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        convert(value)


def test_the_refusal_of_a_float_suggests_a_decimal() -> None:
    with pytest.raises(TypeError, match=r"a float is not exact: .*Decimal\('0.45'\)"):
        scalars.to_decimal(0.45)  # type: ignore[arg-type]


def test_the_cache_of_decimals_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(converting, "MAX_CACHED_DECIMALS", 2)
    known = converting.Decimals(scalars.parse_decimal)
    for text in ("1", "1.0", "1.00"):
        assert str(known[text]) == text
    assert known["1.00"] is known["1.00"]
    assert list(known) == ["1.00"]
    for _ in range(2):
        with pytest.raises(ValueError, match="expected a decimal"):
            known["1e5"]
    assert list(known) == ["1.00"]


class Impostor(str):
    """A string that compares equal to another string in a lookup."""

    def __eq__(self, other: object) -> bool:
        return other == "1"

    def __hash__(self) -> int:
        return hash("1")


def test_a_cached_decimal_is_not_found_under_another_text() -> None:
    assert scalars.to_decimal("1") == 1
    assert scalars.to_decimal(Impostor("2")) == 2
    with pytest.raises(ValueError, match="expected a decimal"):
        scalars.to_decimal(Impostor("x"))
    assert to_side(Impostor("2")) is Side.SELL


def test_values_accepted_by_the_fast_path_are_valid() -> None:
    """A valid text that matches the expression of the fast path also matches the complete expression."""
    for kind, raw, _ in VALID_TEXTS:
        plain = re.fullmatch(LEXICAL_PLAIN[kind], raw)
        assert plain is None or re.fullmatch(LEXICAL[kind], raw)


def in_milliseconds(value: Any) -> Any:
    """Truncate a time to milliseconds, as formatting does; return any other value unchanged."""
    if isinstance(value, (datetime, time)):
        return value.replace(microsecond=value.microsecond // 1000 * 1000)
    return value


VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.STRING: st.text(st.characters(max_codepoint=255, blacklist_characters="\x00\x01"), min_size=1),
    Kind.CHAR: st.characters(max_codepoint=255, blacklist_characters="\x00\x01"),
    Kind.INT: st.integers(-(10**18) + 1, 10**18 - 1),
    **dict.fromkeys((Kind.LENGTH, Kind.SEQNUM, Kind.NUMINGROUP), st.integers(0, 10**18 - 1)),
    Kind.DECIMAL: st.decimals(-(10**18), 10**18, allow_nan=False, places=9) | st.decimals(-1, 1, places=19),
    Kind.BOOLEAN: st.booleans(),
    Kind.UTCTIMESTAMP: st.datetimes(timezones=st.just(UTC)).map(in_milliseconds),
    Kind.UTCDATEONLY: st.dates(),
    Kind.UTCTIMEONLY: st.times().map(in_milliseconds),
    Kind.DATA: st.binary(min_size=1),
}


@given(st.sampled_from(list(Kind)).flatmap(lambda kind: st.tuples(st.just(kind), VALUES[kind])))
def test_written_values_are_read_back(case: tuple[Kind, Any]) -> None:
    kind, value = case
    raw = FORMATTERS[kind](value)
    found = PARSERS[kind](raw)
    assert found == value
    assert FORMATTERS[kind](found) == raw


@given(st.sampled_from(list(Kind)), st.text(st.sampled_from("0123456789.-:+eE_ YN\x01é"), max_size=30))
def test_reading_returns_a_writable_value_or_raises(kind: Kind, raw: str) -> None:
    try:
        value = PARSERS[kind](raw)
    except ValueError:
        return
    assert PARSERS[kind](FORMATTERS[kind](value)) == in_milliseconds(value)
