"""Switches for behaviour that Kalshi's documents do not specify and that a client would notice.

Each field is one switch. docs/simulated-venue.md gives the reason for each default under the field's name,
and lists further open points.
"""

from __future__ import annotations

from decimal import Decimal

import attrs

from kalshi_fix_venue.settings import setting


@attrs.frozen(kw_only=True)
class Assumptions:
    """Switches of `VenueConfig.assumptions`. The defaults are the most likely behaviour."""

    accepted_quotes_use_market_shard: bool = setting(False)
    """Whether an order that accepts a quote draws on the write budget of its market's shard. Otherwise it
    draws on the budget of RFQs, whichever shard its market is on."""
    balance_change_includes_rebate: bool = setting(True)
    """Whether CollateralAmountChange (1704) of a Trade includes the rebate of rounding fees. Otherwise it is
    the change in the balance without the rebate."""
    blocks_are_reported_to_order_sessions: bool = setting(False)
    """Whether block trades are reported on all order entry sessions of the buyer and the seller. Otherwise
    only their listener sessions receive the reports, because no session placed the order."""
    closed_markets_are_inactive: bool = setting(True)
    """Whether a closed market refuses requests with MARKET_INACTIVE until its result is determined. Otherwise
    it refuses them with MARKET_ALREADY_CLOSED."""
    closed_markets_are_too_late_to_enter: bool = setting(False)
    """Whether MARKET_ALREADY_CLOSED is sent with OrdRejReason (103) 4. Otherwise it is sent with 2."""
    initial_margin: Decimal = setting(Decimal("0.1"), minimum=Decimal("0.0001"), maximum=1)  # noqa: RUF009
    """Initial margin of a perpetual, as a fraction of price times quantity."""
    listeners_receive_rejects: bool = setting(True)
    """Whether a listener session receives the reports of refused orders, as the session that placed them
    does."""
    makers_are_notified_of_closed_rfqs: bool = setting(True)
    """Whether the makers that received an RFQ are notified of its end, with a QuoteRequestReject (AG)."""
    one_quote_per_market: bool = setting(False)
    """Whether a new quote replaces the maker's quotes on all RFQs for the market, not only on the RFQ that it
    answers."""
    parties_per_settlement_report: int = setting(100, minimum=1)
    """Maximum number of parties in a settlement report (UMS); further parties follow on further pages."""
    quotes_end_with_session: bool = setting(True)
    """Whether the open quotes of a maker's session are cancelled when the session ends."""
    rebate_waits_for_a_fee: bool = setting(True)
    """Whether a rebate of rounding fees waits for a fill whose fees are at least as high. Otherwise it is
    paid immediately, and the net fee (137) may be negative."""
    unconfirmed_acceptance_closes_rfq: bool = setting(True)
    """Whether an RFQ is closed if its accepted quote is cancelled or not confirmed in time. The creator then
    receives RFQCancelStatus (UB) EXPIRED. Otherwise the RFQ reopens with its other quotes."""
    unknown_orders_have_text: bool = setting(True)
    """Whether an OrderCancelReject with CxlRejReason (102) 1 has the Text ORDER_NOT_FOUND, and one with 0 has
    the Text ORDER_ALREADY_FILLED. Otherwise they have no Text."""
