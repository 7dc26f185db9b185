"""Kalshi's conditional rules as a session enforces them, depending on the product, on other fields of the
message and on the flags of the Logon. Each rule is tested on both sides of its limits."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from kalshi_fix_sansio import DIALECT, Logon, LogonFields, Party, QuoteRequest, QuoteRequestSymbol
from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.dialect.layout import Sender
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_sansio.events import MessageReceived, MessageRejected
from kalshi_fix_sansio.validation import validate
from tests.helpers import START, Wired, connected, established, field_layout, of_type, order, refusal_of
from tests.samples import amend_request

FUTURE_TIME = START + timedelta(hours=1)
CAP_RESERVATION = LogonFields(use_dollars=True, use_cap_reservation=True)
DOLLARS = LogonFields(use_dollars=True)


def logged_on(
    product: str = "prediction", fields: LogonFields | None = None, name: str = "KalshiNR"
) -> Wired:
    defaults = DOLLARS if product == "prediction" else LogonFields()
    return established(
        Role.INITIATOR, name, product=product, logon_fields=defaults if fields is None else fields
    )


def problems_of(message: Message, **settings: Any) -> list[str]:
    """Return the problems of a message, without a session."""
    layout = DIALECT.messages[message.msg_type]
    context: dict[str, Any] = {"product": "prediction", "session": "KalshiNR", "sender": Sender.CLIENT}
    return [str(problem) for problem in validate(message, layout, **context, **settings)]


# --- reduce-only orders: IOC on prediction, IOC or FOK on margin

IOC, FOK = "3 (IMMEDIATE_OR_CANCEL)", "4 (FILL_OR_KILL)"


@pytest.mark.parametrize(
    ("product", "valid_kinds", "allowed"), [("prediction", "3", IOC), ("margin", "34", f"{IOC} or {FOK}")]
)
@pytest.mark.parametrize("inst", ["E", "6 E", "E 6"])
def test_a_reduce_only_order_must_be_immediate(
    product: str, valid_kinds: str, allowed: str, inst: str
) -> None:
    wired = logged_on(product)
    for kind in "01346":
        expiry = FUTURE_TIME if kind == "6" else None
        text = refusal_of(wired, order(exec_inst=inst, time_in_force=kind, expire_time=expiry))
        if kind in valid_kinds:
            assert text == ""
        else:
            expected = f"{allowed} on {product} when ExecInst (18) is E"
            assert f"TimeInForce (59) is '{kind}': expected {expected}" in text
    text = refusal_of(wired, order(exec_inst=inst, time_in_force=None))
    assert "TimeInForce (59) is required when ExecInst (18) is E" in text


@pytest.mark.parametrize("product", ["prediction", "margin"])
@pytest.mark.parametrize("inst", [None, "6"])
def test_other_orders_may_have_any_time_in_force(product: str, inst: str | None) -> None:
    wired = logged_on(product)
    for kind in (None, *"01346"):
        expiry = FUTURE_TIME if kind == "6" else None
        assert refusal_of(wired, order(exec_inst=inst, time_in_force=kind, expire_time=expiry)) == ""


def test_a_reduce_only_order_cannot_accept_a_quote() -> None:
    wired = logged_on()
    text = refusal_of(wired, order(exec_inst="E", time_in_force="3", quote_id="q"))
    assert "QuoteID (117) must not be sent when ExecInst (18) is E" in text
    assert refusal_of(wired, order(exec_inst="6", time_in_force="3", quote_id="q")) == ""


# --- UseCapReservation in the Logon


@pytest.mark.parametrize("session_type", ["KalshiNR", "KalshiRT"])
def test_with_cap_reservation_an_amend_needs_the_order_id(session_type: str) -> None:
    wired = logged_on("prediction", CAP_RESERVATION, session_type)
    text = refusal_of(wired, amend_request())
    assert "OrderID (37) is required on prediction when UseCapReservation is Y in the Logon" in text
    assert refusal_of(wired, amend_request(order_id="o")) == ""


@pytest.mark.parametrize("make", [order, amend_request])
def test_with_cap_reservation_no_shard_may_be_chosen(make: Any) -> None:
    wired = logged_on("prediction", CAP_RESERVATION)
    named = {"order_id": "o"} if make is amend_request else {}
    for shard in (None, -1):
        assert refusal_of(wired, make(ex_destination=shard, **named)) == ""
    for shard in (0, 1, 3):
        text = refusal_of(wired, make(ex_destination=shard, **named))
        assert (
            f"ExDestination (100) is '{shard}': expected -1 when UseCapReservation is Y in the Logon" in text
        )


@pytest.mark.parametrize(
    "fields", [DOLLARS, LogonFields(use_dollars=True, use_cap_reservation=False)], ids=["absent", "N"]
)
def test_without_cap_reservation_an_amend_needs_neither_order_id_nor_shard(fields: LogonFields) -> None:
    wired = logged_on("prediction", fields)
    for shard in (None, -1, 0, 1, 3):
        assert refusal_of(wired, amend_request(ex_destination=shard)) == ""
        assert refusal_of(wired, order(ex_destination=shard)) == ""
    text = refusal_of(wired, order(ex_destination=-2))
    assert "ExDestination (100) is '-2': expected -1 or more" in text


def test_margin_refuses_use_cap_reservation() -> None:
    with pytest.raises((LocalProtocolError, ValueError), match="UseCapReservation"):
        logged_on("margin", LogonFields(use_cap_reservation=True))
    assert refusal_of(logged_on("margin"), amend_request()) == ""


def test_rules_about_a_logon_are_skipped_without_a_logon() -> None:
    message = amend_request(ex_destination=3)
    assert problems_of(message) == []
    assert len(problems_of(message, logon=(("UseCapReservation", "Y"),))) == 2


AMEND = "11=a2|41=a1|38=1|40=2|54=1|55=K|"


@pytest.mark.parametrize(("flag", "required"), [("21032=Y|", True), ("21032=N|", False), ("", False)])
def test_a_strict_venue_applies_the_rules_of_the_received_logon(flag: str, required: bool) -> None:
    wired = connected(Role.ACCEPTOR, "KalshiNR", strict=True)
    wired.receive(wired.peer.logon(f"98=0|108=30|95=1|96=x|1137=9|141=Y|{flag}"))
    wired.session.accept_logon(wired.clock.now)
    wired.session.events()
    refused = wired.receive(wired.peer.message("G", AMEND))
    assert bool(of_type(refused, MessageRejected)) is required
    assert bool(of_type(refused, MessageReceived)) is not required
    assert of_type(wired.receive(wired.peer.message("G", f"37=o|{AMEND}")), MessageReceived)
    routed = wired.receive(wired.peer.message("G", f"37=o|{AMEND}100=2|"))
    assert bool(of_type(routed, MessageRejected)) is required


# --- the expiry in an amend


@pytest.mark.parametrize("product", ["prediction", "margin"])
def test_the_expiry_in_an_amend_must_be_valid(product: str) -> None:
    wired = logged_on(product)
    for kind, expiry in ((None, None), ("0", None), ("1", None), ("6", FUTURE_TIME)):
        assert refusal_of(wired, amend_request(time_in_force=kind, expire_time=expiry)) == ""
    for kind in "34":
        text = refusal_of(wired, amend_request(time_in_force=kind))
        allowed = "0 (DAY) or 1 (GOOD_TILL_CANCEL) or 6 (GOOD_TILL_DATE)"
        assert f"TimeInForce (59) is '{kind}': expected {allowed}" in text
    text = refusal_of(wired, amend_request(time_in_force="6"))
    assert "ExpireTime (126) is required when TimeInForce (59) is 6" in text
    for kind in (None, "0", "1"):
        text = refusal_of(wired, amend_request(time_in_force=kind, expire_time=FUTURE_TIME))
        assert "ExpireTime (126) may be sent only when TimeInForce (59) is 6" in text


# --- requests for quotes, and parties


def quote_request(**values: Any) -> QuoteRequest:
    return QuoteRequest(quote_req_id="r", related_sym=[QuoteRequestSymbol(symbol="K", **values)])


def test_a_target_cost_that_excludes_fees_requires_cash_order_qty() -> None:
    wired = logged_on(name="KalshiRT")
    text = refusal_of(wired, quote_request(order_qty=1, target_cost_excludes_fees=True))
    assert "CashOrderQty (152) is required in entry 1 of NoRelatedSym (146)" in text
    assert "when TargetCostExcludesFees (21033) is Y" in text
    assert refusal_of(wired, quote_request(cash_order_qty=1, target_cost_excludes_fees=True)) == ""
    assert refusal_of(wired, quote_request(order_qty=1, target_cost_excludes_fees=False)) == ""


def test_a_client_names_one_customer_and_the_venue_names_up_to_two_parties() -> None:
    customer, trader = Party(party_id="c", party_role=24), Party(party_id="t", party_role=12)
    wired = logged_on()
    assert refusal_of(wired, order(party_ids=[customer])) == ""
    maximum = int(field_layout("NoPartyIDs").limits[0].maximum or 0)
    text = refusal_of(wired, order(party_ids=[customer] * (maximum + 1)))
    assert f"NoPartyIDs (453) has {maximum + 1} entries: expected 0 to {maximum}" in text
    text = refusal_of(wired, order(party_ids=[trader]))
    assert "PartyRole (452) in entry 1 of NoPartyIDs (453) is '12': expected 24 (CUSTOMER_ACCOUNT)" in text
    strict = established(Role.INITIATOR, "KalshiNR", strict=True, logon_fields=DOLLARS)
    body = "37=o|11=a1|17=1;1|150=0|39=0|54=1|55=K|38=0|151=0|14=0|6=0|"
    two, three = "453=2|448=c|452=24|448=t|452=12|", "453=3|448=c|452=24|448=t|452=12|448=u|452=12|"
    assert of_type(strict.receive(strict.peer.message("8", body + two)), MessageReceived)
    assert of_type(strict.receive(strict.peer.message("8", body + three)), MessageRejected)


# --- the Logon itself


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        ({"skip_pending_exec_reports": True}, None),
        ({"skip_pending_exec_reports": True, "cancel_orders_on_disconnect": False}, None),
        ({}, "SkipPendingExecReports (21011) is required when ListenerSession (20126) is Y"),
        (
            {"skip_pending_exec_reports": False},
            "SkipPendingExecReports (21011) is 'N': expected Y when ListenerSession (20126) is Y",
        ),
        (
            {"skip_pending_exec_reports": True, "cancel_orders_on_disconnect": True},
            "CancelOrdersOnDisconnect (8013) is 'Y': expected N when ListenerSession (20126) is Y",
        ),
    ],
)
def test_a_listener_may_not_cancel_on_disconnect_and_must_skip_pending_reports(
    flags: dict[str, Any], text: str | None
) -> None:
    logon = Logon(raw_data="x", heart_bt_int=30, reset_seq_num_flag=True, listener_session=True, **flags)
    assert problems_of(logon) == ([] if text is None else [text])
