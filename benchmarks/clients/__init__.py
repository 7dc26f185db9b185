"""The clients of the round trips, each in a process of its own.

    python -m benchmarks.clients ENGINE PORT KEY [--authority FILE]

Over TLS if there is an authority. Prints JSON: `seconds` of each round trip, from an order's values to the
report in hand; `each`, the seconds of an order while 100 are on their way.
"""
