"""What a client tells about its connections, in the same stream as the session's own events.

In the order in which they come: `Connecting`, then `ConnectFailed` or the session's LoggedOn; on a market
data session that comes back, `Resubscribed` for each request that is sent again; after SessionEnded,
`Disconnected` if the client is going to connect again. `GaveUp` is the last event of a client that does not
try any more by itself. All times are in seconds.
"""

from __future__ import annotations

import attrs

from kalshi_fix_adapters.net.endpoint import Endpoint
from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.classes.value import Value
from kalshi_fix_sansio.errors import KalshiFixError
from kalshi_fix_sansio.events import Event, SessionEnded


@attrs.frozen(eq=False, repr=False)
class Connecting(Value):
    """An attempt to connect and log on begins."""

    endpoint: Endpoint
    """Host and port."""
    attempt: int
    """1 for the first one after the client was opened or a connection was lost."""


@attrs.frozen(eq=False, repr=False)
class ConnectFailed(Value):
    """No connection came about, or it ended before the logon was complete; there will be another attempt."""

    error: KalshiFixError
    """Why, and what to do about it."""
    retry_in: float
    """Seconds until the next attempt."""
    note: str = ""
    """Why the wait is not the usual one; empty if it is."""


@attrs.frozen(eq=False, repr=False)
class Disconnected(Value):
    """A connection that was logged on is over; there will be another one."""

    ended: SessionEnded
    """How the session ended."""
    retry_in: float
    """Seconds until the next attempt."""
    note: str = ""
    """Why the wait is not the usual one; empty if it is."""


@attrs.frozen(eq=False, repr=False)
class Resubscribed(Value):
    """A subscription of an earlier connection was asked for again."""

    request: Message
    """The MarketDataRequest or SecurityStatusRequest, as you sent it first."""
    seq_num: int
    """The MsgSeqNum under which it went out this time."""


@attrs.frozen(eq=False, repr=False)
class GaveUp(Value):
    """The client does not connect again; nothing but SessionClosedError follows."""

    error: KalshiFixError
    """What made the client give up."""
    reason: str
    """Why, and how to go on."""


@attrs.frozen(eq=False, repr=False)
class ReadingPaused(Value):
    """So many events wait for you that the client has stopped reading; it comes before what waits."""

    waiting: int
    """How many events wait."""


@attrs.frozen(eq=False, repr=False)
class ReadingResumed(Value):
    """Enough of what waited was taken: the client reads again. It comes before what still waits."""


ConnectionEvent = (
    Connecting | ConnectFailed | Disconnected | Resubscribed | GaveUp | ReadingPaused | ReadingResumed
)
ClientEvent = Event | ConnectionEvent
