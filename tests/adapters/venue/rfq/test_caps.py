"""RFQs of clearing members whose sessions reserve room under daily caps."""

from __future__ import annotations

from decimal import Decimal

import attrs
import pytest

from kalshi_fix_adapters.venue.config import CustomerConfig
from kalshi_fix_adapters.venue.exchange import AccountId
from kalshi_fix_sansio import ExecutionReport
from tests.adapters.venue.desk import MARKET
from tests.adapters.venue.rfq.rfq_town import BUY, RfqTown, accept, accounts, ask, confirm, quote
from tests.adapters.venue.town import customer, order

CUSTOMER = "550e8400-e29b-41d4-a716-446655440000_capped"
FOR = customer(CUSTOMER)


@pytest.mark.parametrize("by", ["UA", "D"])
def test_an_accepted_quote_reserves_nothing_under_a_daily_cap(by: str) -> None:
    ann_account, *others = accounts()
    capped = CustomerConfig(party_id=CUSTOMER, balance=Decimal(1000), daily_cap=Decimal(10))
    town = RfqTown(accounts=(attrs.evolve(ann_account, customers=(capped,)), *others))
    ann, bob = town.creator(use_cap_reservation=True), town.maker()
    bob.send(quote(ask(ann, party_ids=FOR)))  # 45 dollars, of a cap of 10
    ann.send(
        accept(party_ids=FOR) if by == "UA" else order("a1", BUY, 100, "0.45", quote_id="q1", party_ids=FOR)
    )
    bob.send(confirm())
    town.wait(15)
    exchange = town.venue.exchange("prediction")
    assert exchange.position(AccountId("ann", customer=CUSTOMER), MARKET).net == 100
    cap = exchange.daily_cap(CUSTOMER)
    assert cap is not None
    assert cap.reserved == cap.used == 0
    ann.take()
    assert ann.answer_to(order("a2", BUY, 20, "0.50", party_ids=FOR), ExecutionReport).text is None
    ann.send(order("a3", BUY, 1, "0.50", party_ids=FOR))
    assert ann.take_only(ExecutionReport).text == "EVENT_CONTRACT_DAILY_CAP_EXCEEDED"
