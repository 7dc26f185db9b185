"""Run one client."""

from __future__ import annotations

import argparse
import json
import sys

import benchmarks.clients
from benchmarks.clients import bare, ours, peers


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.clients", description=benchmarks.clients.__doc__
    )
    parser.add_argument("engine")
    parser.add_argument("port", type=int)
    parser.add_argument("key")
    parser.add_argument("--authority")
    parser.add_argument("--ticks", action="store_true")
    parser.add_argument("--store")
    parser.add_argument("--sync", default="full")
    arguments = parser.parse_args()
    if arguments.ticks:
        react = {**ours.TICKS, **peers.TICKS}[arguments.engine]
        react(arguments.port, arguments.key, arguments.authority, arguments.store, arguments.sync)
        return
    engines = {**ours.ENGINES, **bare.ENGINES, **peers.ENGINES}
    run = engines[arguments.engine]
    json.dump(run(arguments.port, arguments.key, arguments.authority), sys.stdout)


if __name__ == "__main__":
    main()
