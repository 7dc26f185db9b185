"""Events about the connections of a client, in the same stream as the events of the session.

`Connecting` is followed by the session's LoggedOn if the attempt succeeds, and by `ConnectFailed` if it fails
and there will be another. After a reconnection of a market data session, `Resubscribed` follows for each
renewed request. SessionEnded is followed by `Disconnected` if the client will reconnect. `GaveUp` is the last
event of a client that stops reconnecting. All times are in seconds.
"""

from __future__ import annotations

import attrs

from kalshi_fix_sansio.classes.value import Value
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.errors import KalshiFixError
from kalshi_fix_sansio.events import Event, SessionEnded


@attrs.frozen(eq=False, repr=False)
class Endpoint(Value):
    """The address of a session type."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@attrs.frozen(eq=False, repr=False)
class Connecting(Value):
    """An attempt to connect and log on begins.

    Attributes:
        endpoint: Host and port.
        attempt: Number of the attempt, counted from 1 after the client was opened or a connection was lost.
    """

    endpoint: Endpoint
    attempt: int


@attrs.frozen(eq=False, repr=False)
class ConnectFailed(Value):
    """A connection attempt failed, or ended before the logon was complete; there will be another attempt.

    Attributes:
        error: The cause and the remedy.
        retry_in: Seconds until the next attempt.
        note: Why the wait differs from the usual wait; empty if it does not.
    """

    error: KalshiFixError
    retry_in: float
    note: str = ""


@attrs.frozen(eq=False, repr=False)
class Disconnected(Value):
    """A connection with a completed logon has ended; the client will reconnect.

    Attributes:
        ended: How the session ended.
        retry_in: Seconds until the next attempt.
        note: Why the wait differs from the usual wait; empty if it does not.
    """

    ended: SessionEnded
    retry_in: float
    note: str = ""


@attrs.frozen(eq=False, repr=False)
class Resubscribed(Value):
    """A subscription of an earlier connection was renewed.

    Attributes:
        request: The MarketDataRequest or SecurityStatusRequest, as you first sent it.
        seq_num: The MsgSeqNum of the new request.
    """

    request: Message
    seq_num: int


@attrs.frozen(eq=False, repr=False)
class GaveUp(Value):
    """The client will not reconnect; later calls raise SessionClosedError.

    Attributes:
        error: The last error.
        reason: The cause and the remedy.
    """

    error: KalshiFixError
    reason: str


@attrs.frozen(eq=False, repr=False)
class ReadingPaused(Value):
    """The client has stopped reading because too many events are waiting. This event is delivered before
    them.

    Attributes:
        waiting: The number of waiting events.
    """

    waiting: int


@attrs.frozen(eq=False, repr=False)
class ReadingResumed(Value):
    """The client reads again because enough events were taken. This event is delivered before the waiting
    events.
    """


ConnectionEvent = (
    Connecting | ConnectFailed | Disconnected | Resubscribed | GaveUp | ReadingPaused | ReadingResumed
)
ClientEvent = Event | ConnectionEvent
