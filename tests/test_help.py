"""`help` says of every public class what its attributes mean."""

from __future__ import annotations

import pydoc
import re
import subprocess
import sys
from enum import Enum, EnumMeta
from inspect import getdoc, isclass
from pathlib import Path
from pkgutil import resolve_name
from types import ModuleType
from typing import Any, NamedTuple

import attrs
import pytest

import kalshi_fix_sansio
from kalshi_fix_adapters import asyncio, blocking, trio
from kalshi_fix_adapters.config.plan import ClientConfig, Options, SessionSettings
from kalshi_fix_sansio import (
    DIALECT,
    ExecutionReport,
    Header,
    LogonFields,
    NewOrderSingle,
    Party,
    Side,
    trading,
)
from kalshi_fix_sansio.base import Block, Message
from kalshi_fix_sansio.classes.explained import explained
from kalshi_fix_sansio.classes.value import Value
from kalshi_fix_sansio.layout import BY_SESSION, BlockLayout, FieldMember, GroupMember

API = Path(__file__).parent.parent / "docs" / "api"


def public_classes() -> list[type[Any]]:
    found = [getattr(module, name) for module in (kalshi_fix_sansio, trading) for name in module.__all__]
    for page in API.glob("*.md"):
        names = re.findall(r"^::: ([\w.]+)$", page.read_text("utf-8"), re.MULTILINE)
        found += [resolve_name(name) for name in names]
    return sorted(
        {each for each in found if isclass(each)}, key=lambda cls: f"{cls.__module__}.{cls.__name__}"
    )


def attributes_of(cls: type[Any]) -> set[str]:
    found = {each.name for each in getattr(cls, "__attrs_attrs__", ())}
    if isinstance(cls, EnumMeta):
        found |= set(cls.__members__)
    for base in cls.__mro__:
        if base.__module__.startswith("kalshi_fix"):
            annotations = vars(base).get("__annotations__", {})
            found |= {name for name, kind in annotations.items() if "ClassVar" not in str(kind)}
    return {name for name in found if not name.startswith("_")}


def explanation(cls: type[Any], name: str) -> str:
    """Return what a class says of an attribute: all that is indented below its name."""
    text = getdoc(cls) or ""
    found = re.search(rf"^    {name}(?:: .*| = .*)?\n((?:(?: {{8}}.*)?\n)*)", f"{text}\n", re.MULTILINE)
    return "" if found is None else " ".join(found[1].split())


@pytest.mark.parametrize("cls", public_classes(), ids=lambda cls: f"{cls.__module__}.{cls.__name__}")
def test_every_attribute_of_a_public_class_is_explained(cls: type[Any]) -> None:
    unexplained = set()
    for name in attributes_of(cls):
        # What some members of an enum mean is their value.
        value = cls[name].value if isinstance(cls, EnumMeta) else ""
        says_it = " " in str(value) or value == name.lower()
        if not explanation(cls, name) and not says_it:
            unexplained.add(name)
    assert not unexplained


def blocks() -> list[BlockLayout]:
    found = [DIALECT.header, DIALECT.trailer, *(layout.body for layout in DIALECT.messages.values())]
    assert DIALECT.logon_fields is not None
    found.append(DIALECT.logon_fields)
    for block in found:
        found += [m.entry for m in block.members if isinstance(m, GroupMember) and m.entry not in found]
    return found


@pytest.mark.parametrize("block", blocks(), ids=lambda block: block.name)
def test_every_field_has_its_tag_its_unit_its_codes_and_where_it_is_required(block: BlockLayout) -> None:
    presence = "Required|Optional|Not allowed|Allowed only|Always|the codec writes it|Fixed"
    for member in block.members:
        said = explanation(block.cls, member.attribute)
        assert said.startswith(f"{member.name} ({member.tag})")
        assert re.search(presence, said), said
        if isinstance(member, FieldMember):
            unit, codes = member.field.unit, member.field.codes
            if unit == BY_SESSION:
                assert BY_SESSION not in said
                assert "UseDollars" in said
            elif unit:
                assert f"In {unit}." in said
            if codes is not None:
                assert f"Known values: `{codes.__name__}`." in said
                assert f" {codes.__name__}: {next(iter(codes)).name}" in said


def test_help_prints_it() -> None:
    text = pydoc.plain(pydoc.render_doc(ExecutionReport))
    assert "ExecType (150)" in text
    assert "The header as received" in text
    assert "Price (44): Limit price of one contract." in pydoc.plain(pydoc.render_doc(NewOrderSingle))
    assert "PartyRole (452)" in pydoc.plain(pydoc.render_doc(Party))
    assert "MsgSeqNum (34)" in pydoc.plain(pydoc.render_doc(Header))
    fields = [each.field for each in LogonFields.LAYOUT.members if isinstance(each, FieldMember)]
    (tag,) = (each.tag for each in fields if each.name == "UseDollars")
    assert f"UseDollars ({tag})" in pydoc.plain(pydoc.render_doc(LogonFields))
    assert "BUY = '1'" in pydoc.plain(pydoc.render_doc(Side))


