"""Dumps: round trips of values with every kind of annotation, and the errors for damaged dumps."""

from __future__ import annotations

import decimal
import json
from datetime import UTC, date, datetime
from datetime import time as day_time
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple

import attrs
import pytest

from kalshi_fix_sansio import (
    EventResendRequest,
    MarketDataRequest,
    MarketResult,
    MarketSettlementReport,
    MultivariateSelectedLeg,
    MultivariateSelectedSide,
    OrderGroupResponse,
    QuoteRequest,
    Side,
)
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.trading import (
    Cash,
    DropCopy,
    OrderBooks,
    OrderGroups,
    Positions,
    RfqCreator,
    RfqMaker,
    SettledParty,
    Settlement,
    Settlements,
)
from kalshi_fix_sansio.trading.common.dumping import (
    NOT_DUMPED,
    VERSION,
    dump_state,
    keyed_by,
    loading,
)
from kalshi_fix_sansio.trading.common.exec_key import NO_KEY, ExecKey
from tests.trading.order_flow import NOON, SYMBOL
from tests.trading.rfq_flow import incoming_rfq

SAMPLE_TIME = datetime(2026, 11, 20, 15, 0, 0, 123456, UTC)


class Colour(Enum):
    RED = "#f00"


class Row(NamedTuple):
    key: ExecKey
    size: Decimal | None = None


@attrs.define
class Item:
    name: str
    parent: Any = attrs.field(metadata=NOT_DUMPED)
    _count: int = 0
    total: int = attrs.field(default=0, metadata=NOT_DUMPED)


@attrs.define
class State:
    flag: bool = True
    level: float = 0.5
    number: Decimal = Decimal("0.4000")
    time: datetime = SAMPLE_TIME
    day: date = date(2026, 11, 20)
    of_day: day_time = day_time(15, 0, 0, 5)
    key: ExecKey = NO_KEY
    colour: Colour = Colour.RED
    side: Side = Side.BUY
    code: Side | str = "?"
    maybe: Row | None = None
    pair: tuple[str, int] = ("a", 1)
    texts: tuple[str, ...] = ("b", "a")
    rows: list[Row] = attrs.field(factory=lambda: [Row(ExecKey(2, 1, 3), Decimal(1)), Row(ExecKey(0, 1, 2))])
    names: set[str] = attrs.field(factory=lambda: {"x", "y"})
    few: frozenset[int] = frozenset((2, 1))
    ordered: dict[int, None] = attrs.field(factory=lambda: {5: None, 3: None})
    by_name: dict[str, Decimal] = attrs.field(factory=lambda: {"a": Decimal("1E+3")})
    labels: dict[str, str] = attrs.field(factory=lambda: {"a": "b"})
    by_number: dict[int, Row | None] = attrs.field(factory=lambda: {7: None})
    items: dict[str, Item] = attrs.field(factory=lambda: {"i": Item("i", None, 3)}, metadata=keyed_by("name"))
    legs: tuple[MultivariateSelectedLeg, ...] = (
        MultivariateSelectedLeg(
            multivariate_selected_event_ticker="E",
            multivariate_selected_market_ticker="M",
            multivariate_selected_side=MultivariateSelectedSide.YES,
        ),
    )


def load(dumped: Any) -> State:
    with loading(dumped, State, "Machine") as state:
        return state


def test_values_of_every_annotation_round_trip() -> None:
    dumped = dump_state(State())
    assert load(json.loads(json.dumps(dumped))) == State()
    assert dumped == {
        "version": VERSION,
        "flag": True,
        "level": 0.5,
        "number": "0.4000",
        "time": "2026-11-20T15:00:00.123456+00:00",
        "day": "2026-11-20",
        "of_day": "15:00:00.000005",
        "key": "-1;-1",
        "colour": "RED",
        "side": "1",
        "code": "?",
        "maybe": None,
        "pair": ["a", 1],
        "texts": ["b", "a"],
        "rows": [["1;3;2", "1"], ["1;2", None]],
        "names": ["x", "y"],
        "few": [1, 2],
        "ordered": [5, 3],
        "by_name": {"a": "1E+3"},
        "labels": {"a": "b"},
        "by_number": [[7, None]],
        "items": [{"name": "i", "count": 3}],
        "legs": [["E", "M", "yes"]],
    }
    state = State(maybe=Row(NO_KEY), code=Side.SELL)
    loaded = load(json.loads(json.dumps(dump_state(state))))
    assert (loaded, loaded.code) == (state, Side.SELL)


