"""Ctrl-C in a thread that uses the blocking client, at every point where Python runs signal handlers.

After each interrupt the client either still works or reports in every call that it was interrupted. No lock
stays locked and no thread keeps running."""

from __future__ import annotations

import contextlib
import gc
import random
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kalshi_fix_adapters.blocking import Client, client, order_entry, shared_core, transport
from kalshi_fix_adapters.engine import client_core, sequence, user
from kalshi_fix_adapters.engine.connection import read_clocks
from kalshi_fix_adapters.engine.user import IterationEnded
from kalshi_fix_adapters.errors import GarbledReceivedError, NotConnectedError, SessionClosedError
from kalshi_fix_adapters.net import sleeper
from kalshi_fix_adapters.store_sqlite import lock, store
from kalshi_fix_adapters.store_sqlite.lock import FileLock
from kalshi_fix_sansio.errors import KalshiFixError, LocalProtocolError, StoreError
from kalshi_fix_sansio.events import MessageReceived
from kalshi_fix_sansio.trading import RateBudget, TokenLimits
from kalshi_fix_venue.testing import Sandbox
from tests.adapters.blocking.kit import next_of, options, trading
from tests.adapters.conformance.loops import TIMEOUT
from tests.adapters.conformance.support import order
from tests.adapters.engine.stage import report
from tests.adapters.interrupter import Interrupter
from tests.adapters.net.peers import Acceptor

FILES = {module.__file__ for module in (shared_core, transport, sleeper, client, user)}
OPENING_FILES = {module.__file__ for module in (client_core, sequence, store, lock)}
MAX_POINTS = 2_000
"""Upper bound on the number of points at which one call can be interrupted; every call has fewer."""


class Alarm(Exception):
    """Raised by a program's own signal handler, for example for a timeout."""


class Refused(SessionClosedError):
    """Raised by a signal handler. The client's own calls raise its base class, SessionClosedError."""

    def __init__(self) -> None:
        super().__init__("raised by a signal handler")


SIGNAL_ERRORS = (
    *(KeyboardInterrupt, Alarm, TimeoutError, ValueError, LookupError, TypeError, AttributeError),
    *(ArithmeticError, KalshiFixError, StoreError, LocalProtocolError, Refused, IterationEnded),
)
"""Exceptions that a signal handler may raise; the client treats them all alike."""


def assert_lock_is_free(client: Client, interrupted: str | None = None) -> None:
    """Assert that no thread holds a lock of the client."""
    shared = client._shared
    free: list[bool] = []

    def try_lock() -> None:
        free.append(shared.lock.acquire(timeout=TIMEOUT))
        if free[0]:
            shared.lock.release()

    in_a_thread(try_lock)
    assert free == [True], interrupted


def in_a_thread(function: Callable[[], object]) -> None:
    thread = threading.Thread(target=function)
    thread.start()
    thread.join(TIMEOUT)
    assert not thread.is_alive()


def still_works(client: Client) -> bool:
    """Return whether orders and reports still work; if not, calls must raise an error with the reason."""
    try:
        client.test_request(TIMEOUT)
    except NotConnectedError:
        with pytest.raises(SessionClosedError, match="interrupted halfway"):
            client.receive(TIMEOUT)
        return False
    # It is unknown which reports of the previous order were received.
    client.send(order())
    next_of(client, MessageReceived)
    client.test_request(TIMEOUT)
    list(client.events(0))
    return True


def trade(client: Client) -> None:
    """Send an order, and wait for both of its reports."""
    client.send(order())
    for _ in range(2):
        while not isinstance(client.receive(TIMEOUT), MessageReceived):
            pass


def trade_within_budget(client: Client) -> None:
    """Send an order that the rate budget delays by half a millisecond, and wait for both of its reports."""
    client.record_spending(20)
    trade(client)


