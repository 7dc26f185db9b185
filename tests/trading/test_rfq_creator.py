"""A creator's combinations, quotes in every sequence of arrival, and bounds.

histories/rfq_creator.yaml tests all other cases.
"""

from __future__ import annotations

from random import Random

import pytest

from kalshi_fix_sansio import QuoteRequest, Side
from kalshi_fix_sansio._generated.limits import RFQ_CONFIRMATION, RFQ_EXECUTION
from kalshi_fix_sansio.trading import CreatorQuote, Exposure, RfqRequestError
from kalshi_fix_sansio.trading.rfq.creator import MAX_ACCEPTANCES, MAX_EARLY_QUOTES
from tests.trading.histories.rfq import CreatorPlayer
from tests.trading.order_flow import NOON, at, d
from tests.trading.rfq_flow import COMBO, LEG, MARKET, ack, forwarded_quote, received, request

OPENED = "request r1 \n ack r1 \n quote q1 0.40 0.55 bob"


def test_a_combination_is_requested_by_its_legs() -> None:
    player = CreatorPlayer()
    message = QuoteRequest.for_combination(
        quote_req_id="r1",
        multivariate_collection_ticker="KXCOMBO",
        multivariate_selected_legs=[LEG],
        cash_order_qty="45",
    )
    requested = player.machine.request(message)
    assert len(requested.legs) == 1
    player.play(
        f"""
        r1 SENT symbol=- collection=KXCOMBO cash=45
        ack r1 symbol={COMBO}
        quote q1 bid_size=- offer_size=-
        r1 symbol={COMBO}
        accept BUY c1
        """
    )
    assert player.machine.exposure(COMBO) == Exposure(d(100), d(0), d(45))
    player.play("accept-status q1 0 c1 \n deadline 9")  # confirmation 3 s, execution 1 s, grace 5 s


def test_the_newest_quote_of_each_maker_counts_in_any_arrival_order() -> None:
    quotes = [
        received(forwarded_quote(f"q{number}", f"0.{40 + number}", None, maker, seconds=1), number, number)
        for number, maker in enumerate(("bob", "cat") * 4, 1)
    ]
    for seed in range(10):
        player = CreatorPlayer()
        events = [*quotes, received(ack(), 0, 1), *quotes[:3]]
        Random(seed).shuffle(events)
        for event in (request(), *events):
            player.machine.apply(event, NOON)
        player.play("best-quote SELL q8")
        rfq = player.machine.rfq("r1")
        assert rfq is not None
        assert sorted(rfq.quotes) == ["q7", "q8"]


def test_a_quote_that_cannot_be_accepted_is_refused() -> None:
    player = CreatorPlayer()
    player.play(OPENED)
    [rfq] = player.machine
    accept = player.machine.accept
    with pytest.raises(RfqRequestError, match="no price"):
        accept(rfq, CreatorQuote("q1", MARKET, d("0.4")), Side.BUY, "c2")
    with pytest.raises(RfqRequestError, match="is not a quote for"):
        accept(rfq, CreatorQuote("q9", MARKET, d("0.4")), Side.SELL, "c2")
    quote = rfq.quotes["q1"]
    quote.bid_size = quote.offer_size = quote.contracts = None
    player.play('fails "has no size" accept-by-order BUY c2')
    player.play("accept-by-order BUY c2 quantity=3 \n sends NewOrderSingle order_qty=3")


def test_ended_requests_are_evicted_for_new_ones() -> None:
    player = CreatorPlayer(max_rfqs=2)
    player.play(f"{OPENED} \n accept BUY c1 \n accept-status q1 0 c1 \n report c1 TRADE 100")
    player.play("request r2 \n request r3 \n request r4 \n rfqs r2 r3 r4")
    creator = player.machine
    assert (creator._by_rfq_id, creator._accepted, creator._tradable_deals) == ({}, {}, {})


def test_quotes_and_acceptances_are_bounded() -> None:
    player = CreatorPlayer(max_quotes=2)
    player.play("request r1 \n ack r1 \n quote a \n quote b \n quote c \n discrepancies TOO_MANY")
    accept = "accept BUY c{0} \n accept-status a 1 c{0} text=TRADING_PAUSED"
    player.play("\n".join(map(accept.format, range(2 * MAX_ACCEPTANCES))))
    [rfq] = player.machine
    assert len(rfq.acceptances) == MAX_ACCEPTANCES
    assert len(player.machine._accepted) == MAX_ACCEPTANCES + 1
    early = [*range(MAX_EARLY_QUOTES + 5), MAX_EARLY_QUOTES + 4]  # the last one is redelivered
    player.play("\n".join(map("quote e{0} rfq_id=X{0}".format, early)))
    assert len(player.machine._early) == MAX_EARLY_QUOTES


@pytest.mark.parametrize(("volatile", "kind"), [((), "standard"), ((MARKET,), "high_volatility")])
def test_the_windows_depend_on_the_kind_of_market(volatile: tuple[str, ...], kind: str) -> None:
    player = CreatorPlayer(windows={}, volatile_symbols=volatile, grace=1)
    player.play(f"{OPENED} \n accept BUY c1 \n accept-status q1 0 c1")
    expected = at(RFQ_CONFIRMATION[kind] + RFQ_EXECUTION[kind] + 1)
    assert player.machine.next_deadline() == expected
