"""The options and the connection of the subcommands that read from NATS, which need the extra `nats`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from kalshi_fix_adapters.cli.kit.failures import CommandError
from kalshi_fix_adapters.cli.kit.terminal import temporary_handler

if TYPE_CHECKING:
    from kalshi_fix_adapters.bus_nats import Bus


@attrs.frozen
class Server:
    """The server to connect to. `str` returns the address without user name and password."""

    address: str = attrs.field(repr=False)
    credentials: Path | None

    def __str__(self) -> str:
        scheme, _, host = self.address.rpartition("//")
        return f"{scheme}//{host.rpartition('@')[2]}" if scheme else host.rpartition("@")[2]

    @asynccontextmanager
    async def connect(self, seconds: float) -> AsyncIterator[Bus]:
        """Connect within this many seconds. If the connection is lost later, reconnect, however long it
        takes.

        Raises:
            CommandError: the connection failed, or a request in the body of the `async with` failed.
        """
        from kalshi_fix_adapters.bus_nats import connect
        from kalshi_fix_adapters.bus_nats.link import NATS_ERRORS, text_of

        options: dict[str, Any] = {}
        if self.credentials is not None:
            options["user_credentials"] = str(self.credentials)
        warning = _LastWarning()
        with temporary_handler(warning, "kalshi_fix_adapters.bus"):
            async with AsyncExitStack() as stack:
                try:
                    async with asyncio.timeout(seconds):
                        bus = await stack.enter_async_context(connect(self.address, **options))
                except TimeoutError:
                    reason = warning.text or "no answer"
                    raise CommandError(f"no connection to {self} within {seconds:g} s: {reason}") from None
                try:
                    yield bus
                except BrokenPipeError:
                    raise
                except NATS_ERRORS as error:
                    raise CommandError(f"{self}: {warning.text or text_of(error)}") from None


def server_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options to a command, which receives a `Server` as the argument `server`."""

    @click.option(
        "--server",
        "address",
        default="nats://127.0.0.1:4222",
        envvar="KALSHI_FIX_BUS",
        show_default=True,
        help="Address of the NATS server. KALSHI_FIX_BUS replaces the default.",
    )
    @click.option(
        "--creds",
        type=click.Path(path_type=Path, exists=True),
        envvar="KALSHI_FIX_BUS_CREDS",
        help="File with the credentials of a NATS user.",
    )
    @wraps(command)
    def with_server(*, address: str, creds: Path | None, **others: Any) -> None:
        command(server=Server(address, creds), **others)

    return with_server


class _LastWarning(logging.Handler):
    """Keeps the text of the last warning from the bus."""

    text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text = record.getMessage()
