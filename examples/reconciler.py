"""Reconcile the orders, positions and cash of a day.

    python reconciler.py FILE...

The files are the recordings or wire logs of the day's order and settlement sessions, oldest first. The
reports of orders that remain uncertain are requested from drop copy. The resulting positions are compared
with the venue's settlement reports.
"""

from datetime import UTC, datetime
from sys import argv
from time import monotonic

from kalshi_fix_adapters.blocking import drop_copy
from kalshi_fix_adapters.logs import replay
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.trading import (
    Cash,
    CopyState,
    DropCopy,
    Orders,
    Positions,
    Settlements,
    UncertainItems,
)

orders, copies = Orders("KalshiNR"), DropCopy("KalshiDC")
positions, cash, settlements = Positions(), Cash(), Settlements()


def now() -> Instant:
    """Read both clocks."""
    return Instant(monotonic(), datetime.now(UTC))


def apply(event: object) -> None:
    """Apply an event to the orders, and the resulting updates to positions and cash."""
    for update in orders.apply(event):
        positions.apply(update)
        cash.apply(update)
        for discrepancy in update.discrepancies:
            print("discrepancy:", discrepancy)


replay(argv[1:], orders, positions, cash, session_type="KalshiNR")
uncertain_items = UncertainItems(orders, copies)
print(f"orders: {len(orders)}, uncertain items before drop copy: {len(uncertain_items)}", flush=True)
if orders.drop_copy_start():
    with drop_copy() as client:
        copies.request(orders.drop_copy_start(), orders.epoch, now())
        while any(pending.state is not CopyState.FAILED for pending in copies.pending):
            for request in copies.handle_timer(now()):
                copies.apply(request, now())
                client.send(request)
            for event in client.events(timeout=0.2):
                for result in copies.apply(event, now()):
                    apply(result)
replay(argv[1:], settlements, positions, cash, session_type="KalshiPT")

for item in uncertain_items:
    print("uncertain:", item)
for incomplete in settlements.incomplete():
    print("incomplete:", incomplete)
for difference in positions.discrepancies():
    print("difference:", difference)
for balance in map(cash.__getitem__, cash):
    print(
        f"shard {balance.shard}: change {balance.change}, fees {balance.fees}, "
        f"payouts {balance.payouts} dollars"
    )
for key in positions:
    print(key.symbol, positions[key].net, "contracts, realized", positions[key].realized, "dollars")
print(f"orders: {len(orders)}, uncertain items left: {len(uncertain_items)}", flush=True)
