"""Clients whose store is in Postgres: after a failure the session ends, and the next client continues
from the stored row."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

pytest.importorskip("psycopg", reason="stores in Postgres need psycopg (extra postgres)")

from kalshi_fix_adapters.errors import NotConnectedError
from kalshi_fix_adapters.store_postgres import PostgresDatabase, StoreInUseError
from kalshi_fix_sansio.errors import SendFailedError
from kalshi_fix_sansio.events import CloseReason, OutcomesUnknown, SessionEnded, Uncertainty
from tests.adapters.conformance.support import NewClient, order, place_order, wait_for_event
from tests.postgres import PostgresRelay, Server

Execute = Callable[[str], list[Any]]
END_LEASE = "UPDATE kalshi_fix.session SET leased_until = '-infinity'"
NUMBERS = "SELECT next_outgoing FROM kalshi_fix.session"


def database_at(dsn: str) -> PostgresDatabase:
    return PostgresDatabase(dsn, "none", lease=600)


async def test_a_commit_whose_answer_is_lost_ends_the_session_and_uses_up_the_number(
    new_client: NewClient, server: Server, database: str, execute: Execute
) -> None:
    with PostgresRelay(server) as relay:
        client_with_store = partial(new_client, "KalshiRT", store=database_at(relay.dsn(database)))
        async with client_with_store(reset_seq_num=True) as client:
            number = await place_order(client)
            [(before,)] = execute(NUMBERS)
            assert before == number + 1
            placed = order()
            relay.unanswered_request = placed.cl_ord_id.encode()
            with pytest.raises(SendFailedError, match="could not be read or written"):
                await client.send(placed)
            unknown = await wait_for_event(client, OutcomesUnknown)
            assert (unknown.request_ids, unknown.why) == ((placed.cl_ord_id,), Uncertainty.STORE_FAILED)
            ended = await wait_for_event(client, SessionEnded)
            assert ended.reason is CloseReason.STORE_FAILED
        with pytest.raises(StoreInUseError):
            await client_with_store().__aenter__()
        execute(END_LEASE)
        [(committed,)] = execute(NUMBERS)
        assert committed == before + 1
        async with client_with_store() as client:
            # The venue has not received the order. The number is not used again, and the outcome is reported.
            unknown = await wait_for_event(client, OutcomesUnknown)
            assert unknown.request_ids == (placed.cl_ord_id,)
            assert await place_order(client) > before


async def test_a_client_whose_store_was_taken_over_ends_and_sends_nothing_more(
    new_client: NewClient, dsn: str, execute: Execute
) -> None:
    async with new_client("KalshiRT", store=database_at(dsn), reset_seq_num=True) as client:
        number = await place_order(client)
        execute("UPDATE kalshi_fix.session SET fence = fence + 1")
        # The client may notice the takeover earlier, when it records the report of the first order; then the
        # session has already ended.
        with pytest.raises(
            (SendFailedError, NotConnectedError), match=r"taken over by another process|not logged on"
        ):
            await client.send(order())
        ended = await wait_for_event(client, SessionEnded)
        assert ended.reason is CloseReason.STORE_FAILED
    assert execute(NUMBERS) == [(number + 1,)]
