"""State that the parts of the RFQ gateway share."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from hashlib import sha256

import attrs

from kalshi_fix_sansio import Side
from kalshi_fix_venue.exchange import Exchange, MarketRules, PauseState
from kalshi_fix_venue.gateway.logins import Logins
from kalshi_fix_venue.gateway.rfq.book import Rfq, RfqBook
from kalshi_fix_venue.gateway.rfq.settings import RfqSettings, Windows
from kalshi_fix_venue.gateway.rfq.texts import RefusalError
from kalshi_fix_venue.gateway.timers import Timers

CREATOR_SESSION, MAKER_SESSION = "KalshiRT", "KalshiRFQ"
"""The session types of the creators of RFQs and of the makers, who quote."""
POST_ONLY_CROSSES = 3
"""Number of one owner's post-only quotes that may cross the book within `_POST_ONLY_WINDOW`; further ones
exceed the rate limit. Kalshi documents neither figure."""
_POST_ONLY_WINDOW = timedelta(seconds=60)
OBSCURED_ID = sha256(b"").hexdigest()
"""The id shown for every hidden creator: the SHA-256 of the empty string, according to Kalshi's page on
RFQ messages."""
_HUNDREDTH = Decimal("0.01")


@attrs.define(eq=False)
class RfqContext:
    """The exchange, the logins, the timers, and the book of requests and quotes."""

    exchange: Exchange
    logins: Logins
    timers: Timers
    settings: RfqSettings
    new_id: Callable[[], str]
    book: RfqBook
    _public_ids: dict[str, str] = attrs.field(factory=dict)
    """The pseudonym of each participating owner."""
    _crosses: dict[str, deque[datetime]] = attrs.field(factory=dict)
    """By owner, the times of the last `POST_ONLY_CROSSES` post-only quotes that crossed the book."""

    def check_pause(self, *allowed: PauseState) -> None:
        """Raise RefusalError unless the exchange is in one of these states."""
        if self.exchange.pause not in allowed:
            raise RefusalError(self.exchange.pause.name)

    def public_id(self, owner: str) -> str:
        """Return the pseudonym of an owner, which never changes (PartyID 448)."""
        if owner not in self._public_ids:
            self._public_ids[owner] = self.new_id()
        return self._public_ids[owner]

    def record_cross(self, owner: str, now: datetime) -> None:
        """Record that a post-only quote crossed the book."""
        self._crosses.setdefault(owner, deque(maxlen=POST_ONLY_CROSSES)).append(now)

    def crosses_too_often(self, owner: str, now: datetime) -> bool:
        """Return whether too many post-only quotes of an owner have recently crossed the book."""
        recent = sum(now - each < _POST_ONLY_WINDOW for each in self._crosses.get(owner, ()))
        return recent >= POST_ONLY_CROSSES

    def windows(self, rfq: Rfq) -> Windows:
        """Return the time limits for the market of a request."""
        rules = self.rules(rfq.market)
        return self.settings.high_volatility if rules.high_volatility else self.settings.standard

    def rules(self, market: str) -> MarketRules:
        """Return the rules of an existing market."""
        return self.exchange.markets[market].rules

    def size(self, rfq: Rfq, side: Side, price: Decimal) -> Decimal:
        """Return the number of contracts of a request if its creator trades on a side at a YES price.

        An amount of cash buys as many hundredths of contracts as it can pay for, including the taker's fee
        unless `cash_excludes_fees` is set.
        """
        if rfq.contracts is not None or rfq.cash is None:
            return rfq.contracts or Decimal(0)
        unit_cost = self.exchange.account(rfq.account).collateral.opening_cost(side, price)
        maximum = (rfq.cash / unit_cost).quantize(_HUNDREDTH, ROUND_DOWN)
        if rfq.cash_excludes_fees:
            return maximum
        # The fee is rounded up for each fill, so there is no closed-form inverse: search for the largest
        # affordable quantity, in hundredths.
        low, high = 0, int(maximum / _HUNDREDTH)
        while low < high:
            middle = (low + high + 1) // 2
            if self.exchange.cost(rfq.account, rfq.market, side, price, middle * _HUNDREDTH) <= rfq.cash:
                low = middle
            else:
                high = middle - 1
        return low * _HUNDREDTH


def truncate_to_milliseconds(now: datetime) -> datetime:
    """Truncate a time to the precision of TransactTime (60) of RFQs and quotes."""
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
