"""HTML tables for notebooks, returned from `_repr_html_`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import islice
from typing import Final

MAX_ROWS: Final = 100


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table as HTML with all text escaped; None becomes an empty cell. Rows beyond `MAX_ROWS` are
    replaced with an ellipsis.
    """
    lines = [f"<table><caption>{escape(title)}</caption>"]
    lines.append("<tr>" + "".join(f"<th>{escape(each)}</th>" for each in head) + "</tr>")
    remaining = iter(rows)
    for row in islice(remaining, MAX_ROWS):
        cells = ("" if cell is None else escape(f"{cell}") for cell in row)
        lines.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    if next(remaining, None) is not None:
        lines.append(f'<tr><td colspan="{len(head)}">...</td></tr>')
    return "\n".join([*lines, "</table>"])
