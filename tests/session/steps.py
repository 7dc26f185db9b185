"""Plays the tables of steps in the `*.yaml` files of this folder: the actions of the user and the peer, and
the resulting events, messages and stored numbers.

A table is a list of groups. A group has `cases` and settings that its cases share. A case is a list of
steps, or a mapping with `steps` and its own settings. The name of a case states the behaviour that it tests.

| setting | meaning |
|---|---|
| `session` | the session type, KalshiRT by default |
| `roles` | `initiator` by default, `acceptor`, or `both`, one after the other |
| `settings` | settings of SessionConfig, as in scenarios |
| `store` | a class of `tests.helpers`, or arguments of MemoryStore |
| `start` | `established` by default; `connected`: no Logon has been received; `new`: not connected |
| `names` | further values for `{NAME}` in all cases of the group |
| `begin` | steps before those of the case |
| `with` | values for each `{NAME}`: a list of mappings, or a mapping of lists; the case runs for every |
| | combination of their items |

A step is a mapping, whose keys are performed in the order in which they are written:

| key | meaning |
|---|---|
| `send` | the ClOrdIDs of orders, separated by spaces; or one or more messages: `{Quote: {quote_id: q1}}` |
| `receive` | one or more messages in a single read: MsgType and fields in wire form. Header fields |
| | replace those of the peer; a SendingTime may be written as `now-5`; `{bytes: text}` is not a |
| | message, and `eof` ends the connection |
| `receive_data` | like `receive`, but the user does not fetch the events |
| `fetch` | null: the user fetches the events |
| `events` | the events emitted by the preceding key |
| `sent` | the messages sent since the last `sent`, or since the first logon |
| `session` | attributes of the session |
| `confirm` | the user confirms this many events, or all (null) |
| `confirm_each` | the user fetches the events and confirms them one by one; the value lists their classes, |
| | each with the next incoming number in the store before its confirmation |
| `call` | a method of the session, which gets the time: its name, or `{name: {argument: value}}` |
| `pause` | null: the user pauses reading |
| `resume` | the user reads again; the next bytes have waited for this many seconds, or for an unknown time |
| | (null) |
| `wait` | the number of seconds that pass |
| `delay` | seconds that pass without a call to the session; a second number is the change of the wall |
| | clock, if it differs |
| `deadline` | the number of seconds until the next deadline; null if there is none |
| `delay_commits` | null: from now on, commits of a LateStore complete only with `complete_commits` |
| `complete_commits` | the commits of the LateStore complete, up to a ticket or all (null) |
| `fail_commits` | the commits of the LateStore fail with this error |
| `disconnect` | the connection is lost; the value lists the requests whose outcomes are then unknown, as |
| | `MsgType MsgSeqNum` |
| `reconnect` | the process connects again and logs on with these Logon fields, or the usual ones (null) |
| `restart` | the process crashes, and the next one connects with the same LoggedStore; |
| | `all_records_survive` if the store also has the records that were not committed |
| `peer_seq_num` | the peer continues with this MsgSeqNum |
| `open_requests` | the open requests of the session, by id (text), number (integer) or `[MsgType]` |
| `stored_requests` | the ids of the open requests in the store |
| `raises` | the next key raises a LocalProtocolError or SendFailedError whose text contains this |

An event or message is written as its class, or as a mapping of its class to attributes. The name of an
attribute may contain dots, indexes, and `*` for all items: `{OrdersUnverified: {orders.*.order_id: [o1]}}`.
Enum members are written by name. `{contains: text}` matches any text that contains the given one, and
`{above: number}` any higher number.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from kalshi_fix_sansio import ExecutionReportText
from kalshi_fix_sansio import _generated as fix
from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.errors import LocalProtocolError, SendFailedError
from kalshi_fix_sansio.events import Event, LogonRequested, OutcomesUnknown
from kalshi_fix_sansio.session import MemoryStore, Session
from tests import helpers
from tests.helpers import (
    CANCEL_REJECT,
    DUP,
    KEY_ID,
    LOGON,
    MIN_HEART_BT_INT,
    LateStore,
    LoggedStore,
    connected,
    established,
    of_type,
    order,
    wire,
    wire_time,
)
from tests.scenarios.runner import words
from tests.scenarios.runner.numbered_yaml import read

DEFAULTS: Final[dict[str, Any]] = {
    "session": "KalshiRT",
    "roles": "initiator",
    "settings": {},
    "store": None,
    "begin": [],
    "start": "established",
    "names": {},
}
HEADER: Final = re.compile(r"(?<=[| ])(34|43|49|52|56|97|122)=([^|]*)\|")
NAMES: Final[dict[str, Any]] = {
    "LATE": "52=20260821-14:02:37.122|",
    "EARLY": "52=20260821-14:03:37.124|",
    "CANCEL_REJECT": CANCEL_REJECT,
    "LOGON": LOGON,
    "DUP": "".join(f"{tag[1:]}={value}|" for tag, value in DUP.items()),
    "KEY_ID": KEY_ID,
    "LONG": "x" * 400,
    "SHORT": MIN_HEART_BT_INT + 1,
    "MORE_THAN_SHORT": MIN_HEART_BT_INT + 3,
    "TEXT": ExecutionReportText.EXCHANGE_UNAVAILABLE.value,
}
"""Values for all tables: SendingTimes outside the tolerance at the test clock's initial time, bodies, a
possible duplicate, the client's CompID, a long text, a short HeartBtInt, a time that is 2 s longer, and the
Text of a report that an outcome is unknown.
"""


def cases(path: Path) -> list[Any]:
    """Return the cases of a table as parameters of a test."""
    return [
        pytest.param(Case(title, role, filled), id=f"{path.stem}-{title}-{role.name.lower()}-{number}")
        for group in read(path.read_text(encoding="utf-8"))
        for title, case in group["cases"].items()
        for number, filled in enumerate(_combinations(DEFAULTS | group | _to_mapping(case)))
        for role in Role
        if filled["roles"] in {"both", role.name.lower()}
    ]


def _to_mapping(case: Any) -> dict[str, Any]:
    return {"steps": case} if isinstance(case, list) else case


def _combinations(case: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the case with each of its sets of values."""
    names = NAMES | _substitute(case["names"], NAMES)
    values = case.get("with", [{}])
    if isinstance(values, dict):
        values = [dict(zip(values, row, strict=True)) for row in itertools.product(*values.values())]
    plain = {key: value for key, value in case.items() if key not in {"with", "cases"}}
    assert plain.keys() <= {*DEFAULTS, "steps"}, f"unknown settings in {list(plain)}"
    for row in values:
        yield _substitute(plain, names | _substitute(row, names))


