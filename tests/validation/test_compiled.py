"""Compiled validation agrees with `ValueCheck` applied to every value, for any message."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from enum import IntEnum, StrEnum
from itertools import product
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_fix_sansio import DIALECT
from kalshi_fix_sansio.dialect.layout import (
    BlockLayout,
    Condition,
    FieldLayout,
    FieldMember,
    GroupMember,
    Kind,
    Limit,
    MessageContext,
    MessageLayout,
    OneOf,
    Presence,
    Scope,
    Sender,
)
from kalshi_fix_sansio.dialect.limits import limit_check, limit_text
from kalshi_fix_sansio.dialect.problems import Problem, Reason
from kalshi_fix_sansio.errors import EncodeError
from kalshi_fix_sansio.scalars import MAX_INT_DIGITS
from kalshi_fix_sansio.validation import block_checker, compiled, presence_checker, rules
from kalshi_fix_sansio.validation.compiled import Check, compile_rules
from tests import tiny_dialect
from tests.samples import value_of
from tests.strategies import values


class Digits(StrEnum):
    """Values that are equal to codes of the dialects, but are not members of the codes' enums."""

    ONE = "1"
    TWO = "2"
    SIX = "6"


class Numbers(IntEnum):
    """Members that are equal to plain numbers."""

    ONE = 1


class ListSubclass(list[Any]):
    """A subclass of list."""


class Text(str):
    """A subclass of str."""


UNUSUAL_VALUES: tuple[Any, ...] = (
    *(
        None,
        [],
        ListSubclass(),
        (),
        "",
        " ",
        "x",
        "é",
        "a\x01b",
        "a\0b",
        "\x01",
        "\0",
        "1",
        "2",
        "6",
        "F",
        "Y",
        "a" * 65,
    ),
    *(Text("a"), b"", b"x", 0, 1, 2, 63, 64, 73, -1, 10**MAX_INT_DIGITS, 10**MAX_INT_DIGITS - 1, -(10**18)),
    *(True, False, Digits.ONE, Digits.TWO, Digits.SIX, Numbers.ONE, Decimal(1), Decimal("NaN")),
    *(Decimal(100), 1.5, datetime(2026, 8, 1, tzinfo=UTC)),
)


@st.composite
def blocks(draw: st.DrawFn, layout: BlockLayout, depth: int = 0) -> Any:
    """Draw an instance with arbitrary values in its attributes, most of which are valid."""
    block = object.__new__(layout.cls)
    for member in layout.members:
        setattr(block, member.attribute, draw(_anything(member, depth)))
    return block


def _anything(member: FieldMember | GroupMember, depth: int) -> st.SearchStrategy[Any]:
    unusual = st.sampled_from(UNUSUAL_VALUES)
    if isinstance(member, FieldMember):
        field = member.field
        codes = [] if field.codes is None else list(field.codes)
        plain = values(field) | st.just(value_of(field)) | st.sampled_from([None, *codes])
        return plain | plain | plain | unusual
    if depth > 2:
        return st.just([])
    entries = blocks(member.entry, depth + 1)
    lists = st.lists(entries | entries | entries | unusual, max_size=(member.maximum or 2) + 1)
    return st.just([]) | lists | lists.map(ListSubclass) | lists.map(tuple) | unusual


def contexts() -> Iterator[tuple[MessageLayout, str, str, Sender]]:
    tiny = [("swap", "OE"), ("spot", "OE"), ("swap", "DC")]
    venue = [(p, name) for name, kind in DIALECT.session_types.items() for p in kind.products]
    for dialect, pairs in ((tiny_dialect.DIALECT, tiny), (DIALECT, venue)):
        for layout in dialect.messages.values():
            for product_name, session in pairs:
                for sender in Sender:
                    yield layout, product_name, session, sender


def outcome(check: Any, message: Any) -> tuple[Problem, ...] | str:
    try:
        return tuple(check(message))
    # A condition or a limit may be unable to evaluate a value.
    except (EncodeError, TypeError) as error:
        return f"{type(error).__name__}: {error}"


CONTEXTS = list(contexts())


def without_fast_paths(layout: BlockLayout, context: MessageContext) -> Check:
    """Return the checker without the fast paths for values that are obviously valid."""

    def call_check(
        writer: Any, _: FieldMember, value_check: rules.ValueCheck, where: str, __: object
    ) -> list[str]:
        return [f"{writer._name(value_check)}(p, v, {where})"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled._Writer, "_value_lines", call_check)
        patch.setattr(compiled, "_lookup_class", lambda _: None)
        return compile_rules(layout, context)


CHECKS: dict[Any, tuple[Check, Check]] = {}


