"""HTML tables for notebooks, returned from `_repr_html_`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from html import escape
from itertools import islice
from typing import Final

MAX_ROWS: Final = 100


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table as HTML with all text escaped. None becomes an empty cell, and a Decimal has no
    exponent. Rows beyond `MAX_ROWS` are replaced with an ellipsis.
    """
    lines = [f"<table><caption>{escape(title)}</caption>"]
    lines.append("<tr>" + "".join(f"<th>{escape(each)}</th>" for each in head) + "</tr>")
    remaining = iter(rows)
    for row in islice(remaining, MAX_ROWS):
        cells = "".join(f"<td>{escape(_text(cell))}</td>" for cell in row)
        lines.append(f"<tr>{cells}</tr>")
    if next(remaining, None) is not None:
        lines.append(f'<tr><td colspan="{len(head)}">...</td></tr>')
    return "\n".join([*lines, "</table>"])


def _text(cell: object) -> str:
    if cell is None:
        return ""
    return f"{cell:f}" if isinstance(cell, Decimal) else f"{cell}"
