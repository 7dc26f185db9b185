"""Every kind of connection loss, and the reconnection after it."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from kalshi_fix_adapters.config.reconnect import ReconnectPolicy
from kalshi_fix_adapters.engine.client_core import ClientCore
from kalshi_fix_adapters.errors import (
    LogonRefusedError,
    NotConnectedError,
    OrdersUnverifiedError,
    OutcomesUnknownError,
    SessionClosedError,
    SessionInterruptedError,
)
from kalshi_fix_adapters.events import ConnectFailed, Connecting, Disconnected, GaveUp
from kalshi_fix_adapters.net.tls import Plaintext
from kalshi_fix_sansio import ExecutionReport
from kalshi_fix_sansio.errors import LocalProtocolError, SendFailedError
from kalshi_fix_sansio.events import (
    CloseReason,
    LoggedOn,
    LogoutReceived,
    MessageReceived,
    OrdersUnverified,
    OutcomesUnknown,
    PeerSilent,
    SessionEnded,
    Uncertainty,
)
from kalshi_fix_venue.testing import Sandbox
from tests.adapters.conformance.loops import TIMEOUT, Loop, as_function, collect, first
from tests.adapters.conformance.support import (
    NO_DELAY,
    NewClient,
    UserError,
    make_client,
    order,
    place_order,
    venue_message,
    wait_for_acknowledgement,
    wait_for_event,
)
from tests.adapters.conftest import ME
from tests.adapters.engine.stage import FailingStore
from tests.adapters.net.peers import Acceptor, listening, logged_on_peer
from tests.adapters.net.tls_cases import TRUST, VALID_IDENTITY
from tests.helpers import MIN_HEART_BT_INT
from tests.relay import Relay

SHORT_DELAY = ReconnectPolicy(initial=0.01, cap=0.01, maintenance=None)


def relay_to(sandbox: Sandbox, session: str = "KalshiNR") -> Relay:
    return Relay(sandbox.server.port("prediction", session))


async def test_every_step_of_a_reconnection_is_reported_in_order(new_client: NewClient, relay: Relay) -> None:
    async with new_client(port=relay.port, reconnect=NO_DELAY) as client:
        reported: list[Any] = [await client.receive(TIMEOUT) for _ in range(2)]
        relay.cut()
        reported += [await client.receive(TIMEOUT) for _ in range(4)]
        kinds = [type(event) for event in reported]
        assert kinds == [Connecting, LoggedOn, SessionEnded, Disconnected, Connecting, LoggedOn]
        assert reported[2].reason is CloseReason.CONNECTION_LOST
        assert reported[3].ended is reported[2]
        assert [reported[0].attempt, reported[4].attempt] == [1, 1]
        assert not client.ended
        # A session without resend resets its numbers.
        assert await place_order(client) == 2
    assert client.ended.clean


async def test_iterating_over_messages_reports_a_loss_and_continues(
    new_client: NewClient, relay: Relay
) -> None:
    async with new_client(port=relay.port, reconnect=NO_DELAY) as client:
        await place_order(client)
        relay.cut()
        with pytest.raises(OrdersUnverifiedError) as unverified:
            await collect(client.messages(TIMEOUT))
        assert len(unverified.value.orders) == 1
        with pytest.raises(SessionInterruptedError, match="client will reconnect") as caught:
            await collect(client.messages(TIMEOUT))
        assert caught.value.ended is not None
        assert caught.value.ended.reason is CloseReason.CONNECTION_LOST
        await wait_for_event(client, LoggedOn)
        await place_order(client)


async def test_nothing_is_sent_without_a_connection(loop: Loop, new_client: NewClient, relay: Relay) -> None:
    async with new_client(port=relay.port, reconnect=SHORT_DELAY) as client:
        relay.stop_listening()
        await wait_for_event(client, Disconnected)
        assert not client.is_logged_on
        with pytest.raises(NotConnectedError, match="nothing was sent"):
            await client.send(order())
        failed = [await wait_for_event(client, ConnectFailed) for _ in range(2)]
        assert all("refused the connection" in str(event.error) for event in failed)
        await loop.in_thread(relay.listen)
        await wait_for_event(client, LoggedOn)
        assert await place_order(client) == 2


async def test_reconnecting_can_be_stopped(new_client: NewClient, relay: Relay) -> None:
    async with new_client(port=relay.port, reconnect=SHORT_DELAY) as client:
        relay.stop_listening()
        await wait_for_event(client, ConnectFailed)
        client.stop_reconnecting()
        await collect(client.events(TIMEOUT))
        assert client.ended.reason is CloseReason.CONNECTION_LOST
        with pytest.raises(SessionClosedError):
            await collect(client.messages(TIMEOUT))
        with pytest.raises(SessionClosedError):
            await client.receive(TIMEOUT)


async def test_the_current_connection_outlives_stop_reconnecting(new_client: NewClient, relay: Relay) -> None:
    async with new_client(port=relay.port, reconnect=SHORT_DELAY) as client:
        client.stop_reconnecting()
        await place_order(client)
        relay.cut()
        assert [type(event) for event in await collect(client.events(TIMEOUT))] == [
            OrdersUnverified,
            SessionEnded,
        ]


async def test_a_permanent_failure_ends_the_reconnection(
    new_client: NewClient, sandbox: Sandbox, relay: Relay
) -> None:
    async with new_client(port=relay.port, reconnect=NO_DELAY) as client:
        relay.retarget(sandbox.server.port("prediction", "KalshiMD"))
        relay.cut()
        *_, last = await collect(client.events(TIMEOUT))
        assert isinstance(last, GaveUp)
        assert isinstance(last.error, LogonRefusedError)
        with pytest.raises(SessionClosedError, match="TargetCompID"):
            await client.receive(TIMEOUT)


@pytest.mark.usefixtures("brief_heartbeats")
async def test_a_silently_lost_peer_is_detected(new_client: NewClient, relay: Relay) -> None:
    async with new_client(port=relay.port, reconnect=SHORT_DELAY, heart_bt_int=MIN_HEART_BT_INT) as client:
        await place_order(client)
        relay.swallow("client", "server")
        await wait_for_event(client, PeerSilent)
        ended = await wait_for_event(client, SessionEnded)
        assert ended.reason is CloseReason.PEER_SILENT
        relay.swallow()
        relay.cut()
        await wait_for_event(client, LoggedOn)
        await place_order(client)


# --- end of file in unusual states


async def test_half_a_message_is_discarded(plaintext_client: NewClient) -> None:
    def send_half(peer: Acceptor) -> None:
        peer.send(venue_message(1))
        peer.connection.sendall(b"8=FIXT.1.1\x019=400\x0135=8\x0134=3\x01")

    with logged_on_peer(send_half) as port:
        async with plaintext_client(port=port) as client:
            events = await collect(client.events(TIMEOUT))
            kinds = [type(event) for event in events]
            assert kinds == [Connecting, LoggedOn, MessageReceived, SessionEnded]
            assert events[-1].reason is CloseReason.CONNECTION_LOST


async def test_messages_sent_before_the_venue_closes_are_read(plaintext_client: NewClient) -> None:
    reports = 2000

    def send_and_leave(peer: Acceptor) -> None:
        for number in range(reports):
            peer.send(venue_message(number))

    with logged_on_peer(send_and_leave) as port:
        async with plaintext_client(port=port, queue_limit=50) as client:
            events = await collect(client.events(TIMEOUT))
            assert sum(isinstance(event, MessageReceived) for event in events) == reports
            assert isinstance(events[-1], SessionEnded)


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
async def test_messages_are_read_when_writing_fails(
    loop: Loop, new_client: NewClient, monkeypatch: pytest.MonkeyPatch, secure: bool
) -> None:
    if loop.name.startswith("anyio"):
        pytest.skip("anyio's streams on asyncio read no bytes after a failed write")
    entered, sent, written = threading.Event(), threading.Event(), threading.Event()

    def send_and_leave(connection: socket.socket) -> None:
        peer = Acceptor(connection)
        assert entered.wait(TIMEOUT)
        peer.send(venue_message())
        sent.set()
        assert written.wait(TIMEOUT)

    def break_once_sent(send: Any) -> Any:
        def break_pipe(self: socket.socket, *args: Any) -> Any:
            if sent.is_set() and self.family is socket.AF_INET and self.getpeername()[1] == port:
                raise BrokenPipeError
            return send(self, *args)

        return break_pipe

    for kind in (socket.socket, ssl.SSLSocket):
        monkeypatch.setattr(kind, "send", break_once_sent(kind.send))

    with listening(send_and_leave, VALID_IDENTITY.ssl_context() if secure else None) as port:
        async with new_client(port=port, tls=TRUST if secure else Plaintext()) as client:
            # This blocks the event loop, so nothing is read before the order is written.
            entered.set()
            assert sent.wait(TIMEOUT)
            await client.send(order())
            written.set()
            events = await collect(client.events(TIMEOUT))
            assert [type(event) for event in events[-3:]] == [MessageReceived, OutcomesUnknown, SessionEnded]
            assert events[-3].message == venue_message()


async def test_a_logout_by_the_venue_is_reported(plaintext_client: NewClient) -> None:
    def log_out(peer: Acceptor) -> None:
        peer.log_out("maintenance")
        list(peer.received())

    with logged_on_peer(log_out) as port:
        async with plaintext_client(port=port) as client:
            assert (await wait_for_event(client, LogoutReceived)).text == "maintenance"
            with pytest.raises(SessionClosedError, match="maintenance"):
                await collect(client.messages(TIMEOUT))
            with pytest.raises(NotConnectedError, match="maintenance"):
                await client.send(order())
        assert client.ended.clean


# --- a venue that restarts while orders are open


def restart(sandbox: Sandbox, relay: Relay, session: str) -> None:
    """Restart the venue's server, which keeps its orders and the undelivered reports."""
    sandbox.server.__exit__(None, None, None)
    sandbox.server.__enter__()
    relay.retarget(sandbox.server.port("prediction", session))


