"""The venue's limits that do not apply to single field values become constants."""

from __future__ import annotations

import importlib
from decimal import Decimal
from pathlib import Path

import pytest

from tests.codegen.harbour_spec import SpecCopy, generate_and_import
from tests.codegen.spec_folder import mistakes_of

LIMITS = """source: rules
limits:
  ebb: {value: 6, unit: hours, since: 2021-05, doc: "How long it ebbs"}
  depth: {values: {inner: 4, outer: 7.50}, unit: metres, why: "Sounded.", doc: "How deep it is, by basin."}
  flags: {words: [red, "black::ball"], unit: flags, doc: "What is flown"}
"""


def test_limits_are_constants_of_type_int_or_decimal(
    copy: SpecCopy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (copy.spec / "limits.yaml").write_text(LIMITS, encoding="utf-8")
    harbour = generate_and_import(copy.spec, tmp_path / "made", monkeypatch)
    limits = importlib.import_module(f"{harbour.__name__}.limits")
    assert (limits.EBB, type(limits.EBB)) == (6, int)
    assert {"inner": Decimal(4), "outer": Decimal("7.50")} == limits.DEPTH
    assert limits.FLAGS == ("red", "black::ball")
    with pytest.raises(TypeError):
        limits.DEPTH["inner"] = 5
    written = Path(str(limits.__file__)).read_text("utf-8")
    assert "How long it ebbs. In hours. Since 2021-05." in written


@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        ("value: 6", "value: six", "3: `limits.ebb.value` is `six`"),
        ("value: 6", "value: -6", "3: `limits.ebb.value` is `-6`"),
        ("value: 6", "value: 6, values: {a: 1}", "3: `limits.ebb`"),
        ('words: [red, "black::ball"]', "words: []", "5: `limits.flags.words`"),
        ("words: [red, ", "value: 5, words: [red, ", "5: `limits.flags`"),
        ("values: {inner: 4, outer: 7.50}", "values: {}", "4: `limits.depth.values`"),
        ("unit: hours, ", "", "3: `limits.ebb` has no `unit`"),
        ("ebb:", "Ebb Tide:", "2: `limits` is `Ebb Tide`"),
        ("source: rules", "source: rumour", "1: source `rumour` is not defined"),
    ],
)
def test_mistakes_are_reported(copy: SpecCopy, old: str, new: str, mistake: str) -> None:
    (copy.spec / "limits.yaml").write_text(LIMITS.replace(old, new), encoding="utf-8")
    assert any(f"limits.yaml:{mistake}" in str(item) for item in mistakes_of(copy.spec))