@given(
    st.sampled_from(CONTEXTS).flatmap(lambda context: st.tuples(st.just(context), blocks(context[0].body))),
    st.booleans(),
)
def test_fast_paths_accept_only_valid_values(drawn: tuple[Any, Any], allow_unknown_codes: bool) -> None:
    (layout, product_name, session, sender), message = drawn
    context = MessageContext(product_name, session, sender, layout.msg_type, (), allow_unknown_codes)
    key = (id(layout), context)
    if key not in CHECKS:
        CHECKS[key] = compile_rules(layout.body, context), without_fast_paths(layout.body, context)
    check, expected = CHECKS[key]
    assert outcome(check, message) == outcome(expected, message)


@given(
    st.sampled_from(CONTEXTS).flatmap(lambda context: st.tuples(st.just(context), blocks(context[0].body)))
)
def test_the_presence_check_reports_the_same_missing_fields(drawn: tuple[Any, Any]) -> None:
    (layout, product_name, session, sender), message = drawn
    context = MessageContext(product_name, session, sender, layout.msg_type)
    complete = outcome(block_checker(layout.body, context), message)
    presence_only = outcome(presence_checker(layout.body, context), message)
    if not isinstance(complete, str):
        assert not isinstance(presence_only, str)
        assert set(presence_only) <= set(complete)
        difference = set(complete) - set(presence_only)
        assert Reason.REQUIRED_TAG_MISSING not in {problem.reason for problem in difference}


# A dialect has few rules. These tests try each kind of rule separately, on each kind of field and with any
# value.

CODES = {Kind.CHAR: tiny_dialect.OrdType, Kind.INT: tiny_dialect.Role}
LIMITS: list[dict[str, Any]] = [
    {"minimum": 1},
    {"maximum": 63},
    {"minimum": -5, "maximum": 5},
    {"minimum": -(10**20), "maximum": 10**20},
    {"max_length": 2},
    {"pattern": "[0-9a-z]*"},
    {"pattern": "(?s:.*)", "max_length": 3},
    {"minimum": 1, "max_length": 1},
    {"limits": (Limit(minimum=1),)},
    {"limits": (Limit(minimum=Decimal("0.01"), maximum=99, step=Decimal("0.01")),)},
    {"limits": (Limit(max_length=1, pattern="[12]"),), "minimum": 1},
    {"limits": (Limit(values=("1", "6", "Y")),)},
    {"limits": (Limit(values=("1", "2"), maximum=1),)},
    {"limits": (Limit(values=("2", "N")),), "max_length": 1},
    {"limits": (Limit(values=("2",)), Limit(Condition((("Text", ("1", "Y")),)), values=("1", "x")))},
    {"limits": (Limit(Condition((("Text", ("1",)),)), values=("1",)), Limit(Condition((("Text", ("2",)),))))},
]
TERMS: list[tuple[str, ...] | None] = [None, (), ("1",), ("2", "6"), ("Y", ""), ("N", "x"), ("3",), ("",)]
PARTY = tiny_dialect.Party(party_id="p")
GROUP_VALUES: tuple[Any, ...] = (
    None,
    [],
    ListSubclass(),
    (),
    "1",
    False,
    [PARTY],
    ListSubclass([PARTY]),
    (PARTY,),
    [PARTY, PARTY],
    [PARTY] * 3,
)
NO_LIMIT: dict[str, Any] = {}


def fields(attribute: str, limits: list[dict[str, Any]]) -> Iterator[FieldLayout]:
    """Yield fields of each kind, with and without codes, with each of the limits."""
    tag = {"side": 54, "text": 58}[attribute]
    for kind in Kind:
        for codes in {None, CODES.get(kind)}:
            for open_codes in (True, False):
                for limit in limits:
                    yield tiny_dialect.field(
                        tag, attribute.title(), attribute, kind, codes=codes, open_codes=open_codes, **limit
                    )


def check_of(*members: FieldMember | GroupMember, product: str = "") -> Check:
    """Return the compiled check of an order that consists of these members."""
    layout = BlockLayout("Any", tiny_dialect.Order, members, encode=repr)
    return compile_rules(layout, MessageContext(product, "", Sender.CLIENT))


def order(**changes: Any) -> Any:
    given: dict[str, Any] = {"cl_ord_id": "a", "order_qty": 1, **changes}
    return tiny_dialect.Order(**given)


def group(**settings: Any) -> GroupMember:
    return GroupMember(tiny_dialect.FIELDS[453], "party_ids", tiny_dialect.PARTY, (448,), **settings)


