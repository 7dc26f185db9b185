"""Compact constructors for RFQ messages and for the events that carry them."""

from __future__ import annotations

from typing import Any

from kalshi_fix_sansio import (
    AcceptQuoteStatus,
    ExecType,
    ExecutionReport,
    MultivariateSelectedLeg,
    OrdStatus,
    Party,
    Quote,
    QuoteCancelStatus,
    QuoteConfirmStatus,
    QuoteRequest,
    QuoteRequestAck,
    QuoteRequestReject,
    QuoteRequestSymbol,
    QuoteStatusReport,
    RFQCancelStatus,
    Side,
)
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import LoggedOn, MessageReceived, OpenRequest, OutcomesUnknown, Uncertainty
from kalshi_fix_sansio.trading import (
    DropCopyRange,
    DropCopyReport,
    ExecKey,
    RfqWindows,
)
from tests.helpers import CODEC, raw
from tests.trading import order_flow
from tests.trading.order_flow import NOON, at, d, over_the_wire

MARKET = "KXHIGHNY-26NOV21-T55"
COMBO = "KXCOMBO-26NOV21-A1"
LEG = MultivariateSelectedLeg(
    multivariate_selected_event_ticker="E",
    multivariate_selected_market_ticker="E-A",
    multivariate_selected_side="yes",
)
LONG_ID = "n" * 257
WINDOWS: dict[str, Any] = {
    "standard": RfqWindows(confirmation=30, execution=15),
    "high_volatility": RfqWindows(confirmation=3, execution=1),
}
OVERDUE_AT = 30 + 15 + 5
"""The time, in seconds, at which the order for a quote accepted at 0 seconds is overdue."""


def received(message: Message, seconds: float | None = None, number: int = 2) -> MessageReceived:
    """Return a message as the session delivers it: sent `seconds` after noon, or without a header."""
    if seconds is not None:
        message = over_the_wire(message, number, at=at(seconds))
    return MessageReceived(message)


def unreadable(text: str) -> MessageReceived:
    """Return a message with missing fields, as a lenient session delivers it."""
    return MessageReceived(CODEC.decode(raw(text)))


def logged_on(*, dollars: bool = True, reset: bool = False) -> LoggedOn:
    return order_flow.logged_on(reset=reset, use_dollars=dollars)


def unknown(*requests: tuple[str, str]) -> OutcomesUnknown:
    """Return the event for requests without a known outcome, given by MsgType and id."""
    found = tuple(OpenRequest(request_id, msg_type, 7, NOON, b"", 1) for msg_type, request_id in requests)
    return OutcomesUnknown(found, Uncertainty.CONNECTION_ENDED)


# --- messages to makers ---------------------------------------------------------------------------------


def incoming_rfq(
    rfq_id: str = "R1", symbol: str | None = MARKET, quantity: Any = 100, **more: Any
) -> MessageReceived:
    message_fields = {name: more.pop(name) for name in tuple(more) if name.startswith("multivariate")}
    entry = QuoteRequestSymbol(symbol=symbol, order_qty=quantity, transact_time=NOON, **more)
    return MessageReceived(QuoteRequest(quote_req_id=rfq_id, related_sym=[entry], **message_fields))


def incoming_combo_rfq(rfq_id: str = "R1") -> MessageReceived:
    return incoming_rfq(
        rfq_id, COMBO, multivariate_collection_ticker="KXCOMBO", multivariate_selected_legs=[LEG, LEG]
    )


def status(quote_id: str, code: Any, rfq_id: str = "R1", **more: Any) -> QuoteStatusReport:
    return QuoteStatusReport(quote_id=quote_id, quote_req_id=rfq_id, quote_status=code, **more)


def confirm_status(quote_id: str, code: Any = 0, text: str | None = None) -> QuoteConfirmStatus:
    return QuoteConfirmStatus(quote_id=quote_id, quote_confirm_status=code, text=text)


def cancel_status(quote_id: str, code: Any = 0, text: str | None = None) -> QuoteCancelStatus:
    return QuoteCancelStatus(quote_id=quote_id, quote_cancel_status=code, text=text)


def rfq_reject(rfq_id: str = "R1", text: str = "RFQ is over") -> QuoteRequestReject:
    return QuoteRequestReject(quote_req_id=rfq_id, quote_request_reject_reason=99, text=text)


# --- messages to creators -------------------------------------------------------------------------------


def request(quote_req_id: str = "r1", quantity: Any = 100, **more: Any) -> QuoteRequest:
    """Return a request that the creator is about to send."""
    return QuoteRequest.for_market(quote_req_id=quote_req_id, symbol=MARKET, order_qty=quantity, **more)


def ack(quote_req_id: str = "r1", rfq_id: str | None = "R1", **more: Any) -> QuoteRequestAck:
    values = {"quote_request_type": 1, "ex_destination": 0} | more
    return QuoteRequestAck(quote_req_id=quote_req_id, rfq_id=rfq_id, **values)


def forwarded_quote(
    quote_id: str,
    bid: Any = "0.40",
    offer: Any = "0.55",
    maker: str | None = None,
    *,
    rfq_id: str = "R1",
    seconds: float = 1,
    **more: Any,
) -> Quote:
    values: dict[str, Any] = {"bid_size": 100, "offer_size": 100, "transact_time": at(seconds)}
    parties = [] if maker is None else [Party(party_id=maker, party_role=35)]
    return Quote(
        quote_id=quote_id,
        quote_req_id=rfq_id,
        symbol=MARKET,
        bid_px=bid,
        offer_px=offer,
        party_ids=parties,
        **(values | more),
    )


def accept_status(
    quote_id: str, code: Any = 0, cl_ord_id: str | None = None, **more: Any
) -> AcceptQuoteStatus:
    return AcceptQuoteStatus(quote_id=quote_id, accept_quote_status=code, cl_ord_id=cl_ord_id, **more)


def rfq_cancel_status(quote_req_id: str = "r1", code: Any = 2, **more: Any) -> RFQCancelStatus:
    return RFQCancelStatus(quote_req_id=quote_req_id, rfq_cancel_status=code, **more)


def report(
    cl_ord_id: str, kind: Any = ExecType.TRADE, cum_qty: Any = 100, text: str | None = None
) -> ExecutionReport:
    return ExecutionReport(
        order_id="o",
        cl_ord_id=cl_ord_id,
        exec_id="1;1",
        exec_type=kind,
        ord_status=OrdStatus.FILLED,
        side=Side.BUY,
        symbol=MARKET,
        order_qty=d(100),
        leaves_qty=d(0),
        cum_qty=d(cum_qty),
        avg_px=d(0),
        text=text,
    )


# --- drop copy ------------------------------------------------------------------------------------------


def traded(key: str, seconds: float | None = None) -> DropCopyReport:
    """Return a report about another order in the same market."""
    when = None if seconds is None else at(seconds)
    return DropCopyReport(order_flow.report("new", key, transact_time=when))


def covered(begin: str = "5;1", seconds: float | None = OVERDUE_AT, end: str | None = None) -> DropCopyRange:
    first = ExecKey.parse(begin)
    assert first is not None
    last = None if end is None else ExecKey.parse(end)
    return DropCopyRange(first.shard, first, 0, last, None if seconds is None else at(seconds))
