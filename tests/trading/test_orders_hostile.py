"""No order message from a venue makes the machines raise; the resulting state can be dumped and loaded."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from kalshi_fix_sansio import DIALECT
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.events import MessageReceived
from kalshi_fix_sansio.trading import Cash, DropCopyReport, FeeTerms, Orders, Positions, check_fees
from tests.helpers import KEY_ID
from tests.trading.damaged import damaged
from tests.trading.order_flow import (
    ENDED,
    cancel,
    change,
    feed,
    logged_on,
    place,
    refusal,
    reloaded,
    report,
    views,
)

MESSAGES = (
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
VALUES = b"|0|-1|1;1|1;2;1|a|b|c|o1|2|4|8|F|A|Z|1e5|NaN|0.0000000000000000001|EXCHANGE_UNAVAILABLE"


@settings(max_examples=120)
@given(st.lists(damaged(MESSAGES, VALUES, 4), max_size=8), st.data())
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
    orders.apply(ENDED)
    assert views(other) == views(orders)
    reloaded(positions)
    reloaded(cash)
    for position in positions.values():
        assert position.realized is not None
        assert position.average_price is None or position.net
