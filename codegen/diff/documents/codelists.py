"""Extract the values of coded fields from text.

Recognized forms include `1`=Buy, `6 = Post Only`, Active<0>, REJECTED(1), 1 (MANUAL), and "yes" or "no".
"""

from __future__ import annotations

import re

from codegen.diff.documents.inline import CLOSE, OPEN, mark_code_spans, plain
from codegen.diff.facts import MSG_TYPE, CodeFact, Vocabulary, folded
from codegen.model import CODED_KINDS
from kalshi_fix_adapters.documents.mistakes import Location

# A name ends at punctuation, which begins an explanation.
_LABEL = rf"(?P<label>[A-Za-z][^,;.:()<>{OPEN}{CLOSE}]*)"
# Forms recognizable by their punctuation alone. Outside a code span a value has at most three characters:
# more would match ordinary words. If several forms match a value, the first one wins.
_TEXT_FORMS = tuple(
    re.compile(pattern)
    for pattern in (
        # `1`=Buy, only the value in a code span
        rf"{OPEN}(?P<value>[A-Za-z0-9_-]+){CLOSE}\s*=\s*{OPEN}?{_LABEL}",
        # 6 = Post Only, all of it in a code span
        rf"{OPEN}(?P<value>[A-Za-z0-9]{{1,3}})\s*=\s*{_LABEL}[^{OPEN}{CLOSE}]*{CLOSE}",
        # `1=Buy`, but not 35=D of `8=FIXT.1.1|35=D`, nor the end of 10=1
        rf"(?<![\w=/<{OPEN}.-])(?P<value>\d{{1,3}}|[A-Z])\s?=\s?{_LABEL}",
        # `Active<0>`
        r"(?P<label>[A-Za-z][\w /&'-]*?)\s*<(?P<value>[A-Za-z0-9]{1,3})>",
        # `REJECTED(1)`
        r"\b(?P<label>[A-Z][A-Z0-9_]{2,})\((?P<value>[A-Za-z0-9]{1,3})\)",
        # `1 (MANUAL)`, as the whole text
        r"\A(?P<value>\d{1,3}|[A-Z])\s\((?P<label>[A-Za-z][\w /]*)\)",
        # `1` (Manual), the value in a code span
        rf"{OPEN}(?P<value>[A-Za-z0-9]{{1,3}}){CLOSE}\s\((?P<label>[A-Za-z][\w /-]+)\)",
    )
)
_LIST_FORMS = (
    # `Buy (1), Sell (2)`
    re.compile(r"\b(?P<label>[A-Z][A-Za-z]*(?: [A-Za-z]+)*) \((?P<value>\d{1,3}|[A-Z])\)"),
    # `1: Buy, 2: Sell`
    re.compile(r"(?:\A|[,;]\s*)(?P<value>\d{1,3}|[A-Z])\s*[:\u2013\u2014-]\s*(?P<label>[A-Za-z][^,;]*)"),
)
"""Forms that are accepted only for several values, or for a value that the spec already has."""
# Values that are words: `yes`, "yes", YES.
_WORD = rf"(?:{OPEN}[A-Za-z][\w-]*{CLOSE}|\"[A-Za-z][\w-]*\"|\b[A-Z][A-Z_]{{2,}}\b)"
_WORDS = re.compile(rf"{_WORD}(?:(?:\s*,\s*|\s*/\s*|,?\s+(?:or|and)\s+){_WORD})+")
# Text before a list of values, and before a list of mere examples.
_LIST_LEAD = re.compile(r"(?:values?|one of|either|:)\W*\Z", re.IGNORECASE)
_EXAMPLE_LEAD = re.compile(r"(?:e\.g\.,?|for example,?|such as|like|mirrors .*)[^.]*\Z", re.IGNORECASE)
# In a list whose heading names the field, every item begins with a value, so looser forms are enough.
_ITEM_FORMS = tuple(
    re.compile(pattern)
    for pattern in (
        # `Active<0>`
        rf"[{OPEN}]?(?P<label>[^<>{OPEN}{CLOSE}]+?)[{CLOSE}]?\s*<[{OPEN}]?(?P<value>[^<>\s{CLOSE}]+)[{CLOSE}]?>",
        # `1` = Buy, with or without code spans
        rf"[{OPEN}]?(?P<value>[\w-]+)[{CLOSE}]?\s*=\s*(?P<label>[^:.,;({CLOSE}]+)",
        # `Buy (1)`
        r"(?P<label>[A-Za-z][\w /&'-]*?)\s*\((?P<value>\d{1,4}|[A-Z])\)",
        # `1`: Buy, or `yes` alone, in a code span
        rf"{OPEN}(?P<value>[\w-]+){CLOSE}\s*(?:[:\u2013\u2014-]|\Z)\s*(?P<label>[^:.,;(]*)",
        # `1 - Buy`
        r"(?P<value>\d{1,4}|[A-Z])\s*(?:[:\u2013\u2014-])\s*(?P<label>[^:.,;(]+)",
    )
)
# In `1=Buy or 2=Sell` the second name would begin with `or`.
_LEADING_WORDS = re.compile(r"\A(?:(?:or|and|always|usually|only|either)\s+)+", re.IGNORECASE)


