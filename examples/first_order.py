"""Log on, place one order and print the reports; the argument is the symbol of the market."""

from sys import argv
from uuid import uuid4

from kalshi_fix_adapters.blocking import order_entry
from kalshi_fix_sansio import NewOrderSingle, Side

order = NewOrderSingle(cl_ord_id=str(uuid4()), symbol=argv[1], side=Side.BUY, price="0.01", order_qty=1)
with order_entry() as client:
    client.send(order)
    print(*client.messages(timeout=2), sep="\n")
