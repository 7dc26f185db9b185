"""The definition of a run: settings drawn from a seed, and an explicit list of faults.

A `Schedule` is a value whose repr is Python code: a failing one is shrunk, printed, and pasted into a test.
"""

from __future__ import annotations

from enum import Enum

import attrs


class Side(Enum):
    """One of the two parties; for a direction on the wire, the sender."""

    CLIENT = "client"
    VENUE = "venue"

    @property
    def other(self) -> Side:
        return Side.VENUE if self is Side.CLIENT else Side.CLIENT

    def __repr__(self) -> str:
        return f"Side.{self.name}"


class Kind(Enum):
    """A kind of fault. Each member documents the meaning of `side`, `seconds` and `number` of a Fault."""

    DELAY = "delay"
    """Bytes from `side` take `number` milliseconds longer, for `seconds`."""
    SPLIT = "split"
    """Bytes from `side` arrive in chunks of 1 to `number` bytes, for `seconds`."""
    MERGE = "merge"
    """Bytes from `side` arrive together every `number` milliseconds, for `seconds`."""
    STALL = "stall"
    """No bytes from `side` arrive for `seconds`; then they arrive all at once."""
    CUT = "cut"
    """The connection dies once `number` more bytes from `side` have arrived."""
    VANISH = "vanish"
    """The connection drops all bytes, and neither side is notified."""
    GARBAGE = "garbage"
    """Bytes that are not a message (seed `number`) are inserted somewhere into the bytes from `side`."""
    FLIP = "flip"
    """One of the next bytes from `side`, chosen by `number`, is changed."""
    REPEAT = "repeat"
    """An earlier application message from `side`, chosen by `number`, is sent again with PossDupFlag."""
    STALE = "stale"
    """Messages that `side` resends keep their first SendingTime for `seconds`, instead of a new one."""
    NAME = "name"
    """`side` uses another accepted SenderCompID for `seconds`; if `number` is 1, in every other message."""
    FULL = "full"
    """The connection buffers only `number` unread bytes from `side`, for `seconds`."""
    CRASH = "crash"
    """The process of `side` dies the next time it reaches crash point `number % len(Point)`, and starts again
    after `seconds`. If `number // len(Point)` is not 0, it seeds how many uncommitted changes survive."""
    POWER = "power"
    """The machine of `side` loses power and a random part of its unsynced writes (seed `number`); it starts
    again after `seconds`."""
    FREEZE = "freeze"
    """The process of `side` gets no CPU time for `seconds`; then, if `number` is 1, it fires its timers
    before it reads."""
    SUSPEND = "suspend"
    """The machine of `side` sleeps for `seconds`: its wall clock continues, its monotonic clock stops. Its
    process then resumes as after FREEZE."""
    SLOW = "slow"
    """The user of `side` takes no events for `seconds`, then takes them one by one, `number` ms apart."""
    DISK = "disk"
    """The store of `side` fails for `seconds`, in the way that `number` chooses."""
    STEP = "step"
    """The wall clock of `side` steps by `number` milliseconds; both clocks stay within the tolerance."""
    CLOCK = "clock"
    """The wall clock of `side` is off by `number` seconds, which exceeds the tolerance, for `seconds`."""
    MAINTENANCE = "maintenance"
    """The venue drops every connection (`number` 0: with a Logout) and accepts none for `seconds`."""
    REFUSE = "refuse"
    """The venue refuses every Logon for `seconds`, with the text `REFUSALS[number % len(REFUSALS)]`."""
    FORGET = "forget"
    """All but the last `number` messages of `side` become older than the retention window."""
    RESET = "reset"
    """`side` resets the sequence numbers during the session."""
    RESTART = "restart"
    """The client's next Logon has ResetSeqNumFlag=Y, set by its operator."""
    LOGOUT = "logout"
    """`side` logs out."""
    ABORT = "abort"
    """`side` ends its session without waiting for an answer."""
    BURST = "burst"
    """`side` sends `number` messages without a pause."""
    HUGE = "huge"
    """`side` sends a message with `number` bytes of text."""
    FLOOD = "flood"
    """The client sends `number` requests with the same id."""
    REUSE = "reuse"
    """The client sends a request and immediately its cancel with the same id: an order or, if `number` is 1,
    a quote or a request for quotes."""
    UNSURE = "unsure"
    """For `seconds` the venue answers orders with EXCHANGE_UNAVAILABLE, although some of them are in the
    book."""
    PAUSE = "pause"
    """The venue answers no orders for `seconds`."""
    ISOLATE = "isolate"
    """For `seconds` the client's host cannot reach the store that it shares with the standby: its commits
    wait and complete afterwards."""
    PROBE = "probe"
    """`side` sends a TestRequest."""

    def __repr__(self) -> str:
        return f"Kind.{self.name}"


@attrs.frozen
class Fault:
    """One fault, `at` seconds after the start."""

    at: float
    kind: Kind
    side: Side
    seconds: float = 0.0
    number: int = 0

    def __repr__(self) -> str:
        values: list[object] = [self.at, self.kind, self.side]
        if self.seconds or self.number:
            values.append(self.seconds)
        if self.number:
            values.append(self.number)
        return f"Fault({', '.join(map(repr, values))})"


@attrs.frozen(kw_only=True)
class Schedule:
    """The settings of a run. Everything else is drawn from the seed: delays on the wire, the times of orders,
    and answers."""

    seed: int
    session: str = "KalshiRT"
    heart_bt_int: int = 10
    calm_from: float = 120.0
    """Time in seconds at which all faults have ended; no fault begins and no order is sent later."""
    orders: int = 20
    """The number of messages that the client sends, not counting bursts."""
    reports: int = 20
    """The number of unsolicited messages that the venue sends, not counting bursts."""
    explicit: bool = True
    """Whether users confirm event by event (SessionConfig.explicit_confirm)."""
    pace: float = 0.0
    """Seconds that users take for each event if they confirm events one by one."""
    resend_orders: bool = False
    """Whether the client resends every message, instead of following the default policy."""
    next_expected: bool = False
    """Whether the client offers NextExpectedMsgSeqNum."""
    strict: bool = True
    """Whether the venue's session is strict."""
    like_quickfix: bool = False
    """Whether both sides use options that imitate QuickFIX instead of the default options."""
    keep: int = 1000
    """Messages that a store keeps for resends."""
    page: int = 2048
    """Number of bytes after which a resend pauses."""
    sqlite: bool = False
    """Whether both sides use the SQLite store instead of the simulated disk."""
    eager: bool = False
    """Whether a store writes at once even the changes that do not have to be committed before bytes are sent,
    as the SQLite store does."""
    max_commit_seconds: float = 0.0
    """The maximum duration of a commit in seconds; 0 if commits are durable immediately. Not used
    with `sqlite`."""
    standby: bool = False
    """Whether the client runs on two hosts that share a store: one is the primary, the other the standby. Not
    used with `sqlite`."""
    synced: bool = True
    """Whether every commit is also synced, so a power loss loses no commit."""
    faults: tuple[Fault, ...] = ()

    def __repr__(self) -> str:
        """Return the settings that differ from the defaults, as Python code that creates the schedule."""
        lines = [
            f"    {field.name}={value!r},"
            for field in attrs.fields(Schedule)
            if field.name != "faults" and (value := getattr(self, field.name)) != field.default
        ]
        faults = "".join(f"        {fault!r},\n" for fault in self.faults)
        shown = f"    faults=(\n{faults}    ),\n" if faults else ""
        return "Schedule(\n" + "\n".join(lines) + f"\n{shown})"
