"""The base class of the adapters through which `AsyncClient` uses an event loop.

docs/write-an-adapter.md is a tutorial. Durations in the comments of the adapters for asyncio and trio were
measured with CPython 3.11 on one machine, on which an iteration of either loop takes about 3 µs.
"""

from __future__ import annotations

import inspect
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

from kalshi_fix_adapters.config.factories import Factories
from kalshi_fix_adapters.config.plan import ConnectionPlan
from kalshi_fix_adapters.engine.attempts import Attempt
from kalshi_fix_adapters.engine.client_core import ClientCore
from kalshi_fix_sansio.errors import KalshiFixError

__all__ = ["CHUNK", "CLOSE_TIMEOUT", "AsyncAdapter", "Attempt", "Factories", "Notifier"]

CHUNK = 64 * 1024
"""Maximum number of bytes to read or write at once."""
CLOSE_TIMEOUT = 2.0
"""Seconds that closing a transport may take before it is aborted."""
T = TypeVar("T")


class Notifier(ABC):
    """Wakes waiting tasks. It has no memory: a task that begins to wait after a `notify` waits for the next
    `notify`.
    """

    @abstractmethod
    def notify(self) -> None:
        """Wake all waiting tasks. This is called often, so it should return at once if no task waits."""

    @abstractmethod
    async def wait(self, seconds: float | None) -> bool:
        """Wait until notified, or for `seconds` (not at all if negative); return whether it was notified.

        In both cases other tasks have run in the meantime.
        """


