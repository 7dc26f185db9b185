"""`kalshi-fix decode --orders`: the orders in a log and their final states."""

from __future__ import annotations

from pathlib import Path

import pytest

from kalshi_fix_adapters.cli.logs import order_list
from tests.adapters.cli.every_message import SYMBOL
from tests.adapters.cli.order_logs import DETAILS, ORDERS, line, report
from tests.adapters.cli.runner import invoke


def shown(*logs: bytes, args: tuple[object, ...] = ()) -> list[str]:
    """Return the printed lines after the first, without their times."""
    result = invoke("decode", "--orders", *args, stdin=b"".join(logs))
    first, *lines = result.stdout.splitlines() or [""]
    assert first in ("", f"{len(lines)} order{'s' * (len(lines) != 1)}") or "further" in lines[-1]
    return [each.partition(" ")[2].partition(" ")[2] if each[:2] == "20" else each for each in lines]


NEW = line("16:00:01.000000", "D", f"11=a1|38=10|40=2|44=0.50|{DETAILS}", sent=True)
ACCEPTED = line("16:00:01.100000", "8", report("a1", "1;1;1", "0"))
AMEND = line("16:00:02.000000", "G", f"11=a2|41=a1|38=20|40=2|44=0.60|{DETAILS}", 3, sent=True)
AMENDED = line(
    "16:00:02.100000", "8", report("a2", "1;1;2", "5", "41=a1|44=0.60|").replace("38=10.00", "38=20.00"), 3
)
NOT_AMENDED = line("16:00:02.100000", "9", "37=9b1f6c2e-order|11=a2|41=a1|39=0|434=2|102=0|58=TOO_LATE|", 3)
CANCELLED = line("16:00:03.000000", "8", report("a1", "1;1;4", "4").replace("38=10.00", "38=0.00"), 4)
FILL = report("a1", "1;1;3", "F", "31=0.50|32=4.00|").replace("39=F", "39=1").replace("14=0.00", "14=4.00")
FILLED = line("16:00:03.000000", "8", FILL, 4)
COPY = line("16:00:04.000000", "8", FILL, 2, venue="KalshiDC")
OTHER_KEY = COPY.replace(b"|56=", b"|56=copy-")
UNKNOWN = [
    line("16:00:05.000000", "9", f"37=NONE|11=c{number}|41=x{number}|39=8|434=1|102=1|", number)
    for number in (5, 6)
]


@pytest.mark.parametrize(
    ("logs", "expected"),
    [
        ((NEW,), [f"a1 BUY 0/10 {SYMBOL} at 0.50 NOT REPORTED"]),
        ((NEW, ACCEPTED), [f"a1 BUY 0/10 {SYMBOL} at 0.50 NEW"]),
        ((ACCEPTED,), [f"a1 BUY 0/10 {SYMBOL} at - NEW"]),
        (
            (NEW, ACCEPTED, AMEND),
            [f"a1 > a2 BUY 0/10 {SYMBOL} at 0.50 NEW, last request not answered"],
        ),
        ((NEW, ACCEPTED, AMEND, AMENDED), [f"a1 > a2 BUY 0/20 {SYMBOL} at 0.60 NEW"]),
        ((NEW, ACCEPTED, AMEND, NOT_AMENDED), [f"a1 > a2 BUY 0/10 {SYMBOL} at 0.50 NEW (TOO_LATE)"]),
        (
            (NEW, ACCEPTED, AMEND, NOT_AMENDED, FILLED),
            [f"a1 > a2 BUY 4/10 {SYMBOL} at 0.50 PARTIALLY_FILLED"],
        ),
        ((NEW, ACCEPTED, CANCELLED), [f"a1 BUY 0/10 {SYMBOL} at 0.50 CANCELED"]),
        # The venue may use the same SenderCompID on all sessions.
        ((NEW, ACCEPTED.replace(b"49=KalshiNR", b"49=Kalshi")), [f"a1 BUY 0/10 {SYMBOL} at 0.50 NEW"]),
        # Drop copy reports the fill of an order that its session has not reported.
        ((NEW, COPY), [f"a1 BUY 4/10 {SYMBOL} at 0.50 PARTIALLY_FILLED"]),
        # The drop copy session has another key, so only the OrderID identifies a reported order.
        ((NEW, ACCEPTED, OTHER_KEY), [f"a1 BUY 4/10 {SYMBOL} at 0.50 PARTIALLY_FILLED"]),
        # Rejects of requests for unknown orders share the OrderID NONE, which identifies no order.
        (tuple(UNKNOWN), ["x5 > c5 - 0/- - at - REJECTED", "x6 > c6 - 0/- - at - REJECTED"]),
        # Redelivery of an older report does not undo a fill.
        ((NEW, FILLED, ACCEPTED), [f"a1 BUY 4/10 {SYMBOL} at 0.50 NEW"]),
        (
            (ORDERS,),
            [
                f"a1 > a2 > a3 BUY 0/10 {SYMBOL} at 0.50 CANCELED",
                f"b1 BUY 0/10 {SYMBOL} at 0.10 NEW",
            ],
        ),
        ((line("16:00:01.000000", "0", ""),), []),
        # Equal ClOrdIDs of two clients are two orders.
        ((NEW, NEW.replace(b"|49=", b"|49=other-")), [f"a1 BUY 0/10 {SYMBOL} at 0.50 NOT REPORTED"] * 2),
        (
            (NEW.replace(b"|11=a1|", b"|11=a\x1b[1m|"),),
            [f"a\\x1b[1m BUY 0/10 {SYMBOL} at 0.50 NOT REPORTED"],
        ),
    ],
)
def test_each_order_has_a_line(logs: tuple[bytes, ...], expected: list[str]) -> None:
    assert shown(*logs) == expected


def test_filters_and_parallel_processes_work_with_orders(tmp_path: Path) -> None:
    assert shown(ORDERS, args=("--id", "b1")) == [f"b1 BUY 0/10 {SYMBOL} at 0.10 NEW"]
    path = tmp_path / "orders.log"
    path.write_bytes(ORDERS)
    assert shown(args=("--processes", 2, path)) == shown(ORDERS)


def test_the_number_of_orders_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_list, "MAX_ORDERS", 1)
    monkeypatch.setattr(order_list, "MAX_IDS", 3)
    monkeypatch.setattr(order_list, "MAX_TEXT", 10)
    first, last = shown(ORDERS)
    assert first == "a1 > a2 BUY 0/10 KXHIGHNY-2 at 0.50 CANCELED"
    assert last.startswith("not shown: ")
    assert last.endswith(" about further orders")


def test_the_ids_of_an_order_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_list, "MAX_IDS", 3)
    orders = order_list.OrderList()
    for number in range(5):
        values = {"MsgType": "8", "ClOrdID": "a1", "OrderID": f"o{number}"}
        orders.add(order_list.OrderFacts(None, values))
    assert len(orders._by_id) == 3


@pytest.mark.parametrize("quantity", ["1e999999", "NaN", "-1", "9" * 50, "", "Infinity"])
def test_a_value_that_is_not_a_quantity_is_shown_unchanged(quantity: str) -> None:
    log = ACCEPTED.replace(b"|14=0.00", f"|14={quantity}".encode()).replace(
        b"|38=10.00", f"|38={quantity}".encode()
    )
    [text] = shown(log)
    assert f" 0/{quantity or '-'} " in text
