"""Inline Markdown rendered to plain text: no markup, no escapes, no entities."""

from __future__ import annotations

import hashlib
import html
import re
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

OPEN, CLOSE = "\x01", "\x02"
"""Characters that `mark_code_spans` puts around the content of a code span."""
# The parser searches for emphasis and links from every delimiter, so the time is quadratic in the length of
# a text full of delimiters.
MAX_TEXT = 16 * 1024
"""Maximum length in characters of a text that is parsed for markup."""

# The HTML rule is not enabled, because it would parse `Side<54>` as a tag.
_PARSER = MarkdownIt("zero").enable(
    ["autolink", "backticks", "emphasis", "entity", "escape", "image", "link", "newline"]
)
_COMMENTS = (("<!--", "-->"), ("{/*", "*/}"))
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]\w{1,31});", re.ASCII)
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
# Only known tags match, because pages write a field as Side<54> and a value as Buy<1>.
_HTML = re.compile(
    r"</?(?:a|b|code|div|details|em|i|kbd|p|small|span|strong|sub|summary|sup|u)\b[^<>]*>", re.IGNORECASE
)


@lru_cache(maxsize=100_000)
def mark_code_spans(text: str) -> str:
    """Return the text without markup, but with OPEN and CLOSE around the content of each code span."""
    # MDX has its own comments, and with HTML disabled the parser outputs HTML comments as text.
    for opening, closing in _COMMENTS:
        text = _without_spans(text, opening, closing)
    if len(text) <= MAX_TEXT:
        tokens: list[Token] = []
        _PARSER.inline.parse(text, _PARSER, {}, tokens)
        # Each token is passed with the preceding one, because the text of an autolink repeats its address.
        text = "".join(
            _token_text(previous, token) for previous, token in zip([None, *tokens], tokens, strict=False)
        )
    return re.sub(r"\s+", " ", text.replace("\xa0", " ")).strip()


def _token_text(previous: Token | None, token: Token) -> str:
    if token.type == "code_inline":
        # Markdown has no entities in code, but pages use them there too.
        return f"{OPEN}{_ENTITY.sub(lambda match: html.unescape(match[0]), token.content.strip())}{CLOSE}"
    if token.type in ("softbreak", "hardbreak"):
        return " "
    if token.type != "text":
        return token.content
    if previous is not None and previous.type == "link_open" and previous.markup == "autolink":
        return ""
    return _HTML.sub("", _BREAK.sub(" ", token.content))


def _without_spans(text: str, opening: str, closing: str) -> str:
    """Return the text without the spans between these delimiters; an unclosed opening delimiter is kept."""
    parts: list[str] = []
    position = 0
    while (start := text.find(opening, position)) >= 0:
        end = text.find(closing, start + len(opening))
        if end < 0:
            break
        parts.append(text[position:start])
        position = end + len(closing)
    return "".join(parts) + text[position:]


def plain(text: str) -> str:
    """Return the text without any markup."""
    return re.sub(f"[{OPEN}{CLOSE}]", "", mark_code_spans(text))


def fingerprint(text: str) -> str:
    """Return eight hexadecimal digits that identify a text without storing it."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def is_bold(text: str) -> bool:
    """Return whether a paragraph is one run of bold text, which pages use as a small heading."""
    return re.fullmatch(r"(\*\*|__)(?:(?!\1).)+\1:?", text.strip(), re.DOTALL) is not None
