"""Sessions in memory, in pairs or with a hand-written peer. Only the test advances their clock."""

from __future__ import annotations

import decimal
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from traceback import walk_tb
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import attrs

from kalshi_fix_sansio import LogonFields
from kalshi_fix_sansio._generated import DIALECT, NewOrderSingle
from kalshi_fix_sansio._generated.limits import MAINTENANCE_WINDOW, MIN_HEARTBEAT_INTERVAL
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.config import Role, SessionConfig
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.dialect.layout import FieldLayout
from kalshi_fix_sansio.errors import InvalidMessageError, StoreError
from kalshi_fix_sansio.events import Event, LogonRequested, MessageReceived
from kalshi_fix_sansio.framing import Frame, Framer, encode_frame
from kalshi_fix_sansio.session import MemoryStore, OpenRequest, Session, StoredMessage
from kalshi_fix_sansio.session.states import State

KEY_ID = "3a6b0c1e-52d5-4d06-9d3e-0a4f3d1c9b77"
MAX_CALL_GAP = 14.0
"""Longest pause between two calls, in seconds, that does not make a session with the default tolerance
consider its caller blocked.
"""
START = datetime(2026, 8, 21, 14, 3, 7, 123000, tzinfo=UTC)
CODEC = Codec(DIALECT)
CANCEL_REJECT = "434=1|37=o|11=a|39=8|"
"""The body of an OrderCancelReject, used wherever any application message will do."""
LOGON = "98=0|108=30|96=eA==|1137=9|"
"""The body of a Logon that either side may send."""
DUP = {"t43": "Y", "t122": "20260821-14:03:07.123"}
"""Header fields of a possible duplicate."""
SUB_ID_LENGTH = next(
    member.limits[0].max_length or 0 for member in DIALECT.header.members if member.name == "SenderSubID"
)
"""The maximum length of a client's SenderSubID (50)."""
MAINTENANCE_TIME = (
    datetime(2026, 8, 17, MAINTENANCE_WINDOW["begin"], 30, tzinfo=ZoneInfo("America/New_York"))
    + timedelta(days=MAINTENANCE_WINDOW["weekday"])
).astimezone(UTC)
"""A time half an hour into the weekly maintenance, in summer."""
MIN_HEART_BT_INT = MIN_HEARTBEAT_INTERVAL["prediction"]
"""The minimum HeartBtInt (108) for the product prediction."""
E = TypeVar("E")


class Clock:
    """Both clocks of an `Instant`, advanced by the test."""

    def __init__(self, monotonic: float = 1000.0, utc: datetime = START) -> None:
        self.monotonic = monotonic
        self.utc = utc

    @property
    def now(self) -> Instant:
        return Instant(self.monotonic, self.utc)

    def advance(self, seconds: float) -> Instant:
        self.monotonic += seconds
        self.utc += timedelta(seconds=seconds)
        return self.now


HOSTILE_CONTEXTS = {
    "6 digits": decimal.Context(prec=6),
    "6 digits, Inexact trapped": decimal.Context(prec=6, traps=[decimal.Inexact]),
    "every trap": decimal.Context(
        prec=3,
        rounding=decimal.ROUND_UP,
        Emin=-3,
        Emax=3,
        capitals=0,
        clamp=1,
        traps=list(decimal.Context().traps),
    ),
}
"""Decimal contexts of callers in which ordinary arithmetic rounds or raises."""
TAGS = {field.name: field.tag for field in DIALECT.fields.values()}
"""The tag of each field of Kalshi's dialect, by field name."""


def tag_of(name: str) -> int:
    """Return the tag of a field of Kalshi's dialect by name, so that tests still pass after a renumbering."""
    return TAGS[name]


def field_layout(name: str) -> FieldLayout:
    """Return the layout of a field of Kalshi's dialect."""
    return DIALECT.fields[TAGS[name]]


def config(role: Role = Role.INITIATOR, name: str = "KalshiRT", **changes: Any) -> SessionConfig:
    """Return the settings of one side of the Kalshi session with this name, with a constant signature."""
    values: dict[str, Any] = {
        "role": role,
        "dialect": DIALECT,
        "codec": CODEC,
        "session_type": DIALECT.session_types[name],
        "product": "prediction",
        "sender_comp_id": KEY_ID if role is Role.INITIATOR else name,
    }
    if role is Role.INITIATOR:
        values |= {"target_comp_id": name, "sign_logon": lambda _: b"c2lnbmF0dXJl"}
        values["logon_fields"] = LogonFields(use_dollars=True)
    if "dialect" in changes:
        del values["codec"]
    return SessionConfig(**(values | changes))


