"""Parse the headings above tables and lists."""

from __future__ import annotations

import re
from datetime import datetime

import attrs

from codegen.diff.documents.columns import requirement_of_heading
from codegen.diff.documents.inline import plain
from codegen.diff.facts import Vocabulary, folded

VENUE_WORDS = frozenset({"exchange", "server", "gateway", "venue", "acceptor"})
"""Words for the venue's side, besides its name; any other party is a client."""

# `35=D`, `MsgType: D`, `MsgType="D"`.
NAMED_MSG_TYPE = re.compile(r"\b(?:35\s*=|Msg ?Type\s*[=:])\s*[\"'`]?([A-Za-z0-9]{1,6})\b")
# The parts that do not belong to the message's name: `(35=D)`, `[MsgType=D]`, or a bare `35=D`.
_MSG_TYPE_PART = re.compile(r"[(<\[]\s*(?:Msg ?Type\s*)?(?:35\s*)?[=:].*?[)>\]]|\b35\s*=\s*\w+")
# `Client → Server`, with any of the arrows that pages use.
_ARROW = re.compile(r"([\w /]+?)\s*(?:→|->|⟶|⇒|=>|➜)\s*([\w ]+)")
# `OrdStatus (39)`, `Side<54>`, `Text (tag 58)`.
_TAG_IN_BRACKETS = re.compile(r"[(<](?:tag\s+)?(\d+)[)>]", re.IGNORECASE)
# `Create (Action=1)`: the table below applies when Action is 1.
_CONDITION = re.compile(r"\(([A-Za-z]\w*)\s*=\s*(\w+)\)")
# `453=NoPartyIDs`, `(NoPartyIDs)`, or NoPartyIDs with one of the words of `_GROUP_WORDS`.
_GROUP = re.compile(r"\b(?:(\d+)\s*=\s*)?(No[A-Z]\w+)\b")
_GROUP_WORDS = re.compile(r"\b(?:inside|within|entry of|entries of|group)\b", re.IGNORECASE)
NUMBER = re.compile(r"\A\d+(?:\.\d+)*[.)]?\s+(?=[A-Za-z])")
"""Number of a section."""
# `v1.0.32` and `Version 1.0.32` anywhere. A number alone is a version only at the beginning of the text, and
# only before its end, a year, an opening parenthesis, a dash or a colon: `1.5 seconds` is not a version.
_VERSION = re.compile(
    r"\b(?:version\s+|v)(\d+(?:\.\d+)+)\b|\A(\d+(?:\.\d+)+)(?=\s*(?:\Z|[(\u2013\u2014:-]|\d{4}))",
    re.IGNORECASE,
)
# `2026-09-01`, `Sep 1st, 2026` and `1 September 2026`.
_ISO = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_MONTH = r"(?P<month>[A-Z][a-z]{2,8})\.?"
_YEAR = r"(?P<year>\d{4})"
_MONTH_FIRST_DATE = re.compile(rf"\b{_MONTH}\s+{_DAY},?\s+{_YEAR}\b")
_DAY_FIRST_DATE = re.compile(rf"\b{_DAY}\s+{_MONTH},?\s+{_YEAR}\b")


@attrs.frozen
class ParsedHeading:
    """Content of one heading."""

    text: str = ""
    messages: tuple[str, ...] = ()
    """MsgTypes named as 35=…; if there are several, the content below is not assigned to any of them."""
    named_message: str | None = None
    """MsgType of the message that the heading names, if it has no 35=."""
    mentioned_message: str | None = None
    """MsgType of the message whose name is a word of the heading, if there is exactly one."""
    title: str = ""
    """Name that the heading gives the message."""
    block: str | None = None
    """`header` or `trailer`."""
    tag: int | None = None
    """Field whose values are listed below."""
    group: str | None = None
    """Name of the counter whose group is laid out below."""
    when: tuple[str, str] | None = None
    """Name and value of the field on which the content below depends."""
    sender: str | None = None
    required: str = ""
    version: str = ""
    date: str = ""
    environment: str = ""
    tab: str = ""
    """Title of a tab in lower case, possibly an environment that the spec does not have."""


