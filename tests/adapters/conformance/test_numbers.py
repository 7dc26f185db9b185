"""The state and the sequence numbers of every client can be read at any time. The numbers of a closed client
can be set, unless they restart at every logon, and all consequences are reported."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kalshi_fix_adapters.config.reconnect import ReconnectPolicy
from kalshi_fix_adapters.engine.sequence import SequenceNumbers
from kalshi_fix_adapters.errors import LogonRefusedError
from kalshi_fix_adapters.events import Connecting, Disconnected
from kalshi_fix_sansio import DIALECT, State
from kalshi_fix_sansio.errors import LocalProtocolError, StoreError
from kalshi_fix_sansio.events import LoggedOn, MessageReceived, MessagesLost, OutcomesUnknown, Uncertainty
from kalshi_fix_sansio.session import MemoryStore
from kalshi_fix_sansio.session.checks import LAST_NUMBER
from kalshi_fix_venue.testing import Sandbox, SeqNums
from tests.adapters.conformance.loops import Loop
from tests.adapters.conformance.support import (
    NO_DELAY,
    NewClient,
    UserError,
    order,
    place_order,
    wait_for_acknowledgement,
    wait_for_event,
)
from tests.adapters.conftest import ME
from tests.relay import Relay

SESSION = "KalshiRT"
RESETTING_SESSIONS = sorted(name for name, kind in DIALECT.session_types.items() if kind.reset_required)


def venue_numbers(sandbox: Sandbox) -> SeqNums:
    """Return the sequence numbers that the venue stores for the session."""
    key_id = str(sandbox.options(ME, "prediction", SESSION)["key_id"])
    found = sandbox.server.inspect(lambda model: model.seq_nums(key_id, SESSION))
    assert found is not None
    return found


def as_tuple(numbers: SequenceNumbers) -> tuple[int, int, int]:
    return numbers.next_outgoing, numbers.next_incoming, numbers.next_unconfirmed


def files_of(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def place_one_order(stored_client: NewClient) -> None:
    """Log on with a reset, place an order, and log out."""
    async with stored_client(reset_seq_num=True) as client:
        await place_order(client)


async def send_and_crash(stored_client: NewClient, count: int = 1) -> list[str]:
    """Send orders, and crash before any answer is taken; return their ids."""
    sent = [order() for _ in range(count)]
    with suppress(UserError):
        async with stored_client() as client:
            await wait_for_event(client, LoggedOn)
            for item in sent:
                await client.send(item)
            raise UserError
    return [item.cl_ord_id for item in sent]


# Reading


async def test_state_and_numbers_can_be_read_at_any_time(
    stored_client: NewClient, sandbox: Sandbox, tmp_path: Path
) -> None:
    client: Any = stored_client(reset_seq_num=True)
    assert client.state == State.DISCONNECTED
    assert not client.is_reconnecting
    # There is no file yet, and reading does not create one.
    assert as_tuple(client.numbers) == (1, 1, 1)
    assert files_of(tmp_path) == []
    async with client:
        assert client.state == State.ESTABLISHED
        await wait_for_event(client, LoggedOn)
        assert as_tuple(client.numbers) == (2, 2, 1)
        await client.send(order())
        report: Any = await wait_for_acknowledgement(client)
        seen = report.header.msg_seq_num
        # The report's number is confirmed when the next event is requested.
        assert as_tuple(client.numbers) == (3, seen + 1, seen)
        assert client.logged_on.flags["use_dollars"] is True
        assert not client.is_reconnecting
    assert client.state == State.DISCONNECTED
    left = client.numbers
    assert left.next_outgoing == 4  # The Logout has used a number.
    assert left.next_incoming == left.next_unconfirmed
    assert not left.reset_due
    # Another process, which has only the file, reads the same numbers.
    assert stored_client().numbers == left
    assert venue_numbers(sandbox).incoming == left.next_outgoing


async def test_the_numbers_of_a_reconnecting_client_can_be_read_but_not_set(
    loop: Loop, new_client: NewClient, sandbox: Sandbox
) -> None:
    patient = ReconnectPolicy(initial=3600, cap=3600, maintenance=None)
    with Relay(sandbox.server.port("prediction", SESSION)) as relay:
        client = new_client(SESSION, port=relay.port, reconnect=patient)
        async with client:
            await place_order(client)
            before = client.numbers
            await loop.in_thread(relay.cut)
            await wait_for_event(client, Disconnected)
            assert client.is_reconnecting
            assert client.state == State.DISCONNECTED
            assert client.numbers.next_outgoing == before.next_outgoing
            with pytest.raises(LocalProtocolError, match="close it first"):
                client.set_numbers(next_outgoing=9)
            with pytest.raises(LocalProtocolError, match="close it first"):
                client.reset_numbers()
            assert client.numbers.next_outgoing == before.next_outgoing
        assert not client.is_reconnecting


async def test_the_state_after_a_reconnect_is_established(
    loop: Loop, new_client: NewClient, sandbox: Sandbox
) -> None:
    with Relay(sandbox.server.port("prediction", SESSION)) as relay:
        async with new_client(SESSION, port=relay.port, reconnect=NO_DELAY) as client:
            await wait_for_event(client, LoggedOn)
            await loop.in_thread(relay.cut)
            await wait_for_event(client, Connecting)
            await wait_for_event(client, LoggedOn)
            assert not client.is_reconnecting
            assert client.state == State.ESTABLISHED
            client.stop_reconnecting()


# Setting


async def test_the_next_logon_uses_the_numbers_that_were_set(
    new_client: NewClient, stored_client: NewClient, sandbox: Sandbox, tmp_path: Path
) -> None:
    """A client whose store was lost continues with the venue's numbers, set in a new file or in memory."""
    async with stored_client(store=tmp_path / "lost", reset_seq_num=True) as client:
        await place_order(client)
        await place_order(client)
    known = venue_numbers(sandbox)
    for store in (tmp_path / "new", None, MemoryStore()):
        client = new_client(SESSION, store=store)
        now = venue_numbers(sandbox)
        lost = client.set_numbers(next_outgoing=now.incoming, next_incoming=now.outgoing)
        # The new store has no earlier messages, so all of them count as skipped.
        assert lost == (MessagesLost(1, now.outgoing - 1),)
        assert as_tuple(client.numbers) == (now.incoming, now.outgoing, now.outgoing)
        async with client:
            logon = await wait_for_event(client, LoggedOn)
            assert not logon.reset
            assert logon.missing is None
            await place_order(client)
    assert venue_numbers(sandbox).incoming > known.incoming


