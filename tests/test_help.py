"""`help` documents every attribute of a public class."""

from __future__ import annotations

import re
from enum import EnumMeta
from inspect import getdoc, isclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pytest

import kalshi_fix_sansio
from kalshi_fix_adapters.config.plan import ClientConfig, Options, SessionSettings
from kalshi_fix_sansio import DIALECT, trading
from kalshi_fix_sansio.config import SessionConfig
from kalshi_fix_sansio.dialect.layout import BY_SESSION, BlockLayout, FieldMember
from tests.samples import every_layout

API = Path(__file__).parent.parent / "docs" / "api"
DOCUMENTING_CLASS: dict[type[Any], type[Any]] = {ClientConfig: Options, SessionSettings: SessionConfig}
"""Classes whose docstring refers to another class, which documents the attributes with the same names."""


def public_classes() -> list[type[Any]]:
    found = [getattr(module, name) for module in (kalshi_fix_sansio, trading) for name in module.__all__]
    for page in API.glob("*.md"):
        names = re.findall(r"^::: ([\w.]+)$", page.read_text("utf-8"), re.MULTILINE)
        found += [resolve_name(name) for name in names]
    return sorted(
        {item for item in found if isclass(item)}, key=lambda cls: f"{cls.__module__}.{cls.__name__}"
    )


def attributes_of(cls: type[Any]) -> set[str]:
    found = {item.name for item in getattr(cls, "__attrs_attrs__", ())}
    if isinstance(cls, EnumMeta):
        # Some enum members are documented by their value.
        found |= {name for name, each in cls.__members__.items() if not documents_member(name, each.value)}
    for base in cls.__mro__:
        if base.__module__.startswith("kalshi_fix"):
            annotations = vars(base).get("__annotations__", {})
            found |= {name for name, kind in annotations.items() if "ClassVar" not in str(kind)}
    return {name for name in found if not name.startswith("_")}


def documents_member(name: str, value: object) -> bool:
    """Return whether the value of an enum member is a description, or repeats the member's name."""
    return " " in str(value) or value == name.lower()


def documented_attributes(cls: type[Any]) -> dict[str, str]:
    """Return the attributes in the docstrings of a class and its bases, with their descriptions."""
    found: dict[str, str] = {}
    for base in reversed(DOCUMENTING_CLASS.get(cls, cls).__mro__):
        _, _, section = (getdoc(base) or "").partition("\nAttributes:\n")
        items = re.findall(r"^    (\w+): (.*\n(?:(?: {8}.*)?\n)*)", f"{section}\n", re.MULTILINE)
        found |= {name: " ".join(text.split()) for name, text in items}
    return found


@pytest.mark.parametrize("cls", public_classes(), ids=lambda cls: f"{cls.__module__}.{cls.__name__}")
def test_the_docstring_lists_every_attribute(cls: type[Any]) -> None:
    assert attributes_of(cls) - documented_attributes(cls).keys() == set()


@pytest.mark.parametrize("block", [*every_layout().values(), DIALECT.logon_fields], ids=lambda e: e.name)
def test_every_field_is_described_with_tag_unit_codes_and_where_it_is_required(block: BlockLayout) -> None:
    presence = "Required|Optional|Not allowed|Allowed only|Always|the codec computes it|Fixed"
    for member in block.members:
        text = documented_attributes(block.cls)[member.attribute]
        assert text.startswith(f"{member.name} ({member.tag})")
        assert re.search(presence, text), text
        if isinstance(member, FieldMember):
            unit, codes = member.field.unit, member.field.codes
            if unit == BY_SESSION:
                assert BY_SESSION not in text
                assert "UseDollars" in text
            elif unit:
                assert f"In {unit}." in text
            if codes is not None:
                assert f"Known values: `{codes.__name__}`." in text
