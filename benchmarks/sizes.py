"""What a message costs as it grows, and as sessions, books and open orders become many: a cost is to grow
with the size of what is done, and no faster; with what lies beside it, it is not to grow."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from benchmarks import samples
from benchmarks.cases import logs
from benchmarks.cases.stream import established, numbered
from benchmarks.measure import ROOT, Contender, Result, measure, over, result
from kalshi_fix_adapters.cli.logs.decoding import Form
from kalshi_fix_sansio import (
    MarketDataIncrementalRefresh,
    MarketDataSnapshotFullRefresh,
    MDFullEntry,
    MDIncEntry,
    Message,
    encode,
)
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.messages import CODEC
from kalshi_fix_sansio.session import Session
from kalshi_fix_sansio.trading import OrderBooks

ENTRIES, FIELDS = "size: entries of a snapshot", "size: fields of a report"
BOOKS, FLIGHT = "size: symbols with a book", "size: messages in flight"
SESSIONS, MEMORY = "size: sessions in one process", "size: memory of books"
READ_LOG, LINES = "size: MB of a log that is read", "size: MB of a log shown a line each"
COUNTS = {
    FIELDS: (20, 25, 30, 40, 60, 100),
    ENTRIES: (10, 50, 100, 250, 500, 1000),
    BOOKS: (1, 10_000, 20_000, 50_000, 100_000),
    FLIGHT: (10, 100, 1000, 3000, 10_000),
    SESSIONS: (1, 10, 100, 300, 1000),
    MEMORY: (1000, 10_000, 20_000, 50_000, 100_000),
    READ_LOG: (1, 4, 16, 64),
    LINES: (1, 4, 16, 64),
}
LOG_ROUNDS = 2
LEVELS = 40
"""Levels of each of the books whose memory is measured."""
_DIFFERENT = 400
"""Messages that are gone through in turn."""
_PLAIN_REPORT = 25
"""Fields of the report without its groups."""
_OPTIONAL = ("price", "last_px", "last_qty", "transact_time", "trd_match_id", "aggressor_indicator")


def by_size(rounds: int = 7) -> list[Result]:
    """Measure everything at each of its sizes; the engine's name is the size."""
    makers: Iterable[Callable[[], Iterator[Contender]]] = (_fields, _entries, _books, _flight, _sessions)
    return [
        *measure([contender for make in makers for contender in make()], rounds),
        *_memory(),
        # The largest takes some seconds.
        *measure(_logs(), min(rounds, LOG_ROUNDS)),
    ]


def slopes(results: Iterable[Result], case: str) -> list[tuple[int, float]]:
    """Return size and cost of a case."""
    return sorted((int(found.engine), found.us_min) for found in results if found.case == case)


def _fields() -> Iterator[Contender]:
    for count in COUNTS[FIELDS]:
        yield _decoding(FIELDS, count, [_report_of(count, number) for number in range(_DIFFERENT)])


def _report_of(count: int, number: int) -> bytes:
    """Return a report of so many fields: fewer of its own, or more that are unknown."""
    report = samples.report(number)
    report.misc_fees, report.collateral_amount_changes = [], []
    head = samples.header("8", 2 + number, samples.NOON)
    report.unknown = tuple((9000 + n, b"0.7450") for n in range(count - _PLAIN_REPORT))
    spare = iter(_OPTIONAL)
    while encode(report, head).count(b"\x01") > count:
        setattr(report, next(spare), None)
    data = encode(report, head)
    assert data.count(b"\x01") == count
    return data


def _entries() -> Iterator[Contender]:
    for count in COUNTS[ENTRIES]:
        numbers = range(max(2, _DIFFERENT * 10 // count))
        yield _decoding(ENTRIES, count, [samples.snapshot_bytes(count, number) for number in numbers])


def _decoding(case: str, count: int, wire: list[bytes]) -> Contender:
    return Contender(case, str(count), over(CODEC.decode, wire), len(wire))


def _books() -> Iterator[Contender]:
    """An update of one of so many books: the cost must not depend on how many there are."""
    for count in COUNTS[BOOKS]:
        books = OrderBooks()
        for number in range(count):
            level = MDFullEntry(md_entry_type="0", md_entry_px="0.45", md_entry_size=1)
            books.apply(MarketDataSnapshotFullRefresh(symbol=f"M{number}", md_entries=[level]))
        messages = [_update(f"M{number * 7919 % count}", number + 1) for number in range(_DIFFERENT)]
        yield Contender(BOOKS, str(count), over(books.apply, messages), len(messages))


def _memory() -> list[Result]:
    command = [sys.executable, "-m", "benchmarks.many_books", str(LEVELS), *map(str, COUNTS[MEMORY])]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout)
    return [result(MEMORY, count, [size], "MiB") for count, size in found.items()]


class _Sessions:
    """So many sessions of one process, each of which receives the same reports in turn."""

    def __init__(self, count: int, wire: list[bytes]) -> None:
        self._count, self._wire = count, wire
        self._sessions: list[Session] = []

    def log_on(self) -> None:
        self._sessions = [established() for _ in range(self._count)]

    def receive(self) -> None:
        now = Instant(1.0, samples.NOON)
        for data in self._wire:
            for session in self._sessions:
                session.receive_data(data, now)
                session.events()


def _sessions() -> Iterator[Contender]:
    """A report to one of so many sessions: the cost must not depend on how many there are."""
    for count in COUNTS[SESSIONS]:
        wire = numbered(size=max(1, 1000 // count) * 300)
        sessions = _Sessions(count, wire)
        yield Contender(
            SESSIONS, str(count), sessions.receive, count * len(wire), max_calls=1, prepare=sessions.log_on
        )


def _logs() -> Iterator[Contender]:
    """A message of a log of so many MB: the cost must not depend on where in the log it is."""
    count = len(numbered(logs.SIZE))
    for case, run in ((READ_LOG, logs.read), (LINES, partial(logs.shown, form=Form.BRIEF))):
        for size in COUNTS[case]:
            path = logs.wire_log(times=size)
            yield Contender(case, str(size), partial(run, path), size * count, max_calls=1)


def _update(symbol: str, size: int) -> Message:
    change = MDIncEntry(
        md_update_action="1", symbol=symbol, md_entry_type="0", md_entry_px="0.45", md_entry_size=size
    )
    return MarketDataIncrementalRefresh(md_entries=[change])


def _flight() -> Iterator[Contender]:
    """An order sent while so many are not answered: the cost must not depend on how many there are."""
    now = Instant(1.0, samples.NOON)
    for count in COUNTS[FLIGHT]:
        session = established()
        order = samples.order()
        for number in range(count):
            order.cl_ord_id = f"open-{number}"
            session.send(order, now)
        session.data_to_send()

        yield Contender(FLIGHT, str(count), partial(_send, session, order, now), max_calls=1000)


def _send(session: Session, order: Message, now: Instant) -> None:
    session.send(order, now)
    session.data_to_send()
