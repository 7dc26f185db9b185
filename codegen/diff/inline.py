"""Inline Markdown as the reader sees it: no markup, no escapes, no entities."""

from __future__ import annotations

import html
import re
from functools import lru_cache

OPEN, CLOSE = "\x01", "\x02"
"""What stands around the content of a code span in `marked` text."""

_SPAN = re.compile(r"(`+)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_COMMENT = re.compile(r"<!--.*?-->|\{/\*.*?\*/\}", re.DOTALL)
_IMAGE = re.compile(r"!\[([^\]]*)\]\([^)]*\)")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_AUTOLINK = re.compile(r"<https?://[^>]*>")
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_HTML = re.compile(
    r"</?(?:a|b|code|div|details|em|i|kbd|p|small|span|strong|sub|summary|sup|u)\b[^<>]*>", re.IGNORECASE
)
_STARS = re.compile(r"\*{1,3}(?=\S)(.+?)(?<=\S)\*{1,3}", re.DOTALL)
_UNDERSCORES = re.compile(r"(?<![\w])_{1,3}(?=\S)(.+?)(?<=\S)_{1,3}(?![\w])", re.DOTALL)
_PRIVATE = 0xE000
"""Escaped characters are moved to the private use area, so that they do not count as markup."""


@lru_cache(maxsize=100_000)
def marked(text: str) -> str:
    """Return the text without markup, code spans between OPEN and CLOSE."""
    text = _COMMENT.sub("", text)
    parts: list[str] = []
    end = 0
    for span in _SPAN.finditer(text):
        if text[: span.start()].endswith("\\"):
            continue
        parts.append(_outside(text[end : span.start()]))
        parts.append(f"{OPEN}{html.unescape(span[2].strip())}{CLOSE}")
        end = span.end()
    parts.append(_outside(text[end:]))
    joined = "".join(parts)
    for emphasis in (_STARS, _UNDERSCORES):
        joined = emphasis.sub(r"\1", joined)
    joined = "".join(chr(ord(c) - _PRIVATE) if _PRIVATE <= ord(c) < _PRIVATE + 128 else c for c in joined)
    return re.sub(r"\s+", " ", html.unescape(joined).replace("\xa0", " ")).strip()


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
