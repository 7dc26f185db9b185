"""`kalshi-fix venue`: serve the simulated Kalshi to other programs."""

from __future__ import annotations

import contextlib
import errno
import shlex
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Unpack

import click

from kalshi_fix_adapters.cli.kit.failures import CommandError, converting_errors
from kalshi_fix_adapters.cli.kit.terminal import Screen, plain
from kalshi_fix_adapters.config.environment import export_lines
from kalshi_fix_sansio import PRODUCTS, SESSION_TYPES
from kalshi_fix_venue.cli.do import do
from kalshi_fix_venue.cli.input_log import replay_input_log
from kalshi_fix_venue.cli.scenario import (
    ScenarioOptions,
    check,
    chosen_scenario,
    scenario_options,
    schema,
)
from kalshi_fix_venue.cli.simulate import simulate
from kalshi_fix_venue.control import (
    FOLDER_PREFIX,
    FOLDER_VARIABLE,
    ControlServer,
    check_private,
    find_control_file,
)
from kalshi_fix_venue.exchange import MarketRules
from kalshi_fix_venue.input_log import InputLog
from kalshi_fix_venue.operations import OPERATIONS
from kalshi_fix_venue.server import all_ports
from kalshi_fix_venue.testing import Sandbox

ENVIRONMENT_FILE = "env.sh"
FIRST_PORT = 8228
"""The first of the default ports; the Containerfile exposes all of them."""
_LAST_PORT = FIRST_PORT + len(all_ports()) - 1
WEB_PORT = _LAST_PORT + 1
"""The default port of the web page."""
MAX_LISTED = 20
"""Maximum number of markets, and of owners, listed when the venue starts; further ones are only counted."""


class _Venue(click.Group):
    """Suggests `venue do NAME` for the name of an operation."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] in OPERATIONS:
            ctx.fail(f"{args[0]!r} is an operation; run: kalshi-fix venue do {args[0]}")
        return super().resolve_command(ctx, args)


@click.group(cls=_Venue, invoke_without_command=True)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the CA, the keys and env.sh, created if missing; by default a new temporary folder. "
    "Other users must not have write access to it. The files are removed at the end.",
)
@click.option(
    "--first-port",
    type=click.IntRange(1, 65535 - len(all_ports()) + 1),
    help=f"Listen on this port and the following ones; by default on {FIRST_PORT} to {_LAST_PORT}, or on any "
    "free ports if another program is using these.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Listen on this address of the machine. Use 0.0.0.0 in a container.",
)
@scenario_options
@click.option(
    "--input-log",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the venue's input, without secrets, to this new file; `kalshi-fix venue replay` replays it.",
)
@click.option(
    "--web",
    type=click.IntRange(1, 65535),
    is_flag=False,
    flag_value=WEB_PORT,
    help="Serve a web page with books, orders, messages and operations on this port of 127.0.0.1. Without a "
    f"number the port is {WEB_PORT}, or any free port if {WEB_PORT} is in use. Needs the extra `web`.",
)
@click.pass_context
def venue(
    context: click.Context,
    folder: Path | None,
    first_port: int | None,
    host: str,
    input_log: Path | None,
    web: int | None,
    **scenario_choices: Unpack[ScenarioOptions],
) -> None:
    """Run the simulated Kalshi on loopback TLS ports until Ctrl-C. A second Ctrl-C ends it at once.

    It creates a certificate authority, API keys, and the shell file env.sh with the variables that clients
    need. `source "$(kalshi-fix venue env)"` sets them in another shell. If the output is a pipe, the
    variables are also printed.

    Orders and positions are lost when the venue ends. While it runs, `kalshi-fix venue do` pauses it, settles
    its markets, cuts its connections and more. Exit status: 130 after Ctrl-C, 0 after SIGTERM or SIGHUP, 1 if
    it cannot run.
    """
    if context.invoked_subcommand is not None:
        return
    ports = {key: (first_port or FIRST_PORT) + i for i, key in enumerate(all_ports())}
    with (
        converting_errors(),
        _folder(folder) as venue_folder,
        contextlib.nullcontext() if input_log is None else InputLog(input_log) as log,
        _start(
            Sandbox(scenario=chosen_scenario(**scenario_choices), ports=ports, input_log=log, host=host),
            may_use_free_ports=first_port is None,
        ) as sandbox,
        _files(sandbox, venue_folder) as environments,
        _control(sandbox, venue_folder) as channel,
        _page(sandbox, channel, web) as address,
    ):
        _announce(sandbox, environments, address)
        _wait_for_signal()


@contextlib.contextmanager
def _start(sandbox: Sandbox, *, may_use_free_ports: bool) -> Iterator[Sandbox]:
    """Start a venue. With `may_use_free_ports`, use any free ports if its configured ones are in use."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(sandbox)
        except OSError as error:
            if not may_use_free_ports or error.errno != errno.EADDRINUSE:
                raise
            sandbox.server.use_free_ports()
            stack.enter_context(sandbox)
        yield sandbox