@pytest.mark.parametrize("client", [blocking.Client, asyncio.Client, trio.Client])
def test_a_client_explains_what_its_constructor_sets(client: type[Any]) -> None:
    assert "Rows of yours" in explanation(client, "journal")


def test_settings_are_explained_where_they_stand_a_second_time() -> None:
    assert explanation(ClientConfig, "timeout") == explanation(Options, "timeout") != ""
    assert "Reject" in explanation(SessionSettings, "strict")
    # Nothing is taken over that is no setting of it.
    assert explanation(SessionSettings, "sender_comp_id") == ""


def test_nothing_reads_sources_before_somebody_asks() -> None:
    program = (
        "import sys, kalshi_fix_adapters.blocking, kalshi_fix_sansio as k; k.NewOrderSingle.LAYOUT;"
        "read = 'kalshi_fix_sansio.classes.source'; assert read not in sys.modules;"
        "assert k.NewOrderSingle.__doc__; assert read in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("flag", ["-O", "-OO"])
def test_without_docstrings_in_memory_fields_are_explained_all_the_same(flag: str) -> None:
    program = "import kalshi_fix_sansio as k; assert 'Price (44)' in k.NewOrderSingle.__doc__ or exit(1)"
    subprocess.run([sys.executable, flag, "-c", program], check=True)


@explained
class Plain:
    """Says something."""

    LIMIT = 7
    """How many."""
    unsaid: int
    twice: int = attrs.field(default=3, validator=None)
    """Of the class."""
    many: list[int] = attrs.field(factory=list)
    """A list."""
    _own: int = 1
    """Nobody's business."""
    first, second = 1, 2

    def __init__(self, made: int) -> None:
        self.made: int = made
        """By the constructor."""
        self.remembered = made
        self._hidden: int = made
        """Not shown."""


class Derived(Plain):
    unsaid: int
    """Said in the end."""


def test_the_form() -> None:
    assert getdoc(Plain) == (
        "Says something.\n\nAttributes:\n\n    LIMIT = 7\n        How many.\n\n    unsaid: int\n\n"
        "    twice: int = 3\n        Of the class.\n\n    many: list[int] = list()\n        A list.\n\n"
        "    made: int\n        By the constructor."
    )
    assert Plain(1).__doc__ == Plain.__doc__
    assert Derived.__doc__ is None
    assert explanation(explained(Derived), "unsaid") == "Said in the end."
    assert explanation(Derived, "made") == "By the constructor."


class Bare(Value):
    __slots__ = ()


@attrs.frozen(eq=False, repr=False)
class OfAUser(Value):
    """Slots make attrs build it twice."""

    number: int
    """Counted."""


class Odd(NamedTuple):
    """A tuple."""

    left: int
    """To the left."""


class Mode(Enum):
    """Ways."""

    ONE = "the first"
    TWO = 2
    """Second."""


def test_every_kind_of_class() -> None:
    assert Bare.__doc__ is None
    assert explanation(OfAUser, "number") == "Counted."
    assert explanation(explained(Odd), "left") == "To the left."
    assert explanation(explained(Mode), "TWO") == "Second."
    assert "ONE = 'the first'" in (Mode.__doc__ or "")


@pytest.mark.parametrize("source", [None, "class Made(Message:", "class Other:\n    field: int", ""])
def test_a_class_without_source_says_what_stands_in_it(
    source: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("made_up")
    if source is not None:
        module.__file__ = str(tmp_path / "made_up.py")
        Path(module.__file__).write_text(source, "utf-8")
    monkeypatch.setitem(sys.modules, "made_up", module)
    made = type("Made", (Message,), {"__doc__": "Of a program.", "__module__": "made_up"})
    assert explanation(made, "header").startswith("The header as received")
    assert (getdoc(made) or "").startswith("Of a program.\n\nAttributes:")
    silent = explained(type("Silent", (), {"__doc__": "Alone.", "__module__": "made_up"}))
    assert silent.__doc__ == "Alone."


def test_a_class_of_no_module_and_one_within_a_function() -> None:
    gone = type("Gone", (Block,), {"__doc__": "Of a module that is gone.", "__module__": "no.such.module"})
    assert (gone.__doc__ or "").startswith("Of a module that is gone.")

    class Local(Block):
        """Local."""

        field: int
        """Cannot be found by its name."""

    assert (Local.__doc__ or "").startswith("Local.")
