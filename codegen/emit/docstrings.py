"""Docstrings as source text: wrapped, escaped and quoted."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

WIDTH = 110


def docstring(paragraphs: list[str], indent: int, attributes: Iterable[tuple[str, str]] = ()) -> str:
    """Return a docstring of these paragraphs; lines after the first are indented.

    A docstring that fits on one line with its quotes is kept on one line. Empty paragraphs are omitted. The
    names and descriptions of a class's attributes follow in a separate section.
    """
    texts = [_escape(" ".join(text.split())) for text in paragraphs if text.strip()]
    margin = " " * indent
    whole = " ".join(texts)
    listed = [_entry(name, _escape(" ".join(text.split())), indent + 4) for name, text in attributes]
    # Six columns for the quotes.
    if not listed and len(margin) + len(whole) + 6 <= WIDTH:
        return f'"""{whole}"""'
    wrapped = [_wrap(text, indent, first=index == 0) for index, text in enumerate(texts)]
    if listed:
        wrapped.append("\n".join([f"{margin}Attributes:", *listed]))
    body = "\n\n".join(wrapped)
    return f'"""{body}\n{margin}"""'


def _wrap(text: str, indent: int, *, first: bool) -> str:
    margin = " " * indent
    # The opening quotes take three columns of the first line, which the template indents.
    lines = textwrap.wrap(
        text,
        WIDTH,
        initial_indent=margin + '"""' if first else margin,
        subsequent_indent=margin,
        break_long_words=False,
        break_on_hyphens=False,
    )
    block = "\n".join(lines)
    return block[len(margin) + 3 :] if first else block


def _entry(name: str, text: str, indent: int) -> str:
    margin = " " * indent
    return "\n".join(
        textwrap.wrap(
            f"{name}: {text}",
            WIDTH,
            initial_indent=margin,
            subsequent_indent=margin + " " * 4,
            break_long_words=False,
            break_on_hyphens=False,
        )
    )


def _escape(text: str) -> str:
    # A quote at the end would merge with the closing quotes.
    escaped = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return escaped + " " if escaped.endswith('"') else escaped
