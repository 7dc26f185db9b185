"""The simulated Kalshi, for tests.

    with Venue() as venue, order_entry(**venue.options("me")) as client:
        client.send(order)
        venue.trader("other").fill(order.cl_ord_id)
        ...
        assert venue.positions("me") == {order.symbol: 10}

docs/simulated-venue.md describes it and the pytest fixture `kalshi_venue`.
"""

from kalshi_fix_venue.exchange import MARGIN, PREDICTION
from kalshi_fix_venue.scenario import MARKETS, Market
from kalshi_fix_venue.testing.sandbox import Sandbox
from kalshi_fix_venue.testing.trader import Trader
from kalshi_fix_venue.testing.venue import Venue
from kalshi_fix_venue.venue import SeqNums

__all__ = ["MARGIN", "MARKETS", "PREDICTION", "Market", "Sandbox", "SeqNums", "Trader", "Venue"]
