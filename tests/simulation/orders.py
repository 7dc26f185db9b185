"""The true state of requests, to check that each request that may have been sent has an outcome, or was
reported to the user as having an unknown one.

Several requests may have the same id. The venue knows which of them it answers. The client's session cannot
know to which of them a refusal belongs, and applies it to the oldest request. Requests with the same id are
therefore not matched one by one: only their number is compared with the number of outcomes. Later reports
about an answered request, such as fills, are not counted.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import attrs

from kalshi_fix_sansio.events import OpenRequest
from tests.simulation.violation import Violation

Key = tuple[str, str, int]
"""MsgType, id and MsgSeqNum of a request."""
_IDS = {"D": "cl_ord_id", "F": "cl_ord_id", "S": "quote_id", "Z": "quote_id", "R": "quote_req_id"}
_IDS["UE"] = _IDS["R"]
_NUMBER = re.compile(rb"\x0134=(\d+)\x01")


def key_of(message: Any, number: int | None = None) -> Key | None:
    """Return the key of a message if it is a request. Once it is sent, its header contains its number."""
    name = _IDS.get(message.MSG_TYPE)
    if name is None:
        return None
    return message.MSG_TYPE, getattr(message, name), message.header.msg_seq_num if number is None else number


def keys_of(requests: Iterable[OpenRequest]) -> list[Key]:
    """Return the keys of the session's open requests."""
    return [(one.msg_type, one.request_id, int(_NUMBER.search(one.frame)[1])) for one in requests]  # type: ignore[index]


@attrs.define
class Request:
    """An order, a cancel or a quote."""

    key: Key
    incarnation: int
    """The incarnation of the client's process that sent it."""
    has_outcome: bool = False
    """Whether the user has taken its outcome."""
    unknown_reason: str = ""
    """The reason why its outcome was reported to the user as unknown; empty if it was not."""

    @property
    def settled(self) -> bool:
        return self.has_outcome or bool(self.unknown_reason)

    def __str__(self) -> str:
        msg_type, request_id, number = self.key
        return f"{msg_type} {request_id} (number {number})"


class Requests:
    """All requests of the client's user."""

    def __init__(self) -> None:
        self.known: dict[Key, Request] = {}
        self.losses_allowed = False
        """Whether a disk has lost committed changes, so requests may be lost."""
        self._may_be_reported_unknown: set[Key] = set()
        """Requests that OutcomesUnknown may contain: those that were open in the store when the client's
        current process started, and those sent since then.
        """

    def record_sent(self, key: Key, incarnation: int) -> None:
        self.known[key] = Request(key, incarnation)
        self._may_be_reported_unknown.add(key)

    def record_unsent(self, key: Key) -> None:
        """Remove a request that was never sent, because the process died first."""
        self.known.pop(key, None)

    def client_restarted(self, open_keys: set[Key], was_written: Callable[[Key], bool]) -> None:
        """Record that the client's process restarted: only requests that are still open in the store may be
        reported as unknown from now on."""
        self._may_be_reported_unknown = set(open_keys)
        for group in self._groups():
            # Requests with the same id are compared by their number. A request that has an outcome, although
            # it is open or reported as unknown, makes up for one without an outcome, because the session may
            # have matched an answer to the wrong one of them.
            surplus = sum(
                1 for one in group if one.has_outcome and (one.unknown_reason or one.key in open_keys)
            )
            for request in group:
                if request.settled or request.key in open_keys:
                    continue
                if not was_written(request.key):
                    del self.known[request.key]
                elif surplus:
                    surplus -= 1
                elif not self.losses_allowed:
                    raise Violation("forgotten", f"{request} has no outcome, and the store has lost it")

    def record_outcome(self, key: Key | None, *, ended: bool = False) -> None:
        """Record that the user took a message with the outcome of a request. With `ended`, the message
        reports an executed cancel; this is also the outcome of the order or quote with the same id.
        """
        if ended and key is not None:
            for other in self.known.values():
                other.has_outcome |= other.key[0] in {"D", "S"} and other.key[1] == key[1]
        request = None if key is None else self.known.get(key)
        if request is not None:
            request.has_outcome = True

    def record_unknown(self, keys: Iterable[Key], why: str) -> None:
        """Record that the user took an OutcomesUnknown."""
        for key in keys:
            request = self.known.get(key)
            if request is None:
                raise Violation(
                    "invented", f"the outcome of {key} is reported as unknown, but it was never sent"
                )
            if key not in self._may_be_reported_unknown and not self.losses_allowed:
                raise Violation("listed twice", f"{request} is listed ({why}) after it was settled")
            self._may_be_reported_unknown.discard(key)
            request.unknown_reason = why

    def unsettled(self) -> list[Request]:
        """Return the requests that were neither answered nor reported as unknown; requests with the same id
        are compared by count."""
        found: list[Request] = []
        for group in self._groups():
            unanswered = sorted(
                (one for one in group if not one.has_outcome), key=lambda one: bool(one.unknown_reason)
            )
            reported = sum(1 for one in group if one.unknown_reason)
            found += unanswered[: max(0, len(unanswered) - reported)]
        return found

    def _groups(self) -> list[list[Request]]:
        groups = defaultdict[tuple[str, str], list[Request]](list)
        for request in self.known.values():
            groups[request.key[:2]].append(request)
        return list(groups.values())
