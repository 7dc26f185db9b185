"""Fuzz target `session`: arbitrary messages from the peer and calls by the user, in any state."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import Any, Final

import attrs

from fuzz import wire
from fuzz.wire import KALSHI, PLAIN, SOH, WireDialect
from kalshi_fix_sansio import DIALECT, LogonFields
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.config import QUICKFIX, ProtocolOptions, Role, SessionConfig
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.errors import DecodeError, LocalProtocolError
from kalshi_fix_sansio.events import (
    Event,
    LoggedOn,
    MessageReceived,
    MessageRejected,
    MessagesLost,
    SequenceSkipped,
    SessionEnded,
)
from kalshi_fix_sansio.framing import Frame, Framer, encode_frame
from kalshi_fix_sansio.fuzzing import Choices
from kalshi_fix_sansio.session import MemoryStore, Session, State

START: Final = datetime(2026, 8, 21, 14, 3, 7, 123000, tzinfo=UTC)
OUR_COMP_ID, PEER_COMP_ID = "ours", "theirs"
MAX_MESSAGE_SIZE = 2048
MAX_UNSENT = 8192
MAX_EVENTS = 64
MAX_STEPS = 8
_MAX_CALLS = 32
_MAX_EXCESS = 16 * 1024
"""Number of bytes by which the unsent data may exceed the limit, because the answers to the message being
handled may still be added."""
_SESSION_MESSAGE = re.compile(rb"8=FIXT\.1\.1\x019=[0-9]+\x0135=[0-5Aj]\x01")
_NUMBER = re.compile(rb"\x0134=0*([0-9]{1,18})\x01")


def _session_messages(stream: bytes) -> list[bytes]:
    """Return the beginnings of session messages and rejects in a stream."""
    return [stream[match.start() : match.start() + 256] for match in _SESSION_MESSAGE.finditer(stream)]


@lru_cache(256)
def _stamp(utc: datetime) -> bytes:
    return utc.strftime("%Y%m%d-%H:%M:%S.").encode() + b"%03d" % (utc.microsecond // 1000)


class CountingStore(MemoryStore):
    """A store that counts its resets."""

    def __init__(self) -> None:
        super().__init__()
        self.resets = 0

    def reset(self, *, unanswered: bool = False) -> None:
        super().reset(unanswered=unanswered)
        self.resets += 1


@attrs.frozen
class Setting:
    """The combination of session settings that an input chooses."""

    role: Role
    name: str
    """Name of the session type; FIXT is the session type of the second dialect."""
    strict: bool = False
    like_quickfix: bool = False
    explicit_confirm: bool = False
    offer_next_expected: bool = False

    @property
    def wire(self) -> WireDialect:
        return PLAIN if self.name == "FIXT" else KALSHI


@cache
def config(setting: Setting) -> SessionConfig:
    """Return a configuration with small bounds."""
    dialect = setting.wire.dialect
    session_type = dialect.session_types[setting.name]
    is_signed = setting.role is Role.INITIATOR and dialect is KALSHI.dialect
    return SessionConfig(
        role=setting.role,
        dialect=dialect,
        codec=setting.wire.codec,
        session_type=session_type,
        product=session_type.products[0] if session_type.products else "",
        sender_comp_id=OUR_COMP_ID,
        target_comp_id=PEER_COMP_ID,
        sign_logon=(lambda _: b"c2lnbmF0dXJl") if is_signed else None,
        logon_fields=LogonFields(use_dollars=True) if is_signed and _has_prices(setting) else None,
        strict=setting.strict,
        protocol_options=QUICKFIX if setting.like_quickfix else ProtocolOptions(),
        explicit_confirm=setting.explicit_confirm,
        offer_next_expected=setting.offer_next_expected and session_type.resend,
        max_message_size=MAX_MESSAGE_SIZE,
        max_unsent=MAX_UNSENT,
        max_events=MAX_EVENTS,
        max_held=6,
        max_sent_record=4,
        max_open_requests=5,
    )


_USE_DOLLARS = next(str(tag) for tag, field in DIALECT.fields.items() if field.name == "UseDollars")


@cache
def logon_fields(setting: Setting) -> dict[str, str]:
    """Return the fields of the peer's Logon, by tag."""
    session_type = config(setting).session_type
    is_signed = setting.role is Role.ACCEPTOR and setting.wire is KALSHI
    return {
        "98": "0",
        "108": "30",
        **({"95": "4", "96": "c2ln"} if is_signed else {}),
        "1137": "9",
        **({"141": "Y"} if session_type.reset_required else {}),
        **({_USE_DOLLARS: "Y"} if is_signed and _has_prices(setting) else {}),
    }


