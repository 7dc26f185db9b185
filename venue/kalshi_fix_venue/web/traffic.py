"""The last messages of each session, taken from the bytes of the connections.

The event loop of the venue only appends bytes to bounded queues. The thread that draws the page splits them
into messages, and explains the messages that it shows.
"""

from __future__ import annotations

import re
from collections import OrderedDict, deque
from itertools import chain, count
from threading import Lock
from typing import Any, Final
from weakref import WeakKeyDictionary, WeakSet

import attrs

from kalshi_fix_adapters.cli.kit.terminal import Line
from kalshi_fix_adapters.cli.logs.explain import Explanation, explain
from kalshi_fix_adapters.cli.logs.render import brief, lines, name_of
from kalshi_fix_adapters.cli.logs.units import Units
from kalshi_fix_adapters.logs.dates import DatedDecoder
from kalshi_fix_adapters.logs.reader import LoggedMessage, LogReader
from kalshi_fix_sansio.codec import FieldNode
from kalshi_fix_venue.driver import ClientProtocol
from kalshi_fix_venue.exchange import MARGIN

MAX_QUEUED: Final = 32 * 1024
"""Maximum number of unread bytes of one connection. If there are more, the oldest are dropped."""
MAX_QUEUES: Final = 64
"""Maximum number of connections with unread bytes. If there are more, the bytes of the oldest are dropped."""
MAX_SESSIONS: Final = 64
"""Maximum number of sessions with kept messages. If there are more, the messages of the session that has been
silent longest are dropped."""
MAX_MESSAGES: Final = 40
"""Maximum number of messages kept per session, and of messages that a page lists."""
MAX_FRAME: Final = 16 * 1024
"""Maximum number of bytes kept of a message."""
MAX_TEXT: Final = 300
"""Maximum length of a message's fields in the list, in characters."""
_SENDER_COMP_ID: Final = re.compile(rb"\x0149=([^\x01]{1,100})\x01")
_LOGON: Final = b"\x0135=A\x01"

SessionId = tuple[str, str, str]
"""Product, session type, id of the API key."""


@attrs.define
class _Queue:
    chunks: deque[tuple[int, bytes, bool]] = attrs.field(factory=deque)
    """Each chunk with its position among those of all connections, and whether the venue sent it."""
    size: int = 0
    has_gap: bool = False
    """Whether bytes before the first chunk were dropped."""


@attrs.define
class _ConnectionState:
    """The API key of a connection, and by direction the reader that splits its bytes into messages."""

    readers: dict[bool, LogReader] = attrs.field(factory=dict)
    key: str = ""


@attrs.define(eq=False)
class SeenMessage:
    """A message that was sent or received."""

    id: int
    session: SessionId
    is_sent: bool
    """Whether the venue sent it."""
    logged: LoggedMessage
    row: dict[str, Any] | None = None
    """Its row in the list, once it has been shown."""


