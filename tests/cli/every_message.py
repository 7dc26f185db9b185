"""A log with every message of the dialect: `python -m tests.cli.every_message` writes it into tests/data."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import kalshi_fix_sansio as k
from kalshi_fix_sansio.layout import Sender

LOG = Path(__file__).resolve().parent.parent / "data" / "every_message.log"
KEY = "3c6e2a5e-7f7d-4d3a-9a50-1f3f6f0c8d11"
SYMBOL = "KXHIGHNY-26AUG17-B80.5"
RFQ = "b2c1f3a8-94f0-4c50-8a0e-6c2c1f0f2f60"
QUOTE = "5f0d7c1e-2c44-4a7e-a6b9-0d4f2f6f3c02"
ORDER = "9d2b7e34-1c58-4f6a-8b0d-3e5a7c9f1b24"
START = datetime(2026, 8, 17, 16, 0, 0, 123000, UTC)

CLIENT, VENUE = Sender.CLIENT, Sender.VENUE
Spoken = tuple[str, Sender, k.FixMessage]
"""Session type, side, message."""


def conversation() -> list[Spoken]:
    """What is said, at least one message of each type; QuoteRequest and Quote from both sides."""
    return [*_session(), *_orders(), *_drop_copy(), *_books(), *_rfq(), *_settlement(), *_end()]


def _session() -> list[Spoken]:
    logon = k.Logon(
        heart_bt_int=30,
        raw_data=b"bm90IGEgc2lnbmF0dXJlLCBidXQgYXMgbG9uZyBhcyBvbmU=",
        reset_seq_num_flag=True,
        use_dollars=True,
        cancel_orders_on_disconnect=True,
    )
    return [
        ("KalshiNR", CLIENT, logon),
        ("KalshiNR", VENUE, k.Logon(heart_bt_int=30, reset_seq_num_flag=True)),
        ("KalshiNR", VENUE, k.TestRequest(test_req_id="TEST-1")),
        ("KalshiNR", CLIENT, k.Heartbeat(test_req_id="TEST-1")),
        ("KalshiRT", CLIENT, k.ResendRequest(begin_seq_no=7, end_seq_no=0)),
        ("KalshiRT", VENUE, k.SequenceReset(gap_fill_flag=True, new_seq_no=12)),
        (
            "KalshiNR",
            VENUE,
            k.Reject(
                ref_seq_num=5,
                ref_tag_id=333333,
                ref_msg_type="D",
                session_reject_reason=k.SessionRejectReason.UNDEFINED_TAG,
                text="Undefined tag received",
            ),
        ),
        (
            "KalshiNR",
            VENUE,
            k.BusinessMessageReject(
                ref_seq_num=6,
                ref_msg_type="D",
                business_reject_reason=k.BusinessRejectReason.RATE_LIMIT_EXCEEDED,
                text="rate limit exceeded",
            ),
        ),
    ]


def _orders() -> list[Spoken]:
    order = k.NewOrderSingle(
        cl_ord_id="order-1",
        exec_inst=k.ExecInst.POST_ONLY,
        order_qty="10",
        ord_type=k.OrdType.LIMIT,
        price="0.7525",
        side=k.Side.BUY,
        symbol=SYMBOL,
        time_in_force=k.TimeInForce.GOOD_TILL_DATE,
        expire_time=START + timedelta(hours=4),
        party_ids=[k.Party(party_id="customer-7", party_role=k.PartyRole.CUSTOMER_ACCOUNT)],
        self_trade_prevention_type=k.SelfTradePreventionType.MAKER,
        cancel_order_on_pause=True,
    )
    trade = k.ExecutionReport(
        order_id=ORDER,
        cl_ord_id="order-2",
        orig_cl_ord_id="order-1",
        exec_id="1755446400;42",
        exec_type=k.ExecType.TRADE,
        ord_status=k.OrdStatus.PARTIALLY_FILLED,
        side=k.Side.BUY,
        symbol=SYMBOL,
        order_qty="12.00",
        leaves_qty="7.50",
        cum_qty="4.50",
        avg_px="0.7450",
        price="0.7500",
        last_px="0.7450",
        last_qty="4.50",
        last_mkt="0",
        transact_time=START + timedelta(seconds=9),
        long_qty="4.50",
        short_qty="0.00",
        trd_match_id="6e7c0a44-5d0f-4f43-9b3b-1b9c1c0f3b77",
        aggressor_indicator=False,
        misc_fees=[
            k.MiscFee(
                misc_fee_amt="0.0123",
                misc_fee_curr="USD",
                misc_fee_type=k.MiscFeeType.EXCHANGE_FEES,
                misc_fee_basis=k.MiscFeeBasis.ABSOLUTE,
            )
        ],
        collateral_amount_changes=[
            k.CollateralAmountChange(collateral_amount_change="-3.3525", collateral_amount_type="BALANCE"),
            k.CollateralAmountChange(collateral_amount_change="0.00", collateral_amount_type="PAYOUT"),
        ],
    )
    return [
        ("KalshiNR", CLIENT, order),
        (
            "KalshiNR",
            CLIENT,
            k.OrderCancelReplaceRequest(
                cl_ord_id="order-2",
                orig_cl_ord_id="order-1",
                order_id=ORDER,
                order_qty="12",
                ord_type=k.OrdType.LIMIT,
                price="0.75",
                side=k.Side.BUY,
                symbol=SYMBOL,
            ),
        ),
        ("KalshiNR", VENUE, trade),
        (
            "KalshiNR",
            CLIENT,
            k.OrderCancelRequest(cl_ord_id="order-3", orig_cl_ord_id="gone", side=k.Side.SELL, symbol=SYMBOL),
        ),
        (
            "KalshiNR",
            VENUE,
            k.OrderCancelReject(
                order_id="NONE",
                cl_ord_id="order-3",
                orig_cl_ord_id="gone",
                ord_status=k.OrdStatus.REJECTED,
                cxl_rej_response_to=k.CxlRejResponseTo.ORDER_CANCEL_REQUEST,
                cxl_rej_reason=k.CxlRejReason.UNKNOWN_ORDER,
                text="ORDER_NOT_FOUND",
            ),
        ),
        (
            "KalshiNR",
            CLIENT,
            k.OrderMassCancelRequest(
                cl_ord_id="all-1", mass_cancel_request_type=k.MassCancelRequestType.CANCEL_FOR_SESSION
            ),
        ),
        (
            "KalshiNR",
            VENUE,
            k.OrderMassCancelReport(
                cl_ord_id="all-1",
                order_id="op-1",
                mass_cancel_response=k.MassCancelResponse.ALL_ORDERS_CANCELLED,
            ),
        ),
        (
            "KalshiNR",
            CLIENT,
            k.OrderGroupRequest(
                order_group_action=k.OrderGroupAction.CREATE,
                order_group_contracts_limit=5000,
                alloc_account=3,
            ),
        ),
        (
            "KalshiNR",
            VENUE,
            k.OrderGroupResponse(order_group_id="group-1", order_group_contracts_limit=5000, alloc_account=3),
        ),
    ]


def _drop_copy() -> list[Spoken]:
    too_old = k.EventResendRejectReason.BEGIN_TOO_SMALL
    return [
        ("KalshiDC", CLIENT, k.EventResendRequest(begin_exec_id="1755446400;1", end_exec_id="1755446400;42")),
        ("KalshiDC", VENUE, k.EventResendComplete(ref_seq_num=2, resend_event_count=41)),
        ("KalshiDC", VENUE, k.EventResendReject(ref_seq_num=3, event_resend_reject_reason=too_old)),
    ]


def _books() -> list[Spoken]:
    on, at = date(2026, 8, 17), time(16, 0, 0, 123000)
    return [
        (
            "KalshiMD",
            CLIENT,
            k.MarketDataRequest(
                subscription_request_type=k.SubscriptionRequestType.SNAPSHOT_PLUS_UPDATES,
                related_sym=[k.MDReqSymbol(symbol=SYMBOL), k.MDReqSymbol(symbol="KXNBA-27-NYK")],
            ),
        ),
        (
            "KalshiMD",
            VENUE,
            k.MarketDataSnapshotFullRefresh(
                symbol=SYMBOL,
                md_entries=[
                    k.MDFullEntry(
                        md_entry_type=k.MDEntryType.BID,
                        md_entry_px="0.35",
                        md_entry_size="10.00",
                        md_entry_date=on,
                        md_entry_time=at,
                    ),
                    k.MDFullEntry(
                        md_entry_type=k.MDEntryType.OFFER,
                        md_entry_px="0.65",
                        md_entry_size="5.00",
                        md_entry_date=on,
                        md_entry_time=at,
                    ),
                ],
            ),
        ),
        (
            "KalshiMD",
            VENUE,
            k.MarketDataIncrementalRefresh(
                md_entries=[
                    k.MDIncEntry(
                        md_update_action=k.MDUpdateAction.NEW,
                        symbol=SYMBOL,
                        md_entry_type=k.MDEntryType.TRADE,
                        md_entry_px="0.65",
                        md_entry_size="3.00",
                        aggressor_side=k.AggressorSide.BUY,
                        md_entry_date=on,
                        md_entry_time=at,
                    ),
                    k.MDIncEntry(
                        md_update_action=k.MDUpdateAction.CHANGE,
                        symbol=SYMBOL,
                        md_entry_type=k.MDEntryType.OFFER,
                        md_entry_px="0.65",
                        md_entry_size="2.00",
                        md_entry_date=on,
                        md_entry_time=at,
                    ),
                ]
            ),
        ),
        (
            "KalshiMD",
            VENUE,
            k.MarketDataRequestReject(
                md_req_rej_reason=k.MDReqRejReason.INSUFFICIENT_BANDWIDTH, text="too many symbols"
            ),
        ),
        (
            "KalshiMD",
            CLIENT,
            k.SecurityStatusRequest(
                subscription_request_type=k.SubscriptionRequestType.SNAPSHOT_PLUS_UPDATES, symbol=SYMBOL
            ),
        ),
        (
            "KalshiMD",
            VENUE,
            k.SecurityStatus(symbol=SYMBOL, security_trading_status=k.SecurityTradingStatus.TRADING_HALT),
        ),
    ]


def _rfq() -> list[Spoken]:
    legs = [
        k.MultivariateSelectedLeg(
            multivariate_selected_event_ticker="KXHIGHNY-26AUG17",
            multivariate_selected_market_ticker=SYMBOL,
            multivariate_selected_side=side,
        )
        for side in k.MultivariateSelectedSide
    ]
    provider = [k.Party(party_id="maker-4", party_role=k.PartyRole.LIQUIDITY_PROVIDER)]
    return [
        (
            "KalshiRT",
            CLIENT,
            k.QuoteRequest(
                quote_req_id="rfq-1",
                related_sym=[k.QuoteRequestSymbol(order_qty="100", replace_existing=True)],
                multivariate_collection_ticker="KXMVECROSSCATEGORY",
                multivariate_selected_legs=legs,
            ),
        ),
        (
            "KalshiRT",
            VENUE,
            k.QuoteRequestAck(
                quote_req_id="rfq-1",
                quote_request_type=k.QuoteRequestType.MANUAL,
                rfq_id=RFQ,
                symbol="KXMVE-1",
                ex_destination=0,
            ),
        ),
        (
            "KalshiRFQ",
            VENUE,
            k.QuoteRequest(
                quote_req_id=RFQ, related_sym=[k.QuoteRequestSymbol(symbol="KXMVE-1", order_qty="100.00")]
            ),
        ),
        (
            "KalshiRFQ",
            CLIENT,
            k.Quote(quote_id=QUOTE, quote_req_id=RFQ, symbol="KXMVE-1", bid_px="0.21", offer_px="0.75"),
        ),
        (
            "KalshiRFQ",
            VENUE,
            k.QuoteStatusReport(
                quote_id=QUOTE,
                quote_req_id=RFQ,
                quote_status=k.QuoteStatus.PENDING,
                bid_px="0.21",
                offer_px="0.75",
            ),
        ),
        (
            "KalshiRT",
            VENUE,
            k.Quote(
                quote_id=QUOTE,
                quote_req_id="rfq-1",
                symbol="KXMVE-1",
                bid_px="0.2100",
                offer_px="0.7500",
                order_qty="100.00",
                party_ids=provider,
            ),
        ),
        (
            "KalshiRT",
            CLIENT,
            k.AcceptQuote(quote_id=QUOTE, rfq_id=RFQ, side=k.Side.SELL, order_qty="100", cl_ord_id="take-1"),
        ),
        (
            "KalshiRT",
            VENUE,
            k.AcceptQuoteStatus(
                quote_id=QUOTE,
                accept_quote_status=k.AcceptQuoteStatusCode.ACCEPTED,
                accepted_quote_id=QUOTE,
                cl_ord_id="take-1",
            ),
        ),
        ("KalshiRFQ", CLIENT, k.QuoteConfirm(quote_id=QUOTE, rfq_id=RFQ)),
        (
            "KalshiRFQ",
            VENUE,
            k.QuoteConfirmStatus(quote_id=QUOTE, quote_confirm_status=k.QuoteConfirmStatusCode.ACCEPTED),
        ),
        ("KalshiRFQ", CLIENT, k.QuoteCancel(quote_id="quote-2", rfq_id=RFQ)),
        (
            "KalshiRFQ",
            VENUE,
            k.QuoteCancelStatus(
                quote_id="quote-2",
                quote_cancel_status=k.QuoteCancelStatusCode.REJECTED,
                text="QUOTE_NOT_FOUND",
            ),
        ),
        ("KalshiRT", CLIENT, k.RFQCancel(rfq_id=RFQ)),
        (
            "KalshiRT",
            VENUE,
            k.RFQCancelStatus(
                quote_req_id="rfq-1", rfq_cancel_status=k.RFQCancelStatusCode.CANCELED, rfq_id=RFQ
            ),
        ),
        (
            "KalshiRT",
            VENUE,
            k.QuoteRequestReject(
                quote_req_id="rfq-2",
                quote_request_reject_reason=k.QuoteRequestRejectReason.OTHER,
                text="invalid parlay",
                mve_validation_reason_code=k.MVEValidationReasonCode.CONFLICTING_LEG_OUTCOMES,
                mve_offending_legs=[k.MVEOffendingLeg(mve_offending_market_ticker=SYMBOL)],
            ),
        ),
    ]


def _settlement() -> list[Spoken]:
    party = k.MarketSettlementParty(
        market_settlement_party_id="account-456",
        market_settlement_party_role=k.MarketSettlementPartyRole.CUSTOMER_ACCOUNT,
        long_qty="100.00",
        short_qty="0.00",
        collateral_amount_changes=[
            k.CollateralAmountChange(collateral_amount_change="100.00", collateral_amount_type="PAYOUT")
        ],
        misc_fees=[
            k.MiscFee(
                misc_fee_amt="0.006",
                misc_fee_curr="USD",
                misc_fee_type=k.MiscFeeType.EXCHANGE_FEES,
                misc_fee_basis=k.MiscFeeBasis.ABSOLUTE,
            )
        ],
    )
    report = k.MarketSettlementReport(
        market_settlement_report_id="settle-123",
        symbol=SYMBOL,
        clearing_business_date=date(2026, 8, 17),
        market_result=k.MarketResult.YES,
        settlement_price="100.00",
        last_fragment=True,
        market_settlement_party_ids=[party],
    )
    return [("KalshiPT", VENUE, report)]


def _end() -> list[Spoken]:
    return [("KalshiNR", CLIENT, k.Logout(text="good night")), ("KalshiNR", VENUE, k.Logout())]


def frames() -> list[bytes]:
    """Return the conversation as it stands on the wire."""
    numbers: Counter[tuple[str, Sender]] = Counter()
    found = []
    for seconds, (session, sender, message) in enumerate(conversation()):
        numbers[session, sender] += 1
        ids = (KEY, session) if sender is CLIENT else (session, KEY)
        header = k.Header(
            sender_comp_id=ids[0],
            target_comp_id=ids[1],
            msg_seq_num=numbers[session, sender],
            sending_time=START + timedelta(seconds=seconds),
        )
        found.append(k.encode(message, header))
    return found


def log() -> bytes:
    """Return the conversation as a log."""
    lines = []
    for (session, sender, _), frame in zip(conversation(), frames(), strict=True):
        arrow = b"->" if sender is CLIENT else b"<-"
        lines.append(b"%s %s %s" % (session.encode(), arrow, frame.replace(b"\x01", b"|")))
    return b"\n".join(lines) + b"\n"


if __name__ == "__main__":
    LOG.write_bytes(log())
