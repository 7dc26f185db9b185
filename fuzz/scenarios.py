"""Seeds of the session target: the scenarios of tests/scenarios/ converted to inputs.

One role of each file is converted, with as many steps as an input can contain. Files with settings that an
input cannot represent are left out. Such settings are sequence numbers or bounds of the store, intervals and
bounds of the session, individual protocol options, and the second product of a session type. For a message
that the user sends, only its type is kept. The expectations of a step are dropped, because the target checks
its own invariant. Steps in which the peer stops reading, or the user stops fetching events, are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from fuzz.targets import session
from fuzz.targets.session import MAX_DISTANCE, OUR_COMP_ID, PEER_COMP_ID, WAIT_STEPS_PER_SECOND, Setting
from fuzz.wire import SOH, fields_of
from kalshi_fix_sansio.config import QUICKFIX, Role
from kalshi_fix_sansio.framing import is_frame
from kalshi_fix_sansio.fuzzing import Choices
from kalshi_fix_sansio.session import State
from tests.helpers import Clock
from tests.scenarios.runner.model import MessageSpec, PeerDisconnect, PeerInput, Scenario, UserCall
from tests.scenarios.runner.parse import load, roles
from tests.scenarios.runner.peer import Peer

FOLDER: Final = Path(__file__).resolve().parent.parent / "tests" / "scenarios"
_SETTINGS: Final = frozenset({"strict", "offer_next_expected", "explicit_confirm", "protocol_options"})
# Numbers of calls, as `session._call` reads them. The numbers that `_record_step` receives are kinds of
# steps, as `session._step` reads them.
_CALLS: Final = {
    "accept": 0,
    "refuse": 1,
    "confirm": 3,
    "test_request": 4,
    "reset": 6,
    "logout": 7,
    "abort": 8,
}
_EOF, _CONNECT = 9, 13
_MAX_CHUNK = 255


def inputs() -> Iterator[tuple[str, bytes]]:
    """Yield the name and the input of each scenario that can be converted."""
    for path in sorted(FOLDER.glob("*/*.yaml")):
        scenario = load(path, roles(path)[0])
        if (setting := _setting(scenario)) is not None:
            yield f"{path.parent.name}-{path.stem}", _Writer(scenario, setting).data


def _setting(scenario: Scenario) -> Setting | None:
    """Return the session settings of a scenario, or None if no input can represent them."""
    settings = dict(scenario.settings)
    product = settings.pop("product", "")
    options = settings.pop("protocol_options", None)
    kind = scenario.session_type
    usual_product = kind.products[0] if kind.products else ""
    if (
        scenario.store
        or set(settings) - _SETTINGS
        or kind.name not in session._SESSION_TYPES
        or product not in ("", usual_product)
        or options not in (None, QUICKFIX)
    ):
        return None
    return Setting(scenario.role, kind.name, like_quickfix=options is QUICKFIX, **settings)


def _join(step: Sequence[int | bytes]) -> bytes:
    return b"".join(each if isinstance(each, bytes) else bytes((each,)) for each in step)


class _Writer:
    """Plays a scenario, and records in `data` the choices that reproduce it."""

    def __init__(self, scenario: Scenario, setting: Setting) -> None:
        user_connects = isinstance(scenario.steps[0].action, UserCall) and not scenario.logged_on
        state = "established" if scenario.logged_on else "connected" if user_connects else "new"
        self.data = bytes(
            (
                setting.role is Role.ACCEPTOR,
                session._SESSION_TYPES.index(setting.name),
                setting.strict,
                3 * setting.like_quickfix,
                3 * setting.explicit_confirm,
                2 * setting.offer_next_expected,
                session.STATES.index(state),
            )
        )
        self._player = session.start_player(setting, state)
        self._count = 0
        self._clock, start = Clock(utc=self._player.utc), Clock(utc=self._player.utc)
        self._peer = Peer(
            dialect=scenario.dialect,
            clock=self._clock,
            start=start,
            sender=PEER_COMP_ID,
            target=OUR_COMP_ID,
            logon={int(tag): value for tag, value in session.logon_fields(setting).items()},
            next_number=self._player.peer_number,
        )
        start_time, steps = self._player.monotonic, scenario.steps[user_connects:]
        for step in steps:
            if step.at is not None:
                self._wait(start_time + step.at - self._player.monotonic)
            self._act(step.action)

    def _record_step(self, *step: int | bytes) -> None:
        """Record one step, and execute it."""
        if self._count == session.MAX_STEPS or self._player.session.state is State.CLOSED:
            return
        self._count += 1
        self._add(*step)

    def _add(self, *step: int | bytes) -> None:
        text = _join(step)
        self.data += text
        session._step(self._player, Choices(text))

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            longest = max(each for each in session._SECONDS if each <= seconds)
            rest = min(round((seconds - longest) * WAIT_STEPS_PER_SECOND), 255)
            self._record_step(9, session._SECONDS.index(longest), rest)

    def _act(self, action: Any) -> None:
        self._clock.utc = self._player.utc
        if isinstance(action, PeerInput):
            for part in action.parts:
                self._receive(self._peer.write(part) if isinstance(part, MessageSpec) else part)
        elif isinstance(action, PeerDisconnect):
            self._call(_EOF)
        elif isinstance(action, UserCall):
            self._record_user_call(action)

    def _receive(self, data: bytes) -> None:
        """Receive bytes from the peer: as a message if they have the usual header, otherwise as raw bytes."""
        if data.startswith(b"8=FIXT.1.1\x01") and is_frame(data) and (literal := self._literal_step(data)):
            self._record_step(7, *literal)
            return
        for begin in range(0, len(data), _MAX_CHUNK):
            chunk = data[begin : begin + _MAX_CHUNK]
            self._record_step(8, len(chunk), chunk)

    def _literal_step(self, frame: bytes) -> tuple[int | bytes, ...] | None:
        """Return the choices with which a step of kind 7 reproduces a message, or None if it cannot.

        The step contains the MsgType, the distance of MsgSeqNum from the expected number, and the other
        fields of the header and the body. It supplies the usual CompIDs and SendingTime, so the message must
        have these values.
        """
        (_, msg_type), *fields = fields_of(frame)
        usual = {
            b"49": PEER_COMP_ID.encode(),
            b"56": OUR_COMP_ID.encode(),
            b"52": session._stamp(self._player.utc),
        }
        tags = [tag for tag, _ in fields]
        header_tags = {b"%d" % tag for tag in self._player.config.dialect.header.by_tag}
        if any((tag, value) not in fields for tag, value in usual.items()) or tags.count(b"34") != 1:
            return None
        number = dict(fields)[b"34"]
        distance = (
            int(number) - self._player.peer_number if number.isdigit() and len(number) < 6 else MAX_DISTANCE
        )
        if not (-MAX_DISTANCE <= distance < MAX_DISTANCE and len(msg_type) in (1, 2)):
            return None
        rest = [field for field in fields if field[0] not in (*usual, b"34")]
        header, body = (
            b"".join(tag + b"=" + value + SOH for tag, value in rest if (tag in header_tags) is is_header)
            for is_header in (True, False)
        )
        is_in_order = header + body == b"".join(tag + b"=" + value + SOH for tag, value in rest)
        if max(len(header), len(body)) > _MAX_CHUNK or not is_in_order:
            return None
        return (
            len(msg_type) - 1,
            msg_type,
            distance % (2 * MAX_DISTANCE),
            len(header),
            header,
            len(body),
            body,
        )

    def _record_user_call(self, action: UserCall) -> None:
        """Record the steps for a call by the user."""
        if action.name in ("connect", "restart"):
            restart = action.name == "restart"
            if self._player.session.state is State.CLOSED:
                # The target reads the choices for a reconnection only between two steps, so a step that takes
                # events is added after them.
                if self._count < session.MAX_STEPS:
                    reconnection = bytes((0, restart, 0))
                    self.data += reconnection
                    session._reconnect(self._player, Choices(reconnection[1:]))
                    self._record_step(11)
            elif self._player.session.state is State.DISCONNECTED and not restart:
                self._call(_CONNECT)
            else:
                self._record_step(15, restart, 0)
        elif action.name == "send":
            self._send(action)
        else:
            self._call(_CALLS[action.name], text=1 if action.text else 0)

    def _call(self, number: int, text: int = 0) -> None:
        self._record_step(14, text, number)

    def _send(self, action: UserCall) -> None:
        """Record a step that sends the first template of this type that the session accepts."""
        assert action.message is not None
        msg_type = str(dict(action.message.fields)[35]).encode()
        templates = self._player.setting.wire.templates
        size = ((len(templates) - 1).bit_length() + 7) // 8
        player = self._player
        for number, fields in enumerate(templates):
            if fields[0][1] != msg_type:
                continue
            step = (13, number.to_bytes(size, "big"), 0)
            player_after = session.play(self.data + _join(step))
            if player_after.session.next_outgoing > player.session.next_outgoing:
                self._record_step(*step)
                return
