"""RFQs with a trader as the counterparty, for users who create RFQs and users who quote."""

from __future__ import annotations

from decimal import Decimal

import pytest

from kalshi_fix_adapters.blocking import Client, order_entry, rfq
from kalshi_fix_adapters.errors import LogonRefusedError
from kalshi_fix_sansio import (
    AcceptQuote,
    ExecutionReport,
    Quote,
    QuoteConfirm,
    QuoteRequest,
    QuoteRequestSymbol,
    QuoteStatus,
    QuoteStatusReport,
    Side,
)
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.errors import InvalidMessageError
from kalshi_fix_venue.testing import Venue
from tests.adapters.conformance.loops import TIMEOUT
from tests.adapters.conformance.support import SYMBOL


def wait_for(client: Client, kind: type[Message], **values: object) -> Message:
    for message in client.messages(TIMEOUT):
        if isinstance(message, kind) and all(getattr(message, name) == values[name] for name in values):
            return message
    raise AssertionError(f"no {kind.__name__} was received")


def test_a_user_sends_an_rfq_and_the_trader_quotes(venue: Venue) -> None:
    maker = venue.trader("other")
    assert maker.rfqs() == []
    with order_entry(retransmission=True, **venue.options(session="KalshiRT")) as client:
        entry = QuoteRequestSymbol(symbol=SYMBOL, order_qty=10)
        client.send(QuoteRequest(quote_req_id="mine", related_sym=[entry]))
        [requested] = maker.rfqs()
        quote_id = maker.quote(requested, bid="0.40", offer="0.55")
        quote = wait_for(client, Quote)
        assert isinstance(quote, Quote)
        client.send(AcceptQuote(quote_id=quote.quote_id, side="1"))
        maker.confirm(quote_id)
        venue.skip(20)
        wait_for(client, ExecutionReport, exec_type="F")
    assert venue.positions() == {SYMBOL: Decimal(10)}
    assert venue.positions("other") == {SYMBOL: Decimal(-10)}
    assert maker.session("KalshiRFQ").take(Quote) == []


@pytest.mark.parametrize("by_id", [False, True])
def test_a_user_quotes_and_the_trader_sends_an_rfq(venue: Venue, by_id: bool) -> None:
    creator = venue.trader("other")
    with rfq(**venue.options(session="KalshiRFQ")) as client:
        rfq_id = creator.request_quotes(SYMBOL, 10)
        requested = wait_for(client, QuoteRequest)
        assert isinstance(requested, QuoteRequest)
        assert requested.quote_req_id == rfq_id
        client.send(Quote(quote_id="mine", quote_req_id=rfq_id, symbol=SYMBOL, bid_px="0.40", offer_px="0.5"))
        wait_for(client, QuoteStatusReport, quote_status=QuoteStatus.PENDING)
        [quote] = creator.quotes()
        creator.accept(quote.quote_id if by_id else quote, Side.SELL)
        wait_for(client, QuoteStatusReport, quote_status=QuoteStatus.ACCEPTED)
        client.send(QuoteConfirm(quote_id="mine"))
        venue.skip(20)
        wait_for(client, ExecutionReport, exec_type="F")
    assert venue.positions() == {SYMBOL: Decimal(10)}


def test_rejections_by_the_venue_raise(venue: Venue) -> None:
    maker, creator = venue.trader("other"), venue.trader("me")
    maker.rfqs()
    with pytest.raises(ValueError, match="rejected me's request"):
        creator.request_quotes("NONE", 1)
    creator.request_quotes(SYMBOL, 10)
    [requested] = maker.rfqs()
    with pytest.raises(InvalidMessageError, match="BidPx"):
        maker.quote(requested, bid="7.00")
    quote_id = maker.quote(requested, bid="0.40", offer="0.50")
    with pytest.raises(ValueError, match="rejected other's confirmation"):
        maker.confirm(quote_id)
    [quote] = creator.quotes()
    creator.accept(quote, Side.BUY)
    with pytest.raises(ValueError, match="rejected me's acceptance"):
        creator.accept(quote, Side.BUY)


def test_a_session_of_a_trader_continues_after_a_disconnect_and_a_reset(venue: Venue) -> None:
    maker = venue.trader("other")
    maker.rfqs()
    venue.do("cut", owner="other")
    assert maker.rfqs() == []
    assert venue.logged_on("other") == ("KalshiRFQ",)
    venue.reset()
    assert venue.logged_on("other") == ()
    maker.rfqs()
    assert venue.logged_on("other") == ("KalshiRFQ",)


def test_two_sessions_cannot_share_a_key(venue: Venue) -> None:
    maker = venue.trader("other")
    maker.rfqs()
    with pytest.raises(LogonRefusedError, match="already exists"):
        rfq(**venue.options("other", "KalshiRFQ")).open()
    venue.reset()
    with (
        rfq(**venue.options("other", "KalshiRFQ")),
        pytest.raises(ValueError, match="KalshiRFQ has ended: already exists"),
    ):
        maker.rfqs()