class AsyncAdapter(ABC):
    """Moves the bytes of a client in one event loop. All methods are called in that loop, unless documented
    otherwise.
    """

    def __init__(self, plan: ConnectionPlan) -> None:
        self.core: ClientCore = ClientCore(
            plan,
            wake=self.wake,
            on_commit=self.schedule_committed,
            current_task=self.current_task,
            has_ended=self.has_ended,
        )
        self.users: Notifier = self.notifier()
        """Notified when a user's call may be able to continue, for example after an event or the logon."""
        self.output: Notifier = self.notifier()
        """Notified when there is output to write."""
        self.changes: Notifier = self.notifier()
        """Notified of other changes that concern the adapter's tasks: a deadline has become earlier, reading
        resumes, or the client ends.
        """
        self.before_call_due: float = 0.0
        """Monotonic time until which users' calls skip `before_call`. Set by an adapter that needs
        `before_call` only from time to time, so that most calls run no additional coroutine.
        """
        self.has_after_call: bool = type(self).after_call is not AsyncAdapter.after_call
        """Whether the adapter overrides `after_call`. If not, calls skip it, because it would do nothing."""
        self._timer_at: float | None = None
        """Monotonic time until which `run_timers` waits; None for no limit."""

    # Implemented for each loop

    connection_errors: tuple[type[Exception], ...] = ()
    """Exceptions that the loop's streams raise when the connection is lost."""
    notifier: type[Notifier]
    """The class that wakes waiting tasks in this loop."""

    @abstractmethod
    async def before_call(self) -> None:
        """Raise a pending cancellation at the start of a user's call, in every call or from time to time.
        Other tasks may run in the meantime.
        """

    async def after_call(self) -> None:  # noqa: B027 - not needed in every loop
        """Yield to other tasks after a user's call that succeeded without waiting, if the loop's conventions
        require it. A cancellation must not take effect here, because the result must reach the user.
        """

    @staticmethod
    @abstractmethod
    def current_task() -> object:
        """Return an object that identifies the running task and no other task."""

    @staticmethod
    def has_ended(task: Any) -> bool:
        """Return whether a task has ended. This implementation checks the task's attribute `coro`."""
        return inspect.getcoroutinestate(task.coro) == inspect.CORO_CLOSED

    @abstractmethod
    def capture_loop(self) -> None:
        """Store the running loop for `schedule_committed`."""

    @abstractmethod
    def schedule_committed(self) -> None:
        """Schedule a call to `committed` in the loop. May be called in any thread, and has no effect if the
        loop is not running.
        """

    @abstractmethod
    async def wait_shielded(self, ready: Callable[[], T | None]) -> T | None:
        """Wait as `wait` does, without a timeout. A cancellation takes effect only afterwards, because the
        awaited operation (a commit, or the opening of the store) cannot be cancelled.
        """

    @abstractmethod
    def give_up(self) -> None:
        """Cancel the current connection attempt, if any."""

    @abstractmethod
    async def start(self) -> None:
        """Call `capture_loop`, and start a task that executes `run`."""

    @abstractmethod
    async def finish(self) -> None:
        """Wait until the task that `start` started has ended. If this call is cancelled, end the task
        promptly if possible, but still wait for it.
        """

    async def enter(self) -> None:  # noqa: B027
        """Prepare the client. Called when the client's context is entered, before `start`."""

    async def exit(self) -> None:  # noqa: B027
        """Clean up. Called when the client's context is exited, after `finish`."""

    @abstractmethod
    async def connect(self, attempt: Attempt) -> None:
        """Make one connection, and move its bytes until `core.must_close`.

        Call `core.connected` first and `core.disconnected` at the end, or raise a KalshiFixError if the
        connection cannot be made.
        """

    def flush(self) -> None:
        """Write `core.output`, or wake the task that writes it, after a call by the user has added to it."""
        self.notify_tasks()

    # For use by adapters

    def committed(self) -> None:
        """Write the messages that have become durable in the store."""
        try:
            self.core.store_changed()
        except Exception as error:  # noqa: BLE001 - it is raised again in the user's task
            self.core.record_failure(error)
        self.flush()
        self.notify_tasks()
        self.users.notify()

    def wake(self) -> None:
        """Wake all waiting calls and tasks. The core calls this after a call by the user."""
        self.users.notify()
        self.output.notify()
        self.changes.notify()
        if self.core.logging_out:
            self.give_up()

    def notify_tasks(self) -> None:
        """Wake the adapter's tasks that a call to the core may affect.

        Usually no task needs to be woken: after a message was received or sent, the output has already been
        written, and the deadline is later than before.
        """
        core = self.core
        if core.output:
            self.output.notify()
        due = core.due()
        if (not core.wants_read and core.must_close) or (
            due is not None and (self._timer_at is None or due < self._timer_at)
        ):
            self.changes.notify()

    async def call_blocking(self, function: Callable[[], object]) -> None:
        """Call a method of the core. If it may wait for a disk or a database, call it in a thread, and let a
        cancellation take effect afterwards.
        """
        if not self.core.may_wait:
            function()
            return
        errors = self._call_in_thread(function)
        await self.wait_shielded(lambda: errors or None)
        if errors[0] is not None:
            raise errors[0]

    async def sleep(self, seconds: float) -> None:
        """Wait for a number of seconds, even if no task of the adapter runs. A cancellation ends the wait."""
        # Sleep in a thread, because in some loops `users.wait` needs the adapter's tasks for its timers.
        errors = self._call_in_thread(partial(time.sleep, seconds))
        await self.wait(lambda: errors or None, None)

    def _call_in_thread(self, function: Callable[[], object]) -> list[BaseException | None]:
        """Call a function in a thread, and notify `users` afterwards. The returned list then contains the
        function's exception, or None.
        """
        self.capture_loop()
        errors: list[BaseException | None] = []

        def call() -> None:
            try:
                function()
            except BaseException as error:  # noqa: BLE001 - the caller raises it again
                errors.append(error)
            else:
                errors.append(None)
            self.schedule_committed()

        threading.Thread(target=call, name="kalshi-fix-store", daemon=True).start()
        return errors

    async def run(self) -> None:
        """Make connections until the core has ended."""
        core = self.core
        try:
            while not core.over:
                attempt = core.next_attempt()
                if attempt is None:
                    await self.changes.wait(core.timeout())
                    continue
                # `next_attempt` has put a `Connecting` event in the queue.
                self.users.notify()
                try:
                    await self.connect(attempt)
                except KalshiFixError as error:
                    core.connect_failed(error)
                self.users.notify()
        except Exception as error:  # noqa: BLE001 - it is raised again in the user's task
            core.record_failure(_unwrap(error))
        # The task was cancelled from outside. If the client has not ended, record a failure, because waiting
        # calls would otherwise never return.
        except BaseException as error:
            if not core.over:
                core.record_failure(error)
            raise
        finally:
            self.users.notify()

    async def read_with(self, receive: Callable[[int], Awaitable[bytes | bytearray]]) -> None:
        """Pass received bytes to the core until the end of the stream; `receive` is called with the maximum
        size.
        """
        while True:
            if not self.core.wants_read:
                await self.changes.wait(None)
                continue
            try:
                data = await receive(CHUNK)
            except self.connection_errors:
                data = b""
            # For the core, too, b"" means the end of the stream.
            self.core.receive(bytes(data))
            self.users.notify()
            self.notify_tasks()
            if not data:
                return

    async def write_with(self, send: Callable[[bytes], Awaitable[object]]) -> None:
        """Write the core's output with `send`; never returns."""
        while True:
            if not self.core.output:
                await self.output.wait(None)
                continue
            # A copy, because `output` may grow during `send`. The bytes stay in `output` until `wrote`, so
            # they still count towards the size at which the user's `send` waits.
            chunk = bytes(self.core.output[:CHUNK])
            try:
                await send(chunk)
            except self.connection_errors:
                # The task continues: `output` stays empty from now on, and `read_with` detects the end.
                self.core.write_failed()
            else:
                self.core.wrote(len(chunk))
            self.users.notify()
            self.notify_tasks()

    async def run_timers(self) -> None:
        """Run the core's timers until the transport must be closed."""
        core = self.core
        while not core.must_close:
            # Recorded for `notify_tasks`, which wakes this task only for an earlier deadline.
            self._timer_at = core.due()
            if not await self.changes.wait(core.timeout()):
                core.tick()
                self.users.notify()
                self.notify_tasks()

    async def wait(
        self,
        ready: Callable[[], T],
        timeout: float | None,  # noqa: ASYNC109 - the callers' parameter
    ) -> T | None:
        """Call `ready` now and after each notification of `users`, until it returns a result. Return the
        result, or None after `timeout` seconds.
        """
        now = time.monotonic()
        if now >= self.before_call_due:
            await self.before_call()
        # Between a successful `ready` and the return there must be no `await` that can be cancelled, because
        # an event that `ready` has taken from the queue would be lost.
        result = ready()
        if result is not None:
            if self.has_after_call:
                await self.after_call()
            return result
        remaining = timeout
        end = None if timeout is None else now + timeout
        while await self.users.wait(remaining):
            result = ready()
            # `after_call` need not be called, because other tasks have run during the wait.
            if result is not None:
                return result
            # Usually the wake-up was for another task.
            if end is not None:
                remaining = end - time.monotonic()
                if remaining <= 0:
                    return None
        # At the deadline, a result that arrived at the same time still counts.
        return ready()


def _unwrap(error: Exception) -> Exception:
    """Return an error without the exception groups in which nurseries wrap it."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
