"""The client, and the functions that make one; the package says how it behaves."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Sequence
from typing import Any

from kalshi_fix_adapters.asyncio.notifier import LoopNotifier
from kalshi_fix_adapters.asyncio.transport import Link
from kalshi_fix_adapters.config.plan import ConnectionPlan
from kalshi_fix_adapters.loops.adapter import AsyncAdapter, Attempt, Factories
from kalshi_fix_adapters.loops.client import AsyncClient
from kalshi_fix_adapters.net.dial import Dialer, Stage

SLICE = 0.005
"""Seconds after which tasks that are served without ever waiting let others run."""


class _Io(AsyncAdapter):
    """Makes the connections in a task of its own."""

    notifier = LoopNotifier
    task = staticmethod(asyncio.current_task)
    users: LoopNotifier
    changes: LoopNotifier

    def __init__(self, plan: ConnectionPlan) -> None:
        self._task: asyncio.Task[None] | None = None
        self._dialling: asyncio.Timeout | None = None
        self._link: Link | None = None
        self._look_at = 0.0
        """The moment from which `before` looks whether the loop has turned."""
        self._turned = True
        super().__init__(plan)

    @staticmethod
    def is_over(task: asyncio.Task[Any]) -> bool:
        """Say whether a task has ended."""
        return task.done()

    def wake(self) -> None:
        """Let everything that waits look again."""
        super().wake()
        if self._link is not None:
            asyncio.get_running_loop().call_soon(self._link.step)

    def give_up(self) -> None:
        """End the attempt to connect."""
        if self._dialling is not None and not self._dialling.expired():
            self._dialling.reschedule(0)

    def flush(self) -> None:
        """Write a message that was sent."""
        if self._link is not None:
            self._link.flush()

    async def before(self) -> None:
        """Let others run, and be cancelled, if the loop has not turned since a call `SLICE` ago or longer.

        Otherwise go on at once: a turn costs as much as a small message, and a message to be sent goes before
        what waits to be read.
        """
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + SLICE
        if not self._turned:
            await asyncio.sleep(0)
        else:
            self._turned = False
            asyncio.get_running_loop().call_soon(self._note_turn)

    def _note_turn(self) -> None:
        self._turned = True

    async def start(self) -> None:
        """Start the task."""
        self._forget()
        self._task = asyncio.create_task(self.run(), name="kalshi-fix")

    async def finish(self) -> None:
        """Wait for the task to have ended; cancelled, end it at once."""
        task, self._task = self._task, None
        cancelled: asyncio.CancelledError | None = None
        while task is not None and not task.done():
            try:
                await asyncio.wait({task})
            except asyncio.CancelledError as error:
                cancelled = error
                self.core.abort("interrupted")
                task.cancel()
        self._forget()
        if cancelled is not None:
            raise cancelled

    def _forget(self) -> None:
        # Timers that are left would keep all of this alive, and are of no use in another loop.
        self.users.close()
        self.changes.close()
        self._look_at, self._turned = 0.0, True

    async def connect(self, attempt: Attempt) -> None:
        """Make one connection, and keep it until it is over."""
        link = Link(self.core, self.users)
        await self._dial(attempt, link)
        self.core.connected()
        self._link = link
        try:
            link.begin()
            await link.finished.wait()
            await link.close()
        finally:
            self._link = None
            link.drop()
            if not self.core.over:
                self.core.disconnected()

    async def _dial(self, attempt: Attempt, link: Link) -> None:
        loop = asyncio.get_running_loop()
        dialer = Dialer(attempt.endpoint.host, attempt.endpoint.port, attempt.security, attempt.timeout)
        stage = Stage.RESOLVE
        try:
            async with asyncio.timeout(attempt.timeout) as self._dialling:
                try:
                    found = await loop.getaddrinfo(dialer.host, dialer.port, type=socket.SOCK_STREAM)
                except (OSError, UnicodeError):
                    raise dialer.not_resolved() from None
                stage = Stage.CONNECT
                raw = await _connect_tcp(dialer, found, attempt.timeout)
                self.core.tcp_connected()
                stage = Stage.HANDSHAKE
                await link.connect(raw, dialer)
        except TimeoutError:
            raise dialer.late(stage) from None
        finally:
            self._dialling = None


async def _connect_tcp(dialer: Dialer, found: Sequence[Any], seconds: float) -> socket.socket:
    failure: OSError | None = None
    for family, kind, protocol, _, address in found:
        dialer.check_address(str(address[0]))
        raw = socket.socket(family, kind, protocol)
        try:
            raw.setblocking(False)
            # An address that leads nowhere leaves time for the others.
            async with asyncio.timeout(seconds / len(found)):
                await asyncio.get_running_loop().sock_connect(raw, address)
        except OSError as error:
            raw.close()
            failure = error
        except BaseException:
            raw.close()
            raise
        else:
            return raw
    raise failure if isinstance(failure, TimeoutError) else dialer.not_connected(failure) from None


class Client(AsyncClient):
    """A client of one session type, as an asynchronous context manager: it logs on when entered and out when
    left. In between it connects again by itself (`reconnect`). Once it is over it may be entered again."""

    def __init__(self, plan: ConnectionPlan) -> None:
        super().__init__(_Io(plan))


_factories = Factories(Client)
order_entry = _factories.order_entry
drop_copy = _factories.drop_copy
market_data = _factories.market_data
post_trade = _factories.post_trade
rfq = _factories.rfq