@contextlib.contextmanager
def _folder(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        # A new folder is readable by this user only. A folder of another user is refused, even if it was
        # created immediately before `mkdir`.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_private(folder)
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix=FOLDER_PREFIX) as temporary:
        yield Path(temporary)


@contextlib.contextmanager
def _files(sandbox: Sandbox, folder: Path) -> Iterator[list[tuple[Path, list[str]]]]:
    """Write the files that clients need, and remove them at the end. Each owner except the first gets a
    subfolder.

    Yields the shell file of each owner, with its lines."""
    environments: list[tuple[Path, list[str]]] = []
    removals = contextlib.ExitStack()
    try:
        for number, owner in enumerate(sandbox.scenario.owners):
            subfolder = folder / owner if number else folder
            if number:
                subfolder.mkdir(parents=True)
                removals.callback(_remove_if_empty, subfolder)
            keys = sandbox.write_files(subfolder, owner)
            environment = subfolder / ENVIRONMENT_FILE
            paths = (path for files in keys.values() for _, path in files)
            for path in (Sandbox.ca_path(subfolder), *paths):
                removals.callback(path.unlink, missing_ok=True)
            exports = _exports(sandbox, folder, subfolder, keys)
            with environment.open("x") as file:
                file.write("\n".join(exports) + "\n")
            removals.callback(environment.unlink, missing_ok=True)
            environments.append((environment, exports))
        yield environments
    except FileExistsError as error:
        raise _file_exists_error(error) from None
    finally:
        with _ignore_interrupts():
            removals.close()


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


@contextlib.contextmanager
def _control(sandbox: Sandbox, folder: Path) -> Iterator[ControlServer]:
    """Serve the control channel, through which other processes run operations, while the context is
    active."""
    try:
        channel = ControlServer(sandbox.server, folder).__enter__()
    except FileExistsError as error:
        raise _file_exists_error(error) from None
    try:
        yield channel
    finally:
        with _ignore_interrupts():
            channel.__exit__()


@contextlib.contextmanager
def _page(sandbox: Sandbox, channel: ControlServer, port: int | None) -> Iterator[str | None]:
    """Serve the web page while the context is active, if a port is given; yield the address of the page."""
    if port is None:
        yield None
        return
    try:
        from kalshi_fix_venue.web import WebServer
    except ModuleNotFoundError as error:
        raise CommandError(f"--web needs {error.name}: pip install 'kalshi-fix-venue[web]'") from None
    with contextlib.ExitStack() as stack:
        try:
            page = stack.enter_context(WebServer(sandbox.server, channel, port))
        except OSError as error:
            if port != WEB_PORT or error.errno != errno.EADDRINUSE:
                raise
            page = stack.enter_context(WebServer(sandbox.server, channel))
        yield page.url


def _file_exists_error(error: FileExistsError) -> CommandError:
    return CommandError(f"{error.filename} already exists; choose another --folder, or delete it")


@contextlib.contextmanager
def _ignore_interrupts() -> Iterator[None]:
    """Ignore Ctrl-C during a short block; a second Ctrl-C could otherwise leave keys undeleted."""
    previous_handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous_handler)