def compare_checkers(
    members: tuple[FieldMember | GroupMember, ...], pools: dict[str, tuple[Any, ...]], *one_of: OneOf
) -> int:
    """Compare both checkers on all combinations of values; return the number of valid combinations."""
    layout = BlockLayout("Any", tiny_dialect.Order, members, encode=repr, one_of=one_of)
    context = MessageContext("", "", Sender.CLIENT)
    check, expected, valid = compile_rules(layout, context), without_fast_paths(layout, context), 0
    message = order()
    for drawn in product(*pools.values()):
        for attribute, value in zip(pools, drawn, strict=True):
            setattr(message, attribute, value)
        found = outcome(check, message)
        assert found == outcome(expected, message), (drawn, members, one_of)
        valid += found == ()
    return valid


@pytest.mark.parametrize("presence", Presence)
def test_compiled_checks_of_presence_and_limits_agree(presence: Presence) -> None:
    limited = fields("text", [NO_LIMIT, *LIMITS])
    assert sum(
        compare_checkers((FieldMember(field, presence),), {"text": UNUSUAL_VALUES}) for field in limited
    )


@pytest.mark.parametrize("terms", TERMS)
@pytest.mark.parametrize("when", ["required_when", "forbidden_when", "only_when"])
def test_conditions_are_checked(when: str, terms: tuple[str, ...] | None) -> None:
    for field in fields("side", [NO_LIMIT]):
        rule: dict[str, Any] = {when: (Condition((("Side", terms),)),)}
        tested, text = FieldMember(field), tiny_dialect.FIELDS[58]
        compare_checkers((tested, FieldMember(text, **rule)), {"side": UNUSUAL_VALUES, "text": GROUP_VALUES})
        compare_checkers((tested, group(**rule)), {"side": UNUSUAL_VALUES, "party_ids": GROUP_VALUES})
    rule = {when: (Condition((("NoPartyIDs", terms),)), Condition((("Symbol", ()), ("Side", None))))}
    members = (group(), FieldMember(tiny_dialect.FIELDS[55]), FieldMember(tiny_dialect.FIELDS[54]))
    pools = {"party_ids": GROUP_VALUES, "symbol": GROUP_VALUES, "side": GROUP_VALUES, "text": GROUP_VALUES}
    assert compare_checkers((*members, FieldMember(tiny_dialect.FIELDS[58], **rule)), pools)


@pytest.mark.parametrize("optional", [False, True])
@pytest.mark.parametrize("at_least", [False, True])
def test_choices_are_checked(optional: bool, at_least: bool) -> None:
    members = (FieldMember(tiny_dialect.FIELDS[55]), FieldMember(tiny_dialect.FIELDS[58]), group())
    rule = OneOf(("Symbol", "NoPartyIDs", "Text"), optional=optional, at_least=at_least)
    assert compare_checkers(
        members, {"symbol": GROUP_VALUES, "text": GROUP_VALUES, "party_ids": GROUP_VALUES}, rule
    )


@pytest.mark.parametrize("presence", Presence)
@pytest.mark.parametrize("minimum", [0, 1, 2])
@pytest.mark.parametrize("maximum", [None, 2])
def test_groups_are_checked(presence: Presence, minimum: int, maximum: int | None) -> None:
    class Another(tiny_dialect.Party):
        """A class that the dialect does not know."""

    invalid, other = tiny_dialect.Party(party_id="p"), Another(party_id="p")
    invalid.party_id = None  # type: ignore[assignment]
    lists = [[invalid], [PARTY, invalid], [other], [other, PARTY], [None], [PARTY, {}]]
    member = group(presence=presence, minimum=minimum, maximum=maximum)
    compare_checkers((member,), {"party_ids": (*GROUP_VALUES, *lists)})


def test_the_number_of_entries_may_depend_on_another_field() -> None:
    """The last limit that applies replaces the counter's own limit; the bounds of the group apply too."""
    counter = tiny_dialect.field(
        453, "NoPartyIDs", "no_party_ids", Kind.NUMINGROUP, limits=(Limit(maximum=2),)
    )
    neighbours = (FieldMember(tiny_dialect.FIELDS[54]), FieldMember(tiny_dialect.FIELDS[58]))
    member = GroupMember(
        counter, "party_ids", tiny_dialect.PARTY, (448,), maximum=4,
        limits=(
            Limit(Condition((("Side", ("1",)),)), minimum=2), Limit(Condition((("Text", ()),)), maximum=1),
        ),
    )  # fmt: skip
    check, message = check_of(*neighbours, member), order()
    for side, text, valid_counts, expected in (
        ("2", None, {1, 2}, "expected 0 to 2"),
        ("1", None, {2, 3, 4}, "expected 2 or more when Side (54) is 1"),
        ("1", "x", {1}, "expected 0 to 1 when Text (58) is present"),
        ("2", "x", {1}, "expected 0 to 1 when Text (58) is present"),
    ):
        message.side, message.text = side, text
        for number in range(1, 5):
            message.party_ids = [PARTY] * number
            entries = "1 entry" if number == 1 else f"{number} entries"
            text = f"NoPartyIDs (453) has {entries}: {expected}"
            assert list(map(str, check(message))) == ([] if number in valid_counts else [text])
        message.party_ids = [PARTY] * 5
        assert "NoPartyIDs (453) has 5 entries: expected 0 to 4" in map(str, check(message))
        message.party_ids = []
        assert check(message) == ()


