"""Known values of Text as constants, with their meanings."""

from __future__ import annotations

from pathlib import Path

import pytest

from kalshi_fix_sansio import TEXTS
from tests.codegen.harbour_spec import HARBOUR, SpecCopy, generate_and_import
from tests.fix50sp2.dialect import TEXTS as FIX50SP2_TEXTS

HARBOUR_TEXTS = """source: rules
texts:
  BerthOffer:
    NO_ROOM: {means: {Answer: Refused}, since: 2021-05, doc: "Every berth is \'taken\" or {so}."}
    Draught 2.5m \\ too much: {doc: "The ship is too deep"}
"""


def test_a_text_is_a_constant_with_its_meaning(
    copy: SpecCopy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (copy.spec / "texts.yaml").write_text(HARBOUR_TEXTS.replace('" or', " or"), encoding="utf-8")
    harbour = generate_and_import(copy.spec, tmp_path / "made", monkeypatch)
    assert list(harbour.BerthOfferText) == ["NO_ROOM", "Draught 2.5m \\ too much"]
    assert harbour.BerthOfferText.DRAUGHT_2_5M_TOO_MUCH == "Draught 2.5m \\ too much"
    refused = harbour.BerthOffer(ship_id="x", answer="refused", text=harbour.BerthOfferText.NO_ROOM)
    assert type(refused.text) is str
    meaning = harbour.TEXTS["U2", refused.text]
    assert meaning.meaning == "Every berth is 'taken or {so}."
    assert (meaning.attribute, meaning.code) == ("answer", harbour.Answer.REFUSED)
    assert getattr(refused, meaning.attribute) is meaning.code
    plain = harbour.TEXTS["U2", "Draught 2.5m \\ too much"]
    assert (plain.meaning, plain.attribute, plain.code) == ("The ship is too deep.", None, None)
    with pytest.raises(TypeError):
        harbour.TEXTS["U2", "x"] = plain


def test_a_dialect_without_texts_has_an_empty_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert FIX50SP2_TEXTS == {}
    assert generate_and_import(HARBOUR, tmp_path / "made", monkeypatch).TEXTS == {}


def test_every_text_with_a_code_names_an_attribute_of_its_message() -> None:
    from kalshi_fix_sansio import DIALECT

    for (msg_type, _), meaning in TEXTS.items():
        fields = {member.attribute: member for member in DIALECT.messages[msg_type].body.members}
        assert meaning.attribute is None or meaning.code in fields[meaning.attribute].field.codes  # type: ignore[union-attr]
