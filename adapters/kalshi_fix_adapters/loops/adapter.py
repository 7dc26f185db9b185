"""The loop's side of `AsyncClient`: what an adapter to an event loop gives, and what it gets for that.

docs/write-an-adapter.md leads through it. Figures here and in `asyncio` and `trio` are of CPython 3.11 on one
machine; read them as ratios, beside some 3 µs for a turn of either loop.
"""

from __future__ import annotations

import inspect
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from kalshi_fix_adapters.config.factories import Factories
from kalshi_fix_adapters.config.plan import ConnectionPlan
from kalshi_fix_adapters.engine.attempts import Attempt
from kalshi_fix_adapters.engine.client_core import ClientCore
from kalshi_fix_sansio.errors import KalshiFixError

__all__ = ["CHUNK", "CLOSE_TIMEOUT", "AsyncAdapter", "Attempt", "Factories", "Notifier"]

CHUNK = 64 * 1024
"""Bytes to read or write at once, at the most."""
CLOSE_TIMEOUT = 2.0
"""Seconds that closing a transport may take before it is dropped."""
T = TypeVar("T")


class Notifier(ABC):
    """Where tasks wait for others. It remembers nothing: who comes after `notify` waits for the next one."""

    @abstractmethod
    def notify(self) -> None:
        """Wake all that wait now. It is called often, so it should cost nothing while nobody does."""

    @abstractmethod
    async def wait(self, seconds: float | None) -> bool:
        """Wait until notified, at most so long (no time at all if that is negative); say whether it was.
        Whatever the answer, others have run meanwhile."""


