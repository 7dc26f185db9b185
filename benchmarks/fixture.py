"""Measure the cost of resetting the venue of the pytest fixture, compared with a logon and logout.

python -m benchmarks.fixture

The pytest fixture `kalshi_venue` resets its venue between two tests. This program measures two tasks in turn,
with and without TLS: a logon and logout of a blocking client, and a reset after a client has logged on,
traded and logged out.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from kalshi_fix_adapters.blocking import order_entry
from kalshi_fix_sansio import NewOrderSingle
from kalshi_fix_venue.testing import MARKETS, Venue

ROUNDS = 200
SYMBOL = MARKETS["prediction"][0].rules.ticker


def _milliseconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return (time.perf_counter() - start) * 1e3


def measure(*, tls: bool, rounds: int = ROUNDS) -> tuple[float, float]:
    """Return the median time in milliseconds of a logon and logout, and of a reset."""
    order = NewOrderSingle(cl_ord_id="o", symbol=SYMBOL, side="1", ord_type="2", order_qty=1, price="0.40")
    logons, resets = [], []
    with Venue(tls=tls) as venue:

        def log_on(*orders: NewOrderSingle) -> None:
            with order_entry(**venue.options()) as client:
                for each in orders:
                    client.send(each)
                    venue.trader().fill("o")

        for _ in range(rounds):
            logons.append(_milliseconds(log_on))
            log_on(order)
            resets.append(_milliseconds(venue.reset))
    return median(logons), median(resets)


if __name__ == "__main__":
    for tls in (False, True):
        logon, reset = measure(tls=tls)
        transport = "over TLS" if tls else "in process"
        print(
            f"{transport}: logon and logout {logon:.2f} ms; reset {reset:.2f} ms, "
            f"{reset / logon:.2f} times as long"
        )