def read(text: str, vocabulary: Vocabulary) -> ParsedHeading:
    """Parse one heading, the title of a component, or a paragraph in bold."""
    text = NUMBER.sub("", plain(text).strip(" :"))
    # A heading with 35=… is about that message, and its brackets contain no field or condition.
    messages = tuple(dict.fromkeys(NAMED_MSG_TYPE.findall(text)))
    title = _MSG_TYPE_PART.sub("", text).strip(" :-\u2013")
    # A type in brackets without 35=, as in `Logon (A)`, is recognized only after a known message name.
    named_message = (
        None if messages else vocabulary.msg_type_of(re.sub(r"\s*[(<\[][A-Za-z]\w?[)>\]]\Z", "", text))
    )
    tag_match = None if messages else _TAG_IN_BRACKETS.search(text)
    condition = None if messages else _CONDITION.search(text)
    group = _GROUP.search(text)
    version = _VERSION.search(text)
    # `Standard Message Header`, `FIX Trailer` and similar.
    block = re.fullmatch(r"(?:standard|message|standardmessage|fix)?(header|trailer)", folded(title))
    return ParsedHeading(
        text=text,
        messages=messages,
        named_message=named_message,
        mentioned_message=None if messages or named_message else _mentioned_msg_type(text, vocabulary),
        title=title,
        block=block[1] if block else None,
        tag=int(tag_match[1]) if tag_match else _tag_of(text, vocabulary) if named_message is None else None,
        # A counter that is only mentioned in passing does not mean that its group is laid out below.
        group=group[2]
        if group and (group[1] or f"({group[2]})" in text or _GROUP_WORDS.search(text))
        else None,
        when=(condition[1], condition[2]) if condition else None,
        sender=sender_by_arrow(text, vocabulary.venue),
        required=requirement_of_heading(text),
        version=(version[1] or version[2]) if version else "",
        date=date_in(text),
        environment=next((e for e in vocabulary.environments if re.search(rf"\b{e}\b", text.lower())), ""),
    )


def _sender_of(party: str, venue: str) -> str:
    """Return `venue` or `client` for a word such as Server or Market Maker."""
    words, venue_name = set(re.findall(r"[a-z]+", party.lower())), venue.split()
    return "venue" if words & VENUE_WORDS or (venue_name and words.issuperset(venue_name)) else "client"


def date_in(text: str) -> str:
    """Return the first date in a text in ISO format, or an empty string."""
    if iso := _ISO.search(text):
        return iso[0]
    match = _MONTH_FIRST_DATE.search(text) or _DAY_FIRST_DATE.search(text)
    if match is None:
        return ""
    date = f"{match['month'][:3]} {match['day']} {match['year']}"
    try:
        return datetime.strptime(date, "%b %d %Y").date().isoformat()  # noqa: DTZ007
    except ValueError:
        return ""


def sender_by_arrow(text: str, venue: str) -> str | None:
    """Return the sender to the left of an arrow, as in `Client → Server`: `client` or `venue`, or None."""
    arrow = _ARROW.search(text)
    if arrow is None:
        return None
    # Any party but the venue is a client, so an arrow between two clients does not determine the sender.
    left, right = _sender_of(arrow[1], venue), _sender_of(arrow[2], venue)
    return left if left != right else None


def _mentioned_msg_type(text: str, vocabulary: Vocabulary) -> str | None:
    """Return the MsgType of the message whose name is a word of the text, if there is exactly one."""
    msg_types_by_name = {name: msg_type for msg_type, name in vocabulary.messages.items()}
    words = re.findall(r"[A-Z]\w+", text)
    msg_types = {msg_types_by_name[word] for word in words if word in msg_types_by_name}
    return msg_types.pop() if len(msg_types) == 1 else None


def _tag_of(text: str, vocabulary: Vocabulary) -> int | None:
    """Return the tag of the field that is the whole heading, apart from `Values` or `Codes` at its end."""
    name = re.sub(r"\s+(?:values?|codes?)\Z", "", text, flags=re.IGNORECASE)
    return vocabulary.tag_of(name) if re.fullmatch(r"[A-Z]\w+(?: [A-Z]\w+)*", name) else None
