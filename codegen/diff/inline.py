"""Inline Markdown as the reader sees it: no markup, no escapes, no entities."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from functools import lru_cache

OPEN, CLOSE = "\x01", "\x02"
"""What stands around the content of a code span in `marked` text."""

_TICKS = re.compile("`+")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_COMMENTS = (("<!--", "-->"), ("{/*", "*/}"))
# An address of any length could be looked for again from every bracket; none is this long.
_IMAGE = re.compile(r"!\[([^\[\]]*+)\]\([^)]{0,2000}+\)")
_LINK = re.compile(r"\[([^\[\]]*+)\]\([^)]{0,2000}+\)")
_AUTOLINK = re.compile(r"<https?://[^<>]*+>")
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_HTML = re.compile(
    r"</?(?:a|b|code|div|details|em|i|kbd|p|small|span|strong|sub|summary|sup|u)\b[^<>]*>", re.IGNORECASE
)
_EMPHASES = (
    (
        re.compile(r"\*{1,3}(?=\S)(.+?)(?<=\S)\*{1,3}", re.DOTALL),
        re.compile(r"(?<=\S)\*"),
    ),
    (
        re.compile(r"(?<![\w])_{1,3}(?=\S)(.+?)(?<=\S)_{1,3}(?![\w])", re.DOTALL),
        re.compile(r"(?<=\S)_(?![\w])"),
    ),
)
"""Emphasised text, and what may end it."""
_LONG_ENTITY = re.compile(r"&#(?:[0-9]{8}|[xX][0-9a-fA-F]{8})[0-9a-fA-F]*+;?")
"""Stands for no character, and takes long to find that out."""
_PRIVATE = 0xE000
"""Escaped characters are moved to the private use area, so that they do not count as markup."""


@lru_cache(maxsize=100_000)
def marked(text: str) -> str:
    """Return the text without markup, code spans between OPEN and CLOSE."""
    for opening, closing in _COMMENTS:
        text = _without(text, opening, closing)
    text = _LONG_ENTITY.sub("\ufffd", text)
    parts: list[str] = []
    end = 0
    for start, begin, stop, after in _spans(text):
        if text[start - 1 : start] == "\\":
            continue
        parts.append(_outside(text[end:start]))
        parts.append(f"{OPEN}{html.unescape(text[begin:stop].strip())}{CLOSE}")
        end = after
    parts.append(_outside(text[end:]))
    joined = "".join(parts)
    for emphasis, ending in _EMPHASES:
        # Behind the last ending nothing is emphasised, and each start would be followed to the end.
        last = max((found.end() for found in ending.finditer(joined)), default=0)
        joined = emphasis.sub(r"\1", joined[:last]) + joined[last:]
    joined = "".join(chr(ord(c) - _PRIVATE) if _PRIVATE <= ord(c) < _PRIVATE + 128 else c for c in joined)
    return re.sub(r"\s+", " ", html.unescape(joined).replace("\xa0", " ")).strip()


def _without(text: str, opening: str, closing: str) -> str:
    """The text without what stands between these marks; an opening mark without a closing one stays."""
    kept: list[str] = []
    at = 0
    while (start := text.find(opening, at)) >= 0:
        end = text.find(closing, start + len(opening))
        if end < 0:
            break
        kept.append(text[at:start])
        at = end + len(closing)
    return "".join(kept) + text[at:]


def _spans(text: str) -> Iterator[tuple[int, int, int, int]]:
    """Code spans, as where each begins, where its content does, where that ends, and where the span does.

    A run of backticks begins one that ends at the next run of the same length.
    """
    runs = [found.span() for found in _TICKS.finditer(text)]
    following: list[int] = []
    by_length: dict[int, int] = {}
    for index in range(len(runs) - 1, -1, -1):
        start, end = runs[index]
        following.append(by_length.get(end - start, -1))
        by_length[end - start] = index
    following.reverse()
    index = 0
    while index < len(runs):
        other = following[index]
        if other < 0:
            index += 1
            continue
        yield runs[index][0], runs[index][1], runs[other][0], runs[other][1]
        index = other + 1


def plain(text: str) -> str:
    """Return the text without any markup."""
    return re.sub(f"[{OPEN}{CLOSE}]", "", marked(text))


def is_bold(text: str) -> bool:
    """Say whether a paragraph is one run of bold text, which pages use as a small heading."""
    return re.fullmatch(r"(\*\*|__)(?:(?!\1).)+\1:?", text.strip(), re.DOTALL) is not None


def _outside(text: str) -> str:
    """Text between code spans: links, tags and escapes resolved, emphasis left for later."""
    text = _ESCAPE.sub(lambda match: chr(_PRIVATE + ord(match[1])), text)
    text = _IMAGE.sub(r"\1", text)
    text = _LINK.sub(r"\1", text)
    text = _AUTOLINK.sub("", text)
    return _HTML.sub("", _BREAK.sub(" ", text))
