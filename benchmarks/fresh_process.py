"""Measurements that need a new process, because they measure its memory or start with empty caches.

Each command prints JSON.

python -m benchmarks.fresh_process session COUNT          COUNT messages through one session, for case h
python -m benchmarks.fresh_process books LEVELS COUNT...  MiB of memory for each number of books, ascending
python -m benchmarks.fresh_process orders COUNT           first order's time, median of the rest, for case o
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from benchmarks import samples
from benchmarks.cases.stream import CHUNK, logged_on_session
from kalshi_fix_sansio import MarketDataSnapshotFullRefresh, MDFullEntry, encode
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.trading import OrderBooks


def resident_mib() -> float:
    """Return the resident memory of this process in MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


def chunks(count: int) -> Iterator[tuple[bytes, datetime]]:
    """Yield chunks of reports, as read from a socket, each with the time of its last report.

    No two reports have the same ids, number or time.
    """
    pending, reports = bytearray(), [samples.report(number) for number in range(samples.COUNT)]
    for number in range(count):
        time_received = samples.NOON + timedelta(microseconds=number)
        report = reports[number % len(reports)]
        report.order_id = report.cl_ord_id = f"{number:08x}-6a37-4a7c-9d1b-2f6f1d1f0c11"
        report.exec_id, report.transact_time = f"execution-{number}", time_received
        pending += encode(report, samples.header("8", 2 + number, time_received))
        if len(pending) >= CHUNK or number == count - 1:
            yield bytes(pending), time_received
            pending.clear()


def receive_messages(count: int) -> dict[str, float]:
    """Receive this many messages; return the mean time per message in microseconds and the memory in MiB.

    The memory is measured before the first message, after each twentieth of the messages, and at the end.
    """
    session, seconds = logged_on_session(), 0.0
    sizes = [resident_mib()]
    for chunk, time_received in chunks(count):
        now = Instant((time_received - samples.NOON).total_seconds(), time_received)
        start = time.perf_counter()
        session.receive_data(chunk, now)
        session.events()
        seconds += time.perf_counter() - start
        if session.next_incoming > count * len(sizes) // 20:
            sizes.append(resident_mib())
    assert session.next_incoming == count + 2, "messages were lost"
    end = resident_mib()
    us = seconds / count * 1e6
    return {"start": sizes[0], "warm": sizes[1], "end": end, "maximum": max(*sizes, end), "us": us}


def apply_snapshots(levels: int, *counts: int) -> dict[int, float]:
    """Apply a snapshot to each new book; return the MiB of memory for each number of books.

    Each size is a separate Decimal, as in decoded messages.
    """
    books = OrderBooks(max_books=counts[-1], max_levels=levels * counts[-1])
    baseline, memory = resident_mib(), {}
    prices = [Decimal(number + 1).scaleb(-2) for number in range(levels)]
    for number in range(counts[-1]):
        entries = [
            MDFullEntry(
                md_entry_type="0" if index < levels // 2 else "1",
                md_entry_px=price,
                md_entry_size=Decimal(number * levels + index + 1).scaleb(-2),
            )
            for index, price in enumerate(prices)
        ]
        symbol = f"KXHIGHNY-26AUG17-B{number:06}"
        updates = books.apply(MarketDataSnapshotFullRefresh(symbol=symbol, md_entries=entries))
        assert not any(book_update.discrepancies for book_update in updates)
        if number + 1 in counts:
            memory[number + 1] = resident_mib() - baseline
    return memory


def send_orders(count: int) -> dict[str, float]:
    """Send orders after `Session.prepare`; return the time of the first, and the median time of the
    rest, in µs.
    """
    session, now, times = logged_on_session(), Instant(1.0, samples.NOON), []
    while session.prepare():
        pass
    orders = [samples.order(number) for number in range(count)]
    for order in orders:
        start = time.perf_counter()
        session.send(order, now)
        session.data_to_send()
        times.append((time.perf_counter() - start) * 1e6)
    return {"first": times[0], "median": statistics.median(times[1:])}


def main(name: str, *numbers: int) -> object:
    """Run the measurement given on the command line."""
    measurements: dict[str, Callable[..., object]] = {
        "session": receive_messages,
        "books": apply_snapshots,
        "orders": send_orders,
    }
    return measurements[name](*numbers)


if __name__ == "__main__":
    json.dump(main(sys.argv[1], *map(int, sys.argv[2:])), sys.stdout)
