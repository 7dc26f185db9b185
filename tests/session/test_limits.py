"""Checks of outgoing messages: limits by product and Logon flags, header fields, known codes."""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import Any

import pytest

from kalshi_fix_sansio import LogonFields
from kalshi_fix_sansio._generated import (
    Header,
    OrderCancelRequest,
    Party,
    Quote,
    QuoteRequest,
    QuoteRequestSymbol,
)
from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.errors import InvalidMessageError
from kalshi_fix_sansio.events import MessageReceived
from tests.helpers import (
    CODEC,
    HOSTILE_CONTEXTS,
    START,
    SUB_ID_LENGTH,
    Wired,
    established,
    order,
    refusal_of,
    tag_of,
)
from tests.samples import amend_request, execution_report

DOLLARS_TAG = tag_of("UseDollars")
DOLLARS, CENTS, UNSPECIFIED = LogonFields(use_dollars=True), LogonFields(use_dollars=False), LogonFields()


def cancel_request() -> OrderCancelRequest:
    return OrderCancelRequest(orig_cl_ord_id="a1", cl_ord_id="a2", side="1", symbol="K")


def quote(**prices: Any) -> Quote:
    return Quote(quote_id="q", quote_req_id="r", symbol="K", **prices)


def logged_on(name: str, product: str, fields: LogonFields) -> Wired:
    return established(Role.INITIATOR, name, product=product, logon_fields=fields)


@pytest.fixture
def wired() -> Wired:
    """Return a client on KalshiNR, with prices in dollars."""
    return logged_on("KalshiNR", "prediction", DOLLARS)


IN_DOLLARS = "0.0001 to 0.9999 dollars in steps of 0.0001"
IN_CENTS = "1 to 99 cents in steps of 1"
ON_MARGIN = "0.0001 or more dollars in steps of 0.0001"
PRICES = [
    ("prediction", DOLLARS, ["0.0001", "0.55", "0.9999", "0.5000", "0.990000"], IN_DOLLARS),
    ("prediction", CENTS, ["1", "55", "99", "55.00"], IN_CENTS),
    ("prediction", UNSPECIFIED, ["1", "99"], IN_CENTS),
    ("margin", UNSPECIFIED, ["0.0001", "0.9999", "1", "60123.4567"], ON_MARGIN),
]
INVALID = {
    IN_DOLLARS: ["-1", "0", "55", "1", "1.0000", "0.12345", "0.00005", "0.99995", "-0.55"],
    IN_CENTS: ["-1", "0", "0.55", "100", "1.5", "99.01", "0.99"],
    ON_MARGIN: ["-1", "0", "-0.0001", "0.12345", "60000.00001"],
}


@pytest.mark.parametrize(("product", "fields", "valid", "allowed"), PRICES)
@pytest.mark.parametrize("make", [order, amend_request])
def test_a_price_must_be_valid_in_some_market(
    make: Any, product: str, fields: LogonFields, valid: list[str], allowed: str
) -> None:
    wired = logged_on("KalshiNR", product, fields)
    for price in valid * 2:
        wired.session.send(make(price=price), wired.clock.now)
        (sent,) = wired.sent()
        assert sent.price == Decimal(price)
    for price in INVALID[allowed] * 2:
        text = refusal_of(wired, make(price=price))
        assert f"Price (44) is '{price}': expected {allowed}" in text
        assert product == "margin" or "UseDollars" in text


@pytest.mark.parametrize(
    ("product", "valid", "invalid"),
    [
        ("prediction", ["0.01", "1", "10.00", "1.25", "1000000"], ["-5", "0", "-0.01", "1.005", "0.001"]),
        ("margin", ["1", "2.00", "1000000"], ["-5", "0", "0.5", "1.01", "1.005"]),
    ],
)
def test_a_quantity_must_be_valid_in_some_market(product: str, valid: list[str], invalid: list[str]) -> None:
    wired = logged_on("KalshiNR", product, DOLLARS)
    for quantity in valid:
        assert refusal_of(wired, order(order_qty=quantity)) == ""
    for quantity in invalid:
        assert f"OrderQty (38) is '{quantity}': expected " in refusal_of(wired, order(order_qty=quantity))


def test_an_amend_to_zero_is_allowed_because_it_cancels_an_unfilled_order(wired: Wired) -> None:
    assert refusal_of(wired, amend_request(order_qty=0)) == ""
    text = refusal_of(wired, amend_request(order_qty=-1))
    assert "OrderQty (38) is '-1': expected 0 or more in steps of 0.01" in text
    assert "OrderQty (38) is '0.005'" in refusal_of(wired, amend_request(order_qty="0.005"))


def test_a_quote_may_have_a_price_of_zero_on_one_side() -> None:
    wired = logged_on("KalshiRFQ", "prediction", DOLLARS)
    wired.session.send(quote(bid_px="0.4500", offer_px=0), wired.clock.now)
    assert "BidPx (132) is '45': expected 0 to 0.9999 dollars" in refusal_of(wired, quote(bid_px=45))
    assert "OfferPx (133) is '-0.1'" in refusal_of(wired, quote(offer_px="-0.1"))
    wired = logged_on("KalshiRFQ", "prediction", CENTS)
    wired.session.send(quote(bid_px=45, offer_px=0), wired.clock.now)
    assert "BidPx (132) is '0.45': expected 0 to 99 cents" in refusal_of(wired, quote(bid_px="0.45"))


