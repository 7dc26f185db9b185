"""The control channel: operations from another process."""

from __future__ import annotations

import json
import os
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_venue.control import (
    CONTROL_FILE,
    FOLDER_PREFIX,
    FOLDER_VARIABLE,
    MAX_LINE,
    ControlError,
    ControlServer,
    check_private,
    find_control_file,
    send_operation,
)
from kalshi_fix_venue.operations.base import Answer, Operation
from kalshi_fix_venue.operations.operator import Halt, Pause, Status


class FakePerformer:
    """A stand-in for a venue that records the requested operations."""

    def __init__(self) -> None:
        self.done: list[Operation] = []
        self.error: Exception | None = None

    def perform(self, operation: Operation) -> Answer:
        if self.error is not None:
            raise self.error
        self.done.append(operation)
        return {"text": "done"}


@pytest.fixture
def performer() -> FakePerformer:
    return FakePerformer()


@pytest.fixture
def channel(tmp_path: Path, performer: FakePerformer) -> Iterator[ControlServer]:
    with ControlServer(performer, tmp_path) as server:
        yield server


def send_raw(channel: ControlServer, data: bytes) -> dict[str, object]:
    """Send bytes, possibly none; return the reply."""
    with socket.create_connection(channel.server_address, 10) as connection:  # type: ignore[arg-type]
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as file:
            line = file.readline()
    return json.loads(line) if line else {}


def test_an_operation_is_received_unchanged(channel: ControlServer, performer: FakePerformer) -> None:
    assert send_operation(channel.path, Pause(what="exchange", product="margin")) == {"text": "done"}
    assert performer.done == [Pause(what="exchange", product="margin")]


def test_the_file_is_private_and_removed_at_the_end(tmp_path: Path, performer: FakePerformer) -> None:
    with ControlServer(performer, tmp_path) as server:
        assert server.path == tmp_path / CONTROL_FILE
        if os.name == "posix":
            assert stat.S_IMODE(server.path.stat().st_mode) == 0o600
        assert server.server_address[0] == "127.0.0.1"
    assert not server.path.exists()
    with pytest.raises(ControlError, match="cannot read"):
        send_operation(server.path, Status())


def test_an_existing_file_is_not_overwritten(channel: ControlServer, performer: FakePerformer) -> None:
    before = channel.path.read_text()
    with pytest.raises(FileExistsError), ControlServer(performer, channel.path.parent):
        pass
    assert channel.path.read_text() == before
    send_operation(channel.path, Status())


def test_refusals_by_the_venue_are_reported(channel: ControlServer, performer: FakePerformer) -> None:
    performer.error = ConfigurationError("there is no market X")
    with pytest.raises(ControlError, match="there is no market X"):
        send_operation(channel.path, Halt(market="X"))
    performer.error = RuntimeError("not running")
    with pytest.raises(ControlError, match="the venue has stopped"):
        send_operation(channel.path, Status())


def test_without_the_token_no_operation_is_performed(
    channel: ControlServer, performer: FakePerformer
) -> None:
    for token in ("", "guess", channel.token[:-1], "\u00e9"):
        reply = send_raw(channel, json.dumps({"token": token, "do": "pause"}).encode() + b"\n")
        assert reply == {"ok": False, "error": "the token of a request must be the one in the control file"}
    assert performer.done == []
    assert channel.token not in repr(channel)


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (b"nonsense\n", "one line of JSON"),
        (b"[" * 50_000 + b"\n", "one line of JSON"),
        (b"\xff\xfe\n", "one line of JSON"),
        (b"[]\n", "a JSON object with the token"),
        (b'{"token": 1}\n', "a JSON object with the token"),
        (b"x" * (MAX_LINE + 1), f"at most {MAX_LINE} bytes"),
        ({"do": 1}, "must contain an operation"),
        ({"do": "pause", "with": []}, "must contain an operation"),
        ({"do": "paus"}, "did you mean `pause`?"),
        ({"do": "pause", "with": {"what": 5}}, "is not one of"),
    ],
)
def test_invalid_requests_get_an_error(
    channel: ControlServer, request_: bytes | dict[str, object], error: str
) -> None:
    if isinstance(request_, dict):
        request_ = json.dumps({"token": channel.token, **request_}).encode() + b"\n"
    reply = send_raw(channel, request_)
    assert reply["ok"] is False
    assert error in str(reply["error"])


