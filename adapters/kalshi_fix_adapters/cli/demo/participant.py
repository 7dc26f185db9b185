"""Somebody in the demo's demo: a client whose messages are told as they pass, and whose expectations
are checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import attrs

from kalshi_fix_adapters.blocking import Client
from kalshi_fix_adapters.config.plan import ConnectionPlan
from kalshi_fix_adapters.errors import AdapterError
from kalshi_fix_adapters.observe.observer import Direction, Observer
from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.codec import FieldNode, Inspection
from kalshi_fix_sansio.framing import Frame, Framer
from kalshi_fix_sansio.messages import CODEC

PATIENCE = 10.0
"""Seconds that the demo waits for anything."""
_MSG_SEQ_NUM = 34
M = TypeVar("M", bound=Message)
Teller = Callable[[str, str, Inspection], None]
"""Is given who sent a message, to whom, and the message."""


class DemoError(AdapterError):
    """The demo did not go as it must; the text says where."""


class _Wire:
    """What passed in one direction, by MsgSeqNum."""

    def __init__(self) -> None:
        self._framer = Framer()
        self._seen: dict[int, Inspection] = {}

    def feed(self, data: bytes) -> None:
        self._framer.feed(data)
        while (found := self._framer.next()) is not None:
            if isinstance(found, Frame):
                inspection = CODEC.inspect(found.data)
                self._seen[_number(inspection)] = inspection

    def take(self, number: int) -> Inspection:
        return self._seen.pop(number)

    def last(self) -> Inspection:
        return self._seen[max(self._seen)]


def _number(inspection: Inspection) -> int:
    return next(
        int(node.raw)
        for node in inspection.header
        if isinstance(node, FieldNode) and node.tag == _MSG_SEQ_NUM
    )


class _Ear(Observer):
    """Hears what passes in both directions."""

    def __init__(self) -> None:
        self.wires: dict[Direction, _Wire] = {"sent": _Wire(), "received": _Wire()}

    def on_wire(self, direction: Direction, data: bytes, now: Instant) -> None:  # noqa: ARG002
        self.wires[direction].feed(data)


class Participant:
    """One connection of one person."""

    def __init__(self, who: str, plan: ConnectionPlan, tell: Teller) -> None:
        self.who = who
        self.venue: str = plan.config.session_type.name
        ear = _Ear()
        self._wires = ear.wires
        self._client = Client(attrs.evolve(plan, observer=ear, reconnect=None))
        self._tell = tell

    @contextmanager
    def logged_on(self) -> Iterator[None]:
        """Log on, and out at the end."""
        with self._client:
            self._tell_sent(1)
            self._tell_received(1)
            yield
        ended = self._client.ended
        if ended is None or not ended.clean:
            raise DemoError(f"{self.who} could not log out of {self.venue} in an orderly way")
        self._tell(self.who, self.venue, self._wires["sent"].last())
        self._tell(self.venue, self.who, self._wires["received"].last())

    def send(self, message: Message) -> None:
        """Send a message."""
        self._tell_sent(self._client.send(message))

    def expect(self, kind: type[M], **wanted: Any) -> M:
        """Wait for the next message, which must be of this kind and have these attributes.

        Raises:
            DemoError: something else came, or nothing.
        """
        expected = f"{self.who} expected {kind.__name__}" + "".join(
            f" {name}={getattr(value, 'name', value)}" for name, value in wanted.items()
        )
        try:
            message = next(self._client.messages(PATIENCE), None)
        except AdapterError as error:
            raise DemoError(f"{expected} from {self.venue}, but {error}") from None
        if message is None:
            raise DemoError(f"{expected} from {self.venue}, but nothing came within {PATIENCE:g} s")
        self._tell_received(message.header.msg_seq_num)
        different = [name for name, value in wanted.items() if getattr(message, name, None) != value]
        if not isinstance(message, kind) or different:
            raise DemoError(f"{expected} from {self.venue}, but got {message}")
        return message

    def _tell_sent(self, number: int) -> None:
        self._tell(self.who, self.venue, self._wires["sent"].take(number))

    def _tell_received(self, number: int) -> None:
        self._tell(self.venue, self.who, self._wires["received"].take(number))
