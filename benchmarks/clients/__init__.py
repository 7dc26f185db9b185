"""The clients of the round trips, each in a process of its own.

    python -m benchmarks.clients ENGINE PORT KEY [--authority FILE] [--stages]

Over TLS if there is an authority. Prints JSON: `seconds`, what each round trip took from an order's values to
the report in hand; `each`, what an order took while 100 were on their way; with `--stages` what a trip is
made of.
"""
