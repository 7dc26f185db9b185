"""What the demo tells: a first order on each product, from logon to logout."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from functools import partial
from typing import Protocol

import attrs

from kalshi_fix_adapters.cli.demo.participant import DemoError, Participant
from kalshi_fix_adapters.config.plan import ClientConfig, make_plan
from kalshi_fix_adapters.testing import MARGIN, MARKETS, PREDICTION, Sandbox
from kalshi_fix_sansio import (
    ExecType,
    ExecutionReport,
    MarketDataIncrementalRefresh,
    MarketDataRequest,
    MarketDataSnapshotFullRefresh,
    MDEntryType,
    MDUpdateAction,
    NewOrderSingle,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrdStatus,
    OrdType,
    Side,
    TimeInForce,
)
from kalshi_fix_sansio._generated.sessions import Product
from kalshi_fix_sansio.codec import Inspection

YOU, OTHER = "you", "them"
CHANGE, DELETE, NEW = MDUpdateAction.CHANGE, MDUpdateAction.DELETE, MDUpdateAction.NEW
BID, TRADE = MDEntryType.BID, MDEntryType.TRADE
_Entry = tuple[MDUpdateAction, MDEntryType, str, int]
"""A change of the book: what, of what, price in dollars, contracts (0 for a level that goes)."""


class Listener(Protocol):
    """Who is told what happens."""

    def chapter(self, heading: str, gloss: str) -> None:
        """What happens next, and what to look at."""

    def message(self, product: Product, sender: str, receiver: str, message: Inspection) -> None:
        """A message that passed."""


@attrs.frozen
class Told:
    """A report that somebody got on a product."""

    product: Product
    who: str
    report: ExecutionReport


class DemoScript:
    """Places the orders in a sandbox and tells what becomes of them.

    Raises DemoError if something does not go as it must.
    """

    def __init__(self, sandbox: Sandbox, listener: Listener) -> None:
        self._sandbox = sandbox
        self._listener = listener
        self._chapter = listener.chapter
        self.told: list[Told] = []

    def prediction(self) -> None:
        """Rest an order, amend it, have it filled in part, cancel the rest, and see it all in the book."""
        symbol = MARKETS[PREDICTION][0].rules.ticker
        with self._logged_on(PREDICTION) as (you, books):
            self._subscribe(books, symbol)

            self._chapter(
                f"Place an order that rests: buy 10 contracts of {symbol} at 0.44 dollars",
                "The venue reports twice, pending and new, and the book has a new best bid.",
            )
            order_id = self._place(PREDICTION, you, _order("first", symbol, Side.BUY, "0.44", 10))
            _expect_book(books, (NEW, BID, "0.44", 10))

            self._chapter(
                "Amend it: 12 contracts at 0.45 dollars",
                "In the book the old level goes and the new one comes.",
            )
            you.send(
                OrderCancelReplaceRequest(
                    cl_ord_id="first-amended",
                    orig_cl_ord_id="first",
                    order_id=order_id,
                    symbol=symbol,
                    side=Side.BUY,
                    ord_type=OrdType.LIMIT,
                    price="0.45",
                    order_qty=12,
                )
            )
            self._expect_report(PREDICTION, you, ExecType.PENDING_REPLACE)
            self._expect_report(PREDICTION, you, ExecType.REPLACED, order_qty=12, price=Decimal("0.45"))
            _expect_book(books, (DELETE, BID, "0.44", 0), (NEW, BID, "0.45", 12))

            self._chapter(
                "Another trader sells 5 contracts into it",
                "Both sides get a report of the trade; 7 contracts are left in the book.",
            )
            self._hit(PREDICTION, _order("hit", symbol, Side.SELL, "0.45", 5))
            self._expect_report(
                PREDICTION,
                you,
                ExecType.TRADE,
                ord_status=OrdStatus.PARTIALLY_FILLED,
                last_qty=5,
                leaves_qty=7,
            )
            _expect_book(books, (NEW, TRADE, "0.45", 5), (CHANGE, BID, "0.45", 7))

            self._chapter("Cancel the rest of it", "The level leaves the book.")
            you.send(
                OrderCancelRequest(
                    cl_ord_id="first-cancelled",
                    orig_cl_ord_id="first-amended",
                    order_id=order_id,
                    symbol=symbol,
                    side=Side.BUY,
                )
            )
            self._expect_report(PREDICTION, you, ExecType.PENDING_CANCEL)
            self._expect_report(PREDICTION, you, ExecType.CANCELED, cum_qty=5, leaves_qty=0)
            _expect_book(books, (DELETE, BID, "0.45", 0))

            self._chapter("Log out", "The venue answers each Logout, then the connections close.")

    def margin(self) -> None:
        """Rest an order and have it filled."""
        symbol = MARKETS[MARGIN][0].rules.ticker
        with self._logged_on(MARGIN) as (you, books):
            self._subscribe(books, symbol)

            self._chapter(
                f"Place an order that rests: bid 19.48 dollars for 3 contracts of {symbol}",
                "Margin knows whole contracts, and prices in dollars only.",
            )
            self._place(MARGIN, you, _order("perp", symbol, Side.BUY, "19.48", 3))
            _expect_book(books, (NEW, BID, "19.48", 3))

            self._chapter("Another trader sells 3 contracts into it", "The order is filled, the level gone.")
            self._hit(MARGIN, _order("perp-hit", symbol, Side.SELL, "19.48", 3))
            self._expect_report(MARGIN, you, ExecType.TRADE, ord_status=OrdStatus.FILLED, last_qty=3)
            _expect_book(books, (NEW, TRADE, "19.48", 3), (DELETE, BID, "19.48", 0))

            self._chapter("Log out", "The venue answers each Logout, then the connections close.")

    @contextmanager
    def _logged_on(self, product: Product) -> Iterator[tuple[Participant, Participant]]:
        """Log on for orders and for books, with a key each, and out at the end."""
        self._chapter(
            f"{product.capitalize()}: log on to KalshiNR for orders and to KalshiMD for books",
            "RawData is the signature of your private key. Each connection has an API key of its own.",
        )
        with ExitStack() as stack:
            you = self._participant(YOU, product, "KalshiNR")
            books = self._participant(YOU, product, "KalshiMD", key=1)
            for participant in (you, books):
                stack.enter_context(participant.logged_on())
            yield you, books

    def _participant(self, who: str, product: Product, session: str, key: int = 0) -> Participant:
        options = self._sandbox.options(who, product, session, key)
        return Participant(
            who, make_plan(session, ClientConfig(**options)), partial(self._listener.message, product)
        )

    def _subscribe(self, books: Participant, symbol: str) -> None:
        self._chapter(f"Subscribe to the book of {symbol}", "A snapshot comes first, changes follow.")
        books.send(MarketDataRequest.subscribe(symbol))
        if not books.expect(MarketDataSnapshotFullRefresh, symbol=symbol).md_entries:
            raise DemoError(f"the book of {symbol} is empty, where orders should have rested orders")

    def _place(self, product: Product, who: Participant, order: NewOrderSingle) -> str:
        """Send an order that must rest; return the venue's id of it."""
        who.send(order)
        self._expect_report(product, who, ExecType.PENDING_NEW)
        return self._expect_report(product, who, ExecType.NEW, leaves_qty=order.order_qty).order_id

    def _hit(self, product: Product, order: NewOrderSingle) -> None:
        """Have the other trader come, send an order that must fill at once, and go."""
        other = self._participant(OTHER, product, "KalshiNR")
        with other.logged_on():
            other.send(order)
            self._expect_report(product, other, ExecType.PENDING_NEW)
            self._expect_report(
                product, other, ExecType.TRADE, ord_status=OrdStatus.FILLED, last_qty=order.order_qty
            )

    def _expect_report(
        self, product: Product, who: Participant, exec_type: ExecType, **wanted: object
    ) -> ExecutionReport:
        report = who.expect(ExecutionReport, exec_type=exec_type, **wanted)
        self.told.append(Told(product, who.who, report))
        return report


def _order(cl_ord_id: str, symbol: str, side: Side, price: str, quantity: int) -> NewOrderSingle:
    return NewOrderSingle(
        cl_ord_id=cl_ord_id,
        symbol=symbol,
        side=side,
        ord_type=OrdType.LIMIT,
        time_in_force=TimeInForce.GOOD_TILL_CANCEL,
        price=price,
        order_qty=quantity,
    )


def _expect_book(books: Participant, *changes: _Entry) -> None:
    """Expect these changes of the book, in one message or several."""
    wanted = [(action, kind, Decimal(price), Decimal(size)) for action, kind, price, size in changes]
    while wanted:
        update = books.expect(MarketDataIncrementalRefresh)
        for entry in update.md_entries:
            found = (entry.md_update_action, entry.md_entry_type, entry.md_entry_px, entry.md_entry_size)
            if found not in wanted:
                raise DemoError(f"{books.who} expected other changes of the book, but got {entry}")
            wanted.remove(found)
