"""Reading texts.yaml: known values of Text, texts of refused logons, and mistakes in the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from codegen.errors import SpecError
from codegen.model import Change
from codegen.naming import text_constant
from codegen.read.resolve import load_dialect
from tests.codegen.spec_folder import edited, line_of, message, mistakes_of, write

TEXTS = """\
source: manual
texts:
  NewOrder:
    TOO_LOW: {means: {Level: Low}, since: 1.1.0, doc: "Below the floor."}
    NO_WAY:  {doc: "Just no."}
"""
REFUSALS = """\
source: manual
refusals:
  Locked: {pattern: "locked|denied", resolution: action, doc: "Access is denied."}
  Tide:   {pattern: "tide", resolution: unclear, doc: "Perhaps the tide."}
  Busy:   {pattern: "busy", resolution: time, source: manual, why: "Seen.", doc: "Try again later."}
texts: {}
"""


def test_a_text_may_have_an_equivalent_code(tmp_path: Path) -> None:
    low, no_way = load_dialect(write(tmp_path, texts=TEXTS)).texts
    assert (low.message.name, low.value, low.doc) == ("NewOrder", "TOO_LOW", "Below the floor.")
    assert low.field is not None
    assert low.code is not None
    assert (low.field.name, low.code.name, low.code.value) == ("Level", "Low", "1")
    assert low.pedigree.changes == (Change("added", "1.1.0", "2026-05-18"),)
    assert (low.source, low.location.line) == ("manual", line_of(TEXTS, "TOO_LOW"))
    assert (no_way.value, no_way.field, no_way.code) == ("NO_WAY", None, None)


@pytest.mark.parametrize(
    ("value", "constant"),
    [
        ("TOO_LOW", "TOO_LOW"),
        ("Too low (44)!", "TOO_LOW_44"),
        ("44 is too low", "TEXT_44_IS_TOO_LOW"),
        ("\u2026", "TEXT_"),
    ],
)
def test_every_text_has_a_valid_constant_name(value: str, constant: str) -> None:
    assert text_constant(value) == constant
    assert constant.isidentifier()


@pytest.mark.parametrize(("value", "is_known"), [("NO_WAY", True), ("NOWAY", False)])
def test_the_condition_of_an_answer_may_contain_known_texts(
    tmp_path: Path, value: str, is_known: bool
) -> None:
    rank = "  Rank:        {tag: 5007"
    fields = edited("fields", rank, f'  Text: {{tag: 58, type: STRING, doc: "Text."}}\n{rank}')
    orders = edited("messages_orders", "ClOrdID: absent", f"Text: {value}")
    orders = orders.replace("      Rank:    optional", "      Rank:    optional\n      Text:    optional")
    folder = write(tmp_path, texts=TEXTS, fields=fields, messages_orders=orders)
    if is_known:
        condition = message(load_dialect(folder), "OrderReport").answers[0].open_when
        assert condition is not None
        assert condition.terms[2] == ("Text", ("NO_WAY",))
    else:
        with pytest.raises(SpecError, match="`NOWAY` is not a known text of `Text`; did you mean `NO_WAY`"):
            load_dialect(folder)


@pytest.mark.parametrize(
    ("texts", "old", "new", "mistake"),
    [
        (TEXTS, "NewOrder:", "NewOrders:", "3: message `NewOrders` is not defined; did you mean `NewOrder`?"),
        (TEXTS, "Level: Low", "Rank: Low", "4: `Rank` is not a field of message `NewOrder`"),
        (TEXTS, "Level: Low", "Level: Lowest", "4: `Lowest` is not a code of `Level`; did you mean `Low`?"),
        (
            TEXTS,
            "NO_WAY:",
            "too low:",
            "5: texts `too low` and `TOO_LOW` of `NewOrder` would both be TOO_LOW",
        ),
        (TEXTS, "since: 1.1.0", "since: 1.2.0", "4: version `1.2.0` is not defined"),
        (TEXTS, ', doc: "Below the floor."', "", "4: `texts.NewOrder.TOO_LOW` has no `doc`"),
        (
            REFUSALS,
            "resolution: action",
            "resolution: time",
            "4: refusal `Tide` is after `Locked`, which has",
        ),
        (REFUSALS, "resolution: unclear", "resolution: sleep", "4: `refusals.Tide.resolution` is `sleep`"),
        (REFUSALS, '"tide"', '"(tide"', "4: `refusals.Tide.pattern` is `(tide`; write a regular expression"),
        (REFUSALS, ', doc: "Try again later."', "", "5: `refusals.Busy` has no `doc`"),
        (REFUSALS, "source: manual, why", "source: manuel, why", "5: source `manuel` is not defined"),
    ],
)
def test_mistakes_are_reported(tmp_path: Path, texts: str, old: str, new: str, mistake: str) -> None:
    found = mistakes_of(write(tmp_path, texts=texts.replace(old, new)))
    assert any(f"texts.yaml:{mistake}" in str(item) for item in found)


def test_refusals_of_logons_are_read(tmp_path: Path) -> None:
    locked, tide, busy = load_dialect(write(tmp_path, texts=REFUSALS)).refusals
    assert (locked.name, locked.pattern, locked.resolution, locked.source) == (
        "Locked",
        "locked|denied",
        "action",
        "manual",
    )
    assert (tide.resolution, busy.resolution, busy.doc, busy.why) == (
        "unclear",
        "time",
        "Try again later.",
        "Seen.",
    )
    assert locked.location.line == line_of(REFUSALS, "Locked")
