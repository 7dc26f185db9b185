"""The clients of the round trips (case f) and of the ticks (case t), each in a separate process.

    python -m benchmarks.clients ENGINE PORT KEY [--authority FILE]
    python -m benchmarks.clients ENGINE PORT KEY --ticks [--authority FILE] [--store FOLDER --sync SYNC]

With `--authority`, the client uses TLS and trusts the certificate in FILE. With `--ticks`, it answers each
update of the book with an order until its process is stopped. Without `--ticks`, it prints JSON: `seconds`
contains the duration of each round trip, from the creation of the order to the decoded report, and
`seconds_per_pipelined_order` the time per order while 100 orders are in flight.
"""
