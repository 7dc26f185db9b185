"""Order books built from the simulated venue's market data equal the venue's own books after random
trading."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import attrs
import pytest

from kalshi_fix_sansio import ExecutionReport, MarketDataRequestReject, OrderCancelRequest, Side, TimeInForce
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import MessageReceived
from kalshi_fix_sansio.trading import BookState, BookUpdate, OrderBooks, StaleReason, Trade
from kalshi_fix_venue.config import AccountConfig
from kalshi_fix_venue.exchange import margin_market, prediction_market
from kalshi_fix_venue.gateway.market_data import SymbolLimits
from tests.trading.feed import request
from tests.venue.venue_harness import Client, VenueHarness, api_key, order

CENTS, SUBPENNY = "KXCENTS-26AUG20", "KXSUBPENNY-26AUG20"
MARKETS = {
    "prediction": (prediction_market(CENTS), prediction_market(SUBPENNY, tick=Decimal("0.0001"))),
    "margin": (margin_market("BTC-PERP"), margin_market("ETH-PERP", tick=Decimal("0.5"))),
}


class RandomTrading:
    """Two traders, and a client that only watches the market data."""

    def __init__(self, product: str, seed: int = 1, **changes: Any) -> None:
        names = ("ann", "bob", "ann-md")
        self.product = product
        self.random = Random(seed)
        self.symbols = [rules.ticker for rules in MARKETS[product]]
        self.harness = VenueHarness(
            seed,
            markets=MARKETS,
            accounts=tuple(
                AccountConfig(owner=owner, product=product, balance=Decimal(10**9))
                for owner in ("ann", "bob")
            ),
            api_keys=tuple(attrs.evolve(api_key(name), product=product) for name in names),
            **changes,
        )
        self.traders = [self.harness.connect(name, product=product) for name in ("ann", "bob")]
        self.books = OrderBooks()
        self.updates: list[BookUpdate] = []
        self.trades: list[Trade] = []
        self.fills: list[tuple[str, Decimal, Decimal]] = []
        self.resting: list[tuple[Client, Message]] = []
        self.watcher = self.watch()

    def watch(self) -> Client:
        return self.harness.connect("ann-md", "KalshiMD", product=self.product)

    def send_request(self, kind: str, *symbols: str) -> None:
        message = request(kind, *symbols)
        self.books.apply(message)
        self.watcher.send(message)
        self.drain()

    def drain(self) -> None:
        """Apply the watcher's events to the books."""
        self.updates = [update for event in self.watcher.events for update in self.books.apply(event)]
        self.watcher.events.clear()
        self.trades += [trade for update in self.updates for trade in update.trades]
        assert [found for update in self.updates for found in update.discrepancies] == []

    def trade(self, number: int) -> None:
        """Send one request, usually an order."""
        trader, symbol = self.random.choice(self.traders), self.random.choice(self.symbols)
        if self.resting and self.random.random() < 0.3:
            owner, found = self.resting.pop(self.random.randrange(len(self.resting)))
            sent: Any = found
            owner.send(
                OrderCancelRequest(
                    cl_ord_id=f"c{number}", orig_cl_ord_id=sent.cl_ord_id, side=sent.side, symbol=sent.symbol
                )
            )
        else:
            step = self.random.randint(-8, 8)
            price = {
                CENTS: Decimal(50 + step) / 100,
                SUBPENNY: Decimal(5000 + step) / 10_000,
                "BTC-PERP": Decimal("64000.1234") + step,
                "ETH-PERP": Decimal(3000) + Decimal(step) / 2,
            }[symbol]
            hundredths = 100 if self.product == "margin" else self.random.choice([1, 25, 100])
            sent = order(
                f"o{number}",
                self.random.choice([Side.BUY, Side.SELL]),
                self.random.randint(1, 30),
                str(price),
                symbol=symbol,
                time_in_force=self.random.choice(
                    [TimeInForce.GOOD_TILL_CANCEL] * 5 + [TimeInForce.IMMEDIATE_OR_CANCEL]
                ),
            )
            sent.order_qty = sent.order_qty * hundredths / 100
            self.resting.append((trader, sent))
            trader.send(sent)
        self._record_fills()
        self.drain()

    def _record_fills(self) -> None:
        """Record each trade once: both sides receive a report, and only the one for the taker counts."""
        for trader in self.traders:
            for message in trader.take():
                if (
                    isinstance(message, ExecutionReport)
                    and message.exec_type == "F"
                    and message.aggressor_indicator
                ):
                    assert message.last_px is not None
                    assert message.last_qty is not None
                    self.fills.append((message.symbol, message.last_px, message.last_qty))

    def compare(self) -> None:
        exchange = self.harness.venue.exchange(self.product)
        for symbol in self.symbols:
            book = self.books[symbol]
            assert book.state is BookState.LIVE
            assert tuple(book.bids) == exchange.levels(symbol, Side.BUY)
            assert tuple(book.offers) == exchange.levels(symbol, Side.SELL)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("product", ["prediction", "margin"])
