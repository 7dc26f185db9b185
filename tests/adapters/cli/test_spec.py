"""`kalshi-fix spec`: finds every item of the dialect by its name, number or code."""

from __future__ import annotations

import pytest

from kalshi_fix_adapters.cli.spec import MAX_LISTED, _entries, _entry_lines
from kalshi_fix_sansio import DIALECT, TEXTS, NewOrderSingle, OrdStatus
from tests.adapters.cli.runner import invoke


def shown_for(*words: str) -> str:
    return invoke("spec", *words).stdout


def test_every_field_message_and_text_is_found() -> None:
    words = {word for entry in _entries() for word in entry.words}
    for field in DIALECT.fields.values():
        assert {str(field.tag), field.name.lower(), field.attribute.replace("_", "")} <= words
    for layout in DIALECT.messages.values():
        assert {layout.name.lower(), layout.msg_type.lower()} <= words
    assert {value.replace("_", "").lower() for _, value in TEXTS} <= words


@pytest.mark.parametrize("word", ["ord_status", "OrdStatus", "ORDSTATUS", "39", "Ord Status"])
def test_a_field_is_found_in_any_spelling(word: str) -> None:
    assert shown_for(word).startswith("OrdStatus (39)")
    assert f"{OrdStatus.NEW.value} New" in shown_for(word)
    assert "ExecutionReport" in shown_for(word)


def test_a_message_lists_its_fields_and_which_are_required() -> None:
    shown = shown_for(NewOrderSingle.MSG_TYPE)
    assert shown.startswith("NewOrderSingle (D), prediction\n")
    assert "\nNewOrderSingle (D), margin\n" in shown
    assert "ClOrdID (11)\n      required. " in shown


@pytest.mark.parametrize("columns", [60, 80])
def test_no_line_is_wider_than_the_terminal(columns: int) -> None:
    for entry in _entries():
        for line in _entry_lines(entry, columns):
            assert len("".join(text for _, text in line)) <= columns, line
    result = invoke("spec", "ExecutionReport", environ={"COLUMNS": str(columns)})
    assert columns - 12 < max(map(len, result.stdout.splitlines())) <= columns


def test_descriptions_are_searched_for_all_words() -> None:
    shown = shown_for("SELF", "trade")
    assert shown.splitlines()[0].endswith("descriptions with 'SELF trade'")
    assert "SelfTradePreventionType (2964)" in shown
    for block in shown.split("\n\n")[1:]:
        text = " ".join(block.split()).lower()
        assert "self" in text
        assert "trade" in text


def test_a_name_is_preferred_to_descriptions_and_a_long_list_is_truncated() -> None:
    assert shown_for("side").startswith("Side (54)")
    shown = shown_for("order")
    assert int(shown.split()[0]) > MAX_LISTED
    assert len(shown.split("\n\n")) == 2 + MAX_LISTED
    assert shown.endswith("more; add a word to narrow the search\n")
