"""Replaying a recording or a log restores the trading state as it was at the time."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from kalshi_fix_adapters.engine.quiet import read_shapes
from kalshi_fix_adapters.logs import Kind, Recorder, Recording, read_events, replay, to_parquet
from kalshi_fix_adapters.logs.recording import MAGIC, pack
from kalshi_fix_adapters.observe.wire_log import WireLog
from kalshi_fix_sansio import (
    BusinessMessageReject,
    ExecutionReport,
    Logon,
    Logout,
    MarketDataRequest,
    MarketDataSnapshotFullRefresh,
    MDEntryType,
    NewOrderSingle,
    SequenceReset,
    Side,
    encode,
)
from kalshi_fix_sansio._generated import Header, MDFullEntry
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import LoggedOn, MessageReceived, MessagesLost, RejectReceived, SessionEnded
from kalshi_fix_sansio.trading import BookState, Cash, DropCopy, OrderBooks, Orders, Positions
from tests.adapters.cli.runner import invoke
from tests.helpers import of_type

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
KEY = "8a1c0c8e-0000-4000-8000-000000000001"
MARKET = "KXHIGHNY-26NOV21-B60"
DirectedMessage = tuple[str, Message]


def frame(direction: str, number: int, message: Message, session: str, *, again: bool = False) -> bytes:
    ids = (KEY, session) if direction == "sent" else (session, KEY)
    header = Header(
        msg_type=message.msg_type,
        sender_comp_id=ids[0],
        target_comp_id=ids[1],
        msg_seq_num=number,
        sending_time=NOON,
        poss_dup_flag=again or None,
        orig_sending_time=NOON if again else None,
    )
    return encode(message, header)


def logon(*, dollars: bool = True) -> Message:
    return Logon(
        encrypt_method=0,
        heart_bt_int=30,
        default_appl_ver_id="9",
        reset_seq_num_flag=True,
        use_dollars=dollars,
    )


def snapshot(price: str = "0.5", size: str = "10") -> Message:
    entry = MDFullEntry(
        md_entry_type=MDEntryType.BID, md_entry_px=Decimal(price), md_entry_size=Decimal(size)
    )
    return MarketDataSnapshotFullRefresh(symbol=MARKET, md_entries=[entry])


def report(cl_ord_id: str, number: int, **fields: Any) -> Message:
    values: dict[str, Any] = {
        "order_id": f"o-{cl_ord_id}",
        "cl_ord_id": cl_ord_id,
        "exec_id": f"1755446400;{number}",
        "exec_type": "0",
        "ord_status": "0",
        "side": Side.BUY,
        "symbol": MARKET,
        "order_qty": Decimal(10),
        "leaves_qty": Decimal(10),
        "cum_qty": Decimal(0),
        "avg_px": Decimal(0),
        "price": Decimal("0.5"),
        "transact_time": NOON,
    }
    return ExecutionReport(**values | fields)


def fill(cl_ord_id: str, number: int) -> Message:
    traded = {"exec_type": "F", "ord_status": "2", "leaves_qty": Decimal(0), "cum_qty": Decimal(10)}
    return report(
        cl_ord_id, number, **traded, last_qty=Decimal(10), last_px=Decimal("0.5"), avg_px=Decimal("0.5")
    )


def order(cl_ord_id: str) -> Message:
    return NewOrderSingle(
        cl_ord_id=cl_ord_id,
        order_qty=Decimal(10),
        ord_type="2",
        price=Decimal("0.5"),
        side=Side.BUY,
        symbol=MARKET,
    )


def numbered_frames(
    session: str, messages: Iterable[DirectedMessage | tuple[str, Message, int]]
) -> list[tuple[str, bytes]]:
    """Return the numbered frames of one connection. The optional third item of a tuple is the number
    of its message; if the number was already used, the frame has PossDupFlag."""
    next_numbers = {"sent": 1, "received": 1}
    frames = []
    for direction, message, *number in messages:
        seq_num = number[0] if number else next_numbers[direction]
        again = seq_num < next_numbers[direction]
        frames.append((direction, frame(direction, seq_num, message, session, again=again)))
        next_numbers[direction] = max(next_numbers[direction], seq_num + 1)
    return frames


def write(path: Path, *connections: Any, log: bool, chunk_size: int = 1 << 20, ended: bool = True) -> Path:
    """Write connections, one after the other, as a recording or as a wire log."""
    now = Instant(0.0, NOON)
    writer: Any
    with WireLog(path) if log else Recorder(path) as writer:
        for frames in connections:
            connection: Any = writer.connect("somewhere", Instant(0.0, NOON)) if log else None
            record = connection.record if log else writer.on_wire
            for direction, data in frames:
                now = Instant(now.monotonic + 1, now.utc + timedelta(seconds=1))
                for begin in range(0, len(data), chunk_size):
                    record(direction, data[begin : begin + chunk_size], now)
            if ended:
                (connection.close if log else writer.end)(now)
    return path


LOGONS: list[DirectedMessage] = [("sent", logon()), ("received", logon())]
TRADING = numbered_frames(
    "KalshiNR",
    [
        *LOGONS,
        ("sent", order("a")),
        ("received", report("a", 1)),
        ("received", fill("a", 2)),
        ("sent", order("b")),
        ("received", report("b", 3)),
        ("sent", order("c")),
    ],
)
DATA = numbered_frames(
    "KalshiMD", [*LOGONS, ("sent", MarketDataRequest.subscribe(MARKET)), ("received", snapshot())]
)


@pytest.mark.parametrize("log", [False, True], ids=["recording", "log"])
@pytest.mark.parametrize("chunk_size", [1 << 20, 7])
def test_orders_positions_and_cash_are_restored(tmp_path: Path, log: bool, chunk_size: int) -> None:
    path = write(tmp_path / "day", TRADING, log=log, chunk_size=chunk_size)
    live, live_positions = Orders(), Positions()
    orders, positions, cash = Orders(), Positions(), Cash()
    # The events that a user would have applied at the time.
    reported: list[object] = [LoggedOn(logon(), 30, reset=True, flags={"use_dollars": True}), order("a")]
    reported += [MessageReceived(report("a", 1)), MessageReceived(fill("a", 2)), order("b")]
    reported += [MessageReceived(report("b", 3)), order("c")]
    for item in reported:
        for update in live.apply(item):
            live_positions.apply(update)
    count = replay(path, orders, positions, cash)
    assert count == 7 + (not log)  # a wire log has no record for the end of a connection
    if not log:
        for update in live.apply(SessionEnded(SessionEnded.__name__, "", False)):  # type: ignore[arg-type]
            live_positions.apply(update)
    assert [(item.cl_ord_id, item.state, item.filled_qty) for item in orders] == [
        (item.cl_ord_id, item.state, item.filled_qty) for item in live
    ]
    assert [positions[key].net for key in positions] == [Decimal(10)]
    assert [live_positions[key].net for key in live_positions] == [Decimal(10)]
    assert [cash[key].fills for key in cash] == [1]


@pytest.mark.parametrize("log", [False, True], ids=["recording", "log"])
def test_books_are_restored(tmp_path: Path, log: bool) -> None:
    path = write(tmp_path / "day", DATA, log=log, ended=False)
    books = OrderBooks()
    assert replay(path, books, session_type="KalshiMD") == 3
    assert replay(path, OrderBooks(), session_type="KalshiNR") == 0
    best = books[MARKET].bids.best
    assert best is not None
    assert (best.price, best.size) == (Decimal("0.5"), Decimal(10))
    assert books[MARKET].state is BookState.LIVE
    replay(write(tmp_path / "ended", DATA, log=False), books)
    assert books[MARKET].state is BookState.STALE


def events_in(path: Path) -> list[Any]:
    return [item.event for item in read_events(path)]


def kinds_in(path: Path) -> list[str]:
    return [type(event).__name__ for event in events_in(path)]


@pytest.mark.parametrize("log", [False, True], ids=["recording", "log"])
def test_losses_are_reported_on_a_session_without_resend(tmp_path: Path, log: bool) -> None:
    frames = numbered_frames("KalshiMD", [*LOGONS, ("received", snapshot(), 4)])
    path = write(tmp_path / "day", frames, log=log)
    assert of_type(events_in(path), MessagesLost) == [MessagesLost(2, 3)]


def test_on_a_session_with_resend_a_resent_message_counts_once(tmp_path: Path) -> None:
    frames = numbered_frames(
        "KalshiRT",
        [
            *LOGONS,
            ("received", report("a", 1)),
            ("received", report("d", 4), 6),
            ("received", report("b", 2), 3),
            ("received", report("b", 2), 3),
            ("received", SequenceReset(gap_fill_flag=True, new_seq_no=6), 4),
            ("received", report("a", 1), 2),
            ("received", report("e", 5), 7),
        ],
    )
    path = write(tmp_path / "day", frames, log=False)
    received = of_type(events_in(path), MessageReceived)
    assert [getattr(event.message, "cl_ord_id", None) for event in received] == ["a", "d", "b", "e"]
    assert "MessagesLost" not in kinds_in(path)


@pytest.mark.parametrize("log", [False, True], ids=["recording", "log"])
def test_a_reject_names_its_request_and_a_session_ends_once(tmp_path: Path, log: bool) -> None:
    refusal = BusinessMessageReject(ref_msg_type="D", business_reject_reason=0, ref_seq_num=2, text="no")
    first = numbered_frames(
        "KalshiNR",
        [
            *LOGONS,
            ("sent", order("a")),
            ("received", refusal),
            ("received", Logout()),
            ("sent", Logout()),
        ],
    )
    path = write(tmp_path / "day", first, TRADING[:3], log=log)
    assert kinds_in(path) == [
        *["LoggedOn", "NewOrderSingle", "RejectReceived", "SessionEnded", "LoggedOn", "NewOrderSingle"],
        *([] if log else ["SessionEnded"]),
    ]
    rejects = of_type(events_in(path), RejectReceived)
    assert [getattr(reject.sent, "cl_ord_id", None) for reject in rejects] == ["a"]
    crashed = write(tmp_path / "crashed", TRADING[:4], TRADING[:3], log=log)
    assert kinds_in(crashed).count("SessionEnded") == 1 + (not log)


@pytest.mark.parametrize("log", [False, True], ids=["recording", "log"])
def test_a_connection_beyond_the_limit_ends_the_oldest(
    tmp_path: Path, log: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kalshi_fix_adapters.logs.past_sessions.MAX_CONNECTIONS", 1)
    path = tmp_path / "day"
    for session in ("KalshiRT", "KalshiMD"):
        write(path, numbered_frames(session, LOGONS), log=log, ended=False)
    found = [(event.session_type, type(event.event).__name__) for event in read_events(path)]
    assert found == [("KalshiRT", "LoggedOn"), ("KalshiRT", "SessionEnded"), ("KalshiMD", "LoggedOn")]


def test_drop_copy_is_applied_before_orders(tmp_path: Path) -> None:
    frames = numbered_frames("KalshiDC", [*LOGONS, ("received", report("x", 1))])
    path = write(tmp_path / "day", frames, log=False)
    orders = Orders()
    replay(path, DropCopy(), orders)
    assert [order.cl_ord_id for order in orders] == ["x"]


@pytest.mark.parametrize("compressed", [False, True])
def test_several_files_are_replayed_as_one(compressed: bool, tmp_path: Path) -> None:
    with Recorder(tmp_path / "day", max_bytes=300, backups=20) as recorder:
        data = b"".join(data for direction, data in DATA if direction == "received") + frame(
            "received", 3, snapshot("0.6"), "KalshiMD"
        )
        recorder.on_wire("sent", DATA[0][1], Instant(0.0, NOON))
        for begin in range(0, len(data), 50):
            recorder.on_wire("received", data[begin : begin + 50], Instant(0.0, NOON))
    files = [tmp_path / f"day.{number}" for number in range(20, 0, -1)] + [tmp_path / "day"]
    files = [file for file in files if file.exists()]
    assert len(files) > 2
    if compressed:
        for number, file in enumerate(files):
            files[number] = file.with_name(f"{file.name}.gz")
            files[number].write_bytes(gzip.compress(file.read_bytes()))
    books = OrderBooks()
    replay(files, books)
    best = books[MARKET].bids.best
    assert best is not None
    assert best.price == Decimal("0.6")


def test_unwritten_records_make_books_stale(tmp_path: Path) -> None:
    path = tmp_path / "day"
    path.write_bytes(MAGIC + pack_frames(DATA) + pack(NOON, 1, Kind.LOST, b"3"))
    books = OrderBooks()
    replay(path, books)
    assert books[MARKET].state is BookState.STALE


def pack_frames(frames: Iterable[tuple[str, bytes]]) -> bytes:
    kinds = {"sent": Kind.SENT, "received": Kind.RECEIVED}
    return b"".join(pack(NOON, 1, kinds[direction], data) for direction, data in frames)


@pytest.mark.parametrize("rest", [b"", pack(NOON, 2, Kind.ENDED, b"")], ids=["at the end", "in the middle"])
def test_damage_makes_books_stale_and_is_reported_by_the_command(rest: bytes, tmp_path: Path) -> None:
    path = tmp_path / "day"
    damaged = b"!" + pack(NOON, 1, Kind.RECEIVED, b"?")[1:]
    whole = MAGIC + pack_frames(DATA)
    path.write_bytes(whole + damaged + rest)
    books, recording = OrderBooks(), Recording(path)
    replay(recording, books)
    assert books[MARKET].state is BookState.STALE
    assert recording.damaged == [range(len(whole), len(whole) + len(damaged))]
    reported = f"kalshi-fix: {path} is damaged (bytes {len(whole):,} to {len(whole) + len(damaged):,}"
    assert invoke("replay", path).stderr.startswith(f"{reported}, {len(damaged)} bytes in total)")
    path.write_bytes(whole + damaged + pack_frames(DATA) + damaged + rest + damaged[1:5])
    result = invoke("replay", path)
    assert f"{reported} and 1 more, {2 * len(damaged)} bytes in total)" in result.stderr
    assert f"{path} ends in an incomplete record of 4 bytes" in result.stderr


def test_a_sent_record_that_is_not_a_message_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "day"
    path.write_bytes(MAGIC + pack(NOON, 1, Kind.SENT, b"not a message") + pack_frames(DATA))
    assert replay(path, OrderBooks()) == 3


# --- the command


def test_the_command_prints_the_state(tmp_path: Path) -> None:
    day = write(tmp_path / "day", TRADING, TRADING[:2], log=False)
    data = write(tmp_path / "data", DATA, log=False)
    result = invoke("replay", "--all", day, data)
    assert result.stderr == ""
    shown = result.stdout
    assert f"books: 1\n  {MARKET} LIVE bid 0.5 x 10 offer -\n" in shown
    assert "orders: 3, of which 3 shown\n  a DONE BUY 10/10 " in shown
    assert f"positions\n  {MARKET} 10 realized" in shown
    assert "uncertain: 2\n  " in shown
    assert "of which 2 shown" in invoke("replay", day).stdout


@pytest.mark.parametrize("log", [True, False])
def test_the_shapes_of_a_log_are_learned(tmp_path: Path, log: bool) -> None:
    reports: list[DirectedMessage] = [("received", report("a", number)) for number in range(10)]
    sent: list[DirectedMessage] = [("sent", order(f"{number}")) for number in range(10)]
    frames = numbered_frames("KalshiNR", [("received", logon()), *sent, *reports])
    path, out = write(tmp_path / "day", frames, log=log), tmp_path / "shapes"

    result = invoke("shapes", "--session", "KalshiNR", "--out", out, path)
    assert result.output == f"1 shape written to {out}\n"
    (shape,) = read_shapes(out)
    tags = [field.partition(b"=")[0] for field in shape.split(b"\x01")]
    last = frame("received", 1, report("a", 1), "KalshiNR")
    assert tags == [field.partition(b"=")[0] for field in last.split(b"\x01")]
    assert b"o-a" not in shape
    out.unlink()
    nothing = invoke("shapes", "--session", "KalshiMD", "--out", out, path, status=3)
    assert "no shape occurred often enough to be learned" in nothing.stderr
    assert not out.exists()


# --- tables


def test_market_data_as_a_table_is_exact(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    frames = [
        *DATA,
        ("received", frame("received", 3, snapshot("0.1234567891", "12345678901234.01"), "KalshiMD")),
    ]
    path = write(tmp_path / "day", frames, log=False)
    assert to_parquet(path, tmp_path / "day.parquet") == 2
    first, second = parquet.read_table(tmp_path / "day.parquet").to_pylist()
    assert (first["symbol"], first["type"], first["snapshot"], first["number"]) == (MARKET, "BID", True, 2)
    assert (first["price"], second["price"]) == (Decimal("0.5"), Decimal("0.1234567891"))
    assert second["size"] == Decimal("12345678901234.01")
    assert first["time"] == NOON + timedelta(seconds=4)
