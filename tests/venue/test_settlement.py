"""The repeating groups of settlement reports on the wire; dialogues/settlements.yaml tests their contents and
recipients."""

from __future__ import annotations

from kalshi_fix_sansio import Side
from kalshi_fix_venue.exchange import MarketResult, MarketState, SetMarketState
from tests.helpers import by_tags
from tests.venue.exchange_harness import MARKET
from tests.venue.venue_harness import VenueHarness, order


def test_groups_are_nested_on_the_wire(harness: VenueHarness) -> None:
    bob, ann = harness.connect("bob"), harness.connect("ann")
    bob.send(order("b1", Side.SELL, 10, "0.40"))
    ann.send(order("a1", Side.BUY, 10, "0.40"))
    post_trade = harness.connect("ann-2", "KalshiPT")
    post_trade.wire.clear()
    harness.execute(SetMarketState(MARKET, MarketState.DETERMINED, MarketResult.YES))
    harness.execute(SetMarketState(MARKET, MarketState.SETTLED))
    body = bytes(post_trade.wire).replace(b"\x01", b"|").decode()
    party = "NoMarketSettlementPartyIDs=1|MarketSettlementPartyID=ann|MarketSettlementPartyRole=24|"
    nested = by_tags(party) + "704=10.00|705=0.00|1703=1|1704=10.00|1705=PAYOUT|"
    assert nested + "136=1|137=0.00|138=USD|139=4|891=0|" in body