async def test_numbers_that_were_set_are_durable_and_setting_them_twice_is_harmless(
    stored_client: NewClient,
) -> None:
    client = stored_client()
    for _ in range(2):
        client.set_numbers(next_outgoing=70, next_incoming=7)
        # A new client reads the file as another process would.
        assert as_tuple(stored_client().numbers) == (70, 7, 7)
    assert client.set_numbers(next_outgoing=70, next_incoming=7) == ()
    assert client.set_numbers(next_outgoing=5) == ()
    assert as_tuple(client.numbers) == (5, 7, 7)
    assert client.set_numbers(next_incoming=9) == (MessagesLost(7, 8),)
    assert client.set_numbers(next_incoming=1) == ()
    assert as_tuple(client.numbers) == (5, 1, 1)
    # The store is consistent: it is not treated as an outdated copy.
    assert client.set_numbers(next_outgoing=LAST_NUMBER, next_incoming=LAST_NUMBER) == (
        MessagesLost(1, LAST_NUMBER - 1),
    )
    assert as_tuple(stored_client().numbers) == (LAST_NUMBER,) * 3


@pytest.mark.parametrize("number", [0, -1, LAST_NUMBER + 1, 10**40, True, 1.0, "7"])
async def test_an_invalid_number_is_refused_and_changes_nothing(
    stored_client: NewClient, number: Any
) -> None:
    client = stored_client()
    client.set_numbers(next_outgoing=3, next_incoming=4)
    for numbers in (
        {"next_outgoing": number},
        {"next_incoming": number},
        {"next_outgoing": 9, "next_incoming": number},
    ):
        with pytest.raises(LocalProtocolError, match="an int from 1 to"):
            client.set_numbers(**numbers)
    with pytest.raises(LocalProtocolError, match="no number was given"):
        client.set_numbers()
    assert as_tuple(client.numbers) == (3, 4, 4)