def test_a_silent_connection_gets_no_answer(channel: ControlServer, performer: FakePerformer) -> None:
    assert send_raw(channel, b"") == {}
    send_operation(channel.path, Status())
    assert performer.done == [Status()]


def test_a_dead_venue_is_distinguished_from_a_live_one(tmp_path: Path) -> None:
    path = tmp_path / CONTROL_FILE
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    path.write_text(json.dumps({"host": "127.0.0.1", "port": port, "token": "t"}))
    with pytest.raises(ControlError, match=r"no venue answers on port .* delete"):
        send_operation(path, Status())
    for text in ("", "[]", '{"host": "127.0.0.1"}', '{"host": "127.0.0.1", "port": "x", "token": "t"}'):
        path.write_text(text)
        with pytest.raises(ControlError, match="is not a venue's control file"):
            send_operation(path, Status())


# --- the selected venue ---------------------------------------------------------------------------------


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_the_given_folder_takes_precedence(temporary: Path, performer: FakePerformer) -> None:
    named, other = temporary / "named", temporary / "other"
    for folder in (named, other):
        folder.mkdir()
    environ = {FOLDER_VARIABLE: str(other)}
    with ControlServer(performer, named) as first, ControlServer(performer, other) as second:
        assert find_control_file(named, environ) == first.path
        assert find_control_file(None, environ) == second.path
    with pytest.raises(ControlError, match=r"no venue is running in .*named"):
        find_control_file(named, environ)


def replace_with_link(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to("elsewhere")


@pytest.mark.skipif(os.name != "posix", reason="this system has no POSIX permissions")
@pytest.mark.parametrize(
    ("change", "uid", "text"),
    [
        (lambda folder: folder.chmod(0o777), None, r"can be written by other users \(mode 777; chmod 700 /"),
        (lambda folder: folder.chmod(0o770), None, r"\(mode 770; "),
        (replace_with_link, None, "is a link, or not a folder"),
        (lambda folder: None, 12345, r"belongs to another user \(id \d+\)"),
    ],
)
def test_a_folder_that_is_not_private_is_refused(
    change: Callable[[Path], None],
    uid: int | None,
    text: str,
    temporary: Path,
    performer: FakePerformer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = temporary / f"{FOLDER_PREFIX}a"
    folder.mkdir(0o700)
    with ControlServer(performer, folder):
        check_private(folder)
        assert find_control_file(None, {}) == find_control_file(folder)
        change(folder)
        if uid is not None:
            monkeypatch.setattr(os, "getuid", lambda: uid)
        for refused in (lambda: check_private(folder), lambda: find_control_file(folder)):
            with pytest.raises(ControlError, match=text):
                refused()
        with pytest.raises(ControlError, match="no venue is running in a temporary folder"):
            find_control_file(None, {})


def test_the_only_venue_in_a_temporary_folder_is_found_without_its_path(
    temporary: Path, performer: FakePerformer
) -> None:
    with pytest.raises(ControlError, match="start one with"):
        find_control_file(None, {})
    folders = [temporary / f"{FOLDER_PREFIX}{name}" for name in "ab"]
    for folder in folders:
        folder.mkdir()
    with ControlServer(performer, folders[0]) as first:
        assert find_control_file(None, {}) == first.path
        with (
            ControlServer(performer, folders[1]),
            pytest.raises(ControlError, match="2 venues are running; choose one with --folder"),
        ):
            find_control_file(None, {})
        with ControlServer(performer, folders[1]) as killed:
            contents = killed.path.read_bytes()
        killed.path.write_bytes(contents)
        assert find_control_file(None, {}) == first.path
    with pytest.raises(ControlError, match="start one with"):
        find_control_file(None, {})
