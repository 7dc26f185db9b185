"""The interface through which the scenarios use the other engine."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping

Fields = Mapping[int, str]
Responder = Callable[[str, Fields], tuple[str, Fields] | None]
"""Maps the MsgType and fields of an application message to the MsgType and body of the answer, if any."""

Sign = Callable[[str, int, str, str], bytes]
"""Called with the SendingTime, MsgSeqNum, SenderCompID and TargetCompID of a Logon; returns its RawData."""

PATIENCE = 30.0
"""Timeout of a step in seconds; no step waits for a fixed time."""


class Inbox:
    """Passes messages, logons and logouts from the other engine's threads to the test."""

    def __init__(self) -> None:
        self.logged_on = threading.Event()
        self.logged_out = threading.Event()
        self._messages: queue.Queue[tuple[str, Fields]] = queue.Queue()

    def put(self, msg_type: str, fields: Fields) -> None:
        """Add an application message that the engine accepted."""
        self._messages.put((msg_type, fields))

    def take(self, msg_type: str) -> Fields:
        """Return the fields of the next application message, which must be of this type."""
        try:
            received_type, fields = self._messages.get(timeout=PATIENCE)
        except queue.Empty:
            raise AssertionError(f"no {msg_type} reached the other engine") from None
        assert received_type == msg_type, (
            f"the other engine received {received_type}, not {msg_type}: {fields}"
        )
        return fields

    def is_empty(self) -> bool:
        """Return whether all received messages have been taken."""
        return self._messages.empty()

    def wait_until_logged_on(self) -> None:
        """Wait until the other engine has completed the Logon handshake."""
        assert self.logged_on.wait(PATIENCE), "the other engine never logged on"

    def wait_until_logged_out(self) -> None:
        """Wait for the other engine to detect the end of the session."""
        assert self.logged_out.wait(PATIENCE), "the other engine never logged out"
