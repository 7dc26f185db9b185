"""Stores that commit in the background: every client waits for a commit without delaying anything else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from kalshi_fix_adapters.engine.client_core import ClientCore
from kalshi_fix_adapters.errors import NotConnectedError
from kalshi_fix_adapters.store_sqlite import SqliteFolder, SqliteStore
from kalshi_fix_adapters.store_sqlite.file import StoreFile
from kalshi_fix_sansio.errors import SendFailedError, StoreError
from kalshi_fix_sansio.events import CloseReason, OutcomesUnknown, SessionEnded, Uncertainty
from tests.adapters.conformance.loops import TASK_LOOPS, TIMEOUT, Loop, collect
from tests.adapters.conformance.support import (
    NewClient,
    order,
    place_order,
    wait_for_acknowledgement,
    wait_for_event,
)


class SlowDisk:
    """Holds back the writes to a client's file until a test allows them."""

    def __init__(self) -> None:
        self.writes = 0
        self.held = threading.Event()
        """Set when a write is held back."""
        self.is_full = self.is_full_for_rows = False
        self._gate = threading.Event()
        self._gate.set()

    def write(self, original: Any, *arguments: Any, **named: Any) -> None:
        if self.is_full_for_rows and arguments[1].rows:
            raise OSError(28, "No space left on device")
        # The confirmation of an earlier event need not be durable, so it is still written.
        if self.is_full and arguments[1].must_be_durable:
            raise OSError(28, "No space left on device")
        if not self._gate.is_set():
            self.held.set()
            assert self._gate.wait(TIMEOUT)
        self.writes += 1
        original(*arguments, **named)

    def hold(self) -> None:
        self.held.clear()
        self._gate.clear()

    def release(self) -> None:
        self._gate.set()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> SlowDisk:
    slow_disk, original = SlowDisk(), StoreFile.write

    def write(*arguments: Any, **named: Any) -> None:
        slow_disk.write(original, *arguments, **named)

    monkeypatch.setattr(StoreFile, "write", write)
    return slow_disk


async def test_messages_that_are_sent_during_a_commit_share_the_next_commit(
    loop: Loop, stored_client: NewClient, disk: SlowDisk
) -> None:
    async with stored_client(reset_seq_num=True) as client:
        await place_order(client)
        disk.hold()
        numbers = [client.send_nowait(order()) for _ in range(20)]
        await loop.wait_until_set(disk.held)
        numbers += [client.send_nowait(order()) for _ in range(20)]
        before = disk.writes
        disk.release()
        numbers.append(await client.send(order()))
        assert disk.writes - before <= 3
        assert numbers == list(range(numbers[0], numbers[0] + 41))
        for _ in numbers:
            await wait_for_acknowledgement(client)


async def test_a_commit_does_not_delay_timers_events_or_answers(
    loop: Loop, stored_client: NewClient, disk: SlowDisk
) -> None:
    async with stored_client(reset_seq_num=True) as client:
        await place_order(client)
        disk.hold()
        placed = order()
        client.send_nowait(placed)
        await loop.wait_until_set(disk.held)
        # Meanwhile the client handles calls and timers, and the message is not sent.
        assert client.is_logged_on
        assert await collect(client.messages(0)) == []
        assert placed.cl_ord_id in {request.request_id for request in client.open_requests}
        disk.release()
        await wait_for_acknowledgement(client, placed.cl_ord_id)


async def test_a_commit_that_exceeds_its_timeout_ends_the_session(
    stored_client: NewClient, disk: SlowDisk
) -> None:
    async with stored_client(reset_seq_num=True, session={"commit_timeout": 0.2}) as client:
        await place_order(client)
        disk.hold()
        placed = order()
        try:
            with pytest.raises(
                SendFailedError, match=r"not completed a commit within 0\.2 seconds"
            ) as caught:
                await client.send(placed)
            assert not caught.value.may_have_been_sent
            unknown = await wait_for_event(client, OutcomesUnknown)
            assert (unknown.request_ids, unknown.why) == ((placed.cl_ord_id,), Uncertainty.STORE_FAILED)
            ended = await wait_for_event(client, SessionEnded)
            assert ended.reason is CloseReason.STORE_FAILED
            with pytest.raises(NotConnectedError):
                client.send_nowait(order())
        finally:
            disk.release()


