"""Repeatedly kill a trading process and cut its connections, then check that no order is lost.

python torture.py [KILLS] [CUTS] [SEED]

It starts a simulated venue and a process that trades on KalshiRT with a store. At the end it compares the
store with the orders and the position at the venue. The exit status is 1 if an order is lost, or if the
positions differ.
"""

import os
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from decimal import Decimal
from itertools import cycle
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Thread
from uuid import uuid4

from kalshi_fix_adapters.blocking import Client, order_entry
from kalshi_fix_adapters.config.reconnect import ReconnectPolicy
from kalshi_fix_adapters.errors import NotConnectedError
from kalshi_fix_sansio import ExecutionReport, NewOrderSingle, Side, TimeInForce
from kalshi_fix_sansio.events import MessageReceived, OutcomesUnknown
from kalshi_fix_venue.testing import MARKETS, Venue

SYMBOL = MARKETS["prediction"][0].rules.ticker
FAST_RECONNECT = ReconnectPolicy(initial=0.05, cap=0.2, retry_first=True)


def record_reports(client: Client, timeout: float | None = None) -> None:
    """Write a row for each report and each uncertain order. The commit that confirms the event contains the
    row.
    """
    for event in client.events(timeout):
        match event:
            case MessageReceived(message=ExecutionReport() as report):
                fill = Decimal(report.last_qty or 0) * (1 if report.side == Side.BUY else -1)
                client.rows[f"{report.cl_ord_id} {report.exec_id}"] = str(fill)
            case OutcomesUnknown(request_ids=ids):
                client.rows.update({f"{cl_ord_id} unknown": "0" for cl_ord_id in ids})


def trade(folder: Path) -> None:
    """Send orders until the process is killed; write the id of each order to a file before it is sent."""
    with (
        (folder / "intents").open("a", buffering=1) as intents,
        order_entry(retransmission=True, store=folder / "store", reconnect=FAST_RECONNECT) as client,
    ):
        Thread(target=record_reports, args=(client,)).start()
        for side in cycle(Side):
            order = NewOrderSingle(
                cl_ord_id=str(uuid4()),
                symbol=SYMBOL,
                side=side,
                order_qty=1,
                price="0.70" if side is Side.BUY else "0.30",
                time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
            )
            print(order.cl_ord_id, file=intents)
            with suppress(NotConnectedError):  # the order was not sent
                client.send(order)
            time.sleep(0.005)


def order_count(folder: Path) -> int:
    """Return the number of orders whose ids have been written so far."""
    intents = folder / "intents"
    return len(intents.read_text().split()) if intents.exists() else 0


def torture(venue: Venue, folder: Path, kills: int, cuts: int, random: Random) -> None:
    """Start and kill the trading process; cut its connection between some of the kills."""
    (folder / "ca.pem").write_text(str(venue.ca_pem))
    options = venue.options(session="KalshiRT")
    environ = {
        **os.environ,
        # Empty, so that the user's own key is not used.
        "KALSHI_PRIVATE_KEY_PATH": "",
        "KALSHI_PRIVATE_KEY_PASSPHRASE": "",
        "KALSHI_KEY_ID": str(options["key_id"]),
        "KALSHI_PRIVATE_KEY": options["private_key"].decode(),
        "KALSHI_FIX_ENDPOINTS": f"KalshiRT={options['host']}:{options['port']}",
        "KALSHI_FIX_CA_FILE": str(folder / "ca.pem"),
    }
    cuts_per_run = Counter(random.choices(range(kills), k=cuts))
    for run in range(kills):
        trader = subprocess.Popen([sys.executable, __file__, "trade", str(folder)], env=environ)
        previous_count = order_count(folder)
        while order_count(folder) < previous_count + 5:
            if trader.poll() is not None:
                sys.exit("the trading process ended before it was killed")
            time.sleep(0.01)
        for _ in range(cuts_per_run[run]):
            time.sleep(random.uniform(0.1, 0.3))
            venue.do("cut", session="KalshiRT", at=random.choice(["now", "frame", "request", "reply"]))
        time.sleep(random.uniform(0.1, 0.6))
        trader.kill()
        trader.wait()
        print(f"kill {run + 1} of {kills}, {order_count(folder)} orders", file=sys.stderr)
        while venue.logged_on():  # until the venue has noticed the end of the connection
            time.sleep(0.01)


def check_orders(venue: Venue, folder: Path) -> dict[str, object]:
    """Receive the missed reports, and compare the store with the venue."""
    options = venue.options(session="KalshiRT")
    intents = (folder / "intents").read_text().split()
    with order_entry(retransmission=True, store=folder / "store", **options) as client:
        record_reports(client, timeout=2)
        rows = dict(client.rows)
        sent = {each for each in intents if client.sent_request(each) is not None}
    reported = {key.split()[0] for key in rows if not key.endswith("unknown")}
    unknown = {key.split()[0] for key in rows if key.endswith("unknown")} - reported
    return {
        "orders": len(intents),
        "reported": len(reported),
        "listed as uncertain": len(unknown),
        "never sent": len(set(intents) - sent - reported - unknown),
        "lost": len(sent - reported - unknown),
        "position in the reports": sum(map(Decimal, map(str, rows.values()))),
        "position at the venue": venue.positions().get(SYMBOL, Decimal(0)),
    }


def main(kills: int = 12, cuts: int = 6, seed: int = 5) -> int:
    """Run, print the table and return the exit status."""
    with TemporaryDirectory() as folder, Venue(tls=True, balance=1_000_000) as venue:
        venue.trader().buy(SYMBOL, 100_000, "0.49")
        venue.trader().sell(SYMBOL, 100_000, "0.51")
        torture(venue, Path(folder), kills, cuts, Random(seed))
        result = {"kills": kills, "cuts": cuts, **check_orders(venue, Path(folder))}
    print("| | |\n| --- | --- |", *(f"| {name} | {value} |" for name, value in result.items()), sep="\n")
    return int(result["lost"] != 0 or result["position in the reports"] != result["position at the venue"])


if __name__ == "__main__":
    if sys.argv[1:2] == ["trade"]:
        trade(Path(sys.argv[2]))
    else:
        sys.exit(main(*map(int, sys.argv[1:])))
