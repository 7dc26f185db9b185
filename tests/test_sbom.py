"""The bills of materials, as `tools/sbom.py` writes them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools import sbom

PROJECT = """[project]
name = "one"
version = "1.2"
license = "MIT"
dependencies = ["Zope.Interface>=5", "attrs>=24"]
[project.optional-dependencies]
fast = ["uvloop ; sys_platform != 'win32'", "attrs>=25"]
all = ["one[fast]"]
"""


def test_the_bill_of_materials_lists_the_packages_that_pip_installs(tmp_path: Path) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text(PROJECT, "utf-8")
    document = json.loads(sbom.sbom(file))
    assert document["metadata"]["component"]["purl"] == "pkg:pypi/one@1.2"
    assert {item["purl"]: item["scope"] for item in document["components"]} == {
        "pkg:pypi/attrs": "required",
        "pkg:pypi/uvloop": "optional",
        "pkg:pypi/zope-interface": "required",
    }
    assert document["dependencies"][0]["dependsOn"] == ["pkg:pypi/zope-interface", "pkg:pypi/attrs"]


def test_a_stale_file_fails_the_check_and_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT, "utf-8")
    monkeypatch.setattr(sbom, "ROOT", tmp_path)
    monkeypatch.setattr(sbom, "FILES", (tmp_path / "sbom.cdx.json",))
    for arguments, status in (["--check"], 1), ([], 0), (["--check"], 0):
        monkeypatch.setattr("sys.argv", ["sbom.py", *arguments])
        assert sbom.main() == status
    assert capsys.readouterr().err == "sbom.cdx.json is out of date: run `make generate`\n"