async def test_without_resend_unknown_outcomes_are_reported(loop: Loop) -> None:
    with Sandbox((ME,)) as sandbox, relay_to(sandbox) as relay:
        async with make_client(loop, sandbox, port=relay.port, reconnect=SHORT_DELAY) as client:
            await place_order(client)
            relay.swallow("server")
            lost = order()
            await client.send(lost)
            assert [request.request_id for request in client.open_requests] == [lost.cl_ord_id]
            await loop.in_thread(lambda: relay.wait(lambda: relay.swallowed > 0))
            await loop.in_thread(lambda: restart(sandbox, relay, "KalshiNR"))
            relay.cut()
            relay.swallow()
            unknown = await wait_for_event(client, OutcomesUnknown)
            assert unknown.why is Uncertainty.CONNECTION_ENDED
            assert unknown.request_ids == (lost.cl_ord_id,)
            logged_on = await wait_for_event(client, LoggedOn)
            assert logged_on.reset
            assert await place_order(client) == 2
        assert client.ended.clean


@pytest.mark.parametrize("durable", [False, True], ids=["in memory", "on disk"])
async def test_with_resend_no_report_is_lost(loop: Loop, tmp_path: Path, durable: bool) -> None:
    async def reports_of(client: Any, cl_ord_id: str) -> list[MessageReceived]:
        found: list[MessageReceived] = []
        async for event in client.events(TIMEOUT):
            assert not isinstance(event, OutcomesUnknown)
            if isinstance(event, MessageReceived) and isinstance(event.message, ExecutionReport):
                if event.message.cl_ord_id == cl_ord_id:
                    found.append(event)
                if len(found) == 2:
                    break
        return found

    with Sandbox((ME,)) as sandbox, relay_to(sandbox, "KalshiRT") as relay:
        store: Any = tmp_path if durable else None
        own_client = partial(make_client, loop, sandbox, "KalshiRT", port=relay.port, store=store)
        async with own_client(reconnect=SHORT_DELAY) as client:
            number = await place_order(client)
            relay.swallow("server")
            unreported = order()
            assert await client.send(unreported) == number + 1
            await loop.in_thread(lambda: relay.wait(lambda: relay.swallowed > 0))
            await loop.in_thread(lambda: restart(sandbox, relay, "KalshiRT"))
            relay.cut()
            relay.swallow()
            logged_on = await wait_for_event(client, LoggedOn)
            assert not logged_on.reset
            assert logged_on.resend_expected
            assert logged_on.flags["use_dollars"]
            found = await reports_of(client, unreported.cl_ord_id)
            assert all(event.poss_dup for event in found)
            await place_order(client)
        if not durable:
            return
        # The next process continues the session of this one.
        async with own_client() as client:
            assert not client.logged_on.reset
            assert await place_order(client) > number + 2


