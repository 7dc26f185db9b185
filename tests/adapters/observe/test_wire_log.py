"""The wire log: its contents, hidden secrets, rotation, and failures of the disk."""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import stat
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_fix_adapters.logs.reader import LogReader
from kalshi_fix_adapters.observe import log_file
from kalshi_fix_adapters.observe.observer import Direction
from kalshi_fix_adapters.observe.redact import STALL_SECONDS, Transcript, printable, without_secrets
from kalshi_fix_adapters.observe.wire_log import WireLog, close_shared, open_shared
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_sansio.framing import encode_frame, is_frame
from tests.adapters.cli.runner import invoke
from tests.helpers import raw

NOW = Instant(100.0, datetime(2026, 11, 21, 12, 0, 0, 7, UTC))
SECRET = b"aHVzaCBodXNoLCBuYW1lIG5vYm9keQ=="
LOGON = raw(
    f"35=A|49=me|56=KalshiNR|34=1|52=20261121-12:00:00.000|95={len(SECRET)}|96={SECRET.decode()}|"
    "98=0|108=30|141=Y|1137=9"
)
HEARTBEAT = raw("35=0|49=KalshiNR|56=me|34=2|52=20261121-12:00:30.000")
ORDER = raw("35=D|49=me|56=KalshiNR|34=2|52=20261121-12:00:31.000|11=a|38=1|40=2|44=0.5|54=1|55=X|60=a")


def later(seconds: float) -> Instant:
    return Instant(NOW.monotonic + seconds, NOW.utc + timedelta(seconds=seconds))


def logged_text(frame: bytes) -> str:
    return frame.replace(b"\x01", b"|").decode()


