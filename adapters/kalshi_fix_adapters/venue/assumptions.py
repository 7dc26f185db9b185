"""What the simulated venue assumes where the venue's documents are silent or contradict each other.

One field per assumption; docs/simulated-venue.md gives the reason of each, under the same name.
"""

from __future__ import annotations

from decimal import Decimal

import attrs


@attrs.frozen(kw_only=True)
class Assumptions:
    """Switches of `VenueConfig.assumptions`. The defaults are what is believed to be so."""

    amends_that_keep_their_price_are_banded: bool = False
    """Whether an amend that leaves the price alone is refused when the band is elsewhere by now."""
    balance_change_includes_rebate: bool = True
    """Whether CollateralAmountChange (1704) of a Trade has the rebate of rounding fees in it. Otherwise it
    is what the balance changes by without it."""
    incorrect_quantity_has_its_own_code: bool = False
    """Whether an order with a quantity that the market does not take is refused with OrdRejReason (103) 13.
    Otherwise with 11, which is that of its Text INVALID_ORDER."""
    initial_margin: Decimal = attrs.field(default=Decimal("0.1"), validator=attrs.validators.gt(Decimal(0)))
    """What a perpetual posts when it is opened, as a part of price times quantity."""
    margin_balances_are_rounded: bool = True
    """Whether balances on margin are kept to the precision of their owner, as those on prediction are.
    Otherwise a trade changes them by its exact amount, and there are no rounding fees."""
    max_execution_cost_includes_fees: bool = False
    """Whether trade fees count towards MaxExecutionCost."""
    orders_must_cover_their_fee: bool = True
    """Whether an order or amend that opens a position needs its trade fee as a taker in the balance, beside
    what is held back. Nothing of the fee is held back while it rests."""
    ranged_return_may_be_negative: bool = False
    """Whether RangedMarketCollateralReturn is told where a Trade takes back what a market group had
    returned. Otherwise it is told only where something is returned."""
    rebate_waits_for_a_fee: bool = True
    """Whether a rebate of rounding fees waits for a fill whose fees are no smaller. Otherwise it comes at
    once, and the net fee (137) may be negative."""
    absent_ex_destination_routes_by_symbol: bool = True
    """Whether an order, amend or cancel without ExDestination (100) goes to the shard of its Symbol (55).
    Otherwise it goes to shard 0."""
    wrong_shard_knows_no_market: bool = True
    """Whether a request that names another shard than that of its Symbol is refused with MARKET_NOT_FOUND.
    Otherwise an order is refused with INVALID_ORDER, a cancel or an amend as one of an unknown order."""
    unconfirmed_acceptance_closes_rfq: bool = True
    """Whether a quote that was accepted and not confirmed in time, or taken back, takes its RFQ with it: the
    creator hears RFQCancelStatus (UB) EXPIRED. Otherwise the RFQ is open again with its other quotes."""
    makers_are_told_of_closed_rfqs: bool = True
    """Whether a QuoteRequestReject (AG) tells the makers who heard of an RFQ that it is over."""
    replace_existing_stays_on_market: bool = False
    """Whether ReplaceExisting closes RFQs on the same market alone, not on all markets."""
    one_quote_per_market: bool = False
    """Whether a new quote replaces the maker's quotes on all RFQs for the market, not on its RFQ alone."""
    quotes_end_with_session: bool = True
    """Whether the open quotes of a maker's session are cancelled when it ends."""
    exec_ids_that_cannot_be_get_other: bool = True
    """Whether an EventResendRequest (U1) with an ExecID that is none, or with two of different shards, gets a
    BusinessMessageReject (380=0). Otherwise it gets an EventResendReject with ServerError."""
    listeners_hear_of_rejects: bool = True
    """Whether a listener session is told of refused orders, as the session that placed them is."""
    past_report_requests_per_minute: int | None = 60
    """How many EventResendRequests (U1) an account may send in a minute, and one at a time on each session;
    further ones are refused as too many. None for any number."""
    parties_per_settlement_report: int = 100
    """How many parties a settlement report (UMS) has at most, at least 1; the rest come on further pages."""
    subaccounts_are_parties: bool = True
    """Whether each subaccount is a party of its own in a settlement report. Otherwise its owner is the only
    one, with the positions of all of them."""
    single_settlement_report_is_counted: bool = False
    """Whether a settlement of one page has TotNumMarketSettlementReports, too."""
    order_groups_trigger_between_trades: bool = True
    """Whether an order group triggers right after the fill that exceeds its limit, so that an incoming order
    that is still trading finds the rest of the group's orders gone. Otherwise, and always while an order
    trades that fills whole or not at all, it triggers once the incoming order is done."""
    operators_are_for_clearing_members: bool = True
    """Whether an order, amend or cancel with SenderSubID (50) is refused by BusinessMessageReject where the
    owner has no customer accounts. Otherwise it names the operator there, too."""
    fill_or_kill_tells_self_cross: bool = True
    """Whether the end of a fill-or-kill order that met an order of its own trader has the Text
    SELF_CROSS_ATTEMPT, or SELF_CROSS_ATTEMPT_PARTIALLY_FILLED after a part of it traded. Otherwise it is
    TAKER_CANCEL_FOR_SELF_TRADE_PREVENTION, as for other orders."""
    takers_cause_level_changes: bool = True
    """Whether a level that trades is told with ClOrdID (11) to the owner of the order that took from it, too.
    Otherwise only to that of the order that rested there."""
    daily_caps_are_in_dollars: bool = True
    """Whether an order counts under a daily cap (UseCapReservation) by what it costs to open it, at its
    price while it is open and at that of its trades afterwards. Otherwise it counts by its contracts."""
    basic_tier_has_fix: bool = False
    """Whether accounts of the lowest tier may log on. Otherwise the Logon is refused with `API usage level is
    not allowed for FIX`."""
    logon_burst: int = attrs.field(default=10, validator=attrs.validators.ge(1))
    """How many Logons of an account with a tier are taken at once."""
    logons_per_minute: int = attrs.field(default=60, validator=attrs.validators.ge(1))
    """How many Logons of an account with a tier are taken in the long run."""
    quote_confirm_cost_with_rfq_id: int = attrs.field(default=2, validator=attrs.validators.ge(0))
    """Tokens that a QuoteConfirm (U7) with RfqId costs. Without it costs 10."""
    margin_has_budgets: bool = True
    """Whether requests on margin are limited by the tier, with the figures for prediction. Otherwise they are
    not limited there; Logons and mass cancels are."""
    margin_has_shard_budgets: bool = False
    """Whether an order, amend or cancel on margin with ExDestination (100) of 1 or more draws on a budget of
    that shard, if the venue has it. Otherwise it draws on that for writing on margin."""
    mass_cancel_costs_tokens: bool = True
    """Whether an OrderMassCancelRequest (q) draws on the budget for writing, beside its interval."""
    post_only_crosses: int = attrs.field(default=3, validator=attrs.validators.ge(0))
    """After how many post-only quotes that crossed the book within `post_only_window` further ones of their
    owner are refused as over the rate limit, until fewer have. 0 for never."""
    post_only_window: int = attrs.field(default=60, validator=attrs.validators.ge(1))
    """Seconds for which a post-only quote that crossed counts."""
    rate_limit_text: str = "Rate limit exceeded"
    """Text of the BusinessMessageReject for what is over the limit."""
    block_trades_pay_taker_fees: bool = True
    """Whether both sides of a block trade pay the fee of the one who comes second. Otherwise they pay that of
    the one who was there first."""
    block_trades_are_told_to_order_sessions: bool = False
    """Whether block trades are reported on all order entry sessions of their two owners. Otherwise, as nobody
    has placed an order, they are reported to listeners alone."""
    exchange_pause_stops_order_groups: bool = True
    """Whether order group requests are refused while the exchange is paused. Otherwise they are carried
    out, and cancel orders where they do so at other times."""
    closed_markets_are_too_late_to_enter: bool = False
    """Whether MARKET_ALREADY_CLOSED comes with OrdRejReason (103) 4. Otherwise it comes with 2."""
    closed_markets_are_inactive: bool = True
    """Whether a closed market refuses everything with MARKET_INACTIVE until it is determined. Otherwise with
    MARKET_ALREADY_CLOSED from its close on."""
    unopened_markets_are_inactive: bool = True
    """Whether a market that is not open yet refuses everything with MARKET_INACTIVE. Otherwise with
    MARKET_NOT_FOUND."""
    orders_rest_after_close: int = attrs.field(default=5, validator=attrs.validators.ge(0))
    """Seconds from the close of a market to the cancel of what rests there; nobody can cancel or amend it
    then. 0 cancels it with the close."""
    mass_cancels_leave_closed_markets: bool = True
    """Whether a mass cancel leaves orders alone whose market refuses their cancels one by one."""
    mass_cancel_reject_reason: int = attrs.field(default=99, validator=attrs.validators.ge(0))
    """MassCancelRejectReason (532) of a mass cancel that is refused."""
    reopening_cancels_orders: bool = True
    """Whether what still rests is cancelled when a closed market is opened again. Otherwise it rests on."""
    halts_cancel_on_pause: bool = True
    """Whether a halt of a market cancels its orders with CancelOrderOnPause, Text TRADING_PAUSED.
    Otherwise they rest on."""
    halted_markets_take_cancels: bool = True
    """Whether orders in a halted market can be cancelled by their owners. Otherwise that is refused with
    MARKET_INACTIVE."""
    amended_results_are_told: bool = False
    """Whether a market that is determined anew after a dispute is told to subscribers once more (326=100)."""
    unknown_orders_have_text: bool = True
    """Whether OrderCancelRejects with CxlRejReason (102) 1 and 0 have the Text ORDER_NOT_FOUND and
    ORDER_ALREADY_FILLED. Otherwise they have none."""
