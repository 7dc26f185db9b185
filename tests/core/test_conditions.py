"""Conditions on the fields of a message: values, presence, absence; all of them must hold."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from kalshi_fix_sansio import QuoteStatusReport
from kalshi_fix_sansio.dialect.conditions import Choice, Terms, holds, terms
from kalshi_fix_sansio.dialect.layout import Condition


def report(**changes: Any) -> QuoteStatusReport:
    """Return a report with these values, some of which only a received message can have."""
    message = QuoteStatusReport(quote_id="q1", quote_req_id="r1", quote_status=17)
    for name, value in changes.items():
        setattr(message, name, value)
    return message


@pytest.mark.parametrize(
    ("condition", "matching", "other"),
    [
        (("QuoteStatus", ("5", "17")), {}, {"quote_status": 10}),
        (("QuoteStatus", ("18",)), {"quote_status": 18}, {}),
        (("Text", ("no", "never")), {"text": "never"}, {"text": "nevermore"}),
        (("Text", ("no",)), {"text": "no"}, {}),
        (("Text", ()), {"text": "x"}, {}),
        (("Text", ()), {"text": "x"}, {"text": ""}),
        (("QuoteID", None), {"quote_id": None}, {}),
        (("QuoteID", None), {"quote_id": ""}, {}),
        (("QuoteStatus", ()), {"quote_status": 0}, {"quote_status": None}),
        (("QuoteStatus", None), {"quote_status": None}, {"quote_status": 0}),
        (("OrderQty", ()), {"order_qty": Decimal(0)}, {"order_qty": None}),
        (("OrderQty", None), {}, {"order_qty": Decimal(0)}),
    ],
)
def test_a_term_holds_for_its_values_only(
    condition: Any, matching: dict[str, Any], other: dict[str, Any]
) -> None:
    compiled = terms(Condition((condition,)), QuoteStatusReport.LAYOUT)
    assert holds(compiled, report(**matching))
    assert not holds(compiled, report(**other))


def test_all_terms_must_hold_and_an_empty_condition_always_holds() -> None:
    both = terms(Condition((("QuoteStatus", ("17",)), ("Text", ()))), QuoteStatusReport.LAYOUT)
    assert holds(both, report(text="x"))
    assert not holds(both, report())
    assert not holds(both, report(text="x", quote_status=5))
    assert holds(terms(None, QuoteStatusReport.LAYOUT), report())


ONE_FIELD = [
    (("QuoteStatus", ("5", "17")), None),
    (("QuoteStatus", ("17", "18")), ("QuoteStatus", ("18",))),
    (None, ("QuoteStatus", ("17",))),
    (None, None),
]


@pytest.mark.parametrize(
    "conditions",
    [
        ONE_FIELD,
        [*ONE_FIELD, (("Text", ("no",)), None)],
        [*ONE_FIELD, (("QuoteID", None), None)],
        [*ONE_FIELD, (("QuoteStatus", ()), None)],
        [(None, None)],
        [],
    ],
    ids=["one field", "two fields", "absent", "any value", "no term", "no choice"],
)
@pytest.mark.parametrize("status", [5, 10, 17, 18, None])
@pytest.mark.parametrize("quote_id", ["q1", None])
@pytest.mark.parametrize("text", ["no", "x"])
def test_a_choice_selects_by_its_conditions(
    conditions: list[tuple[Any, Any]], status: int | None, quote_id: str | None, text: str
) -> None:
    def compiled(condition: Any) -> Terms:
        return terms(Condition((condition,)) if condition else None, QuoteStatusReport.LAYOUT)

    options = [(index, compiled(when), compiled(unless)) for index, (when, unless) in enumerate(conditions)]
    message = report(quote_status=status, quote_id=quote_id, text=text)
    expected = tuple(
        index
        for index, when, unless in options
        if holds(when, message) and not (unless and holds(unless, message))
    )
    assert Choice(options).select(message) == expected


def test_a_choice_by_one_field_reads_only_that_field() -> None:
    choice = Choice([("yes", terms(Condition((("QuoteStatus", ("17",)),)), QuoteStatusReport.LAYOUT), ())])

    class Report:
        quote_status = 17

    assert choice.select(Report()) == ("yes",)  # type: ignore[arg-type]
