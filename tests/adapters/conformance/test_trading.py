"""Normal trading, timeouts, and slowness on both sides."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from kalshi_fix_adapters.errors import (
    ClientTimeoutError,
    NotConnectedError,
    OutcomesUnknownError,
    SessionClosedError,
)
from kalshi_fix_adapters.events import Connecting, ReadingPaused, ReadingResumed
from kalshi_fix_sansio import (
    BusinessMessageReject,
    ExecType,
    ExecutionReport,
    MarketDataRequest,
    OrderGroupRequest,
)
from kalshi_fix_sansio.errors import InvalidMessageError, LocalProtocolError
from kalshi_fix_sansio.events import CloseReason, LoggedOn, MessageReceived, RejectReceived, SessionEnded
from tests.adapters.conformance.loops import TIMEOUT, Loop, collect, first
from tests.adapters.conformance.support import (
    NewClient,
    order,
    place_order,
    venue_message,
    wait_for_event,
)
from tests.adapters.net.peers import Acceptor, logged_on_peer
from tests.helpers import MIN_HEART_BT_INT

SESSIONS = ("KalshiNR", "KalshiRT", "KalshiDC", "KalshiMD", "KalshiPT", "KalshiRFQ")


async def test_an_order_from_logon_to_logout(new_client: NewClient) -> None:
    placed = order()
    async with new_client() as client:
        assert client.is_logged_on
        assert client.logged_on.heart_bt_int == 30
        assert await client.send(placed) == 2
        assert isinstance(await client.receive(TIMEOUT), Connecting)
        assert isinstance(await client.receive(TIMEOUT), LoggedOn)
        event = await client.receive(TIMEOUT)
        assert isinstance(event, MessageReceived)
        assert isinstance(event.message, ExecutionReport)
        assert (event.message.exec_type, event.message.cl_ord_id) == (
            ExecType.PENDING_NEW,
            placed.cl_ord_id,
        )
        second = await first(client.messages(TIMEOUT))
        assert second.exec_type == ExecType.NEW
    assert not client.is_logged_on
    assert client.ended is not None
    assert (client.ended.reason, client.ended.clean) == (CloseReason.LOGGED_OUT, True)
    assert [type(event) for event in await collect(client.events(TIMEOUT))] == [SessionEnded]


async def test_an_invalid_message_changes_nothing_and_unknown_codes_are_sent_when_allowed(
    new_client: NewClient,
) -> None:
    unknown_code = order(time_in_force="Z")
    async with new_client() as client:
        with pytest.raises(InvalidMessageError):
            await client.send(MarketDataRequest(subscription_request_type="2"))
        with pytest.raises(InvalidMessageError, match="TimeInForce"):
            await client.send(unknown_code)
        allowed = {"allow_unknown_codes": True, "header_fields": {"poss_resend": True}}
        assert await client.send(unknown_code, **allowed) == 2  # the invalid messages used no number


@pytest.mark.parametrize("session", SESSIONS)
async def test_every_session_type_has_a_client(new_client: NewClient, session: str) -> None:
    async with new_client(session) as client:
        assert client.logged_on.logon.header.sender_comp_id == session


async def test_a_reject_is_linked_to_the_sent_message(new_client: NewClient) -> None:
    request = OrderGroupRequest.reset("770e8400-e29b-41d4-a716-446655440002")  # no such group
    async with new_client() as client:
        await client.send(request)
        assert isinstance(await first(client.messages(TIMEOUT)), BusinessMessageReject)
        await client.send(request)
        assert (await wait_for_event(client, RejectReceived)).sent == request


async def test_a_client_can_be_opened_again_and_without_a_context_manager(
    loop: Loop, new_client: NewClient
) -> None:
    client = new_client()
    for _ in range(2):
        async with client:
            assert await client.send(order()) == 2
            for open_again in (client.open, client.__aenter__):
                with pytest.raises(LocalProtocolError, match="already open"):
                    await open_again()
            assert client.is_logged_on
            await client.logout("enough")
            assert client.ended.clean
            await client.open()
            # The answer to the order of the first session was not taken.
            with pytest.raises(OutcomesUnknownError):
                await collect(client.messages(TIMEOUT))
            await place_order(client)
    if "trio" in loop.name or "anyio" in loop.name:
        return
    await client.open()
    await place_order(client)
    assert (await client.logout()).clean


async def test_a_client_that_is_not_open_raises(new_client: NewClient) -> None:
    client = new_client()
    assert client.ended is None
    assert not client.is_logged_on
    with pytest.raises(NotConnectedError, match="not open"):
        await client.send(order())
    with pytest.raises(NotConnectedError, match="not open"):
        await client.test_request()
    with pytest.raises(SessionClosedError, match="not open"):
        await client.receive(TIMEOUT)
    with pytest.raises(SessionClosedError, match="not open"):
        await collect(client.messages())
    client.stop_reconnecting()
    assert await client.logout() is None


# --- timeouts


async def test_waiting_without_an_event_times_out(new_client: NewClient) -> None:
    async with new_client() as client:
        assert await collect(client.messages(0)) == []
        assert await collect(client.messages(0.01)) == []
        assert await collect(client.events(0)) == []
        for timeout in (0, 0.01, -1):
            with pytest.raises(ClientTimeoutError, match="no event within"):
                await client.receive(timeout)
        # With a timeout of zero, queued events are still returned.
        await client.test_request(TIMEOUT)
        assert await client.receive(0)


async def test_an_unanswered_test_request_times_out(plaintext_client: NewClient) -> None:
    may_end = threading.Event()
    with logged_on_peer(lambda _: may_end.wait(TIMEOUT)) as port:
        async with plaintext_client(port=port) as client:
            with pytest.raises(ClientTimeoutError, match="was not answered within"):
                await client.test_request(0.05)
            may_end.set()
            with pytest.raises(NotConnectedError):
                await client.test_request(TIMEOUT)


# --- a slow venue


async def test_a_venue_that_stops_reading_blocks_senders_until_it_reads_again(
    loop: Loop, plaintext_client: NewClient
) -> None:
    may_read = threading.Event()
    full = threading.Event()
    big = order(symbol="X" * 20_000)

    def read_late(peer: Acceptor) -> None:
        assert may_read.wait(TIMEOUT)
        list(peer.received())

    with logged_on_peer(read_late) as port:
        async with plaintext_client(port=port) as client:
            number = 1
            with pytest.raises(ClientTimeoutError, match="nothing was sent"):  # noqa: PT012
                while True:
                    number = await client.send(big, timeout=0.2)

            async def send_next() -> None:
                full.set()
                assert await client.send(big, timeout=TIMEOUT) == number + 1

            async with loop.run_concurrently() as start:
                start(send_next)
                await loop.wait_until_set(full)
                may_read.set()
        assert client.ended.clean


@pytest.mark.usefixtures("brief_logouts")
async def test_closing_a_client_ends_in_time_if_the_venue_never_reads_again(
    plaintext_client: NewClient,
) -> None:
    done = threading.Event()
    big = order(symbol="X" * 20_000)

    with logged_on_peer(lambda _: done.wait(TIMEOUT)) as port:
        async with plaintext_client(port=port) as client:
            with pytest.raises(ClientTimeoutError, match="nothing was sent"):  # noqa: PT012
                while True:
                    await client.send(big, timeout=0.1)
        assert not client.ended.clean
        done.set()


# --- a slow user


@pytest.mark.usefixtures("brief_heartbeats")
async def test_a_slow_consumer_is_notified_and_loses_nothing(loop: Loop, plaintext_client: NewClient) -> None:
    reports = 400
    heartbeat_sent = threading.Event()

    def report_and_listen(peer: Acceptor) -> None:
        for number in range(reports):
            peer.send(venue_message(number))
        for name in peer.received():
            if name == "Heartbeat":
                heartbeat_sent.set()

    with logged_on_peer(report_and_listen) as port:
        async with plaintext_client(port=port, heart_bt_int=MIN_HEART_BT_INT, queue_limit=5) as client:
            # The client still sends heartbeats while nothing is read.
            await loop.wait_until_set(heartbeat_sent)
            paused = await client.receive(TIMEOUT)
            assert isinstance(paused, ReadingPaused)
            assert paused.waiting >= 5
            events: list[Any] = []
            numbers: list[str] = []
            while len(numbers) < reports:
                event = await client.receive(TIMEOUT)
                events.append(event)
                if isinstance(event, MessageReceived):
                    numbers.append(getattr(event.message, "order_id", ""))
            assert numbers == [str(number) for number in range(reports)]
            assert any(isinstance(event, ReadingResumed) for event in events)
            assert client.is_logged_on
        assert client.ended.clean


async def test_a_full_queue_does_not_hinder_the_logout(new_client: NewClient) -> None:
    async with new_client(queue_limit=1) as client:
        for _ in range(20):
            await client.send(order())
        await wait_for_event(client, ReadingPaused)
    assert client.ended.clean
    assert len(await collect(client.events(TIMEOUT))) > 1
