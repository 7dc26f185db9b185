"""A log that is split among processes is read as in one process."""

from __future__ import annotations

import io
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_fix_adapters.logs import LogEntry, map_log, read_log, split
from kalshi_fix_adapters.logs.reader import LoggedMessage, LogReader
from tests.adapters.logs.test_reader import NEARLY_VALID, VALID, read

SENT_LINE = b"2026-11-21 12:00:00.123456Z 1 sent     " + VALID + b"\n"


def read_in_parts(log: bytes, chunk_size: int) -> tuple[list[LoggedMessage], int]:
    """Return the messages that the processes would find, and the number of parts."""
    found: list[LoggedMessage] = []
    reader, number = LogReader(), 0
    for part in split._parts(log[at : at + chunk_size] for at in range(0, len(log), chunk_size)):
        found += reader.feed(part.data)
        number += 1
        if part.next_reader is not None:
            found += reader.close()
            reader = part.next_reader
    return found, number


@given(
    st.lists(st.sampled_from([*NEARLY_VALID, SENT_LINE]), max_size=30).map(b"".join),
    st.integers(1, 80),
    st.integers(20, 400),
)
def test_the_parts_of_a_log_contain_the_messages_of_the_whole(log: bytes, chunk_size: int, size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(split, "PART_SIZE", size)
        patch.setattr(split, "_SEARCHED_BYTES", 100)
        found, _ = read_in_parts(log, chunk_size)
    assert found == read(log)


def test_a_log_is_split_between_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split, "PART_SIZE", 1_000)
    _, number = read_in_parts(SENT_LINE * 100, 64)
    assert number > 5
    assert read_in_parts((b"3" + SENT_LINE) * 100, 64)[0] == read((b"3" + SENT_LINE) * 100)


def test_a_part_that_begins_after_a_digit_does_not_begin_with_a_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(split, "PART_SIZE", 50)
    # A part ends with a message only if at least two messages end in it. Only one ends in the first part,
    # so this part ends where the chunk ends.
    log = b"8=FIXT.1.1^A35=0^A58=" + b"x" * 40 + b"5" + VALID + b" more^A10=000^A\n" + SENT_LINE * 3
    for chunk_size in range(50, 70):
        assert read_in_parts(log, chunk_size)[0] == read(log)


def line_of(entry: LogEntry) -> tuple[int, str] | None:
    return None if entry.message is None else (entry.line, entry.message.msg_type)


def test_several_processes_return_the_same_result_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split, "PART_SIZE", 2_000)
    # No message ends in the middle of the log, so each part there waits for the previous one.
    log = SENT_LINE * 100 + b"58=x\n" * 2_000 + SENT_LINE * 100
    expected = [line_of(entry) for entry in read_log(io.BytesIO(log)) if entry.message is not None]
    assert list(map_log(line_of, io.BytesIO(log), processes=2)) == expected
    assert len(expected) == 200


def fail(found: Iterable[LoggedMessage]) -> None:
    raise LookupError("not for this one")


def test_exceptions_raised_by_the_function_reach_the_caller() -> None:
    with pytest.raises(LookupError, match="not for this one"):
        list(split.in_processes(fail, [SENT_LINE], 1))
