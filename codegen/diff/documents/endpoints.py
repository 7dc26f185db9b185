"""Reads hosts, session types and where messages flow."""

from __future__ import annotations

import re
from collections.abc import Iterator

from codegen.diff.documents.headings import sender_by_arrow
from codegen.diff.facts import Fact, FlowsSaid, HostSaid, SessionSaid, Unread, Vocabulary
from kalshi_fix_adapters.documents.mistakes import Location

# Three labels at the least: `example.com` in running text is no gateway.
_HOST_NAME = r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.){2,}[a-z]{2,}"
# Not part of an address of mail or of a path, and with no path behind it.
_HOST = re.compile(rf"(?<![\w@/.-]){_HOST_NAME}(?![\w.-]*/)(?!-)\b")
# `Order Entry Host: fix.example.com`, of which this is the part from `Host` on.
_WITH_ROLE = re.compile(rf"(?<=\s)host(?:name)?s?\s*(?::|=|is|\u2013|-)\s*({_HOST_NAME})", re.IGNORECASE)
_NO_ROLE = re.compile(r"[^\w /-]")
_LETTER = re.compile("[A-Za-z]")
# A label of a host: `fix`, `demo-fix`, `fix-margin`.
_FIX_LABEL = re.compile(r"(?:\w[\w-]*-)?fix(?:-[\w-]+)?\Z")
# What fewer letters begin is too often something else.
_LEAST_PREFIX = 4


def session_names(text: str, vocabulary: Vocabulary) -> list[str]:
    """The session types that a text names: the known ones, and what is called like them.

    Where all known ones begin alike (KalshiNR, KalshiRT), any other word that begins so in front of capitals
    is one too, and `KalshiNR/RT` names both.
    """
    prefix = _shared_start(vocabulary.sessions)
    if len(vocabulary.sessions) < 2 or len(prefix) < _LEAST_PREFIX:
        return [name for name in vocabulary.sessions if re.search(rf"\b{re.escape(name)}\b", text)]
    found: list[str] = []
    for match in re.finditer(rf"\b{re.escape(prefix)}([A-Z0-9]{{2,}}(?:/[A-Z]{{2,}}\b)*)", text):
        found += [prefix + tail for tail in match[1].split("/")]
    return list(dict.fromkeys(found))


def _shared_start(names: tuple[str, ...]) -> str:
    """The common prefix of all names."""
    # What the first and the last in order share, all of them share.
    first, last = min(names, default=""), max(names, default="")
    same = next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[:same]


def only_sessions(text: str, vocabulary: Vocabulary) -> tuple[str, ...]:
    """The session types of `KalshiRT and KalshiPT only`; none where the text limits nothing."""
    match = re.search(r"([^.;(]*)\bonly\b", text)
    return tuple(session_names(match[1], vocabulary)) if match else ()


def hosts_with_roles(text: str, location: Location, environment: str) -> Iterator[HostSaid]:
    """The hosts of a line such as `Order Entry Host: fix.example.com`."""
    end = 0
    for match in _WITH_ROLE.finditer(text):
        # The role stands in front of what was found: looked for first, it would be tried from every letter.
        before = _NO_ROLE.split(text[end : match.start()].rstrip())[-1]
        end = match.end()
        if first := _LETTER.search(before):
            yield HostSaid(location, environment, before[first.start() :].strip(), match[1])


def hosts_of_text(text: str, location: Location) -> Iterator[HostSaid]:
    """The hosts of a FIX gateway in running text or examples, known by a label `fix` or `…-fix`."""
    # An address with a scheme leads to a page or to another API.
    for match in _HOST.finditer(re.sub(r"\w+://\S+", "", text)):
        if any(_FIX_LABEL.match(label) for label in match[0].split(".")):
            yield HostSaid(location, "", "", match[0])


def is_host(text: str) -> bool:
    """Whether a text is the name of a host, perhaps with a port."""
    return re.fullmatch(rf"{_HOST_NAME}(?::\d+)?", text) is not None


def session_row(name: str, port: str, environment: str, location: Location) -> SessionSaid | Unread:
    """A row of a table of endpoints."""
    if not re.fullmatch(r"\w+", name):
        return Unread(location, f"`{name}` is no TargetCompID")
    if not re.fullmatch(r"\d{2,5}", port):
        return Unread(location, f"`{port}` is no port")
    return SessionSaid(location, environment, name, int(port))


def flows(
    msg_type: str, name: str, sessions: str | None, direction: str, location: Location, vocabulary: Vocabulary
) -> Fact:
    """Where a message flows, from a row of a table of messages.

    `sessions` is None where the table has no such column; `direction` may name them then: `Both (RT only)`.
    Where a direction names sessions of its own (`KalshiRT: Client -> Server; …`), each holds for those.
    """
    listed = session_names(sessions or "", vocabulary)
    if sessions and not listed and sessions.strip().lower() not in ("all", "any", "all sessions"):
        return Unread(location, f"`{sessions}` names no session type")
    found: set[tuple[str, str]] = set()
    named: set[str] = set()
    for part in direction.split(";"):
        senders = _senders(part)
        if senders is None:
            return Unread(location, f"`{part.strip()}` is no direction")
        own = session_names(part, vocabulary)
        named.update(own)
        found |= {(session, sender) for session in own or listed or [""] for sender in senders}
    if named and listed and named != set(listed):
        return Unread(location, f"`{sessions}` and `{direction}` name different session types")
    return FlowsSaid(location, msg_type, name, frozenset(found))


def _senders(text: str) -> tuple[str, ...] | None:
    # The session types in front of a direction: `KalshiRT: Client -> Server`.
    text = re.sub(r"\A\s*[\w, ]+:", "", text)
    if re.match(r"\s*(?:both|either|bidirectional)\b|.*(?:<->|↔)", text.lower()):
        return ("client", "venue")
    words = {"inbound": "client", "in": "client", "outbound": "venue", "out": "venue", "client": "client"}
    words |= {"server": "venue", "exchange": "venue"}
    sender = words.get(text.strip().lower()) or sender_by_arrow(text)
    return (sender,) if sender else None
