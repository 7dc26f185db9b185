"""The command: search, replay what was found, make the seeds, count costs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fuzz import campaign
from fuzz.targets import TARGETS

QUIET = "no atheris here (there are wheels for Linux on x86-64): hypothesis searches, without guidance"


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; return 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    search = commands.add_parser("search", help="look for inputs that break an invariant")
    search.add_argument("--target", action="append", choices=list(TARGETS), help="all of them by default")
    search.add_argument("--engine", choices=["atheris", "hypothesis"])
    search.add_argument("--seconds", type=float, default=60.0, help="in all, shared by the targets")
    search.add_argument(
        "--until-quiet", type=float, metavar="MINUTES", help="go on until no new edge came for so long"
    )
    search.add_argument("--at-least", type=int, default=0, help="executions before that, on each target")
    search.add_argument("--report", type=Path, metavar="FILE", help="write a table of what each did")
    search.add_argument("--jobs", type=int, default=2, help="targets at a time")
    replay = commands.add_parser("replay", help="run inputs again, and show what they break")
    replay.add_argument("target", choices=list(TARGETS))
    replay.add_argument("file", nargs="+", type=Path)
    commands.add_parser("seed", help="write the inputs to begin from")
    cost = commands.add_parser("cost", help="measure what hostile constructions cost at n, 2n and 4n bytes")
    cost.add_argument("group", nargs="*", help="decoding, streams, documents; all of them by default")
    memory = commands.add_parser("memory", help="measure what sessions keep of the largest messages")
    memory.add_argument(
        "--sample", action="store_true", help="some of the cases, with just enough messages to tell"
    )
    memory.add_argument("--messages", type=int)
    commands.add_parser("targets", help="list the invariants")
    options = parser.parse_args(arguments)
    if options.command == "search":
        return _search(options)
    if options.command == "replay":
        check = TARGETS[options.target].load()
        for file in options.file:
            check(file.read_bytes())
        return 0
    if options.command == "cost":
        from fuzz import cost as costs

        return 1 if costs.check(options.group) else 0
    if options.command == "memory":
        from fuzz import memory as memories

        messages, cases = memories.MESSAGES, memories.CASES
        if options.sample:
            messages, cases = memories.FEW, memories.SAMPLE
        return 1 if memories.check(options.messages or messages, cases) else 0
    if options.command == "seed":
        from fuzz import seed

        seed.write()
        return 0
    for target in TARGETS.values():
        print(f"{target.name}: {' '.join((target.load().__doc__ or '').split())}")
    return 0


def _search(options: argparse.Namespace) -> int:
    engine = options.engine or ("atheris" if campaign.has_atheris() else "hypothesis")
    if engine == "atheris" and not campaign.has_atheris():
        print("atheris is not installed: python -m pip install atheris", file=sys.stderr)
        return 2
    if engine != options.engine and engine == "hypothesis":
        print(QUIET)
    targets = [TARGETS[name] for name in options.target or TARGETS]
    quiet, seconds = options.until_quiet, options.seconds
    if quiet is not None:
        quiet, seconds = quiet * 60, max(seconds, 24 * 3600)
    broken = campaign.search(targets, engine, seconds, quiet, options.at_least, options.jobs, options.report)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
