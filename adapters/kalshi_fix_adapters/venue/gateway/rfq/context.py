"""What the parts of the RFQ gateway share."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from hashlib import sha256

import attrs

from kalshi_fix_adapters.venue.assumptions import Assumptions
from kalshi_fix_adapters.venue.exchange import Exchange, MarketRules, Side
from kalshi_fix_adapters.venue.gateway.logins import Logins
from kalshi_fix_adapters.venue.gateway.rfq.book import Rfq, RfqBook
from kalshi_fix_adapters.venue.gateway.rfq.settings import RfqSettings, Windows
from kalshi_fix_adapters.venue.gateway.timers import Timers

CREATORS, MAKERS = "KalshiRT", "KalshiRFQ"
"""The session types of the two sides."""
OBSCURED_ID = sha256(b"").hexdigest()
"""What stands for every requester who hides (the page on RFQ messages: the SHA-256 of nothing)."""
_HUNDREDTH = Decimal("0.01")


@attrs.define(eq=False)
class RfqContext:
    """The exchange, who is logged on, the clock's alarms, and the book of requests and quotes."""

    exchange: Exchange
    logins: Logins
    timers: Timers
    settings: RfqSettings
    new_id: Callable[[], str]
    book: RfqBook
    _public_ids: dict[str, str] = attrs.field(factory=dict)
    """By owner. There is one for each that took part."""
    _crosses: dict[str, deque[datetime]] = attrs.field(factory=dict)
    """When post-only quotes crossed the book last, by owner: no more than are let through."""

    @property
    def assumptions(self) -> Assumptions:
        """What is so where the documents do not say."""
        return self.exchange.assumptions

    def public_id(self, owner: str) -> str:
        """Return the pseudonym of an owner, the same at all times (PartyID 448)."""
        if owner not in self._public_ids:
            self._public_ids[owner] = self.new_id()
        return self._public_ids[owner]

    def note_cross(self, owner: str, now: datetime) -> None:
        """Take note that a post-only quote crossed the book."""
        most = self.assumptions.post_only_crosses
        if most:
            self._crosses.setdefault(owner, deque(maxlen=most)).append(now)

    def crosses_too_often(self, owner: str, now: datetime) -> bool:
        """Say whether too many post-only quotes of an owner have crossed the book of late."""
        crosses, most = self._crosses.get(owner, ()), self.assumptions.post_only_crosses
        window = timedelta(seconds=self.assumptions.post_only_window)
        return bool(most) and sum(now - each < window for each in crosses) >= most

    def windows(self, rfq: Rfq) -> Windows:
        """Return the times that hold on the market of a request."""
        rules = self.rules(rfq.market)
        return self.settings.high_volatility if rules.high_volatility else self.settings.standard

    def rules(self, market: str) -> MarketRules:
        """Return the rules of a market that there is."""
        return self.exchange.markets[market].rules

    def size(self, rfq: Rfq, side: Side, price: Decimal) -> Decimal:
        """Return how many contracts a request is for when its creator trades on a side at a YES price.

        An amount of cash buys whole hundredths of contracts, as many as it pays for: by the price alone, or
        with the fee that a taker has.
        """
        if rfq.contracts is not None or rfq.cash is None:
            return rfq.contracts or Decimal(0)
        each = self.exchange.account(rfq.account).collateral.opening(side, price)
        most = (rfq.cash / each).quantize(_HUNDREDTH, ROUND_DOWN)
        if rfq.cash_excludes_fees:
            return most
        # The fee is rounded up for each fill, so that its inverse has no formula: search for the most that
        # the cash pays for, in hundredths.
        low, high = 0, int(most / _HUNDREDTH)
        while low < high:
            middle = (low + high + 1) // 2
            if self.exchange.cost(rfq.account, rfq.market, side, price, middle * _HUNDREDTH) <= rfq.cash:
                low = middle
            else:
                high = middle - 1
        return low * _HUNDREDTH


def to_the_millisecond(now: datetime) -> datetime:
    """Return a time as TransactTime (60) of RFQs and quotes tells it."""
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
