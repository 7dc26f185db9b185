"""The state of two traders, compared with the ledger of the simulated venue over a million events.

Connections break with reports and requests in transit, processes crash and continue from their journals,
reports are withheld, drop copy is used on KalshiDC and on KalshiNR and is refused at times, markets end
before their fills are known, order groups trigger, and amends keep their ClOrdID. After every event that
leaves a trader without uncertainty and unread messages, all orders, positions, balances and order groups in
its machines equal the ledger. After every other event, each difference is among the reported uncertain items.

`python -m tests.trading.soak --events 1000000` runs longer than the tests.
"""
