"""The order flow of simulated traders is determined by a seed, stays within bounds and conserves money."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from kalshi_fix_sansio import MarketDataRequest, Side
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_venue.config import AccountConfig, VenueConfig
from kalshi_fix_venue.exchange import (
    AccountId,
    Command,
    MarketState,
    PauseState,
    SetMarketState,
    SetPause,
    margin_market,
    prediction_market,
)
from kalshi_fix_venue.exchange.outcomes import OrderCanceled, OrderTraded, Outcome, TradePrinted
from kalshi_fix_venue.flow import MAX_AT_ONCE, FlowConfig
from kalshi_fix_venue.identities import Authority
from kalshi_fix_venue.server import VenueServer
from kalshi_fix_venue.venue import VenueModel
from kalshi_fix_venue.virtual_time import pass_time
from tests.venue.exchange_harness import MARKET, PERP, d
from tests.venue.venue_harness import START, VenueHarness

OTHER = "KXOTHER-26"
MARKETS = {
    "prediction": (prediction_market(MARKET), prediction_market(OTHER, tick=d("0.0001"), shard=1)),
    "margin": (margin_market(PERP),),
}
NOW = Instant(1000.0, START)
HOUR = 3600.0


class RecordingVenue(VenueModel):
    """A venue that records all commands and outcomes, and checks the affected book after each command."""

    def __init__(self, config: VenueConfig) -> None:
        super().__init__(config, Random(1))
        self.commands: list[tuple[str, Command]] = []
        self.outcomes: dict[str, list[Outcome]] = {"prediction": [], "margin": []}

    def execute(self, product: str, command: Command, now: Instant) -> Sequence[Outcome]:
        outcomes = super().execute(product, command, now)
        self.commands.append((product, command))
        self.outcomes[product].extend(outcomes)
        for ticker in {command.market} if hasattr(command, "market") else set():
            bids, asks = (self.exchange(product).levels(ticker, side) for side in (Side.BUY, Side.SELL))
            assert not bids or not asks or bids[0][0] < asks[0][0], (ticker, bids[0], asks[0])
        return outcomes


def recording_venue(**settings: Any) -> RecordingVenue:
    values = {"seed": 11, "rate": 1.0} | settings
    venue = RecordingVenue(VenueConfig(markets=MARKETS, accounts=(), api_keys=(), flow=FlowConfig(**values)))
    venue.begin(NOW)
    return venue


def subscribe(harness: VenueHarness) -> Any:
    client = harness.connect("ann-md", "KalshiMD")
    client.send(MarketDataRequest.subscribe(MARKET))
    return client


def transcript(flow_seed: int, seconds: float) -> bytes:
    harness = VenueHarness(flow=FlowConfig(seed=flow_seed, rate=2.0))
    harness.venue.begin(harness.now)
    client = subscribe(harness)
    harness.wait(seconds)
    return bytes(client.wire)


def test_a_seed_determines_the_bytes_on_the_wire() -> None:
    first = transcript(7, 300)
    assert first.count(b"\x0135=X\x01") > 50
    assert transcript(7, 300) == first
    assert transcript(8, 300) != first


def test_the_actions_of_traders_do_not_depend_on_how_often_the_venue_is_called() -> None:
    often, seldom = recording_venue(), recording_venue()
    now = NOW
    for _ in range(100):
        now = pass_time(often, 6, now)
    pass_time(seldom, 600, NOW)
    assert often.commands == seldom.commands
    assert len(often.commands) > 300


def test_the_flow_trades_and_uses_every_kind_of_command_in_every_market() -> None:
    venue = recording_venue(rate=5.0)
    pass_time(venue, HOUR / 4, NOW)
    kinds = Counter((product, type(command).__name__) for product, command in venue.commands)
    for product in ("prediction", "margin"):
        for kind in ("PlaceOrder", "AmendOrder", "CancelOrder", "CancelAll"):
            assert kinds[product, kind], (product, kind)
        causes = {o.cause.name for o in venue.outcomes[product] if isinstance(o, OrderCanceled)}
        assert {"IMMEDIATE_OR_CANCELLED", "REQUESTED", "MASS_CANCELED"} <= causes
    traded = Counter(
        outcome.market
        for outcomes in venue.outcomes.values()
        for outcome in outcomes
        if isinstance(outcome, TradePrinted)
    )
    assert min(traded[ticker] for ticker in (MARKET, OTHER, PERP)) > 50


def test_cash_is_conserved_and_open_orders_stay_few_during_a_day() -> None:
    venue = recording_venue(rate=0.2)
    config = FlowConfig()
    traders = config.maker_names + config.taker_names
    account_ids = {
        product: [
            AccountId(name, shard=shard)
            for name in traders
            for shard in sorted({0} | {r.shard for r in rules})
        ]
        for product, rules in MARKETS.items()
    }
    now = NOW
    for _ in range(24):
        now = pass_time(venue, HOUR, now)
        for product, rules in MARKETS.items():
            exchange = venue.exchange(product)
            resting = sum(
                len(level.orders)
                for market in exchange.markets.values()
                for side in (market.book.bids, market.book.asks)
                for level in side
            )
            quotes = config.makers * config.levels * 2 * len(rules)
            # In addition to the quotes, remainders of aggressive orders rest for at most ten minutes.
            assert resting <= quotes + 100
    assert now.utc - START == timedelta(days=1)
    for product in MARKETS:
        exchange = venue.exchange(product)
        trades = [o for o in venue.outcomes[product] if isinstance(o, OrderTraded)]
        moved: Counter[AccountId] = Counter()
        for trade in trades:
            moved[trade.order.account] += trade.balance_change  # type: ignore[assignment]
        fees = sum(trade.fee for trade in trades)
        held = Decimal(0)
        for account_id in account_ids[product]:
            account = exchange.account(account_id)
            assert account.balance == config.balance + moved[account_id], account_id
            for ticker, holding in account.holdings.items():
                position = holding.position
                assert exchange.shard_of(ticker) == account_id.shard
                if product == "prediction":
                    held += position.long
                else:
                    signed = position.entry_value if position.net > 0 else -position.entry_value
                    held += position.entry_value / 10 - signed
        total = sum(exchange.account(account_id).balance for account_id in account_ids[product])
        assert total + fees + held == config.balance * len(account_ids[product]), product
        assert fees > 0


def test_actions_missed_during_a_long_sleep_are_bounded() -> None:
    venue = recording_venue(rate=100.0)
    venue.handle_timer(Instant(NOW.monotonic + HOUR, START + timedelta(hours=1)))
    assert len(venue.commands) <= MAX_AT_ONCE
    deadline = venue.next_deadline()
    assert deadline is not None
    assert deadline > NOW.monotonic + HOUR


def test_no_trader_acts_during_a_pause_or_in_a_closed_market() -> None:
    venue = recording_venue(rate=5.0, markets=(MARKET,))
    venue.execute("prediction", SetPause(PauseState.TRADING_PAUSED), NOW)
    now = pass_time(venue, 60, NOW)
    assert len(venue.commands) == 1
    venue.execute("prediction", SetPause(PauseState.OPEN), now)
    now = pass_time(venue, 60, now)
    count = len(venue.commands)
    assert count > 100
    assert {command.market for _, command in venue.commands if hasattr(command, "market")} == {MARKET}
    venue.execute("prediction", SetMarketState(MARKET, MarketState.CLOSED), now)
    pass_time(venue, 60, now)
    assert len(venue.commands) == count + 1


def test_the_flow_does_not_act_without_a_rate_or_before_the_venue_begins() -> None:
    idle = recording_venue(rate=0)
    assert idle.next_deadline() is None
    waiting = VenueModel(VenueConfig(markets=MARKETS, accounts=(), api_keys=(), flow=FlowConfig()), Random(1))
    assert waiting.next_deadline() is None
    waiting.begin(NOW)
    first = waiting.next_deadline()
    waiting.begin(Instant(NOW.monotonic + 5, NOW.utc))
    assert waiting.next_deadline() == first


def test_the_fair_price_begins_at_its_setting_and_stays_within_the_price_range() -> None:
    venue = recording_venue(
        rate=5.0, volatility=3.0, initial_prices={MARKET: d("0.98")}, markets=(MARKET,), takers=0
    )
    now = pass_time(venue, 5, NOW)
    best = venue.exchange("prediction").levels(MARKET, Side.BUY)[0][0]
    assert d("0.9") < best <= d("0.98")
    pass_time(venue, 600, now)
    refused = [o for o in venue.outcomes["prediction"] if type(o).__name__ == "OrderRejected"]
    assert not refused


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"rate": -1}, "rate of FlowConfig must be 0 to 10000, not -1"),
        ({"rate": float("nan")}, "rate of FlowConfig must be 0 to 10000, not nan"),
        ({"makers": 0, "takers": 0}, "neither makers nor takers"),
        ({"largest": 0}, "largest of FlowConfig must be 1 to 1000000, not 0"),
        ({"bursts": 2}, "bursts of FlowConfig must be 0 to 1, not 2"),
    ],
)
def test_numbers_out_of_range_are_refused(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        FlowConfig(**settings)


def test_an_unknown_market_and_a_reserved_trader_name_are_refused() -> None:
    with pytest.raises(
        ConfigurationError, match="the flow names 'NO-SUCH', which is not one of the venue's markets"
    ):
        recording_venue(markets=("NO-SUCH",))
    with pytest.raises(ConfigurationError, match="'flow-maker-1' is reserved for simulated traders"):
        VenueConfig(
            markets=MARKETS,
            accounts=(AccountConfig(owner="flow-maker-1", product="margin", balance=d(1)),),
            api_keys=(),
        )


def test_in_real_time_the_flow_acts_without_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        executed = asyncio.Event()
        execute = VenueModel.execute

        def record(self: VenueModel, product: str, command: Command, now: Instant) -> Sequence[Outcome]:
            executed.set()
            return execute(self, product, command, now)

        monkeypatch.setattr(VenueModel, "execute", record)
        config = VenueConfig(markets=MARKETS, accounts=(), api_keys=(), flow=FlowConfig(rate=1000.0))
        async with VenueServer(config, Authority().issue()):
            await asyncio.wait_for(executed.wait(), 20)

    asyncio.run(scenario())


def test_a_venue_and_a_flow_with_the_same_seed_draw_different_ids() -> None:
    settings = VenueConfig(markets=MARKETS, accounts=(), api_keys=(), flow=FlowConfig(seed=7))
    quiet, busy = VenueModel(settings, Random(7)), VenueModel(settings, Random(7))
    drawn = {quiet.new_id() for _ in range(5000)}
    busy.begin(NOW)
    pass_time(busy, 100.0, NOW)
    orders = {order.order_id for order in busy.exchange("prediction").open_orders()}
    assert len(orders) > 5
    assert drawn.isdisjoint(orders)
