"""The truth about requests: each one that could have left has an outcome, or the user was told that it has
none.

Several requests may have one id. The venue knows which of them an answer is about; the client's session does
not know it of a refusal, which counts for the oldest of them. So those with an outcome are counted there.
What the venue says of one of them again, such as a fill, counts no more.
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
    """What a request is known by, if a message is one; its number is in its header once it was sent."""
    name = _IDS.get(message.MSG_TYPE)
    if name is None:
        return None
    return message.MSG_TYPE, getattr(message, name), message.header.msg_seq_num if number is None else number


def keys_of(requests: Iterable[OpenRequest]) -> list[Key]:
    """What the session's open requests are known by."""
    return [(one.msg_type, one.request_id, int(_NUMBER.search(one.frame)[1])) for one in requests]  # type: ignore[index]


@attrs.define
class Request:
    """An order, a cancel, a quote."""

    key: Key
    life: int
    """The life of the client's process that sent it."""
    outcome: bool = False
    """Whether the user has taken its outcome."""
    listed: str = ""
    """Why the user was told that its outcome is unknown."""

    @property
    def settled(self) -> bool:
        return self.outcome or bool(self.listed)

    def __str__(self) -> str:
        msg_type, request_id, number = self.key
        return f"{msg_type} {request_id} (number {number})"


class Requests:
    """All requests of the client's user."""

    def __init__(self) -> None:
        self.known: dict[Key, Request] = {}
        self.forgiven = False
        self._may_be_listed: set[Key] = set()
        """What was open in the store when this life of the client began, and what was sent since."""

    def sent(self, key: Key, life: int) -> None:
        self.known[key] = Request(key, life)
        self._may_be_listed.add(key)

    def taken_back(self, key: Key) -> None:
        """It never left: the process died before."""
        self.known.pop(key, None)

    def client_restarted(self, open_keys: set[Key], left: Callable[[Key], bool]) -> None:
        """A new life begins; what the store still has open may be listed from now on."""
        self._may_be_listed = set(open_keys)
        for group in self._groups():
            # What has an outcome was perhaps named, or will be, in place of another one of the same id.
            spare = sum(1 for one in group if one.outcome and (one.listed or one.key in open_keys))
            for request in group:
                if request.settled or request.key in open_keys:
                    continue
                if not left(request.key):
                    del self.known[request.key]
                elif spare:
                    spare -= 1
                elif not self.forgiven:
                    raise Violation("forgotten", f"{request} has no outcome, and the store has lost it")

    def answered(self, key: Key | None, *, ended: bool = False) -> None:
        """The user takes a message that says the outcome of a request; `ended`, that a cancel was done, is
        also the outcome of the order or quote that has the same id."""
        if ended and key is not None:
            for other in self.known.values():
                other.outcome |= other.key[0] in {"D", "S"} and other.key[1] == key[1]
        request = None if key is None else self.known.get(key)
        if request is not None:
            request.outcome = True

    def unknown(self, keys: Iterable[Key], why: str) -> None:
        """The user takes an OutcomesUnknown."""
        for key in keys:
            request = self.known.get(key)
            if request is None:
                raise Violation("invented", f"the outcome of {key} is said to be unknown; it never left")
            if key not in self._may_be_listed and not self.forgiven:
                raise Violation("listed twice", f"{request} is listed ({why}) after it was settled")
            self._may_be_listed.discard(key)
            request.listed = why

    def open(self) -> list[Request]:
        """What is neither answered nor listed; of requests under one id only so many count."""
        found: list[Request] = []
        for group in self._groups():
            unanswered = sorted((one for one in group if not one.outcome), key=lambda one: bool(one.listed))
            listed = sum(1 for one in group if one.listed)
            found += unanswered[: max(0, len(unanswered) - listed)]
        return found

    def _groups(self) -> list[list[Request]]:
        groups = defaultdict[tuple[str, str], list[Request]](list)
        for request in self.known.values():
            groups[request.key[:2]].append(request)
        return list(groups.values())
