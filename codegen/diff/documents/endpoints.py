"""Parse hosts, session types and message flows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from os.path import commonprefix

from codegen.diff.documents.headings import sender_by_arrow
from codegen.diff.facts import Fact, FlowsFact, HostFact, SessionFact, UnreadableFact, Vocabulary
from kalshi_fix_adapters.documents.mistakes import Location

# At least three labels: `example.com` in running text is not a gateway.
_HOST_NAME = r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.){2,}[a-z]{2,}"
# A host that is not part of an email address or a path, and is not followed by a path.
_HOST = re.compile(rf"(?<![\w@/.-]){_HOST_NAME}(?![\w.-]*/)(?!-)\b")
# `Order Entry Host: fix.example.com`; this matches from `Host` on.
_HOST_AFTER_ROLE = re.compile(
    rf"(?<=\s)host(?:name)?s?\s*(?::|=|is|\u2013|-)\s*({_HOST_NAME})", re.IGNORECASE
)
# A character that cannot be part of a role.
_NOT_IN_ROLE = re.compile(r"[^\w /-]")
_LETTER = re.compile("[A-Za-z]")
# Label of a host name: `fix`, `demo-fix`, `fix-margin`.
_FIX_LABEL = re.compile(r"(?:\w[\w-]*-)?fix(?:-[\w-]+)?\Z")
# A shorter prefix matches too many other words.
_MIN_PREFIX = 4


def session_names(text: str, vocabulary: Vocabulary) -> list[str]:
    """Return the session types that a text names: known ones, and words of the same pattern.

    If all known session types share a prefix (KalshiNR, KalshiRT), any other word made of the prefix and
    capitals is a session type too. `KalshiNR/RT` names both.
    """
    prefix = commonprefix(vocabulary.sessions)  # noqa: RUF071 - of names, not of paths
    if len(vocabulary.sessions) < 2 or len(prefix) < _MIN_PREFIX:
        return [name for name in vocabulary.sessions if re.search(rf"\b{re.escape(name)}\b", text)]
    names: list[str] = []
    for match in re.finditer(rf"\b{re.escape(prefix)}([A-Z0-9]{{2,}}(?:/[A-Z]{{2,}}\b)*)", text):
        names += [prefix + tail for tail in match[1].split("/")]
    return list(dict.fromkeys(names))


def only_sessions(text: str, vocabulary: Vocabulary) -> tuple[str, ...]:
    """Return the session types of `KalshiRT and KalshiPT only`; none if the text contains no such
    restriction.
    """
    match = re.search(r"([^.;(]*)\bonly\b", text)
    return tuple(session_names(match[1], vocabulary)) if match else ()


def hosts_with_roles(text: str, location: Location, environment: str) -> Iterator[HostFact]:
    """Yield the hosts of a line such as `Order Entry Host: fix.example.com`."""
    end = 0
    for match in _HOST_AFTER_ROLE.finditer(text):
        # The role precedes the match. A pattern that began with the role would try every letter as a start.
        role = _NOT_IN_ROLE.split(text[end : match.start()].rstrip())[-1]
        end = match.end()
        if first := _LETTER.search(role):
            yield HostFact(location, environment, role[first.start() :].strip(), match[1])


def hosts_of_text(text: str, location: Location) -> Iterator[HostFact]:
    """Yield FIX gateway hosts in running text or examples, recognized by a label such as `fix`,
    `demo-fix` or `fix-margin`.
    """
    # A URL with a scheme leads to a page or to another API.
    for match in _HOST.finditer(re.sub(r"\w+://\S+", "", text)):
        if any(_FIX_LABEL.match(label) for label in match[0].split(".")):
            yield HostFact(location, "", "", match[0])


def is_host(text: str) -> bool:
    """Return whether a text is a host name, with or without a port."""
    return re.fullmatch(rf"{_HOST_NAME}(?::\d+)?", text) is not None


def session_row(name: str, port: str, environment: str, location: Location) -> SessionFact | UnreadableFact:
    """Parse a row of a table of endpoints."""
    if not re.fullmatch(r"\w+", name):
        return UnreadableFact(location, f"`{name}` is not a TargetCompID")
    if not re.fullmatch(r"\d{2,5}", port):
        return UnreadableFact(location, f"`{port}` is not a port")
    return SessionFact(location, environment, name, int(port))


def flows(
    msg_type: str, name: str, sessions: str | None, direction: str, location: Location, vocabulary: Vocabulary
) -> Fact:
    """Parse the flows of a message from a row of a table of messages.

    `sessions` is None if the table has no such column; then `direction` may name them: `Both (RT only)`. A
    direction that names session types (`KalshiRT: Client -> Server; …`) applies only to these.
    """
    listed = session_names(sessions or "", vocabulary)
    if sessions and not listed and sessions.strip().lower() not in ("all", "any", "all sessions"):
        return UnreadableFact(location, f"`{sessions}` names no session type")
    session_senders: set[tuple[str, str]] = set()
    direction_sessions: set[str] = set()
    for part in direction.split(";"):
        senders = _senders(part, vocabulary.venue)
        if senders is None:
            return UnreadableFact(location, f"`{part.strip()}` is not a direction")
        part_sessions = session_names(part, vocabulary)
        direction_sessions.update(part_sessions)
        session_senders |= {
            (session, sender) for session in part_sessions or listed or [""] for sender in senders
        }
    if direction_sessions and listed and direction_sessions != set(listed):
        return UnreadableFact(location, f"`{sessions}` and `{direction}` name different session types")
    return FlowsFact(location, msg_type, name, frozenset(session_senders))


def _senders(text: str, venue: str) -> tuple[str, ...] | None:
    # Session types before a direction: `KalshiRT: Client -> Server`.
    text = re.sub(r"\A\s*[\w, ]+:", "", text)
    if re.match(r"\s*(?:both|either|bidirectional)\b|.*(?:<->|↔)", text.lower()):
        return ("client", "venue")
    words = {"inbound": "client", "in": "client", "outbound": "venue", "out": "venue", "client": "client"}
    words |= {"server": "venue", "exchange": "venue"}
    sender = words.get(text.strip().lower()) or sender_by_arrow(text, venue)
    return (sender,) if sender else None
