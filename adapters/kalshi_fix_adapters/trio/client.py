"""The client, and the functions that create one; the package docstring describes its behaviour."""

from __future__ import annotations

import contextlib
import math
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import trio
from trio.lowlevel import enable_ki_protection

from kalshi_fix_adapters.config.factories import ClientFactory, OrderEntryFactory
from kalshi_fix_adapters.config.plan import ConnectionPlan
from kalshi_fix_adapters.loops.adapter import CLOSE_TIMEOUT, AsyncAdapter, Attempt, Factories, Notifier
from kalshi_fix_adapters.loops.async_client import AsyncClient
from kalshi_fix_adapters.net.dial import AddressInfo, Dialer, dial
from kalshi_fix_adapters.trio.transport import TlsTransport, Transport
from kalshi_fix_sansio.errors import LocalProtocolError

T = TypeVar("T")


class _Notifier(Notifier):
    """Wakes waiting tasks, with one shared timer. A new wait sets the timer only if its deadline is earlier.

    A cancel scope for each wait (`move_on_after`) would take 14 µs.
    """

    def __init__(self) -> None:
        self._waiting: dict[trio.lowlevel.Task, float] = {}
        """The monotonic deadline of each waiting task."""
        self._expired_tasks: set[trio.lowlevel.Task] = set()
        """Tasks that were rescheduled because of their deadline and have not run since."""
        self._timer_due = math.inf
        """Monotonic time of the next check by `run_timers`."""
        self._timer = trio.CancelScope()

    @property
    def is_awaited(self) -> bool:
        """Whether any task is waiting."""
        return bool(self._waiting)

    def notify(self) -> None:
        """Wake all waiting tasks."""
        if self._waiting:
            for task in self._waiting:
                trio.lowlevel.reschedule(task)
            # trio cannot cancel the wait of a rescheduled task, so `give_up` below is called only for tasks
            # in `_waiting`.
            self._waiting.clear()

    async def wait(self, seconds: float | None) -> bool:
        """Wait until notified, or for `seconds`; return whether it was notified."""
        if seconds is not None and seconds <= 0:
            # Other tasks run in the meantime, as `Notifier.wait` requires.
            await trio.lowlevel.checkpoint()
            return False
        task = trio.lowlevel.current_task()
        self._waiting[task] = end = math.inf if seconds is None else time.monotonic() + seconds
        if end < self._timer_due:
            self._set_timer(end)

        def give_up(_: object) -> trio.lowlevel.Abort:
            del self._waiting[task]
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(give_up)
        if task in self._expired_tasks:
            self._expired_tasks.remove(task)
            return False
        return True

    def _set_timer(self, deadline: float) -> None:
        self._timer_due = deadline
        # trio's clock and `time.monotonic` have different origins.
        self._timer.deadline = trio.current_time() + deadline - time.monotonic()

    async def run_timers(self) -> None:
        """Wake tasks at their deadlines; never returns."""
        while True:
            # A scope that was cancelled by its deadline cannot be used again.
            self._timer = trio.CancelScope()
            self._set_timer(min(self._waiting.values(), default=math.inf))
            with self._timer:
                await trio.sleep_forever()
            now = time.monotonic()
            for task in [task for task, end in self._waiting.items() if end <= now]:
                del self._waiting[task]
                self._expired_tasks.add(task)
                trio.lowlevel.reschedule(task)


