"""What a notebook shows of messages, books and orders; whatever the venue wrote, it is text there."""

from __future__ import annotations

from kalshi_fix_sansio import (
    Logon,
    MarketDataSnapshotFullRefresh,
    MDEntryType,
    MDFullEntry,
    NewOrderSingle,
    Side,
)
from kalshi_fix_sansio.trading import OrderBooks, Orders

HOSTILE = "<script>&"
ESCAPED = "&lt;script&gt;&amp;"


def test_a_message_by_field_with_its_secrets_hidden() -> None:
    order = NewOrderSingle(cl_ord_id="a=1", symbol=HOSTILE, side=Side.BUY, order_qty=10, price="0.40")
    shown = order._repr_html_()
    assert "<tr><td>cl_ord_id</td><td>&#x27;a=1&#x27;</td></tr>" in shown
    assert "<td>10 contracts</td>" in shown
    assert "<td>Side.BUY</td>" in shown
    assert ESCAPED in shown
    assert HOSTILE not in shown
    logon = Logon(encrypt_method=0, heart_bt_int=30, default_appl_ver_id="9", raw_data=b"signature")
    assert "<tr><td>raw_data</td><td>&lt;hidden&gt;</td></tr>" in logon._repr_html_()


def test_a_book_with_offers_above_bids() -> None:
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
    shown = books[HOSTILE]._repr_html_()
    assert ESCAPED in shown
    assert [shown.index(price) for price in ("0.65", "0.35", "0.34")] == sorted(
        shown.index(price) for price in ("0.65", "0.35", "0.34")
    )


def test_orders_that_are_not_done() -> None:
    orders = Orders()
    orders.apply(orders.new("a-1", HOSTILE, Side.SELL, quantity=10, price="0.40"))
    shown = orders._repr_html_()
    assert "1 orders that are not done" in shown
    assert (
        f"<td>a-1</td><td>{ESCAPED}</td><td>SELL</td><td>0.40</td><td>0</td><td>10</td><td>sent</td>" in shown
    )
