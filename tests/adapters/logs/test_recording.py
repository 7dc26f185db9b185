"""A recording contains the exact bytes, and after a crash it is read up to its last complete record."""

from __future__ import annotations

import errno
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from zlib import crc32

import pytest

from kalshi_fix_adapters.logs import Kind, Recorder, Recording, RecordingError
from kalshi_fix_adapters.logs.recording import HEAD, MAGIC, MAX_CONNECTION, MAX_DATA, is_recording, pack
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_sansio.framing import encode_frame
from kalshi_fix_sansio.session.states import State

NOON = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)
LOGON = encode_frame("FIXT.1.1", b"35=A\x0134=1\x0149=me\x0156=KalshiMD\x0195=6\x0196=SECRET\x01")
GARBLED = b"8=FIXT.1.1\x01half and \x00\xff garbage"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "day.rec"


def at(seconds: float) -> Instant:
    return Instant(seconds, NOON + timedelta(seconds=seconds))


def read_records(path: Path) -> list[tuple[float, int, Kind, bytes]]:
    return [
        ((item.time - NOON).total_seconds(), item.connection, item.kind, item.data)
        for item in Recording(path)
    ]


def test_received_bytes_are_recorded_exactly_with_their_time(path: Path) -> None:
    with Recorder(path) as recorder:
        recorder.on_wire("sent", LOGON[:30], at(0))
        recorder.on_wire("sent", LOGON[30:], at(1))
        recorder.on_wire("received", GARBLED, at(2))
        recorder.on_wire("received", b"", at(2.000001))
        recorder.on_state(State.ESTABLISHED, State.DISCONNECTED, at(3))
        recorder.on_state(State.ESTABLISHED, State.DISCONNECTED, at(4))
    first, *rest = read_records(path)
    assert first[:3] == (1, 1, Kind.SENT)
    assert b"SECRET" not in path.read_bytes()
    assert b"96=******" in first[3]
    assert rest == [
        (2, 1, Kind.RECEIVED, GARBLED),
        (2.000001, 1, Kind.RECEIVED, b""),
        (3, 1, Kind.ENDED, b""),
    ]
    assert path.stat().st_mode & 0o777 == 0o600
    with Recorder(path) as recorder:
        assert recorder.truncated_bytes == 0
        recorder.on_wire("received", b"more", at(5))
    assert read_records(path)[-1] == (5, 2, Kind.RECEIVED, b"more")


def test_a_truncated_file_is_shortened_to_its_complete_records(path: Path) -> None:
    records = [pack(NOON, 1, Kind.RECEIVED, b"one"), pack(NOON, 1, Kind.RECEIVED, b"two")]
    data = MAGIC + b"".join(records)
    ends = [0, len(MAGIC), len(MAGIC) + len(records[0]), len(data)]
    for size in range(len(data) + 1):
        path.write_bytes(data[:size])
        whole = max(end for end in ends if end <= size)
        recording = Recording(path)
        assert len(list(recording)) == max(0, ends.index(whole) - 1)
        assert (recording.complete_size, recording.torn) == (whole, size - whole)
        with Recorder(path) as recorder:
            assert recorder.truncated_bytes == size - whole
            recorder.on_wire("received", b"new", at(0))
        assert [item.data for item in Recording(path)][-1] == b"new"


def record(data: bytes, *, seconds: float = 0) -> bytes:
    return pack(at(seconds).utc, 1, Kind.RECEIVED, data)


def flip_bit(data: bytes, position: int, bit: int = 0x80) -> bytes:
    return data[:position] + bytes((data[position] ^ bit,)) + data[position + 1 :]


ONE, TWO, THREE = record(b"one"), record(b"two"), record(b"three")
NESTED = record(b"<" + ONE + TWO)
"""A record whose data ends with bytes that look like records."""
RECORD_SIZE = len(ONE)
START = len(MAGIC)
OUT_OF_RANGE_HEAD = HEAD.pack(0, 0, 2**62, 1, 0)
OUT_OF_RANGE_RECORD = HEAD.pack(0, crc32(OUT_OF_RANGE_HEAD[8:]), 2**62, 1, 0)
"""A record with a valid checksum and a time that no datetime can represent."""


