"""No RFQ message from a venue makes the machines raise; the resulting state can be dumped and loaded."""

from __future__ import annotations

from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from kalshi_fix_sansio import DIALECT, ExecType, QuoteStatus, Side
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.events import MessageReceived
from kalshi_fix_sansio.trading import QuoteTerms, RfqCreator, RfqMaker
from tests.trading.damaged import damaged
from tests.trading.order_flow import ENDED, NOON, at, dump, load
from tests.trading.rfq_flow import (
    accept_status,
    ack,
    cancel_status,
    confirm_status,
    forwarded_quote,
    incoming_combo_rfq,
    incoming_rfq,
    logged_on,
    report,
    rfq_cancel_status,
    rfq_reject,
    status,
)
from tests.trading.test_rfq_creator import request

MESSAGES = (
    incoming_rfq().message,
    incoming_combo_rfq("R2").message,
    status("q1", QuoteStatus.PENDING, bid_size=100, offer_size=90),
    status("q1", QuoteStatus.ACCEPTED, side=Side.BUY, order_qty=100),
    status("q1", QuoteStatus.CANCELED),
    confirm_status("q1"),
    confirm_status("q1", 1, "no"),
    cancel_status("q1"),
    rfq_reject("R1"),
    report("quote:0:q1"),
    report("c1", ExecType.REJECTED, text="EXCHANGE_UNAVAILABLE"),
    ack(),
    forwarded_quote("q1", maker="bob"),
    accept_status("q1", 0, "c1", accepted_quote_id="q1"),
    rfq_cancel_status(rfq_id="R1"),
)
VALUES = b"|0|-1|1|2|5|7|10|17|q1|R1|r1|c1|8|F|A|Z|1e5|NaN|0.9999999999999999|20261121-12:00:00.000"


@settings(max_examples=60)
@given(st.lists(st.one_of(damaged(MESSAGES, VALUES, 3), st.integers(-5, 40)), max_size=10))
def test_no_rfq_message_from_a_venue_makes_the_machines_raise(steps: list[bytes | int]) -> None:
    codec, ids, now = Codec(DIALECT), count(1), NOON
    maker = RfqMaker(lambda _: QuoteTerms("0.4", "0.5"), lambda _: True, lambda: f"q{next(ids)}", max_rfqs=3)
    creator = RfqCreator(max_quotes=2)
    requested = creator.request(request())
    for event in (
        logged_on(),
        MessageReceived(ack()),
        MessageReceived(forwarded_quote("q1")),
        incoming_rfq(),
    ):
        maker.apply(event, now)
        creator.apply(event, now)
    best = requested.best(Side.BUY)
    assert best is not None
    creator.accept(requested, best, Side.BUY, "c1")
    for step in steps:
        if isinstance(step, int):
            now = at(step)
            maker.handle_timer(now)
            creator.handle_timer(now)
            continue
        received = MessageReceived(codec.decode(step))
        discrepancies = [
            discrepancy for update in maker.apply(received, now) for discrepancy in update.discrepancies
        ]
        discrepancies += [
            discrepancy for update in creator.apply(received, now) for discrepancy in update.discrepancies
        ]
        assert all(len(str(discrepancy)) < 700 for discrepancy in discrepancies)
    machine: RfqMaker | RfqCreator
    for machine in (maker, creator):
        exposure = machine.exposure()
        assert min(exposure.bought, exposure.sold, exposure.cost) >= 0
        machine.next_deadline()
        assert len(repr(machine.uncertain())) < 10_000
        load(machine, dump(machine))
        assert machine.exposure() == exposure
        machine.apply(ENDED, now)
    assert len(maker) <= 3
