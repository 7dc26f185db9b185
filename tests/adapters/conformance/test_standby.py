"""A client that waits until no other process uses its store, and then takes over."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import trio

from kalshi_fix_adapters.config.reconnect import ReconnectPolicy
from kalshi_fix_adapters.engine.standby import STORE_LOST_STATUS, Takeover
from kalshi_fix_adapters.errors import NotConnectedError, StoreInUseError
from kalshi_fix_adapters.store_sqlite.file import StoreFile
from kalshi_fix_sansio.errors import ConfigurationError, LocalProtocolError, SendFailedError, StoreError
from kalshi_fix_sansio.session import MemoryStore
from tests.adapters.conformance.loops import TASK_LOOPS, Loop
from tests.adapters.conformance.support import NO_DELAY, NewClient, order, place_order

POLL_INTERVAL = 0.01


@pytest.fixture
def standby_client(stored_client: NewClient) -> NewClient:
    """Return a function that makes a client that reconnects and has a store in a file."""
    return partial(stored_client, reconnect=NO_DELAY)


async def test_a_standby_takes_over_and_continues_the_numbers(loop: Loop, standby_client: NewClient) -> None:
    is_waiting, has_left = threading.Event(), threading.Event()
    reasons: list[Exception] = []

    def note(reason: Exception) -> None:
        reasons.append(reason)
        is_waiting.set()

    async def run_primary() -> None:
        client = standby_client(reset_seq_num=True)
        async with client.standby(every=POLL_INTERVAL) as primary:
            await place_order(primary)
            entered.set()
            await loop.wait_until_set(is_waiting)
            # The waiting standby has not changed the primary's numbers.
            assert client.numbers.next_outgoing == 3
        has_left.set()

    entered = threading.Event()
    async with loop.run_concurrently() as start:
        start(run_primary)
        await loop.wait_until_set(entered)
        client = standby_client()
        async with client.standby(every=POLL_INTERVAL, on_wait=note) as standby:
            assert isinstance(reasons[0], StoreInUseError)
            # The primary's Logon, order and Logout, then the standby's Logon.
            assert standby.numbers.next_outgoing == 5
            assert await place_order(standby) == 5
        await loop.wait_until_set(has_left)


@pytest.mark.parametrize("raised", [None, KeyError()], ids=["send failed", "error without text"])
async def test_a_lost_store_ends_the_process_with_a_distinct_status(
    standby_client: NewClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    raised: Exception | None,
) -> None:
    async def lose() -> None:
        client = standby_client(reset_seq_num=True)
        async with client.standby() as primary:
            full = OSError(28, "No space left on device")
            monkeypatch.setattr(StoreFile, "write", Mock(side_effect=full))
            try:
                await primary.send(order())
            except (SendFailedError, NotConnectedError) as error:
                raise raised or error from None

    with pytest.raises(SystemExit) as exited:
        await lose()
    assert exited.value.code == STORE_LOST_STATUS == 75
    # Recording a received message may fail first; then the session has ended before the send.
    assert isinstance(exited.value.__cause__, SendFailedError | NotConnectedError | KeyError)
    reason = str(raised or exited.value.__cause__) or "its store was lost"
    assert f"this process is no longer the primary: {reason}" in caplog.messages


async def test_a_client_is_closed_if_an_exception_follows_its_takeover(
    standby_client: NewClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = standby_client(reset_seq_num=True)
    monkeypatch.setattr(Takeover, "report_primary", Mock(side_effect=ZeroDivisionError))
    with pytest.raises(ZeroDivisionError):
        await client.standby(every=POLL_INTERVAL).__aenter__()
    assert client.ended.clean
    async with standby_client(reset_seq_num=True) as following:
        await place_order(following)


async def test_a_standby_of_an_open_client_leaves_its_session_alone(standby_client: NewClient) -> None:
    async with standby_client(reset_seq_num=True) as client:
        with pytest.raises(LocalProtocolError, match="already open"):
            await client.standby().__aenter__()
        await place_order(client)


async def test_an_exception_from_the_user_is_raised_unchanged(standby_client: NewClient) -> None:
    with pytest.raises(KeyError):
        async with standby_client(reset_seq_num=True).standby():
            raise KeyError
    # The store is free again.
    async with standby_client():
        pass


async def test_a_standby_does_not_wait_for_a_store_that_can_never_be_opened(
    standby_client: NewClient, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    client = standby_client(store=tmp_path / "file")
    with pytest.raises(StoreError, match="file"):
        async with client.standby():
            raise AssertionError("entered")


@pytest.mark.parametrize("loop", TASK_LOOPS, ids=lambda loop: loop.name)
async def test_waiting_can_be_cancelled(loop: Loop, standby_client: NewClient) -> None:
    async def take_over() -> None:
        client = standby_client()
        async with client.standby(every=POLL_INTERVAL):
            raise AssertionError("entered")

    async with standby_client(reset_seq_num=True) as primary:
        with pytest.raises((TimeoutError, trio.TooSlowError)):
            await loop.with_timeout(0.1, take_over)
        await place_order(primary)


@pytest.mark.parametrize(
    ("changes", "every", "match"),
    [
        ({"store": None}, 1.0, "set the option `store`"),
        ({"store": MemoryStore()}, 1.0, "set the option `store`"),
        ({"reconnect": None}, 1.0, "`reconnect` must not be None"),
        ({}, 0.0, "every must be above 0"),
    ],
)
def test_a_standby_requires_the_location_of_a_store_and_a_reconnect_policy(
    standby_client: NewClient, changes: dict[str, Any], every: float, match: str
) -> None:
    client: Any = standby_client(**changes)
    client = getattr(client, "client", client)
    with pytest.raises(ConfigurationError, match=match):
        client.standby(every=every)


@pytest.mark.parametrize(("key_in_use", "expected"), [(None, 0.2), (3.0, 3.0)])
def test_a_standby_repeats_its_first_logon_at_short_intervals(
    standby_client: NewClient, key_in_use: float | None, expected: float
) -> None:
    policy = ReconnectPolicy(key_in_use=key_in_use, cap=7.0)
    client: Any = standby_client(reconnect=policy)
    core = getattr(client, "client", client)._core
    Takeover(core, 1.0, None)
    found = core.plan.reconnect
    assert (found.key_in_use, found.retry_first, found.cap) == (expected, True, 7.0)
