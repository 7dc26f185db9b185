"""What hand-written code does not know of the dialect: messages, members, codes and texts that nothing names.

`downstream.yaml` of a spec folder says where such code is, and what of the dialect it leaves alone on
purpose. To be named is to be known: whether the code does right by it, its tests say.
"""

from __future__ import annotations

import ast
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
"""What is looked for; entries of `known` name elements by the same words, and `families` whole files."""


@attrs.frozen(order=True)
class Unhandled:
    """One element of the dialect that nothing in an area names."""

    area: str
    kind: str
    element: str
    """Such as `ExecutionReport.Text` of members, `ExecType.Expired` of codes."""
    family: str
    location: Location

    def __str__(self) -> str:
        return f"{self.area}: {self.element} ({self.kind}), of {self.location}"


@attrs.frozen
class Known:
    """Elements that an area does not handle, with the reason."""

    area: str
    kind: str
    names: tuple[str, ...]
    location: Location

    def settles(self, found: Unhandled, name: str) -> bool:
        """Return whether this is one of them, by one of the names."""
        if self.area != found.area:
            return False
        if self.kind == "families":
            return name == found.family
        # A message that is known covers all that stands in it.
        # `ExecutionReport.Text` is settled by `ExecutionReport` as well.
        whole = found.element.partition(".")[0] if self.kind == "messages" else found.element
        kinds = {"messages", "members", "texts"} if self.kind == "messages" else {self.kind}
        return found.kind in kinds and name in (found.element, whole)


@attrs.frozen
class Report:
    """What a maintainer has to look at."""

    unhandled: tuple[Unhandled, ...]
    settled: int
    """How many more are known not to be handled."""
    idle: tuple[str, ...]
    """Entries of `known` that settle nothing any more."""


def compare(dialect: Dialect, folder: Path, root: Path) -> Report:
    """Return what the areas of a spec folder do not name; their paths are below `root`.

    Raises:
        SpecError: `downstream.yaml` is missing, or does not fit its schema, or names what is not there.
    """
    path, mistakes = folder / FILE, Mistakes()
    if not path.is_file():
        where = Location(path.as_posix(), 1)
        mistakes.refuse(where, "there is no such file", "name the areas of code in it")
    node = schema.checked(read_yaml(path), "downstream", mistakes)
    if node is None:
        raise SpecError(mistakes.found)
    areas = node.mapping("areas")
    found: dict[Unhandled, None] = {}  # a group stands in several messages
    for name in areas:
        about = areas.mapping(name)
        kinds = [kind for kind, _ in words(about.get("kinds"))] or list(KINDS)
        files = [
            file for each, where in words(about.get("in")) for file in _files(root, each, where, mistakes)
        ]
        # All kinds are looked for, and those that the area is not about left out.
        missing = _missing(dialect, name, Names.of(files))
        found |= dict.fromkeys(each for each in missing if each.kind in kinds)
    known = list(_known(node, areas, mistakes))
    mistakes.raise_any()
    # By entry and name: of an entry that names several, one may be idle.
    used: set[tuple[int, str]] = set()
    left = []
    for each in found:
        settling = [
            (k, name) for k, entry in enumerate(known) for name in entry.names if entry.settles(each, name)
        ]
        used.update(settling)
        if not settling:
            left.append(each)
    idle = [
        f"{entry.location}: {entry.area} handles {name}, or the spec has it no more; remove it"
        for k, entry in enumerate(known)
        for name in entry.names
        if (k, name) not in used
    ]
    return Report(tuple(sorted(left)), len(found) - len(left), tuple(idle))


def _known(node: Map, areas: Map, mistakes: Mistakes) -> Iterator[Known]:
    for entry in maps(node.get("known")):
        area = text(entry, "area")
        if area not in areas:
            mistakes.add(entry.at("area"), f"there is no area `{area}`", did_you_mean(area, areas))
        for kind in (*KINDS, "families"):
            names = tuple(name for name, _ in words(entry.get(kind)))
            if names:
                yield Known(area, kind, names, entry.at(kind))


def _files(root: Path, name: str, where: Location, mistakes: Mistakes) -> list[Path]:
    path = root / name
    found = [path] if path.is_file() else sorted([*path.rglob("*.py"), *path.glob("*.md")])
    if not found:
        mistakes.add(where, f"`{name}` has neither Python nor Markdown", "name a folder or a file")
    return found


@attrs.define
class Names:
    """What a stretch of code or text names."""

    plain: set[str] = attrs.field(factory=set)
    """Identifiers, the words of strings, and in prose every word."""
    dotted: set[str] = attrs.field(factory=set)
    """Such as `ExecType.EXPIRED`."""

    @classmethod
    def of(cls, files: Iterable[Path]) -> Names:
        """Gather the names of files: Python by its syntax, where comments and docstrings name nothing, and
        prose by its words."""
        found = cls()
        for file in files:
            source = file.read_text(encoding="utf-8")
            if file.suffix == ".py":
                found.add(ast.parse(source))
            else:
                found.plain.update(re.findall(r"\w+", source))
                found.dotted.update(re.findall(r"\w+\.\w+", source))
        return found

    def add(self, tree: ast.AST) -> None:
        """Add the names of a module."""
        # Docstrings, and other strings that stand as statements.
        said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and id(node) in said:
                continue
            match node:
                # Every way to name an attribute of a message: `report.text`,
                # `ExecutionReport(text=…)`, `case ExecutionReport(text=…)`, a parameter of
                # a helper, and a name in a string for getattr.
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


def _missing(dialect: Dialect, area: str, names: Names) -> Iterator[Unhandled]:
    """Yield every element that is not named, the outermost alone: of a message that is not, no member."""
    coded: dict[str, str] = {}
    for message in dialect.messages:
        if message.name not in names.plain:
            # Whoever does not know a message knows nothing in it; that is told once.
            yield Unhandled(area, "messages", message.name, message.family, message.location)
            continue
        for member, holders in walk(message.members):
            owner = holders[-1].group.name if holders and holders[-1].group else message.name
            if member.attribute not in names.plain:
                element = f"{owner}.{member.field.name}"
                yield Unhandled(area, "members", element, message.family, member.location)
            # Codes matter only to one who reads the member, and a constant has no choice.
            elif member.field.codeset is not None and member.constant is None:
                coded.setdefault(member.field.codeset.name, message.family)
    # `TEXTS` has the code of a text, so whoever knows the one knows the other.
    told = {
        (known.field.codeset.name, known.code.name)
        for known in dialect.texts
        if known.field is not None and known.field.codeset is not None and known.code is not None
        if _is_named(known, names)
    }
    for codeset in dialect.codesets:
        for code in codeset.codes if codeset.name in coded else ():
            if f"{codeset.name}.{code.constant}" in names.dotted or (codeset.name, code.name) in told:
                continue
            element = f"{codeset.name}.{code.name}"
            yield Unhandled(area, "codes", element, coded[codeset.name], code.location)
    for known in dialect.texts:
        if known.message.name in names.plain and not _is_named(known, names):
            element = f"{known.message.name}.{known.value}"
            yield Unhandled(area, "texts", element, known.message.family, known.location)
    for session in dialect.session_types:
        if session.name not in names.plain:
            yield Unhandled(area, "sessions", session.name, "", session.location)


def _is_named(known: KnownText, names: Names) -> bool:
    constant = f"{texts_class(known.message.name)}.{known.constant}"
    return constant in names.dotted or known.value in names.plain
