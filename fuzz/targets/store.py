"""Fuzz target `store`: the durable store with damaged files."""

from __future__ import annotations

import atexit
import contextlib
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from kalshi_fix_adapters.store_sqlite import SqliteStore, read_summary
from kalshi_fix_sansio.errors import StoreError
from kalshi_fix_sansio.fuzzing import Choices
from tests.adapters.store_sqlite.stores import FILE, OWNER, contents, open_request, open_store, send

_MEMORY = Path("/dev/shm")  # noqa: S108 - a file system in memory, where there is one
Files = Mapping[str, bytes]
"""The files of a store, by the suffix of their names."""


def _folder() -> Path:
    path = tempfile.mkdtemp(prefix="fuzz-store-", dir=_MEMORY if _MEMORY.is_dir() else None)
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return Path(path)


_WORK: Final = _folder()


def _files(folder: Path) -> Files:
    return {
        path.name.removeprefix(FILE): path.read_bytes()
        for path in folder.iterdir()
        if path.name.startswith(FILE)
    }


def _images() -> tuple[tuple[Files, tuple[Any, ...]], ...]:
    """Return the files and the contents of a store that was closed, and of one whose process crashed."""
    folder = _folder()
    with open_store(folder) as store:
        send(store, 12, size=300)
        store.advance_incoming(17)
        store.record_request(open_request(7))
        store.commit()
    closed = _files(folder)
    store = open_store(folder)
    closed_contents = contents(store)
    for _ in range(3):
        send(store, 3, size=200)
        store.advance_incoming(store.next_incoming + 2)
        store.commit()
    crashed, crashed_contents = _files(folder), contents(store)
    store.close()
    return (closed, closed_contents), (crashed, crashed_contents)


IMAGES: Final = _images()


def check(data: bytes) -> None:
    """A store whose file or log is damaged is either rejected with a StoreError, or has the numbers of the
    last commit and only messages and requests that were committed.
    """
    choices = Choices(data)
    files, truth = choices.pick(IMAGES)
    names = sorted(name for name in files if name in ("", "-wal") and files[name])
    name = choices.pick(names)
    check_invariant({**files, name: damage(choices, files[name])}, truth)


def damage(choices: Choices, data: bytes) -> bytes:
    """Change bytes of a file at any offset, or copy one of its pages over another."""
    result = bytearray(data)
    for _ in range(1 + choices.below(3)):
        offset = choices.below(len(data))
        match choices.below(5):
            case 0 | 1:
                result[offset] ^= 1 << choices.below(8)
            case 2:
                replacement = choices.take(1 + choices.below(16))
                result[offset : offset + len(replacement)] = replacement
            case 3:
                result[offset : offset + 64] = bytes(64)
            case _:
                page, other = (4096 * choices.below(len(data) // 4096 + 1) for _ in range(2))
                result[page : page + 4096] = result[other : other + 4096].ljust(4096, b"\0")
    return bytes(result[: len(data)])


def check_invariant(files: Files, truth: tuple[Any, ...]) -> bool:
    """Check the invariant for the files of a store that contained `truth`; return whether the
    store was rejected.
    """
    *committed_numbers, committed_messages, committed_requests = truth
    for old in _WORK.iterdir():
        old.unlink()
    for name, data in files.items():
        (_WORK / f"{FILE}{name}").write_bytes(data)
    with contextlib.suppress(StoreError):
        read_summary(_WORK / FILE)
    try:
        with SqliteStore(_WORK / FILE, owner=OWNER, sync="normal") as store:
            *numbers, messages, requests = contents(store)
    except StoreError:
        return True
    assert numbers == committed_numbers, f"read {numbers}, committed {committed_numbers}"
    assert set(messages) <= set(committed_messages), "a message differs from those committed"
    assert set(requests) <= set(committed_requests), "a request differs from those committed"
    return False
