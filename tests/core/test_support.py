"""Code values and lists of group entries, as generated code uses them."""

from __future__ import annotations

import inspect
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any

import pytest

from kalshi_fix_sansio.dialect.support import (
    list_codes,
    shown_value,
    to_code,
    to_entries,
    warn_deprecated,
)
from kalshi_fix_sansio.scalars import to_char, to_int, to_str


class Light(StrEnum):
    RED = "r"


class Tone(StrEnum):
    RED = "r"


class Step(IntEnum):
    ONE = 1


class Swapped(StrEnum):
    """A codeset in which the name of one member is the value of another."""

    UP = "DOWN"
    DOWN = "UP"


def test_a_known_value_becomes_the_member() -> None:
    assert to_code(Light, "r", to_char) is Light.RED
    assert to_code(Light, Light.RED, to_char) is Light.RED
    assert to_code(Step, 1, to_int) is Step.ONE
    assert to_code(Step, "01", to_int) is Step.ONE
    assert to_code(Step, Step.ONE, to_int) is Step.ONE


def test_an_unknown_value_stays_plain() -> None:
    text = to_code(Light, "g", to_char)
    assert (text, type(text)) == ("g", str)
    number = to_code(Step, "77", to_int)
    assert (number, type(number)) == (77, int)


def test_a_member_of_another_codeset_is_refused() -> None:
    with pytest.raises(TypeError, match=r"expected Light or a plain value, not Tone\.RED"):
        to_code(Light, Tone.RED, to_char)
    with pytest.raises(TypeError, match=r"expected Step or a plain value, not Light\.RED"):
        to_code(Step, Light.RED, to_int)


def test_the_lexical_form_is_checked() -> None:
    with pytest.raises(ValueError, match="exactly one character"):
        to_code(Light, "rr", to_char)
    with pytest.raises(ValueError, match="expected an integer"):
        to_code(Step, "+1", to_int)
    with pytest.raises(TypeError, match="not bool"):
        to_code(Step, True, to_int)


def test_the_name_of_a_member_is_refused_as_its_value() -> None:
    with pytest.raises(ValueError, match=r"name of Light\.RED, whose value is 'r'"):
        to_code(Light, "RED", to_str)
    with pytest.raises(ValueError, match=r"name of Step\.ONE, whose value is 1"):
        to_code(Step, "ONE", to_int)
    assert to_code(Swapped, "UP", to_str) is Swapped.DOWN


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"),
        (True, "True"),
        (0.45, "0.45"),
        (Decimal("1E+99999"), "1E+99999"),
        (Decimal(10**99), "1" + "0" * 59 + "..."),
        pytest.param(-(10**5000), "an integer of more than 60 digits", id="huge"),
        (10**59, "1" + "0" * 59),
        ("a\x01", r"'a\x01'"),
        ("a" * 60, "'" + "a" * 60 + "'"),
        ("a" * 61, "'" + "a" * 60 + "'..."),
        (b"a" * 10**6, "b'" + "a" * 60 + "'..."),
        (Light.RED, "Light.RED"),
        ([1] * 10**6, "of class list"),
    ],
)
def test_an_error_text_contains_a_bounded_part_of_a_value(value: Any, text: str) -> None:
    assert shown_value(value) == text


def test_an_error_text_lists_a_bounded_number_of_codes() -> None:
    assert list_codes(Light) == "r (RED)"
    many: Any = IntEnum("many", {f"N{number}": number for number in range(23)})  # type: ignore[misc]
    assert list_codes(many).startswith("0 (N0), 1 (N1), ")
    assert list_codes(many).endswith(", 19 (N19), 3 more")


def test_entries_become_a_new_list() -> None:
    given = ("a", "b")
    entries = to_entries(str, given)
    assert entries == ["a", "b"]
    assert to_entries(str, entries) is not entries


def test_an_entry_of_another_class_is_refused() -> None:
    with pytest.raises(TypeError, match="expected a list of str, not one that contains int"):
        to_entries(str, ["a", 1])


def test_a_deprecated_attribute_warns_at_the_constructor_call() -> None:
    def constructor() -> None:
        warn_deprecated("A message")

    with pytest.warns(DeprecationWarning, match=r"^A message$") as reported:
        constructor()
    assert reported[0].filename == __file__
    assert reported[0].lineno == inspect.currentframe().f_lineno - 2  # type: ignore[union-attr]
