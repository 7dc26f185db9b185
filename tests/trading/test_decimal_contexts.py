"""State machines compute the same amounts in every decimal context of the caller, without exceptions."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from decimal import Context, Decimal, localcontext
from functools import partial
from itertools import product
from typing import Any

import attrs
import pytest

from kalshi_fix_sansio import (
    ExecutionReport,
    MassCancelResponse,
    OrderGroupRequest,
    OrderMassCancelReport,
    QuoteStatus,
    Side,
)
from kalshi_fix_sansio._generated.layouts.fields import FIELDS
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.dialect.layout import Limit
from kalshi_fix_sansio.dialect.limits import limit_check
from kalshi_fix_sansio.events import MessageReceived
from kalshi_fix_sansio.trading import (
    Account,
    Cash,
    DropCopy,
    DropCopyRange,
    DropCopyReport,
    ExecKey,
    FeeTerms,
    OrderBook,
    OrderBooks,
    OrderGroups,
    Orders,
    Positions,
    QuoteTerms,
    RateBudget,
    RfqCreator,
    RfqMaker,
    Settlements,
    UncertainItems,
    check_fees,
    expected_charges,
)
from tests.helpers import CODEC, HOSTILE_CONTEXTS
from tests.trading.feed import request as market_data_request
from tests.trading.feed import snapshot
from tests.trading.feed import update as book_update
from tests.trading.order_flow import (
    BUY,
    NOON,
    SELL,
    SESSION_ENDED,
    SYMBOL,
    at,
    dump,
    header,
    load,
    logged_on,
    over_the_wire,
    place,
)
from tests.trading.order_flow import report as order_report
from tests.trading.rfq_flow import ack, forwarded_quote, incoming_rfq, status
from tests.trading.rfq_flow import request as rfq_request
from tests.trading.test_order_groups import G, response
from tests.trading.test_settlements import party
from tests.trading.test_settlements import report as settlement_report

NOW = Instant(1000.0, NOON)
PRICE, MARK, SIZE = Decimal("0.4567"), Decimal("0.4711"), Decimal("23456.78")


def fill(number: int, side: Side, quantity: str, price: str, balance: str, **more: Any) -> ExecutionReport:
    return order_report(
        "filled", f"1;{number}", f"o{number}", f"c{number}", side=side, qty=quantity, cum=quantity,
        last=(quantity, price), fee="1.2345", balance=balance, long_qty="12345.67", short_qty="0.01",
        transact_time=at(number), aggressor_indicator=True, **more,
    )  # fmt: skip


# These are built in the decimal context of the tests.
REPORTS = (
    fill(1, BUY, "12345.67", "0.4567", "-5639.50"),
    fill(2, BUY, "98765.43", "0.4321", "-42677.77"),
    fill(3, SELL, "23456.78", "0.5432", "12740.49"),
    fill(4, BUY, "0.0000001", "0.0000002", "-0.000000123"),
    order_report("new", "1;5", "o5", "c5", qty="98765.43"),
    order_report("trade", "1;6", "o5", "c5", qty="98765.43", cum="12345.67", last=("12345.67", "0.4567")),
)
CANCELED_REPORT = over_the_wire(
    OrderMassCancelReport(
        cl_ord_id="all", order_id="op", mass_cancel_response=MassCancelResponse.ALL_ORDERS_CANCELLED
    )
)
PAGES = (
    settlement_report(
        "p1", party("me", "12345.67", "1.2345", long="12345.67"), symbol=SYMBOL, last_fragment=False
    ),
    settlement_report("p2", party("you", "98765.43", "0.0001"), symbol=SYMBOL, last_fragment=False),
    settlement_report(
        "p3", party("me", "0.0000005"), symbol=SYMBOL, last_fragment=True, settlement_price="98.7654"
    ),
)
LEVELS = ("bid 12345.67 at 0.4567", "bid 98765.43 at 0.4321", "offer 23456.78 at 0.5432", "offer 3 at 0.9999")
BOOK = (snapshot(*LEVELS), book_update("change bid 98765.43 at 0.4567", "new offer 12345.67 at 0.5431"))
CONTRACTS = incoming_rfq("R1", quantity="12345.67")
DOLLARS = incoming_rfq("R2", quantity=0, cash_order_qty="98765.43")
QUOTES = (
    forwarded_quote("b1", "0.4321", "0.5432", "bob", bid_size="12345.67", offer_size="98765.43"),
    forwarded_quote("b2", "0.4322", "0.5431", "eve", bid_size="12345.67", offer_size="98765.43"),
)
GROUP_ANSWER = response(G, 123_456)


def orders_and_money() -> Iterator[object]:
    """Yield requests, and the results of their fills, mass cancels and settlements."""
    orders, settlements, drop_copy = Orders("KalshiNR"), Settlements(), DropCopy()
    positions, cash = Positions(), Cash(parties={"me": Account()})
    positions.begin("held", Decimal("12345.67"), PRICE)
    groups = OrderGroups(max_fills=2)
    groups.apply(OrderGroupRequest.create(123_456))
    groups.apply(GROUP_ANSWER)

    def apply_all(*events: object) -> None:
        for event in events:
            groups.apply(event)
            for update in (*orders.apply(event), settlements.apply(event)):
                positions.apply(update)
                cash.apply(update)

    apply_all(logged_on())
    for number, side in enumerate((BUY, BUY, SELL, BUY, BUY), 1):
        placed = orders.new(f"c{number}", SYMBOL, side, "98765.43", "0.4567", secondary_cl_ord_id=G)
        yield CODEC.encode(placed, header(placed))
        apply_all(placed)
    apply_all(*map(MessageReceived, REPORTS))
    order = orders.by_cl_ord_id("c5")
    assert order is not None
    replaced = orders.replace(order, "c6", price="0.4568", leaves_qty="12345.67")
    yield CODEC.encode(replaced, header(replaced))
    apply_all(replaced, orders.cancel_all("all"), MessageReceived(CANCELED_REPORT))
    drop_copy.request({0: ExecKey(0, 1, 1)}, orders.epoch, NOW)
    apply_all(
        *(DropCopyReport(report) for report in REPORTS),
        SESSION_ENDED,
        DropCopyRange(0, ExecKey(0, 1, 9), orders.epoch),
    )
    for settled in PAGES:
        apply_all(settled)
        yield list(settlements.values())
    terms = FeeTerms(taker_rate=Decimal("0.0712"))
    for item in orders:
        yield (
            item,
            item.average_price,
            item.unreported_qty,
            expected_charges(item, terms),
            check_fees(item, terms),
        )
    for position in (positions.of(SYMBOL), positions.of("held")):
        yield position.net, position.average_price, position.realized, position.unexplained
        yield position.unrealized(MARK), position.profit(MARK)
    yield positions.discrepancies(), [attrs.asdict(balance) for balance in cash.values()]
    yield [
        (settlement.payout, settlement.fee, settlement.gross, settlement.parties[0].gross)
        for settlement in settlements.values()
    ]
    yield groups.room(G, at(20)), groups[G].filled_qty
    machines = (orders, positions, cash, settlements, drop_copy, groups)
    yield from map(str, UncertainItems(*machines))
    for machine in machines:
        yield from dumps(machine)


def books() -> Iterator[object]:
    """Yield books, and the figures computed from them."""
    order_books = OrderBooks()
    for event in (market_data_request("1", BOOK[0].symbol), *map(MessageReceived, BOOK)):
        yield order_books.apply(event)
    book: OrderBook = order_books[BOOK[0].symbol]
    for shown in (book, book.without([(BUY, PRICE, Decimal("0.01")), (SELL, Decimal("0.5431"), SIZE)])):
        yield shown, shown.mid, shown.spread, list(shown.bids), list(shown.offers)
        sweep = shown.offers.sweep(SIZE)
        yield sweep, sweep.average, shown.bids.sweep(Decimal(2 * 10**9))


def quotes_of_a_maker() -> Iterator[object]:
    """Yield the messages and the state of a maker, with prices in dollars and in cents."""
    for dollars in (True, False):
        terms = QuoteTerms("0.4567", "0.5432") if dollars else QuoteTerms("0.45", "0.54", rest_remainder=True)
        maker = RfqMaker(partial(_return_terms, terms), lambda _: True, iter(("q1", "q2")).__next__)
        sent: list[Message] = []
        for event in (
            logged_on(use_dollars=dollars),
            *(CONTRACTS, DOLLARS),
            status("q1", QuoteStatus.PENDING, bid_size="98765.43", offer_size="12345.67"),
            status("q1", QuoteStatus.ACCEPTED, side=Side.SELL),
            status("q2", QuoteStatus.PENDING),
            status("q2", QuoteStatus.ACCEPTED, side=Side.BUY),
        ):
            sent += [item.send for item in maker.apply(event, NOON) if item.send is not None]
        yield [CODEC.encode(item, header(item)) for item in sent], maker.exposure()
        yield from ((item.price, item.quantity) for item in map(maker.quote_of, ("q1", "q2")) if item)
        yield from dumps(maker)


def _return_terms(terms: QuoteTerms, rfq: object) -> QuoteTerms:
    return terms


def requests_of_a_creator() -> Iterator[object]:
    """Yield the messages and the state of a creator, with prices in dollars and in cents."""
    for dollars, side in product((True, False), (BUY, SELL)):
        creator = RfqCreator()
        for event in (logged_on(use_dollars=dollars), rfq_request("r1", "12345.67"), ack(), *QUOTES):
            creator.apply(event, NOON)
        rfq = creator.rfq("r1")
        assert rfq is not None
        best = rfq.best(side)
        assert best is not None
        yield best, best.price(side)
        accepted = creator.accept_by_order(rfq, best, side, "c1", quantity="12345.67")
        yield CODEC.encode(accepted, header(accepted)), creator.exposure()
        yield from dumps(creator)


def decisions() -> Iterator[object]:
    """Yield decisions based on numbers from the caller, and on times."""
    budget, order = RateBudget("Basic"), place()
    budget.sent(order, NOW)
    yield budget.wait(order, NOW), budget.dump(NOW)
    yield over_the_wire(REPORTS[0])
    step = limit_check(FIELDS[44], Limit(step=Decimal("0.0001")))
    assert step is not None
    yield [step(Decimal(price), price) for price in ("1234567890.0001", "1234567890.00011")]


def dumps(machine: Any) -> Iterator[object]:
    """Yield the dump of a machine, load it into the same machine, and yield the dump of the result."""
    dumped = dump(machine)
    yield dumped
    load(machine, dumped)
    yield dump(machine)


def all_results() -> list[str]:
    """Return all results of the machines, as text."""
    results = [
        item
        for part in (orders_and_money, books, quotes_of_a_maker, requests_of_a_creator, decisions)
        for item in part()
    ]
    with localcontext(Context(capitals=1)):  # `str` writes exponents as the context specifies.
        return list(map(repr, results))


@pytest.fixture(scope="module")
def expected() -> list[str]:
    return all_results()


@pytest.mark.parametrize("name", HOSTILE_CONTEXTS)
def test_every_machine_computes_the_same_in_any_decimal_context(name: str, expected: list[str]) -> None:
    with localcontext(HOSTILE_CONTEXTS[name]):
        assert all_results() == expected


def test_the_contexts_of_the_library_do_not_depend_on_the_default_context(expected: list[str]) -> None:
    """A new `Context` copies its defaults from `decimal.DefaultContext`, which an application may change
    before it imports the library.
    """
    code = """
import decimal, json
decimal.getcontext()  # created for the tests, before the default changes
default = decimal.DefaultContext
default.prec, default.Emin, default.Emax, default.rounding = 3, -3, 3, decimal.ROUND_UP
for trap in default.traps:
    default.traps[trap] = True
from tests.trading.test_decimal_contexts import all_results
print(json.dumps(all_results()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert json.loads(done.stdout) == expected
