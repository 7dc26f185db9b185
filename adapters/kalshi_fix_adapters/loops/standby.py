"""The context of a client in an event loop that takes over from another process."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Generic, TypeVar

from kalshi_fix_adapters.engine.standby import Takeover
from kalshi_fix_adapters.errors import StoreUnavailableError
from kalshi_fix_adapters.loops.adapter import AsyncAdapter

if TYPE_CHECKING:
    from kalshi_fix_adapters.loops.async_client import AsyncClient

C = TypeVar("C", bound="AsyncClient")


class AsyncStandby(Generic[C]):
    """Waits until the client's store is free, and then acts as the client's context; see
    `AsyncClient.standby`.
    """

    def __init__(self, client: C, adapter: AsyncAdapter, takeover: Takeover) -> None:
        self._client = client
        self._adapter = adapter
        self._takeover = takeover

    async def __aenter__(self) -> C:
        takeover = self._takeover
        client = None
        takeover.begin()
        try:
            while True:
                try:
                    client = await self._client.__aenter__()
                except StoreUnavailableError as error:
                    takeover.wait(error)
                    await self._adapter.sleep(takeover.every)
                else:
                    takeover.entered()
                    return client
        except BaseException as error:
            try:
                if client is not None:
                    await client.__aexit__(type(error), error, error.__traceback__)
            finally:
                takeover.leave(error)
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        lost = self._takeover.is_lost()
        try:
            await self._client.__aexit__(kind, error, trace)
        except BaseException as raised:
            self._takeover.leave(raised, lost=lost)
            raise
        self._takeover.leave(error, lost=lost)
