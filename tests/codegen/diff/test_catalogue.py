"""The catalogue of findings: the code uses every row."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from codegen.diff import findings

FOLDER = Path(findings.__file__).parent


def test_every_finding_in_the_catalogue_is_used_by_the_code() -> None:
    """The code quotes the whole name of a finding, or the part after its subject."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in FOLDER.rglob("*.py"))
    quoted = {*re.findall(r'"([\w ]+)"', code), *(f"{word} when" for word in ("required", "optional"))}
    catalogue = yaml.safe_load((FOLDER / "findings.yaml").read_text(encoding="utf-8"))
    rows = [
        (subject_name, finding_name)
        for subject_name, subject in catalogue.items()
        for finding_name in subject["findings"]
    ]
    assert len(rows) > 80
    assert [row for row in rows if not {row[1], " ".join(row)} & quoted] == []
