"""One form of test for every client: an asynchronous function, run by the client's own loop.

The blocking client gets asynchronous methods that never suspend, so a coroutine runs in a single step.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Self, TypeVar

import anyio
import anyio.abc
import anyio.to_thread
import trio

import kalshi_fix_adapters.asyncio
import kalshi_fix_adapters.blocking
import kalshi_fix_adapters.trio

T = TypeVar("T")
TIMEOUT = 30.0
"""Seconds after which a test gives up waiting."""

Main = Callable[[], Coroutine[Any, Any, T]]
Start = Callable[[Main[None]], object]


def _load_example(name: str) -> ModuleType:
    path = Path(__file__).parents[3] / "examples" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


class Loop(ABC):
    """An event loop and the client for it; the blocking client has no loop."""

    name: str
    module: Any

    def client(self, session: str, /, **options: Any) -> Any:
        """Return a client for a session type."""
        names = {
            "KalshiDC": "drop_copy",
            "KalshiMD": "market_data",
            "KalshiPT": "post_trade",
            "KalshiRFQ": "rfq",
        }
        if session in names:
            return getattr(self.module, names[session])(**options)
        return self.module.order_entry(retransmission=session == "KalshiRT", **options)

    @abstractmethod
    def run(self, main: Main[T]) -> T:
        """Run a test, which fails if it takes too long."""

    @abstractmethod
    async def in_thread(self, function: Callable[[], T]) -> T:
        """Call a blocking function without blocking the loop."""

    @abstractmethod
    def run_concurrently(self) -> contextlib.AbstractAsyncContextManager[Start]:
        """Run functions concurrently with the body of the `async with`, and wait for them at its end."""

    async def with_timeout(self, seconds: float, function: Main[T]) -> T:
        """Await a function's result, with the loop's own timeout."""
        raise AssertionError("blocking code has no such timeout")

    async def wait_until_set(self, event: threading.Event) -> None:
        """Wait for an event that another thread sets."""
        assert await self.in_thread(lambda: event.wait(TIMEOUT))


class Asyncio(Loop):
    name = "asyncio"
    module = kalshi_fix_adapters.asyncio

    def run(self, main: Main[T]) -> T:
        async def limited() -> T:
            async with asyncio.timeout(TIMEOUT):
                result = await main()
            assert asyncio.all_tasks() == {asyncio.current_task()}
            return result

        return asyncio.run(limited())

    async def in_thread(self, function: Callable[[], T]) -> T:
        return await asyncio.to_thread(function)

    async def with_timeout(self, seconds: float, function: Main[T]) -> T:
        async with asyncio.timeout(seconds):
            return await function()

    @contextlib.asynccontextmanager
    async def run_concurrently(self) -> AsyncIterator[Start]:
        async with asyncio.TaskGroup() as group:
            yield lambda function: group.create_task(function())


class Trio(Loop):
    name = "trio"
    module = kalshi_fix_adapters.trio

    def run(self, main: Main[T]) -> T:
        async def limited() -> T:
            tasks = trio.lowlevel.current_statistics().tasks_living
            with trio.fail_after(TIMEOUT):
                result = await main()
            assert trio.lowlevel.current_statistics().tasks_living == tasks
            return result

        return trio.run(limited, strict_exception_groups=True)

    async def in_thread(self, function: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(function)

    async def with_timeout(self, seconds: float, function: Main[T]) -> T:
        with trio.fail_after(seconds):
            return await function()

    @contextlib.asynccontextmanager
    async def run_concurrently(self) -> AsyncIterator[Start]:
        async with trio.open_nursery() as nursery:
            yield nursery.start_soon


class AnyIo(Loop):
    """The client of the example, on one of anyio's backends."""

    module = _load_example("anyio_client")

    def __init__(self, backend: str) -> None:
        self._backend = backend
        self.name = f"anyio on {backend}"

    def run(self, main: Main[T]) -> T:
        async def limited() -> T:
            with anyio.fail_after(TIMEOUT):
                return await main()

        return anyio.run(limited, backend=self._backend)

    async def in_thread(self, function: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(function)

    async def with_timeout(self, seconds: float, function: Main[T]) -> T:
        with anyio.fail_after(seconds):
            return await function()

    @contextlib.asynccontextmanager
    async def run_concurrently(self) -> AsyncIterator[Start]:
        async with anyio.create_task_group() as group:
            yield group.start_soon


class Blocking(Loop):
    name = "blocking"
    module = kalshi_fix_adapters.blocking

    def client(self, session: str, /, **options: Any) -> Any:
        return _AsyncClient(super().client(session, **options))

    def run(self, main: Main[T]) -> T:
        coroutine = main()
        try:
            coroutine.send(None)
        except StopIteration as end:
            result: T = end.value
            return result
        raise AssertionError("the test awaited something that blocking code cannot await")

    async def in_thread(self, function: Callable[[], T]) -> T:
        return function()

    @contextlib.asynccontextmanager
    async def run_concurrently(self) -> AsyncIterator[Start]:
        threads: list[threading.Thread] = []
        failures: list[BaseException] = []

        def run(function: Main[None]) -> None:
            try:
                self.run(function)
            except BaseException as error:  # noqa: BLE001 - it is raised again below
                failures.append(error)

        def start(function: Main[None]) -> None:
            thread = threading.Thread(target=run, args=(function,), daemon=True)
            threads.append(thread)
            thread.start()

        try:
            yield start
        finally:
            for thread in threads:
                thread.join(TIMEOUT)
                assert not thread.is_alive()
        if failures:
            raise BaseExceptionGroup("errors in threads", failures)


class _AsyncClient:
    """A blocking client with asynchronous methods."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def __repr__(self) -> str:
        return repr(self.client)

    async def __aenter__(self) -> Self:
        self.client.__enter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        self.client.__exit__(*error)

    @contextlib.asynccontextmanager
    async def standby(self, **options: Any) -> AsyncIterator[Self]:
        with self.client.standby(**options):
            yield self

    async def open(self) -> Self:
        self.client.open()
        return self

    async def logout(self, *args: Any) -> Any:
        return self.client.logout(*args)

    async def send(self, *args: Any, **options: Any) -> Any:
        return self.client.send(*args, **options)

    async def receive(self, *args: Any) -> Any:
        return self.client.receive(*args)

    async def test_request(self, *args: Any) -> Any:
        return self.client.test_request(*args)

    def events(self, *args: Any) -> _Iterator:
        return _Iterator(self.client.events(*args))

    def messages(self, *args: Any) -> _Iterator:
        return _Iterator(self.client.messages(*args))


class _Iterator:
    def __init__(self, iterator: Iterator[Any]) -> None:
        self._iterator = iterator

    def __aiter__(self) -> _Iterator:
        return self

    async def __anext__(self) -> Any:
        try:
            return next(self._iterator)
        except StopIteration:
            raise StopAsyncIteration from None


TASK_LOOPS: tuple[Loop, ...] = (Asyncio(), Trio(), AnyIo("asyncio"), AnyIo("trio"))
"""The loops with tasks, which can be cancelled."""
LOOPS: tuple[Loop, ...] = (Blocking(), *TASK_LOOPS)


async def first(stream: Any) -> Any:
    """Return the next item of an asynchronous iterator."""
    return await stream.__anext__()


async def collect(stream: Any) -> list[Any]:
    """Return all items of an asynchronous iterator."""
    return [item async for item in stream]


def as_function(call: Awaitable[Any]) -> Main[None]:
    """Wrap an awaitable in a function for `run_concurrently`."""

    async def wait() -> None:
        await call

    return wait
