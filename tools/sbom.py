"""Write the software bill of materials of both distributions (CycloneDX), which their wheels contain.

`sbom.py` writes the files; `sbom.py --check` exits with status 1 if one is out of date. Neither wheel
contains third-party code: the listed components are the dependencies that pip installs with the wheel. The
files contain neither a time nor a random number, to keep builds reproducible.
"""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
FILES = (ROOT / "sbom.cdx.json", ROOT / "venue" / "sbom.cdx.json")


def component(name: str, kind: str = "library", **facts: Any) -> dict[str, Any]:
    """Return the entry for a PyPI package."""
    url = f"pkg:pypi/{canonicalize_name(name)}"
    version = facts.get("version")
    purl = f"{url}@{version}" if version else url
    return {"type": kind, "bom-ref": purl, "name": name, **facts, "purl": purl}


def dependencies(project: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the packages that pip installs with the wheel; packages that only extras need are optional."""
    extras = [text for extra in project.get("optional-dependencies", {}).values() for text in extra]
    scopes = {Requirement(text).name: "optional" for text in extras}
    scopes |= {Requirement(text).name: "required" for text in project["dependencies"]}
    return [component(name, scope=scopes[name]) for name in sorted(scopes) if name != project["name"]]


def sbom(pyproject: Path) -> str:
    """Return the bill of materials of the distribution with this pyproject.toml."""
    project = tomllib.loads(pyproject.read_text("utf-8"))["project"]
    itself = component(
        project["name"], version=project["version"], licenses=[{"license": {"id": project["license"]}}]
    )
    parts = dependencies(project)
    required = [each["bom-ref"] for each in parts if each["scope"] == "required"]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": itself},
        "components": parts,
        "dependencies": [{"ref": itself["bom-ref"], "dependsOn": required}],
    }
    return json.dumps(document, indent=2) + "\n"


def main() -> int:
    """Write the files, or check that they are up to date."""
    stale = [
        (path, text)
        for path in FILES
        if (text := sbom(path.with_name("pyproject.toml")))
        != (path.read_text("utf-8") if path.exists() else "")
    ]
    if "--check" in sys.argv[1:]:
        for path, _ in stale:
            print(f"{path.relative_to(ROOT)} is out of date: run `make generate`", file=sys.stderr)
        return 1 if stale else 0
    for path, text in stale:
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
