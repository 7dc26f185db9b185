"""Quote both sides of a market until Ctrl-C; resting orders are cancelled at the end, and on a disconnect.

    python market_maker_blocking.py SYMBOL KEY_ID PRIVATE_KEY_PATH

KEY_ID and PRIVATE_KEY_PATH specify a second API key, for market data, because Kalshi allows only one
connection per key. The key for orders is read from the environment. Two threads, one for each client,
share the quoter.
"""

from contextlib import suppress
from sys import argv
from threading import Lock, Thread

from quoting import Quoter

from kalshi_fix_adapters.blocking import Client, market_data, order_entry
from kalshi_fix_adapters.errors import NotConnectedError
from kalshi_fix_sansio import LogonFields, MarketDataRequest
from kalshi_fix_sansio.trading import RateBudget

symbol, key_id, private_key_path = argv[1:]
request = MarketDataRequest.subscribe(symbol)
quoter, lock = Quoter(symbol), Lock()


def requote(orders: Client) -> None:
    """Send the requests that bring the quotes up to date."""
    for message in quoter.requests() if orders.is_logged_on else []:
        print(message, flush=True)
        with suppress(NotConnectedError):  # quoting restarts after the next logon
            orders.send(message)


def follow_orders(orders: Client) -> None:
    """Apply the events of the order session."""
    for event in orders.events():
        with lock:
            quoter.apply(event)
            requote(orders)


with (
    suppress(KeyboardInterrupt),
    order_entry(
        logon_fields=LogonFields(cancel_orders_on_disconnect=True), budget=RateBudget("Basic")
    ) as orders,
    market_data(key_id=key_id, private_key_path=private_key_path) as prices,
):
    Thread(target=follow_orders, args=(orders,), daemon=True).start()
    quoter.books.apply(request)
    prices.send(request)
    for event in prices.events():
        with lock:
            if any(update.best_changed or update.state_changed for update in quoter.books.apply(event)):
                requote(orders)
