"""No message from a venue makes the machines raise; the resulting state can be dumped and loaded."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from kalshi_fix_sansio import DIALECT, ExecType, QuoteStatus, Side
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import MessageReceived
from kalshi_fix_sansio.framing import encode_frame
from kalshi_fix_sansio.trading import (
    Cash,
    DropCopyReport,
    FeeTerms,
    Orders,
    Positions,
    QuoteTerms,
    RfqCreator,
    RfqMaker,
    check_fees,
)
from tests.helpers import CODEC, KEY_ID
from tests.trading import rfq_flow
from tests.trading.order_flow import (
    NOON,
    SESSION_ENDED,
    at,
    cancel,
    change,
    dump,
    feed,
    header,
    load,
    logged_on,
    place,
    refusal,
    reloaded,
    report,
    views,
)
from tests.trading.rfq_flow import request

LONG_VALUES = (b"999999999999999999.9999999999999999999", b"x" * 300)


@st.composite
def damaged_message(draw: st.DrawFn, valid: Sequence[Message], values: bytes, maximum: int) -> bytes:
    """Draw one of the `valid` messages in wire form, with at most `maximum` changes. New values are drawn
    from `values`, in which they are separated by `|`.
    """
    message = draw(st.sampled_from(valid))
    wire = CODEC.encode(message, header(message))
    kind, *fields = [field.split(b"=", 1) for field in wire.split(b"\x01")[2:-2]]
    for _ in range(draw(st.integers(0, maximum))):
        index = draw(st.integers(0, len(fields) - 1))
        match draw(st.sampled_from(["change", "delete", "duplicate"])):
            case "change":
                fields[index][1] = draw(st.sampled_from([*values.split(b"|"), *LONG_VALUES]))
            case "delete" if len(fields) > 1:
                del fields[index]
            case _:
                fields.append(fields[index])
    return encode_frame("FIXT.1.1", b"".join(b"=".join(item) + b"\x01" for item in [kind, *fields]))


# --- orders and money -----------------------------------------------------------------------------------

ORDER_MESSAGES = (
    report("new", "1;1"),
    report("pending cancel", "-1;-1", cl_ord_id="c", orig_cl_ord_id="a"),
    report(
        "trade",
        "1;2;1",
        cum="4",
        last=("4", "0.40"),
        fee="0.07",
        balance="-1.67",
        long_qty="4",
        short_qty="0",
    ),
    report("replaced", "1;3", cl_ord_id="b", orig_cl_ord_id="a", qty="20"),
    report("rejected", "1;4", "o2", "b2", text="EXCHANGE_UNAVAILABLE"),
    report("canceled", "1;5", cl_ord_id="c", orig_cl_ord_id="b"),
    refusal("c"),
)
ORDER_VALUES = b"|0|-1|1;1|1;2;1|a|b|c|o1|2|4|8|F|A|Z|1e5|NaN|0.0000000000000000001|EXCHANGE_UNAVAILABLE"


@settings(max_examples=120)
@given(st.lists(damaged_message(ORDER_MESSAGES, ORDER_VALUES, 4), max_size=8), st.data())
def test_no_order_message_from_a_venue_makes_the_machines_raise(
    messages: list[bytes], data: st.DataObject
) -> None:
    codec = Codec(DIALECT)
    orders, positions, cash = Orders(), Positions(), Cash()
    feed(orders, logged_on(), place(), place("b2"), change("b"), cancel("c", "b"))
    for wire in messages:
        message = codec.decode(wire)
        event = MessageReceived(message) if data.draw(st.booleans()) else DropCopyReport(message)  # type: ignore[arg-type]
        if isinstance(event, DropCopyReport) and message.MSG_TYPE != "8":
            event = MessageReceived(message)
        for update in orders.apply(event):
            positions.apply(update)
            cash.apply(update)
            assert all(str(discrepancy) for discrepancy in update.discrepancies)
    assert KEY_ID not in repr(list(orders))
    for order in orders:
        check_fees(order, FeeTerms(taker_rate=Decimal("0.07")))
        assert order.leaves_qty >= 0
        assert order.unreported_qty >= 0
    orders.drop_copy_start()
    other = reloaded(orders)
    orders.apply(SESSION_ENDED)
    assert views(other) == views(orders)
    reloaded(positions)
    reloaded(cash)
    for position in positions.values():
        assert position.realized is not None
        assert position.average_price is None or position.net


# --- requests for quotes --------------------------------------------------------------------------------

RFQ_MESSAGES = (
    rfq_flow.incoming_rfq().message,
    rfq_flow.incoming_combo_rfq("R2").message,
    rfq_flow.status("q1", QuoteStatus.PENDING, bid_size=100, offer_size=90),
    rfq_flow.status("q1", QuoteStatus.ACCEPTED, side=Side.BUY, order_qty=100),
    rfq_flow.status("q1", QuoteStatus.CANCELED),
    rfq_flow.confirm_status("q1"),
    rfq_flow.confirm_status("q1", 1, "no"),
    rfq_flow.cancel_status("q1"),
    rfq_flow.rfq_reject("R1"),
    rfq_flow.report("quote:0:q1"),
    rfq_flow.report("c1", ExecType.REJECTED, text="EXCHANGE_UNAVAILABLE"),
    rfq_flow.ack(),
    rfq_flow.forwarded_quote("q1", maker="bob"),
    rfq_flow.accept_status("q1", 0, "c1", accepted_quote_id="q1"),
    rfq_flow.rfq_cancel_status(rfq_id="R1"),
)
RFQ_VALUES = b"|0|-1|1|2|5|7|10|17|q1|R1|r1|c1|8|F|A|Z|1e5|NaN|0.9999999999999999|20261121-12:00:00.000"


@settings(max_examples=60)
@given(st.lists(st.one_of(damaged_message(RFQ_MESSAGES, RFQ_VALUES, 3), st.integers(-5, 40)), max_size=10))
def test_no_rfq_message_from_a_venue_makes_the_machines_raise(steps: list[bytes | int]) -> None:
    codec, ids, now = Codec(DIALECT), count(1), NOON
    maker = RfqMaker(lambda _: QuoteTerms("0.4", "0.5"), lambda _: True, lambda: f"q{next(ids)}", max_rfqs=3)
    creator = RfqCreator(max_quotes=2)
    requested = creator.request(request())
    for event in (
        rfq_flow.logged_on(),
        MessageReceived(rfq_flow.ack()),
        MessageReceived(rfq_flow.forwarded_quote("q1")),
        rfq_flow.incoming_rfq(),
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
        machine.apply(SESSION_ENDED, now)
    assert len(maker) <= 3
