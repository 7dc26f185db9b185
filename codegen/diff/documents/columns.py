"""Roles of table columns, and the words that pages use in them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from codegen.diff.documents.inline import plain
from codegen.model import INTEGER_KINDS

# Roles of columns, each with a pattern that must match the whole heading in lower case. The first matching
# role wins. `35` and `#` are included because pages use them as headings.
_ROLES: tuple[tuple[str, str], ...] = (
    ("msg_type", r"(?:msg|message) ?types?(?: \(?35\)?)?|35"),
    ("tag", r"(?:fix |field )?tag(?: ?#| no\.?| numbers?| ids?)?|field (?:#|no\.?|numbers?|ids?)|#|no\."),
    ("name", r"(?:fix |field |tag |message |param(?:eter)? )?names?|fields?|keys?"),
    ("type", r"(?:fix |data ?|field |value )?types?|formats?"),
    ("type_or_values", r"types? ?(?:/|or|and) ?(?:allowed |supported )?values?"),
    ("required", r"req(?:uired|'d|\.)?\??|mandatory\??|presence|required ?/ ?optional|m/o|optionality"),
    ("values", r"(?:allowed |supported |valid |possible |accepted |enum |code )?values?|enum(?:s|eration)?"),
    ("code", r"(?:reason |reject(?:ion)? )?codes?"),
    ("default", r"default(?: value)?s?"),
    ("sessions", r"sessions?(?: types?)?"),
    ("direction", r"directions?|flows?|senders?|sent by"),
    ("port", r"(?:tcp )?ports?"),
    ("target", r"target ?comp ?id(?: \(56\)| 56)?"),
    ("environment", r"env(?:ironment)?s?"),
    ("description", r"descriptions?|notes?|comments?|details?|meanings?|usage|use cases?|definitions?"),
    ("description", r"remarks?|purposes?|restrictions?|behaviou?rs?|(?:common )?causes?|explanations?"),
    ("label", r"reasons?|labels?|status|titles?"),
)
# `Order Entry Host` or `Endpoint`: any words before `Host` or `Endpoint` name the role of the host.
_HOST = re.compile(r"(.*?)\s*(?:host(?: ?names?)?|endpoints?|address(?:es)?|domains?)\Z")
# `Text (58)`: the column contains values of that field.
_NAME_AND_TAG = re.compile(r"(.+?)\s*[(<](?:tag )?(\d+)[)>]\Z", re.IGNORECASE)

# Words for each of QuickFIX's flags; C means required in some cases. `Y*` is one of them, because it refers
# to a note below the table that states the condition.
_REQUIREMENT_WORDS = {
    "Y": r"y|yes|true|required|req|mandatory|m|always|✓|✔|✅|x",
    "N": r"n|no|false|optional|opt|o|not required|✗|✘|❌|-|\u2013|\u2014",
    "C": r"c|cond\.?|conditional(?:ly)?(?: required)?|conditionally required|depends|y\*|n\*",
}
_KINDS = {
    "STRING": r"strings?|text|uuid|guid|ascii|multiple ?(?:char|string) ?values?|currency|exchange",
    "CHAR": r"char|character",
    "INT": r"ints?|integers?|numbers?|long|u?int(?:32|64)|seq ?num|length|num ?in ?group|day ?of ?month",
    "DECIMAL": r"decimals?|float|double|prices?|price ?offset|qty|quantity|amt|amount|percent(?:age)?",
    "BOOLEAN": r"bool(?:ean)?",
    "UTCTIMESTAMP": r"utc ?time ?stamp|time ?stamp|date ?time|utc ?date ?time",
    "UTCDATEONLY": r"utc ?date(?: ?only)?|date|local ?mkt ?date",
    "UTCTIMEONLY": r"utc ?time(?: ?only)?|time(?: ?only)?",
    "DATA": r"data|bytes|raw ?data",
    "NUMINGROUP": r"(?:repeating )?group",
    "CODED": r"enum(?:eration)?|code",
}
"""Words that pages use for a type, by lexical kind; INT includes lengths, counts and sequence numbers."""


def roles(header: Sequence[str]) -> dict[str, int]:
    """Return the index of the column for each role, as determined from the headings. If two columns have the
    same role, the first is used.

    A column about a field, such as `Text (58)`, has the role `field 58`. A column of hosts has the role
    `host`, or, if its heading names the role of the hosts, a role such as `host order entry`.
    """
    columns: dict[str, int] = {}
    for index, cell in enumerate(header):
        if role := _role(plain(cell).strip(" :")):
            columns.setdefault(role, index)
    # In a list of codes, the column `Value` contains the codes. `tables.read` uses this role only if the
    # text above the table announces a list of codes.
    if "values" in columns and "code" not in columns:
        columns["code"] = columns["values"]
    return columns


def _role(text: str) -> str | None:
    lowercase = text.lower()
    for role, words in _ROLES:
        if re.fullmatch(words, lowercase):
            return role
    if tagged := _NAME_AND_TAG.match(text):
        return f"field {tagged[2]}"
    if host := _HOST.match(lowercase):
        return f"host {host[1]}".strip()
    return None


def required(cell: str) -> str | None:
    """Return Y, N or C for a cell of the column that marks required fields; None for an unknown word."""
    text = plain(cell).strip().lower()
    for flag, words in _REQUIREMENT_WORDS.items():
        if re.fullmatch(words, text):
            return flag
    # `Yes (limit orders)`: conditionally required.
    if re.match(r"(?:yes|y|required|conditional|c)\b[ ,(:*]", text):
        return "C"
    return None


def kind(text: str) -> str | None:
    """Return the lexical kind of a page's word for a type; None for an unknown word."""
    lowercase = re.sub(r"[\s_-]+", " ", plain(text).strip().lower())
    # `String (36)`, `Char[1]`: the length is not part of the type.
    lowercase = re.sub(r"\s*(?:\(.*\)|\[.*\])\Z", "", lowercase)
    return next((name for name, words in _KINDS.items() if re.fullmatch(words, lowercase)), None)


def same_kind(page_kind: str, spec_kind: str) -> bool:
    """Return whether a page's kind is compatible with a lexical kind of the spec."""
    if page_kind == "CODED":
        return spec_kind in ("STRING", "CHAR", "INT", "BOOLEAN")
    return page_kind == spec_kind or (page_kind == "INT" and spec_kind in INTEGER_KINDS)


def requirement_of_heading(text: str) -> str:
    """Return Y if a heading announces required fields, O if it announces optional or conditional fields, and
    otherwise an empty string.
    """
    lowercase = text.lower()
    # `Required Fields`, but not `Required Permissions`.
    if not re.search(r"\b(?:fields?|tags?|parameters?|flags?)\b", lowercase):
        return ""
    if re.search(r"\b(?:optional|conditional)\b", lowercase):
        return "O"
    return "Y" if re.search(r"\b(?:required|mandatory)\b", lowercase) else ""
