"""Whatever creators, makers and traders do, in any order, money and contracts are conserved, every owner's
balance follows from the reports, and every accepted request ends."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from kalshi_fix_sansio import (
    ExecutionReport,
    Quote,
    QuoteRequest,
    QuoteRequestAck,
    QuoteStatus,
    QuoteStatusReport,
    RFQCancel,
    RFQCancelStatus,
    Side,
)
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_venue.config import ApiKey
from kalshi_fix_venue.exchange import AccountId, MarketState, PauseState
from kalshi_fix_venue.exchange.fees import PREDICTION_FEES
from kalshi_fix_venue.gateway.rfq import RfqSettings
from tests.venue.exchange_harness import MARKET
from tests.venue.rfq.rfq_harness import (
    BUY,
    NAMES,
    OTHER,
    SELL,
    VOLATILE,
    RfqHarness,
    accept,
    accounts,
    cancel_quote,
    confirm,
    key,
    quote,
    request,
)
from tests.venue.venue_harness import KEYS, Client, new_key, order

OWNERS = ("ann", "bob", "cat", "dan")
FEEDS = tuple(f"{owner}-feed" for owner in OWNERS)
KEYS.update({name: new_key(name) for name in FEEDS if name not in KEYS})
MARKETS = (MARKET, OTHER, VOLATILE)
STEPS = 250


def all_keys() -> tuple[ApiKey, ...]:
    return tuple(key(name) for name in (*NAMES, *FEEDS))


class History:
    """Two creators, three makers and two traders in the book, who act at random."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.harness = RfqHarness(
            fees={"prediction": PREDICTION_FEES},
            api_keys=all_keys(),
            accounts=accounts(ann=300, bob=400, cat=5000, dan=200),
            rfqs=RfqSettings(lifetime=60),
        )
        self.feeds = {
            owner: self.harness.connect(f"{owner}-feed", "KalshiNR", listener_session=True)
            for owner in OWNERS
        }
        self.creators = {name: self.harness.creator(name) for name in ("ann", "dan")}
        self.makers: dict[str, Client | None] = {
            name: self.harness.maker(name) for name in ("bob", "cat", "ann-maker")
        }
        self.traders = [self.harness.connect(name, "KalshiNR") for name in ("dan-nr", "bob-2")]
        self.number = 0
        self.requests: dict[str, str] = {}
        """The venue's id of each request that a maker has received, with its market."""
        self.quotes: list[str] = []
        self.offers: list[tuple[str, str, list[Side], str]] = []
        """Quotes received by creators: creator, QuoteID, sides on which it can trade, market."""
        self.accepted: list[tuple[str, str]] = []
        """Maker and QuoteID."""
        self.open: set[tuple[str, str]] = set()
        """Creator and QuoteReqID of accepted requests that have not ended."""
        self.seen: Counter[str] = Counter()
        self.cash = {owner: Decimal(0) for owner in OWNERS}
        self.fees = Decimal(0)

    def step(self) -> None:
        acts = (
            *[self.ask] * 3,
            *[self.quote] * 6,
            *[self.accept] * 4,
            *[self.confirm] * 6,
            self.cancel_quote,
            self.cancel_rfq,
            *[self.trade] * 3,
            self.wait,
            self.wait,
            self.reconnect,
            self.pause,
        )
        self.random.choice(acts)()
        self.process_messages()
        self.check()

    def new_id(self, letter: str) -> str:
        self.number += 1
        return f"{letter}{self.number}"

    def maker(self) -> Client | None:
        return self.makers[self.random.choice(list(self.makers))]

    def creator(self) -> Client:
        return self.creators[self.random.choice(list(self.creators))]

    def ask(self) -> None:
        fields: dict[str, Any] = {
            "symbol": self.random.choice(MARKETS),
            "rest_remainder": self.random.random() < 0.3,
            "replace_existing": self.random.random() < 0.5,
        }
        if self.random.random() < 0.4:
            fields["cash_order_qty"] = self.random.choice(("0.75", "20", "133.33"))
            fields["target_cost_excludes_fees"] = self.random.random() < 0.5
        self.creator().send(
            request(self.new_id("r"), self.random.choice(("0.01", "7.5", "60", "300")), **fields)
        )

    def quote(self) -> None:
        maker = self.maker()
        if maker is None or not self.requests:
            return
        rfq_id = self.random.choice(list(self.requests)[-4:])
        bid = self.random.choice((None, "0.05", "0.30", "0.40", "0.55"))
        offer = (
            self.random.choice(("0.30", "0.45", "0.60", "0.97"))
            if bid is None
            else self.random.choice((None, "0.45"))
        )
        quote_id = self.new_id("q")
        maker.send(
            quote(
                rfq_id,
                quote_id,
                bid,
                offer,
                symbol=self.requests[rfq_id],
                rest_remainder=self.random.random() < 0.4,
                exec_inst="6" if self.random.random() < 0.3 else None,
            )
        )
        self.quotes.append(quote_id)

    def accept(self) -> None:
        """Accept a quote, usually a valid one, and often confirm it immediately."""
        name, quote_id, sides, market = (
            self.random.choice(self.offers[-3:])
            if self.offers and self.random.random() < 0.8
            else (
                self.random.choice(list(self.creators)),
                self.random.choice(self.quotes or ["q0"]),
                [BUY, SELL],
                OTHER,
            )
        )
        side, creator = self.random.choice(sides), self.creators[name]
        if self.random.random() < 0.3:
            price = "0.99" if side == BUY else "0.01"
            fields = {"quote_id": quote_id, "symbol": market}
            creator.send(order(self.new_id("o"), side, self.random.choice((1, 5)), price, **fields))
        else:
            quantity = self.random.choice((None, None, "0.01", "3"))
            better = self.random.random() < 0.5
            creator.send(accept(quote_id, side, order_qty=quantity, prefer_better_quote=better))
        self.process_messages()
        if self.random.random() < 0.6:
            self.confirm()

    def confirm(self) -> None:
        if self.accepted and self.random.random() < 0.8:
            name, quote_id = self.accepted[-1]
            maker = self.makers[name]
        else:
            quote_id, maker = self.random.choice(self.quotes or ["q0"]), self.maker()
        if maker is not None:
            maker.send(confirm(quote_id))

    def cancel_quote(self) -> None:
        maker = self.maker()
        if maker is not None and self.quotes:
            maker.send(cancel_quote(self.random.choice(self.quotes[-5:])))

    def cancel_rfq(self) -> None:
        if self.open:
            owner, client_id = self.random.choice(sorted(self.open))
            self.creators[owner].send(RFQCancel(quote_req_id=client_id))

    def trade(self) -> None:
        price = self.random.choice(("0.35", "0.44", "0.50", "0.58"))
        side = self.random.choice((BUY, SELL))
        self.random.choice(self.traders).send(
            order(
                self.new_id("t"),
                side,
                self.random.choice((1, 10, 40)),
                price,
                symbol=self.random.choice(MARKETS),
            )
        )

    def wait(self) -> None:
        self.harness.wait(self.random.choice((0.0, 0.5, 1.0, 3.0, 15.0, 29.999, 30.0)))

    def reconnect(self) -> None:
        name = self.random.choice(list(self.makers))
        maker = self.makers[name]
        if maker is None:
            self.makers[name] = self.harness.maker(name)
        else:
            self.process_messages()
            self.makers[name] = None
            maker.drop()

    def pause(self) -> None:
        if self.random.random() < 0.3:
            self.harness.set_pause(
                self.random.choice((PauseState.TRADING_PAUSED, PauseState.EXCHANGE_PAUSED))
            )
            self.accept()
            self.confirm()
            self.harness.wait(self.random.choice((0.0, 15.0)))
            self.harness.set_pause(PauseState.OPEN)

    def process_messages(self) -> None:
        for name, creator in self.creators.items():
            for message in creator.take():
                self.process_for_creator(name, message)
        for name, maker in self.makers.items():
            for message in maker.take() if maker is not None else []:
                self.seen[type(message).__name__] += 1
                if isinstance(message, QuoteStatusReport) and message.quote_status == QuoteStatus.ACCEPTED:
                    self.accepted.append((name, message.quote_id))
                elif isinstance(message, QuoteRequest):
                    self.requests[message.quote_req_id] = message.related_sym[0].symbol or ""
        for trader in self.traders:
            trader.take()
        for owner, feed in self.feeds.items():
            for message in feed.take():
                assert isinstance(message, ExecutionReport)
                self.cash[owner] += sum(
                    (change.collateral_amount_change for change in message.collateral_amount_changes),
                    Decimal(0),
                )
                self.fees += sum((fee.misc_fee_amt for fee in message.misc_fees), Decimal(0))
                self.seen[message.text or str(message.exec_type)] += 1

    def process_for_creator(self, name: str, message: Message) -> None:
        self.seen[type(message).__name__] += 1
        if isinstance(message, QuoteRequestAck):
            self.open.add((name, message.quote_req_id))
        elif isinstance(message, RFQCancelStatus) and message.rfq_cancel_status != 1:
            self.open.discard((name, message.quote_req_id))
        elif isinstance(message, Quote):
            assert (
                message.bid_px is None or message.offer_px is None or message.bid_px + message.offer_px <= 1
            )

    def check(self) -> None:
        """Check that money and contracts are conserved."""
        exchange = self.harness.venue.exchange("prediction")
        held = Decimal(0)
        for market in MARKETS:
            net = [
                exchange.position(AccountId(owner, number), market).net
                for owner in OWNERS
                for number in (0, 3)
            ]
            assert sum(net, Decimal(0)) == 0, (market, net)
            held += sum((item for item in net if item > 0), Decimal(0))
        balances = {owner: self.harness.balance(owner) for owner in OWNERS}
        initial = {"ann": 300, "bob": 400, "cat": 5000, "dan": 200}
        assert sum(balances.values(), Decimal(0)) + held + self.fees == sum(initial.values())
        assert {owner: initial[owner] + self.cash[owner] for owner in OWNERS} == balances
        assert all(balance >= 0 for balance in balances.values()), balances

    def end(self) -> None:
        """Let all timers run out and check that every request has ended."""
        self.harness.wait(3600)
        self.process_messages()
        self.check()
        assert self.harness.venue._gateways["prediction"].timers.next_deadline() is None
        book = self.harness.venue._gateways["prediction"]._rfqs._book
        assert [len(index) for index in (book._open, book._open_by_market, book._open_by_login)] == [0, 0, 0]
        for market in MARKETS:
            self.harness.set_market_state(MarketState.CLOSED, market)


@pytest.mark.parametrize("seed", range(6))
def test_money_and_contracts_are_conserved(seed: int) -> None:
    history = History(seed)
    for _ in range(STEPS):
        history.step()
    history.end()
    assert history.seen["F"] >= 4, history.seen


def test_the_same_history_gives_the_same_bytes() -> None:
    def transcript() -> list[bytes]:
        history = History(3)
        for _ in range(60):
            history.step()
        return [bytes(client.wire) for client in (*history.creators.values(), *history.feeds.values())]

    assert transcript() == transcript()