def order(cl_ord_id: str = "a1", **changes: Any) -> NewOrderSingle:
    """Return a limit order that the dialect allows on KalshiNR and KalshiRT."""
    values: dict[str, Any] = {
        "cl_ord_id": cl_ord_id,
        "symbol": "KXHIGHNY-26AUG21-B80",
        "side": "1",
        "order_qty": 10,
        "ord_type": "2",
        "price": "0.75",
    }
    return NewOrderSingle(**(values | changes))


def of_type(events: Iterable[object], kind: type[E]) -> list[E]:
    """Return the events of one class."""
    return [event for event in events if isinstance(event, kind)]


def one(events: list[Event], kind: type[E]) -> E:
    """Return the only event, which must be of this class."""
    (event,) = events
    assert isinstance(event, kind), event
    return event


def delivered(events: list[Event]) -> list[int]:
    """Return the MsgSeqNums of the delivered application messages."""
    return [event.message.header.msg_seq_num for event in of_type(events, MessageReceived)]


def messages(data: bytes) -> list[Any]:
    """Decode the messages in these bytes, which must contain nothing else."""
    framer = Framer()
    framer.feed(data)
    found = []
    while (frame := framer.next()) is not None:
        assert isinstance(frame, Frame), frame
        found.append(CODEC.decode(frame.data))
    assert framer.pending == 0
    return found


def raw(fields: str) -> bytes:
    """Return a complete message from `35=..|49=..|` text, with BeginString, BodyLength and CheckSum added."""
    body = fields.replace("|", "\x01")
    return encode_frame("FIXT.1.1", body.encode("latin-1") + (b"" if body.endswith("\x01") else b"\x01"))


def by_tags(fields: str) -> str:
    """Return the text with tags in place of names: `Symbol=A|` becomes `55=A|`."""
    return re.sub(r"(?<![^|])([A-Z]\w*)(?==)", lambda found: str(TAGS[found[1]]), fields)


def wire_time(time: datetime) -> str:
    """Return a time in the wire format of SendingTime."""
    return time.strftime("%Y%m%d-%H:%M:%S.") + f"{time.microsecond // 1000:03d}"


@attrs.define
class Peer:
    """A hand-written peer: sends any message, valid or not, with the sequence numbers a test needs."""

    clock: Clock
    sender: str
    target: str
    next_number: int = 1

    def message(self, msg_type: str, body: str = "", number: int | str | None = None, **header: str) -> bytes:
        """Return one message; `header` replaces or adds fields by tag, as in `t52="x"`; "-" omits a field.
        Fields of the body may be written with Kalshi's field names.

        Without `number` the next sequence number is used, and the counter advances.
        """
        if number is None:
            number = self.next_number
            self.next_number += 1
        fields = {
            "t49": self.sender,
            "t56": self.target,
            "t34": str(number),
            "t52": wire_time(self.clock.utc),
        } | header
        text = "".join(f"{tag[1:]}={value}|" for tag, value in fields.items() if value != "-")
        return raw(f"35={msg_type}|{text}{by_tags(body)}")

    def logon(
        self, body: str = "98=0|108=30|1137=9|", number: int | str | None = None, **header: str
    ) -> bytes:
        return self.message("A", body, number, **header)


@attrs.define
class Wired:
    """One session, driven by a hand-written peer."""

    clock: Clock
    session: Session
    peer: Peer

    def receive(self, *data: bytes) -> list[Event]:
        """Feed bytes in one call and return the events."""
        self.session.receive_data(b"".join(data), self.clock.now)
        return self.session.events()

    def log_on(self, body: str = LOGON, number: int | None = None) -> list[Event]:
        """Receive a Logon, accept it if this side is the acceptor, and return the events."""
        self.session.receive_data(self.peer.logon(body, number), self.clock.now)
        if self.session.state is State.LOGON_RECEIVED:
            self.session.accept_logon(self.clock.now)
        return self.session.events()

    def disconnect(self) -> list[Event]:
        """End the connection and return the events."""
        self.session.receive_eof(self.clock.now)
        return self.session.events()

    def reconnect(self) -> None:
        """Begin the next connection in the same process."""
        self.session = Session(self.session.config, continues=self.session)
        self.session.connect(self.clock.now)

    def sent(self) -> list[Any]:
        """Return the messages that the session sends."""
        return messages(self.session.data_to_send())

    def wait(self, seconds: float) -> list[Event]:
        """Advance the clock in steps, and fire the timer after each. The steps are so short that the session
        does not consider its caller blocked.
        """
        events = []
        while seconds > MAX_CALL_GAP:
            self.session.handle_timer(self.clock.advance(MAX_CALL_GAP))
            events += self.session.events()
            seconds -= MAX_CALL_GAP
        self.session.handle_timer(self.clock.advance(seconds))
        return events + self.session.events()

    def delay_caller(self, seconds: float, utc: float | None = None) -> None:
        """Advance the clock without calling the session; the wall clock may advance by a different amount."""
        self.clock.monotonic += seconds
        self.clock.utc += timedelta(seconds=seconds if utc is None else utc)