def codes_in_text(text: str, tag: int, vocabulary: Vocabulary, location: Location) -> tuple[CodeFact, ...]:
    """Return the codes that a description of a field lists; none if the field's type has no codes."""
    if vocabulary.kinds.get(tag, "STRING") not in CODED_KINDS:
        return ()
    text = mark_code_spans(text)
    found: dict[str, tuple[int, str]] = {}
    for pattern in _TEXT_FORMS:
        for match in pattern.finditer(text):
            value, label = match["value"], _LEADING_WORDS.sub("", match["label"]).strip()
            if not _is_reference(value, label, tag, vocabulary):
                found.setdefault(value, (match.start(), label))
    for pattern in _LIST_FORMS if not found else ():
        matches = list(pattern.finditer(text))
        pairs = ((each["value"], each["label"]) for each in matches)
        values = {value for value, label in pairs if not _is_reference(value, label, tag, vocabulary)}
        # A single pair may be anything, such as `Section (3)`; two are a list, and so is one with a known
        # value.
        if not found and (len(values) > 1 or values & vocabulary.codes.get(tag, {}).keys()):
            found = {each["value"]: (each.start(), each["label"]) for each in matches}
    if not found:
        found = _word_values(text, tag, vocabulary)
    by_position = sorted(found.items(), key=lambda item: item[1][0])
    return tuple(CodeFact(location, value, label) for value, (_, label) in by_position)


def code_of_item(text: str, location: Location) -> CodeFact | None:
    """Return the code that an item of a list of codes describes, or None."""
    text = mark_code_spans(text)
    for pattern in _ITEM_FORMS:
        if match := pattern.match(text):
            return CodeFact(location, match["value"], match["label"].strip())
    return None


def code_of_cells(value: str, label: str, location: Location) -> CodeFact | None:
    """Return the code of a table row, or None if the value cell is not one word. `N (default)` is read as
    N.
    """
    match = re.match(r"([\w-]+)\s*(?:\(([^)]*)\))?\Z", plain(value))
    return CodeFact(location, match[1], plain(label) or match[2] or "") if match else None


def _is_reference(value: str, label: str, tag: int, vocabulary: Vocabulary) -> bool:
    """Return whether a text refers to something other than a code of the field it describes."""
    name = folded(label)
    # `Seconds between Heartbeat<0>` names a message by its type. In the list of MsgType, all values do so.
    message = folded(vocabulary.messages.get(value, ""))
    if tag != MSG_TYPE and message and name.endswith(message):
        return True
    # `Symbol<55>` and `55=Symbol` name a field, `18=E` a field's value, `SecurityStatus<35=f>` a message.
    if value.isdigit():
        is_value = len(label) == 1 and int(value) in vocabulary.fields
        is_message = value == "35" and label in vocabulary.messages
        if is_value or is_message or folded(vocabulary.fields.get(int(value), "")) == name:
            return True
    # `Present on EXPIRED(2)` names a code of another field.
    return value not in vocabulary.codes.get(tag, {}) and any(
        folded(codes.get(value, "")) == name != ""
        for other, codes in vocabulary.codes.items()
        if other != tag
    )


def _word_values(text: str, tag: int, vocabulary: Vocabulary) -> dict[str, tuple[int, str]]:
    """Return the values that are words: the longest list that the text does not introduce as examples.

    If the spec has the field but no values for it, the text must introduce the list, as in `one of`. If the
    text has no list, the known values in it are returned, if there are at least two.
    """
    best: re.Match[str] | None = None
    for match in _WORDS.finditer(text):
        text_before = text[: match.start()]
        # A new field may have values. For a field without values in the spec, the list needs an introduction.
        may_have_values = tag not in vocabulary.fields or tag in vocabulary.codes
        if _EXAMPLE_LEAD.search(text_before) or not (may_have_values or _LIST_LEAD.search(text_before)):
            continue
        if best is None or len(match[0]) > len(best[0]):
            best = match
    if best is None:
        known_words = [
            value for value in vocabulary.codes.get(tag, {}) if len(value) > 1 and not value.isdigit()
        ]
        locations = {
            value: re.search(rf"(?<![\w-]){re.escape(value)}(?![\w-])", text) for value in known_words
        }
        mentioned = {value: (match.start(), "") for value, match in locations.items() if match is not None}
        return mentioned if len(mentioned) > 1 else {}
    start = best.start()
    words = re.findall(_WORD, best[0])
    return {re.sub(rf'[{OPEN}{CLOSE}"]', "", word): (start + index, "") for index, word in enumerate(words)}
