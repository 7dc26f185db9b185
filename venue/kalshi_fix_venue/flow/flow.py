"""Schedule of the simulated traders: when they act, and which of them acts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random
from uuid import UUID

import attrs

from kalshi_fix_sansio import Side
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_venue.exchange import Command, Exchange, MarketState, PauseState
from kalshi_fix_venue.flow.prices import FairPrice
from kalshi_fix_venue.flow.settings import FlowConfig
from kalshi_fix_venue.flow.traders import Maker, Taker, Turn

MAX_AT_ONCE = 1000
"""Maximum number of overdue actions that one call performs; the rest are skipped. Otherwise a machine that
had slept for an hour would perform an hour's trades at once."""
_BURST_GAP = 0.001
"""Seconds between the orders of a burst."""
_MAKER_SHARE = 0.8
"""The share of the actions that makers perform, if the flow has both makers and takers."""


@attrs.define(eq=False)
class _Burst:
    """Consecutive orders of takers on one side of one market."""

    product: str
    ticker: str
    side: Side
    remaining: int


class Flow:
    """The traders of both products.

    It yields their actions as commands, one at a time. Each is chosen after the previous ones were executed.
    It has its own random generator, which clients do not affect. But the traders react to the books, which
    clients change.
    """

    def __init__(self, config: FlowConfig, exchanges: Mapping[str, Exchange]) -> None:
        """Prepare to trade on exchanges, by product; `begin` starts the flow.

        Raises:
            ConfigurationError: a configured ticker is not a market of any exchange.
        """
        self._config = config
        self._exchanges = exchanges
        # The prefix distinguishes this generator from that of a venue with the same seed, which would
        # otherwise draw the same ids.
        self._random = Random(f"flow {config.seed}")  # noqa: S311 - nothing secret is drawn from it
        all_markets = [
            (product, ticker) for product, exchange in exchanges.items() for ticker in exchange.markets
        ]
        known = {ticker for _, ticker in all_markets}
        for ticker in (*config.markets, *config.initial_prices):
            if ticker not in known:
                raise ConfigurationError(
                    f"the flow names {ticker!r}, which is not one of the venue's markets; "
                    f"choose from {', '.join(sorted(known))}"
                )
        self._markets = [each for each in all_markets if not config.markets or each[1] in config.markets]
        self._makers = {
            product: [Maker(name, levels=config.levels) for name in config.maker_names]
            for product in exchanges
        }
        self._takers = {product: [Taker(name) for name in config.taker_names] for product in exchanges}
        self._fair: dict[str, FairPrice] = {}
        self._burst: _Burst | None = None
        self._next: float | None = None

    def begin(self, now: Instant) -> None:
        """Start the traders. Do nothing if the flow has already begun."""
        if self._next is None and self._config.rate and self._markets:
            self._next = now.monotonic + self._draw_delay()

    def next_deadline(self) -> float | None:
        """Return when the next trader acts, in seconds of `Instant.monotonic`; None for never."""
        return self._next

    def due_commands(self, now: Instant) -> Iterator[tuple[str, Command]]:
        """Yield the product and the command of each action that is due; the caller executes each before it
        requests the next one."""
        count = 0
        while self._next is not None and self._next <= now.monotonic:
            if count == MAX_AT_ONCE:
                self._next = now.monotonic + self._draw_delay()
                return
            count += 1
            action = self._act(now)
            self._next += _BURST_GAP if self._burst is not None else self._draw_delay()
            if action is not None:
                yield action

    def _draw_delay(self) -> float:
        return self._random.expovariate(self._config.rate)

    def _act(self, now: Instant) -> tuple[str, Command] | None:
        random, config, burst = self._random, self._config, self._burst
        if burst is None and random.random() < config.bursts and config.takers:
            product, ticker = random.choice(self._markets)
            burst = _Burst(product, ticker, random.choice((Side.BUY, Side.SELL)), config.burst_length)
        if burst is not None:
            burst.remaining -= 1
            self._burst = burst if burst.remaining else None
            product, ticker, side = burst.product, burst.ticker, burst.side
        else:
            product, ticker = random.choice(self._markets)
            side = None
        exchange = self._exchanges[product]
        # The traders follow the market's state: no orders are sent to a market that does not trade.
        if exchange.pause is not PauseState.OPEN or exchange.markets[ticker].state is not MarketState.ACTIVE:
            return None
        turn = self._turn(exchange, ticker, now)
        makers, takers = self._makers[product], self._takers[product]
        if side is not None or not makers or (takers and random.random() >= _MAKER_SHARE):
            command = random.choice(takers).act(turn, side)
        else:
            command = random.choice(makers).act(turn)
        return None if command is None else (product, command)

    def _turn(self, exchange: Exchange, ticker: str, now: Instant) -> Turn:
        fair = self._fair.get(ticker)
        if fair is None:
            initial_price = self._config.initial_prices.get(ticker)
            rules = exchange.markets[ticker].rules
            fair = self._fair[ticker] = FairPrice(exchange, rules, initial_price, now.monotonic)
        fair.move(self._random, self._config.volatility, now.monotonic)
        return Turn(exchange, self._random, self._new_id, self._config.largest, fair, now.utc)

    def _new_id(self) -> str:
        return str(UUID(int=self._random.getrandbits(128), version=4))
