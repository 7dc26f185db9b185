"""Rules that depend on the session to which a message is sent, and on the flags of its Logon."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
import pytest

from kalshi_fix_sansio.dialect.layout import (
    BlockLayout,
    Condition,
    Dialect,
    FieldMember,
    GroupMember,
    Kind,
    Limit,
    LogonFacts,
    MessageContext,
    Presence,
    Scope,
    Sender,
)
from kalshi_fix_sansio.dialect.limits import limit_text
from kalshi_fix_sansio.validation import block_checker, logon_facts
from tests import tiny_dialect
from tests.tiny_dialect import DIALECT, FIELDS, LOGON, Logon, Order, Party

YES: LogonFacts = (("NewFlag", "Y"),)
NO: LogonFacts = (("NewFlag", "N"),)


def scope(*values: str, **settings: Any) -> Scope:
    return Scope(logon=(("NewFlag", values),), **settings)


def problems_of(
    member: FieldMember | GroupMember, message: Any, logon: LogonFacts | None = (), **changes: Any
) -> str:
    """Return the problems that this member's rules find in a message whose layout also has Side and Text."""
    neighbours = tuple(FieldMember(FIELDS[tag]) for tag in (54, 58) if tag != member.tag)
    layout = BlockLayout("Any", Order, (member, *neighbours), encode=repr)
    context = attrs.evolve(MessageContext("swap", "OE", Sender.CLIENT, "D", logon), **changes)
    return "; ".join(map(str, block_checker(layout, context)(message)))


def order_with_price(price: Any, **values: Any) -> Order:
    return Order(cl_ord_id="a", order_qty=1, price=price, **values)


def price(*limits: Limit, **settings: Any) -> FieldMember:
    field = tiny_dialect.field(44, "Price", "price", Kind.DECIMAL, limits=limits)
    return FieldMember(field, **settings)


IN_CENTS = "expected 1 to 99 cents in steps of 1 when NewFlag is N or absent in the Logon"
IN_DOLLARS = "expected 0.01 to 0.99 dollars in steps of 0.01 when NewFlag is Y in the Logon"
CENTS = Limit(Condition(scope=scope("N", "")), 1, 99, 1, unit="cents")
DOLLARS = Limit(
    Condition(scope=scope("Y")), Decimal("0.01"), Decimal("0.99"), Decimal("0.01"), unit="dollars"
)


@pytest.mark.parametrize(
    ("logon", "value", "expected"),
    [
        ((), "1", None),
        ((), "0.5", IN_CENTS),
        (NO, "99", None),
        (NO, "100", IN_CENTS),
        (YES, "0.5", None),
        (YES, "1", IN_DOLLARS),
        (YES, "0.505", IN_DOLLARS),
        (None, "1000", None),
        (None, "0.505", None),
    ],
)
def test_limits_depend_on_the_logon_and_are_skipped_if_it_is_unknown(
    logon: LogonFacts | None, value: str, expected: str | None
) -> None:
    text = f"Price (44) is '{value}': {expected}" if expected else ""
    for _ in range(2):
        assert problems_of(price(CENTS, DOLLARS), order_with_price(value), logon) == text


def test_the_last_applicable_limit_is_used() -> None:
    general = Limit(minimum=1)
    swap = Limit(Condition(scope=Scope(products=("swap",))), 2)
    venue = Limit(Condition(scope=Scope(sender=Sender.VENUE)), 3)
    assert "2 or more on swap" in problems_of(price(general, swap, venue), order_with_price(1))
    assert "expected 1 or more" in problems_of(price(swap, general), order_with_price(0))
    assert "3 or more" in problems_of(price(general, swap, venue), order_with_price(2), sender=Sender.VENUE)
    assert problems_of(price(general), order_with_price(5)) == ""
    limited_member = price(general, limits=(Limit(minimum=7),))
    assert "expected 7 or more" in problems_of(limited_member, order_with_price(5))
    assert "expected 1 or more" in problems_of(price(general, swap), order_with_price(0), product="spot")
    assert problems_of(price(general, CENTS), order_with_price(-1), None) == ""


def test_limits_may_depend_on_another_field() -> None:
    buying = Limit(Condition((("Side", ("1",)),)), maximum=10)
    quiet = Limit(Condition((("Text", ("", "q")),)), maximum=5)
    member = price(Limit(maximum=100), buying, quiet)
    assert "expected 5 or less" in problems_of(member, order_with_price(6, side="1"))
    assert "expected 5 or less" in problems_of(member, order_with_price(6, text="q"))
    assert "expected 10 or less" in problems_of(member, order_with_price(11, side="1", text="x"))
    assert "expected 100 or less" in problems_of(member, order_with_price(101, side="2", text="x"))
    assert problems_of(member, order_with_price(100, side="2", text="x")) == ""
    assert problems_of(price(buying), order_with_price(11, side="2")) == ""
    assert "expected 10 or less" in problems_of(price(buying), order_with_price(11, side="1"))
    assert "expected a Decimal" in problems_of(price(buying), order_with_invalid_price("x"))


def order_with_invalid_price(value: Any) -> Order:
    """Return an order whose price is set without the constructor's check."""
    message = order_with_price(1)
    message.price = value
    return message


