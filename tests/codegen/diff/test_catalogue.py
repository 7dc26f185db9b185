"""The catalogue of findings: a test expects every row."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from codegen.diff import findings

FOLDER = Path(findings.__file__).parent


def test_every_finding_of_the_catalogue_is_expected_by_a_test() -> None:
    """A finding is matched by its whole name, or by the part after its subject."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in FOLDER.rglob("*.py"))
    quoted = {*re.findall(r'"([\w ]+)"', code), *(f"{word} when" for word in ("required", "optional"))}
    catalogue = yaml.safe_load((FOLDER / "findings.yaml").read_text(encoding="utf-8"))
    rows = [(about, name) for about, subject in catalogue.items() for name in subject["findings"]]
    assert len(rows) > 80
    assert [row for row in rows if not {row[1], " ".join(row)} & quoted] == []
