"""Notebook display of messages, books and orders; text from the venue is always escaped."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from kalshi_fix_sansio import (
    ExecType,
    Header,
    Logon,
    MarketDataSnapshotFullRefresh,
    MDEntryType,
    MDFullEntry,
    NewOrderSingle,
    OrdStatus,
    Party,
    Side,
)
from kalshi_fix_sansio.classes.display import MAX_ROWS, table
from kalshi_fix_sansio.dialect.layout import BY_SESSION
from kalshi_fix_sansio.trading import Cash, OrderBooks, Orders, Positions
from tests.helpers import START
from tests.samples import execution_report

HOSTILE = "<script>&"
ESCAPED = "&lt;script&gt;&amp;"


def test_a_message_is_displayed_by_field_with_its_secrets_hidden() -> None:
    order = NewOrderSingle(cl_ord_id="a=1", symbol=HOSTILE, side=Side.BUY, order_qty=10, price="0.40")
    shown = order._repr_html_()
    assert "<tr><td>cl_ord_id</td><td>&#x27;a=1&#x27;</td></tr>" in shown
    assert "<td>10 contracts</td>" in shown
    assert "<td>Side.BUY</td>" in shown
    assert ESCAPED in shown
    assert HOSTILE not in shown
    logon = Logon(encrypt_method=0, heart_bt_int=30, default_appl_ver_id="9", raw_data=b"signature")
    assert "<tr><td>raw_data</td><td>&lt;hidden&gt;</td></tr>" in logon._repr_html_()


def test_a_book_is_displayed_with_offers_above_bids() -> None:
    books = OrderBooks()
    levels = [(MDEntryType.BID, "0.35"), (MDEntryType.BID, "0.34"), (MDEntryType.OFFER, "0.65")]
    books.apply(
        MarketDataSnapshotFullRefresh(
            symbol=HOSTILE,
            md_entries=[
                MDFullEntry(md_entry_type=side, md_entry_px=price, md_entry_size="7")
                for side, price in levels
            ],
        )
    )
    assert f"<td>{ESCAPED}</td><td>live</td><td>7 at 0.35 dollars</td><td>7 at 0.65 dollars</td>" in (
        books._repr_html_()
    )
    shown = books[HOSTILE]._repr_html_()
    assert ESCAPED in shown
    assert shown.index("0.65") < shown.index("0.35") < shown.index("0.34")


def test_open_orders_are_displayed() -> None:
    orders = Orders()
    orders.apply(orders.new("a-1", HOSTILE, Side.SELL, quantity=10, price="0.40"))
    shown = orders._repr_html_()
    assert "1 order not done" in shown
    assert "<th>price, dollars</th>" in shown
    assert (
        f"<td>a-1</td><td>{ESCAPED}</td><td>SELL</td><td>0.40</td><td>0</td><td>10</td><td>sent</td>" in shown
    )
    (order,) = orders
    assert order._repr_html_() == shown.replace("1 order not done", "Order 1")
    orders.apply(orders.new("a-2", HOSTILE, Side.BUY, quantity="1.50", price="0.4000"))
    assert "2 orders not done" in orders._repr_html_()
    assert "<td>0.4000</td><td>0</td><td>1.50</td>" in orders._repr_html_()
    assert "0 orders not done" in Orders()._repr_html_()


def test_positions_and_balances_are_displayed() -> None:
    positions, cash, orders = Positions(), Cash(), Orders()
    fill: dict[str, Any] = {"exec_type": ExecType.TRADE, "ord_status": OrdStatus.FILLED, "symbol": HOSTILE}
    fill |= {"cum_qty": 10, "leaves_qty": 0, "avg_px": "0.40", "last_px": "0.40", "last_qty": 10}
    report = execution_report(exec_id="7;1", **fill)
    for update in orders.apply(report):
        positions.apply(update)
        cash.apply(update)
    row = f"<td>0</td><td>{ESCAPED}</td><td>10</td><td>0.40</td><td>0</td><td>0</td><td></td>"
    assert row in positions._repr_html_()
    assert "Positions: 1" in positions._repr_html_()
    assert "<td>0</td><td>0</td><td>0</td><td>0</td><td>0</td><td>0</td><td>1</td>" in cash._repr_html_()


def test_a_long_table_is_truncated_visibly() -> None:
    rows = [(str(number),) for number in range(MAX_ROWS)]
    assert "..." not in table("All", ["number"], rows)
    shown = table("All", ["number"], [*rows, ("one more",)])
    assert shown.count("<tr>") == MAX_ROWS + 2
    assert "one more" not in shown
    assert '<tr><td colspan="1">...</td></tr>' in shown


def test_unexpected_attribute_values_are_displayed() -> None:
    """The message is hand-made, with unknown codes, a group, and attributes with values of wrong types."""
    order = NewOrderSingle(
        cl_ord_id="1",
        symbol="X",
        side="9",
        order_qty=1,
        price="0.5",
        time_in_force="Z",
        party_ids=[Party(party_id=HOSTILE, party_role=999)],
        unknown=[(9999, b"a")],
    )
    shown = order._repr_html_()
    assert "<td>side</td><td>&#x27;9&#x27;</td>" in shown
    assert f"{ESCAPED}&#x27;, party_role=999)]</td>" in shown
    assert "&lt;1 field&gt;" in shown
    # Only a session defines the unit of a price, and this message has no session.
    assert "<tr><td>price</td><td>0.5</td></tr>" in shown
    assert BY_SESSION not in shown + repr(order)
    setattr(order, "side", Decimal("NaN"))  # noqa: B010 - no type checker would let it pass
    setattr(order, "party_ids", "none")  # noqa: B010
    assert "side=NaN" in repr(order)
    assert "NaN" in order._repr_html_()
    header = Header(sender_comp_id=HOSTILE, target_comp_id="x", msg_seq_num=1, sending_time=START)
    assert ESCAPED in header._repr_html_()