def _has_prices(setting: Setting) -> bool:
    """Return whether the session has prices. The templates contain prices in dollars."""
    return setting.wire is KALSHI and setting.name in ("KalshiNR", "KalshiRT", "KalshiRFQ")


@lru_cache(4096)
def _outline(name: str, frame: bytes, *, forwarded: bool) -> tuple[str, int, bool]:
    """Return MsgType and MsgSeqNum of a sent message, and whether it resends or replaces earlier ones."""
    message: Any = Setting(Role.INITIATOR, name).wire.codec.decode(frame)
    assert forwarded or not message.problems, f"sent {frame!r}: {message.problems}"
    header = message.header
    is_gap_fill = header.msg_type == "4" and message.gap_fill_flag is True
    return header.msg_type, header.msg_seq_num, header.poss_dup_flag is True or is_gap_fill


class Player:
    """The user and the peer of a session, with checks of its invariants."""

    def __init__(self, setting: Setting) -> None:
        self.setting, self.config = setting, config(setting)
        self.store = CountingStore()
        self.session = Session(self.config, self.store)
        self.monotonic, self.utc = 1000.0, START
        self.peer_number = 1
        """MsgSeqNum of the peer's next message."""
        self.session_number = 1
        """MsgSeqNum that the session's next new message must have."""
        self.may_skip = False
        """Whether outgoing messages may have been lost with a connection."""
        self.resets = 0
        self.expected = 1
        self.events: list[Event] = []
        """Events of this connection."""
        self.delivered: set[int] = set()
        """Numbers of messages delivered since the last reset."""
        self.rejected: set[int] = set()
        """Numbers of messages reported as rejected since the last reset."""
        self.skipped: list[tuple[int, int]] = []
        """Ranges of numbers that were reported as skipped or lost."""
        self.first_expected = 1
        """The first number expected since the last reset."""
        self.reset_unanswered_at_start = False
        """Whether the connection began with an unanswered reset. While it is unanswered, earlier messages are
        unknown, and an acceptor adopts the MsgSeqNum of the peer's Logon."""
        self.received = b""
        """All bytes received."""
        self.codec = self.config.codec
        self.has_forwarded = False
        """Whether the output may include forwarded messages, whose bodies are not validated."""
        self.frames: list[bytes] = []
        """The last messages sent by the session, for `forward`."""

    @property
    def now(self) -> Instant:
        return Instant(self.monotonic, self.utc)

    # The peer

    def receive(
        self,
        msg_type: bytes,
        body: bytes = b"",
        number: int | None = None,
        header: bytes = b"",
        **changes: bytes,
    ) -> None:
        """Receive a message from the peer, with its next number by default; `changes` replace header fields
        by tag, as in `t49=b"x"`."""
        if number is None:
            number = self.peer_number
            self.peer_number += 1
        fields = {
            "t49": PEER_COMP_ID.encode(),
            "t56": OUR_COMP_ID.encode(),
            "t34": b"%d" % number,
            "t52": _stamp(self.utc),
        } | changes
        text = b"".join([b"%b=%b\x01" % (tag[1:].encode(), value) for tag, value in fields.items()])
        self.feed(encode_frame("FIXT.1.1", b"35=" + msg_type + SOH + text + header + body))

    def logon(self, body: bytes = b"", number: int | None = None) -> None:
        """Receive the peer's Logon."""
        fields = logon_fields(self.setting)
        if "141" in fields and number is None:
            self.peer_number = 1
        text = "".join(f"{tag}={value}\x01" for tag, value in fields.items())
        self.receive(b"A", text.encode() + body, number)

    def feed(self, data: bytes) -> None:
        """Receive bytes from the peer."""
        self.received += data
        try:
            self.session.receive_data(data, self.now)
        except LocalProtocolError as error:
            text = str(error)
            assert self.session.state is State.DISCONNECTED or "unfetched events" in text, text

    # The user

    def call(self, action: Callable[[], Any]) -> None:
        """Make a call that may be rejected. If this side signs its Logons, a rejected call must not have
        changed the session."""
        state_before = self._state()
        try:
            action()
        except (LocalProtocolError, DecodeError):
            unchanged = state_before == self._state()
            assert unchanged or self.config.sign_logon is None, "the call was refused but changed the session"

    def _state(self) -> tuple[State, int, int, int]:
        session = self.session
        return session.state, session.next_outgoing, session.next_incoming, self.store.resets

    def forward(self, frame: bytes) -> None:
        """Forward a message."""
        self.session.forward(frame, self.now)
        self.has_forwarded = True

    def advance(self, seconds: float, *, wall: float | None = None) -> None:
        """Advance the clocks by `seconds`; if `wall` is given, advance the wall clock by `wall` instead."""
        self.monotonic += seconds
        self.utc += timedelta(seconds=seconds if wall is None else wall)
        self.handle_timers()

    def wait(self, seconds: float) -> None:
        """Advance the clocks, handling each deadline when it is due, up to a maximum number of deadlines."""
        end = self.monotonic + seconds
        for _ in range(_MAX_CALLS):
            due = self.session.next_deadline()
            if due is None or due > end:
                break
            self.advance(max(due - self.monotonic, 0.0))
        self.advance(max(end - self.monotonic, 0.0))

    def handle_timers(self) -> None:
        """Handle all due deadlines; afterwards no deadline may be due."""
        for _ in range(12):
            due = self.session.next_deadline()
            if due is None or due > self.monotonic:
                return
            self.session.handle_timer(self.now)
            self.take()
        raise AssertionError("a deadline is still due after it was handled")

    def take(self) -> None:
        """Take events and bytes, and check them."""
        for event in self.session.events():
            self._check_event(event)
        self.check_sent(self.session.data_to_send())
        session = self.session
        assert len(session.open_requests) <= self.config.max_open_requests
        # The store keeps answered requests until their answers are confirmed, and one OutcomesUnknown can
        # answer all open requests at once, so several times the limit may be stored.
        assert len(session.store.open_requests()) <= 3 * self.config.max_open_requests
        if self.store.resets != self.resets:
            self.resets = self.store.resets
            if session.next_incoming < self.expected:
                self._forget_numbers(session.next_incoming)
        assert session.next_incoming >= self.expected, "the expected number decreases without a reset"
        self.expected = session.next_incoming
        if session.wants_close:
            assert [type(event) for event in self.events].count(SessionEnded) == 1, (
                "the end was not reported exactly once"
            )
            assert isinstance(self.events[-1], SessionEnded), "an event follows the end"
            assert session.next_deadline() is None
        assert session.store.next_incoming <= session.next_incoming

    def _forget_numbers(self, expected: int) -> None:
        """Forget the reported numbers, because the numbers were reset or the process is new."""
        self.first_expected = self.expected = expected
        self.delivered.clear()
        self.rejected.clear()
        self.skipped.clear()

    def check_reported(self) -> None:
        """Check that each consumed number was reported to the user, or belongs to a session message."""
        if self.reset_unanswered_at_start and self.store.reset_unanswered:
            return
        session_message_numbers = {
            int(match[1]) for match in map(_NUMBER.search, _session_messages(self.received)) if match
        }
        accounted_for = self.delivered | self.rejected | session_message_numbers
        number = self.first_expected
        while number < self.expected:
            ends = [end for begin, end in self.skipped if begin <= number <= end]
            assert ends or number in accounted_for, f"{number} is consumed but was not reported to the user"
            number = max(ends, default=number) + 1

    def _check_event(self, event: Event) -> None:
        assert not (self.events and isinstance(self.events[-1], SessionEnded)), f"{event} follows the end"
        self.events.append(event)
        if isinstance(event, LoggedOn) and event.reset:
            # The event may be reported late: messages sent after the reset but before this Logon may still be
            # missing.
            self._forget_numbers(min(event.logon.header.msg_seq_num, self.session.next_incoming))
        if isinstance(event, MessageReceived):
            number = event.message.header.msg_seq_num
            assert number not in self.delivered, f"{number} is delivered twice"
            assert number >= max(self.delivered, default=0), f"{number} is delivered out of order"
            self.delivered.add(number)
        if isinstance(event, MessageRejected) and event.message is not None:
            number = event.message.header.msg_seq_num
            if event.will_be_resent:
                assert self.session.next_incoming <= number, (
                    f"{number} is consumed and cannot be delivered again"
                )
            else:
                self.rejected.add(number)
        if isinstance(event, SequenceSkipped | MessagesLost):
            self.skipped.append((event.begin, event.end))

    def check_sent(self, data: bytes) -> None:
        """Check that the session sends complete, valid messages with consecutive numbers."""
        assert len(data) <= 2 * MAX_UNSENT + _MAX_EXCESS, f"{len(data)} bytes were waiting"
        framer = Framer("FIXT.1.1", 1 << 20)
        framer.feed(data)
        while (frame := framer.next()) is not None:
            assert isinstance(frame, Frame), f"sent bytes that are not a message: {frame}"
            self._check_number(*_outline(self.setting.name, frame.data, forwarded=self.has_forwarded))
            self.frames = [*self.frames[-3:], frame.data]
        assert framer.pending == 0

    def _check_number(self, msg_type: str, number: int, is_resent: bool) -> None:
        if is_resent:
            return
        if msg_type == "A" and number == 1:
            self.session_number = 1
        expected = self.session_number
        is_expected = number >= expected if self.may_skip else number == expected
        assert is_expected, f"number {number} is sent instead of {expected}"
        self.session_number, self.may_skip = number + 1, False

    # The next connection

    def reconnect(self, *, restart: bool) -> None:
        """Begin the next connection, in the same process or in a new one."""
        self.take()
        if self.session.state is not State.CLOSED:
            if self.session.state is not State.DISCONNECTED:
                self.session.receive_eof(self.now)
            else:
                self.session.abort("", self.now)
            self.take()
        if restart:
            self.session = Session(self.config, self.store)
            self._forget_numbers(self.store.next_incoming)
        else:
            self.session = Session(self.config, continues=self.session)
        self.reset_unanswered_at_start = self.store.reset_unanswered
        self.events = []
        self.may_skip = True
        self.peer_number = max(self.session.next_incoming, 1)