# --- confirmation and redelivery


@pytest.mark.parametrize("how", ["next event requested", "context left", "exception raised"])
async def test_unconfirmed_messages_are_redelivered(stored_client: NewClient, how: str) -> None:
    """On a session with resend a message is confirmed once the next event is requested, or the context is
    left without an exception."""

    async def take_one(client: Any) -> int:
        async for event in client.events(TIMEOUT):
            if isinstance(event, MessageReceived):
                number = event.message.header.msg_seq_num
                assert isinstance(number, int)
                return number
        raise AssertionError("no message was received")

    taken = 0
    with contextlib.suppress(UserError):
        async with stored_client(reset_seq_num=True) as client:
            await client.send(order())
            taken = await take_one(client)
            if how == "next event requested":
                await client.receive(TIMEOUT)
            if how != "context left":
                raise UserError
    async with stored_client() as client:
        again = await take_one(client)
    assert again == (taken if how == "exception raised" else taken + 1)


@pytest.mark.parametrize("how", ["receive", "events", "messages"])
async def test_a_second_concurrent_receive_is_refused_and_confirms_nothing(
    loop: Loop, stored_client: NewClient, how: str
) -> None:
    """While another task or thread may still process a message, no other call may confirm it."""

    async def take(client: Any) -> Any:
        return await (client.receive(TIMEOUT) if how == "receive" else first(getattr(client, how)(TIMEOUT)))

    has_taken, refused = threading.Event(), threading.Event()
    number = 0

    async def take_and_wait() -> None:
        nonlocal number
        event = await wait_for_event(client, MessageReceived)
        number = event.message.header.msg_seq_num
        has_taken.set()
        await loop.wait_until_set(refused)

    with contextlib.suppress(RuntimeError):
        async with stored_client(reset_seq_num=True) as client:
            await client.send(order())
            async with loop.run_concurrently() as start:
                start(take_and_wait)
                await loop.wait_until_set(has_taken)
                with pytest.raises(LocalProtocolError, match="another thread or task has taken"):
                    await take(client)
                refused.set()
            raise RuntimeError
    async with stored_client() as client:
        again = await wait_for_event(client, MessageReceived)
        assert again.message.header.msg_seq_num == number


