"""Benchmarks: the cost of a message as the message grows, and as the numbers of sessions, books and open
orders grow. The cost must grow no faster than the message, and must not depend on the other sessions, books
or orders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from benchmarks import samples
from benchmarks.cases import logs, process
from benchmarks.cases.stream import logged_on_session, numbered_reports
from benchmarks.measure import Contender, Result, call_for_each, measure, result
from kalshi_fix_adapters.cli.logs.decoding import Form
from kalshi_fix_sansio import (
    MarketDataIncrementalRefresh,
    MarketDataSnapshotFullRefresh,
    MDFullEntry,
    MDIncEntry,
    Message,
    NewOrderSingle,
    encode,
)
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.messages import CODEC
from kalshi_fix_sansio.session import Session
from kalshi_fix_sansio.trading import OrderBooks, Orders

ENTRIES, FIELDS = "size: entries of a snapshot", "size: fields of a report"
BOOKS, IN_FLIGHT = "size: symbols with a book", "size: messages in flight"
LIVE_ORDERS = "size: symbols with live orders"
SESSIONS, MEMORY = "size: sessions in one process", "size: memory of books"
READ_LOG, LINES = "size: MB of a log, read", "size: MB of a log, decoded to lines"
COUNTS = {
    FIELDS: (20, 25, 30, 40, 60, 100),
    ENTRIES: (10, 50, 100, 250, 500, 1000),
    BOOKS: (1, 10_000, 20_000, 50_000, 100_000),
    LIVE_ORDERS: (2, 100, 1000, 2000, 10_000),
    IN_FLIGHT: (10, 100, 1000, 3000, 10_000),
    SESSIONS: (1, 10, 100, 300, 1000),
    MEMORY: (1000, 10_000, 20_000, 50_000, 100_000),
    READ_LOG: (1, 4, 16, 64),
    LINES: (1, 4, 16, 64),
}
LOG_ROUNDS = 2
"""Fewer rounds than in other cases, because the largest log takes several seconds."""
_MESSAGE_COUNT = 400
"""Number of different messages used in turn."""
_UNGROUPED_FIELDS = 25
"""Number of fields of the report without its groups."""
_STRIDE = 7919
"""A prime, so that the symbols of successive messages are spread over all symbols."""
_OPTIONAL_ATTRIBUTES = (
    "price",
    "last_px",
    "last_qty",
    "transact_time",
    "trd_match_id",
    "aggressor_indicator",
)
_NOW = Instant(1.0, samples.NOON)


def measure_sizes(rounds: int = 7) -> list[Result]:
    """Measure each case at each of its sizes. Each result has its size in place of an engine's name."""
    constructors = {
        FIELDS: _fields,
        ENTRIES: _entries,
        BOOKS: _books,
        LIVE_ORDERS: _live_orders,
        IN_FLIGHT: _in_flight,
        SESSIONS: _sessions,
    }
    contenders = [construct(count) for case, construct in constructors.items() for count in COUNTS[case]]
    memory = process.run_fresh_process("books", samples.LEVELS, *COUNTS[MEMORY])
    return [
        *measure(contenders, rounds),
        *(result(MEMORY, count, [size], "MiB") for count, size in memory.items()),
        *measure(_logs(), min(rounds, LOG_ROUNDS)),
    ]


def costs_by_size(results: Iterable[Result], case: str) -> list[tuple[int, float]]:
    """Return the sizes of a case, each with its cost in microseconds."""
    return sorted((int(each.engine), each.us_min) for each in results if each.case == case)


def _fields(count: int) -> Contender:
    wire = [_report_of(count, number) for number in range(_MESSAGE_COUNT)]
    return Contender(FIELDS, str(count), call_for_each(CODEC.decode, wire), len(wire))


def _report_of(count: int, number: int) -> bytes:
    """Return a report with this many fields. Unknown fields are added, or optional ones removed."""
    report = samples.report(number)
    report.misc_fees, report.collateral_amount_changes = [], []
    head = samples.header("8", 2 + number, samples.NOON)
    report.unknown = tuple((9000 + n, b"0.7450") for n in range(count - _UNGROUPED_FIELDS))
    for name in _OPTIONAL_ATTRIBUTES[: max(0, _UNGROUPED_FIELDS - count)]:
        setattr(report, name, None)
    data = encode(report, head)
    assert data.count(b"\x01") == count
    return data


def _entries(count: int) -> Contender:
    wire = [samples.snapshot_bytes(count, number) for number in range(max(2, _MESSAGE_COUNT * 10 // count))]
    return Contender(ENTRIES, str(count), call_for_each(CODEC.decode, wire), len(wire))


def _books(count: int) -> Contender:
    """Return a contender that applies an update to one of this many books."""
    books = OrderBooks()
    for number in range(count):
        level = MDFullEntry(md_entry_type="0", md_entry_px="0.45", md_entry_size=1)
        books.apply(MarketDataSnapshotFullRefresh(symbol=f"M{number}", md_entries=[level]))
    messages = [_update(f"M{number * _STRIDE % count}", number + 1) for number in range(_MESSAGE_COUNT)]
    return Contender(BOOKS, str(count), call_for_each(books.apply, messages), len(messages))


def _update(symbol: str, size: int) -> Message:
    change = MDIncEntry(
        md_update_action="1", symbol=symbol, md_entry_type="0", md_entry_px="0.45", md_entry_size=size
    )
    return MarketDataIncrementalRefresh(md_entries=[change])


def _live_orders(count: int) -> Contender:
    """Return a contender that queries the live orders of one of this many symbols."""
    orders = Orders()
    for number in range(count):
        for side in "12":
            orders.apply(
                NewOrderSingle(
                    cl_ord_id=f"{number}-{side}", symbol=f"M{number}", side=side, order_qty=1, price="0.45"
                )
            )
    symbols = [f"M{number * _STRIDE % count}" for number in range(_MESSAGE_COUNT)]
    assert all(len(list(orders.live(symbol))) == 2 for symbol in symbols)
    return Contender(LIVE_ORDERS, str(count), call_for_each(orders.live, symbols), len(symbols))


def _in_flight(count: int) -> Contender:
    """Return a contender that sends an order while this many orders are unanswered."""
    session, order = logged_on_session(), samples.order()
    for number in range(count):
        order.cl_ord_id = f"open-{number}"
        _send(session, order)
    return Contender(IN_FLIGHT, str(count), partial(_send, session, order), max_calls=1000)


def _send(session: Session, order: Message) -> None:
    session.send(order, _NOW)
    session.data_to_send()


def _sessions(count: int) -> Contender:
    """Return a contender that receives each report on this many sessions, one after the other."""
    wire = numbered_reports(size=max(1, 1000 // count) * 300)
    sessions: list[Session] = []

    def log_on() -> None:
        sessions[:] = [logged_on_session() for _ in range(count)]

    def receive() -> None:
        for data in wire:
            for session in sessions:
                session.receive_data(data, _NOW)
                session.events()

    return Contender(SESSIONS, str(count), receive, count * len(wire), max_calls=1, prepare=log_on)


def _logs() -> Iterator[Contender]:
    """Yield contenders that read or decode logs of several sizes; the time is per message."""
    count = len(numbered_reports(logs.SIZE))
    for case, run in ((READ_LOG, logs.read), (LINES, partial(logs.decode_log, form=Form.BRIEF))):
        for size in COUNTS[case]:
            path = logs.wire_log(times=size)
            yield Contender(case, str(size), partial(run, path), size * count, max_calls=1)