COSTS: dict[str, Any] = {"use": 1.0, "cancel_reserve": 0.0, "costs": {"F": 2}, "default_cost": 10}
CALLS: dict[str, Callable[[Client], object]] = {
    "trade": trade,
    "trade within a budget": trade_within_budget,
    "test_request": lambda client: client.test_request(TIMEOUT),
    "receive nothing": lambda client: list(client.events(0)),
    "is_logged_on": lambda client: client.is_logged_on,
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("second_user", [False, True], ids=["one user", "two users"])
def test_an_interrupt_at_every_point_of_a_call(sandbox: Sandbox, name: str, second_user: bool) -> None:
    threads = set(threading.enumerate())
    usable = 0
    tight = TokenLimits(write_rate=20_000, write_capacity=20, read_rate=100, read_capacity=100)
    rates = RateBudget(tight, **COSTS) if CALLS[name] is trade_within_budget else None
    client = order_entry(**options(sandbox, budget=rates))
    client.open()
    for at in range(MAX_POINTS):
        other = threading.Thread(target=_send_test_request if second_user else bool, args=(client,))
        other.start()
        interrupter = Interrupter(at, FILES)
        try:
            with interrupter:
                CALLS[name](client)
        except KeyboardInterrupt:
            assert interrupter.where is not None
        other.join(TIMEOUT)
        assert not other.is_alive()
        assert_lock_is_free(client, interrupter.where)
        if still_works(client):
            usable += 1
        else:
            client.logout()
            client.open()
        if interrupter.where is None:
            break
    client.logout()
    assert threads.issuperset(threading.enumerate())
    assert usable
    assert at > 1


def next_event(client: Client) -> str | None:
    event = client.receive(TIMEOUT)
    return event.message.cl_ord_id if isinstance(event, MessageReceived) else type(event).__name__  # type: ignore[attr-defined]


def next_message(client: Client) -> str | None:
    try:
        return next(client.messages(TIMEOUT)).cl_ord_id  # type: ignore[attr-defined,no-any-return]
    except GarbledReceivedError:
        return "GarbledReceived"


@pytest.mark.parametrize("take", [next_event, next_message])
@pytest.mark.parametrize("error", SIGNAL_ERRORS)
def test_an_event_lost_to_an_interrupt_is_redelivered(
    sandbox: Sandbox, take: Callable[[Client], str | None], error: type[BaseException]
) -> None:
    def send_garbage_and_report(peer: Acceptor) -> None:
        peer.session.send(report("1"), read_clocks())
        peer.connection.sendall(b"garbage" + peer.session.data_to_send())

    at, usable, interrupted = 0, 0, True
    while interrupted:
        with trading(sandbox) as (client, driver):
            while interrupted:
                driver.requests.put(send_garbage_and_report)
                seen: list[str | None] = []
                interrupter = Interrupter(at, FILES | {client_core.__file__}, error)
                with contextlib.suppress(error, SessionClosedError, StopIteration), interrupter:
                    seen.append(take(client))
                # Iterating over a client that is already closed ends at once, so there was nothing to
                # interrupt.
                at, interrupted = at + 1, interrupter.where is not None or not seen
                try:
                    while "1" not in seen:
                        seen.append(take(client))
                except SessionClosedError:  # the core was interrupted while it changed its state
                    break
                if "SessionEnded" in seen:  # the interrupt was treated as an exception from the signer
                    break
                assert seen == ["GarbledReceived", "1"], interrupter.where
                usable += 1
    assert usable > 1


# If the interrupt prevents an assignment, the garbage collector closes the object.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_an_interrupt_at_every_point_of_opening(sandbox: Sandbox, tmp_path: Path) -> None:
    """After a failed `open` another client can open the store at once."""
    threads, interrupted = set(threading.enumerate()), []
    for at in range(MAX_POINTS):
        # Reset the sequence numbers, because other tests have used this key.
        chosen = options(sandbox, "KalshiRT", store=tmp_path, reset_seq_num=True)
        client = order_entry(retransmission=True, **chosen)
        interrupter = Interrupter(at, FILES | OPENING_FILES)
        with contextlib.suppress(KeyboardInterrupt), interrupter:
            client.open()
        if interrupter.where is None:
            client.logout()
            break
        interrupted.append(interrupter.where)
        assert_lock_is_free(client, interrupter.where)
        for lock_file in tmp_path.rglob("*.lock"):
            FileLock(lock_file.with_suffix("")).release()
    # `close` waits for the last commit only; the thread for commits ends a little later.
    for thread in set(threading.enumerate()) - threads:
        thread.join(TIMEOUT)
        assert not thread.is_alive()
    assert {where.split(":")[0] for where in interrupted} >= {
        *("ClientCore.begin", "SequenceState.open", "SharedCore.open", "Client._start", "Client.open"),
    }


@pytest.mark.parametrize("late", [False, True], ids=["started", "not yet started"])
def test_an_interrupt_while_the_thread_is_starting(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    start, kept = threading.Thread.start, []

    def start_and_interrupt(thread: threading.Thread) -> None:
        if thread.name != "kalshi-fix":
            start(thread)
            return
        kept.append(thread)
        if not late:
            start(thread)
        raise KeyboardInterrupt

    client = order_entry(**options(sandbox))
    monkeypatch.setattr(threading.Thread, "start", start_and_interrupt)
    with pytest.raises(KeyboardInterrupt):
        client.open()
    monkeypatch.undo()
    with client:
        [thread] = kept
        if late:
            thread.start()
        thread.join(TIMEOUT)
        assert not thread.is_alive()
        client.send(order())
        next_of(client, MessageReceived)


def is_coverage_active() -> bool:
    """Return whether coverage.py is active: an interrupt inside it leaves a lock of coverage.py held."""
    coverage = sys.modules.get("coverage")
    return coverage is not None and coverage.Coverage.current() is not None


@pytest.mark.skipif(is_coverage_active(), reason="the signals would interrupt coverage.py too")
def test_hundreds_of_signals_leave_the_client_usable(sandbox: Sandbox) -> None:
    rng = random.Random(7)
    old = signal.signal(signal.SIGALRM, signal.default_int_handler)
    usable = dropped = 0
    client = order_entry(**options(sandbox))
    client.open()
    # Python ignores exceptions that a signal handler raises in a `__del__` during garbage collection.
    # asyncio's transports have this method: the venue in this process leaves transports behind, and any
    # thread may collect them.
    gc.disable()
    try:
        for _ in range(300):
            try:
                signal.setitimer(signal.ITIMER_REAL, rng.uniform(0.000_05, 0.005))
                while True:
                    trade(client)
            except KeyboardInterrupt:
                pass
            assert_lock_is_free(client)
            if still_works(client):
                usable += 1
            else:
                dropped += 1
                client.logout()
                client.open()
    finally:
        gc.enable()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
        client.logout()
    assert usable
    assert dropped


def _send_test_request(client: Client) -> None:
    with contextlib.suppress(NotConnectedError):
        client.test_request(TIMEOUT)
