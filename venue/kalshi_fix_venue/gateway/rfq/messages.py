"""Messages to creators and makers."""

from __future__ import annotations

from decimal import Decimal

from kalshi_fix_sansio import (
    AcceptQuote,
    AcceptQuoteStatus,
    AcceptQuoteStatusCode,
    MVEOffendingLeg,
    Party,
    PartyRole,
    QuoteCancel,
    QuoteCancelStatus,
    QuoteCancelStatusCode,
    QuoteConfirm,
    QuoteConfirmStatus,
    QuoteConfirmStatusCode,
    QuoteRequest,
    QuoteRequestAck,
    QuoteRequestReject,
    QuoteRequestRejectReason,
    QuoteRequestSymbol,
    QuoteRequestType,
    QuoteStatus,
    QuoteStatusReport,
    RFQCancelStatus,
    RFQCancelStatusCode,
    Side,
)
from kalshi_fix_sansio import Quote as QuoteMessage
from kalshi_fix_venue.exchange.terms import opposite
from kalshi_fix_venue.gateway.rfq.book import Acceptance, Quote, Rfq
from kalshi_fix_venue.gateway.rfq.context import OBSCURED_ID
from kalshi_fix_venue.gateway.rfq.texts import RefusalError
from kalshi_fix_venue.gateway.units import contracts, money, price_to_wire

_ZERO = Decimal("0.00")


def request_ack(rfq: Rfq) -> QuoteRequestAck:
    """Return the acknowledgement that the creator of a request receives."""
    return QuoteRequestAck(
        quote_req_id=rfq.client_id,
        quote_request_type=QuoteRequestType.MANUAL,
        rfq_id=rfq.rfq_id,
        symbol=rfq.market if rfq.by_legs else None,
        ex_destination=rfq.account.shard,
    )


def request_end_notice(rfq: Rfq, text: str) -> QuoteRequestReject:
    """Return the notice to a maker that a request has ended."""
    other = QuoteRequestRejectReason.OTHER
    return QuoteRequestReject(quote_req_id=rfq.rfq_id, quote_request_reject_reason=other, text=text)


def request_refusal(message: QuoteRequest, refusal: RefusalError) -> QuoteRequestReject:
    """Return the refusal of a request."""
    legs = [MVEOffendingLeg(mve_offending_market_ticker=ticker) for ticker in refusal.offending]
    return QuoteRequestReject(
        quote_req_id=message.quote_req_id,
        quote_request_reject_reason=refusal.reason,
        text=refusal.text,
        mve_validation_reason_code=refusal.code,
        mve_offending_legs=legs,
    )


def request_to_maker(rfq: Rfq, public_id: str, *, own: bool) -> QuoteRequest:
    """Return a request as sent to a maker; `own` is set if the maker's owner created it."""
    return QuoteRequest(
        quote_req_id=rfq.rfq_id,
        related_sym=[
            QuoteRequestSymbol(
                symbol=rfq.market,
                # The field is required: 0 for a request with an amount of cash.
                order_qty=contracts(rfq.contracts or _ZERO),
                cash_order_qty=None if rfq.cash is None else money(rfq.cash),
                transact_time=rfq.created,
                party_ids=[Party(party_id=OBSCURED_ID if rfq.obscured and not own else public_id)],
            )
        ],
        multivariate_collection_ticker=None if rfq.combo is None else rfq.combo.collection,
        multivariate_selected_legs=[] if rfq.combo is None else list(rfq.combo.legs),
    )


def request_end_status(
    quote_req_id: str, status: RFQCancelStatusCode, rfq_id: str | None, text: str | None = None
) -> RFQCancelStatus:
    """Return the answer to an RFQCancel, or the notice to a creator that its request has ended."""
    return RFQCancelStatus(quote_req_id=quote_req_id, rfq_cancel_status=status, rfq_id=rfq_id, text=text)