@pytest.mark.parametrize(
    ("sent", "holds"),
    [("1", True), ("2 1", True), ("1 2", True), ("2", False), ("12", False), ("2 12", False), (None, False)],
)
def test_a_field_with_several_codes_matches_each_of_them(sent: str | None, holds: bool) -> None:
    plain = tiny_dialect.field(54, "Side", "side", Kind.STRING, codes=tiny_dialect.OrdType)
    several = attrs.evolve(plain, fix_type="MULTIPLECHARVALUE")
    text = FieldMember(tiny_dialect.FIELDS[58], forbidden_when=(Condition((("Side", ("1",)),)),))
    compare_checkers(
        (FieldMember(several), text), {"side": (*UNUSUAL_VALUES, "2 1", "1 6"), "text": GROUP_VALUES}
    )
    message = order(text="x")
    message.side = sent
    assert bool(check_of(FieldMember(several), text)(message)) is holds
    limited = FieldMember(several, limits=(Limit(values=("1", "2")),))
    compare_checkers((limited,), {"side": (*UNUSUAL_VALUES, "2 1", "1 6")})
    assert bool(check_of(limited)(message)) is (sent in ("12", "2 12"))


def test_the_error_names_the_allowed_values_and_their_conditions() -> None:
    limit = Limit(Condition((("Text", ("q", "")),), Scope(products=("swap",))), values=("1", "7"))
    members = FieldMember(tiny_dialect.FIELDS[40], limits=(limit,)), FieldMember(tiny_dialect.FIELDS[58])
    message = order(ord_type="2")
    (problem,) = check_of(*members, product="swap")(message)
    assert str(problem) == (
        "OrdType (40) is '2': expected 1 (MARKET) or 7 on swap when Text (58) is q or absent"
    )
    assert limit_text(limit) == "1 or 7 on swap when Text is q or absent"
    assert check_of(*members, product="spot")(message) == ()
    message.text = "x"
    assert check_of(*members, product="swap")(message) == ()


class SlowPathUsed(AssertionError):
    """Raised when a value is passed to `ValueCheck`."""


def test_a_typical_order_is_validated_only_by_fast_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    check = compile_rules(tiny_dialect.ORDER.body, MessageContext("swap", "OE", Sender.CLIENT))

    def refuse(*_: object) -> None:
        raise SlowPathUsed

    message = tiny_dialect.Order(
        cl_ord_id="abc-1", order_qty=1, ord_type="2", price="0.5", side="1", symbol="K", text="hello"
    )
    assert check(message) == ()
    monkeypatch.setattr(rules.ValueCheck, "__call__", refuse)
    assert check(message) == ()
    message.price, message.ord_type = None, tiny_dialect.OrdType.MARKET
    assert check(message) == ()
    message.party_ids = [tiny_dialect.Party(party_id="p", party_role=3)]
    assert check(message) == ()
    message.party_ids, message.alloc_account = [], 63
    assert check(message) == ()
    message.cl_ord_id = "ABC"
    with pytest.raises(SlowPathUsed):
        check(message)


def test_the_cache_of_valid_decimals_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MAX_CACHED_DECIMALS", 3)
    field = tiny_dialect.field(44, "Price", "price", Kind.DECIMAL, minimum=1)
    value_check = rules.ValueCheck(field, limit_check(field))
    problems: list[Problem] = []
    for value in (1, 2, 3, 4, 5, 0):
        value_check.check_decimal(problems, Decimal(value), "")
        assert len(value_check.valid_decimals) <= 3
    assert [problem.value for problem in problems] == ["0"]
    assert value_check.valid_decimals == {4, 5}


def test_absent_fields_are_those_the_encoder_omits() -> None:
    """A field is absent if it is None, and a group if its sequence of entries, of any type, is empty."""
    text_field = FieldMember(tiny_dialect.FIELDS[58], Presence.FORBIDDEN)
    check, message = check_of(text_field, group(presence=Presence.FORBIDDEN)), order()
    for text, parties, tags in (
        (None, [], []),
        (None, (), []),
        ([], [], [58]),
        ("", [], [58]),
        (None, (PARTY,), [453]),
        (None, [PARTY], [453]),
    ):
        message.text, message.party_ids = text, parties
        assert [problem.tag for problem in check(message)] == tags
