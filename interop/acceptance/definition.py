"""Read acceptance definitions, which have one step per line.

`I` sends a message to the engine and `E` expects one from it; `iCONNECT` and `iDISCONNECT` are actions of
the player (the program that performs the steps), `eCONNECT` and `eDISCONNECT` those of the engine. `I2,` and
so on select one of several connections. `R` is an answer to the engine, and has the same effect as `I`. Other
lines are ignored, as they are by the engines that the definitions were written for.
"""

from __future__ import annotations

import re
from collections import Counter
from enum import Enum
from pathlib import Path

import attrs

SOH = "\x01"
_DEFAULT_APPL_VER_ID = re.compile(rf"(?<={SOH}1137=)[^{SOH}]*")
_STEP = re.compile(r"([IEieR])(?:([0-9]),)?(.*)")


class Action(Enum):
    """The action of a step."""

    SEND = "send"
    EXPECT = "expect"
    CONNECT = "connect"
    DISCONNECT = "disconnect"
    AWAIT_CONNECT = "await a connection"
    AWAIT_DISCONNECT = "await the end of the connection"


_ACTIONS = {
    ("i", "CONNECT"): Action.CONNECT,
    ("i", "DISCONNECT"): Action.DISCONNECT,
    ("e", "CONNECT"): Action.AWAIT_CONNECT,
    ("e", "DISCONNECT"): Action.AWAIT_DISCONNECT,
}


@attrs.frozen
class Step:
    """One step: a line of a definition."""

    action: Action
    connection: int
    text: str
    """The message, for SEND and EXPECT."""
    line: int

    def value(self, tag: int) -> str | None:
        """Return the first value of a tag in the message, or None."""
        match = re.search(rf"(?:^|{SOH}){tag}=([^{SOH}]*)", self.text)
        return None if match is None else match[1]


@attrs.frozen
class Definition:
    """One definition file."""

    name: str
    steps: tuple[Step, ...]

    @property
    def connection_count(self) -> int:
        """Number of simultaneous connections."""
        return len({step.connection for step in self.steps})

    @property
    def heart_bt_int(self) -> str:
        """The first valid HeartBtInt (108) of the definition's Logons; "30" if there is none."""
        values = (step.value(108) for step in self.steps)
        return next((value for value in values if value is not None and value.isdigit()), "30")


def read(path: Path) -> Definition:
    """Read a definition; raise ValueError for a malformed step."""
    return _parse(path, path.read_text("latin-1"))


def read_all(folder: Path, default_appl_ver_id: str = "") -> list[Definition]:
    """Read every definition in a folder.

    `default_appl_ver_id` replaces the DefaultApplVerID (1137) that most of them have, so definitions written
    for another version are played with the engine's version. Values that are wrong on purpose are kept.
    """
    texts = {path: path.read_text("latin-1") for path in sorted(folder.rglob("*.def"))}
    counts = Counter(value for text in texts.values() for value in _DEFAULT_APPL_VER_ID.findall(text))
    usual = counts.most_common(1)[0][0] if counts else ""

    def with_default_appl_ver_id(text: str) -> str:
        return _DEFAULT_APPL_VER_ID.sub(
            lambda match: default_appl_ver_id if match[0] == usual and default_appl_ver_id else match[0], text
        )

    return [_parse(path, with_default_appl_ver_id(text)) for path, text in texts.items()]


def _parse(path: Path, text: str) -> Definition:
    lines = enumerate((line.rstrip("\r") for line in text.split("\n")), 1)
    steps = [
        _step(line, number, path) for number, line in lines if line.startswith(("I", "E", "R", "i", "e"))
    ]
    return Definition(path.stem, tuple(steps))


def _step(text: str, number: int, path: Path) -> Step:
    match = _STEP.fullmatch(text)
    if match is None:
        raise ValueError(f"{path}:{number}: not a step: {text}")
    letter, connection, rest = match.groups()
    action = _ACTIONS.get((letter, rest))
    if action is None:
        if letter in "ie":
            raise ValueError(f"{path}:{number}: not a step: {text}")
        action = Action.EXPECT if letter == "E" else Action.SEND
    return Step(action, int(connection or 1), rest, number)


def for_initiator(definition: Definition) -> Definition:
    """Return the definition for the other role: the engine connects and sends its Logon first.

    The roles differ only in this: each `iCONNECT` becomes `eCONNECT`, and the engine sends its Logon first
    rather than as an answer. The engine's Logon is expected even if the definition expects no answer to an
    invalid Logon.
    """
    steps: list[Step] = []
    messages_since_connect = 0
    for step in definition.steps:
        if step.action is Action.CONNECT:
            steps += [attrs.evolve(step, action=Action.AWAIT_CONNECT), _logon(step.line, definition)]
            messages_since_connect = 0
        # Leave out the step that expects the engine's answer to the Logon, because the step added above
        # expects that answer.
        elif messages_since_connect != 1 or step.action is not Action.EXPECT:
            steps.append(step)
        messages_since_connect += step.action in {Action.SEND, Action.EXPECT}
    return Definition(definition.name, tuple(steps))


def _logon(line: int, definition: Definition) -> Step:
    fields = ("8=FIXT.1.1", "35=A", "34=1", "49=ISLD", "52=", "56=TW", "98=0")
    text = SOH.join((*fields, f"108={definition.heart_bt_int}", "1137=9", ""))
    return Step(Action.EXPECT, 1, text, line)