def quote_to_creator(quote: Quote, public_id: str) -> QuoteMessage:
    """Return a quote as sent to the creator; its prices are in dollars on every session."""
    return QuoteMessage(
        quote_id=quote.quote_id,
        quote_req_id=quote.rfq.rfq_id,
        symbol=quote.rfq.market,
        bid_px=_price(quote.bid, dollars=True),
        offer_px=_price(quote.offer, dollars=True),
        order_qty=_size(quote.rfq.contracts),
        bid_size=_size(quote.bid_size),
        offer_size=_size(quote.offer_size),
        transact_time=quote.created,
        party_ids=[Party(party_id=public_id, party_role=PartyRole.LIQUIDITY_PROVIDER)],
    )


def quote_status(
    quote: Quote, status: QuoteStatus, acceptance: Acceptance | None = None
) -> QuoteStatusReport:
    """Return the status of a quote for its maker, with the accepted side and size if it was accepted."""
    bid_size, offer_size = quote.bid_size, quote.offer_size
    if acceptance is not None:
        side = acceptance.side
        bid_size = acceptance.quantity if side is Side.SELL else None
        offer_size = acceptance.quantity if side is Side.BUY else None
    dollars = quote.maker.flags.use_dollars
    return QuoteStatusReport(
        quote_id=quote.quote_id,
        quote_req_id=quote.rfq.rfq_id,
        quote_status=status,
        alloc_account=quote.account.subaccount or None,
        order_qty=_size(quote.rfq.contracts),
        bid_px=_price(quote.bid, dollars=dollars),
        offer_px=_price(quote.offer, dollars=dollars),
        bid_size=_size(bid_size),
        offer_size=_size(offer_size),
        # The side of the quote: 1 for YES, which a selling creator takes, and 2 for NO.
        side=None if acceptance is None else opposite(acceptance.side),
        transact_time=quote.created if status is QuoteStatus.PENDING else None,
    )


def quote_refusal(message: QuoteMessage, refusal: RefusalError) -> QuoteStatusReport:
    """Return the refusal of a quote. It contains the quote's id, although the field is empty on Kalshi's
    page: FIX has no empty values.
    """
    return QuoteStatusReport(
        quote_id=message.quote_id,
        quote_req_id=message.quote_req_id,
        quote_status=QuoteStatus.REJECTED,
        alloc_account=message.alloc_account,
        text=refusal.text,
    )


def cancel_answer(message: QuoteCancel, refusal: RefusalError | None = None) -> QuoteCancelStatus:
    """Return the answer to a QuoteCancel."""
    code = QuoteCancelStatusCode.CANCELED if refusal is None else QuoteCancelStatusCode.REJECTED
    return QuoteCancelStatus(quote_id=message.quote_id, quote_cancel_status=code, text=_text(refusal))


def confirm_answer(message: QuoteConfirm, refusal: RefusalError | None = None) -> QuoteConfirmStatus:
    """Return the answer to a QuoteConfirm."""
    code = QuoteConfirmStatusCode.ACCEPTED if refusal is None else QuoteConfirmStatusCode.REJECTED
    return QuoteConfirmStatus(quote_id=message.quote_id, quote_confirm_status=code, text=_text(refusal))


def accept_ack(quote_id: str, accepted: Quote, cl_ord_id: str | None) -> AcceptQuoteStatus:
    """Return the status of an acceptance, with the accepted quote."""
    return AcceptQuoteStatus(
        quote_id=quote_id,
        accept_quote_status=AcceptQuoteStatusCode.ACCEPTED,
        accepted_quote_id=accepted.quote_id,
        cl_ord_id=cl_ord_id,
    )


def accept_refusal(message: AcceptQuote, refusal: RefusalError) -> AcceptQuoteStatus:
    """Return the refusal of an AcceptQuote."""
    return AcceptQuoteStatus(
        quote_id=message.quote_id,
        accept_quote_status=AcceptQuoteStatusCode.REJECTED,
        cl_ord_id=message.cl_ord_id,
        text=refusal.text,
    )


def _text(refusal: RefusalError | None) -> str | None:
    return None if refusal is None else refusal.text


def _price(value: Decimal | None, *, dollars: bool) -> Decimal | None:
    return None if value is None else price_to_wire(value, dollars=dollars)


def _size(value: Decimal | None) -> Decimal | None:
    return None if value is None else contracts(value)
