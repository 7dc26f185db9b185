"""The Kalshi spec holds together. Whether the venue says the same, `python -m codegen diff` finds out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from codegen import model
from codegen.read.resolve import load_dialect

SPEC = Path(__file__).resolve().parents[2] / "spec" / "kalshi"


@pytest.fixture(scope="module")
def kalshi() -> model.Dialect:
    return load_dialect(SPEC)


def owners(dialect: model.Dialect) -> list[model.Message | model.Group]:
    return [*dialect.messages, *dialect.groups]


def test_every_amount_has_a_unit(kalshi: model.Dialect) -> None:
    assert [each.name for each in kalshi.fields if each.datatype.kind == "DECIMAL" and not each.unit] == []


def test_every_field_is_used(kalshi: model.Dialect) -> None:
    used = {each.field.name for each in (*kalshi.header, *kalshi.trailer)}
    for owner in owners(kalshi):
        used |= {each.field.name for each in owner.members}
    used |= {each.length_field for each in kalshi.fields if each.length_field is not None}
    assert {each.name for each in kalshi.fields} == used


def test_docs_are_sentences(kalshi: model.Dialect) -> None:
    docs = [each.doc for each in kalshi.fields]
    docs += [each.doc for each in owners(kalshi)]
    docs += [member.doc for each in owners(kalshi) for member in each.members]
    docs += [code.doc for each in kalshi.codesets for code in each.codes]
    assert [doc for doc in docs if not re.match(r"[A-Z].*\.\Z", doc) or "  " in doc] == []


def test_the_base_is_of_use_to_other_dialects(tmp_path: Path) -> None:
    """A folder that extends fixt11 and names its versions is a dialect, without products or sessions."""
    base = SPEC.parent / "fixt11"
    (tmp_path / "manifest.yaml").write_text(
        f"name: plain\ntitle: Plain\nextends: {base.as_posix()}\nappl_ver_id: 9\nsources: {{}}\n"
    )
    plain = load_dialect(tmp_path)
    assert [each.name for each in plain.messages] == [
        "Logon",
        "Heartbeat",
        "TestRequest",
        "ResendRequest",
        "Reject",
        "SequenceReset",
        "Logout",
    ]
    assert all(each.flows == () and each.admin for each in plain.messages)
    (heartbeat,) = (each for each in plain.fields if each.name == "HeartBtInt")
    assert heartbeat.minimum == 0