class _Adapter(AsyncAdapter):
    """Makes the connections in a task of the context's nursery."""

    notifier = _Notifier
    current_task = staticmethod(trio.lowlevel.current_task)
    users: _Notifier
    changes: _Notifier
    before_call = staticmethod(trio.lowlevel.checkpoint_if_cancelled)
    after_call = staticmethod(trio.lowlevel.cancel_shielded_checkpoint)

    def __init__(self, plan: ConnectionPlan) -> None:
        self._token: trio.lowlevel.TrioToken | None = None
        """The token of the trio run in which the client is open."""
        self._nursery: trio.Nursery | None = None
        """The nursery of the context; None outside the context."""
        self._run_scope = trio.CancelScope()
        """The scope of `run`. It is cancelled only if Ctrl-C occurs while `finish` waits."""
        self._finished = trio.Event()
        """Set while `run` is not running."""
        self._finished.set()
        self._dial_scope: trio.CancelScope | None = None
        """The scope of the current connection attempt."""
        self._transport: Transport | None = None
        """The established connection; None if there is none."""
        super().__init__(plan)

    async def enter(self) -> None:
        """Open the nursery, without `async with`, which would wrap exceptions in groups."""
        self._manager = trio.open_nursery()
        self._nursery = await self._manager.__aenter__()

    async def exit(self) -> None:
        """Close the nursery, whose tasks have ended."""
        self._nursery = None
        await self._manager.__aexit__(None, None, None)

    def capture_loop(self) -> None:
        """Store the running loop."""
        self._token = trio.lowlevel.current_trio_token()

    def schedule_committed(self) -> None:
        """Schedule a call to `committed` in the loop, from any thread."""
        if self._token is not None:
            with contextlib.suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self.committed, idempotent=True)

    async def wait_shielded(self, ready: Callable[[], T | None]) -> T | None:
        """Wait as `wait` does, without a timeout and shielded from cancellation."""
        with trio.CancelScope(shield=True):
            return await self.wait(ready, None)
        return None  # for type checkers, since a scope may suppress exceptions

    def give_up(self) -> None:
        """Cancel the connection attempt."""
        if self._dial_scope is not None:
            self._dial_scope.cancel()

    def flush(self) -> None:
        """Write as much output as possible without waiting."""
        try:
            if self._transport is not None:
                self.core.flush(self._transport.write)
        except Exception as error:  # noqa: BLE001 - it is raised again where the user waits
            self.core.record_failure(error)
            self.users.notify()
        self.notify_tasks()

    async def start(self) -> None:
        """Start the task that transfers the bytes.

        Raises:
            LocalProtocolError: the client's context has not been entered.
        """
        if self._nursery is None:
            raise LocalProtocolError("a trio client runs its tasks in a nursery; enter it with `async with`")
        self.capture_loop()
        self._run_scope = trio.CancelScope(shield=True)
        self._finished = trio.Event()
        self._nursery.start_soon(self._run_shielded, name="kalshi-fix")

    async def finish(self) -> None:
        """Wait until the task has ended; on Ctrl-C, end it at once."""
        with trio.CancelScope(shield=True):
            try:
                await self._finished.wait()
            except KeyboardInterrupt:
                self.core.abort("interrupted")
                self._run_scope.cancel()
                await self._finished.wait()
                raise

    async def _run_shielded(self) -> None:
        # `_run_scope` is shielded, because this task must end with a Logout when the context is exited. A
        # cancellation from outside is raised in the user's task instead.
        try:
            with self._run_scope:
                async with trio.open_nursery() as nursery:
                    for notifier in (self.users, self.changes):
                        nursery.start_soon(notifier.run_timers)
                    await self.run()
                    nursery.cancel_scope.cancel()
        finally:
            self._finished.set()

    async def connect(self, attempt: Attempt) -> None:
        """Make one connection, and serve it until it has ended."""
        transport = await self._dial(attempt)
        try:
            self._transport = transport
            self.core.connected()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read, transport)
                nursery.start_soon(self._write, transport)
                await self.run_timers()
                nursery.cancel_scope.cancel()
            # Called after the tasks have ended, because close_notify also reads and writes. In trio, only one
            # task at a time may wait to read from a socket, and only one to write.
            with trio.move_on_after(CLOSE_TIMEOUT), contextlib.suppress(OSError):
                await transport.close_notify()
        finally:
            self._transport = None
            transport.abort()
            if not self.core.over:
                self.core.disconnected()

    async def _read(self, transport: Transport) -> None:
        core = self.core
        while True:
            await (transport.readable() if core.wants_read else self.changes.wait(None))
            # Checked again, because the queue may have become full in the meantime, or this task may have
            # been woken for another reason.
            if not core.wants_read:
                continue
            data = transport.read()
            if data:
                core.receive(data)
            if transport.ended:
                core.receive(b"")
            awaited = self.users.is_awaited
            self.users.notify()
            if core.output:
                self.flush()
            if awaited:
                # Let the woken tasks run first: if this task registered the socket again and checked the
                # timers before them, their answers would take 5% longer. There are two checkpoints,
                # because trio runs the tasks of an iteration in random order.
                await trio.lowlevel.cancel_shielded_checkpoint()
                await trio.lowlevel.cancel_shielded_checkpoint()
            self.notify_tasks()
            if transport.ended:
                return

    async def _write(self, transport: Transport) -> None:
        # `flush` writes most messages at once; this task writes the bytes that the socket did not accept.
        while True:
            if not (transport.full or self.core.output):
                await self.output.wait(None)
                continue
            try:
                await transport.writable()
            except OSError:
                self.core.write_failed()
            self.flush()
            self.notify_tasks()
            self.users.notify()

    async def _dial(self, attempt: Attempt) -> Transport:
        dialer = Dialer(attempt.endpoint.host, attempt.endpoint.port, attempt.security, attempt.timeout)
        try:
            with trio.move_on_after(attempt.timeout) as self._dial_scope:
                return await dial(dialer, self, self.core.tcp_connected)
            raise dialer.timed_out()
        finally:
            self._dial_scope = None

    # The steps of `dial`

    async def resolve(self, host: str, port: int) -> Sequence[AddressInfo]:
        """Return the addresses of a host."""
        return await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)

    async def connect_socket(self, raw: socket.socket, address: Any, seconds: float) -> None:
        """Connect a socket to an address."""
        with trio.move_on_after(seconds) as scope:
            await trio.socket.from_stdlib_socket(raw).connect(address)
        if scope.cancelled_caught:
            raise TimeoutError

    async def secure(self, raw: socket.socket, dialer: Dialer) -> Transport:
        """Return a transport on a connected socket, after the TLS handshake."""
        if dialer.context is None:
            return Transport(raw)
        transport = TlsTransport(raw, dialer.context, dialer.server_name)
        try:
            dialer.check_certificate(await transport.do_handshake())
        except BaseException:
            transport.abort()
            raise
        return transport