def _substitute(value: Any, names: dict[str, Any]) -> Any:
    """Return a value with every `{NAME}` replaced; a string that consists only of a name is replaced by
    the value itself."""
    if isinstance(value, dict):
        return {key: _substitute(each, names) for key, each in value.items()}
    if isinstance(value, list):
        return [_substitute(item, names) for item in value]
    if not isinstance(value, str):
        return value
    whole = re.fullmatch(r"\{(\w+)\}", value)
    return names[whole[1]] if whole else value.format_map(names)


@attrs.define
class Case:
    """A case in one role."""

    title: str
    role: Role
    group: dict[str, Any]

    def play(self) -> None:
        """Play the steps with a new session."""
        group, store = self.group, self.group["store"]
        settings = {name: words.setting(name, value) for name, value in group["settings"].items()}
        if "logon_fields" in settings:
            settings["logon_fields"] = fix.LogonFields(**settings["logon_fields"])
        if store is not None:
            store = getattr(helpers, store)() if isinstance(store, str) else MemoryStore(**store)
        begin = {"established": established, "connected": connected, "new": wire}[group["start"]]
        player = _Player(begin(self.role, group["session"], store, **settings))
        for number, step in enumerate([*group["begin"], *group["steps"]], 1):
            text = None
            for key, value in step.items():
                player.where = f"step {number}, {key}"
                if key == "raises":
                    text = value
                elif text is None:
                    getattr(player, key)(value)
                else:
                    with pytest.raises((LocalProtocolError, SendFailedError), match=re.escape(text)):
                        getattr(player, key)(value)
                    text = None


