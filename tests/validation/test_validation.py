"""Validation of outgoing messages: every kind of rule, both when it applies and when it does not."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from kalshi_fix_sansio import validation
from kalshi_fix_sansio.dialect.layout import MessageContext, Sender
from kalshi_fix_sansio.dialect.problems import Problem, Reason
from kalshi_fix_sansio.validation import block_checker, validate
from tests.tiny_dialect import (
    BOOK,
    HEADER,
    LOGON,
    ORDER,
    REQUEST,
    SENDING_TIME,
    Book,
    Entry,
    Header,
    Logon,
    Order,
    Party,
    RelatedSym,
    Request,
    header,
)

LAYOUTS = {Order: ORDER, Book: BOOK, Request: REQUEST, Logon: LOGON}


def check(
    message: Any, product: str = "swap", session: str = "OE", sender: Sender = Sender.CLIENT
) -> tuple[Problem, ...]:
    return validate(message, LAYOUTS[type(message)], product=product, session=session, sender=sender)


def breaches(message: Any, **where: Any) -> list[tuple[Reason, int | None]]:
    return [(problem.reason, problem.tag) for problem in check(message, **where)]


def order(**values: Any) -> Order:
    """Return an order whose attributes are set without the constructor's checks."""
    message = Order(cl_ord_id="a", order_qty=1)
    for name, value in values.items():
        setattr(message, name, value)
    return message


def parties(count: int) -> list[Party]:
    return [Party(party_id="p") for _ in range(count)]


def test_a_valid_message_has_no_problems() -> None:
    assert check(order(price=Decimal(1), ord_type="2", symbol="K", text="x")) == ()


def test_missing_required_fields_are_reported() -> None:
    assert breaches(order(cl_ord_id=None, order_qty=None)) == [
        (Reason.REQUIRED_TAG_MISSING, 11),
        (Reason.REQUIRED_TAG_MISSING, 38),
    ]
    assert str(check(order(cl_ord_id=None))[0]) == "ClOrdID (11) is required"


def test_presence_differs_by_product_session_and_sender() -> None:
    assert breaches(order(), product="spot") == [
        (Reason.REQUIRED_TAG_MISSING, 55),
        (Reason.REQUIRED_TAG_MISSING, 44),
    ]
    assert breaches(order(symbol="K"), product="spot") == []
    assert breaches(order(expire_time=SENDING_TIME)) == []
    assert breaches(order(expire_time=SENDING_TIME), session="DC") == [
        (Reason.TAG_NOT_DEFINED_FOR_MESSAGE, 126)
    ]
    assert breaches(order(), sender=Sender.VENUE) == [(Reason.REQUIRED_TAG_MISSING, 453)]
    assert breaches(order(), sender=Sender.VENUE, session="DC") == []
    assert breaches(order(party_ids=parties(1)), session="DC") == [(Reason.TAG_NOT_DEFINED_FOR_MESSAGE, 453)]


def test_a_message_is_allowed_only_on_its_session_types_and_from_its_sender() -> None:
    (problem,) = check(order(), session="MD")
    assert problem.reason is Reason.INVALID_MSG_TYPE
    assert str(problem) == "Order (D) must not be sent by the client on MD (swap)"
    assert str(check(order(), session="MD", product="")[0]).endswith("by the client on MD")
    assert breaches(order(party_ids=parties(1)), session="MD", sender=Sender.VENUE) == []
    assert breaches(Book(symbol="K"), session="MD") == []


def test_conditions_are_checked() -> None:
    (problem,) = check(order(ord_type="2"))
    assert (problem.reason, problem.tag) == (Reason.REQUIRED_TAG_MISSING, 44)
    assert str(problem) == "Price (44) is required when OrdType (40) is 2"
    assert breaches(order(ord_type="1")) == []
    assert breaches(order(text="x", party_ids=parties(1), symbol="K")) == []
    (problem,) = check(order(text="x", party_ids=parties(1)))
    assert (problem.reason, problem.tag) == (Reason.TAG_NOT_DEFINED_FOR_MESSAGE, 58)
    assert str(problem) == (
        "Text (58) must not be sent when NoPartyIDs (453) is present and Symbol (55) is absent"
    )


