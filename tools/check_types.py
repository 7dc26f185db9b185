"""Ask pyright whether every public symbol of our packages has a type that all type checkers agree on.

Run by `make types`. Ends with status 1 and a line per symbol whose type is missing, unknown in part, or one
that another type checker could infer differently. Needs no network.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PACKAGES = ("kalshi_fix_sansio", "kalshi_fix_adapters", "kalshi_fix_pytest")
ROOT = Path(__file__).resolve().parent.parent


def completeness(package: str) -> dict[str, Any]:
    """Return what pyright reports of an installed package, as it sees it from outside."""
    command = [
        sys.executable,
        "-m",
        "basedpyright",
        "--verifytypes",
        package,
        "--ignoreexternal",
        "--outputjson",
    ]
    # By PATH it finds the packages of this environment.
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    env = os.environ | {"PATH": path, "VIRTUAL_ENV": sys.prefix}
    with tempfile.TemporaryDirectory() as elsewhere:
        run = subprocess.run(command, cwd=elsewhere, env=env, capture_output=True, text=True, check=False)
    try:
        report: dict[str, Any] = json.loads(run.stdout)["typeCompleteness"]
    except (ValueError, KeyError):
        sys.exit(f"basedpyright could not judge {package}: {run.stdout}{run.stderr}")
    if not report["exportedSymbolCounts"]["withKnownType"]:
        sys.exit(f"basedpyright found no public symbol in {package}")
    return report


def faults(report: dict[str, Any]) -> list[str]:
    """Return a line for each public symbol whose type is not wholly known."""
    found = []
    for symbol in report["symbols"]:
        if symbol["isExported"] and (not symbol["isTypeKnown"] or symbol["isTypeAmbiguous"]):
            reasons = [_reason(each) for each in symbol["diagnostics"]] or [
                "a type that it is made of is not known"
            ]
            found += [f"{symbol['name']}: {reason}" for reason in reasons]
    return found


def _reason(diagnostic: dict[str, Any]) -> str:
    text = " ".join(diagnostic["message"].split())
    if "range" not in diagnostic:
        return text
    path = Path(diagnostic["file"])
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    return f"{text} ({shown}:{diagnostic['range']['start']['line'] + 1})"


def main() -> int:
    """Judge each package; return the status to end with."""
    failed = False
    for package in PACKAGES:
        report = completeness(package)
        found = faults(report)
        score, counts = report["completenessScore"], report["exportedSymbolCounts"]
        print(f"{package}: {score:.2%} of {sum(counts.values())} public symbols have a known type")
        if found or score < 1:
            failed = True
            print(*found, sep="\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