def test_a_member_may_be_allowed_in_some_messages_only() -> None:
    member = FieldMember(
        FIELDS[58],
        only_when=(Condition(scope=Scope(sender=Sender.VENUE)), Condition(scope=Scope(messages=("D", "G")))),
    )
    order = order_with_price(1, text="x")
    assert problems_of(member, order) == ""
    assert problems_of(member, order, msg_type="A") == "Text (58) must not be sent here"
    assert problems_of(member, order, msg_type="A", sender=Sender.VENUE) == ""
    assert problems_of(member, order_with_price(1), msg_type="A") == ""


def test_a_member_may_be_allowed_with_some_values_of_another_field_only() -> None:
    condition = Condition((("Side", ("1",)),), scope("Y"))
    member = FieldMember(FIELDS[58], only_when=(condition,))
    text = "Text (58) may be sent only when NewFlag is Y in the Logon and Side (54) is 1"
    assert problems_of(member, order_with_price(1, text="x", side="1"), YES) == ""
    assert problems_of(member, order_with_price(1, text="x", side="2"), YES) == text
    assert problems_of(member, order_with_price(1, text="x"), YES) == text
    assert problems_of(member, order_with_price(1, side="2"), YES) == ""
    forbidden = problems_of(member, order_with_price(1, text="x", side="1"), NO)
    assert forbidden == "Text (58) must not be sent here"
    assert problems_of(member, order_with_price(1, text="x", side="2"), None) == ""
    group = GroupMember(FIELDS[453], "party_ids", tiny_dialect.PARTY, (448,), only_when=(condition,))
    with_party = order_with_price(1, side="2", party_ids=[Party(party_id="p")])
    assert "NoPartyIDs (453) may be sent only when" in problems_of(group, with_party, YES)
    assert problems_of(group, order_with_price(1, side="2"), YES) == ""


@pytest.mark.parametrize(
    ("logon", "text"),
    [(YES, "Text (58) is required when NewFlag is Y in the Logon"), (NO, ""), ((), ""), (None, "")],
)
def test_logon_flags_may_require_a_member(logon: LogonFacts | None, text: str) -> None:
    member = FieldMember(FIELDS[58], required_when=(Condition(scope=scope("Y")),))
    assert problems_of(member, order_with_price(1), logon).startswith(text)
    assert bool(problems_of(member, order_with_price(1), logon)) == bool(text)
    assert problems_of(member, order_with_price(1, text="x"), logon) == ""


@pytest.mark.parametrize(("logon", "forbidden"), [(YES, True), (NO, False), (None, False)])
def test_logon_flags_may_forbid_a_member(logon: LogonFacts | None, forbidden: bool) -> None:
    member = FieldMember(FIELDS[58], forbidden_when=(Condition((("Side", ("", "1")),), scope("Y")),))
    assert bool(problems_of(member, order_with_price(1, text="x"), logon)) is forbidden
    assert bool(problems_of(member, order_with_price(1, text="x", side="1"), logon)) is forbidden
    assert problems_of(member, order_with_price(1, text="x", side="2"), logon) == ""


@pytest.mark.parametrize(
    ("values", "facts", "covered"),
    [
        (None, (), True),
        (None, YES, False),
        ((), (), False),
        ((), YES, True),
        (("N", ""), (), True),
        (("N", ""), NO, True),
        (("N", ""), YES, False),
        (("Y",), (), False),
    ],
)
def test_conditions_on_a_logon_have_several_forms(
    values: tuple[str, ...] | None, facts: LogonFacts, covered: bool
) -> None:
    logon_scope = Scope(logon=(("NewFlag", values),))
    assert logon_scope.covers(MessageContext("swap", "OE", Sender.CLIENT, "D", facts)) is covered
    assert logon_scope.covers(MessageContext("swap", "OE", Sender.CLIENT)) is None
    words = limit_text(Limit(Condition(scope=logon_scope), max_length=3, pattern="x"))
    assert words.startswith("at most 3 characters, matching `x` when NewFlag is ")


def test_logon_facts_contain_only_fields_that_rules_use() -> None:
    body = attrs.evolve(
        LOGON.body,
        members=(*LOGON.body.members, FieldMember(FIELDS[58], only_when=(Condition(scope=scope("Y")),))),
    )
    dialect: Dialect = attrs.evolve(DIALECT, messages={"A": attrs.evolve(LOGON, body=body)})
    assert dialect.logon_names == {"NewFlag"}
    assert logon_facts(dialect, Logon(new_flag=True)) == YES
    assert logon_facts(dialect, Logon(password="x")) == ()
    assert logon_facts(DIALECT, Logon(new_flag=True)) == ()
    unwritable = Logon()
    unwritable.new_flag = 5  # type: ignore[assignment]
    assert logon_facts(dialect, unwritable) == ()


def test_unknown_codes_can_be_refused_in_a_field_without_limits() -> None:
    member = FieldMember(FIELDS[54], Presence.REQUIRED)
    assert problems_of(member, order_with_price(1, side="Z")) == ""
    text = problems_of(member, order_with_price(1, side="Z"), allow_unknown_codes=False)
    assert text == "Side (54) is 'Z': expected one of 1 (BUY), 2 (SELL); allow_unknown_codes permits others"
    assert problems_of(member, order_with_price(1, side="2"), allow_unknown_codes=False) == ""