def connect(player: Player) -> None:
    """Connect the transport."""
    player.call(lambda: player.session.connect(player.now))


def log_on(player: Player) -> None:
    """Complete the Logon handshake."""
    connect(player)
    if player.setting.role is Role.ACCEPTOR:
        player.logon()
        player.take()
        player.call(lambda: player.session.accept_logon(player.now))
    else:
        player.take()
        player.logon()
    player.take()


STATES: Final = (
    "new",
    "connected",
    "logon requested",
    "established",
    "recovering",
    "resetting",
    "logout sent",
    "protocol violation",
    "reading resumed",
    "silent",
    "reconnected",
)
"""Initial states, each reached by messages and calls."""


def reach(player: Player, state: str) -> None:
    """Bring a player that is not connected into a state."""
    if state in ("connected", "logon requested"):
        connect(player)
    elif state != "new":
        log_on(player)
    match state:
        case "logon requested":
            player.logon()
        case "recovering" | "reconnected":
            player.peer_number += 3
            player.receive(b"0")
        case "resetting":
            player.call(lambda: player.session.reset(player.now))
        case "logout sent":
            player.call(lambda: player.session.logout(player.now, text="bye"))
        case "protocol violation":
            player.receive(b"0", number=1, header=b"43=N\x01")
        case "reading resumed":
            player.call(player.session.pause_reading)
            player.advance(40)
            player.call(lambda: player.session.resume_reading(player.now))
        case "silent":
            player.advance(37)
    if state == "reconnected":
        player.reconnect(restart=False)
        log_on(player)