class _Player:
    """Performs each key of a step by calling the method of the same name."""

    def __init__(self, wired: helpers.Wired) -> None:
        self.where = ""
        self._wired = wired
        self._emitted: list[Event] = []

    def send(self, value: Any) -> None:
        for message in _messages(value):
            self._wired.session.send(message, self._wired.clock.now)

    def receive(self, value: Any) -> None:
        self.receive_data(value)
        self.fetch()

    def receive_data(self, value: Any) -> None:
        session, now = self._wired.session, self._wired.clock.now
        texts = _as_list(value)
        session.receive_data(b"".join(self._frame(text) for text in texts if text != "eof"), now)
        if "eof" in texts:
            session.receive_eof(now)

    def fetch(self, _: None = None) -> None:
        self._emitted = self._wired.session.events()

    def events(self, value: list[Any]) -> None:
        self._compare(_describe(self._emitted, value), value)

    def sent(self, value: list[Any]) -> None:
        self._compare(_describe(self._wired.sent(), value), value)

    def session(self, value: dict[str, Any]) -> None:
        found = {
            name: _matching_value(_attribute(self._wired.session, name), each) for name, each in value.items()
        }
        self._compare(found, value)

    def confirm(self, value: int | None) -> None:
        self._wired.session.confirm(value)

    def confirm_each(self, value: list[str]) -> None:
        found = []
        for event in self._wired.session.events():
            found.append(f"{type(event).__name__} {self._wired.session.store.next_incoming}")
            self._wired.session.confirm(1)
        self._compare(found, value)

    def call(self, value: str | dict[str, Any]) -> None:
        [(name, arguments)] = value.items() if isinstance(value, dict) else [(value, {})]
        getattr(self._wired.session, name)(now=self._wired.clock.now, **arguments)

    def pause(self, _: None) -> None:
        self._wired.session.pause_reading()

    def resume(self, value: float | None) -> None:
        self._wired.session.resume_reading(self._wired.clock.now, waited=value)

    def wait(self, value: float | str) -> None:
        self._emitted = self._wired.wait(float(value))

    def delay(self, value: float | str) -> None:
        self._wired.delay_caller(*map(float, str(value).split()))

    def deadline(self, value: float | None) -> None:
        due = self._wired.session.next_deadline()
        self._compare(None if due is None else due - self._wired.clock.monotonic, value)

    def _late_store(self) -> LateStore:
        store = self._wired.session.store
        assert isinstance(store, LateStore)
        return store

    def delay_commits(self, _: None) -> None:
        self._late_store().at_once = False

    def complete_commits(self, value: int | None) -> None:
        self._late_store().complete(value)

    def fail_commits(self, value: str) -> None:
        self._late_store().fail(value)

    def disconnect(self, value: list[str]) -> None:
        unknown = of_type(self._wired.disconnect(), OutcomesUnknown)
        found = [f"{request.msg_type} {request.seq_num}" for event in unknown for request in event.requests]
        self._compare(found, value)

    def reconnect(self, value: str | None) -> None:
        wired = self._wired
        if value is None:
            value = LOGON + "141=Y|" * wired.session.config.session_type.reset_required
        if "141=Y|" in value:
            wired.peer.next_number = 1
        wired.reconnect()
        self._emitted = [event for event in wired.log_on(value) if not isinstance(event, LogonRequested)]

    def restart(self, value: str | None) -> None:
        wired, store = self._wired, self._wired.session.store
        assert isinstance(store, LoggedStore)
        next_store = store.after_crash(all_survive=value == "all_records_survive")
        wired.session = Session(wired.session.config, next_store)
        wired.session.connect(wired.clock.now)
        self.fetch()

    def peer_seq_num(self, value: int) -> None:
        self._wired.peer.next_number = value

    def open_requests(self, value: list[Any]) -> None:
        requests = self._wired.session.open_requests
        if value and isinstance(value[0], int):
            found: list[Any] = [request.seq_num for request in requests]
        elif value and isinstance(value[0], list):
            found = [[request.msg_type] for request in requests]
        else:
            found = [request.request_id for request in requests]
        self._compare(found, value)

    def stored_requests(self, value: list[str]) -> None:
        found = [request.request_id for request in self._wired.session.store.open_requests()]
        self._compare(found, value)

    def _compare(self, found: Any, expected: Any) -> None:
        assert found == expected, f"{self.where}: {found}, not {expected}"

    def _frame(self, text: Any) -> bytes:
        if isinstance(text, dict):
            return bytes(text["bytes"], "ascii")
        header = dict(HEADER.findall(text))
        msg_type, _, body = HEADER.sub("", text).partition(" ")
        number = header.pop("34", None)
        if relative := re.fullmatch("now(.*)", header.get("52", "")):
            header["52"] = wire_time(self._wired.clock.utc + timedelta(seconds=float(relative[1])))
        return self._wired.peer.message(
            msg_type, body, number, **{f"t{tag}": each for tag, each in header.items()}
        )


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _messages(value: Any) -> list[Message]:
    if isinstance(value, str):
        return [order(name) for name in value.split()]
    return [_build(item) for item in _as_list(value)]


def _build(value: dict[str, Any]) -> Any:
    """Return a message or a group entry, given as its class and fields."""
    [(name, fields)] = value.items()
    return getattr(fix, name)(
        **{
            key: [_build(entry) for entry in each] if isinstance(each, list) else each
            for key, each in fields.items()
        }
    )


def _describe(items: list[Any], patterns: list[Any]) -> list[Any]:
    """Return events or messages in the form in which the expected ones are written."""
    descriptions: list[Any] = []
    for item, pattern in itertools.zip_longest(items, patterns[: len(items)]):
        name = type(item).__name__
        if isinstance(pattern, dict) and name in pattern:
            attributes = {
                path: _matching_value(_attribute(item, path), value) for path, value in pattern[name].items()
            }
            descriptions.append({name: attributes})
        else:
            descriptions.append(name)
    return descriptions


def _attribute(found: Any, path: str) -> Any:
    part, _, rest = path.partition(".")
    if part == "*":
        return [_attribute(item, rest) for item in found]
    found = found[int(part)] if part.lstrip("-").isdecimal() else getattr(found, part)
    return _attribute(found, rest) if rest else found


def _matching_value(found: Any, expected: Any) -> Any:
    """Return `expected` if the value matches it, otherwise the value."""
    if isinstance(expected, dict) and "contains" in expected:
        equal = expected["contains"] in found
    elif isinstance(expected, dict) and "above" in expected:
        equal = found > expected["above"]
    elif isinstance(expected, list):
        equal = list(found) == expected
    else:
        equal = expected in (found, getattr(found, "name", found))
    return expected if equal else found