def test_limits_also_apply_to_group_entries() -> None:
    wired = logged_on("KalshiRT", "prediction", DOLLARS)

    texts = []
    for quantity in ("5.25", "1.005"):
        entry = QuoteRequestSymbol(symbol="K", order_qty=quantity)
        texts.append(refusal_of(wired, QuoteRequest(quote_req_id="r", related_sym=[entry])))
    assert texts[0] == ""
    assert "OrderQty (38) in entry 1 of NoRelatedSym (146) is '1.005'" in texts[1]


@pytest.mark.parametrize("name", HOSTILE_CONTEXTS)
def test_a_price_step_is_checked_exactly_in_any_decimal_context(name: str) -> None:
    wired = logged_on("KalshiNR", "margin", UNSPECIFIED)
    with localcontext(HOSTILE_CONTEXTS[name]):
        wired.session.send(order(price="1234567890123456789.0001"), wired.clock.now)
        assert "Price (44)" in refusal_of(wired, order(price="1234567890123456789.00011"))


@pytest.mark.parametrize("value", [0.55, "0.55", Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), [1]])
def test_values_set_after_construction_are_also_checked(wired: Wired, value: Any) -> None:
    message = order()
    message.price = value
    text = refusal_of(wired, message)
    assert "Price (44): expected a Decimal" in text or "NaN and Infinity" in text


def test_prices_are_still_checked_when_the_cache_is_full(wired: Wired) -> None:
    for ticks in range(1, 5000):
        assert refusal_of(wired, order(price=Decimal(ticks) / 10000)) == ""
    assert refusal_of(wired, order(price=0))


# --- code values ----------------------------------------------------------------------------------------


def test_an_unknown_code_is_sent_only_when_the_caller_permits_it(wired: Wired) -> None:
    text = refusal_of(wired, order(side="9"))
    assert "Side (54) is '9': expected one of 1 (BUY), 2 (SELL); allow_unknown_codes permits others" in text
    party = Party(party_id="p", party_role=77)
    assert "PartyRole (452) in entry 1" in refusal_of(wired, order(party_ids=[party]))
    wired.session.send(order(side="9"), wired.clock.now, allow_unknown_codes=True)
    (sent,) = wired.sent()
    assert sent.side == "9"
    assert "Price (44)" in refusal_of(wired, order(side="9", price=2), allow_unknown_codes=True)


def test_several_codes_in_one_field_are_checked_one_by_one(wired: Wired) -> None:
    wired.session.send(order(exec_inst="6 6"), wired.clock.now)
    wired.session.data_to_send()
    assert "ExecInst (18) is '6 Z'" in refusal_of(wired, order(exec_inst="6 Z"))


def test_codes_are_also_checked_when_forwarding(wired: Wired) -> None:
    head = Header(sender_comp_id="x", target_comp_id="y", msg_seq_num=1, sending_time=START)
    for message in (order(side="9"), order(price=55)):
        with pytest.raises(InvalidMessageError):
            wired.session.forward(CODEC.encode(message, head), wired.clock.now)
    frame = CODEC.encode(order(side="9"), head)
    assert wired.session.forward(frame, wired.clock.now, allow_unknown_codes=True) == 2


# --- the header -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [order, amend_request, cancel_request])
def test_sender_sub_id_on_orders_must_be_short_and_printable(wired: Wired, make: Any) -> None:
    longest = "~operator ".ljust(SUB_ID_LENGTH)
    wired.session.send(make(), wired.clock.now, header_fields={"sender_sub_id": longest})
    (sent,) = wired.sent()
    assert sent.header.sender_sub_id == longest
    for invalid in ("a" * (SUB_ID_LENGTH + 1), "tab\t", "caf\xe9", "a\x7f"):
        text = refusal_of(wired, make(), header_fields={"sender_sub_id": invalid})
        assert f"SenderSubID (50) is {invalid!r}: expected at most {SUB_ID_LENGTH} characters" in text


def test_sender_sub_id_is_refused_on_other_messages() -> None:
    wired = logged_on("KalshiRFQ", "prediction", DOLLARS)
    text = refusal_of(wired, quote(bid_px="0.5"), header_fields={"sender_sub_id": "ops"})
    assert "SenderSubID (50) must not be sent here" in text


def test_all_errors_of_body_and_header_are_reported_together(wired: Wired) -> None:
    text = refusal_of(wired, order(price=55), header_fields={"sender_sub_id": "a" * (SUB_ID_LENGTH + 1)})
    assert "Price (44)" in text
    assert "SenderSubID (50)" in text


def test_a_header_field_that_cannot_be_encoded_is_named(wired: Wired) -> None:
    with pytest.raises(TypeError, match=r"^Header.sender_sub_id, SenderSubID \(50\), cannot be 5: "):
        wired.session.send(order(), wired.clock.now, header_fields={"sender_sub_id": 5})
    assert wired.session.next_outgoing == 2


# --- the venue's side -----------------------------------------------------------------------------------


def test_prices_in_reports_from_the_venue_are_not_limited() -> None:
    """A report may contain any price, for example that of an order sent on another connection in another
    unit."""
    wired = established(Role.ACCEPTOR, "KalshiNR")
    for price in ("0", "55", "0.55"):
        wired.session.send(execution_report(price=price), wired.clock.now)
    client = established(Role.INITIATOR, "KalshiNR", strict=True)
    (event,) = client.receive(
        client.peer.message("8", "37=o|11=a1|17=1;1|150=0|39=0|54=1|55=K|38=0|151=0|14=0|6=0|44=55|")
    )
    assert isinstance(event, MessageReceived)
