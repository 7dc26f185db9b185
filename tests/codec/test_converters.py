"""The converters of the fast path return the same values as the parsers of the slow path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kalshi_fix_sansio.codec.compiled.converters import CONVERTERS, convert_optional
from kalshi_fix_sansio.dialect.layout import Kind
from kalshi_fix_sansio.scalars import PARSERS

PLAIN = {
    Kind.STRING: ("a", "a=b é"),
    Kind.CHAR: ("1", "é"),
    Kind.INT: ("-12", "007"),
    Kind.LENGTH: ("0", "12"),
    Kind.SEQNUM: ("0", "12"),
    Kind.NUMINGROUP: ("0", "12"),
    Kind.DECIMAL: ("-0.50", "5.", "12"),
    Kind.BOOLEAN: ("Y", "N"),
    Kind.UTCTIMESTAMP: ("20260801-23:59:59", "20260801-23:59:59.123", "20260801-00:00:00.123456789"),
    Kind.UTCDATEONLY: ("20260801", "00010101"),
    Kind.UTCTIMEONLY: ("23:59:59", "00:00:00.123456"),
    Kind.DATA: ("a", "é"),
}


@pytest.mark.parametrize(
    ("kind", "text"), [(kind, text) for kind, texts in PLAIN.items() for text in texts], ids=str
)
def test_converted_values_are_those_of_the_parsers(kind: Kind, text: str) -> None:
    expected = PARSERS[kind](text)
    convert: Callable[[str], Any] = CONVERTERS[kind] or str
    found = convert(text)
    assert (type(found), repr(found), found) == (type(expected), repr(expected), expected)


@pytest.mark.parametrize(
    ("kind", "text"), [(Kind.UTCTIMESTAMP, "20260230-12:00:00"), (Kind.UTCDATEONLY, "20260230")], ids=str
)
def test_impossible_dates_are_refused(kind: Kind, text: str) -> None:
    convert = CONVERTERS[kind]
    assert convert is not None
    with pytest.raises(ValueError, match="day"):
        convert(text)


@pytest.mark.parametrize("convert", [None, str])
@pytest.mark.parametrize("column", [["1", "2"], ["1", None], [None, None]])
def test_a_value_missing_from_an_entry_is_none(
    convert: Callable[[str], Any] | None, column: list[str | None]
) -> None:
    assert list(convert_optional(convert, column)) == column
