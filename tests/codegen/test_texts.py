"""Known values of Text: what they are tied to, and mistakes in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from codegen.errors import SpecError
from codegen.model import Change
from codegen.resolve import load_dialect
from tests.codegen.spec_folder import line_of, write

TEXTS = """\
source: manual
texts:
  NewOrder:
    TOO_LOW: {means: {Level: Low}, since: 1.1.0, doc: "Below the floor."}
    NO_WAY:  {doc: "Just no."}
"""


def test_a_text_and_the_code_that_says_the_same(tmp_path: Path) -> None:
    low, no_way = load_dialect(write(tmp_path, texts=TEXTS)).texts
    assert (low.message.name, low.value, low.doc) == ("NewOrder", "TOO_LOW", "Below the floor.")
    assert low.field is not None
    assert low.code is not None
    assert (low.field.name, low.code.name, low.code.value) == ("Level", "Low", "1")
    assert low.pedigree.changes == (Change("added", "1.1.0", "2026-05-18"),)
    assert (low.source, low.location.line) == ("manual", line_of(TEXTS, "TOO_LOW"))
    assert (no_way.value, no_way.field, no_way.code) == ("NO_WAY", None, None)


@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        ("NewOrder:", "NewOrders:", "3: message `NewOrders` is not defined; did you mean `NewOrder`?"),
        ("Level: Low", "Rank: Low", "4: `Rank` is not a field of message `NewOrder`"),
        ("Level: Low", "Level: Lowest", "4: `Lowest` is not a code of `Level`; did you mean `Low`?"),
        ("since: 1.1.0", "since: 1.2.0", "4: version `1.2.0` is not defined"),
        (', doc: "Below the floor."', "", "4: `texts.NewOrder.TOO_LOW` has no `doc`"),
    ],
)
def test_mistakes(tmp_path: Path, old: str, new: str, mistake: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_dialect(write(tmp_path, texts=TEXTS.replace(old, new)))
    assert f"texts.yaml:{mistake}" in str(caught.value)
