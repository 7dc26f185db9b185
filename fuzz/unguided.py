"""Run one target with hypothesis, in a separate process.

    python -m fuzz.unguided TARGET LIBFUZZER-ARGUMENTS

Arguments that apply only to libFuzzer are ignored.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from fuzz.targets import TARGETS, Target

_EXAMPLES_PER_ROUND = 200
_PHASES = (Phase.generate, Phase.shrink)


def inputs(target: Target) -> st.SearchStrategy[bytes]:
    """Return a strategy for arbitrary bytes, and for seeds with some bytes replaced."""
    arbitrary = st.binary(max_size=target.max_len)
    seeds = list(target.seeds.values())
    spliced = st.builds(
        lambda data, at, inserted, removed: (
            data[: at % (len(data) + 1)] + inserted + data[at % (len(data) + 1) + removed :]
        ),
        st.sampled_from(seeds),
        st.integers(0, target.max_len),
        st.binary(max_size=8),
        st.integers(0, 8),
    )
    return arbitrary | spliced


def explore(check: Callable[[bytes], None], target: Target, seconds: float, prefix: str) -> int:
    """Search for a failure for `seconds` seconds; return the number of executions.

    On a failure, write the smallest failing input to a file whose path begins with `prefix`.
    """
    count, failing_input = 0, b""
    end = time.monotonic() + seconds

    def run(data: bytes) -> None:
        nonlocal count, failing_input
        count += 1
        try:
            check(data)
        except BaseException:
            failing_input = data
            raise

    relaxed = settings(
        max_examples=_EXAMPLES_PER_ROUND,
        database=None,
        deadline=None,
        phases=_PHASES,
        suppress_health_check=list(HealthCheck),
    )
    round_number = 0
    try:
        for data in target.seeds.values():
            run(data)
        while time.monotonic() < end:
            seed(round_number)(relaxed(given(inputs(target))(run)))()
            round_number += 1
            print(f"#{count}", file=sys.stderr, flush=True)
    except BaseException:
        Path(f"{prefix}crash-{hashlib.sha256(failing_input).hexdigest()[:16]}").write_bytes(failing_input)
        raise
    finally:
        print(f"stat::number_of_executed_units: {count}", file=sys.stderr, flush=True)
    return count


def main() -> None:
    """Parse the arguments and search for a failure."""
    options = dict(item[1:].split("=", 1) for item in sys.argv[2:] if item.startswith("-"))
    target = TARGETS[sys.argv[1]]
    explore(target.load(), target, float(options["max_total_time"]), options["artifact_prefix"])


if __name__ == "__main__":
    main()
