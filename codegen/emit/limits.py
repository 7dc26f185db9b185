"""Views of what the venue limits beside the values of fields."""

from __future__ import annotations

import attrs

from codegen import prose
from codegen.emit.docstrings import docstring
from codegen.emit.imports import Imports
from codegen.model import VenueLimit


@attrs.frozen
class LimitView:
    """A constant: one number, or numbers by what they are for."""

    constant: str
    annotation: str
    """What stands behind Final: the type of a mapping; that of a number is plain."""
    value: str
    doc: str


def limit_view(limit: VenueLimit, imports: Imports) -> LimitView:
    """Return a limit as a constant. Whole numbers are int, others Decimal."""
    # Numbers by what they are for have one type, so that one fraction makes all of them Decimal.
    whole = all("." not in number for _, number in limit.values)
    if not whole:
        imports.in_one_line("decimal", "Decimal")
    numbers = {key: number if whole else f'Decimal("{number}")' for key, number in limit.values}
    facts = f"{prose.sentence(limit.doc)} In {limit.unit}. {prose.pedigree_text(limit.pedigree)}"
    doc = docstring([facts.strip(), f"Source: {limit.source}."], 0)
    if "" in numbers:
        return LimitView(limit.constant, "", numbers[""], doc)
    imports.in_one_line("collections.abc", "Mapping")
    imports.in_one_line("types", "MappingProxyType")
    listed = ", ".join(f"{key!r}: {number}" for key, number in numbers.items())
    kind = "int" if whole else "Decimal"
    return LimitView(limit.constant, f"[Mapping[str, {kind}]]", f"MappingProxyType({{{listed}}})", doc)