def test_an_attribute_added_later_gets_its_default() -> None:
    assert load({"version": VERSION}) == State()


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("flag", 1, "flag: expected bool, not 1"),
        ("level", "1", "level: expected float, not '1'"),
        ("number", 1.5, "number: expected str, not 1.5"),
        ("number", "NaN", "number: an amount must be finite, not NaN"),
        ("number", "x", "number: "),
        ("number", "1" * 5_000, "number: "),
        ("time", "noon", "time: "),
        ("day", "today", "day: "),
        ("key", "1;?", "key: ExecID must be"),
        ("colour", "BLUE", "colour: 'BLUE'"),
        ("side", "?", "side: '\\?' is not a valid Side"),
        ("code", 1, "code: expected str, not 1"),
        ("pair", ["a"], "pair: "),
        ("pair", ["a", True], "pair: expected int, not True"),
        ("texts", "ab", "texts: expected list, not 'ab'"),
        ("rows", [["1;1", "1", 1]], "rows: "),
        ("by_name", [["a", "1"]], "by_name: "),
        ("labels", {"a": 1}, "labels: keys and values must be strings"),
        ("by_number", {"7": None}, "by_number: "),
        ("items", [{}], "items: attributes {'name'} are missing or unknown"),
        ("items", [{"name": "i", "total": 3}], "items: attributes {'total'} are missing or unknown"),
        ("items", [3], "items: expected dict, not 3"),
        ("items", [{"name": 3}], "items: name: expected str, not 3"),
        ("legs", [["E", "M"]], "legs: "),
        ("other", 1, "'other'"),
    ],
)
def test_the_error_for_a_damaged_value_names_its_location(name: str, value: object, error: str) -> None:
    with pytest.raises(ValueError, match=rf"not a valid dump of Machine: .*{error}"):
        load(dump_state(State()) | {name: value})


@pytest.mark.parametrize("name", ["flag", "level", "number", "time", "key", "side", "code", "texts"])
def test_none_is_not_dumped_unless_the_annotation_allows_it(name: str) -> None:
    state = State()
    setattr(state, name, (None,) if name == "texts" else None)
    with pytest.raises((AttributeError, TypeError)):
        dump_state(state)


def test_numbers_do_not_depend_on_the_callers_decimal_context() -> None:
    number = Decimal("0.1234567890123456789012345678901")
    with decimal.localcontext(decimal.Context(prec=3, capitals=0, traps=[])):
        dumped = dump_state(State(number=number))
        assert load(dumped).number == number
        with pytest.raises(ValueError, match="number"):
            load(dumped | {"number": "x"})


def test_errors_raised_while_loading_are_reported_as_a_damaged_dump() -> None:
    with (
        pytest.raises(ValueError, match=r"not a valid dump of Machine: 'b'"),
        loading(dump_state(State()), State, "Machine") as state,
    ):
        assert state.by_name["b"]


# --- dumps of the machines ------------------------------------------------------------------------------

PAYOUT = SettledParty("me", Decimal(1), Decimal(0), Decimal(1), Decimal(0))
SETTLEMENT = Settlement(SYMBOL, NOON.date(), MarketResult.YES, Decimal(1), (PAYOUT,), 1)
PAGE = MarketSettlementReport(
    market_settlement_report_id="r1",
    symbol=SYMBOL,
    clearing_business_date=NOON.date(),
    market_result=MarketResult.YES,
    settlement_price="100",
)
_PAGES: dict[str, Any] = {"symbol": "A", "date": "2026-11-20", "by_id": {}}
_REQUEST: dict[str, Any] = {"frame": None, "symbols": [], "answered": False}


def _maker() -> RfqMaker:
    return RfqMaker(lambda _: None, lambda _: False, lambda: "id")


MACHINES: list[tuple[Any, tuple[object, ...], list[dict[str, Any]]]] = [
    (
        Settlements,
        (PAGE,),
        [{"settlements": [item]} for item in (3, _PAGES | {"date": "x"}, _PAGES | {"by_id": {"r": {}}})],
    ),
    (OrderGroups, (OrderGroupResponse(order_group_id="g"),), [{"groups": [{}]}]),
    (DropCopy, (EventResendRequest(begin_exec_id="7;3"), Instant(1.0, NOON)), [{"logon": 7}]),
    (_maker, (incoming_rfq(), NOON), [{"now": 1}, {"logged_on": 0}]),
    (
        RfqCreator,
        (QuoteRequest.for_market(quote_req_id="r1", symbol=SYMBOL, order_qty=1), NOON),
        [{"dollars": 0}],
    ),
    (Positions, (SETTLEMENT,), [{"refused": "x"}, {"positions": [{}]}]),
    (
        Cash,
        (SETTLEMENT,),
        [{"refused": "x"}, {"balances": [{}]}, {"balances": []}],  # the last: no balance contains the payout
    ),
    (
        OrderBooks,
        (MarketDataRequest.subscribe(SYMBOL),),
        [
            {"books": [{}]},
            {"requests": [_REQUEST | {"frame": "8=FIX"}]},
            {"requests": [_REQUEST | {"symbols": 5}]},
        ],
    ),
]


@pytest.mark.parametrize(("make", "event", "changes"), MACHINES)
def test_a_damaged_dump_of_a_machine_is_refused_and_changes_nothing(
    make: Any, event: tuple[object, ...], changes: list[dict[str, Any]]
) -> None:
    machine = make()
    name, empty = type(machine).__name__, machine.dump()
    machine.apply(*event)
    before = machine.dump()
    assert before != empty
    for version in (VERSION - 1, VERSION + 1, None):
        with pytest.raises(
            ValueError, match=f"the version of a dump of {name} must be {VERSION}, not {version}"
        ):
            machine.load(before | {"version": version})
    for damaged in ({"version": VERSION}, *(before | change for change in changes)):
        with pytest.raises(ValueError, match=f"not a valid dump of {name}: "):
            machine.load(damaged)
    assert machine.dump() == before
