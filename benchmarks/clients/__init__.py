"""The clients of the round trips (case f) and of the ticks (case t), each in a separate process.

    python -m benchmarks.clients ENGINE PORT KEY [--authority FILE]
    python -m benchmarks.clients ENGINE PORT KEY --ticks [--authority FILE] [--store FOLDER --sync SYNC]

TLS is used if there is an authority. Without `--ticks`, the client prints JSON: `seconds`, the duration of
each round trip from an order's values to the received report; and `each`, the seconds per order while 100 are
in flight. With `--ticks`, the client answers each update to the book with an order until it is stopped.
"""
