"""Check the types of all public symbols, of the documentation's Python and of the examples with pyright.

Run by `make types`. Exits with status 1 and a line per public symbol whose type is missing, partly unknown,
or could be inferred differently by another type checker, and a line per error in a page or an example. Needs
no network.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PACKAGES = ("kalshi_fix_sansio", "kalshi_fix_adapters", "kalshi_fix_venue")
ROOT = Path(__file__).resolve().parent.parent


def completeness(package: str) -> dict[str, Any]:
    """Return pyright's report on the public symbols of an installed package."""
    command = [
        sys.executable,
        "-m",
        "basedpyright",
        "--verifytypes",
        package,
        "--ignoreexternal",
        "--outputjson",
    ]
    # pyright finds the packages of this environment by PATH.
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
    """Return a line for each public symbol whose type is not completely known."""
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


# The documentation

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
EXAMPLES = ROOT / "examples"
GENERATED_BY_READER = 'Import "acme_fix" could not be resolved'  # made by the commands of the same page
_BLOCK = re.compile(r"^( *)```python[^\n]*\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
_TAB = re.compile(r"^=== \"(.*)\"$", re.MULTILINE)


def python_of(page: str) -> dict[str, str]:
    """Return the Python of a page by tab label; each part includes the blocks outside of all tabs.

    Line numbers are preserved. A page without tabs has a single part with an empty label.
    """
    tabs = [(tab.start(), tab[1]) for tab in _TAB.finditer(page)]
    blocks: list[tuple[str | None, int, list[str]]] = []
    for block in _BLOCK.finditer(page):
        label = next((name for start, name in reversed(tabs) if start < block.start()), None)
        lines = [line.removeprefix(block[1]) for line in block[2].splitlines()]
        blocks.append((label if block[1] else None, page.count("\n", 0, block.start()) + 1, lines))
    parts = {}
    for label in dict.fromkeys(each for each, _, _ in blocks if each is not None) or ("",):
        lines = [""] * page.count("\n")
        for of, begin, code in blocks:
            if of in (None, label):
                lines[begin : begin + len(code)] = code
        parts[label] = "\n".join(lines)
    return parts if blocks else {}


def errors_in_documentation() -> list[str]:
    """Return a line for each error that pyright finds in the pages and the examples."""
    with tempfile.TemporaryDirectory() as folder:
        shown: dict[str, str] = {}
        for number, page in enumerate(PAGES):
            for tab, code in enumerate(python_of(page.read_text("utf-8")).values()):
                file = Path(folder) / f"page_{number}_{tab}.py"
                file.write_text(code, encoding="utf-8")
                shown[str(file.resolve())] = str(page.relative_to(ROOT))
        settings = {
            "typeCheckingMode": "standard",
            "include": [folder, *(str(file) for file in EXAMPLES.glob("*.py"))],
            "extraPaths": [str(EXAMPLES)],
        }
        project = Path(folder) / "pyrightconfig.json"
        project.write_text(json.dumps(settings), encoding="utf-8")
        command = [sys.executable, "-m", "basedpyright", "--project", str(project), "--outputjson"]
        command += ["--pythonpath", sys.executable]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        try:
            report = json.loads(run.stdout)
            if report["summary"]["filesAnalyzed"] < len(shown):
                raise KeyError
        except (ValueError, KeyError):
            sys.exit(f"basedpyright could not judge the documentation: {run.stdout}{run.stderr}")
        found = []
        for each in report["generalDiagnostics"]:
            if each["severity"] == "error" and each["message"] != GENERATED_BY_READER:
                path = Path(each["file"]).resolve()
                place = shown.get(str(path)) or str(path.relative_to(ROOT))
                text = " ".join(each["message"].split())
                found.append(f"{place}:{each['range']['start']['line'] + 1}: {text}")
        return found


def main() -> int:
    """Check each package and the documentation; return the exit status."""
    failed = False
    for package in PACKAGES:
        report = completeness(package)
        found = faults(report)
        score, counts = report["completenessScore"], report["exportedSymbolCounts"]
        print(f"{package}: {score:.2%} of {sum(counts.values())} public symbols have a known type")
        if found or score < 1:
            failed = True
            print(*found, sep="\n")
    errors = errors_in_documentation()
    print(f"documentation and examples: {len(errors)} errors")
    print(*errors, sep="\n")
    return int(failed or bool(errors))


if __name__ == "__main__":
    sys.exit(main())
