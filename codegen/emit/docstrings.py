"""Docstrings as source text: wrapped, escaped and quoted."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from functools import partial

WIDTH = 110
wrap = partial(textwrap.wrap, break_long_words=False, break_on_hyphens=False)
"""Split a text into lines, only at its spaces."""


def docstring(paragraphs: list[str], indent: int, attributes: Iterable[tuple[str, str]] = ()) -> str:
    """Return a docstring of these paragraphs; lines after the first are indented.

    A docstring that fits on one line with its quotes is kept on one line. Empty paragraphs are omitted. The
    names and descriptions of a class's attributes follow in a separate section.
    """
    texts = [_escape(" ".join(text.split())) for text in paragraphs if text.strip()]
    margin = " " * indent
    one_line = " ".join(texts)
    attribute_lines = [_entry(name, _escape(" ".join(text.split())), indent + 4) for name, text in attributes]
    # Six columns for the quotes.
    if not attribute_lines and len(margin) + len(one_line) + 6 <= WIDTH:
        return f'"""{one_line}"""'
    wrapped = [_wrap(text, indent, first=index == 0) for index, text in enumerate(texts)]
    if attribute_lines:
        wrapped.append("\n".join([f"{margin}Attributes:", *attribute_lines]))
    body = "\n\n".join(wrapped)
    return f'"""{body}\n{margin}"""'


def _wrap(text: str, indent: int, *, first: bool) -> str:
    margin = " " * indent
    # The opening quotes take three columns of the first line, which the template indents.
    initial = margin + '"""' if first else margin
    block = "\n".join(wrap(text, WIDTH, initial_indent=initial, subsequent_indent=margin))
    return block[len(initial) :] if first else block


def _entry(name: str, text: str, indent: int) -> str:
    margin = " " * indent
    lines = wrap(f"{name}: {text}", WIDTH, initial_indent=margin, subsequent_indent=margin + " " * 4)
    return "\n".join(lines)


def _escape(text: str) -> str:
    # A quote at the end would merge with the closing quotes.
    escaped = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return escaped + " " if escaped.endswith('"') else escaped
