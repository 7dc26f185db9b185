"""Views of the venue's limits, other than those on single field values."""

from __future__ import annotations

import attrs

from codegen import prose
from codegen.emit.docstrings import docstring
from codegen.emit.imports import Imports
from codegen.model import VenueLimit


@attrs.frozen
class LimitView:
    """A constant: one number, numbers by key, or words."""

    constant: str
    annotation: str
    """Type argument of Final, in brackets, for a mapping; otherwise empty."""
    value: str
    doc: str


def limit_type(limit: VenueLimit) -> str:
    """Return the type of a limit's constant: whole numbers are int, others Decimal."""
    # All numbers of a mapping have one type, so a single fraction makes all of them Decimal.
    number = "Decimal" if any("." in each for _, each in limit.values) else "int"
    return number if limit.values[0][0] == "" else f"Mapping[str, {number}]"


def limit_view(limit: VenueLimit, imports: Imports) -> LimitView:
    """Return the view of a limit."""
    facts = f"{prose.sentence(limit.doc)} In {limit.unit}. {prose.pedigree_text(limit.pedigree)}"
    doc = docstring([facts.strip(), f"Source: {limit.source}."], 0)
    if limit.words:
        return LimitView(limit.constant, "", repr(limit.words), doc)
    annotation = limit_type(limit)
    is_integer = "Decimal" not in annotation
    if not is_integer:
        imports.import_on_one_line("decimal", "Decimal")
    numbers = {key: number if is_integer else f'Decimal("{number}")' for key, number in limit.values}
    if "" in numbers:
        return LimitView(limit.constant, "", numbers[""], doc)
    imports.import_on_one_line("collections.abc", "Mapping")
    imports.import_on_one_line("types", "MappingProxyType")
    listed = ", ".join(f"{key!r}: {number}" for key, number in numbers.items())
    return LimitView(limit.constant, f"[{annotation}]", f"MappingProxyType({{{listed}}})", doc)
