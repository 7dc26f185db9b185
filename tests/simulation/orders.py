"""The truth about requests: each one that could have left has an outcome, or the user was told that it has
none."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from tests.simulation.violation import Violation


@attrs.define
class Request:
    """An order or a cancel, by its ClOrdID."""

    request_id: str
    life: int
    """The life of the client's process that sent it."""
    outcome: bool = False
    """Whether the user has taken its outcome."""
    listed: str = ""
    """Why the user was told that its outcome is unknown."""

    @property
    def settled(self) -> bool:
        return self.outcome or bool(self.listed)


class Requests:
    """All requests of the client's user."""

    def __init__(self) -> None:
        self.known: dict[str, Request] = {}
        self.forgiven = False
        self._may_be_listed: set[str] = set()
        """What was open in the store when this life of the client began, and what was sent since."""

    def sent(self, request_id: str, life: int) -> None:
        self.known[request_id] = Request(request_id, life)
        self._may_be_listed.add(request_id)

    def taken_back(self, request_id: str) -> None:
        """It never left: the process died before."""
        self.known.pop(request_id, None)

    def client_restarted(self, open_ids: set[str], left: Callable[[str], bool]) -> None:
        """A new life begins; what the store still has open may be listed from now on."""
        self._may_be_listed = set(open_ids)
        for request in list(self.known.values()):
            if request.settled or request.request_id in open_ids:
                continue
            if left(request.request_id) and not self.forgiven:
                raise Violation(
                    "forgotten", f"{request.request_id} has no outcome, and the store has lost it"
                )
            del self.known[request.request_id]

    def answered(self, request_id: str) -> None:
        request = self.known.get(request_id)
        if request is not None:
            request.outcome = True

    def unknown(self, request_ids: tuple[str, ...], why: str) -> None:
        """The user takes an OutcomesUnknown."""
        for request_id in request_ids:
            request = self.known.get(request_id)
            if request is None:
                raise Violation(
                    "invented", f"the outcome of {request_id} is said to be unknown; it never left"
                )
            if request_id not in self._may_be_listed and not self.forgiven:
                raise Violation("listed twice", f"{request_id} is listed ({why}) after it was settled")
            self._may_be_listed.discard(request_id)
            request.listed = why

    def open(self) -> list[Request]:
        return [request for request in self.known.values() if not request.settled]