async def test_a_failed_commit_after_send_nowait_is_reported_by_events(
    stored_client: NewClient, disk: SlowDisk
) -> None:
    async with stored_client(reset_seq_num=True) as client:
        await place_order(client)
        disk.is_full = True
        placed = order()
        client.send_nowait(placed)
        unknown = await wait_for_event(client, OutcomesUnknown)
        assert (unknown.request_ids, unknown.why) == ((placed.cl_ord_id,), Uncertainty.STORE_FAILED)
        ended = await wait_for_event(client, SessionEnded)
        assert ended.reason is CloseReason.STORE_FAILED
        assert "No space left on device" in ended.text


async def test_a_commit_that_ends_while_the_client_is_closing_does_not_delay_the_last_commit(
    stored_client: NewClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = ClientCore.confirm_handled

    def confirm_handled(core: ClientCore, **arguments: Any) -> None:
        original(core, **arguments)
        store = core.sequence._opened_store
        if isinstance(store, SqliteStore):
            store.settle_requests([1])
            # The store's thread reports this commit to the client before it can write the next one.
            store.commit()
            store.settle_requests([2])

    monkeypatch.setattr(ClientCore, "confirm_handled", confirm_handled)
    for _ in range(2):
        # The second client can open the store only if the first one has closed it.
        async with stored_client(reset_seq_num=True) as client:
            await place_order(client)


@pytest.mark.parametrize("loop", TASK_LOOPS, ids=lambda loop: loop.name)
async def test_a_cancellation_during_a_commit_takes_effect_after_it(
    loop: Loop, stored_client: NewClient, disk: SlowDisk
) -> None:
    async with stored_client(reset_seq_num=True) as client:
        await place_order(client)
        for waits_again in (True, False):
            placed, numbers = order(), list[int]()
            disk.hold()
            async with loop.run_concurrently() as start, cancellable(loop) as cancel:
                start(partial(cancel_during_commit, loop, disk, cancel))
                numbers.append(await client.send(placed))
                if waits_again:
                    await anyio.sleep(TIMEOUT)
            assert len(numbers) == 1
            await wait_for_acknowledgement(client, placed.cl_ord_id)
            # No cancellation is still pending.
            await place_order(client)


@asynccontextmanager
async def cancellable(loop: Loop) -> AsyncIterator[Callable[[], object]]:
    """Yield a function that cancels the body of the `async with`, which then ends without an error."""
    if loop.name == "asyncio":
        with suppress(TimeoutError):
            async with asyncio.timeout(None) as scope:
                yield lambda: scope.reschedule(0)
    else:
        with anyio.CancelScope() as cancel_scope:
            yield cancel_scope.cancel


async def cancel_during_commit(loop: Loop, disk: SlowDisk, cancel: Callable[[], object]) -> None:
    await loop.wait_until_set(disk.held)
    cancel()
    for _ in range(5):
        await anyio.lowlevel.checkpoint()
    disk.release()


@pytest.mark.parametrize("loop", TASK_LOOPS, ids=lambda loop: loop.name)
@pytest.mark.parametrize(("owner", "method"), [(SqliteFolder, "open"), (SqliteStore, "close")])
async def test_opening_and_closing_a_store_do_not_block_the_loop(
    loop: Loop, stored_client: NewClient, monkeypatch: pytest.MonkeyPatch, owner: type, method: str
) -> None:
    original, begun, allowed = getattr(owner, method), threading.Event(), threading.Event()

    def slow(*arguments: Any) -> object:
        begun.set()
        assert allowed.wait(TIMEOUT)
        return original(*arguments)

    monkeypatch.setattr(owner, method, slow)

    async def allow() -> None:
        await loop.wait_until_set(begun)
        allowed.set()

    async with loop.run_concurrently() as start:
        start(allow)
        async with stored_client(reset_seq_num=True) as client:
            await place_order(client)
    assert begun.is_set()


@pytest.mark.parametrize("loop", TASK_LOOPS, ids=lambda loop: loop.name)
async def test_errors_while_opening_and_closing_in_a_thread_are_raised(
    stored_client: NewClient, disk: SlowDisk, tmp_path: Path
) -> None:
    client = stored_client(reset_seq_num=True)
    await client.__aenter__()
    await place_order(client)
    client.rows["a"] = 1
    disk.is_full_for_rows = True
    with pytest.raises(StoreError, match="No space left on device"):
        await client.__aexit__(None, None, None)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be opened"):
        await stored_client(store=tmp_path / "file" / "folder").__aenter__()
