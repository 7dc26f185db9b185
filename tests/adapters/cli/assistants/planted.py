"""The logs, a recording and a store of a trading day with incidents; each contains a password and a
signature."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs

from kalshi_fix_adapters.store_sqlite import SqliteStore
from kalshi_fix_sansio import (
    BusinessMessageReject,
    Heartbeat,
    Logout,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    Reject,
    SequenceReset,
    Side,
    TestRequest,
)
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import OpenRequest
from kalshi_fix_sansio.session import StoredMessage
from tests.adapters.logs.test_past_sessions import (
    DATA,
    LOGONS,
    MARKET,
    fill,
    logon,
    numbered_frames,
    order,
    report,
    write,
)
from tests.adapters.store_sqlite.stores import OWNER
from tests.helpers import START

SECRET = "hunter2-not-to-be-shown"
"""The secret planted as a signature, as a password and in the store's rows."""
OTHER_MARKET = "KXRAINNYC-26NOV22"


def signed_logon() -> Message:
    message: Any = logon()
    changed: Message = attrs.evolve(message, raw_data=SECRET, password=SECRET)
    return changed


def write_trading_day(folder: Path) -> None:
    """Write orders.log, copy.log, damaged.log, engine.log, day.rec and a folder with a store."""
    amend = OrderCancelReplaceRequest(
        cl_ord_id="maker-2",
        orig_cl_ord_id="maker-1",
        order_qty=Decimal(10),
        price=Decimal("0.52"),
        side=Side.BUY,
        symbol=MARKET,
        ord_type="2",
    )
    replaced = {
        "exec_type": "5",
        "ord_status": "1",
        "price": Decimal("0.52"),
        "time_in_force": "1",
        "orig_cl_ord_id": "maker-1",
        "order_id": "o-maker",
        "leaves_qty": Decimal(6),
        "cum_qty": Decimal(4),
        "avg_px": Decimal("0.5"),
    }
    cancel = OrderCancelRequest(cl_ord_id="slow-2", orig_cl_ord_id="slow-1", side=Side.BUY, symbol=MARKET)
    canceled = {"exec_type": "4", "ord_status": "4", "leaves_qty": Decimal(0)}
    plain_order: Any = order("rain-1")
    other_market_order = attrs.evolve(plain_order, symbol=OTHER_MARKET, price=Decimal("0.07"))
    off_tick = attrs.evolve(plain_order, cl_ord_id="odd-1", side=Side.SELL, price=Decimal("0.999"))
    off_tick_reject = Reject(
        ref_seq_num=8, ref_msg_type="D", ref_tag_id=44, text="price is not a multiple of the tick"
    )
    unavailable = BusinessMessageReject(
        ref_seq_num=2, business_reject_reason="4", ref_msg_type="D", text="EXCHANGE_UNAVAILABLE"
    )
    refused = canceled | {"text": "POST_ONLY_CROSS"}
    partial_fill = {
        "exec_type": "F",
        "ord_status": "1",
        "leaves_qty": Decimal(6),
        "cum_qty": Decimal(4),
        "last_qty": Decimal(4),
        "last_px": Decimal("0.5"),
        "avg_px": Decimal("0.5"),
        "order_id": "o-maker",
    }
    first = numbered_frames(
        "KalshiNR",
        [
            ("sent", signed_logon()),
            ("received", logon()),
            ("sent", order("maker-1")),
            ("received", report("maker-1", 1, order_id="o-maker")),
            ("received", report("maker-1", 2, **partial_fill)),
            ("sent", order("cross-1")),
            ("received", report("cross-1", 3, **refused)),
            ("sent", amend),
            ("received", report("maker-2", 4, **replaced)),
            ("sent", other_market_order),
            ("received", report("rain-1", 5, symbol=OTHER_MARKET, price=Decimal("0.07"))),
            ("received", report("rain-1", 6, symbol=OTHER_MARKET, **canceled)),
            ("sent", order("slow-1")),
            ("received", report("slow-1", 7)),
            ("sent", cancel),
            ("received", Heartbeat()),
            ("received", TestRequest(test_req_id="are-you-there")),
            ("received", report("slow-2", 8, orig_cl_ord_id="slow-1", order_id="o-slow-1", **canceled)),
            ("sent", off_tick),
            ("received", off_tick_reject),
            ("sent", order("lost-1")),
            ("received", Heartbeat(), 18),
            ("received", Logout(text="SESSION_TERMINATED")),
        ],
    )
    second = numbered_frames(
        "KalshiNR",
        [
            ("sent", signed_logon()),
            ("received", logon()),
            ("received", unavailable),
        ],
    )
    write(folder / "orders.log", first, second, log=True)
    copy = numbered_frames(
        "KalshiDC",
        [
            *LOGONS,
            # The fill is reported after the order session has ended.
            *[("received", Heartbeat())] * 25,
            ("received", fill("lost-1", 9)),
            ("received", SequenceReset(new_seq_no=40, gap_fill_flag=True)),
        ],
    )
    write(folder / "copy.log", copy, log=True)
    data = (folder / "copy.log").read_bytes()
    # A report that was edited or damaged in transit.
    (folder / "damaged.log").write_bytes(data.replace(b"=lost-1", b"=lost-7", 1))
    # Another engine's log, which contains the secrets in plain text.
    data = b"".join(data for _, data in first).replace(b"\x01", b"|")
    (folder / "engine.log").write_bytes(data)
    write(folder / "day.rec", DATA, log=False)
    (folder / "stores").mkdir()
    with SqliteStore(folder / "stores" / "orders.sqlite3", owner=OWNER) as store:
        secret = f"96={SECRET}".encode()
        for number in (1, 2, 3):
            store.record_sent(number, StoredMessage(number, START, secret))
        store.advance_incoming(17)
        store.record_request(OpenRequest("lost-1", "D", 2, START, secret, 1, uncertain=True))
        store.record_rows({"quotes/20261121": f'{{"bid": "0.49", "password": "{SECRET}"}}'})
        store.commit()