def cancel_reject(wired: Wired, number: int | None = None, *, text: str = "x", again: bool = False) -> bytes:
    """Return an application message from the peer with this Text; with `again`, a possible duplicate."""
    return wired.peer.message("9", f"{CANCEL_REJECT}58={text}|", number, **(DUP if again else {}))


def refusal_of(wired: Wired, message: Message, **settings: Any) -> str:
    """Return why a message is refused, or an empty string if it is sent; a refusal must not use a sequence
    number or write any bytes."""
    wired.session.data_to_send()
    before = wired.session.next_outgoing
    try:
        wired.session.send(message, wired.clock.now, **settings)
    except InvalidMessageError as error:
        assert (wired.session.next_outgoing, wired.session.data_to_send()) == (before, b"")
        return str(error)
    assert len(wired.sent()) == 1
    return ""


def wire(role: Role, name: str = "KalshiRT", store: MemoryStore | None = None, **changes: Any) -> Wired:
    """Return a session of this role that is not connected yet, and its peer."""
    clock = Clock()
    settings = config(role, name, **changes)
    ours, theirs = settings.sender_comp_id, settings.target_comp_id or KEY_ID
    return Wired(clock, Session(settings, store), Peer(clock, theirs, ours))


def connected(role: Role, name: str = "KalshiRT", store: MemoryStore | None = None, **changes: Any) -> Wired:
    """Return a session of this role that has a connection and has received nothing."""
    wired = wire(role, name, store, **changes)
    wired.session.connect(wired.clock.now)
    return wired


def established(
    role: Role, name: str = "KalshiRT", store: MemoryStore | None = None, **changes: Any
) -> Wired:
    """Return a session of this role after its Logon handshake, with empty buffers."""
    wired = connected(role, name, store, **changes)
    session = wired.session
    reset = "141=Y|" if session.config.session_type.reset_required else ""
    wired.peer.next_number = 1 if reset or store is None else store.next_incoming
    dollars = (
        f"{tag_of('UseDollars')}=Y|" if role is Role.ACCEPTOR and session.config.dialect is DIALECT else ""
    )
    logon = LOGON.replace("=30", f"={session.config.heart_bt_int}")
    events = wired.log_on(f"{logon}{reset}{dollars}")
    assert session.state is State.ESTABLISHED, events
    session.data_to_send()
    return wired


@attrs.define
class Pair:
    """An initiator and an acceptor that receive each other's bytes at once, with the events of each."""

    clock: Clock
    client: Session
    venue: Session
    client_events: list[Event] = attrs.field(factory=list)
    venue_events: list[Event] = attrs.field(factory=list)
    transform: Callable[[bytes], list[bytes]] = attrs.field(default=lambda data: [data])
    """Converts the bytes that one side sends to the chunks that the other side receives."""
    accept_fields: LogonFields | None = None

    def connect(self) -> None:
        self.venue.connect(self.clock.now)
        self.client.connect(self.clock.now)
        self.settle()

    def settle(self) -> None:
        """Pass bytes in both directions and accept logons until neither side sends any more."""
        moved = True
        while moved:
            moved = self._carry(self.client, self.venue) | self._carry(self.venue, self.client)
            self.client_events += self.client.events()
            events = self.venue.events()
            self.venue_events += events
            if of_type(events, LogonRequested):
                self.venue.accept_logon(self.clock.now, fields=self.accept_fields)
                moved = True

    def _carry(self, source: Session, target: Session) -> bool:
        data = source.data_to_send()
        for chunk in self.transform(data) if data else ():
            target.receive_data(chunk, self.clock.now)
        return bool(data)

    def advance(self, seconds: float, step: float = 1.0) -> None:
        """Advance the clock in steps and fire the timers that are due."""
        end = self.clock.monotonic + seconds
        while self.clock.monotonic < end:
            now = self.clock.advance(min(step, end - self.clock.monotonic))
            self.client.handle_timer(now)
            self.venue.handle_timer(now)
            self.settle()