@pytest.mark.parametrize(
    ("data", "read", "damaged"),
    [
        *(
            (ONE + flip_bit(TWO, position) + THREE, [b"one", b"three"], [(RECORD_SIZE, 2 * RECORD_SIZE)])
            for position in range(RECORD_SIZE)
        ),
        *(
            (ONE + flip_bit(TWO, position), [b"one"], [(RECORD_SIZE, 2 * RECORD_SIZE)])
            for position in range(RECORD_SIZE)
        ),
        (flip_bit(ONE, 2, 1) + TWO + THREE, [b"two", b"three"], [(0, RECORD_SIZE)]),
        (
            flip_bit(ONE, 21) + TWO + flip_bit(ONE, 22) + THREE,
            [b"two", b"three"],
            [(0, RECORD_SIZE), (2 * RECORD_SIZE, 3 * RECORD_SIZE)],
        ),
        (flip_bit(ONE, 21) + flip_bit(TWO, 0) + THREE, [b"three"], [(0, 2 * RECORD_SIZE)]),
        (ONE + bytes(4096) + TWO, [b"one", b"two"], [(RECORD_SIZE, RECORD_SIZE + 4096)]),
        (ONE + bytes(4096), [b"one"], [(RECORD_SIZE, RECORD_SIZE + 4096)]),
        (OUT_OF_RANGE_RECORD + ONE, [b"one"], [(0, HEAD.size)]),
        (NESTED + THREE, [b"<" + ONE + TWO, b"three"], []),
        (flip_bit(NESTED, HEAD.size) + THREE, [b"three"], [(0, len(NESTED))]),
        (flip_bit(NESTED, 20) + THREE, [b"three"], [(0, len(NESTED))]),
        (flip_bit(NESTED, 4), [], [(0, len(NESTED))]),
        # The damaged size extends the record to the end of the next one; the checksum reveals the actual end.
        (flip_bit(ONE, 0, 3 ^ (3 + RECORD_SIZE)) + TWO + THREE, [b"two", b"three"], [(0, RECORD_SIZE)]),
        (flip_bit(ONE, 0, 3 ^ (3 + RECORD_SIZE)) + TWO, [b"two"], [(0, RECORD_SIZE)]),
    ],
)
def test_damage_affects_only_the_damaged_record_and_is_reported(
    data: bytes,
    read: list[bytes],
    damaged: list[tuple[int, int]],
    path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path.write_bytes(MAGIC + data)
    recording = Recording(path)
    ranges = [range(START + begin, START + end) for begin, end in damaged]
    assert [item.data for item in recording] == read
    assert (recording.damaged, recording.damaged_bytes) == (ranges, sum(map(len, ranges)))
    assert (recording.complete_size, recording.torn) == (START + len(data), 0)
    assert len(caplog.records) == bool(damaged)
    with Recorder(path) as recorder:
        assert (recorder.truncated_bytes, recorder.damaged) == (0, ranges)
        recorder.on_wire("received", b"new", at(1))
    assert path.read_bytes()[: START + len(data)] == MAGIC + data
    assert [item.data for item in recording] == [*read, b"new"]


@pytest.mark.parametrize("size", range(1, RECORD_SIZE))
def test_a_torn_record_after_damage_is_removed_and_the_damage_kept(size: int, path: Path) -> None:
    kept = MAGIC + flip_bit(ONE, 2) + TWO
    path.write_bytes(kept + THREE[:size])
    with Recorder(path) as recorder:
        assert (recorder.truncated_bytes, recorder.damaged) == (size, [range(START, START + RECORD_SIZE)])
    assert path.read_bytes() == kept


def test_damaged_first_bytes_of_the_file_are_skipped(path: Path) -> None:
    path.write_bytes(flip_bit(MAGIC, 3) + ONE)
    assert is_recording(path)
    recording = Recording(path)
    assert [item.data for item in recording] == [b"one"]
    assert recording.damaged == [range(START)]
    path.write_bytes(flip_bit(MAGIC, START - 1) + ONE)  # another version
    assert not is_recording(path)
    with pytest.raises(RecordingError):
        list(recording)


def test_damage_across_chunks_of_the_file_is_skipped(path: Path) -> None:
    large = record(b"8=FIXT.1.1" * 300_000)
    other = record(b"\x00" * 3_000_000)
    path.write_bytes(MAGIC + flip_bit(large, 0) + TWO + flip_bit(other, 100) + ONE)
    recording = Recording(path)
    assert [item.data for item in recording] == [b"two", b"one"]
    assert [len(item) for item in recording.damaged] == [len(large), len(other)]


def test_the_list_of_damaged_ranges_is_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kalshi_fix_adapters.logs.recording.MAX_DAMAGED", 2)
    path.write_bytes(MAGIC + (flip_bit(ONE, 5) + TWO) * 3)
    recording = Recording(path)
    assert len(list(recording)) == 3
    assert (len(recording.damaged), recording.damaged_bytes) == (2, 3 * RECORD_SIZE)


def test_record_headers_with_false_sizes_are_read_in_linear_time(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked_bytes = 0

    def counting_crc32(data: bytes, begin: int = 0) -> int:
        nonlocal checked_bytes
        checked_bytes += len(data)
        return crc32(data, begin)

    monkeypatch.setattr("kalshi_fix_adapters.logs.recording.crc32", counting_crc32)
    monkeypatch.setattr("kalshi_fix_adapters.logs.recording._SEARCH_BASE", 0)
    size = 200_000
    false_header = HEAD.pack(size // 2, 0, 0, 1, 0)
    # First only false headers, then false headers alternating with complete records.
    for pattern in (false_header, false_header + record(b"")):
        data = MAGIC + pattern * (size // len(pattern))
        path.write_bytes(data + ONE)
        recording = Recording(path)
        checked_bytes = 0
        assert [item.data for item in recording][-1:] in ([b"one"], [])
        assert recording.damaged_bytes > size // 4
        assert checked_bytes < 40 * len(data)


def test_iteration_ends_if_the_file_is_shortened_meanwhile(path: Path) -> None:
    path.write_bytes(MAGIC + ONE + record(b"x" * 2_000_000) + TWO)
    records = iter(Recording(path))
    assert next(records).data == b"one"
    with path.open("r+b") as shortened:
        shortened.truncate(START + RECORD_SIZE + 10)
    assert list(records) == []


def test_connection_numbers_wrap_around_after_the_last_one(path: Path) -> None:
    path.write_bytes(MAGIC + pack(NOON, MAX_CONNECTION, Kind.ENDED, b""))
    with Recorder(path) as recorder:
        recorder.on_wire("received", b"new", at(1))
    assert read_records(path)[-1] == (1, 1, Kind.RECEIVED, b"new")


def test_a_large_recording_is_read_in_chunks(path: Path) -> None:
    sizes = [0, 1, 1_000_000, 1_100_000, 5, MAX_DATA]
    path.write_bytes(MAGIC + b"".join(pack(NOON, 1, Kind.RECEIVED, b"x" * size) for size in sizes))
    assert [len(item.data) for item in Recording(path)] == sizes
    path.write_bytes(MAGIC + pack(NOON, 1, Kind.RECEIVED, b"x" * (MAX_DATA + 1)))
    assert list(Recording(path)) == []


def test_a_file_that_is_not_a_recording_is_refused_and_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"not a recording")
    with pytest.raises(RecordingError, match="not a recording"):
        list(Recording(path))
    with pytest.raises(ConfigurationError, match="choose another path"):
        Recorder(path)
    assert path.read_bytes() == b"not a recording"
    with pytest.raises(ConfigurationError):
        Recorder(tmp_path / "no" / "folder.rec")
    for wrong in ({"max_bytes": 0}, {"backups": -1}):
        with pytest.raises(ConfigurationError):
            Recorder(tmp_path / "day.rec", **wrong)


def test_a_full_recording_is_rotated(path: Path) -> None:
    with Recorder(path, max_bytes=100, backups=2) as recorder:
        for number in range(20):
            recorder.on_wire("received", b"%02d" % number, at(number))
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["day.rec", "day.rec.1", "day.rec.2"]
    assert all(file.stat().st_size <= 100 for file in files)
    kept = [data for file in reversed(files) for _, _, _, data in read_records(file)]
    assert kept == [b"%02d" % number for number in range(20 - len(kept), 20)]


def test_a_file_whose_first_record_was_lost_on_a_full_disk_can_be_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Recorder(path, max_bytes=1) as recorder:
        recorder.on_wire("received", b"one", at(0))
        with monkeypatch.context() as patch:
            patch.setattr("os.write", partial(_raise_os_error, errno.ENOSPC))
            recorder.on_wire("received", b"two", at(1))
        recorder.on_wire("received", b"three", at(2))
    assert [item[2:] for item in read_records(path)] == [(Kind.LOST, b"1"), (Kind.RECEIVED, b"three")]


def _raise_os_error(number: int, *_: object) -> None:
    raise OSError(number, "No space left on device")


def test_a_full_disk_is_reported_and_does_not_affect_the_session(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with Recorder(path) as recorder:
        recorder.on_wire("received", b"one", at(0))
        with monkeypatch.context() as patch:
            patch.setattr("os.write", partial(_raise_os_error, errno.ENOSPC))
            recorder.on_wire("received", b"two", at(1))
            recorder.on_wire("received", b"three", at(2))
        recorder.on_wire("received", b"four", at(3))
    assert recorder.lost == 2
    assert [item[2:] for item in read_records(path)] == [
        (Kind.RECEIVED, b"one"),
        (Kind.LOST, b"2"),
        (Kind.RECEIVED, b"four"),
    ]
    assert [record.getMessage().rpartition(" (")[0] or record.getMessage() for record in caplog.records] == [
        f"the recording {path} cannot be written",
        f"the recording {path} can be written again; 2 records are missing from it",
    ]