class Client(AsyncClient):
    """A client of one session type, as an async context manager that logs on when entered and logs out when
    left.

    While open, it reconnects automatically (option `reconnect`). It may be entered again after it has ended.
    """

    def __init__(self, plan: ConnectionPlan) -> None:
        super().__init__(_Adapter(plan))


_factories = Factories(Client)
order_entry: OrderEntryFactory[Client] = _factories.order_entry
drop_copy: ClientFactory[Client] = _factories.drop_copy
market_data: ClientFactory[Client] = _factories.market_data
post_trade: ClientFactory[Client] = _factories.post_trade
rfq: ClientFactory[Client] = _factories.rfq

# On Ctrl-C, trio raises KeyboardInterrupt in the running task. If that task is running a protected function,
# trio raises it in the main task instead, at a checkpoint. The functions below are protected, because Ctrl-C
# must not interrupt between numbering a message and writing it, or between taking an event and returning it.
# Protecting the inherited methods also protects other adapters that run on trio, such as one for anyio.
for _method in (
    *(
        AsyncClient.__aenter__,
        AsyncClient.__aexit__,
        AsyncClient.send,
        AsyncClient.send_nowait,
        AsyncClient.confirm,
        AsyncClient.stop_reconnecting,
        AsyncClient.logout,
        AsyncClient.test_request,
    ),
    *(_Adapter.run, _Adapter.wait, _Adapter.read_with, _Adapter.write_with, _Adapter.run_timers),
    *(_Adapter._read, _Adapter._write, _Notifier.run_timers),
):
    enable_ki_protection(_method)
