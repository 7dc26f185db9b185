"""Parse the bullet lists of a page: values of a coded field, and known values of Text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from codegen.diff.documents import codelists
from codegen.diff.documents.inline import plain
from codegen.diff.documents.markdown import Item
from codegen.diff.facts import TEXT, CodesFact, Fact, TextFact, UnreadableFact, Vocabulary
from kalshi_fix_adapters.documents.mistakes import Location

# `POST_ONLY_CROSS: the order would have …`: the value, then its meaning.
_TEXT_VALUE = re.compile(r"\A([A-Z][A-Z0-9_]{2,})\b(.*)\Z", re.DOTALL)
# `maps to OrdRejReason "Other"`: the field and the name of the code.
_MAPPED_CODE = re.compile(r"maps? to (\w+) [\"“]?([A-Za-z][\w ]*?)[\"”.]", re.IGNORECASE)


def read(
    items: Sequence[Item], tag: int, message: str | None, file: str, vocabulary: Vocabulary, *, certain: bool
) -> list[Fact]:
    """Return the facts of a list of values of a field.

    With `certain`, a heading announces the list, and an item without a value is reported as unreadable.
    Otherwise, or if the field is not known to have values, the list is used only if every item has a value.
    """
    located = [(item, Location(file, item.line)) for item in items]
    # Values of Text are upper-case words, and belong to the message that contains the field.
    if tag == TEXT:
        return [_text(item, location, message) for item, location in located] if certain else []
    parsed = [(location, codelists.code_of_item(item.text, location)) for item, location in located]
    codes = tuple(code for _, code in parsed if code is not None)
    # A list below a paragraph may be about anything, so one item without a value disqualifies it.
    if len(codes) < len(items) and not (certain and tag in vocabulary.codes):
        return []
    problem = f"a list item for {tag} has no value"
    unreadable = [UnreadableFact(location, problem) for location, code in parsed if code is None]
    return [*([CodesFact(codes[0].location, tag, codes, complete=True)] if codes else []), *unreadable]


def _text(item: Item, location: Location, message: str | None) -> Fact:
    match = _TEXT_VALUE.match(plain(item.text))
    if match is None or message is None:
        problem = "a list item for Text has no value, or does not belong to exactly one message"
        return UnreadableFact(location, problem)
    mapped = _MAPPED_CODE.search(f"{match[2]}.")
    field, code = (mapped[1], mapped[2]) if mapped else ("", "")
    return TextFact(location, message, match[1], field, code)


def announced_field(text: str, vocabulary: Vocabulary) -> int | None:
    """Return the field whose values a paragraph announces, as in `Values of Side (54):`, or None."""
    words = plain(text)
    if not words.endswith(":"):
        return None
    # A paragraph with two tags, or with a tag that has no coded values, announces something else.
    tags = {int(tag) for pair in re.findall(r"[(<](\d+)[)>]|\btag (\d+)\b", words) for tag in pair if tag}
    return tags.pop() if len(tags) == 1 and tags <= vocabulary.codes.keys() else None
