"""Creators and makers on a venue in memory, with complete sessions that exchange bytes, and one virtual
clock."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs

from kalshi_fix_sansio import (
    AcceptQuote,
    Quote,
    QuoteCancel,
    QuoteConfirm,
    QuoteRequest,
    QuoteRequestAck,
    QuoteRequestSymbol,
    Side,
)
from kalshi_fix_venue.config import AccountConfig, ApiKey
from kalshi_fix_venue.exchange import (
    AccountId,
    MarketState,
    PauseState,
    SetMarketState,
    SetPause,
    prediction_market,
)
from kalshi_fix_venue.gateway.rfq import RfqSettings, Windows
from tests.venue.exchange_harness import MARKET, NO_FEES
from tests.venue.venue_harness import KEYS, Client, VenueHarness, api_key, new_key

VOLATILE, OTHER, SHARDED = "KXFAST-26", "KXOTHER-26", "KXSHARD-26"
NAMES = (
    "ann",
    "ann-2",
    "ann-nr",
    "dan-nr",
    "ann-maker",
    "ann-listener",
    "ann-reader",
    "bob",
    "bob-2",
    "bob-sub",
    "cat",
    "dan",
)
KEYS.update({name: new_key(name) for name in NAMES if name not in KEYS})
BUY, SELL = Side.BUY, Side.SELL
SETTINGS = RfqSettings(
    standard=Windows(confirmation=30, execution=15),
    high_volatility=Windows(confirmation=3, execution=1),
    max_replacing=2,
)
MARKETS = (
    prediction_market(MARKET),
    prediction_market(OTHER, tick=Decimal("0.0001")),
    attrs.evolve(prediction_market(VOLATILE), high_volatility=True),
    prediction_market(SHARDED, shard=1),
)


def key(name: str) -> ApiKey:
    return attrs.evolve(api_key(name), restricted_to=3 if name == "bob-sub" else None)


def accounts(**balances: int) -> tuple[AccountConfig, ...]:
    """Return all accounts, with 1,000 dollars each unless `balances` contains another amount."""
    return tuple(
        AccountConfig(
            owner=owner,
            product="prediction",
            balance=Decimal(balances.get(owner, 1000)),
            subaccounts={3: Decimal(500)},
            on_shards={1: {0: Decimal(1000)}},
        )
        for owner in ("ann", "bob", "cat", "dan")
    )


class RfqHarness(VenueHarness):
    """A venue for RFQs, without fees unless `fees` is given. Every owner has 1,000 dollars on each shard."""

    def __init__(self, **changes: Any) -> None:
        values: dict[str, Any] = {
            "markets": {"prediction": MARKETS},
            "accounts": accounts(),
            "api_keys": tuple(key(name) for name in NAMES),
            "fees": {"prediction": NO_FEES},
            "rfqs": SETTINGS,
        }
        super().__init__(**(values | changes))

    def creator(self, name: str = "ann", **fields: Any) -> Client:
        return self.connect(name, "KalshiRT", **fields)

    def maker(self, name: str = "bob", **fields: Any) -> Client:
        return self.connect(name, "KalshiRFQ", **fields)

    def set_pause(self, state: PauseState) -> None:
        self.execute(SetPause(state))

    def set_market_state(self, state: MarketState, ticker: str = MARKET) -> None:
        self.execute(SetMarketState(ticker, state))

    def balance(self, owner: str, shard: int = 0) -> Decimal:
        return self.venue.exchange("prediction").account(AccountId(owner, shard=shard)).balance

    def net(self, owner: str) -> Decimal:
        return self.venue.exchange("prediction").position(AccountId(owner), MARKET).net


def request(
    quote_req_id: str, quantity: Any = 100, *, symbol: str | None = MARKET, **fields: Any
) -> QuoteRequest:
    """Return a request for contracts; `cash_order_qty` makes it a request for an amount of cash."""
    outer = {"alloc_account", "multivariate_collection_ticker", "multivariate_selected_legs"} & fields.keys()
    body = {name: fields.pop(name) for name in outer}
    if "cash_order_qty" in fields:
        quantity = None
    entry = QuoteRequestSymbol(symbol=symbol, order_qty=quantity, **fields)
    return QuoteRequest(quote_req_id=quote_req_id, related_sym=[entry], **body)


def request_quotes(creator: Client, quote_req_id: str = "r1", quantity: Any = 100, **fields: Any) -> str:
    """Send a request, which must be accepted, and return the venue's id for it."""
    creator.send(request(quote_req_id, quantity, **fields))
    acks = [message for message in creator.take() if isinstance(message, QuoteRequestAck)]
    assert len(acks) == 1
    assert acks[0].rfq_id is not None
    return acks[0].rfq_id


def quote(
    rfq_id: str,
    quote_id: str = "q1",
    bid: Any = "0.40",
    offer: Any = "0.55",
    *,
    symbol: str = MARKET,
    **fields: Any,
) -> Quote:
    """Return a quote: the maker pays `bid` for YES and `offer` for NO."""
    return Quote(quote_id=quote_id, quote_req_id=rfq_id, symbol=symbol, bid_px=bid, offer_px=offer, **fields)


def accept(quote_id: str = "q1", side: Side = BUY, **fields: Any) -> AcceptQuote:
    return AcceptQuote(quote_id=quote_id, side=side, **fields)


def trade(creator: Client, maker: Client, **accepted: Any) -> None:
    """Have the creator accept quote `q1` and the maker confirm it; wait until their orders are executed."""
    creator.send(accept(**accepted))
    maker.send(confirm())
    creator.harness.wait(15)


def confirm(quote_id: str = "q1", rfq_id: str | None = None) -> QuoteConfirm:
    return QuoteConfirm(quote_id=quote_id, rfq_id=rfq_id)


def cancel_quote(quote_id: str = "q1", rfq_id: str | None = None) -> QuoteCancel:
    return QuoteCancel(quote_id=quote_id, rfq_id=rfq_id)


def discard(*clients: Client) -> None:
    """Discard the messages received by these clients."""
    for client in clients:
        client.take()
