"""The loop's side of `AsyncClient`: what an adapter to an event loop gives, and what it gets for that.

docs/write-an-adapter.md leads through it.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import TypeVar

from kalshi_fix_adapters._client_core import Attempt, ClientCore
from kalshi_fix_adapters._factories import Factories
from kalshi_fix_adapters.plan import ConnectionPlan
from kalshi_fix_sansio.errors import KalshiFixError

__all__ = ["CHUNK", "GOODBYE", "AsyncAdapter", "Attempt", "Factories"]

CHUNK = 64 * 1024
"""Bytes to read or write at once."""
GOODBYE = 2.0
"""Seconds that closing a transport may take before it is dropped."""
T = TypeVar("T")


class AsyncAdapter(ABC):
    """Moves the bytes of a client in one event loop. All its methods are called in that loop."""

    def __init__(self, plan: ConnectionPlan) -> None:
        self.core = ClientCore(plan, wake=self.wake)

    # What a loop has to give

    broken: tuple[type[Exception], ...] = ()
    """What its streams raise when the connection is gone."""

    @abstractmethod
    def wake(self) -> None:
        """End every `rest`. If the user is leaving (`core.leaving`), an attempt to connect is given up."""

    @abstractmethod
    async def rest(self, seconds: float | None) -> bool:
        """Wait for the next `wake`, at most so long; say whether it came."""

    @abstractmethod
    async def checkpoint(self, *, urgent: bool = False) -> None:
        """Let others run, and be cancelled. An urgent caller has a message to send; it may go on at once."""

    @abstractmethod
    async def start(self) -> None:
        """Start a task with `run`."""

    @abstractmethod
    async def finish(self) -> None:
        """Wait until that task has ended, even if this is cancelled; then end it sooner, if possible."""

    async def enter(self) -> None:  # noqa: B027 - most loops have nothing to do here
        """The client's context is entered."""

    async def exit(self) -> None:  # noqa: B027
        """The client's context is left; `finish` was called."""

    @abstractmethod
    async def connect(self, attempt: Attempt) -> None:
        """Make one connection and move its bytes until `core.finished`: from `core.connected` to
        `core.disconnected`, or to a KalshiFixError if it does not come about."""

    def flush(self) -> None:
        """See to it that `core.output` gets written; the user has put something there."""
        self.wake()

    # What it can use

    async def run(self) -> None:
        """Make connections for as long as the core wants them."""
        core = self.core
        try:
            while not core.over:
                attempt = core.next_attempt()
                if attempt is None:
                    await self.rest(core.timeout())
                    continue
                self.wake()
                try:
                    await self.connect(attempt)
                except KalshiFixError as error:
                    core.connect_failed(error)
                self.wake()
        except Exception as error:  # noqa: BLE001 - it is raised again in the user's task
            core.failure(_alone(error))
        except BaseException as error:
            if not core.over:
                core.failure(error)
            raise
        finally:
            self.wake()

    async def read_by(self, receive: Callable[[int], Awaitable[bytes | bytearray]]) -> None:
        """Hand the core what `receive` returns of at most so many bytes, up to the end of the stream."""
        data: bytes | bytearray = b"-"
        while data:
            if not self.core.wants_read:
                await self.rest(None)
                continue
            try:
                data = await receive(CHUNK)
            except self.broken:
                data = b""
            self.core.receive(bytes(data))
            self.wake()

    async def write_by(self, send: Callable[[bytes], Awaitable[object]]) -> None:
        """Write what the core has to say by `send`, for ever."""
        while True:
            if not self.core.output:
                await self.rest(None)
                continue
            chunk = bytes(self.core.output[:CHUNK])
            try:
                await send(chunk)
            except self.broken:
                self.core.write_failed()
            else:
                self.core.wrote(len(chunk))
            self.wake()

    async def keep_time(self) -> None:
        """Do what is due, until the transport is to be closed."""
        while not self.core.finished:
            if not await self.rest(self.core.timeout()):
                self.core.tick()
                self.wake()

    async def wait(
        self,
        ready: Callable[[], T | None],
        timeout: float | None,  # noqa: ASYNC109 - the callers' parameter
        *,
        urgent: bool = False,
    ) -> T | None:
        """Call `ready` now and whenever woken, until it returns something, and return that; None after
        `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        await self.checkpoint(urgent=urgent)
        # From `ready` to the return nothing is awaited: a cancellation must not lose what was taken.
        while (found := ready()) is None:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return None
            if not await self.rest(left):
                return ready()
        return found


def _alone(error: Exception) -> Exception:
    """Return an error without the groups that nurseries put around it."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
