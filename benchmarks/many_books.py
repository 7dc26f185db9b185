"""What memory many books take, in a process of its own.

    python -m benchmarks.many_books LEVELS COUNT...

Prints JSON: for each of the counts, in ascending order, the MiB that so many books of LEVELS levels take. No
two sizes are the same object, as if each came for itself.
"""

from __future__ import annotations

import json
import sys
from decimal import Decimal

from benchmarks.million import resident
from kalshi_fix_sansio import MarketDataSnapshotFullRefresh, MDFullEntry
from kalshi_fix_sansio.trading import OrderBooks


def run(levels: int, counts: list[int]) -> dict[int, float]:
    """Apply snapshots; measure memory at each of the counts."""
    books = OrderBooks(max_books=counts[-1], max_levels=levels * counts[-1])
    before, found = resident(), {}
    prices = [Decimal(number + 1).scaleb(-2) for number in range(levels)]
    for number in range(counts[-1]):
        entries = [
            MDFullEntry(
                md_entry_type="0" if place < levels // 2 else "1",
                md_entry_px=price,
                md_entry_size=Decimal(number * levels + place + 1).scaleb(-2),
            )
            for place, price in enumerate(prices)
        ]
        symbol = f"KXHIGHNY-26AUG17-B{number:06}"
        update = books.apply(MarketDataSnapshotFullRefresh(symbol=symbol, md_entries=entries))
        assert not any(each.discrepancies for each in update)
        if number + 1 in counts:
            found[number + 1] = resident() - before
    return found


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]), sorted(map(int, sys.argv[2:])))))
