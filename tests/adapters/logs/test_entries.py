"""`read_log`: the messages of a log, with time, direction and connection where the log has them."""

from __future__ import annotations

import gzip
import io
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kalshi_fix_adapters.logs import LogEntry, read_log
from kalshi_fix_adapters.observe.wire_log import WireLog
from kalshi_fix_sansio import Heartbeat, Logon
from kalshi_fix_sansio.clock import Instant
from tests.adapters.logs.test_reader import ORDER, VALID, fields

NOON = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)


def entries(log: bytes) -> list[LogEntry]:
    return list(read_log(io.BytesIO(log)))


def only_entry(log: bytes) -> LogEntry:
    (entry,) = entries(log)
    return entry


def test_a_wire_log_has_time_direction_and_connection(tmp_path: Path) -> None:
    path = tmp_path / "wire.log"
    with WireLog(path) as log:
        first, second = (log.connect(name, Instant(0.0, NOON)) for name in ("KalshiNR", "KalshiMD"))
        first.record("sent", VALID.replace(b"|", b"\x01"), Instant(1.0, NOON.replace(microsecond=7)))
        second.record("received", VALID.replace(b"|", b"\x01"), Instant(1.0, NOON.replace(second=1)))
        first.close(Instant(2.0, NOON))
    found = list(read_log(path))
    assert [(item.time, item.direction, item.connection, item.line) for item in found] == [
        (NOON.replace(microsecond=7), "sent", 1, 3),
        (NOON.replace(second=1), "received", 2, 4),
    ]
    assert all(isinstance(item.message, Heartbeat) for item in found)
    assert {item.frame for item in found} == {VALID.replace(b"|", b"\x01")}
    assert [item.frame for item in read_log(str(path))] == [item.frame for item in found]


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("", (None, None, None)),
        ("20261121-12:00:00.123 : ", (NOON.replace(microsecond=123000), None, None)),
        ("2026-11-21T12:00:00,123456789 INFO recv ", (NOON, "received", None)),
        ("[2026-11-21 12:00:00] -> ", (NOON.replace(microsecond=0), "sent", None)),
        ("2026-11-21 12:00:00.5 IN: ", (NOON.replace(microsecond=500000), "received", None)),
        ("out of order, incoming: ", (None, "received", None)),
        ("2026-13-41 12:00:00 sent ", (None, "sent", None)),
        ("20261121-12:00:00.123456789 : <- ", (NOON, "received", None)),
        ("12026-11-21 12:00:00 ", (None, None, None)),
        ("2026-99-99 12:00:00.123456Z 1 sent     ", (None, "sent", 1)),
        ("resent within ", (None, None, None)),
        # Only the exact format of this library's wire logs contains a connection.
        ("2026-11-21 12:00:00.123456Z 1 sent     ", (NOON, "sent", 1)),
        ("2026-11-21 12:00:00.1234567 1 sent     ", (NOON, "sent", None)),
        ("2026-11-21 12:00:00,123456Z 1 sent     ", (NOON, "sent", None)),
    ],
)
def test_time_and_direction_are_read_from_other_logs(prefix: str, expected: tuple[object, ...]) -> None:
    entry = only_entry(prefix.encode() + VALID)
    assert (entry.time, entry.direction, entry.connection) == expected


VALID_WITH_HEADER = fields(
    *("35=0", "49=KalshiNR", "56=me", "34=2", "52=20261121-12:00:00.000", "112=a"),
)


@pytest.mark.parametrize(
    ("log", "message_class", "tag", "truncated"),
    [
        (VALID_WITH_HEADER, Heartbeat, None, False),
        (fields("35=A", "98=0", "9999=x"), Logon, 9999, False),
        (b"12:00 " + ORDER + b" rest", None, 10, False),
        (b"8=FIXT.1.1|35=0|58=" + b"x" * 3_000_000, None, 10, True),
    ],
)
def test_an_entry_has_the_message_and_its_problems(
    log: bytes, message_class: type | None, tag: int | None, truncated: bool
) -> None:
    entry = only_entry(log)
    assert (entry.line, entry.truncated) == (1, truncated)
    assert (None if entry.message is None else type(entry.message)) is message_class
    tags = [problem.tag for problem in entry.problems]
    assert tag in tags if tag is not None else tags == []


def test_a_damaged_entry_has_its_frame() -> None:
    assert only_entry(b"12:00 " + ORDER + b" rest").frame == ORDER.replace(b"|", b"\x01")


def test_a_log_without_messages_has_no_entries() -> None:
    assert entries(b"") == entries(b"nothing here\n") == []


def test_a_compressed_log_is_decompressed(tmp_path: Path) -> None:
    path = tmp_path / "wire.log.gz"
    path.write_bytes(gzip.compress(VALID + b"\n" + VALID))
    assert [entry.line for entry in read_log(path)] == [1, 2]


def test_a_truncated_compressed_log_yields_its_messages_and_then_raises(tmp_path: Path) -> None:
    path = tmp_path / "wire.log.gz"
    path.write_bytes(gzip.compress((VALID + b"\n") * 20_000)[:-100])
    found: list[LogEntry] = []
    with pytest.raises(EOFError):
        found.extend(read_log(path))
    assert len(found) > 1_000


def test_an_unreadable_file_raises_the_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(read_log(tmp_path / "missing.log"))
    plain = tmp_path / "plain.gz"
    plain.write_bytes(VALID)
    with pytest.raises(gzip.BadGzipFile):
        list(read_log(plain))


def test_a_log_is_read_lazily() -> None:
    class Endless(io.RawIOBase):
        reads = 0

        def read(self, size: int = -1) -> bytes:
            self.reads += 1
            return VALID + b"\n"

    log = Endless()
    found = read_log(log)  # type: ignore[arg-type]
    assert [next(found).line for _ in range(50)] == list(range(1, 51))
    assert log.reads <= 51