def _exports(
    sandbox: Sandbox, folder: Path, subfolder: Path, keys: dict[str, list[tuple[str, Path]]]
) -> list[str]:
    exports = [f"export {FOLDER_VARIABLE}={shlex.quote(str(folder.absolute()))}"]
    for product, files in keys.items():
        if not files:
            continue
        (key_id, path), *more = files
        exports += export_lines(
            product,
            {
                "KEY_ID": key_id,
                "PRIVATE_KEY_PATH": path.absolute(),
                "FIX_ENDPOINTS": sandbox.endpoints(product),
                "FIX_CA_FILE": Sandbox.ca_path(subfolder).absolute(),
            },
        )
        # Kalshi allows one connection per key, so clients may need more keys. Only this command numbers the
        # variables like this.
        for number, (key_id, path) in enumerate(more, 2):
            further = {f"KEY_ID_{number}": key_id, f"PRIVATE_KEY_PATH_{number}": path.absolute()}
            exports += export_lines(product, further)
    return exports


def _announce(sandbox: Sandbox, environments: list[tuple[Path, list[str]]], address: str | None) -> None:
    screen = Screen()
    ports = {key: str(sandbox.server.port(*key)) for key in all_ports()}
    screen.print_table(
        f"The simulated Kalshi listens on {sandbox.server.host} until Ctrl-C",
        ["session type", *(f"{product} port" for product in PRODUCTS)],
        [
            [session, *(ports.get((product, session), "-") for product in PRODUCTS)]
            for session in SESSION_TYPES
        ],
    )
    markets = [
        [market.rules.ticker, product, _ticks(market.rules)]
        for product, markets in sandbox.scenario.markets.items()
        for market in markets
    ]
    screen.print_table("Markets", ["market", "product", "tick"], markets[:MAX_LISTED])
    if len(markets) > MAX_LISTED:
        screen.print_lines([plain(f"and {len(markets) - MAX_LISTED} more")])
    if address is not None:
        screen.print_text(["", "In a browser, open this address, whose last part is a secret:", "", address])
    (first, exports), *others = environments
    command = _source(first)
    if screen.is_terminal:
        hint = ["", "In another shell, run this line:", "", command]
    else:
        hint = [
            "",
            "In another shell, run the next line, or paste the lines after it:",
            "",
            command,
            "",
            *exports,
        ]
    if others:
        files = [path for path, _ in others]
        hint += ["", "The other owners:", "", *map(_source, files[:MAX_LISTED])]
        hint += [f"# and {len(files) - MAX_LISTED} more"] if len(files) > MAX_LISTED else []
    screen.print_text(hint)
    screen.flush()


def _source(environment: Path) -> str:
    """Return the line that sets an owner's variables in a shell."""
    return f"source {shlex.quote(str(environment.absolute()))}"


def _ticks(rules: MarketRules) -> str:
    """Return the tick of a market in dollars, and the finer ticks of its outer price ranges, if any."""
    edges = [f"{edge.step} from {edge.start} to {edge.end}" for edge in rules.edges]
    return "; ".join([str(rules.tick), *edges])


def _wait_for_signal() -> None:
    """Return on SIGTERM, which stops a container, or on SIGHUP, when the terminal is closed; Ctrl-C raises
    KeyboardInterrupt."""
    stopped = threading.Event()
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        # `nohup` ignores SIGHUP, which keeps the venue running.
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: stopped.set())
    stopped.wait()


@click.command()
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the venue. By default that of the only venue running in a temporary folder.",
)
def env(folder: Path | None) -> None:
    """Print the path of the env.sh of a running venue.

    In bash, `source "$(kalshi-fix venue env)"` sets the variables that its clients need. The exit status is 1
    if no venue is running, or several are.
    """
    with converting_errors():
        # The folder named by the environment is ignored: it may belong to an earlier venue.
        path = find_control_file(folder, {}).parent / ENVIRONMENT_FILE
    screen = Screen()
    screen.print_text([str(path.absolute())])
    screen.flush()


for _command in (do, env, check, replay_input_log, schema, simulate):
    venue.add_command(_command)
