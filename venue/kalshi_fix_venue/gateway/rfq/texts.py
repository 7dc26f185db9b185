"""Refusals of RFQ messages, and the values of their Text (58). Some are in the spec or in `RejectCause`.

Kalshi's page on RFQs names RFQ_CLOSED, `invalid_parameters` and INSUFFICIENT_BALANCE, and its page on RFQ
messages names `RFQ already exists`. The other Texts are modelled on these.
"""

from __future__ import annotations

from typing import Final

import attrs

from kalshi_fix_sansio import AcceptQuoteStatusText, MVEValidationReasonCode, QuoteRequestRejectReason
from kalshi_fix_venue.exchange import RejectCause

RFQ_ALREADY_EXISTS: Final = "RFQ already exists"
RFQ_CLOSED: Final = "RFQ_CLOSED"
"""The RFQ was cancelled, has expired, was executed or is about to be executed."""
RFQ_NOT_FOUND: Final = "RFQ_NOT_FOUND"
INVALID_PARAMETERS: Final = "invalid_parameters"
"""The message is inconsistent with the market, with the RFQ, or with itself."""
QUOTE_NOT_FOUND: Final = AcceptQuoteStatusText.NOT_FOUND.value
QUOTE_EXPIRED: Final = AcceptQuoteStatusText.EXPIRED.value
"""The quote was cancelled, replaced or executed, or not confirmed in time."""
QUOTE_ALREADY_EXISTS: Final = "QUOTE_ALREADY_EXISTS"
"""The maker has used this QuoteID before, or another maker has used it on this RFQ."""
QUOTE_NOT_ACCEPTED: Final = "QUOTE_NOT_ACCEPTED"
"""No acceptance is waiting for confirmation."""
QUOTE_ALREADY_CONFIRMED: Final = "QUOTE_ALREADY_CONFIRMED"
"""The maker has confirmed the quote, so neither side can withdraw."""
ACCOUNT_NOT_FOUND: Final = RejectCause.CUSTOMER_ACCOUNT_NOT_FOUND.value
INSUFFICIENT_BALANCE: Final = RejectCause.INSUFFICIENT_BALANCE.value
OWN_RFQ: Final = "SELF_CROSS_ATTEMPT"
"""The maker of the quote is the creator of the RFQ."""
TOO_MANY_RFQS: Final = "too many open RFQs"
TOO_MANY_QUOTES: Final = "too many quotes on this RFQ"
TOO_MANY_COMBOS: Final = "too many combo markets"
TOO_MANY_CONTRACTS: Final = "more contracts than the market accepts in an order"
MARKET_OR_COMBO: Final = "either Symbol or MultivariateCollectionTicker with legs is required"
COLLECTION_NOT_FOUND: Final = "MULTIVARIATE_COLLECTION_NOT_FOUND"
WRONG_SUBACCOUNT: Final = "the API key is restricted to another subaccount"
RFQ_CANCELED: Final = "RFQ was cancelled"
RFQ_EXPIRED: Final = "RFQ has expired"
RFQ_EXECUTED: Final = "RFQ was executed"


@attrs.define(eq=False)
class RefusalError(Exception):
    """A message is refused, and the state is unchanged. The attributes after `text`
    are only set if the message is a QuoteRequest.
    """

    text: str
    reason: QuoteRequestRejectReason = QuoteRequestRejectReason.OTHER
    code: MVEValidationReasonCode | None = None
    """Why a request's combination of markets is invalid, if it is."""
    offending: tuple[str, ...] = ()
    """Tickers of the markets of the offending legs."""


def refuse_if(cause: RejectCause | None) -> None:
    """Raise RefusalError if the exchange has a cause to refuse an order."""
    if cause is not None:
        raise RefusalError(cause.value)
