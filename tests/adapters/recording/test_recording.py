"""What a recorder writes is what passed, and what a crash leaves of it is read as far as it is whole."""

from __future__ import annotations

import errno
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kalshi_fix_adapters.observe.log_file import LogFile
from kalshi_fix_adapters.recording import Kind, Recorder, Recording, RecordingError
from kalshi_fix_adapters.recording.file import HEAD, MAGIC, MAX_DATA, pack
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_sansio.framing import encode_frame
from kalshi_fix_sansio.session.states import State

NOON = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)
LOGON = encode_frame("FIXT.1.1", b"35=A\x0134=1\x0149=me\x0156=KalshiMD\x0195=6\x0196=SECRET\x01")
ODD = b"8=FIXT.1.1\x01half and \x00\xff garbage"


def at(seconds: float) -> Instant:
    return Instant(seconds, NOON + timedelta(seconds=seconds))


def recorded(path: Path) -> list[tuple[float, int, Kind, bytes]]:
    return [
        ((each.time - NOON).total_seconds(), each.connection, each.kind, each.data)
        for each in Recording(path)
    ]


def test_what_is_received_is_written_exactly_with_its_time(tmp_path: Path) -> None:
    path = tmp_path / "day.rec"
    with Recorder(path) as recorder:
        recorder.on_wire("sent", LOGON[:30], at(0))
        recorder.on_wire("sent", LOGON[30:], at(1))
        recorder.on_wire("received", ODD, at(2))
        recorder.on_wire("received", b"", at(2.000001))
        recorder.on_state(State.ESTABLISHED, State.DISCONNECTED, at(3))
        recorder.on_state(State.ESTABLISHED, State.DISCONNECTED, at(4))
    first, *rest = recorded(path)
    assert first[:3] == (1, 1, Kind.SENT)
    assert b"SECRET" not in path.read_bytes()
    assert b"96=******" in first[3]
    assert rest == [
        (2, 1, Kind.RECEIVED, ODD),
        (2.000001, 1, Kind.RECEIVED, b""),
        (3, 1, Kind.ENDED, b""),
    ]
    assert path.stat().st_mode & 0o777 == 0o600
    with Recorder(path) as recorder:
        assert recorder.cut == 0
        recorder.on_wire("received", b"more", at(5))
    assert recorded(path)[-1] == (5, 2, Kind.RECEIVED, b"more")


def test_a_file_that_ends_anywhere_is_cut_to_its_whole_records(tmp_path: Path) -> None:
    path = tmp_path / "day.rec"
    records = [pack(NOON, 1, Kind.RECEIVED, b"one"), pack(NOON, 1, Kind.RECEIVED, b"two")]
    data = MAGIC + b"".join(records)
    ends = [0, len(MAGIC), len(MAGIC) + len(records[0]), len(data)]
    for size in range(len(data) + 1):
        path.write_bytes(data[:size])
        whole = max(end for end in ends if end <= size)
        recording = Recording(path)
        assert len(list(recording)) == max(0, ends.index(whole) - 1)
        assert (recording.whole, recording.torn) == (whole, size - whole)
        with Recorder(path) as recorder:
            assert recorder.cut == size - whole
            recorder.on_wire("received", b"new", at(0))
        assert [each.data for each in Recording(path)][-1] == b"new"


@pytest.mark.parametrize("place", range(HEAD.size + 3))
def test_a_record_that_was_damaged_ends_what_is_read(tmp_path: Path, place: int) -> None:
    path = tmp_path / "day.rec"
    good, bad = pack(NOON, 1, Kind.RECEIVED, b"one"), bytearray(pack(NOON, 1, Kind.RECEIVED, b"two"))
    bad[place] ^= 0x80
    path.write_bytes(MAGIC + good + bad + good)
    recording = Recording(path)
    assert [each.data for each in recording] == [b"one"]
    assert recording.torn == len(bad) + len(good)


def test_zeros_behind_the_end_are_no_records(tmp_path: Path) -> None:
    path = tmp_path / "day.rec"
    path.write_bytes(MAGIC + pack(NOON, 1, Kind.ENDED, b"") + bytes(4096))
    recording = Recording(path)
    assert len(list(recording)) == 1
    assert recording.torn == 4096


def test_a_large_recording_is_read_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "day.rec"
    sizes = [0, 1, 1_000_000, 1_100_000, 5, MAX_DATA]
    path.write_bytes(MAGIC + b"".join(pack(NOON, 1, Kind.RECEIVED, b"x" * size) for size in sizes))
    assert [len(each.data) for each in Recording(path)] == sizes
    path.write_bytes(MAGIC + pack(NOON, 1, Kind.RECEIVED, b"x" * (MAX_DATA + 1)))
    assert list(Recording(path)) == []


def test_what_is_no_recording_is_told_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"not a recording")
    with pytest.raises(RecordingError, match="no recording"):
        list(Recording(path))
    with pytest.raises(ConfigurationError, match="choose another path"):
        Recorder(path)
    assert path.read_bytes() == b"not a recording"
    with pytest.raises(ConfigurationError):
        Recorder(tmp_path / "no" / "folder.rec")
    for wrong in ({"max_bytes": 0}, {"backups": -1}):
        with pytest.raises(ConfigurationError):
            Recorder(tmp_path / "day.rec", **wrong)


def test_a_recording_that_is_full_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "day.rec"
    with Recorder(path, max_bytes=100, backups=2) as recorder:
        for number in range(20):
            recorder.on_wire("received", b"%02d" % number, at(number))
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["day.rec", "day.rec.1", "day.rec.2"]
    assert all(file.stat().st_size <= 100 for file in files)
    kept = [data for file in reversed(files) for _, _, _, data in recorded(file)]
    assert kept == [b"%02d" % number for number in range(20 - len(kept), 20)]


def test_a_full_disk_harms_nobody_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "day.rec"
    append = LogFile.append

    def full(file: LogFile, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with Recorder(path) as recorder:
        recorder.on_wire("received", b"one", at(0))
        monkeypatch.setattr(LogFile, "append", full)
        recorder.on_wire("received", b"two", at(1))
        recorder.on_wire("received", b"three", at(2))
        monkeypatch.setattr(LogFile, "append", append)
        recorder.on_wire("received", b"four", at(3))
    assert recorder.lost == 2
    assert [each[2:] for each in recorded(path)] == [
        (Kind.RECEIVED, b"one"),
        (Kind.LOST, b"2"),
        (Kind.RECEIVED, b"four"),
    ]
    assert [record.getMessage().rpartition(" (")[0] or record.getMessage() for record in caplog.records] == [
        f"the recording {path} cannot be written",
        f"the recording {path} is written again; it lacks 2",
    ]
