"""`kalshi-fix dictionary`: copies the packaged dictionaries into a folder."""

from __future__ import annotations

from pathlib import Path

from codegen.export import shipped
from codegen.read.resolve import load_dialect
from tests.adapters.cli.runner import invoke

REPOSITORY = Path(__file__).resolve().parents[3]


def test_the_dictionaries_and_the_orchestra_repository_are_written_unchanged(tmp_path: Path) -> None:
    expected = shipped.render(load_dialect(REPOSITORY / "spec" / "kalshi"))
    for product in ("prediction", "margin"):
        result = invoke("dictionary", product, "--out", tmp_path / product)
        assert [Path(line).name for line in result.output.split()] == ["FIX50SP2.xml", "FIXT11.xml"]
    invoke("dictionary", "orchestra", "--out", tmp_path)
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.xml")}
    del expected[shipped.VALIDATED_FILE]
    assert written == set(expected)
    assert all((tmp_path / name).read_text(encoding="utf-8") == text for name, text in expected.items())
