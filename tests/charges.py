"""The bucket to which each message is charged, and its cost in tokens, at the venue and in a client's budget.

A bucket is `read`, or the shard of a write bucket; None is the bucket of writes without a shard.
"""

from __future__ import annotations

from typing import Any

import pytest

from kalshi_fix_sansio import (
    AcceptQuote,
    EventResendRequest,
    MarketDataRequest,
    MassCancelRequestType,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrderGroupRequest,
    OrderMassCancelRequest,
    OrdType,
    Quote,
    QuoteCancel,
    QuoteConfirm,
    QuoteRequest,
    RFQCancel,
    SecurityStatusRequest,
    Side,
)
from kalshi_fix_sansio._generated.limits import CANCEL_COST, DEFAULT_COST, QUOTE_COST, RFQ_SHARD
from tests.helpers import order

MARKET = "KXHIGHNY-26AUG21-B80"
SNAPSHOT = MarketDataRequest.snapshot(MARKET)
QUOTE = Quote(quote_id="q", quote_req_id="r", symbol=MARKET)
MASS_CANCEL = OrderMassCancelRequest(
    cl_ord_id="m", mass_cancel_request_type=MassCancelRequestType.CANCEL_FOR_SESSION
)


def cancel(shard: int | None = None) -> OrderCancelRequest:
    return OrderCancelRequest(
        cl_ord_id="c", orig_cl_ord_id="a", side=Side.BUY, symbol=MARKET, ex_destination=shard
    )


def amend(shard: int | None = None) -> OrderCancelReplaceRequest:
    return OrderCancelReplaceRequest(
        cl_ord_id="g",
        orig_cl_ord_id="a",
        order_qty=1,
        ord_type=OrdType.LIMIT,
        side=Side.BUY,
        symbol=MARKET,
        ex_destination=shard,
    )


CHARGES: tuple[Any, ...] = tuple(
    pytest.param(message, bucket, cost, id=message.MSG_TYPE)
    for message, bucket, cost in (
        (order(), None, DEFAULT_COST),
        (order(ex_destination=-1), None, DEFAULT_COST),
        (order(ex_destination=0), None, DEFAULT_COST),
        (order(ex_destination=1), 1, DEFAULT_COST),
        (order(ex_destination=2), 2, DEFAULT_COST),
        (order(quote_id="q"), RFQ_SHARD, DEFAULT_COST),
        (amend(), None, DEFAULT_COST),
        (amend(2), 2, DEFAULT_COST),
        (cancel(), None, CANCEL_COST),
        (cancel(1), 1, CANCEL_COST),
        (MASS_CANCEL, None, DEFAULT_COST),
        (OrderGroupRequest.reset("g"), None, DEFAULT_COST),
        (OrderGroupRequest.trigger("g"), None, DEFAULT_COST),
        (QuoteRequest(quote_req_id="r"), RFQ_SHARD, DEFAULT_COST),
        (QUOTE, RFQ_SHARD, QUOTE_COST),
        (QuoteCancel(quote_id="q"), RFQ_SHARD, QUOTE_COST),
        (QuoteConfirm(quote_id="q"), RFQ_SHARD, DEFAULT_COST),
        (AcceptQuote(quote_id="q", side=Side.BUY), RFQ_SHARD, DEFAULT_COST),
        (RFQCancel(quote_req_id="r"), RFQ_SHARD, DEFAULT_COST),
        (SNAPSHOT, "read", DEFAULT_COST),
        (SecurityStatusRequest.subscribe(MARKET), "read", DEFAULT_COST),
        (EventResendRequest(begin_exec_id="1;1"), "read", DEFAULT_COST),
    )
)
