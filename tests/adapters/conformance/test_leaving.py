"""Leaving a client: by logout, by an exception, in every state, and from several tasks at once."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import pytest

from kalshi_fix_adapters.config.reconnect import ReconnectPolicy
from kalshi_fix_adapters.errors import LogonFailedError, NotConnectedError, SessionClosedError
from kalshi_fix_adapters.events import ConnectFailed, Connecting, Disconnected
from kalshi_fix_sansio.events import CloseReason, LoggedOn, MessageReceived, SessionEnded
from tests.adapters.conformance.loops import TIMEOUT, Loop, collect
from tests.adapters.conformance.support import (
    NO_DELAY,
    NewClient,
    UserError,
    order,
    venue_message,
    wait_for_acknowledgement,
    wait_for_event,
)
from tests.adapters.net.peers import Acceptor, keep_silent, listening, logged_on_peer
from tests.relay import Relay

LONG_DELAY = ReconnectPolicy(initial=1e9, cap=1e9, maintenance=None)
"""A policy that waits for years before it reconnects."""


# --- exceptions from the user's code


@pytest.mark.parametrize(
    "error",
    [UserError(), ExceptionGroup("own", [UserError()]), SystemExit(3), KeyboardInterrupt()],
    ids=lambda error: type(error).__name__,
)
async def test_an_exception_propagates_unchanged_after_an_orderly_logout(
    new_client: NewClient, error: BaseException
) -> None:
    client = new_client()
    with pytest.raises(type(error)) as caught:  # noqa: PT012
        async with client:
            await client.send(order())
            raise error
    assert caught.value is error
    assert client.ended.clean


async def test_leaving_the_context_does_not_wait_for_a_connection_attempt(
    loop: Loop, new_client: NewClient, relay: Relay
) -> None:
    with listening(keep_silent) as silent:
        async with new_client(port=relay.port, reconnect=NO_DELAY, timeout=10 * TIMEOUT) as client:
            relay.retarget(silent)
            relay.cut()
            await wait_for_event(client, Disconnected)
            await wait_for_event(client, Connecting)
            # Wait for the second connection, whose TLS handshake is never answered.
            await loop.in_thread(lambda: relay.wait(lambda: relay.opened == 2))
        assert client.ended is not None


async def test_an_exception_without_a_connection_propagates(new_client: NewClient, relay: Relay) -> None:
    with pytest.raises(UserError):  # noqa: PT012
        async with new_client(port=relay.port, reconnect=LONG_DELAY) as client:
            relay.stop_listening()
            await wait_for_event(client, Disconnected)
            raise UserError
    assert client.ended.reason is CloseReason.CONNECTION_LOST


async def test_a_client_works_inside_a_user_defined_context_manager(new_client: NewClient) -> None:
    @contextlib.asynccontextmanager
    async def trading() -> Any:
        async with new_client() as client:
            yield client

    with pytest.raises(UserError):  # noqa: PT012
        async with trading() as client:
            await client.send(order())
            await wait_for_acknowledgement(client)
            raise UserError
    assert client.ended.clean


# --- logouts, and other users of the client


async def test_a_logout_ends_the_waits_of_other_tasks(loop: Loop, new_client: NewClient) -> None:
    async with new_client() as client:
        waiting = threading.Event()

        async def consume() -> None:
            async for _ in client.events(TIMEOUT):
                waiting.set()

        async with loop.run_concurrently() as start:
            start(consume)
            await loop.wait_until_set(waiting)
            ended = await client.logout("enough")
            assert ended.clean
        assert await collect(client.messages(TIMEOUT)) == []
        with pytest.raises(NotConnectedError):
            await client.send(order())
        with pytest.raises(SessionClosedError):
            await client.receive(TIMEOUT)
        assert await client.logout() == ended


async def test_concurrent_logouts_end_the_session_once(loop: Loop, new_client: NewClient) -> None:
    async with new_client() as client:

        async def log_out() -> None:
            assert (await client.logout()).clean

        async with loop.run_concurrently() as start:
            start(log_out)
            start(log_out)
    assert sum(isinstance(event, SessionEnded) for event in await collect(client.events(TIMEOUT))) == 1


async def test_messages_received_after_the_logout_can_still_be_taken(plaintext_client: NewClient) -> None:
    def report_late(peer: Acceptor) -> None:
        for name in peer.received():
            if name == "Logout":
                peer.send(venue_message())

    with logged_on_peer(report_late) as port:
        async with plaintext_client(port=port) as client:
            assert client.is_logged_on
        events = await collect(client.events(TIMEOUT))
        kinds = [type(event) for event in events]
        assert kinds == [Connecting, LoggedOn, MessageReceived, SessionEnded]
        assert client.ended.clean


async def test_both_sides_log_out_at_once(loop: Loop, plaintext_client: NewClient) -> None:
    crossed = threading.Event()

    def cross(peer: Acceptor) -> None:
        peer.log_out("we too")
        crossed.set()
        list(peer.received())

    with logged_on_peer(cross) as port:
        async with plaintext_client(port=port) as client:
            await loop.wait_until_set(crossed)
            ended = await client.logout("enough")
            assert ended.clean


@pytest.mark.usefixtures("brief_logouts")
async def test_a_venue_that_does_not_answer_the_logout_ends_the_session_uncleanly(
    plaintext_client: NewClient,
) -> None:
    def ignore(peer: Acceptor) -> None:
        peer.send(venue_message())
        keep_silent(peer.connection)

    async def receive_one(client: Any) -> None:
        async for _ in client.messages(TIMEOUT):
            return

    with logged_on_peer(ignore) as port:
        async with plaintext_client(port=port) as client:
            await receive_one(client)
        assert not client.ended.clean


# --- leaving without a session


async def test_a_logout_while_waiting_to_connect_again(new_client: NewClient, relay: Relay) -> None:
    async with new_client(port=relay.port, reconnect=LONG_DELAY) as client:
        relay.cut()
        await wait_for_event(client, Disconnected)
        ended = await client.logout()
        assert ended.reason is CloseReason.CONNECTION_LOST
        assert relay.opened == 1


async def test_a_logout_during_the_handshake(loop: Loop, new_client: NewClient, relay: Relay) -> None:
    reached = threading.Event()

    def stay_silent(connection: Any) -> None:
        reached.set()
        keep_silent(connection)

    with listening(stay_silent) as silent:
        # A thread cannot be interrupted in the handshake, but a task can.
        timeout = 0.5 if loop.name == "blocking" else 2 * TIMEOUT
        async with new_client(port=relay.port, reconnect=NO_DELAY, timeout=timeout) as client:
            relay.retarget(silent)
            relay.cut()
            await loop.wait_until_set(reached)
            assert (await client.logout()).reason is CloseReason.CONNECTION_LOST


async def test_a_logout_while_logging_on(loop: Loop, plaintext_client: NewClient) -> None:
    reached = threading.Event()

    def read_the_logon(connection: Any) -> None:
        connection.recv(4096)
        reached.set()
        keep_silent(connection)

    with listening(read_the_logon) as port:
        client = plaintext_client(port=port, timeout=2 * TIMEOUT)

        async def leave() -> None:
            await loop.wait_until_set(reached)
            await client.logout()

        async with loop.run_concurrently() as start:
            start(leave)
            with pytest.raises((LogonFailedError, SessionClosedError)):
                await client.__aenter__()
        assert not client.is_logged_on


async def test_a_client_can_stop_reconnecting_and_be_left_while_the_venue_is_down(
    new_client: NewClient, relay: Relay
) -> None:
    soon = ReconnectPolicy(initial=0.01, cap=0.01, maintenance=None)
    async with new_client(port=relay.port, reconnect=soon) as client:
        relay.stop_listening()
        await wait_for_event(client, ConnectFailed)
    assert client.ended.reason is CloseReason.CONNECTION_LOST
    relay.listen()
    async with client:
        assert isinstance(await wait_for_event(client, LoggedOn), LoggedOn)
    assert client.ended.clean
