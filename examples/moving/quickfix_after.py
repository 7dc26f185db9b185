"""The order gateway of quickfix_before.py, ported to this library. It continues from the sequence
numbers in the FileStore.

python quickfix_after.py SETTINGS

Each input line is an order: ClOrdID, symbol, 1 (buy) or 2 (sell), contracts, price in dollars.
"""

import logging
import sys
import tomllib
from pathlib import Path
from threading import Thread

from kalshi_fix_adapters.blocking import Client, order_entry, post_trade
from kalshi_fix_adapters.events import Disconnected
from kalshi_fix_sansio import ExecutionReport, MarketSettlementReport, NewOrderSingle, TimeInForce
from kalshi_fix_sansio.events import LoggedOn, MessageReceived, MessagesLost, OutcomesUnknown

log = logging.getLogger("gateway")


def on_create(name: str, client: Client, file_store: Path, key_id: str) -> None:
    """Carry over the sequence numbers from the FileStore once, because the client's own store begins at 1."""
    [*files] = file_store.glob(f"FIXT.1.1-{key_id}-{name}.seqnums")
    if files and client.numbers.next_outgoing == 1:
        outgoing, incoming = map(int, files[0].read_text().split(":"))
        # The returned MessagesLost is ignored: the old program has handled the earlier messages.
        client.set_numbers(next_outgoing=outgoing, next_incoming=incoming)
    log.info("created %s %d", name, client.numbers.next_outgoing)


def follow(name: str, client: Client) -> None:
    """Handle the events of a session, in a separate thread."""
    for event in client.events():
        match event:
            case LoggedOn():
                log.info("logged on %s", name)
            case Disconnected():
                log.info("logged out %s", name)
            case MessageReceived(message=ExecutionReport() as report):
                write(client, report.exec_id, report.cl_ord_id, report.exec_type)
            case MessageReceived(message=MarketSettlementReport() as report):
                write(client, report.symbol, report.market_result)
            case OutcomesUnknown() | MessagesLost():
                log.warning("to be reconciled via drop copy or REST: %s", event)


def write(client: Client, key: str | None, *values: object) -> None:
    """Write a row, in the commit that confirms the report."""
    if key not in client.rows:  # it may be a resend
        client.rows[str(key)] = [str(value) for value in values]
        log.info("report %s %s", key, " ".join(map(str, values)))


logging.basicConfig(format="%(message)s", stream=sys.stdout)
log.setLevel(logging.INFO)
settings = tomllib.loads(Path(sys.argv[1]).read_text())
orders = order_entry(retransmission=True, store=settings["store"], **settings["orders"])
settlements = post_trade(store=settings["store"], **settings["settlements"])
sessions = {"KalshiRT": (orders, "orders"), "KalshiPT": (settlements, "settlements")}
for name, (client, section) in sessions.items():
    on_create(name, client, Path(settings["take_over"]), settings[section]["key_id"])
with orders, settlements:
    threads = [Thread(target=follow, args=(name, client)) for name, (client, _) in sessions.items()]
    for thread in threads:
        thread.start()
    for line in sys.stdin:
        cl_ord_id, symbol, side, quantity, price = line.split()
        order = NewOrderSingle(
            cl_ord_id=cl_ord_id,
            symbol=symbol,
            side=side,
            order_qty=quantity,
            price=price,
            time_in_force=TimeInForce.GOOD_TILL_CANCEL,
        )
        orders.send(order)
    for client, _ in sessions.values():
        client.logout()
    for thread in threads:
        thread.join()
