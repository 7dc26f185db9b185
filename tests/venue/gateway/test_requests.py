"""Requests that the gateway itself refuses; dialogues/new_orders.yaml and dialogues/order_changes.yaml test
the refusals over real sessions."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from kalshi_fix_sansio import (
    BusinessMessageReject,
    BusinessRejectReason,
    ExecType,
    MassCancelResponse,
    OrderMassCancelReport,
    OrderMassCancelRequest,
    OrdStatus,
    Side,
)
from kalshi_fix_venue.exchange import CancelCause, RefusalCause, RejectCause
from kalshi_fix_venue.gateway.logins import Login
from kalshi_fix_venue.gateway.texts import CANCEL_TEXTS, CXL_REJ_REASONS, ORD_REJ_REASONS
from tests.venue.gateway.gateway_harness import GatewayHarness, only, reports


@pytest.mark.parametrize(
    "fields",
    [
        {"ord_type": "1"},
        {"time_in_force": "2"},
        {"exec_inst": "G"},
        {"price": "0.405"},
        {"order_qty": "0.001"},
        {"order_qty": "9" * 19},
    ],
    ids=str,
)
def test_values_unknown_to_the_venue_make_an_order_invalid(
    ann: Login, harness: GatewayHarness, fields: dict[str, Any]
) -> None:
    order = harness.order("a1", Side.BUY, 1, "0.40")
    (rejected,) = reports(harness.send(ann, attrs.evolve(order, **fields)), ann)
    assert (rejected.exec_type, rejected.ord_status) == (ExecType.REJECTED, OrdStatus.REJECTED)
    assert (rejected.ord_rej_reason, rejected.text) == (11, "INVALID_ORDER")
    assert rejected.exec_id == "1;1"


def test_a_quote_cannot_be_accepted_on_a_product_without_rfqs(ann: Login, harness: GatewayHarness) -> None:
    order = harness.order("a1", Side.BUY, 1, "0.40", quote_id="q")
    refused = only(harness.send(ann, order), BusinessMessageReject)
    assert (refused.business_reject_reason, refused.business_reject_ref_id) == (
        BusinessRejectReason.UNKNOWN_ID,
        "a1",
    )
    assert (refused.ref_msg_type, refused.ref_seq_num) == ("D", 2)


def test_a_mass_cancel_of_an_unknown_type_is_refused(ann: Login, harness: GatewayHarness) -> None:
    invalid = OrderMassCancelRequest(cl_ord_id="m1", mass_cancel_request_type="7")
    answer = only(harness.send(ann, invalid), OrderMassCancelReport)
    assert answer.mass_cancel_response == MassCancelResponse.REJECTED


def test_the_tables_of_codes_and_texts_contain_every_cause() -> None:
    assert set(ORD_REJ_REASONS) == set(RejectCause)
    assert set(CXL_REJ_REASONS) == set(RefusalCause)
    assert set(CANCEL_TEXTS) == set(CancelCause)
