"""`python -m tests.failover.host SETTINGS NAME`: a trader on one of the hosts, until SIGTERM.

It writes each order to its journal before sending it, and each event before confirming it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from decimal import Decimal
from itertools import count
from pathlib import Path

from kalshi_fix_adapters.blocking import Client, order_entry
from kalshi_fix_adapters.config.reconnect import ReconnectPolicy
from kalshi_fix_adapters.errors import ClientTimeoutError, NotConnectedError
from kalshi_fix_adapters.net.tls import Tls
from kalshi_fix_sansio import NewOrderSingle, OrdType, Side
from tests.example_programs import TIMEOUT
from tests.kill.entries import entry_of
from tests.kill.journal import Journal
from tests.kill.knowledge import Knowledge
from tests.kill.trader import MARKET

BURST = 5
"""Number of orders sent at a time."""
PAUSE = 0.02
"""Seconds without an event after which the trader sends more orders."""
FAST_RECONNECT = ReconnectPolicy(initial=0.05, cap=0.05, key_in_use=0.05, maintenance=None)


class Trader:
    """The trader, and the contents of its journal."""

    def __init__(self, name: str, journal: Path) -> None:
        self._name = name
        self._journal = Journal(journal)
        self._known = Knowledge()
        self.stopping = False

    def trade(self, client: Client) -> None:
        """Send orders until SIGTERM, then wait until all of them are answered."""
        ids = (f"{self._name}-{number}" for number in count(1))
        while not self.stopping:
            for _ in range(BURST):
                self._place(client, next(ids))
            self._receive(client)
        # The venue answers in order, so the answer to this order implies that all earlier answers are known.
        last = next(ids)
        self._place(client, last)
        while last not in self._known.answered:
            self._receive(client)

    def _place(self, client: Client, cl_ord_id: str) -> None:
        self._record("intention", id=cl_ord_id, run=0)
        order = NewOrderSingle(
            cl_ord_id=cl_ord_id,
            symbol=MARKET,
            side=Side.BUY,
            ord_type=OrdType.LIMIT,
            price=Decimal("0.01"),
            order_qty=1,
        )
        try:
            seq = client.send(order, timeout=TIMEOUT)
        except NotConnectedError:
            self._record("never sent", id=cl_ord_id)
        else:
            self._record("sent", id=cl_ord_id, seq=seq)

    def _receive(self, client: Client) -> None:
        with contextlib.suppress(ClientTimeoutError):
            while True:
                self._record(**entry_of(client.receive(PAUSE)))

    def _record(self, kind: str, **values: object) -> None:
        self._known.record(self._journal.write(kind, **values))


def main(settings: Path, name: str) -> None:
    values = json.loads(settings.read_text())
    trader = Trader(name, settings.with_name(f"journal-{name}"))
    signal.signal(signal.SIGTERM, lambda *_: setattr(trader, "stopping", True))
    client = order_entry(
        retransmission=True,
        store=values["stores"][name],
        account="desk",
        key_id=values["key_id"],
        private_key=values["private_key"],
        host="127.0.0.1",
        port=values["ports"][name],
        tls=Tls(ca_data=values["ca"]),
        heart_bt_int=values["heart_bt_int"],
        reconnect=FAST_RECONNECT,
    )
    with client.standby(every=0.1, on_wait=lambda why: os.write(1, f"standby: {why}\n".encode())):
        os.write(1, b"primary\n")
        trader.trade(client)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
