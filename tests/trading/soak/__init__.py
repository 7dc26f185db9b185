"""The state of two traders, compared with the ledger of the simulated venue over many events.

Connections break with reports and requests in transit, processes crash and continue from their journals, and
reports are withheld. Drop copy is used on KalshiDC and on KalshiNR, and is refused at times. Markets end
before their fills are known, order groups trigger, and some amends keep the order's ClOrdID. One of the
traders is a direct member; the other one receives pending reports, and its orders are cancelled when it
disconnects. Whenever a trader has neither uncertain items nor unread messages after an event, all orders,
positions, balances and order groups in its machines agree with the ledger. After every other event, each
difference is among the reported uncertain items. The fee of each fill is as expected.

`python -m tests.trading.soak --events 1000000` runs longer than the tests.
"""