async def test_another_task_may_take_events_after_the_first_has_ended(
    loop: Loop, new_client: NewClient
) -> None:
    async with new_client() as client:
        for _ in range(3):
            placed = order()
            await client.send(placed)
            async with loop.run_concurrently() as start:
                start(as_function(wait_for_acknowledgement(client, placed.cl_ord_id)))


# --- losses and unknown outcomes while iterating over messages


async def test_iterating_over_messages_reports_unknown_outcomes(
    loop: Loop, new_client: NewClient, relay: Relay
) -> None:
    async with new_client(port=relay.port, reconnect=SHORT_DELAY) as client:
        relay.swallow("client")
        lost = order()
        await client.send(lost)
        await loop.in_thread(lambda: relay.wait(lambda: relay.swallowed > 0))
        relay.swallow()
        relay.cut()
        with pytest.raises(OutcomesUnknownError) as caught:
            await collect(client.messages(TIMEOUT))
        assert caught.value.request_ids == (lost.cl_ord_id,)
        assert caught.value.why is Uncertainty.CONNECTION_ENDED
        with pytest.raises(SessionInterruptedError):
            await collect(client.messages(TIMEOUT))
        await wait_for_event(client, LoggedOn)
        await place_order(client)


@pytest.mark.parametrize("next_is_requested", [False, True])
async def test_after_a_crash_iteration_reports_losses_until_they_are_confirmed(
    loop: Loop, new_client: NewClient, relay: Relay, tmp_path: Path, next_is_requested: bool
) -> None:
    lost, stored_client = order(), partial(new_client, port=relay.port, store=tmp_path)
    with contextlib.suppress(OutcomesUnknownError):
        # A process that dies here has not confirmed anything.
        async with stored_client() as client:
            relay.swallow("client")
            await client.send(lost)
            await loop.in_thread(lambda: relay.wait(lambda: relay.swallowed > 0))
            relay.cut()
            relay.swallow()
            await collect(client.messages(TIMEOUT))
    with contextlib.suppress(OutcomesUnknownError):
        async with stored_client() as client:
            with pytest.raises(OutcomesUnknownError) as caught:
                await collect(client.messages(TIMEOUT))
            assert caught.value.request_ids == (lost.cl_ord_id,)
            assert caught.value.why is Uncertainty.RESTARTED
            if not next_is_requested:
                raise caught.value
            assert await collect(client.messages(0)) == []
    async with stored_client() as client:
        if next_is_requested:
            assert await collect(client.messages(0)) == []
        else:
            with pytest.raises(OutcomesUnknownError):
                await collect(client.messages(TIMEOUT))


