"""Report messages, members, codes and texts of the dialect that hand-written code does not mention.

`downstream.yaml` in a spec folder lists areas of the code, and the elements that each area deliberately does
not handle. Only the names are checked: whether the code handles an element correctly is covered by its tests.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs

from codegen.errors import Mistakes, SpecError
from codegen.model import Dialect, KnownText, walk
from codegen.naming import texts_class
from codegen.read import schema
from codegen.read.context import maps, text, words
from codegen.read.nodes import read_yaml
from kalshi_fix_adapters.documents.mistakes import Location
from kalshi_fix_adapters.documents.names import did_you_mean
from kalshi_fix_adapters.documents.nodes import Map

FILE = "downstream.yaml"
KINDS = ("messages", "members", "codes", "texts", "sessions")
"""Kinds of element that are checked. They are also keys of the `known` entries in `downstream.yaml`, as is
`families`, which covers all elements of a family.
"""


@attrs.frozen(order=True)
class UnhandledElement:
    """An element of the dialect that no code in an area mentions."""

    area: str
    kind: str
    element: str
    """`ExecutionReport.Text` for a member, `ExecType.Expired` for a code, and so on."""
    family: str
    location: Location

    def __str__(self) -> str:
        return f"{self.area}: {self.element} ({self.kind}), at {self.location}"


@attrs.frozen
class KnownElements:
    """Elements that an area deliberately does not handle."""

    area: str
    kind: str
    names: tuple[str, ...]
    location: Location

    def covers(self, unhandled: UnhandledElement, name: str) -> bool:
        """Return whether this entry covers the element under the given name."""
        if self.area != unhandled.area:
            return False
        if self.kind == "families":
            return name == unhandled.family
        # A listed message covers all its elements: `ExecutionReport` covers `ExecutionReport.Text` too.
        whole = unhandled.element.partition(".")[0] if self.kind == "messages" else unhandled.element
        kinds = {"messages", "members", "texts"} if self.kind == "messages" else {self.kind}
        return unhandled.kind in kinds and name in (unhandled.element, whole)


@attrs.frozen
class Report:
    """Result of the comparison."""

    unhandled: tuple[UnhandledElement, ...]
    covered: int
    """Number of elements that no code in an area mentions and that `known` lists."""
    obsolete: tuple[str, ...]
    """Messages about names in `known` that no longer cover any element."""


def compare(dialect: Dialect, folder: Path, root: Path) -> Report:
    """Return a report on the elements that the areas of the code do not mention. `downstream.yaml` in
    `folder` lists the areas; their paths are relative to `root`.

    Raises:
        SpecError: `downstream.yaml` is missing, does not match its schema, or contains unknown names.
    """
    path, mistakes = folder / FILE, Mistakes()
    if not path.is_file():
        where = Location(path.as_posix(), 1)
        mistakes.fail(where, "the file does not exist", "create it, and list the areas of code")
    node = schema.validate(read_yaml(path), "downstream", mistakes)
    if node is None:
        raise SpecError(mistakes.found)
    areas = node.mapping("areas")
    unmentioned: dict[UnhandledElement, None] = {}  # not a list, because messages share groups
    for name in areas:
        area = areas.mapping(name)
        kinds = [kind for kind, _ in words(area.get("kinds"))] or list(KINDS)
        files = [
            file for each, where in words(area.get("in")) for file in _files(root, each, where, mistakes)
        ]
        # Search for all kinds, then drop those that are not checked for this area.
        missing = _missing(dialect, name, Names.read(files))
        unmentioned |= dict.fromkeys(each for each in missing if each.kind in kinds)
    known = list(_read_known(node, areas, mistakes))
    mistakes.raise_any()
    # Keyed by entry and name, because some names of an entry may be used and others not.
    used: set[tuple[int, str]] = set()
    unhandled = []
    for each in unmentioned:
        covering = [
            (k, name) for k, entry in enumerate(known) for name in entry.names if entry.covers(each, name)
        ]
        used.update(covering)
        if not covering:
            unhandled.append(each)
    obsolete = [
        f"{entry.location}: {entry.area} handles {name}, or the spec no longer contains it; remove the name"
        for k, entry in enumerate(known)
        for name in entry.names
        if (k, name) not in used
    ]
    return Report(tuple(sorted(unhandled)), len(unmentioned) - len(unhandled), tuple(obsolete))


def _read_known(node: Map, areas: Map, mistakes: Mistakes) -> Iterator[KnownElements]:
    for entry in maps(node.get("known")):
        area = text(entry, "area")
        if area not in areas:
            mistakes.add(entry.at("area"), f"there is no area `{area}`", did_you_mean(area, areas))
        for kind in (*KINDS, "families"):
            names = tuple(name for name, _ in words(entry.get(kind)))
            if names:
                yield KnownElements(area, kind, names, entry.at(kind))


def _files(root: Path, name: str, where: Location, mistakes: Mistakes) -> list[Path]:
    path = root / name
    files: list[Path] = []
    # The methods of `Path` would raise OSError for a name that is too long.
    if os.path.isfile(path):  # noqa: PTH113
        files = [path]
    elif os.path.isdir(path):  # noqa: PTH112
        files = sorted([*path.rglob("*.py"), *path.glob("*.md")])
    if not files:
        mistakes.add(where, f"`{name}` contains neither Python nor Markdown", "name a folder or a file")
    return files


@attrs.define
class Names:
    """Names that occur in code or text."""

    plain: set[str] = attrs.field(factory=set)
    """Identifiers, the words of strings, and in prose every word."""
    dotted: set[str] = attrs.field(factory=set)
    """`ExecType.EXPIRED` and similar."""

    @classmethod
    def read(cls, files: Iterable[Path]) -> Names:
        """Collect the names in files. Comments and docstrings of Python files are left out; in other files,
        every word counts.
        """
        names = cls()
        for file in files:
            source = file.read_text(encoding="utf-8")
            if file.suffix == ".py":
                names.add(ast.parse(source))
            else:
                names.plain.update(re.findall(r"\w+", source))
                names.dotted.update(re.findall(r"\w+\.\w+", source))
        return names

    def add(self, tree: ast.AST) -> None:
        """Add the names of a module."""
        # Docstrings, and other strings used as statements.
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and id(node) in docstrings:
                continue
            match node:
                # All ways to name an attribute of a message: `report.text`, `ExecutionReport(text=…)`, `case
                # ExecutionReport(text=…)`, a helper's parameter, and a string for getattr.
                case ast.Attribute(value=value, attr=name):
                    self.plain.add(name)
                    if isinstance(value, ast.Name):
                        self.dotted.add(f"{value.id}.{name}")
                case ast.Name(id=name) | ast.keyword(arg=str(name)) | ast.arg(arg=name):
                    self.plain.add(name)
                case ast.MatchClass(kwd_attrs=names):
                    self.plain.update(names)
                case ast.Constant(value=str(value)):
                    self.plain.update(re.findall(r"\w+", value))


def _missing(dialect: Dialect, area: str, names: Names) -> Iterator[UnhandledElement]:
    """Yield the elements that are not mentioned, but not the members of a message that is not mentioned."""
    family_of_codeset: dict[str, str] = {}
    for message in dialect.messages:
        if message.name not in names.plain:
            yield UnhandledElement(area, "messages", message.name, message.family, message.location)
            continue
        for member, groups in walk(message.members):
            owner = groups[-1].group.name if groups and groups[-1].group else message.name
            if member.attribute not in names.plain:
                element = f"{owner}.{member.field.name}"
                yield UnhandledElement(area, "members", element, message.family, member.location)
            # If a member is not mentioned, its codes are not checked either. A constant member has only one
            # value, so its codes are not checked.
            elif member.field.codeset is not None and member.constant is None:
                family_of_codeset.setdefault(member.field.codeset.name, message.family)
    # `TEXTS` maps a text to its code, so handling the text covers the code.
    covered = {
        (known.field.codeset.name, known.code.name)
        for known in dialect.texts
        if known.field is not None and known.field.codeset is not None and known.code is not None
        if _is_mentioned(known, names)
    }
    for codeset in dialect.codesets:
        for code in codeset.codes if codeset.name in family_of_codeset else ():
            if f"{codeset.name}.{code.constant}" in names.dotted or (codeset.name, code.name) in covered:
                continue
            element = f"{codeset.name}.{code.name}"
            yield UnhandledElement(area, "codes", element, family_of_codeset[codeset.name], code.location)
    for known in dialect.texts:
        if known.message.name in names.plain and not _is_mentioned(known, names):
            element = f"{known.message.name}.{known.value}"
            yield UnhandledElement(area, "texts", element, known.message.family, known.location)
    for session in dialect.session_types:
        if session.name not in names.plain:
            yield UnhandledElement(area, "sessions", session.name, "", session.location)


def _is_mentioned(known: KnownText, names: Names) -> bool:
    constant = f"{texts_class(known.message.name)}.{known.constant}"
    return constant in names.dotted or known.value in names.plain