_SESSION_TYPES: Final = ("KalshiRT", "KalshiNR", "FIXT", "KalshiDC", "KalshiMD", "KalshiPT", "KalshiRFQ")
_MSG_TYPES: Final = (b"0", b"1", b"2", b"3", b"4", b"5", b"A", b"j", b"D", b"8", b"9", b"W", b"X", b"ZZ")
_BODIES: Final = (
    (b"0", b""),
    (b"0", b"112=hello\x01"),
    (b"1", b"112=hello\x01"),
    (b"1", b""),
    (b"2", b"7=1\x0116=0\x01"),
    (b"2", b"7=2\x0116=4\x01"),
    (b"2", b"7=99\x0116=100\x01"),
    (b"3", b"45=2\x01373=5\x01"),
    (b"4", b"36=9\x01123=Y\x01"),
    (b"4", b"36=20\x01"),
    (b"4", b"36=1\x01"),
    (b"4", b"36=999999999999999999\x01"),
    (b"4", b"123=N\x0136=30\x01"),
    (b"5", b""),
    (b"5", b"58=bye\x01"),
    (b"A", b"98=0\x01108=30\x011137=9\x01141=Y\x01"),
    (b"A", b"98=0\x01108=30\x011137=9\x01789=3\x01"),
    (b"A", b"98=0\x01108=5\x01"),
    (b"j", b"45=1\x01380=4\x01372=D\x01"),
    (b"8", b"11=a1\x0137=o\x01"),
    (b"8", b"37=o\x01"),
    (b"9", b"11=a1\x0137=o\x01"),
    (b"D", b"11=a1\x01"),
    (b"ZZ", b"58=x\x01"),
)
"""Messages from the peer, each a MsgType and a body; most bodies are valid for their MsgType."""
_HEADERS: Final = (
    b"",
    b"43=Y\x01122=20260821-14:00:00\x01",
    b"43=Y\x01",
    b"97=Y\x01",
    b"43=N\x01",
    b"369=3\x01",
)
_CHANGES: Final[tuple[dict[str, bytes], ...]] = (
    {},
    {"t52": b"20260821-14:00:00.000"},
    {"t49": b"other"},
    {"t56": b"other"},
    {"t52": b"x"},
    {"t34": b"0"},
    {"t34": b"999999999999999999"},
    {"t34": b""},
)
WAIT_STEPS_PER_SECOND = 4
"""Waiting times are multiples of one second divided by this number."""
MAX_DISTANCE = 32
"""Maximum distance of a literal message's number from the next number."""
_SECONDS: Final = (0.0, 0.001, 1.0, 6.0, 29.9, 30.0, 31.0, 36.0, 600.0, 90_000.0)


