"""The core and the connection of a client, protected by one lock, and shared by the I/O thread and the user's
threads.

The I/O thread (`io_thread`) connects, runs timers and closes. It reads when no call has read for a while. Of
the user's threads that wait (`wait`), one reads (the reader), and the others sleep until `notify` is called.
A user's thread writes the messages that it sends (`change`). If they must become durable first, the store's
thread writes them (`write_committed`). In both cases the operating system has the bytes when `send` returns.

Ctrl-C, or any exception raised by a signal handler, may interrupt a user's thread anywhere. An interrupt in
the middle of a change leaves the core or the stream inconsistent. Therefore `core.changing` is set during a
change, and a thread that later finds it set ends the client rather than continue with sequence numbers that
may be wrong. No thread sleeps in the middle of a change.

A signal handler may raise any exception, so the class of an exception does not show whether it is an
interrupt. If `core.changing` is still set afterwards, the exception has interrupted a change. Otherwise the
client is unchanged, and `wait` puts back the event that the call had taken.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn, ParamSpec, TypeVar

from kalshi_fix_adapters.config.plan import ConnectionPlan
from kalshi_fix_adapters.engine.client_core import ClientCore
from kalshi_fix_adapters.errors import SessionClosedError
from kalshi_fix_adapters.net.sleeper import READ, READY, WRITE, Sleeper, make_sleeper
from kalshi_fix_adapters.observe.locks import Lock, ReentrantLock

if TYPE_CHECKING:
    from kalshi_fix_adapters.blocking.transport import Transport

_READS_PER_CALL = 8
"""Maximum number of consecutive reads. After them, the thread runs timers and writes, because a venue that
sends without a pause must not delay heartbeats.
"""
_PAUSE_AFTER_READ = 0.25
"""Seconds for which the I/O thread does not read after a call has read. Example: a program waits for a
message, sends an order and waits again. If the I/O thread read the report, that thread would wake on another
processor, and the program would have to wait for it. The time from tick to order would be 183 instead of 151
µs.
"""
P = ParamSpec("P")
T = TypeVar("T")
_INTERRUPTED_TEXT = (
    "a call was interrupted halfway, so the connection was dropped; reconcile the last messages"
)
_FORKED_TEXT = "this process was forked from the one that has the connection; create another client here"


class _WaitingCall:
    """A waiting call, which may become the call that reads."""

    __slots__ = ("is_sleeping", "listener", "lock")

    def __init__(self) -> None:
        self.lock = Lock()
        """Locked until the call ends. The call locks it in a `with` statement, so that an interrupt at any
        point releases it.
        """
        self.listener: Sleeper | None = None
        """The sleeper in which the call waits until the socket is readable or the call is notified."""
        self.is_sleeping = False
        """Whether the call sleeps, or is about to sleep, and must be woken by `notify`."""


class SharedCore:
    """The core and the connection of one client. The caller of any method except `wait`, `wake`,
    `write_committed` and `after_fork_in_child` must hold `lock`.
    """

    def __init__(self, plan: ConnectionPlan) -> None:
        self.core: ClientCore = ClientCore(
            plan,
            wake=self.wake,
            on_commit=self.write_committed,
            current_task=threading.get_ident,
            has_ended=_has_ended,
        )
        self.lock: ReentrantLock = ReentrantLock()
        self.store_lock: threading.Lock = Lock()
        """Held while the store is opened or closed; always acquired before `lock`."""
        self._interrupted_by: BaseException | None = None
        """The exception that interrupted a change to the core (`core.changing`)."""
        self.forked: bool = False
        """Whether this is the copy in a forked child, which has no I/O thread. The parent's client
        continues.
        """
        self._transport: Transport | None = None
        """The connection, between `attach` and `detach`."""
        self._write: Callable[[bytearray], int] | None = None
        """The connection's `write`, bound once because every `send` calls it."""
        self.sleeper: Sleeper = make_sleeper()
        """Lets the I/O thread sleep until the socket is ready, a deadline is reached, or a user's call wakes
        it.
        """
        self._due: float | None = None
        """The core's next deadline at the last call of `prepare`, in monotonic time; None if there was none.
        The I/O thread's current sleep ends at this time at the latest.
        """
        self._last_read: float = 0.0
        """Monotonic time at which a call last read."""
        self._waiters: set[threading.Lock] = set()
        """One lock for each waiting call except the reader. The call sleeps by acquiring the lock a second
        time.
        """
        self._reader: _WaitingCall | None = None
        """The waiting call that reads. After an interrupt it may be a call that has ended."""
        self._listener: Sleeper | None = None
        """The sleeper in which the reader waits; None while there is no I/O thread, or if the system does not
        support a reader.
        """
        # Closed until `open` is called. `wake` may be called earlier; it has no effect on a closed sleeper.
        self.close()
        _all_cores.add(self)

    def open(self) -> None:
        """Prepare for a new I/O thread."""
        self.core.changing = self.forked = False
        self._interrupted_by = None
        self.sleeper = make_sleeper()
        self._listener = make_sleeper() if self.sleeper.can_watch_in_sleep else None

    def close(self) -> None:
        """Record that the I/O thread has ended, and wake all waiting calls."""
        self.sleeper.close()
        self.notify()
        listener, self._listener = self._listener, None
        # If a reader may still be sleeping in the listener, the reader closes it in `_stop_reading`.
        if listener is not None and not self._has_reader():
            listener.close()

    def after_fork_in_child(self) -> None:
        """In a forked child, leave the connection to the parent, regardless of the state of the parent's
        threads.
        """
        # The old locks may be held by threads of the parent, which do not exist in the child.
        self.lock = ReentrantLock()
        self.store_lock = Lock()
        self.core.changing = self.forked = True
        if self._transport is not None:
            # Closed without a TLS close_notify, which would end the parent's connection.
            self._transport.abort()
            self._transport = self._write = None
        self._waiters.clear()
        self._reader = None
        self.close()

    def wake(self) -> None:
        """Wake the I/O thread."""
        self.sleeper.wake()

    def notify(self) -> None:
        """Wake all waiting calls; each checks its own condition."""
        for each in self._waiters:
            # An interrupted call of `notify` may have released some of the locks, and releasing a lock twice
            # raises an exception.
            if each.locked():
                each.release()
        # A call that must continue to wait adds a new lock.
        self._waiters.clear()
        reader = self._reader
        if reader is not None and reader.is_sleeping and reader.listener is not None:
            # The order matters: an interrupt between these lines only repeats the notification.
            reader.listener.wake()
            reader.is_sleeping = False

    def write_committed(self) -> None:
        """Write the messages that have become durable; called in the store's thread.

        Waking the I/O thread to write them would delay every message.
        """
        with self.lock:
            core = self.core
            if not core.changing:
                try:
                    self.change(core.store_changed)
                except BaseException as error:  # noqa: BLE001 - it is raised again in the user's calls
                    # Signal handlers run only in the main thread, so this is an internal error rather than an
                    # interrupt.
                    core.record_failure(error)
                    core.changing = False
                    self.wake()
                self.notify()

    # Changes that must complete or end the client

    def change(self, act: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function that changes the core, and then write the core's output. An interrupt while it runs
        ends the client.

        If the function raises without having changed the core, it must clear `core.changing` first. A
        function that takes an event from the core must be passed to `wait` instead. This method also writes,
        and if writing failed, the event would be lost.
        """
        core = self.core
        core.changing = True
        try:
            result = act(*args, **kwargs)
            if core.output and self._write is not None:
                core.flush(self._write)
            self._wake_if_needed()
        except BaseException as error:
            # The I/O thread, which is woken below, finds `changing` set and ends the connection. If a message
            # already has a MsgSeqNum, it may have been sent, so this client must not send it again.
            if core.changing:
                self._interrupted_by = error
                self.wake()
            raise
        core.changing = False
        return result

    def _wake_if_needed(self) -> None:
        """Wake the I/O thread if it has work: bytes to write when the socket is writable, a deadline before
        the end of its sleep (such as that of a Logout), or a finished connection to close.
        """
        core = self.core
        due = core.due()
        if (
            core.output
            or (due is not None and (self._due is None or due < self._due))
            or (not core.wants_read and core.must_close)
        ):
            self.wake()

    def raise_interrupted(self, kind: type[SessionClosedError]) -> NoReturn:
        """Wake the I/O thread, which ends the client, and raise the error for an interrupted change or a
        forked process.
        """
        self.wake()
        raise kind(_FORKED_TEXT if self.forked else _INTERRUPTED_TEXT) from self._interrupted_by

    # The connection

    def attach(self, transport: Transport) -> None:
        """Start using a connection."""
        self.core.connected()
        self._transport, self._write = transport, transport.write
        self._last_read = 0.0
        if self._listener is not None:
            self._listener.watch(transport.descriptor, READ)

    def detach(self) -> None:
        """Stop using the connection, which is about to be closed."""
        if self._transport is not None:
            # Stop watching before the socket is closed. The system may reuse its file descriptor, and the
            # sleepers would then watch another file.
            for sleeper in (self.sleeper, self._listener):
                if sleeper is not None:
                    sleeper.watch(self._transport.descriptor, 0)
            self._transport = self._write = None

    def prepare(self, transport: Transport) -> float | None:
        """Set the events that end the sleep before the next call to `run_io`; return the number of seconds to
        sleep, None for no limit.
        """
        core = self.core
        now = time.monotonic()
        due = self._due = core.due()
        end = None if due is None else max(due, now)
        reading = core.wants_read
        interest = READ if reading else 0
        has_reader = self._has_reader()
        # This thread must read at once if calls wait without a reader, or if `logout` waits for this thread
        # to end.
        if reading and (has_reader or not (self._waiters or core.logging_out)):
            pause_until = (now if has_reader else self._last_read) + _PAUSE_AFTER_READ
            if pause_until > now:
                interest = 0
                end = pause_until if end is None else min(end, pause_until)
        # Watch for writing only if a write will follow. A socket is nearly always writable, so the thread
        # would otherwise spin. No write follows while TLS must read before it can write
        # (`write_wants_read`).
        if (reading and transport.read_wants_write) or (core.output and not transport.write_wants_read):
            interest |= WRITE
        self.sleeper.watch(transport.descriptor, interest)
        # Data inside the TLS layer does not make the socket readable, so do not sleep.
        if reading and transport.unread:
            return 0.0
        return None if end is None else end - now

    def is_due(self) -> bool:
        """Return whether the deadline recorded by `prepare` has been reached."""
        return self._due is not None and self._due <= time.monotonic()

    def run_io(self, transport: Transport, *, ready: bool) -> bool:
        """Read if the socket is `ready`, run timers and write; return whether the connection continues."""
        core = self.core
        if not core.changing:
            try:
                self._move_bytes(transport, ready=ready)
            except BaseException as error:  # noqa: BLE001 - it is raised again in the user's calls
                # As in `write_committed`: an internal error, not an interrupt.
                core.record_failure(error)
                core.changing = False
        return not (core.changing or core.must_close)

    def _move_bytes(self, transport: Transport, *, ready: bool) -> None:
        core = self.core
        # If an exception occurs before the last line, this stays set, because bytes may have been read from
        # the socket but not passed to the core.
        core.changing = True
        is_due = self.is_due()
        # Read before timers run, because received bytes show that the peer is not silent.
        if ready or is_due or transport.unread:
            for _ in range(_READS_PER_CALL):
                if not core.wants_read or (data := transport.read()) is None:
                    break
                core.receive(data)
                if not transport.unread:
                    break
        if is_due:
            core.tick()
        if core.output:
            core.flush(transport.write)
        core.changing = False

    # Waiting calls

    def wait(
        self,
        poll: Callable[[], T],
        timeout: float | None,
        error: type[SessionClosedError] = SessionClosedError,
    ) -> T | None:
        """Call `poll` whenever its result may have changed, until the result is not None. Return the result,
        or None after `timeout` seconds. Exceptions raised by `poll` propagate.

        `poll` is called with the lock held and may change the core. An interrupt in the middle of a change
        ends the client. After any other exception, an event that `poll` has taken is put back. So if `poll`
        converts an event to an error, it must return the error, and the caller must raise it.

        Raises:
            SessionClosedError: (or the subclass `error`) an interrupt has ended the client, or this process
                was forked from the one that has the connection.
        """
        core = self.core
        deadline = None if timeout is None else time.monotonic() + timeout
        has_time = timeout is None or timeout > 0
        last_taken, call, ready = core.last_taken, _WaitingCall(), False
        try:
            with call.lock:
                while True:
                    with self.lock:
                        if self.core.changing:
                            self.raise_interrupted(error)
                        call.is_sleeping = False
                        try:
                            if ready:
                                self._read_now()
                            # `poll` may take an event, or send a message.
                            result = poll()
                            if result is None and not has_time:
                                self._read_now()
                                result = poll()
                            if result is not None or not has_time:
                                self._stop_reading(call)
                                return result
                            waiter = self._begin_waiting(call)
                        finally:
                            # If a change was interrupted, the I/O thread must end the client.
                            if core.changing:
                                self.wake()
                    ready, has_time = self._sleep(call if waiter is None else waiter, deadline)
        except BaseException as raised:
            # The exception may be an interrupt during the release of the lock, after `poll` has returned. An
            # event taken by `poll` has then not reached the caller, and is put back.
            with self.lock:
                self._stop_reading(call)
                self.wake()
                if not core.changing:
                    core.put_back(last_taken)
                elif not isinstance(raised, error):
                    self._interrupted_by = raised
            raise

    def _has_reader(self) -> bool:
        return self._reader is not None and self._reader.lock.locked()

    def _begin_waiting(self, call: _WaitingCall) -> threading.Lock | None:
        """Let a call read while it waits, if no other call does, and return None. Otherwise return a lock;
        acquiring it blocks until `notify` releases it.

        Waking a second thread for each message would take longer than decoding it
        (docs/design/where-time-goes.md), so the I/O thread does not read while a call does.
        """
        core, transport = self.core, self._transport
        if (
            transport is not None
            and self._listener is not None
            and core.wants_read
            # Calls do not read during a logon. An exception raised while a call reads is treated as an
            # interrupt, but during a logon it may also be an ordinary failure.
            and core.is_logged_on
            and not transport.read_wants_write
            and (self._reader is call or not self._has_reader())
        ):
            if self._reader is not call:
                self._reader, call.listener = call, self._listener
                self._stop_io_thread_reading()
            call.is_sleeping = True
            return None
        self._stop_reading(call)
        if core.wants_read and not self._has_reader() and not self.sleeper.interest & READ:
            # No call reads, so the I/O thread must read.
            self.wake()
        # Acquired here, and again in `_sleep` to wait. If `notify` releases it in between, the call does not
        # wait.
        waiter = threading.Lock()
        waiter.acquire()
        self._waiters.add(waiter)
        return waiter

    def _stop_reading(self, call: _WaitingCall) -> None:
        """If this call is the reader, make it stop reading. Another call then takes over or, after a while,
        the I/O thread does.
        """
        if self._reader is not call:
            return
        self._reader = None
        if call.listener is not self._listener:
            assert call.listener is not None  # noqa: S101 - for mypy
            call.listener.close()
        if self._waiters:
            self.notify()

    def _stop_io_thread_reading(self) -> None:
        """Let the I/O thread stop watching the socket, because a call reads."""
        if self.sleeper.interest & READ:
            self.wake()  # The I/O thread then calls `prepare`, which stops watching.

    def _read_now(self) -> None:
        """Read available data in the calling thread. The reader does this when the socket is readable, and
        every call when its timeout has expired: a program that only polls (`timeout=0`) may leave the I/O
        thread no time to run.
        """
        transport = self._transport
        if transport is not None and self.core.wants_read:
            self._last_read = time.monotonic()
            self._stop_io_thread_reading()
            self._move_bytes(transport, ready=True)
            # Neither data inside the TLS layer nor a write that TLS requires wakes the I/O thread.
            if transport.unread or transport.read_wants_write:
                self.wake()
            self._wake_if_needed()
            self.notify()

    def _sleep(self, wait_on: _WaitingCall | threading.Lock, deadline: float | None) -> tuple[bool, bool]:
        """Wait for a notification or, as the reader, until the socket is readable. Return two values: whether
        the socket is readable, and whether there is still time before the deadline.
        """
        remaining = None if deadline is None else max(0.0, deadline - time.monotonic())
        if isinstance(wait_on, _WaitingCall):
            assert wait_on.listener is not None  # noqa: S101 - for mypy
            events = wait_on.listener.sleep(remaining)
            return bool(events & READY), bool(events) or deadline is None or time.monotonic() < deadline
        # A lock accepts no timeout longer than TIMEOUT_MAX, but a user may pass one.
        if wait_on.acquire(timeout=-1.0 if remaining is None else min(remaining, threading.TIMEOUT_MAX)):
            return False, True
        with self.lock:
            self._waiters.discard(wait_on)
        return False, False


def _has_ended(thread: int) -> bool:
    return all(each.ident != thread for each in threading.enumerate())


_all_cores: weakref.WeakSet[SharedCore] = weakref.WeakSet()
"""All shared cores of this process. The references are weak, so that unused clients can be freed."""


def _after_fork_in_child() -> None:
    for each in list(_all_cores):
        each.after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
