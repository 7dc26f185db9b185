"""A store of an earlier layout goes on as it was: no number and no doubt of a live trader begins anew,
whatever happens while it is brought up to date."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kalshi_fix_adapters.store_sqlite import read_summary
from kalshi_fix_adapters.store_sqlite.layout import VERSION
from kalshi_fix_sansio.errors import StoreError
from kalshi_fix_sansio.outcomes import OpenRequest
from tests.adapters.store_sqlite.migration import write_layout_1
from tests.adapters.store_sqlite.power_loss import Files, log_of
from tests.adapters.store_sqlite.stores import FILE, ROOT, asked, contents, execute, opened, send, stored
from tests.helpers import START


def request(place: int, name: str, msg_type: str, number: int, seconds: int, frame: bytes) -> OpenRequest:
    return OpenRequest(
        name, msg_type, number, START + timedelta(seconds=seconds), frame, place, uncertain=number == 0
    )


REQUESTS = (
    request(1, "a1", "D", 2, 0, b"35=D frame 0\x01\xff"),
    request(2, "q1", "Z", 0, 1, b"35=Z frame 1\x01\xff"),
    request(4, "r1", "UE", 3, 3, b"35=UE frame 3\x01\xff"),
    request(5, "a1-again", "G", 4, 4, b"35=G frame 4\x01\xff"),
    request(6, "a2", "F", 0, 9, b"again"),
)
BEFORE = (5, 17, 1, False, tuple(stored(number, number, 40) for number in (2, 3, 4)), REQUESTS)
"""What the old file holds, as `contents` tells it."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_layout_1(tmp_path / FILE)
    return tmp_path / FILE


def version(path: Path) -> int:
    [found] = execute(path, "PRAGMA user_version")
    assert isinstance(found, int)
    return found


def seen(path: Path) -> tuple[Any, ...]:
    """What a look tells without bringing anything up to date."""
    summary = read_summary(path)
    return (summary.next_outgoing, summary.next_incoming, summary.kept, summary.open_requests)


def test_an_old_store_is_opened_with_all_that_it_holds(path: Path) -> None:
    for _ in range(2):
        with opened(path) as store:
            assert contents(store) == BEFORE
        assert version(path) == VERSION


def test_a_look_at_an_old_store_reads_it_as_it_is(path: Path) -> None:
    for _ in range(2):
        assert seen(path) == (5, 17, 3, REQUESTS)
        assert version(path) == 1


def test_what_is_asked_afterwards_goes_on_behind_what_was_open(path: Path) -> None:
    with opened(path) as store:
        store.record_request(asked(7, 5))
        store.settle_requests([1, 4])
    with opened(path) as store:
        assert store.open_requests() == (REQUESTS[1], *REQUESTS[3:], asked(7, 5))


def test_a_process_killed_at_any_step_leaves_the_old_store_or_the_new_one(path: Path) -> None:
    old = Files.read(path)
    command = [sys.executable, "-m", "tests.adapters.store_sqlite.migration", str(path)]
    versions = []
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        step, ended = 0, "dead\n"
        while ended == "dead\n":
            for rest in path.parent.glob(f"{FILE}-*"):
                rest.unlink()
            old.write(path)
            step += 1
            print(step, file=process.stdin, flush=True)
            ended = process.stdout.readline()
            assert seen(path) == (5, 17, 3, REQUESTS)
            versions.append(version(path))
            if step % 10 == 0 or ended != "dead\n":
                with opened(path, sync="normal") as store:
                    assert contents(store) == BEFORE
        process.stdin.close()
    assert step > 100
    assert versions == sorted(versions)
    assert set(versions) == {1, VERSION}


def test_a_machine_that_goes_dark_leaves_the_old_store_or_the_new_one(path: Path, tmp_path: Path) -> None:
    store = opened(path, sync="normal")
    files = Files.read(path)
    store.close()
    torn = tmp_path / "torn" / FILE
    found = set()
    for length in range(0, len(files.log) + 1, 97):
        for rest in (b"", bytes(3000)):
            for leftover in torn.parent.glob(f"{FILE}-*"):
                leftover.unlink()
            files.cut(length, rest).write(torn)
            assert seen(torn) == (5, 17, 3, REQUESTS)
            found.add(version(torn))
    log_of(torn).unlink(missing_ok=True)
    files.write(torn)
    assert {*found, version(torn)} == {1, VERSION}
    with opened(torn) as again:
        assert contents(again) == BEFORE


def test_an_old_store_that_is_damaged_is_refused_and_stays_as_it_is(path: Path) -> None:
    execute(path, "UPDATE request SET seq_num = 3 WHERE place = 2")
    for _ in range(2):
        with pytest.raises(StoreError, match="is damaged"):
            opened(path)
        assert version(path) == 1


def test_a_store_without_a_journal_gets_one(tmp_path: Path) -> None:
    path = tmp_path / FILE
    with opened(path) as store:
        send(store, 2)
        store.record_request(asked(7, 2))
        store.commit()
        before = contents(store)
    execute(path, "DROP TABLE journal", "PRAGMA user_version = 2")
    assert read_summary(path).next_outgoing == 3
    assert version(path) == 2
    with opened(path) as store:
        assert contents(store) == before
        assert store.row_sizes == {}
        store.record_rows({"a": "1"})
    assert version(path) == VERSION
    with opened(path) as store:
        assert store.row("a") == "1"