def check(data: bytes) -> None:
    """For any input and any calls in every state, only the documented errors are raised, the session sends
    valid messages in order, no message is delivered twice or out of order, no number decreases, every
    consumed sequence number is reported to the user, the end is reported once, as the last event, and queues
    stay within their bounds."""
    player = play(data)
    player.handle_timers()
    player.take()
    player.check_reported()


def play(data: bytes) -> Player:
    """Return a player after the steps of an input."""
    choices = Choices(data)
    setting = Setting(
        choices.pick((Role.INITIATOR, Role.ACCEPTOR)),
        choices.pick(_SESSION_TYPES),
        strict=choices.one_in(2),
        like_quickfix=choices.one_in(4),
        explicit_confirm=choices.one_in(4),
        offer_next_expected=choices.one_in(3),
    )
    player = start_player(setting, choices.pick(STATES))
    steps = 0
    while choices.has_more and steps < MAX_STEPS:
        steps += 1
        if player.session.state is State.CLOSED:
            if choices.one_in(2):
                break
            _reconnect(player, choices)
        _step(player, choices)
    return player


def start_player(setting: Setting, state: str) -> Player:
    """Return a new player in a state."""
    player = Player(setting)
    reach(player, state)
    player.take()
    return player


def _reconnect(player: Player, choices: Choices) -> None:
    player.reconnect(restart=choices.one_in(2))
    reach(player, choices.pick(("connected", "logon requested", "established")))