def test_books_equal_those_of_the_venue(product: str, seed: int) -> None:
    trading = RandomTrading(product, seed)
    for number in range(40):
        trading.trade(number)
    trading.fills.clear()
    trading.send_request("1", *trading.symbols)
    assert [update.snapshot for update in trading.updates] == [True, True]
    trading.compare()
    for number in range(40, 240):
        trading.trade(number)
        trading.compare()
    assert len(trading.trades) > 20
    assert [(trade.symbol, trade.price, trade.size) for trade in trading.trades] == trading.fills
    assert all(trade.traded_at is not None for trade in trading.trades)


def test_books_are_rebuilt_after_a_lost_connection() -> None:
    trading = RandomTrading("prediction")
    trading.send_request("1", *trading.symbols)
    for number in range(30):
        trading.trade(number)
    trading.watcher.session.receive_eof(trading.harness.now)
    trading.watcher.events += trading.watcher.session.events()
    trading.watcher.drop()
    trading.drain()
    assert [update.book.stale_reason for update in trading.updates] == [StaleReason.SESSION_ENDED] * 2
    for number in range(30, 60):
        trading.trade(number)
    trading.watcher = trading.watch()
    trading.drain()
    assert trading.books.stale() == trading.symbols
    trading.send_request("1", *trading.books.stale())
    trading.compare()
    for number in range(60, 90):
        trading.trade(number)
        trading.compare()


def test_an_unsubscribed_market_gets_no_updates() -> None:
    trading = RandomTrading("prediction")
    trading.send_request("1", *trading.symbols)
    trading.send_request("2", SUBPENNY)
    for number in range(40):
        trading.trade(number)
        assert {update.symbol for update in trading.updates} <= {CENTS}
    assert list(trading.books) == [CENTS]
    trading.send_request("0", SUBPENNY)
    book = trading.books[SUBPENNY]
    exchange = trading.harness.venue.exchange("prediction")
    assert (book.state, tuple(book.bids)) == (BookState.SNAPSHOT, exchange.levels(SUBPENNY, Side.BUY))


def test_too_many_markets_are_refused() -> None:
    trading = RandomTrading("prediction", symbol_limits=SymbolLimits(per_request=2, per_session=3))
    trading.send_request("1", CENTS)
    trading.send_request("1", "A", "B", "C")
    assert [(update.symbol, update.book.stale_reason) for update in trading.updates] == [
        (symbol, StaleReason.REQUEST_REFUSED) for symbol in "ABC"
    ]
    assert trading.books[CENTS].is_live
    trading.send_request("1", "NO-SUCH")
    assert trading.books["NO-SUCH"].is_live
    assert trading.books["NO-SUCH"].best_bid is None


def test_a_refusal_is_received_as_a_message() -> None:
    trading = RandomTrading("prediction", symbol_limits=SymbolLimits(per_request=1))
    trading.watcher.send(request("1", *trading.symbols))
    (event,) = (event for event in trading.watcher.events if isinstance(event, MessageReceived))
    assert isinstance(event.message, MarketDataRequestReject)
    assert trading.books.apply(event) == []
