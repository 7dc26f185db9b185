"""Search for inputs that violate an invariant, replay them, write the seed corpus, and measure costs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fuzz import campaign
from fuzz.targets import TARGETS

NO_ATHERIS = (
    "atheris is not installed (it has wheels only for Linux on x86-64); "
    "hypothesis searches without coverage guidance"
)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status: 1 if a search finds a violation or a measurement
    exceeds its limit, 2 if atheris was requested but is not installed. A violation in a replay is raised.
    """
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    search = commands.add_parser("search", help="search for inputs that violate an invariant")
    search.add_argument(
        "--target", action="append", choices=list(TARGETS), help="target to search; all by default"
    )
    search.add_argument("--engine", choices=list(campaign.ENGINES))
    search.add_argument("--seconds", type=float, default=60.0, help="total duration, shared by the targets")
    search.add_argument(
        "--until-quiet",
        type=float,
        metavar="MINUTES",
        help="search each target until no new edge (transition in the code) has been reached for this long",
    )
    search.add_argument(
        "--at-least",
        type=int,
        default=0,
        help="minimum number of executions of a target before --until-quiet stops it",
    )
    search.add_argument("--report", type=Path, metavar="FILE", help="write a table of the runs")
    replay = commands.add_parser("replay", help="run inputs again, and show the violation")
    replay.add_argument("target", choices=list(TARGETS))
    replay.add_argument("file", nargs="+", type=Path)
    commands.add_parser("seed", help="write the seed corpus")
    commands.add_parser("cost", help="measure the CPU time for hostile inputs of n, 2n and 4n bytes")
    memory = commands.add_parser(
        "memory", help="measure the memory that sessions keep for the largest messages"
    )
    memory.add_argument(
        "--sample",
        action="store_true",
        help="measure only some cases, with just enough messages to exceed the budget if all were kept",
    )
    commands.add_parser("targets", help="list the targets with their invariants")
    options = parser.parse_args(arguments)
    if options.command == "search":
        return _search(options)
    if options.command == "replay":
        check = TARGETS[options.target].load()
        for file in options.file:
            check(file.read_bytes())
    elif options.command == "cost":
        from fuzz import cost

        return 1 if cost.check() else 0
    elif options.command == "memory":
        from fuzz import memory as memory_check

        return 1 if memory_check.check(sample=options.sample) else 0
    elif options.command == "seed":
        from fuzz import seed

        seed.write()
    else:
        for target in TARGETS.values():
            print(f"{target.name}: {' '.join((target.load().__doc__ or '').split())}")
    return 0


def _search(options: argparse.Namespace) -> int:
    engine = options.engine or ("atheris" if campaign.has_atheris() else "hypothesis")
    if engine == "atheris" and not campaign.has_atheris():
        print("atheris is not installed: python -m pip install atheris", file=sys.stderr)
        return 2
    if engine != options.engine and engine == "hypothesis":
        print(NO_ATHERIS)
    targets = [TARGETS[name] for name in options.target or TARGETS]
    until_quiet = options.until_quiet and options.until_quiet * 60
    has_violation = campaign.search(
        targets, engine, options.seconds, until_quiet, options.at_least, options.report
    )
    return 1 if has_violation else 0


if __name__ == "__main__":
    sys.exit(main())