def _step(player: Player, choices: Choices) -> None:
    match choices.below(16):
        case 0 | 1 | 2 | 3 | 4 | 5:
            _receive_from_peer(player, choices)
        case 6:
            _feed_template(player, choices)
        case 7:
            _feed_literal(player, choices)
        case 8:
            player.feed(choices.chunk())
        case 9:
            player.wait(choices.pick(_SECONDS) + choices.below(256) / WAIT_STEPS_PER_SECOND)
        case 10:
            player.advance(choices.pick(_SECONDS), wall=choices.pick((None, 0.0, -60.0, 60.0)))
        case 11 | 12:
            player.take()
        case 13:
            _send(player, choices)
        case 14:
            _call(player, choices)
        case _:
            _reconnect(player, choices)


def _receive_from_peer(player: Player, choices: Choices) -> None:
    msg_type, body = choices.pick(_BODIES)
    if choices.one_in(8):
        msg_type = choices.pick(_MSG_TYPES)
    number = None
    match choices.below(6):
        case 4:
            number = max(player.session.next_incoming + choices.below(16) - 8, 0)
        case 5:
            player.peer_number += choices.below(4)
        case 3:
            player.peer_number = player.session.next_incoming
    body += choices.chunk() if choices.one_in(4) else b""
    player.receive(msg_type, body, number, choices.pick(_HEADERS), **choices.pick(_CHANGES * 2 + ({},) * 16))


def _feed_literal(player: Player, choices: Choices) -> None:
    """Receive a message whose fields are taken verbatim from the input."""
    msg_type = choices.take(1 + choices.below(2))
    # From -MAX_DISTANCE to MAX_DISTANCE - 1. An exhausted input makes `below` return 0, which is distance 0.
    distance = (choices.below(2 * MAX_DISTANCE) + MAX_DISTANCE) % (2 * MAX_DISTANCE) - MAX_DISTANCE
    number = max(player.peer_number + distance, 0)
    player.peer_number = max(player.peer_number, number + 1)
    header = choices.chunk()
    player.receive(msg_type, choices.chunk(), number, header)


def _feed_template(player: Player, choices: Choices) -> None:
    """Receive a message of the dialect, usually with the peer's header: in one chunk, in two chunks or
    damaged."""
    chosen_wire = player.setting.wire
    fields = list(choices.pick(chosen_wire.templates))
    for _ in range(choices.below(3)):
        wire.change_fields(choices, fields, chosen_wire)
    if not fields or fields[0][0] != b"35":
        fields.insert(0, (b"35", b"8"))
    body = b"".join(
        b"%b=%b\x01" % (tag, value) for tag, value in fields[1:] if tag not in (b"49", b"56", b"34", b"52")
    )
    if choices.one_in(8):
        player.feed(wire.damage(choices, wire.join_fields(fields)))
    else:
        player.receive(fields[0][1], body[: MAX_MESSAGE_SIZE * 2])


def _message(player: Player, choices: Choices) -> Message:
    chosen_wire = player.setting.wire
    return chosen_wire.codec.decode(wire.join_fields(choices.pick(chosen_wire.templates)))


def _send(player: Player, choices: Choices) -> None:
    message, session = _message(player, choices), player.session
    message.header = message.trailer = None
    fields = choices.pick(({}, {}, {"poss_resend": True}))
    player.call(lambda: session.send(message, player.now, header_fields=fields))


def _call(player: Player, choices: Choices) -> None:
    session, now = player.session, player.now
    text = choices.pick(("", "bye", "x" * 5000, "a\x01b", "é\n"))
    calls: tuple[Callable[[], Any], ...] = (
        lambda: session.accept_logon(now),
        lambda: session.refuse_logon(text, now),
        lambda: session.confirm(choices.below(4)),
        session.confirm,
        lambda: session.test_request(now),
        lambda: session.test_request(now, test_req_id=text),
        lambda: session.reset(now),
        lambda: session.logout(now, text=text),
        lambda: session.abort(text, now),
        lambda: session.receive_eof(now),
        session.pause_reading,
        lambda: session.resume_reading(now),
        lambda: session.handle_timer(now),
        lambda: session.connect(now),
        lambda: player.forward(choices.pick([b"", *player.frames])),
        lambda: player.forward(wire.message(choices, player.setting.wire)),
    )
    player.call(choices.pick(calls))
