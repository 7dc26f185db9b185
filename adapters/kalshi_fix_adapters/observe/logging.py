"""The log messages of a client, with their loggers and levels, for the standard `logging` module.

The library configures no handlers. `docs/observability.md` lists the messages. Each record has the attribute
`fix`, a mapping of plain values for structured logs (`observe.json_log`).
"""

from __future__ import annotations

import contextlib
import logging
import re
import traceback
from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

import attrs

from kalshi_fix_adapters.events import (
    ClientEvent,
    ConnectFailed,
    Connecting,
    Disconnected,
    Endpoint,
    GaveUp,
    ReadingPaused,
    ReadingResumed,
    Resubscribed,
)
from kalshi_fix_adapters.observe.observer import LogonTiming, Timing
from kalshi_fix_sansio import events
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.session.states import State

CONNECTION: Final = logging.getLogger("kalshi_fix_adapters.connection")
SESSION: Final = logging.getLogger("kalshi_fix_adapters.session")
RECONNECT: Final = logging.getLogger("kalshi_fix_adapters.reconnect")
WIRE: Final = logging.getLogger("kalshi_fix_adapters.wire")

DEBUG, INFO, WARNING, ERROR = logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR
MAX_IDS: Final = 10
"""Maximum number of request ids on one line."""
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_NO_FACTS: Final[Mapping[str, object]] = MappingProxyType({})
_Entry = tuple[logging.Logger, int, str]
"""Logger, level, message."""


class EventLog:
    """Logs the events of one client; each line begins with `name`."""

    def __init__(self, name: str) -> None:
        self._name = name

    def event(self, event: ClientEvent) -> None:
        """Log an event, unless it is an ordinary message."""
        # The logger `kalshi_fix_adapters.wire` logs all messages.
        if type(event) is events.MessageReceived and not event.message.problems:
            return
        logger, level, text = _connection_entry(event) or _session_entry(event)
        if logger.isEnabledFor(level):
            self._write(logger, level, text, {"event": type(event).__name__, **_facts(event)})

    def connected(self, address: str) -> None:
        """Log that the transport is connected."""
        self._write(CONNECTION, INFO, f"connected to {address}", {"address": address})

    def disconnected(self) -> None:
        """Log that the transport is closed."""
        self._write(CONNECTION, INFO, "disconnected")

    def state(self, old: State, new: State) -> None:
        """Log a change in the session's state."""
        self._write(SESSION, DEBUG, f"{old.value} -> {new.value}", {"old": old.value, "new": new.value})

    def timing(self, timing: Timing) -> None:
        """Log the timing of a logon; ignore other timings."""
        if isinstance(timing, LogonTiming):
            parts = f"TCP {timing.tcp:.3f}, TLS {timing.tls:.3f}, logon {timing.logon:.3f}"
            text = f"logged on in {timing.total:.3f} s ({parts})"
            self._write(SESSION, DEBUG, text, attrs.asdict(timing))

    def wire(self, line: str) -> None:
        """Log a line of the transcript."""
        self._log(WIRE, DEBUG, line)

    def failed(self, source: str, error: Exception) -> None:
        """Log that an observer has raised an exception, without its text, which may contain a signature."""
        frames = "".join(traceback.format_tb(error.__traceback__))
        self._log(SESSION, ERROR, f"{source} raised {type(error).__name__} and is disabled:\n{frames}")

    def _write(
        self, logger: logging.Logger, level: int, text: str, facts: Mapping[str, object] = _NO_FACTS
    ) -> None:
        if logger.isEnabledFor(level):
            # Text from the venue may contain line breaks, which could forge log lines.
            text = _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)
            self._log(logger, level, text, facts)

    def _log(
        self, logger: logging.Logger, level: int, text: str, facts: Mapping[str, object] = _NO_FACTS
    ) -> None:
        # A user's logging filter may raise, but must not end a session.
        with contextlib.suppress(Exception):
            logger.log(level, "%s: %s", self._name, text, extra={"fix": {"session": self._name, **facts}})


def _facts(event: object) -> dict[str, object]:
    """Return the plain values in an event, the names of its messages, and the ids of its requests or orders.

    Contents of messages are left out, except ClOrdID (11), because a Logon contains a signature.
    """
    facts: dict[str, object] = {}
    for field in attrs.fields(type(event)):  # type: ignore[arg-type]
        value = getattr(event, field.name)
        match value:
            case bool() | int() | float() | str():
                facts[field.name] = value
            case Enum():
                facts[field.name] = value.value
            case Endpoint():
                facts[field.name] = str(value)
            case Message():
                facts[field.name] = value.NAME
                if cl_ord_id := getattr(value, "cl_ord_id", None):
                    facts["cl_ord_id"] = cl_ord_id
            case events.SessionEnded():
                facts |= _facts(value)
            case tuple() if isinstance(event, events.OutcomesUnknown | events.OrdersUnverified):
                facts[field.name] = _ids(event)
    return facts