def test_choices_are_checked() -> None:
    (problem,) = check(order(party_ids=parties(1), alloc_account=1))
    assert (problem.reason, problem.tag) == (Reason.TAG_NOT_DEFINED_FOR_MESSAGE, 79)
    assert breaches(order(symbol="K", price=Decimal(1)), product="spot") == []
    request = Request(related_sym=[RelatedSym(symbol="K"), RelatedSym(order_qty=1, cash_order_qty=1)])
    neither, both = check(request)
    assert str(neither) == (
        "one of OrderQty (38), CashOrderQty (152) is required in entry 1 of NoRelatedSym (146)"
    )
    assert (neither.reason, neither.tag) == (Reason.REQUIRED_TAG_MISSING, 38)
    assert str(both) == (
        "only one of OrderQty (38), CashOrderQty (152) may be sent in entry 2 of NoRelatedSym (146)"
    )
    assert both.tag == 152


def test_groups_are_checked() -> None:
    assert breaches(Request()) == [(Reason.REQUIRED_TAG_MISSING, 146)]
    assert breaches(Book(symbol="K")) == []
    (problem,) = check(order(party_ids=parties(4)))
    assert (problem.reason, problem.tag, problem.value) == (Reason.VALUE_INCORRECT, 453, "4")
    assert str(problem) == "NoPartyIDs (453) has 4 entries: expected 1 to 3"
    entry = Entry(md_entry_type="1", md_entry_px=1)
    entry.md_entry_px = None  # type: ignore[assignment]
    (problem,) = check(Book(symbol="K", md_entries=[Entry(md_entry_type="1", md_entry_px=1), entry]))
    assert str(problem) == "MDEntryPx (270) is required in entry 2 of NoMDEntries (268)"
    (problem,) = check(order(party_ids=[{}]))
    assert str(problem) == "entry 1 of NoPartyIDs (453) must be Party, not dict"
    assert problem.reason is Reason.INCORRECT_DATA_FORMAT


def test_a_group_has_a_minimum_number_of_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    member = REQUEST.body.members[0]
    monkeypatch.setattr(validation, "_cached_checks", {})
    object.__setattr__(member, "minimum", 2)
    try:
        (problem,) = check(Request(related_sym=[RelatedSym(order_qty=1)]))
    finally:
        object.__setattr__(member, "minimum", 1)
    assert str(problem) == "NoRelatedSym (146) has 1 entry: expected 2 or more"


@pytest.mark.parametrize(
    ("values", "tag", "expected"),
    [
        ({"cl_ord_id": "A"}, 11, "ClOrdID (11) is 'A': expected a value matching `[a-z0-9-]+`"),
        ({"cl_ord_id": "abcdefghi"}, 11, "ClOrdID (11) is 'abcdefghi': expected at most 8 characters"),
        ({"alloc_account": 64}, 79, "AllocAccount (79) is '64': expected 63 or less"),
        ({"alloc_account": -1}, 79, "AllocAccount (79) is '-1': expected 0 or more"),
        ({"ord_type": "9"}, 40, "OrdType (40) is '9': expected one of 1 (MARKET), 2 (LIMIT)"),
    ],
)
def test_limits_are_checked(values: dict[str, Any], tag: int, expected: str) -> None:
    (problem,) = check(order(**values))
    assert (problem.reason, problem.tag) == (Reason.VALUE_INCORRECT, tag)
    assert str(problem) == expected


def test_open_codesets_accept_any_value() -> None:
    assert breaches(order(side="Z", party_ids=[Party(party_id="p", party_role=99)])) == []


def test_a_limited_field_of_the_wrong_type_is_a_problem_not_an_exception() -> None:
    (problem,) = check(order(alloc_account="many"))
    assert problem.reason is Reason.INCORRECT_DATA_FORMAT
    assert str(problem) == "AllocAccount (79): expected an integer, not str"


def test_a_secret_value_is_not_in_the_problem() -> None:
    (problem,) = check(Logon(password="SESAME"))
    assert str(problem) == "Password (554) has an invalid value: expected a value matching `[a-z]+`"
    assert problem.value is None


def test_a_block_is_validated_without_a_message() -> None:
    check_header = block_checker(HEADER, MessageContext("", "OE", Sender.CLIENT))
    complete = header("D")
    complete.begin_string, complete.body_length = "FIXT.1.1", 5
    assert check_header(complete) == ()
    assert len(check_header(Header())) == 7


def test_the_cache_of_checkers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "_cached_checks", {})
    monkeypatch.setattr(validation, "_MAX_CACHED", 3)
    for number in range(10):
        assert breaches(order(), product=f"product {number}") == []
        assert len(validation._cached_checks) <= 3
