"""One session on two hosts: the process that has the store open is the primary; the others wait for the
store.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from types import TracebackType
from typing import Final

import attrs

from kalshi_fix_adapters.engine.client_core import ClientCore
from kalshi_fix_adapters.errors import StoreUnavailableError
from kalshi_fix_adapters.net.service_manager import ServiceManager
from kalshi_fix_adapters.stores import StoreFactory
from kalshi_fix_sansio.errors import ConfigurationError

STORE_LOST_STATUS: Final = getattr(os, "EX_TEMPFAIL", 75)
"""Exit status of a process whose store was lost. If the process is restarted, it waits as the standby."""
KEY_IN_USE_INTERVAL: Final = 0.2
"""Seconds between logon attempts while the venue still has the former primary's connection, unless the
client's `ReconnectPolicy` sets another value.
"""
POLL_INTERVAL: Final = 0.5
"""Seconds between attempts to open the store."""
LOG: Final = logging.getLogger("kalshi_fix_adapters.standby")


class Takeover:
    """The part of a standby that does not depend on the event loop. It also notifies the service manager.

    Its context lasts while this process waits for the store or is the primary. On leaving, the context raises
    SystemExit with the status `STORE_LOST_STATUS` if the store was lost.

    Args:
        core: the client, which is not open yet.
        every: seconds between attempts to open the store.
        on_wait: called with the reason before each wait.

    Raises:
        ConfigurationError: the client has no store that another process can open, it never reconnects, or
            `every` is not above 0.
    """

    def __init__(
        self, core: ClientCore, every: float, on_wait: Callable[[StoreUnavailableError], object] | None
    ) -> None:
        plan = core.plan
        if not isinstance(plan.store, StoreFactory):
            raise ConfigurationError(
                "a standby needs a store that another process can open: set the option `store` to a database "
                "or a folder"
            )
        if plan.reconnect is None:
            raise ConfigurationError("a standby reconnects, so the option `reconnect` must not be None")
        if not every > 0:
            raise ConfigurationError(f"every must be above 0 seconds, not {every!r}")
        policy = plan.reconnect
        # The venue refuses the first logon while it still has the former primary's connection.
        core.plan = attrs.evolve(
            plan,
            reconnect=attrs.evolve(
                policy,
                retry_first=True,
                key_in_use=KEY_IN_USE_INTERVAL if policy.key_in_use is None else policy.key_in_use,
            ),
        )
        self._core = core
        self._on_wait = on_wait
        self._manager = ServiceManager()
        self._is_waiting = False
        self._is_lost = False
        self.every: float = every
        """Seconds between attempts to open the store."""

    def __enter__(self) -> None:
        """Report that this process has started."""
        self._manager.start_watchdog()
        self._manager.notify("READY=1")

    def report_waiting(self, error: StoreUnavailableError) -> None:
        """Report that the store cannot be opened yet."""
        if not self._is_waiting:
            self._is_waiting = True
            LOG.info("waiting: %s", error)
            self._manager.notify(f"STATUS=standby: {error}")
        if self._on_wait is not None:
            self._on_wait(error)

    def report_primary(self) -> None:
        """Report that this process is the primary and has logged on."""
        LOG.info("primary: %s", self._core.plan.name)
        self._manager.notify("STATUS=primary")

    def check_store(self) -> None:
        """Record whether the store was lost. Call this before closing the client: afterwards `is_store_lost`
        is true only if the loss ended the session.
        """
        self._is_lost = self._core.is_store_lost

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Report that this process is ending."""
        self._manager.notify("STOPPING=1")
        self._manager.stop_watchdog()
        if self._is_lost or self._core.is_store_lost:
            # The error may have no text, for example a KeyboardInterrupt.
            reason = str(error or "") or "its store was lost"
            LOG.error("this process is no longer the primary: %s", reason)
            raise SystemExit(STORE_LOST_STATUS) from error