def _ids(event: events.OutcomesUnknown | events.OrdersUnverified) -> list[str]:
    """Return the first ids of the requests or orders of an event."""
    if isinstance(event, events.OutcomesUnknown):
        return [each.label for each in event.requests[:MAX_IDS]]
    return [each.cl_ord_id or each.order_id for each in event.orders[:MAX_IDS]]


def _connection_entry(event: ClientEvent) -> _Entry | None:
    match event:
        case Connecting():
            return CONNECTION, INFO, f"connecting to {event.endpoint}, attempt {event.attempt}"
        case ConnectFailed():
            return RECONNECT, WARNING, f"{event.error}; {_next_attempt(event)}"
        case Disconnected():
            return RECONNECT, WARNING, f"the connection was lost ({event.ended.text}); {_next_attempt(event)}"
        case Resubscribed():
            return RECONNECT, INFO, f"sent {event.request.NAME} again, MsgSeqNum {event.seq_num}"
        case GaveUp():
            return RECONNECT, ERROR, f"gave up: {event.reason}"
        case ReadingPaused():
            waiting = "1 event is" if event.waiting == 1 else f"{event.waiting} events are"
            return CONNECTION, WARNING, f"reading paused: {waiting} waiting to be fetched"
        case ReadingResumed():
            return CONNECTION, INFO, "reading resumed"
    return None


def _next_attempt(event: ConnectFailed | Disconnected) -> str:
    note = f" ({event.note})" if event.note else ""
    return f"next attempt in {event.retry_in:.1f} s{note}"


def _session_entry(event: ClientEvent) -> _Entry:
    match event:
        case events.LoggedOn():
            reset = ", sequence numbers reset" if event.reset else ""
            missing = "" if event.missing is None else f", {_messages(*event.missing)} to be resent"
            return SESSION, INFO, f"logged on, heartbeats every {event.heart_bt_int} s{reset}{missing}"
        case events.LogoutReceived():
            return SESSION, INFO, f"the venue sent a Logout: {event.text or 'no reason given'}"
        case events.SessionEnded():
            level = INFO if event.clean else WARNING
            text = "" if event.text == event.reason.value else f": {event.text}"
            return SESSION, level, f"session ended ({event.reason.value}){text}"
        case events.MessageReceived():
            name, problems = event.message.NAME, "; ".join(map(str, event.message.problems))
            return SESSION, DEBUG, f"{name} with problems: {problems}"
        case events.RejectReceived():
            sent = "a message" if event.sent is None else event.sent.NAME
            text = getattr(event.reject, "text", None) or "no reason given"
            return SESSION, WARNING, f"the venue rejected {sent}, MsgSeqNum {event.ref_seq_num}: {text}"
        case events.MessageRejected():
            name = "a message" if event.message is None else event.message.NAME
            return SESSION, WARNING, f"rejected {name}: {'; '.join(map(str, event.problems))}"
        case events.GarbledReceived():
            return SESSION, WARNING, f"skipped {event.size} bytes that are not a message: {event.reason}"
        case events.MessageTooLarge():
            text = f"skipped a message of {event.size} bytes; max_message_size is {event.limit}"
            return SESSION, WARNING, text if event.msg_type is None else f"{text}: MsgType {event.msg_type}"
        case events.PeerSilent():
            return SESSION, WARNING, f"the venue is silent; sent TestRequest {event.test_req_id}"
        case events.ResendServed():
            requested = _messages(event.begin, event.end)
            return SESSION, INFO, f"the venue requested a resend of {requested}; {event.resent} resent"
        case events.GapClosed():
            return SESSION, INFO, f"the gap is filled; the next MsgSeqNum is {event.next_expected}"
        case events.GapDetected():
            consequence = "requested a resend" if event.recoverable else "no resend is possible"
            return SESSION, WARNING, f"missed {_messages(event.begin, event.end)}; {consequence}"
        case events.SequenceSkipped():
            level = INFO if event.gap_fill else WARNING
            return SESSION, level, f"the venue skipped {_messages(event.begin, event.end)}"
        case events.MessagesLost():
            return SESSION, WARNING, f"the venue no longer has its {_messages(event.begin, event.end)}"
        case events.OrdersUnverified():
            ids = ", ".join(_ids(event))
            more = "" if event.complete and len(event.orders) <= MAX_IDS else "..."
            return SESSION, WARNING, f"orders open at the end: {len(event.orders)} ({ids}{more})"
        case events.OutcomesUnknown():
            ids = ", ".join(_ids(event)) + ("..." if len(event.requests) > MAX_IDS else "")
            return SESSION, WARNING, f"outcomes unknown: {len(event.requests)} ({ids}); {event.why.value}"
    return SESSION, DEBUG, type(event).__name__


def _messages(begin: int, end: int) -> str:
    return f"message {begin}" if begin == end else f"messages {begin} to {end or 'the last'}"
