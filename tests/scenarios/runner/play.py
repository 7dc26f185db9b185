"""Play one scenario on one transport, step by step, and report the step that fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.config import Role, SessionConfig
from kalshi_fix_sansio.dialect.base import Block
from kalshi_fix_sansio.events import Event, SessionEnded
from kalshi_fix_sansio.framing import Frame, Framer
from kalshi_fix_sansio.session import Session, State
from tests.helpers import KEY_ID, Clock
from tests.scenarios.runner.driver import Call
from tests.scenarios.runner.match import Matcher, fields_of
from tests.scenarios.runner.model import (
    EventPattern,
    Fields,
    MessageSpec,
    PeerDisconnect,
    PeerInput,
    Scenario,
    Step,
    Switch,
    UserCall,
)
from tests.scenarios.runner.peer import Peer
from tests.scenarios.runner.transport import Outcome, Transport

MSG_TYPE, NUMBER, SENDER, TARGET, POSS_DUP, RESET_FLAG = 35, 34, 49, 56, 43, 141
CODECS: dict[str, Codec] = {}
OpenTransport = Callable[[Session, Clock], Transport]


class ScenarioFailed(AssertionError):
    """The behaviour of a session differs from the scenario."""


def play(scenario: Scenario, open_transport: OpenTransport) -> None:
    """Play a scenario to its end. Raises ScenarioFailed."""
    player = _Player(scenario, open_transport)
    try:
        if scenario.logged_on:
            player.log_on()
        for step in scenario.steps:
            player.play(step)
    finally:
        player.close()


class _Player:
    """Both ends of one scenario."""

    def __init__(self, scenario: Scenario, open_transport: OpenTransport) -> None:
        self._scenario = scenario
        self._open = open_transport
        self._clock, self._start = Clock(), Clock()
        self._codec = CODECS.setdefault(scenario.dialect.name, Codec(scenario.dialect))
        self._matcher = Matcher(scenario.dialect, self._clock, self._start)
        self._config = self._settings()
        self._store = scenario.new_store()
        self._number = self._store.next_outgoing
        """MsgSeqNum expected in the next message from our side."""
        self._peer = self._new_peer()
        self._history: list[str] = []
        self._session: Session | None = None
        self._transport: Transport | None = None

    def _settings(self) -> SessionConfig:
        scenario, venue_comp_id = self._scenario, self._scenario.session_type.name
        initiator = scenario.role is Role.INITIATOR
        values: dict[str, Any] = {
            "role": scenario.role,
            "dialect": scenario.dialect,
            "codec": self._codec,
            "session_type": scenario.session_type,
            "sender_comp_id": KEY_ID if initiator else venue_comp_id,
        }
        if initiator:
            values["target_comp_id"] = venue_comp_id
            if scenario.dialect.name == "kalshi":
                values["sign_logon"] = lambda _: b"c2lnbmF0dXJl"
        values |= scenario.settings
        if "logon_fields" in values:
            values["logon_fields"] = self._logon_fields(values["logon_fields"])
        return SessionConfig(**values)

    def _logon_fields(self, values: Mapping[str, Any]) -> Block:
        """Return the Logon fields as an instance of the dialect's own class."""
        layout = self._scenario.dialect.logon_fields
        assert layout is not None
        fields: Block = layout.cls(**values)
        return fields

    def _new_peer(self) -> Peer:
        """Return the peer, with a valid Logon for its role in this dialect."""
        config, signature = self._config, "c2lnbmF0dXJl"
        logon = {98: "0", 108: str(config.heart_bt_int)}
        if config.role is Role.ACCEPTOR and self._scenario.dialect.name == "kalshi":
            logon |= {95: str(len(signature)), 96: signature}
        logon[1137] = "9"
        if config.session_type.reset_required or (config.role is Role.INITIATOR and config.reset_seq_num):
            logon[141] = "Y"
        return Peer(
            dialect=self._scenario.dialect,
            clock=self._clock,
            start=self._start,
            sender=config.target_comp_id or KEY_ID,
            target=config.sender_comp_id,
            logon=logon,
            next_number=self._store.next_incoming,
        )

    def log_on(self) -> None:
        """Log on, as required by scenarios that start logged on."""
        logon = MessageSpec(((MSG_TYPE, "A"),))
        actions = [UserCall("connect"), PeerInput((logon,))]
        if self._scenario.role is Role.ACCEPTOR:
            actions.append(UserCall("accept", message=logon))
        for action in actions:
            self._perform(action)
            outcome = self._take_outcome()
            self._parse_sent(outcome)
            if outcome.raised is not None:
                raise ScenarioFailed(self._report("before the first step", [f"{outcome.raised!r}"]))
        if self._session is None or self._session.state is not State.ESTABLISHED:
            raise ScenarioFailed(self._report("before the first step", ["the session is not logged on"]))
        self._history.clear()

    def play(self, step: Step) -> None:
        """Play one step, and compare its effects with the expected ones."""
        if step.at is not None:
            target = self._start.monotonic + step.at
            if target < self._clock.monotonic:
                raise self._failed(step, ["`at` is in the past"])
            if self._transport is None:
                self._clock.advance(target - self._clock.monotonic)
            else:
                self._transport.wait_until(target)
        self._history.append(f"{self._clock.monotonic - self._start.monotonic:8.1f} s, step {step.number}")
        self._perform(step.action)
        outcome = self._take_outcome()
        try:
            frames = self._parse_sent(outcome)
        except ScenarioFailed as error:
            raise self._failed(step, [str(error)]) from None
        problems = [
            *self._compare_raised(outcome.raised, step.raises),
            *self._compare_sent(frames, step.expect),
            *self._compare_events(outcome.events, step.events),
        ]
        ended = any(isinstance(event, SessionEnded) for event in outcome.events)
        if ended and not (outcome.closed or isinstance(step.action, PeerDisconnect)):
            problems.append("the session has ended, but the connection is still open")
        if problems:
            raise self._failed(step, problems)

    def close(self) -> None:
        """Drop the connection."""
        if self._transport is not None:
            self._transport.close()

    # --- actions ----------------------------------------------------------------------------------------

    def _perform(self, action: object) -> None:
        if isinstance(action, UserCall):
            self._perform_call(action)
            return
        if action is None:
            return
        transport = self._transport
        if transport is None:
            raise ScenarioFailed("the user has not connected yet")
        if isinstance(action, PeerInput):
            data = b"".join(self._write(part) for part in action.parts)
            size = action.chunk_size or len(data) or 1
            transport.send([data[start : start + size] for start in range(0, len(data), size)])
        elif isinstance(action, PeerDisconnect):
            self._history.append("    <- end of file")
            transport.end()
        elif isinstance(action, Switch):
            setattr(transport, action.name, action.value)

    def _write(self, part: MessageSpec | bytes) -> bytes:
        if isinstance(part, bytes):
            self._history.append(f"    <- {len(part)} bytes {part[:60]!r}")
            return part
        frame = self._peer.write(part)
        self._history.append(f"    <- {self._matcher.show(frame)}")
        return frame

    def _perform_call(self, action: UserCall) -> None:
        self._history.append(f"    user: {action.name}{'' if action.text is None else f' {action.text!r}'}")
        session = None if action.name == "restart" else self._session
        if session is None or (action.name == "connect" and session.state is State.CLOSED):
            self.close()
            store = self._store if session is None else None
            self._session = Session(self._config, store, continues=session)
            self._transport = self._open(self._session, self._clock)
        assert self._transport is not None
        self._transport.call(self._user_call(action))

    def _user_call(self, action: UserCall) -> Call:
        text, spec = action.text, action.message
        if spec is not None:
            tags = tuple(tag for tag, _ in spec.fields if tag != MSG_TYPE)
            message = self._codec.decode(self._wire_form(spec))
            if action.name == "send":
                header = _attributes(message.header, tags)
                return lambda session, now: session.send(message, now, header_fields=header)
            return lambda session, now: session.accept_logon(
                now, fields=self._logon_fields(_attributes(message, tags))
            )
        calls: dict[str, Call] = {
            "connect": lambda session, now: session.connect(now),
            "restart": lambda session, now: session.connect(now),
            "confirm": lambda session, now: session.confirm(),
            "accept": lambda session, now: session.accept_logon(now),
            "refuse": lambda session, now: session.refuse_logon(text or "", now),
            "test_request": lambda session, now: session.test_request(now, test_req_id=text),
            "reset": lambda session, now: session.reset(now),
            "logout": lambda session, now: session.logout(now, text=text),
            "abort": lambda session, now: session.abort(text or "", now),
        }
        return calls[action.name]

    def _wire_form(self, spec: MessageSpec) -> bytes:
        """Return a message in wire form, to be decoded into the message object that the user sends."""
        return attrs.evolve(self._peer, logon={}).write(spec)

    # --- effects ----------------------------------------------------------------------------------------

    def _take_outcome(self) -> Outcome:
        if self._transport is None:
            return Outcome(b"", [], None, closed=True)
        return self._transport.take_outcome()

    def _parse_sent(self, outcome: Outcome) -> list[bytes]:
        """Split the sent bytes into messages and check the rules that every message must meet."""
        framer = Framer(self._scenario.dialect.begin_string)
        framer.feed(outcome.sent)
        frames = []
        while (found := framer.next()) is not None:
            if not isinstance(found, Frame):
                raise ScenarioFailed(f"our side sent {found}, which is not a message")
            self._history.append(f"    -> {self._matcher.show(found.data)}")
            self._check(found)
            frames.append(found.data)
        if framer.pending:
            raise ScenarioFailed(f"our side sent {framer.pending} bytes that do not form a complete message")
        self._history.extend(f"    the user receives {event}" for event in outcome.events)
        return frames

    def _check(self, frame: Frame) -> None:
        """Check that a message from our side is valid and has our SenderCompID, and that it has the next
        number unless PossDupFlag is set."""
        _, problems = self._codec.check(frame)
        fields = fields_of(frame.data)
        faults = [str(problem) for problem in problems]
        if fields.get(SENDER) != self._config.sender_comp_id:
            faults.append(f"SenderCompID is {fields.get(SENDER)}, not {self._config.sender_comp_id}")
        number = int(fields.get(NUMBER, 0))
        if fields[MSG_TYPE] == "A" and fields.get(RESET_FLAG) == "Y":
            self._number = 1
        if fields.get(POSS_DUP) != "Y":
            if number != self._number:
                faults.append(f"MsgSeqNum is {number}, not {self._number}")
            self._number = number + 1
        if faults:
            raise ScenarioFailed(f"our side sent {self._matcher.show(frame.data)}: {'; '.join(faults)}")

    def _compare_raised(self, raised: Exception | None, expected: tuple[str, str] | None) -> list[str]:
        if raised is None:
            return [] if expected is None else [f"the call did not raise {expected[0]}"]
        if expected is not None and type(raised).__name__ == expected[0] and expected[1] in str(raised):
            return []
        return [f"the call raised {type(raised).__name__}: {raised}"]

    def _compare_sent(self, frames: Sequence[bytes], expected: Sequence[Fields]) -> list[str]:
        matcher = self._matcher
        for index, pattern in enumerate(expected):
            if index == len(frames):
                return [f"our side did not send {matcher.show_pattern(pattern)}"]
            if not matcher.matches_message(frames[index], pattern):
                return [f"our side sent {matcher.show(frames[index])}, not {matcher.show_pattern(pattern)}"]
        return [f"our side also sent {matcher.show(frame)}" for frame in frames[len(expected) :]]

    def _compare_events(self, events: Sequence[Event], expected: Sequence[EventPattern]) -> list[str]:
        matcher = self._matcher
        for index, pattern in enumerate(expected):
            if index == len(events):
                return [f"the user did not receive {matcher.show_event_pattern(pattern)}"]
            if not matcher.matches_event(events[index], pattern):
                return [f"the user received {events[index]}, not {matcher.show_event_pattern(pattern)}"]
        return [f"the user also received {event}" for event in events[len(expected) :]]

    def _failed(self, step: Step, problems: Sequence[str]) -> ScenarioFailed:
        return ScenarioFailed(self._report(f"step {step.number} (line {step.line})", problems))

    def _report(self, where: str, problems: Sequence[str]) -> str:
        scenario = self._scenario
        head = f"{scenario.path.parent.name}/{scenario.path.name}, {scenario.role.value}, {where}: "
        return "\n".join([head + "; ".join(problems), f"  {scenario.title}", *self._history])


def _attributes(block: Any, tags: Sequence[int]) -> dict[str, Any]:
    """Return the attributes of a block for these tags."""
    members = (block.LAYOUT.by_tag.get(tag) for tag in tags)
    return {member.attribute: getattr(block, member.attribute) for member in members if member is not None}
