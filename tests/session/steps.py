"""Plays the tables of steps in the `*.yaml` files of this folder: messages sent, messages received, and the
requests that are open afterwards.

A table has groups of cases with the same `session` and `settings`. The name of a case is the behaviour that
it tests. A step is a mapping of keys, which are performed in their order:

| key | meaning |
|---|---|
| `send` | the ClOrdIDs of orders, separated by spaces; or one or more messages: `{Quote: {quote_id: q1}}` |
| `receive` | one or more messages: MsgType and body in wire form, where `{NAME}` is a text in `names` |
| `events` | the events that the preceding key has emitted |
| `confirm` | null: the user confirms all events |
| `lose` | the connection is lost; lists the requests reported as unknown, as `MsgType MsgSeqNum` |
| `open` | the requests that are open in the session, by id (text), number (integer) or `[MsgType]` |
| `stored` | the ids of the requests that are open in the store |
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kalshi_fix_sansio import _generated as fix
from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import Event, OutcomesUnknown
from tests.helpers import Wired, established, of_type, order
from tests.scenarios.runner.lined_yaml import read


def cases(name: str) -> list[Any]:
    """Return the cases of a table, as parameters of a test."""
    groups = read((Path(__file__).parent / f"{name}.yaml").read_text(encoding="utf-8"))
    return [
        pytest.param(group, steps, id=title) for group in groups for title, steps in group["cases"].items()
    ]


def play(group: dict[str, Any], steps: list[dict[str, Any]], names: dict[str, str]) -> None:
    """Play the steps of a case with an established client."""
    wired = established(Role.INITIATOR, group["session"], **group.get("settings", {}))
    emitted: list[Event] = []
    for number, step in enumerate(steps, 1):
        for key, value in step.items():
            where = f"step {number}, {key}"
            if key == "send":
                for message in _messages(value):
                    wired.session.send(message, wired.clock.now)
            elif key == "receive":
                emitted = wired.receive(*(_frame(wired, text, names) for text in _listed(value)))
            elif key == "events":
                assert [type(event).__name__ for event in emitted] == value, where
            elif key == "confirm":
                wired.session.confirm()
            elif key == "lose":
                unknown = of_type(wired.cut(), OutcomesUnknown)
                found = [f"{each.msg_type} {each.seq_num}" for event in unknown for each in event.requests]
                assert found == value, where
            elif key == "open":
                assert _open(wired, value) == value, where
            elif key == "stored":
                assert [each.request_id for each in wired.session.store.open_requests()] == value, where
            else:
                raise AssertionError(f"{where}: there is no such key")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _messages(value: Any) -> list[Message]:
    if isinstance(value, str):
        return [order(name) for name in value.split()]
    return [_built(each) for each in _listed(value)]


def _built(value: dict[str, Any]) -> Any:
    """Return a message or a group entry, given as its class and fields."""
    [(name, fields)] = value.items()
    return getattr(fix, name)(
        **{
            key: [_built(entry) for entry in each] if isinstance(each, list) else each
            for key, each in fields.items()
        }
    )


def _frame(wired: Wired, text: str, names: dict[str, str]) -> bytes:
    msg_type, _, body = text.partition(" ")
    return wired.peer.message(msg_type, body.format_map(names))


def _open(wired: Wired, like: list[Any]) -> list[Any]:
    """Return the open requests, identified in the way of the first expected one."""
    requests = wired.session.open_requests
    if like and isinstance(like[0], int):
        return [each.seq_num for each in requests]
    if like and isinstance(like[0], list):
        return [[each.msg_type] for each in requests]
    return [each.request_id for each in requests]