class AsyncAdapter(ABC):
    """Moves the bytes of a client in one event loop. All its methods are called in that loop."""

    def __init__(self, plan: ConnectionPlan) -> None:
        self.core: ClientCore = ClientCore(
            plan, wake=self.wake, current_task=self.current_task, has_ended=self.has_ended
        )
        self.users: Notifier = self.notifier()
        """Notified when there may be something for a user: an event, room to send, the logon, the end."""
        self.output: Notifier = self.notifier()
        """Notified when there is something to write."""
        self.changes: Notifier = self.notifier()
        """Notified when something else has changed for the tasks of the adapter: something is due sooner,
        reading is wanted again, all is over."""
        self.before_due: float = 0.0
        """The moment, monotonic, before which a user's call goes on without `before`. An adapter whose
        `before` has something to do only once in a while sets it there, and saves most calls a coroutine."""
        self.has_after: bool = type(self).after is not AsyncAdapter.after
        """Whether `after` does anything; looked up once, not to make a coroutine that does nothing."""
        self._timer_at: float | None = None
        """The moment until which `keep_time` waits, monotonic; None for ever."""

    # What a loop has to give

    broken: tuple[type[Exception], ...] = ()
    """What its streams raise when the connection is gone."""
    notifier: type[Notifier]
    """How its tasks wait for each other."""

    @abstractmethod
    async def before(self) -> None:
        """A user has called: be cancelled, if that was asked for. Others may run, too."""

    async def after(self) -> None:  # noqa: B027 - some loops have nothing to do here
        """A user's call has succeeded without waiting: let others run if that is owed to them, but be not
        cancelled, because the user has to learn what was taken or sent."""

    @staticmethod
    @abstractmethod
    def current_task() -> object:
        """Return the task that runs now; it equals itself alone."""

    @staticmethod
    def has_ended(task: Any) -> bool:
        """Say whether a task has ended; this one asks the coroutine that it has as `coro`."""
        return inspect.getcoroutinestate(task.coro) == inspect.CORO_CLOSED

    @abstractmethod
    def give_up(self) -> None:
        """If a connection is being made, it is not wanted any more."""

    @abstractmethod
    async def start(self) -> None:
        """Start a task with `run`."""

    @abstractmethod
    async def finish(self) -> None:
        """Wait until that task has ended, even if this is cancelled; then end it sooner, if possible."""

    async def enter(self) -> None:  # noqa: B027
        """The client's context is entered."""

    async def exit(self) -> None:  # noqa: B027
        """The client's context is left; `finish` was called."""

    @abstractmethod
    async def connect(self, attempt: Attempt) -> None:
        """Make one connection and move its bytes until `core.finished`: from `core.connected` to
        `core.disconnected`, or to a KalshiFixError if it does not come about."""

    def flush(self) -> None:
        """See to it that `core.output` gets written; the user has put something there."""
        self.notify_tasks()

    # What it can use

    def wake(self) -> None:
        """Let everything that waits look again; the core calls this when the user has done something."""
        self.users.notify()
        self.output.notify()
        self.changes.notify()
        if self.core.leaving:
            self.give_up()

    def notify_tasks(self) -> None:
        """Wake those tasks of the adapter that a call into the core may concern. Mostly none: a message that
        was read or sent leaves nothing to write, and moves what is due to a later moment."""
        core = self.core
        if core.output:
            self.output.notify()
        due = core.due()
        if (not core.wants_read and core.finished) or (
            due is not None and (self._timer_at is None or due < self._timer_at)
        ):
            self.changes.notify()

    async def run(self) -> None:
        """Make connections for as long as the core wants them."""
        core = self.core
        try:
            while not core.over:
                attempt = core.next_attempt()
                if attempt is None:
                    await self.changes.wait(core.timeout())
                    continue
                # There is a new event: Connecting.
                self.users.notify()
                try:
                    await self.connect(attempt)
                except KalshiFixError as error:
                    core.connect_failed(error)
                self.users.notify()
        except Exception as error:  # noqa: BLE001 - it is raised again in the user's task
            core.failure(_alone(error))
        # Cancelled from outside before the client was over: users who wait would wait for ever.
        except BaseException as error:
            if not core.over:
                core.failure(error)
            raise
        finally:
            self.users.notify()

    async def read_by(self, receive: Callable[[int], Awaitable[bytes | bytearray]]) -> None:
        """Hand the core what `receive` returns of at most so many bytes, up to the end of the stream."""
        while True:
            if not self.core.wants_read:
                await self.changes.wait(None)
                continue
            try:
                data = await receive(CHUNK)
            except self.broken:
                data = b""
            # Nothing read is the end of the stream, for the core as well.
            self.core.receive(bytes(data))
            self.users.notify()
            self.notify_tasks()
            if not data:
                return

    async def write_by(self, send: Callable[[bytes], Awaitable[object]]) -> None:
        """Write what the core has to say by `send`, for ever."""
        while True:
            if not self.core.output:
                await self.output.wait(None)
                continue
            # A copy, because `output` grows while this waits. The bytes leave it by `wrote` alone: how much
            # it holds is what makes `send` wait.
            chunk = bytes(self.core.output[:CHUNK])
            try:
                await send(chunk)
            except self.broken:
                # The task goes on: `output` stays empty from now on, and `read_by` finds the end.
                self.core.write_failed()
            else:
                self.core.wrote(len(chunk))
            self.users.notify()
            self.notify_tasks()

    async def keep_time(self) -> None:
        """Do what is due, until the transport is to be closed."""
        core = self.core
        while not core.finished:
            # Noted for `notify_tasks`, which wakes this only for something that is due sooner.
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
        """Call `ready` now and whenever users are woken, until it returns something, and return that; None
        after `timeout` seconds."""
        now = time.monotonic()
        if now >= self.before_due:
            await self.before()
        # Between a `ready` that has found something and the return nothing is awaited that can be cancelled:
        # an event that was taken would be lost.
        found = ready()
        if found is not None:
            if self.has_after:
                await self.after()
            return found
        left = timeout
        end = None if timeout is None else now + timeout
        while await self.users.wait(left):
            found = ready()
            # Without `after`: the wait has let others run.
            if found is not None:
                return found
            # Woken for somebody else, as mostly.
            if end is not None:
                left = end - time.monotonic()
                if left <= 0:
                    return None
        # The time is over; what came with it is taken all the same.
        return ready()


def _alone(error: Exception) -> Exception:
    """Return an error without the groups that nurseries put around it."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
