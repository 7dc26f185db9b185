"""`kalshi-fix bus`: shows operators the messages that session processes publish to NATS."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Final

import click

from kalshi_fix_adapters.cli.kit.bus_server import Server, server_options
from kalshi_fix_adapters.cli.kit.failures import CommandError, converting_errors
from kalshi_fix_adapters.cli.kit.steps import print_step, step
from kalshi_fix_adapters.cli.kit.terminal import Screen, pluralize, print_stderr, printable
from kalshi_fix_adapters.cli.kit.values import choice_option
from kalshi_fix_adapters.cli.logs import filters
from kalshi_fix_adapters.cli.logs.decode import Output, form_options
from kalshi_fix_adapters.cli.logs.decoding import Decoder, Form, OutputOptions
from kalshi_fix_adapters.cli.logs.render import time_text
from kalshi_fix_adapters.logs.reader import LogReader

if TYPE_CHECKING:
    from kalshi_fix_adapters.bus_nats import Bus
    from kalshi_fix_adapters.bus_nats.operators import BusMessage, PublisherState, StreamState

_REQUIRED_PERMISSIONS: Final = {
    "reader": ("read",),
    "sender": ("read", "send"),
    "session": ("read", "publish", "serve"),
}
"""The permissions that each role needs."""
_PERMISSIONS: Final = {
    "read": "read events",
    "publish": "publish events",
    "send": "send commands",
    "serve": "answer commands",
}
CLOCK_MARGIN: Final = 0.5
"""A warning is printed if this host's clock differs from the server's by at least this number of seconds.
Session processes may refuse commands from a host with such a clock.
"""
MIN_SERVER_VERSION: Final = (2, 9)
"""The oldest supported version of the NATS server."""
_timeout = click.option(
    "--timeout", type=float, default=10.0, show_default=True, help="Seconds to wait for the server."
)


@click.group()
def bus() -> None:
    """Show and check the messages that session processes publish to NATS.

    The environment variable KALSHI_FIX_BUS can contain the address of the server. If the address begins with
    tls://, the connection uses TLS.
    """


@bus.command()
@click.argument("subject", default="kalshi.>")
@form_options
@filters.field_options
@click.option(
    "--since", type=filters.TIME_BOUND, help="Begin at this time in UTC, such as 14:30 or 2026-11-21."
)
@click.option("--once", is_flag=True, help="Print the stored messages, and exit.")
@_timeout
@server_options
def tail(
    server: Server,
    subject: str,
    form: Form | None,
    patterns: filters.Patterns,
    since: filters.TimeBound | None,
    once: bool,
    timeout: float,
) -> None:
    """Print the messages on SUBJECT, and wait for new ones.

    FIX messages have the format of `kalshi-fix decode`; session events are printed with their names. SUBJECT
    may contain the wildcards * and >, or be a channel name such as demo.prediction.KalshiRT.desk. The printed
    time is the time at which the server stored the message. Without --since, only new messages are printed;
    with --once, all stored messages are printed. Exit status: 0 if all messages were valid, 1 if one had
    problems, 3 if no message was found, 130 after Ctrl-C.
    """
    options = OutputOptions(form or Form.BRIEF, filters.Filters(patterns), on_terminal=sys.stdout.isatty())
    printer = _Printer(options)
    if isinstance(since, time):
        since = datetime.combine(datetime.now(UTC), since, UTC)
    if not subject.startswith("kalshi."):
        subject = f"kalshi.{subject}.>"

    async def run() -> None:
        async with server.connect(timeout) as connected:
            async for message in connected.tail(subject, since=since, follow=not once):
                printer.print(message)

    with converting_errors():
        asyncio.run(run())
    sys.exit(printer.finish())


class _Printer:
    """Prints the messages of the bus."""

    def __init__(self, options: OutputOptions) -> None:
        self._options = options
        self._decoder, self._reader = Decoder(options), LogReader()
        self._output, self._screen = Output(options, titled=False), Screen()
        self._events = 0

    def print(self, message: BusMessage) -> None:
        """Print the content of a message."""
        message_id = message.id
        if message_id is None:
            print_stderr(f"message {message.sequence} on {message.subject} was not written by this library")
        elif message_id.event:
            self._print_event(message)
        else:
            # Formatted as lines of a wire log, which `LogReader` reads. The parts of a large message form one
            # line.
            origin = b"" if message_id.part > 1 else f"{time_text(message.time)} received ".encode()
            lines = message.data.replace(b"\x018=FIXT", b"\x01\n" + origin + b"8=FIXT")
            end = b"\n" if message_id.part == message_id.parts else b""
            self._output.add(self._decoder.decode_batch(self._reader.feed(origin + lines + end)))

    def _print_event(self, message: BusMessage) -> None:
        if self._options.filters.any:
            return
        self._events += 1
        name, text = message.subject.rpartition(".")[2], message.data.decode("utf-8", "backslashreplace")
        if self._options.form is Form.JSON:
            self._screen.print_text(
                [json.dumps({"time": message.time.isoformat(), "event": name, "fields": text})]
            )
        else:
            self._screen.print_lines(
                [(("dim", f"{time_text(message.time)} - "), ("bold", name), ("", f" {printable(text)}"))]
            )
        self._screen.flush()

    def finish(self) -> int:
        """Return the exit status."""
        return 0 if self._events and not self._output.message_count else self._output.finish()


@bus.command()
@_timeout
@server_options
def lag(server: Server, timeout: float) -> None:
    """Print the lag of each publisher and each consumer.

    For each publisher, the table shows the age of its last message, and the delay from the venue's
    SendingTime in this message until the NATS server stored it. The delay includes the difference between the
    clocks of the venue and of the server. For each consumer, the table shows the number of messages that it
    has not yet received. The NATS user needs permission to list consumers.
    """

    async def run() -> None:
        async with server.connect(timeout) as connected:
            consumers, publishers = await connected.consumers(), await connected.publishers()
        screen, now = Screen(), datetime.now(UTC)
        rows = [
            (
                str(each.channel),
                "-" if each.last is None else f"{(now - each.last.time).total_seconds():.0f}",
                "-" if each.last is None or each.last.delay is None else f"{each.last.delay:.3f}",
            )
            for each in publishers
        ]
        screen.print_table("Publishers", ("Channel", "Last message, s ago", "Delay, s"), rows)
        consumer_rows = [
            (each.name, each.subject, str(each.pending), "yes" if each.is_waiting else "no")
            for each in consumers
        ]
        screen.print_table("Consumers", ("Process", "Subject", "Behind", "Waiting"), consumer_rows)
        screen.flush()

    with converting_errors():
        asyncio.run(run())


@bus.command()
@choice_option(
    "--role",
    choices=_REQUIRED_PERMISSIONS,
    default="reader",
    text="Task of the NATS user: read events, send orders through a session, or run a session.",
)
@click.option(
    "--channel", metavar="CHANNEL", help="Channel whose permissions are tested. Default: the first channel."
)
@_timeout
@server_options
def check(server: Server, role: str, channel: str | None, timeout: float) -> None:
    """Check the server, JetStream, stream, permissions, clock, retention and publishers step by step, and
    print the remedy if a step fails.

    Nothing is published, and no order is sent. Exit status: 0 if no step failed, otherwise 1.
    """
    with converting_errors():
        asyncio.run(_check(server, role, channel, timeout))


async def _check(server: Server, role: str, channel: str | None, seconds: float) -> None:
    async with contextlib.AsyncExitStack() as stack:
        with step("server"):
            connected = await stack.enter_async_context(server.connect(seconds))
            version = ".".join(map(str, connected.server_version))
            if connected.server_version < MIN_SERVER_VERSION:
                raise CommandError(f"version {version} is too old; the bus needs 2.9 or later")
        print_step("server", "ok", f"version {version} at {server}")
        with step("stream"):
            stream = await connected.stream()
        size = f"{pluralize(stream.messages, 'message')}, {_gib(stream.size)}"
        print_step("stream", "ok", f"JetStream has the stream KALSHI and its key-value store; {size}")
        publishers = await connected.publishers()
        names = [channel] if channel is not None else [str(each.channel) for each in publishers]
        may_send = await _check_permissions(connected, role, (names or ["demo.prediction.KalshiMD.desk"])[0])
        _check_retention(stream)
        states = await connected.publishers(may_send=may_send)
    for each in states:
        _check_publisher(each)
    if not states:
        print_step(
            "publisher", "warning", "no process has published yet; start a process that calls Bus.publish"
        )


async def _check_permissions(connected: Bus, role: str, channel: str) -> bool:
    with step("permissions"):
        try:
            permissions = await connected.permissions(channel)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        missing = [
            _PERMISSIONS[each] for each in _REQUIRED_PERMISSIONS[role] if not getattr(permissions, each)
        ]
        if missing:
            raise CommandError(
                f"a {role} must be allowed to {' and '.join(missing)} on {channel}; see docs/how-to/nats.conf"
            )
        if permissions.captured:
            raise CommandError("a stream stores kalshi-commands.>; stored orders could be delivered late")
    granted = [text for name, text in _PERMISSIONS.items() if getattr(permissions, name)]
    print_step("permissions", "ok", f"may {', '.join(granted)} on {channel}")
    offset = permissions.clock_ahead or 0.0
    is_ok = abs(offset) < CLOCK_MARGIN
    text = f"{abs(offset):.3f} s {'ahead of' if offset > 0 else 'behind'} the server's"
    print_step("clock", "ok" if is_ok else "warning", text if is_ok else f"{text}; synchronize it with NTP")
    return permissions.send


def _check_retention(stream: StreamState) -> None:
    age = f" for {stream.max_age / 3600:g} hours" if stream.max_age else ""
    size = f" up to {_gib(stream.max_bytes)}" if stream.max_bytes >= 0 else ""
    text = f"events are kept{age}{size}, on {pluralize(stream.replicas, 'server')}"
    advice = ""
    if not stream.drops_oldest:
        advice = "; publishing fails at the limit; set the stream to discard its oldest messages"
    elif 0 < stream.max_bytes < stream.size * 1.1:
        advice = "; the size limit drops messages before they reach this age; raise max_bytes in Bus.create"
    print_step("retention", "warning" if advice else "ok", text + advice)


def _check_publisher(state: PublisherState) -> None:
    texts = {True: "; commands are answered", False: "; no process answers commands now", None: ""}
    commands = texts[state.answers_commands]
    if state.last is None:
        print_step("publisher", "warning", f"{state.channel}: the stream has no message{commands}")
        return
    seconds = (datetime.now(UTC) - state.last.time).total_seconds()
    is_newest = state.last.id is not None and state.last.id.fence == state.fence
    text = f"{state.channel}: last message {seconds:.0f} s ago"
    if not is_newest:
        text += ", not from the newest publisher"
    is_ok = is_newest and state.answers_commands is not False
    print_step("publisher", "ok" if is_ok else "warning", text + commands)


def _gib(size: int) -> str:
    return f"{size / 1024**3:.3g} GiB" if size >= 1024**3 else f"{size / 1024**2:.3g} MiB"