@pytest.mark.parametrize("session", RESETTING_SESSIONS)
async def test_session_types_that_reset_their_numbers_refuse_to_set_them(
    new_client: NewClient, session: str, tmp_path: Path
) -> None:
    client = new_client(session, store=tmp_path)
    with pytest.raises(LocalProtocolError, match=f"{session} restarts its sequence numbers at every logon"):
        client.set_numbers(next_outgoing=2)
    with pytest.raises(LocalProtocolError, match="nothing to reset"):
        client.reset_numbers()
    assert as_tuple(client.numbers) == (1, 1, 1)
    assert files_of(tmp_path) == []


async def test_numbers_of_an_open_client_or_a_file_in_use_cannot_be_set(stored_client: NewClient) -> None:
    async with stored_client(reset_seq_num=True) as client:
        await place_order(client)
        before = client.numbers.next_outgoing
        with pytest.raises(LocalProtocolError, match="the client is open"):
            client.set_numbers(next_outgoing=9)
        with pytest.raises(LocalProtocolError, match="the client is open"):
            client.reset_numbers()
        other = stored_client()
        with pytest.raises(StoreError, match="in use"):
            other.set_numbers(next_outgoing=9)
        with pytest.raises(StoreError, match="in use"):
            other.reset_numbers()
        assert other.numbers.next_outgoing == client.numbers.next_outgoing == before
        await place_order(client)


async def test_numbers_can_be_set_after_a_refused_logon(stored_client: NewClient, sandbox: Sandbox) -> None:
    """This is the usual reason to set a number: the refusal contains the number that the venue expects."""
    await place_one_order(stored_client)
    expected = venue_numbers(sandbox).incoming
    client = stored_client()
    client.set_numbers(next_outgoing=expected - 1)
    with pytest.raises(LogonRefusedError) as refused:
        async with client:
            raise AssertionError("the logon was accepted")
    assert str(expected) in refused.value.text
    client.set_numbers(next_outgoing=expected)
    async with client:
        await place_order(client)


async def test_numbers_of_a_custom_store_without_renumber_cannot_be_set(new_client: NewClient) -> None:
    class Fixed(MemoryStore):
        renumber = None  # type: ignore[assignment]

    store = Fixed(next_outgoing=4)
    client = new_client(SESSION, store=store)
    with pytest.raises(LocalProtocolError, match="Fixed does not support setting its numbers"):
        client.set_numbers(next_outgoing=9)
    assert client.numbers.next_outgoing == 4
    assert client.reset_numbers() == ()
    assert client.numbers.reset_due


# Consequences


async def test_skipped_messages_are_reported_with_the_orders_they_may_answer(
    stored_client: NewClient, sandbox: Sandbox
) -> None:
    await place_one_order(stored_client)
    ids = await send_and_crash(stored_client, 2)
    client = stored_client()
    begin, end = client.numbers.next_incoming, venue_numbers(sandbox).outgoing
    assert begin < end
    lost, item = client.set_numbers(next_incoming=end)
    assert lost == MessagesLost(begin, end - 1)
    assert item.request_ids == tuple(ids)
    assert item.why is Uncertainty.ANSWERS_LOST
    # The process dies here; the next one lists the requests again, and receives none of the skipped messages.
    async with stored_client() as other:
        unknown = await wait_for_event(other, OutcomesUnknown)
        assert unknown.request_ids == tuple(ids)
        logon = await wait_for_event(other, LoggedOn)
        assert logon.missing is None
        await place_order(other)
        assert other.open_requests == ()


