"""The last messages of each session, extracted from the bytes of its connection."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import attrs
import pytest
from click.testing import CliRunner

from kalshi_fix_adapters.cli.commands import commands
from kalshi_fix_sansio.framing import encode_frame
from kalshi_fix_venue.driver import ClientProtocol
from kalshi_fix_venue.web import traffic
from kalshi_fix_venue.web.traffic import MAX_FRAME, MAX_MESSAGES, MAX_QUEUED, Traffic


@attrs.frozen(eq=False)
class FakeConnection:
    product: str = "prediction"
    session_type: str = "KalshiNR"


def connection(session_type: str = "KalshiNR") -> ClientProtocol:
    return cast("ClientProtocol", FakeConnection(session_type=session_type))


def echo(number: int, key: str = "me", text: str = "") -> bytes:
    head = f"35=1|49={key}|56=KalshiNR|34={number}|52=20261124-12:00:00.000|112={text or number}|"
    return encode_frame("FIXT.1.1", head.replace("|", "\x01").encode())


def numbers(found: list[dict[str, object]]) -> list[object]:
    return [item["number"] for item in found]


def test_messages_are_listed_newest_first_for_one_session_or_all() -> None:
    history, one, other = Traffic(), connection(), connection()
    for number in (1, 2):
        history(one, echo(number, "one"), False)
        history(other, echo(number + 10, "other"), False)
    history(one, echo(3, "one"), True)
    assert numbers(history.last()) == ["3", "12", "2", "11", "1"]
    assert numbers(history.last(("prediction", "KalshiNR", "one"))) == ["3", "2", "1"]
    assert history.last(("prediction", "KalshiNR", "nobody")) == []
    last = history.last_by_session()[("prediction", "KalshiNR", "one")]
    assert [(item["number"], item["sent"]) for item in last] == [("2", False), ("3", True)]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_messages_may_be_received_in_chunks(size: int) -> None:
    history, one = Traffic(), connection()
    data = echo(1) + echo(2)
    for at in range(0, len(data), size):
        history(one, data[at : at + size], False)
        history.last()
    assert numbers(history.last()) == ["2", "1"]


def test_a_message_is_explained_as_the_decode_command_explains_it(tmp_path: Path) -> None:
    order = "35=D|49=me|56=KalshiNR|34=2|52=20261124-12:00:00.000|11=a|55=M|54=7|38=5|44=0.1|"
    frame = encode_frame("FIXT.1.1", order.replace("|", "\x01").encode()).replace(b"10=", b"10=9")
    history = Traffic()
    history(connection(), frame, False)
    [row] = history.last()
    (tmp_path / "log").write_bytes(frame)
    printed = CliRunner().invoke(commands, ["decode", "--full", str(tmp_path / "log")]).stdout
    lines = history.explanation(cast("int", row["id"]))
    assert lines is not None
    assert (
        "".join("".join(text for _, text in line).rstrip() + "\n" for line in lines)
        == "\n".join(item.rstrip() for item in printed.rstrip("\n").split("\n")) + "\n"
    )
    assert row["problems"] == printed.count("! ")
    assert printed.count("! ") > 1
    assert history.explanation(0) is None


def test_queued_bytes_are_bounded_and_a_gap_in_them_is_not_shown_as_a_message() -> None:
    history, one = Traffic(), connection()
    history(one, echo(1)[:-20], False)
    history.last()
    # The end of message 1 is dropped, together with all but the last of these messages.
    data = b"".join(echo(number) for number in range(2, 2000))
    for at in range(0, len(data), 1000):
        history(one, data[at : at + 1000], False)
    assert sum(len(chunk[1]) for chunk in history._queues[one].chunks) <= MAX_QUEUED
    found = history.last()
    assert numbers(found) == [str(number) for number in range(1999, 1999 - MAX_MESSAGES, -1)]
    assert not any(item["problems"] for item in found)
    history(one, data, False)  # in a single chunk
    assert numbers(history.last())[0] == "1999"


def test_a_gap_left_by_a_dropped_queue_is_not_shown_as_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traffic, "MAX_QUEUES", 1)
    history, one, other = Traffic(), connection(), connection()
    first, second = echo(1), echo(2)
    history(one, first[:-20], False)
    history.last()
    history(one, first[-20:], False)
    history(other, echo(9, "other"), False)
    history(one, second[20:] + echo(3), False)
    history.last()
    history(one, echo(4), False)
    found = history.last(("prediction", "KalshiNR", "me"))
    assert numbers(found) == ["4", "3"]
    assert not any(item["problems"] for item in found)


def test_messages_connections_and_sessions_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traffic, "MAX_SESSIONS", 3)
    monkeypatch.setattr(traffic, "MAX_QUEUES", 5)
    history = Traffic()
    connections = [connection() for _ in range(9)]
    for number, each in enumerate(connections):
        history(each, echo(1, f"key-{number}"), False)
    assert len(history._queues) == 5
    assert [key for _, _, key in history.last_by_session()] == ["key-6", "key-7", "key-8"]
    history(connections[0], echo(2, "key-0", "x" * (MAX_QUEUED - 200)), False)
    assert len(str(history.last()[0]["text"])) <= traffic.MAX_TEXT
    [message] = history._messages["prediction", "KalshiNR", "key-0"]
    assert len(message.logged.frame) <= MAX_FRAME
    assert message.logged.truncated