class Traffic:
    """Receives the bytes of all connections (`VenueServer.watch_bytes`) and returns their last messages.

    Bytes can be passed from any thread; the other methods must be called from one thread at a time.
    """

    def __init__(self) -> None:
        """Start without messages."""
        self._lock = Lock()
        self._numbers, self._ids = count(1), count(1)
        self._queues: OrderedDict[ClientProtocol, _Queue] = OrderedDict()
        self._with_gap: WeakSet[ClientProtocol] = WeakSet()
        """Connections whose next bytes follow a gap."""
        self._states: WeakKeyDictionary[ClientProtocol, _ConnectionState] = WeakKeyDictionary()
        self._messages: OrderedDict[SessionId, deque[SeenMessage]] = OrderedDict()
        self._units: dict[str, Units] = {}
        self._decoder = DatedDecoder()

    def __call__(self, connection: ClientProtocol, data: bytes, is_sent: bool) -> None:
        """Queue bytes; called in the venue's event loop."""
        with self._lock:
            queue = self._queues.get(connection)
            if queue is None:
                if len(self._queues) >= MAX_QUEUES:
                    dropped, _ = self._queues.popitem(last=False)
                    self._with_gap.add(dropped)
                queue = self._queues[connection] = _Queue(has_gap=connection in self._with_gap)
                self._with_gap.discard(connection)
            queue.has_gap |= len(data) > MAX_QUEUED
            newest = data[-MAX_QUEUED:]
            queue.chunks.append((next(self._numbers), newest, is_sent))
            queue.size += len(newest)
            while queue.size > MAX_QUEUED:
                queue.size -= len(queue.chunks.popleft()[1])
                queue.has_gap = True

    def last(self, session: SessionId | None = None) -> list[dict[str, Any]]:
        """Return the last messages of a session, or of all, newest first."""
        self._read()
        messages = (
            chain.from_iterable(self._messages.values())
            if session is None
            else self._messages.get(session, ())
        )
        newest = sorted(messages, key=lambda each: -each.id)[:MAX_MESSAGES]
        return [self._row(each) for each in newest]

    def last_by_session(self) -> dict[SessionId, list[dict[str, Any]]]:
        """Return, for each session, the last message in each direction."""
        self._read()
        return {
            session: [self._row(each) for each in {each.is_sent: each for each in messages}.values()]
            for session, messages in self._messages.items()
        }

    def explanation(self, message_id: int) -> list[Line] | None:
        """Return a message as `kalshi-fix decode --full` prints it; None if it is no longer kept."""
        self._read()
        message = next(
            (each for each in chain.from_iterable(self._messages.values()) if each.id == message_id), None
        )
        if message is None:
            return None
        return list(lines(self._explain(message), self._units[message.session[0]]))

    def _read(self) -> None:
        """Split the queued bytes into messages and keep them, in the order in which the bytes were queued."""
        with self._lock:
            queues, self._queues = self._queues, OrderedDict()
        chunks: list[tuple[int, bytes, bool, ClientProtocol]] = []
        for connection, queue in queues.items():
            if queue.has_gap:
                self._state_of(connection).readers.clear()
            chunks += [(*chunk, connection) for chunk in queue.chunks]
        for _, data, is_sent, connection in sorted(chunks, key=lambda each: each[0]):
            state = self._state_of(connection)
            reader = state.readers.setdefault(is_sent, LogReader(MAX_FRAME))
            for logged in reader.feed(data):
                self._keep(connection, state, attrs.evolve(logged, line=1), is_sent=is_sent)

    def _state_of(self, connection: ClientProtocol) -> _ConnectionState:
        return self._states.setdefault(connection, _ConnectionState())

    def _keep(
        self,
        connection: ClientProtocol,
        state: _ConnectionState,
        logged: LoggedMessage,
        *,
        is_sent: bool,
    ) -> None:
        if not state.key and not is_sent and (match := _SENDER_COMP_ID.search(logged.frame)):
            state.key = match[1].decode("latin-1")
        session = (connection.product, connection.session_type, state.key)
        message = SeenMessage(next(self._ids), session, is_sent, logged)
        units = self._units.setdefault(session[0], Units(always_dollars=session[0] == MARGIN))
        if _LOGON in logged.frame:
            units.record(self._explain(message).inspection)
        if session not in self._messages and len(self._messages) >= MAX_SESSIONS:
            self._messages.popitem(last=False)
        self._messages.setdefault(session, deque(maxlen=MAX_MESSAGES)).append(message)
        self._messages.move_to_end(session)

    def _explain(self, message: SeenMessage) -> Explanation:
        return explain(message.logged, self._decoder)

    def _row(self, message: SeenMessage) -> dict[str, Any]:
        if message.row is None:
            explanation = self._explain(message)
            nodes = explanation.inspection.header
            header = {node.tag: node.text for node in nodes if isinstance(node, FieldNode)}
            message.row = {
                "id": message.id,
                "session": message.session,
                "sent": message.is_sent,
                "name": name_of(explanation),
                "number": header.get(34, "-"),
                "time": header.get(52, "")[9:],
                "text": brief(explanation.inspection)[:MAX_TEXT],
                "problems": len(explanation.problems),
            }
        return message.row
