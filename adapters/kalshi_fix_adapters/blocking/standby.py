"""The context of a client that takes over from another process."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING

from kalshi_fix_adapters.engine.standby import Takeover
from kalshi_fix_adapters.errors import StoreUnavailableError

if TYPE_CHECKING:
    from kalshi_fix_adapters.blocking.client import Client


class Standby:
    """Waits until the client's store is free, and then acts as the client's context; see `Client.standby`."""

    def __init__(self, client: Client, takeover: Takeover) -> None:
        self._client = client
        self._takeover = takeover

    def __enter__(self) -> Client:
        takeover = self._takeover
        client = None
        takeover.begin()
        try:
            while True:
                try:
                    client = self._client.__enter__()
                except StoreUnavailableError as error:
                    takeover.wait(error)
                    time.sleep(takeover.every)
                else:
                    takeover.entered()
                    return client
        except BaseException as error:
            try:
                if client is not None:
                    client.__exit__(type(error), error, error.__traceback__)
            finally:
                takeover.leave(error)
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        lost = self._takeover.is_lost()
        try:
            self._client.__exit__(kind, error, traceback)
        except BaseException as raised:
            self._takeover.leave(raised, lost=lost)
            raise
        self._takeover.leave(error, lost=lost)
