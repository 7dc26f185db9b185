"""`python -m tests.trading.soak --events 1000000`: run the soak test and print its result."""

from __future__ import annotations

import argparse
import sys
import time

import attrs

from tests.trading.soak import __doc__ as about
from tests.trading.soak.play import Tally, play

MINUTE = 60.0


class Progress:
    """Prints a line every minute, and each kind of difference when it is first found."""

    def __init__(self) -> None:
        self.began = self.last = time.monotonic()
        self.shown: set[str] = set()

    def __call__(self, tally: Tally) -> None:
        for kind in tally.first_differences.keys() - self.shown:
            self.shown.add(kind)
            print(f"{kind}: {tally.first_differences[kind]}", flush=True)
        if time.monotonic() - self.last >= MINUTE:
            self.last = time.monotonic()
            print(self.line(tally), flush=True)

    def line(self, tally: Tally) -> str:
        rate = tally.events / (time.monotonic() - self.began)
        return (
            f"{tally.events} events, {rate:.0f} events/s, {tally.compared / tally.events:.1%} compared, "
            f"{tally.differences.total()} differences"
        )


def main() -> int:
    """Run the soak test, print its result, and return 1 if there was a difference."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--max-differences", type=int, default=100)
    options = parser.parse_args()
    progress = Progress()
    tally = play(options.events, options.seed, max_differences=options.max_differences, report=progress)
    progress(tally)
    for kind, times in tally.differences.items():
        print(f"{times} x {kind}")
    counts = {name: value for name, value in attrs.asdict(tally).items() if isinstance(value, int)}
    print(f"seed {options.seed}:", ", ".join(f"{value} {name}" for name, value in counts.items()))
    if tally.sizes:
        half = len(tally.sizes) // 2
        first, second = max(tally.sizes[:half], default=0), max(tally.sizes[half:])
        print(f"maximum bytes kept: {first} in the first half, {second} in the second half")
    print(progress.line(tally))
    return 1 if tally.differences else 0


if __name__ == "__main__":
    sys.exit(main())
