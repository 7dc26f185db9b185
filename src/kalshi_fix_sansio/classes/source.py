"""What the source of a class says of its attributes; imported only when somebody asks for it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from enum import EnumType
from importlib import import_module
from inspect import cleandoc, getsource
from textwrap import fill, indent
from typing import Any, NamedTuple

MAX_MEMBERS = 16
"""How many members of an enum are listed."""
WIDTH = 90
_MARGIN = "    "


class _Attribute(NamedTuple):
    """One attribute, as its source has it."""

    name: str
    head: str
    """Its name, type and default."""
    doc: str
    """Empty if nothing describes it."""


def docstring(own: str, classes: Iterable[type[Any]], like: type[Any] | None = None) -> str:
    """Return the docstring of a class with what its attributes mean; empty if there is nothing to say.

    `own` stands in its source, `classes` are the class and its bases, and `like` is where else an attribute
    may be described.
    """
    found: dict[str, _Attribute] = {}
    for cls in classes:
        for attribute in _attributes(_body(cls), cls.__module__):
            known = found.setdefault(attribute.name, attribute)
            found[attribute.name] = known if known.doc else known._replace(doc=attribute.doc)
    elsewhere = (
        {} if like is None else {each.name: each.doc for each in _attributes(_body(like), like.__module__)}
    )
    if not found:
        return own
    # Something has to stand in front, or who dedents this takes the margin of the attributes for its own.
    parts = [cleandoc(own) or "An explained class.", "Attributes:"]
    for attribute in found.values():
        doc = attribute.doc or elsewhere.get(attribute.name, "")
        text = f"{attribute.head}\n{indent(doc, _MARGIN)}"
        parts.append(indent(text.rstrip(), _MARGIN))
    return "\n\n".join(parts)


def _body(cls: type[Any]) -> list[ast.stmt]:
    """Return the statements of a class; none if its source is not at hand."""
    try:
        body = ast.parse(getsource(import_module(cls.__module__))).body
    # It was typed in, or is an extension; its file is gone, or is none of Python's.
    except (ImportError, OSError, SyntaxError, TypeError):
        return []
    for name in cls.__qualname__.split("."):
        found = [node for node in body if isinstance(node, ast.ClassDef) and node.name == name]
        body = found[-1].body if found else []
    return body


def _attributes(body: list[ast.stmt], module: str) -> Iterator[_Attribute]:
    """Yield the public attributes that a class of this module declares, by itself or in its constructor."""
    for node, doc in _described(body):
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            for inner, inner_doc in _described(node.body):
                name, annotation = _declared(inner)
                # Others of an instance are what its constructor remembers.
                if name.startswith("self.") and not name.startswith("self._") and inner_doc:
                    yield _Attribute(name[5:], f"{name[5:]}: {annotation}", cleandoc(inner_doc))
            continue
        name, annotation = _declared(node)
        if not name or name.startswith("_"):
            continue
        # A constant of the class need not be described, nor is what another name stands for an attribute.
        is_member = not annotation and isinstance(getattr(node, "value", None), ast.Constant)
        if doc or is_member or (annotation and "ClassVar" not in annotation):
            head = f"{name}: {annotation}" if annotation else name
            codes = _codes(node.annotation, module) if isinstance(node, ast.AnnAssign) else ""
            yield _Attribute(name, f"{head}{_default(node)}", f"{cleandoc(doc)}\n\n{codes}".strip())


def _described(body: list[ast.stmt]) -> Iterator[tuple[ast.stmt, str]]:
    """Yield each statement and the string that stands below it."""
    for node, after in zip(body, [*body[1:], ast.Pass()], strict=False):
        match after:
            case ast.Expr(value=ast.Constant(value=str(doc))):
                yield node, doc
            case _:
                yield node, ""


def _declared(node: ast.stmt) -> tuple[str, str]:
    """Return the name that a statement declares, and its type; empty if it declares none."""
    match node:
        case ast.AnnAssign(target=target, annotation=annotation):
            return ast.unparse(target), ast.unparse(annotation)
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name, ""
        case _:
            return "", ""


def _codes(annotation: ast.expr, module: str) -> str:
    """Return a sentence on the members of the first enum in a type; empty if there is none."""
    names = [node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)]
    for found in [getattr(import_module(module), name, None) for name in names]:
        if isinstance(found, EnumType):
            members = list(found.__members__)
            more = len(members) - MAX_MEMBERS
            listed = [*members[:MAX_MEMBERS], f"{more} more"] if more > 1 else members
            return fill(f"{found.__name__}: {', '.join(listed)}.", WIDTH)
    return ""


def _default(node: ast.stmt) -> str:
    """Return what follows an attribute's type: its default, if a few words say it."""
    value = getattr(node, "value", None)
    if isinstance(value, ast.Call) and ast.unparse(value.func) == "attrs.field":
        given = {keyword.arg: keyword.value for keyword in value.keywords}
        if "factory" in given:
            return f" = {ast.unparse(given['factory'])}()"
        value = given.get("default")
    return "" if value is None else f" = {ast.unparse(value)}"
