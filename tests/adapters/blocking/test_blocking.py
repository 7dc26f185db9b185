"""Behaviour that only the blocking client has: its own thread, users in several threads, interrupts at any
point.

The behaviour that all clients share is tested in `conformance`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from unittest.mock import Mock

import pytest

from kalshi_fix_adapters.blocking import Client, market_data, order_entry
from kalshi_fix_adapters.engine.client_core import ClientCore
from kalshi_fix_adapters.errors import ConnectionFailedError, NotConnectedError, SessionClosedError
from kalshi_fix_adapters.events import Disconnected, Resubscribed
from kalshi_fix_sansio import (
    ExecType,
    MarketDataRequest,
    MarketDataSnapshotFullRefresh,
    MDReqSymbol,
)
from kalshi_fix_sansio.errors import StoreError
from kalshi_fix_sansio.events import LoggedOn, MessageReceived
from kalshi_fix_sansio.session import MemoryStore
from kalshi_fix_venue.testing import Sandbox
from tests.adapters.blocking.kit import next_of, options
from tests.adapters.conformance.loops import TIMEOUT
from tests.adapters.conformance.support import SYMBOL, UserError, order
from tests.adapters.conftest import ME
from tests.adapters.net.peers import unused_port

# --- threads


def client_threads() -> int:
    """Return the number of client threads; threads left over from other tests may end at any time."""
    return sum(thread.name == "kalshi-fix" for thread in threading.enumerate())


def test_each_client_has_one_thread_which_ends_with_it(sandbox: Sandbox) -> None:
    before = client_threads()
    client = order_entry(**options(sandbox))
    assert client_threads() == before
    for _ in range(3):
        with client:
            assert client_threads() == before + 1
        assert client_threads() == before


def test_a_first_connection_that_fails_leaves_no_thread(sandbox: Sandbox) -> None:
    before = client_threads()
    with pytest.raises(ConnectionFailedError):
        order_entry(**options(sandbox, port=unused_port())).open()
    assert client_threads() == before


# --- without a context manager


def test_without_a_context_manager_logout_confirms_the_received_messages(sandbox: Sandbox) -> None:
    store = MemoryStore()
    client = order_entry(retransmission=True, **options(sandbox, "KalshiRT", store=store, reset_seq_num=True))
    client.open()
    client.send(order())
    for event in client.events(TIMEOUT):
        if isinstance(event, MessageReceived) and event.message.exec_type == ExecType.NEW:  # type: ignore[attr-defined]
            break
    assert store.next_incoming == 3
    client.logout()
    assert store.next_incoming > 3


# --- interrupted users


INTERRUPT = Mock(side_effect=KeyboardInterrupt)
CALLS: dict[str, Callable[[Client], object]] = {
    "send": lambda client: client.send(order()),
    "test_request": lambda client: client.test_request(),
    "_confirm": lambda client: client.receive(TIMEOUT),
    "stop_reconnecting": lambda client: client.stop_reconnecting(),
}


@pytest.mark.parametrize("name", CALLS)
def test_an_interrupt_in_the_middle_of_a_call_drops_the_connection(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    client = order_entry(**options(sandbox))
    with client:
        assert client._thread is not None
        thread = client._thread._thread
        next_of(client, LoggedOn)
        with monkeypatch.context() as patch:
            patch.setattr(client._core, name, INTERRUPT)
            with pytest.raises(KeyboardInterrupt):
                CALLS[name](client)
        thread.join(TIMEOUT)
        assert not thread.is_alive()
        for use in (lambda: client.receive(TIMEOUT), lambda: list(client.messages(TIMEOUT))):
            with pytest.raises(SessionClosedError, match="interrupted halfway"):
                use()
        for send in (lambda: client.send(order()), client.test_request):
            with pytest.raises(NotConnectedError, match="interrupted halfway"):
                send()
    # The client can be opened again, with matching sequence numbers.
    with client:
        assert client.send(order()) == 2


def test_an_interrupt_while_waiting_changes_nothing(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with order_entry(**options(sandbox)) as client:
        list(client.events(0))
        with monkeypatch.context() as patch:
            patch.setattr(client._shared, "_sleep", INTERRUPT)
            # The venue may have answered before the first check.
            patch.setattr(client, "_round_trip", lambda _: None)
            for use in (client.receive, client.test_request):
                with pytest.raises(KeyboardInterrupt):
                    use()
        assert client.send(order()) > 2
        next_of(client, MessageReceived)


def test_an_interrupt_while_waiting_for_the_logout_ends_the_wait(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with order_entry(**options(sandbox)) as client:
        with monkeypatch.context() as patch:
            patch.setattr(client, "_join", INTERRUPT)
            with pytest.raises(KeyboardInterrupt):
                client.logout()
        assert client._join(TIMEOUT)


# --- failures of the thread


def test_a_failure_during_the_logon_reaches_the_user(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ClientCore, "receive", Mock(side_effect=UserError))
    with pytest.raises(SessionClosedError, match="UserError"):
        order_entry(**options(sandbox)).open()


@pytest.mark.parametrize("error", [None, UserError])
def test_an_error_while_closing_the_store_is_raised_unless_the_user_raised_one(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, error: type[Exception] | None
) -> None:
    client = order_entry(**options(sandbox))
    with pytest.raises(StoreError if error is None else error), client:  # noqa: PT012
        monkeypatch.setattr(client._core.sequence, "close", Mock(side_effect=StoreError("the disk is full")))
        if error is not None:
            raise error


# --- reconnects


def test_a_market_data_client_is_subscribed_again_after_a_reconnect() -> None:
    expected = MarketDataRequest(subscription_request_type="1", related_sym=[MDReqSymbol(symbol=SYMBOL)])
    with Sandbox((ME,)) as sandbox, market_data(**options(sandbox, "KalshiMD")) as client:
        client.send(expected)
        assert isinstance(next(client.messages(TIMEOUT)), MarketDataSnapshotFullRefresh)
        with sandbox.server.down():
            next_of(client, Disconnected)
        assert next_of(client, Resubscribed).request == expected
        snapshot = next(client.messages(TIMEOUT))
        assert isinstance(snapshot, MarketDataSnapshotFullRefresh)
        assert snapshot.symbol == SYMBOL
        assert snapshot.md_entries
