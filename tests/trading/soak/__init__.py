"""What two traders keep, compared with the ledger of the simulated venue over a million events.

Connections break with reports and requests on their way, processes die and continue from their journals,
reports are withheld, drop copy is used on KalshiDC and on KalshiNR and is refused at times, markets end
before their fills are known, order groups trigger, and amends keep their ClOrdID. At every event after which
nothing is uncertain or on its way to a trader, all that the machines keep of orders, positions, money and
order groups equals the ledger; at every other one, whatever differs is among the doubts.

`python -m tests.trading.soak --events 1000000` runs for longer than the tests do.
"""
