"""The clients of the round trips (case f) and of the ticks (case t), each in a separate process.

    python -m benchmarks.clients ENGINE PORT KEY [--authority FILE]
    python -m benchmarks.clients ENGINE PORT KEY --ticks [--authority FILE] [--store FOLDER --sync SYNC]

Over TLS if there is an authority. Without `--ticks` it prints JSON: `seconds` of each round trip, from an
order's values to the report in hand; `each`, the seconds of an order while 100 are in flight. With it, the
client answers each update of the book with an order until it is stopped.
"""