def pair(
    name: str = "KalshiRT",
    *,
    client_store: MemoryStore | None = None,
    venue_store: MemoryStore | None = None,
    client: Mapping[str, Any] | None = None,
    venue: Mapping[str, Any] | None = None,
) -> Pair:
    """Return two sessions that are not connected yet; `client` and `venue` change their settings."""
    clock = Clock()
    return Pair(
        clock,
        Session(config(Role.INITIATOR, name, **(client or {})), client_store),
        Session(config(Role.ACCEPTOR, name, **(venue or {})), venue_store),
    )


def kinds(sent: list[Message]) -> list[str]:
    """Return the class names of messages."""
    return [message.NAME for message in sent]


class LoggedStore(MemoryStore):
    """A store in memory that records which of its writes would survive a crash."""

    def __init__(self, *, next_outgoing: int = 1, next_incoming: int = 1) -> None:
        super().__init__(next_outgoing=next_outgoing, next_incoming=next_incoming)
        self._numbers = {"next_outgoing": next_outgoing, "next_incoming": next_incoming}
        self.log: list[Callable[[MemoryStore], None]] = []
        """Every record written, in order."""
        self.committed = 0
        """The number of records that are certainly durable."""
        self.commits = 0
        self.resets = 0

    def after_crash(self, *, all_survive: bool = False) -> LoggedStore:
        """Return the store that the next process opens; `all_survive` includes the uncommitted records."""
        reopened = LoggedStore(**self._numbers)
        for record in self.log if all_survive else self.log[: self.committed]:
            record(reopened)
        reopened.begin_commit()
        return reopened

    def record_sent(self, seq_num: int, message: StoredMessage | None) -> None:
        super().record_sent(seq_num, message)
        self.log.append(lambda store: store.record_sent(seq_num, message))

    def advance_incoming(self, next_incoming: int) -> None:
        super().advance_incoming(next_incoming)
        self.log.append(lambda store: store.advance_incoming(next_incoming))

    def reset(self, *, unanswered: bool = False) -> None:
        super().reset(unanswered=unanswered)
        self.resets += 1
        self.log.append(lambda store: store.reset(unanswered=unanswered))

    def reset_answered(self) -> None:
        super().reset_answered()
        self.log.append(lambda store: store.reset_answered())

    def record_request(self, request: OpenRequest) -> None:
        super().record_request(request)
        self.log.append(lambda store: store.record_request(request))

    def settle_requests(self, keys: Iterable[int]) -> None:
        settled = tuple(keys)
        super().settle_requests(settled)
        self.log.append(lambda store: store.settle_requests(settled))

    def begin_commit(self) -> int:
        self.committed = len(self.log)
        self.commits += 1
        return super().begin_commit()


class LateStore(MemoryStore):
    """A store whose commits complete when a test calls `complete`."""

    def __init__(self) -> None:
        super().__init__()
        self.at_once = True
        """Whether commits are durable when they begin."""
        self._begun = self._done = 0
        self._error: StoreError | None = None

    def begin_commit(self) -> int:
        self._begun += 1
        if self.at_once:
            self._done = self._begun
        return self._begun

    @property
    def durable(self) -> int:
        if self._error is not None:
            raise self._error
        return self._done

    @durable.setter
    def durable(self, value: int) -> None:
        """Do nothing; the value follows from the commits."""

    def complete(self, ticket: int | None = None) -> None:
        """Complete the commits up to a ticket, or all commits."""
        self._done = self._begun if ticket is None else ticket
        self.on_commit()

    def fail(self, reason: str) -> None:
        """Fail the commits in progress and all later ones."""
        self._error = StoreError(reason)
        self.on_commit()


def locals_of(error: BaseException, where: str = "") -> str:
    """Return the local variables of all frames of an exception and of its causes, in files whose name
    contains `where`, as a crash reporter records them."""
    found: list[str] = []
    chain: list[BaseException | None] = [error]
    for cause in chain:
        if cause is None:
            continue
        for frame, _ in walk_tb(cause.__traceback__):
            if where in frame.f_code.co_filename:
                found += [
                    f"{name} = {value!r}" for name, value in frame.f_locals.items() if value is not error
                ]
        chain += [item for item in (cause.__cause__, cause.__context__) if item not in chain]
    return "\n".join(found)