def logged_frames(path: Path) -> list[bytes]:
    """Return the messages that `kalshi-fix decode` finds in a log."""
    reader = LogReader()
    return [logged.frame for logged in [*reader.feed(path.read_bytes()), *reader.close()]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "wire.log"


# --- contents


def test_oversized_messages_are_reported(path: Path) -> None:
    with WireLog(path) as log:
        for limit in (len(ORDER), 60):
            connection = log.connect("KalshiNR", NOW, max_message_size=limit)
            connection.record("received", ORDER + HEARTBEAT, NOW)
            connection.close(NOW)
    reported = [line for line in path.read_text().splitlines() if "skipping" in line]
    assert len(reported) == 1
    assert "bytes, above the limit of 60" in reported[0]
    assert logged_frames(path)[0] == ORDER


def test_a_connection_is_logged_from_beginning_to_end(path: Path) -> None:
    with WireLog(path) as log:
        connection = log.connect("KalshiNR at 127.0.0.1:8228", NOW)
        connection.record("sent", HEARTBEAT, later(0.5))
        connection.record("received", ORDER, later(1))
        connection.close(later(2))
        connection.close(later(3))
        connection.record("sent", HEARTBEAT, later(4))
    assert path.read_text() == (
        "2026-11-21 12:00:00.000007Z 1 connected to KalshiNR at 127.0.0.1:8228\n"
        f"2026-11-21 12:00:00.500007Z 1 sent     {logged_text(HEARTBEAT)}\n"
        f"2026-11-21 12:00:01.000007Z 1 received {logged_text(ORDER)}\n"
        "2026-11-21 12:00:02.000007Z 1 disconnected\n"
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert repr(log) == f"<WireLog {path}>"
    assert logged_frames(path) == [HEARTBEAT, ORDER]


def test_times_are_in_utc_in_every_time_zone(path: Path) -> None:
    with WireLog(path) as log:
        log.connect("a\nb\\ü", Instant(0.0, NOW.utc.astimezone(timezone(timedelta(hours=5)))))
    assert path.read_text() == "2026-11-21 12:00:00.000007Z 1 connected to a\\nb\\\\\\xfc\n"


def test_an_existing_log_is_continued_and_its_file_mode_corrected(path: Path) -> None:
    path.write_text("old\n")
    path.chmod(0o644)
    with WireLog(str(path)) as log:
        log.connect("x", NOW)
    assert path.read_text().startswith("old\n2026")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_connections_are_numbered(path: Path) -> None:
    with WireLog(path) as log:
        one, two = log.connect("one", NOW), log.connect("two", NOW)
        one.record("sent", ORDER[:30], NOW)
        two.record("sent", HEARTBEAT, NOW)
        one.record("sent", ORDER[30:], NOW)
    lines = path.read_text().splitlines()[2:]
    assert [line.split(" ", 2)[2] for line in lines] == [
        f"2 sent     {logged_text(HEARTBEAT)}",
        f"1 sent     {logged_text(ORDER)}",
    ]


@given(st.lists(st.tuples(st.sampled_from(["sent", "received"]), st.integers(1, 200)), max_size=60))
def test_the_log_does_not_depend_on_how_the_stream_is_split(portions: list[tuple[Direction, int]]) -> None:
    streams = {"sent": LOGON + ORDER + HEARTBEAT + ORDER, "received": HEARTBEAT * 4 + b"?" + ORDER}
    whole, cut = Transcript(), Transcript()
    expected = {name: whole.feed(name, data, NOW) for name, data in streams.items()}  # type: ignore[arg-type]
    found: dict[str, list[str]] = {"sent": [], "received": []}
    for direction, size in [*portions, ("sent", 10_000), ("received", 10_000)]:
        data, streams[direction] = streams[direction][:size], streams[direction][size:]
        found[direction] += cut.feed(direction, data, NOW)
    assert found == expected
    assert whole.end() == cut.end() == []


# --- bytes that are not a message


def test_bytes_that_are_not_a_message_are_escaped() -> None:
    transcript = Transcript()
    assert transcript.feed("received", b"HTTP/1.1 400\r\n|\\\x1b[2J\xff", NOW) == []
    assert transcript.feed("received", HEARTBEAT, NOW) == [
        (
            "received 21 bytes that are not a message "
            "(the bytes do not begin with BeginString, BodyLength and MsgType), "
            "beginning: HTTP/1.1 400\\x0d\\x0a\\x7c\\x5c\\x1b[2J\\xff"
        ),
        f"received {logged_text(HEARTBEAT)}",
    ]


def test_an_incomplete_message_is_shown_at_the_end(path: Path) -> None:
    with WireLog(path) as log:
        connection = log.connect("x", NOW)
        connection.record("received", b"220 mail.example ESMTP\r\n", NOW)
        connection.record("sent", HEARTBEAT + ORDER[:60], NOW)
        connection.close(NOW)
    lines = [line.split(" ", 2)[2] for line in path.read_text().splitlines()[2:]]
    assert lines == [
        (
            f"1 sent     60 bytes that are not a message (the end of the message did not arrive), "
            f"beginning: {logged_text(ORDER[:60])}"
        ),
        (
            "1 received 24 bytes that are not a message "
            "(the bytes do not begin with BeginString, BodyLength and MsgType), "
            "beginning: 220 mail.example ESMTP\\x0d\\x0a"
        ),
        "1 disconnected",
    ]


def test_a_message_without_an_end_does_not_hide_later_ones_for_ever() -> None:
    transcript = Transcript()
    stuck = b"8=FIXT.1.1\x019=90000\x0135=D\x01"
    assert transcript.feed("received", stuck, NOW) == []
    assert transcript.feed("received", HEARTBEAT, later(STALL_SECONDS)) == []
    lines = transcript.feed("received", ORDER, later(STALL_SECONDS + 1))
    assert [line[9:].split()[0] for line in lines] == [
        str(len(stuck)),
        logged_text(HEARTBEAT),
        logged_text(ORDER),
    ]


def test_no_message_is_lost_when_every_read_ends_within_a_message() -> None:
    transcript = Transcript()
    transcript.feed("received", HEARTBEAT[:20], NOW)
    for second in range(1, 200):
        lines = transcript.feed("received", HEARTBEAT[20:] + HEARTBEAT[:20], later(second))
        assert lines == [f"received {logged_text(HEARTBEAT)}"]


# --- every byte can be recovered


@given(st.text(st.characters(codec="latin-1", exclude_characters="\x01"), min_size=1, max_size=60))
def test_a_line_is_unambiguous_for_any_value(text: str) -> None:
    frame = encode_frame("FIXT.1.1", b"35=j\x0158=" + text.encode("latin-1") + b"\x01372=D\x01")
    line = printable(frame)
    assert line.isascii()
    assert line.isprintable()
    reader = LogReader()
    found = [*reader.feed(f"2026-11-21 12:00:00.000007Z 1 sent     {line}\n".encode()), *reader.close()]
    # A log reader would mistake a BeginString inside a value for the start of another message.
    if "8=FIXT.1.1^A" not in text:
        assert [logged.frame for logged in found] == [frame]


def test_the_decode_command_reads_the_wire_log(path: Path) -> None:
    reject = raw("35=j|49=KalshiNR|56=me|34=3|52=20261121-12:00:31.000|45=2|372=D|380=3|58=a\\b\n§")
    reject = encode_frame("FIXT.1.1", reject[reject.index(b"35=") : -7].replace(b"\\", b"|"))
    with WireLog(path) as log:
        connection = log.connect("x", NOW)
        connection.record("sent", LOGON, NOW)
        connection.record("received", reject, NOW)
    logon, rejected = map(json.loads, invoke("decode", "--json", path).stdout.splitlines())
    assert logon["fields"]["RawData"] == "<hidden>"
    assert rejected["fields"]["Text"] == "a|b\n§"
    assert logon["problems"] == rejected["problems"] == []


# --- secrets

SIGNATURE_WITH_SOH = b"hush\x01hush\x0199=hush\x01"


@pytest.mark.parametrize(
    "fields",
    [
        b"95=4\x0196=hush\x01",
        b"554=hush\x01",
        b"925=hush\x01",
        b"1401=4\x011402=hush\x011403=4\x011404=hush\x01",
        b"93=4\x0189=hush\x01",
        b"96=hush\x01",
        b"96=\x0196=hush\x0196=hush\x01",
        b"95=2\x0196=hush\x01hush\x01",
        b"95=%d\x0196=%b\x01" % (len(SIGNATURE_WITH_SOH), SIGNATURE_WITH_SOH),
        b"96=%b\x01" % SIGNATURE_WITH_SOH,
        b"95=8\x0196=%b\x01" % SIGNATURE_WITH_SOH,
        b"096=hush\x01hush\x01",
        b"0554=hush\x01",
        b"0000000000554=hush\x01",
    ],
)
def test_the_wire_log_contains_no_secrets(fields: bytes) -> None:
    frame = encode_frame("FIXT.1.1", b"35=A\x01108=30\x01" + fields)
    safe = without_secrets(frame)
    assert b"hush" not in safe
    assert b"**" in safe
    assert is_frame(safe)
    assert b"\x01108=30\x01" in safe
    damaged = frame[:-2] + b"?\x01"
    for garbage in (frame[1:], frame[:-8], damaged, frame[20:]):
        transcript = Transcript()
        lines = transcript.feed("sent", garbage, NOW) + transcript.end()
        assert lines
        assert "hush" not in "".join(lines)


def test_secrets_are_masked_in_place_and_other_fields_kept() -> None:
    assert printable(without_secrets(LOGON)).split("|")[2:-2] == [
        *("35=A", "49=me", "56=KalshiNR", "34=1", "52=20261121-12:00:00.000", f"95={len(SECRET)}"),
        *(f"96={'*' * len(SECRET)}", "98=0", "108=30", "141=Y", "1137=9"),
    ]
    text = encode_frame("FIXT.1.1", b"35=B\x01354=12\x01355=a\x0196=b\x0189=c\x01")
    assert b"hush" not in without_secrets(text)
    assert without_secrets(ORDER) is ORDER


def test_another_version_of_fix_is_shown_too() -> None:
    old = encode_frame("FIX.4.2", b"35=A\x0196=hush\x01")
    lines = Transcript().feed("received", HEARTBEAT + old, NOW)
    assert lines[1].startswith("received 8=FIX.4.2|9=12|35=A|96=***|10=")


# --- files


def log_of_ten_messages(path: Path, **limits: Any) -> tuple[WireLog, list[str]]:
    """Return a log after ten messages on one connection."""
    log = WireLog(path, **limits)
    connection = log.connect("somewhere", NOW)
    for second in range(10):
        connection.record("sent", HEARTBEAT, later(second))
    return log, [f"{second:02}.000007Z 1 sent     {logged_text(HEARTBEAT)}" for second in range(10)]


def test_a_full_file_is_rotated(path: Path) -> None:
    log, expected = log_of_ten_messages(path, max_bytes=400, backups=20)
    log.close()
    files = sorted(path.parent.iterdir(), key=lambda file: -int(file.suffix[1:]) if file != path else 0)
    assert len(files) > 4
    assert [file.name for file in files[-3:]] == ["wire.log.2", "wire.log.1", "wire.log"]
    assert all(file.stat().st_size <= 400 for file in files)
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
    heads = {file.read_text().splitlines()[0].split(" ", 2)[2] for file in files}
    assert heads == {"1 connected to somewhere", "1 still connected to somewhere"}
    lines = "".join(file.read_text() for file in files).splitlines()
    assert [line[17:] for line in lines if "sent" in line] == expected
    assert log.lost == 0


def test_the_number_of_files_is_bounded(path: Path) -> None:
    log, expected = log_of_ten_messages(path, max_bytes=400, backups=2)
    log.close()
    assert sorted(file.name for file in path.parent.iterdir()) == ["wire.log", "wire.log.1", "wire.log.2"]
    assert expected[-1] in path.read_text()
    log, expected = log_of_ten_messages(path, max_bytes=400, backups=0)
    log.close()
    assert expected[-1] in path.read_text()
    assert expected[0] not in path.read_text()
    assert len(list(path.parent.iterdir())) == 3


def test_a_log_may_have_no_limit_and_a_message_may_exceed_the_limit(path: Path) -> None:
    log_of_ten_messages(path, max_bytes=None)[0].close()
    assert [file.name for file in path.parent.iterdir()] == ["wire.log"]
    path.unlink()
    log_of_ten_messages(path, max_bytes=1, backups=30)[0].close()
    assert path.read_text().count("\n") == 2  # a line about the continued connection, and the message


def test_invalid_settings_are_refused(path: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="max_bytes must be 1 or more"):
        WireLog(path, max_bytes=0)
    with pytest.raises(ConfigurationError, match="backups must be 0 or more"):
        WireLog(path, backups=-1)
    for unwritable in (tmp_path, tmp_path / "missing" / "wire.log", Path(os.devnull)):
        with pytest.raises(ConfigurationError, match=r"cannot be written .*; choose another path"):
            WireLog(unwritable)


def test_several_threads_may_write(path: Path) -> None:
    def write() -> None:
        connection = log.connect("x", NOW)
        for _ in range(200):
            connection.record("sent", HEARTBEAT[:50], NOW)
            connection.record("sent", HEARTBEAT[50:], NOW)
        connection.close(NOW)

    with WireLog(path, max_bytes=50_000, backups=100) as log:
        threads = [threading.Thread(target=write) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = [line for file in path.parent.iterdir() for line in file.read_text().splitlines()]
    assert sum(logged_text(HEARTBEAT) in line for line in lines) == 800
    assert all(re.fullmatch(r"2026-11-21 12:00:00\.000007Z [1-4] .*", line) for line in lines)


# --- a full disk


class FullDisk:
    """A replacement for os.write that accepts `room` bytes and then fails."""

    def __init__(self, room: int) -> None:
        self.room = room

    def __call__(self, file: int, data: bytes) -> int:
        taken = os.write(file, data[: min(self.room, 50)]) if self.room else 0
        if not taken:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.room -= taken
        return taken


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> FullDisk:
    class Os:
        def __getattr__(self, name: str) -> Any:
            return disk if name == "write" else getattr(os, name)

    disk = FullDisk(10**9)
    monkeypatch.setattr(log_file, "os", Os())
    return disk


def test_a_full_disk_is_reported_once_and_lost_lines_are_counted(
    path: Path, disk: FullDisk, caplog: pytest.LogCaptureFixture
) -> None:
    log = WireLog(path)
    connection = log.connect("x", NOW)
    disk.room = 130
    for _ in range(3):
        connection.record("sent", HEARTBEAT + HEARTBEAT, NOW)
    assert log.lost == 6
    assert [record.message for record in caplog.records] == [
        f"the wire log {path} cannot be written (No space left on device); the session continues without it"
    ]
    assert path.read_text().count("\n") == 1
    disk.room = 10**9
    connection.record("sent", ORDER, NOW)
    assert log.lost == 6
    assert [line[28:] for line in path.read_text().splitlines()[1:]] == [
        "0 incomplete log; lines missing here: 6",
        f"1 sent     {logged_text(ORDER)}",
    ]
    assert (
        caplog.records[1].message == f"the wire log {path} can be written again; 6 lines are missing from it"
    )
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
    disk.room = 0
    connection.record("sent", ORDER, NOW)
    assert (log.lost, len(caplog.records)) == (7, 3)
    log.close()


def test_a_file_size_limit_set_by_the_system_is_reported(path: Path) -> None:
    resource = pytest.importorskip("resource")
    log = WireLog(path)
    connection = log.connect("x", NOW)
    size = path.stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 50, limits[1]))
    try:
        connection.record("sent", HEARTBEAT, NOW)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert log.lost == 1
    assert path.stat().st_size == size
    log.close()


def test_a_file_that_cannot_be_rotated_grows(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.with_name("wire.log.1").mkdir()
    path.with_name("wire.log.2").write_text("")
    log, expected = log_of_ten_messages(path, max_bytes=400, backups=2)
    log.close()
    assert [line[17:] for line in path.read_text().splitlines()[1:]] == expected
    assert log.lost == 0
    assert 0 < len(caplog.records) < 5
    assert "cannot be rotated" in caplog.records[0].message


def test_messages_after_closing_count_as_lost(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = WireLog(path)
    connection = log.connect("x", NOW)
    log.close()
    log.close()
    connection.record("sent", HEARTBEAT, NOW)
    assert log.lost == 1
    assert not caplog.records


def test_clients_with_the_same_path_share_one_log(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    one = open_shared(path.name)
    two = open_shared(path)
    assert one is two
    monkeypatch.chdir("/")
    close_shared(one)
    two.connect("x", NOW)
    assert two.lost == 0
    close_shared(two)
    two.connect("x", NOW)
    assert two.lost == 1
    fresh = open_shared(path)
    assert fresh is not one
    close_shared(fresh)
