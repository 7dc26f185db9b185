"""User rows and the events they belong to: after a crash either both are stored or neither is."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kalshi_fix_adapters.store_sqlite import SqliteStore, StoreOwner
from kalshi_fix_sansio import ExecutionReport
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_sansio.events import MessageReceived
from kalshi_fix_venue.testing import Sandbox
from tests.adapters.conformance.loops import TIMEOUT
from tests.adapters.conformance.support import NewClient, UserError, order, wait_for_acknowledgement
from tests.adapters.conftest import ME

SESSION = "KalshiNR"


async def next_report(client: Any) -> str:
    """Wait for a report and return its identifier."""
    while True:
        event = await client.receive(TIMEOUT)
        if isinstance(event, MessageReceived) and isinstance(event.message, ExecutionReport):
            return f"{event.message.cl_ord_id} {event.message.exec_type}"


async def test_rows_are_present_at_the_next_start(new_client: NewClient, tmp_path: Path) -> None:
    stored_client = partial(new_client, store=tmp_path)
    values = {"state": {"version": 1, "orders": ["ä", None, 1.5]}, "n": 7, "empty": ""}
    async with stored_client() as client:
        assert dict(client.rows) == {}
        client.rows.update(values)
        client.rows["gone"] = True
        assert client.rows["gone"]
        del client.rows["gone"]
        assert client.rows == values
    # Events that were in the queue can still be taken, although leaving the context has written the rows.
    await client.receive(TIMEOUT)
    async with stored_client() as client:
        assert client.rows == values
        assert "gone" not in client.rows
        assert len(client.rows) == 3
        client.rows["n"] = 8
        del client.rows["empty"]
    async with stored_client() as client:
        assert client.rows == {"state": values["state"], "n": 8}


async def test_rows_and_events_are_confirmed_together_or_not_at_all(stored_client: NewClient) -> None:
    """Crash while an event is handled, after sending an order: the order's commit must not include the rows
    of the event."""
    seen: list[str] = []
    async with stored_client(reset_seq_num=True) as client:
        await client.send(order())
        for _ in range(2):
            seen.append(await next_report(client))
            client.rows[seen[-1]] = len(seen)
    for _ in range(2):
        with suppress(UserError):
            async with stored_client() as client:
                assert set(client.rows) == set(seen)
                await client.send(order())
                seen.append(await next_report(client))
                client.rows[seen[-1]] = len(seen)
                again = await next_report(client)  # Confirms the previous event.
                client.rows[again] = "halfway"
                await client.send(order())
                raise UserError
        async with stored_client() as client:
            assert set(client.rows) == set(seen)
            assert await next_report(client) == again
            client.rows[again] = True
            seen.append(again)
            for _ in range(2):
                seen.append(await next_report(client))
                client.rows[seen[-1]] = True
    async with stored_client() as client:
        assert set(client.rows) == set(seen)
    assert len(seen) == len(set(seen)) == 10


async def test_a_row_without_an_event_is_written_when_the_next_event_is_requested(
    new_client: NewClient, tmp_path: Path
) -> None:
    stored_client = partial(new_client, store=tmp_path)
    with suppress(UserError):
        async with stored_client() as client:
            client.rows["before"] = 1
            await client.receive(TIMEOUT)
            client.rows["after"] = 1
            raise UserError
    async with stored_client() as client:
        assert client.rows == {"before": 1}


async def test_an_invalid_row_is_refused_and_changes_nothing(new_client: NewClient, tmp_path: Path) -> None:
    async with new_client(store=tmp_path) as client:
        rows = client.rows
        for value in (object(), float("nan"), {1, 2}, b"bytes"):
            with pytest.raises((TypeError, ValueError)):
                rows["a"] = value
        for key in ("k" * 257, "ä" * 129, "\ud800", "a\0b", 1, b"k"):
            with pytest.raises((TypeError, ValueError), match=r"256 bytes, and no NUL|surrogates|'str'"):
                rows[key] = 1
        for key in ("a", "k" * 257):
            with pytest.raises(KeyError):
                del rows[key]
        rows["k" * 256] = 1
        assert list(rows) == ["k" * 256]


async def test_the_size_of_rows_is_bounded_by_the_store(
    new_client: NewClient, sandbox: Sandbox, tmp_path: Path
) -> None:
    key = sandbox.keys[ME, "prediction"][0].key_id
    owner = StoreOwner(environment="demo", product="prediction", sender_comp_id=key, target_comp_id=SESSION)
    limits: dict[str, Any] = {"max_rows": 2, "max_row_bytes": 30}
    with SqliteStore(tmp_path / "store", owner=owner, **limits) as store:
        async with new_client(store=store) as client:
            rows = client.rows
            rows["a"] = "x" * 10
            rows["b"] = "x" * 14  # 1 + 2 + 10 and 1 + 2 + 14 bytes
            for name, value in (("a", "x" * 11), ("c", 1)):
                with pytest.raises(LocalProtocolError, match="does not fit, because the store already has"):
                    rows[name] = value
            assert rows == {"a": "x" * 10, "b": "x" * 14}
            del rows["a"]
            rows["c"] = "x" * 10
            rows["c"] = 1
        assert store.row_sizes == {"b": 17, "c": 2}


async def test_rows_require_a_store_and_an_open_client(new_client: NewClient, tmp_path: Path) -> None:
    client = new_client()
    for _ in range(2):
        with pytest.raises(LocalProtocolError, match="`store` option"):
            client.rows["a"] = 1
        async with client:
            with pytest.raises(LocalProtocolError, match="`store` option"):
                client.rows["a"] = 1
    client = new_client(store=tmp_path)
    for _ in range(2):
        with pytest.raises(LocalProtocolError, match="the client is not open"):
            len(client.rows)
        async with client:
            assert len(client.rows) == 0


@pytest.mark.parametrize("session", ["KalshiNR", "KalshiRT"])
async def test_a_request_is_recognized_by_the_next_process(
    new_client: NewClient, tmp_path: Path, session: str
) -> None:
    stored_client = partial(new_client, session, store=tmp_path, reset_seq_num=session == "KalshiRT")
    placed = order()
    async with stored_client() as client:
        assert client.sent_request(placed.cl_ord_id) is None
        number = await client.send(placed)
        await wait_for_acknowledgement(client, placed.cl_ord_id)
    async with stored_client() as client:
        # The numbers have restarted, and the order has been answered.
        assert client.open_requests == ()
        found = client.sent_request(placed.cl_ord_id)
        assert (found.request_id, found.msg_type, found.seq_num) == (placed.cl_ord_id, "D", number)
        assert client.sent_request("another") is None
    with pytest.raises(LocalProtocolError, match="no ids of sent requests are kept"):
        client.sent_request(placed.cl_ord_id)
    async with new_client() as client:
        with pytest.raises(LocalProtocolError, match="no ids of sent requests are kept"):
            client.sent_request(placed.cl_ord_id)
