"""`kalshi-fix venue`: the simulated Kalshi, to be talked to from another program."""

from __future__ import annotations

import contextlib
import shlex
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import click

from kalshi_fix_adapters.cli.failures import CommandError, told_plainly
from kalshi_fix_adapters.cli.terminal import Screen, plain
from kalshi_fix_adapters.cli.venue_do import do
from kalshi_fix_adapters.config.environment import export_lines
from kalshi_fix_adapters.testing import MARKETS, Sandbox
from kalshi_fix_adapters.venue.control import FOLDER_PREFIX, FOLDER_VARIABLE, ControlServer
from kalshi_fix_adapters.venue.server import all_ports
from kalshi_fix_sansio import PRODUCTS, SESSION_TYPES

OWNER = "you"
ENVIRONMENT_FILE = "env.sh"


@click.group(invoke_without_command=True)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where to put the CA, the keys and env.sh; a temporary folder by default. Removed again at the end.",
)
@click.option(
    "--first-port",
    type=click.IntRange(1, 65535 - len(all_ports()) + 1),
    help="Listen on this port and the ones after it; on any free ports by default.",
)
@click.pass_context
def venue(context: click.Context, folder: Path | None, first_port: int | None) -> None:
    """Run the simulated Kalshi on loopback TLS ports until Ctrl-C. A second Ctrl-C ends it at once.

    It makes a certificate authority and API keys of its own and prints the variables that clients need.
    What is traded there is gone when it ends. While it runs, `kalshi-fix venue do` pauses it, settles its
    markets, cuts its connections and more.
    """
    if context.invoked_subcommand is not None:
        return
    ports = None if first_port is None else {key: first_port + i for i, key in enumerate(all_ports())}
    with (
        told_plainly(),
        _folder(folder) as chosen,
        Sandbox((OWNER,), ports=ports) as sandbox,
        _files(sandbox, chosen) as exports,
        _control(sandbox, chosen),
    ):
        _announce(sandbox, chosen, exports)
        with contextlib.suppress(KeyboardInterrupt):
            _until_stopped()


@contextlib.contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix=FOLDER_PREFIX) as temporary:
        yield Path(temporary)


@contextlib.contextmanager
def _files(sandbox: Sandbox, folder: Path) -> Iterator[list[str]]:
    """Write what clients need into a folder for a while; yields the lines that set their variables."""
    try:
        keys = sandbox.write_files(folder, OWNER)
        exports = _exports(sandbox, folder, keys)
        (folder / ENVIRONMENT_FILE).write_text("\n".join(exports) + "\n")
    except FileExistsError as error:
        raise CommandError(
            f"{error.filename} exists already; choose another --folder, or delete it"
        ) from None
    try:
        yield exports
    finally:
        with _uninterrupted():
            for path in (
                *(path for files in keys.values() for _, path in files),
                Sandbox.ca_path(folder),
                folder / ENVIRONMENT_FILE,
            ):
                path.unlink(missing_ok=True)


@contextlib.contextmanager
def _control(sandbox: Sandbox, folder: Path) -> Iterator[None]:
    """Take operations from other processes for a while."""
    try:
        channel = ControlServer(sandbox.server, folder).__enter__()
    except FileExistsError as error:
        raise CommandError(
            f"{error.filename} exists already; choose another --folder, or delete it"
        ) from None
    try:
        yield
    finally:
        with _uninterrupted():
            channel.__exit__()


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Have Ctrl-C wait for the end of a short block: no key is left behind by impatience."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _exports(sandbox: Sandbox, folder: Path, keys: dict[str, list[tuple[str, Path]]]) -> list[str]:
    exports = [f"export {FOLDER_VARIABLE}={shlex.quote(str(folder.absolute()))}"]
    for product, ((key_id, path), *more) in keys.items():
        exports += export_lines(
            product,
            {
                "KEY_ID": key_id,
                "PRIVATE_KEY_PATH": path.absolute(),
                "FIX_ENDPOINTS": sandbox.endpoints(product),
                "FIX_CA_FILE": Sandbox.ca_path(folder).absolute(),
            },
        )
        exports += [
            f"# one more key, for a second connection: {key_id} {path.absolute()}" for key_id, path in more
        ]
    return exports


def _announce(sandbox: Sandbox, folder: Path, exports: list[str]) -> None:
    screen = Screen()
    listening = {key: str(sandbox.server.port(*key)) for key in all_ports()}
    screen.table(
        f"The simulated Kalshi listens on {sandbox.server.host} until Ctrl-C",
        ["session type", *(f"{product} port" for product in PRODUCTS)],
        [
            [session, *(listening.get((product, session), "-") for product in PRODUCTS)]
            for session in SESSION_TYPES
        ],
    )
    markets = [
        f"{product} markets: {', '.join(market.rules.ticker for market in markets)}"
        for product, markets in MARKETS.items()
    ]
    command = f"source {folder.absolute() / ENVIRONMENT_FILE}"
    hint = ("", "In another shell, run the next line, or paste what follows it:", "", command, "")
    screen.lines([plain(line) for line in (*markets, *hint, *exports)])
    screen.flush()


def _until_stopped() -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    threading.Event().wait()


venue.add_command(do)