async def test_a_store_failure_during_send_raises_and_ends_the_session(
    new_client: NewClient,
) -> None:
    store = FailingStore()
    async with new_client(store=store, reconnect=NO_DELAY) as client:
        store.failing_method = "begin_commit"
        with pytest.raises(SendFailedError, match="nothing was sent") as caught:
            await client.send(order())
        assert not caught.value.may_have_been_sent
        ended = await wait_for_event(client, SessionEnded)
        assert ended.reason is CloseReason.STORE_FAILED
        with pytest.raises(NotConnectedError):
            await client.send(order())
        store.failing_method = None


# --- internal failures of a client


@pytest.mark.usefixtures("brief_heartbeats")
@pytest.mark.parametrize("method", ["receive", "wrote", "tick", "next_attempt", "connected", "disconnected"])
async def test_an_internal_error_is_raised_and_not_hidden(
    loop: Loop, new_client: NewClient, relay: Relay, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    fail = Mock(side_effect=ZeroDivisionError)
    why = r"failed internally \(ZeroDivisionError\)|interrupted halfway"
    async with new_client(port=relay.port, reconnect=NO_DELAY, heart_bt_int=MIN_HEART_BT_INT) as client:
        monkeypatch.setattr(ClientCore, method, fail)
        if method == "wrote":  # which of the two methods is called depends on the adapter
            monkeypatch.setattr(ClientCore, "flush", fail)
        if method in {"receive", "wrote"}:
            # A blocking client raises the exception unchanged in the calling thread, because it cannot
            # distinguish the exception from one raised by a signal handler.
            with contextlib.suppress(ZeroDivisionError):
                await client.send(order())
        elif method != "tick":
            relay.cut()
        with pytest.raises(SessionClosedError, match=why) as caught:  # noqa: PT012
            while True:
                with contextlib.suppress(ZeroDivisionError):
                    await client.receive(TIMEOUT)
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
        with pytest.raises(NotConnectedError, match=why):
            await client.send(order())
        # The venue notices that the connection is closed.
        await loop.in_thread(lambda: relay.wait(lambda: relay.closed == relay.opened))