async def test_a_lower_incoming_number_redelivers_messages(stored_client: NewClient) -> None:
    async with stored_client(reset_seq_num=True) as client:
        await wait_for_event(client, LoggedOn)
        first = client.numbers.next_incoming
        await place_order(client)
    client = stored_client()
    assert client.set_numbers(next_incoming=first) == ()
    async with client:
        again = await wait_for_event(client, MessageReceived)
        assert again.poss_dup
        assert again.message.header.msg_seq_num == first


async def test_a_higher_outgoing_number_is_gap_filled(stored_client: NewClient, sandbox: Sandbox) -> None:
    await place_one_order(stored_client)
    client = stored_client()
    ahead = client.numbers.next_outgoing + 1_000_000
    assert client.set_numbers(next_outgoing=ahead) == ()
    async with client:
        await place_order(client)
        assert client.numbers.next_outgoing > ahead
    assert venue_numbers(sandbox).incoming == client.numbers.next_outgoing


async def test_requests_whose_numbers_are_reused_have_unknown_outcomes(stored_client: NewClient) -> None:
    async with stored_client(reset_seq_num=True) as client:
        await place_order(client)
        below = client.numbers.next_outgoing
    ids = await send_and_crash(stored_client)
    client = stored_client()
    assert client.set_numbers(next_outgoing=client.numbers.next_outgoing + 5) == ()
    (item,) = client.set_numbers(next_outgoing=below)
    assert isinstance(item, OutcomesUnknown)
    assert item.request_ids == tuple(ids)
    assert item.why is Uncertainty.RESET


@pytest.mark.parametrize("durable", [True, False])
async def test_a_reset_takes_place_at_the_next_logon_and_is_reported(
    stored_client: NewClient, durable: bool
) -> None:
    if not durable:
        stored_client = partial(stored_client, store=MemoryStore())
    await place_one_order(stored_client)
    ids = await send_and_crash(stored_client)
    client = stored_client()
    for _ in range(2):
        (item,) = client.reset_numbers()
        assert item.request_ids == tuple(ids)
        assert client.numbers == SequenceNumbers(
            next_outgoing=1, next_incoming=1, next_unconfirmed=1, reset_due=True
        )
    # The next client that logs on performs the reset.
    async with stored_client() as other:
        unknown = await wait_for_event(other, OutcomesUnknown)
        assert unknown.request_ids == tuple(ids)
        logon = await wait_for_event(other, LoggedOn)
        assert logon.reset
        assert logon.reset_requested
        assert not other.numbers.reset_due
        await place_order(other)
    async with stored_client() as other:
        assert not (await wait_for_event(other, LoggedOn)).reset


async def test_a_withdrawn_reset_keeps_the_unknown_outcomes(stored_client: NewClient) -> None:
    await place_one_order(stored_client)
    ids = await send_and_crash(stored_client)
    client = stored_client()
    before = client.numbers
    client.reset_numbers()
    client.set_numbers(next_outgoing=before.next_outgoing, next_incoming=before.next_incoming)
    assert client.numbers == before
    async with client:
        unknown = await wait_for_event(client, OutcomesUnknown)
        assert unknown.request_ids == tuple(ids)
        assert not (await wait_for_event(client, LoggedOn)).reset


async def test_numbers_that_were_set_override_the_reset_option(
    stored_client: NewClient, sandbox: Sandbox
) -> None:
    await place_one_order(stored_client)
    now = venue_numbers(sandbox)
    client = stored_client(reset_seq_num=True)
    client.set_numbers(next_outgoing=now.incoming)
    async with client:
        assert not (await wait_for_event(client, LoggedOn)).reset
