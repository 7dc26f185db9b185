"""`kalshi-fix store`: `show` prints the owner, sequence numbers, open requests and user rows of message
stores; `migrate` moves a store to another key.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
import click

from kalshi_fix_adapters.cli.kit.failures import CommandError, converting_errors
from kalshi_fix_adapters.cli.kit.terminal import (
    HIDDEN,
    Line,
    Screen,
    StatusLine,
    plain,
    pluralize,
    print_stderr,
    printable,
)
from kalshi_fix_adapters.config.stores import is_url, stores_at
from kalshi_fix_adapters.store_sqlite import StoreSummary, migrate_store, read_summary
from kalshi_fix_sansio import DIALECT
from kalshi_fix_sansio.errors import StoreError
from kalshi_fix_sansio.events import OpenRequest
from kalshi_fix_sansio.session import StoredMessage

_LABEL_WIDTH = 30
MAX_VALUE: Final = 300
"""Maximum length of a row's value in the output, in characters; longer values are truncated."""
_SECRET_FIELDS: Final = [field for field in DIALECT.fields.values() if field.secret]
_SECRET_NAMES: Final = frozenset(
    name.lower() for field in _SECRET_FIELDS for name in (field.attribute, field.name, str(field.tag))
)
_SECRET_WORDS: Final = ("password", "passphrase", "privatekey", "secret", "token")
"""The user chooses the names in rows, so values whose names contain one of these words are hidden too."""
_SECRET_IN_FRAME: Final = re.compile(
    rf"((?:^|[\x01|])0*(?:{'|'.join(str(field.tag) for field in _SECRET_FIELDS)})=)[^\x01|]*"
)

# The account is part of a store's name, but not of its content. Frames may contain signatures. The key of a
# request has a meaning only within the store.
_JSON_FILTER: Final = attrs.filters.exclude("account", "frame", "key")


class _StoreGroup(click.Group):
    """A group with `show` as its default subcommand."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, *self.get_help_option_names(ctx)):
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_StoreGroup, subcommand_metavar="[show] PATH|URL | migrate FILE|URL [OPTIONS]...")
def store() -> None:
    """Show message stores, or move one to another API key.

    `kalshi-fix store PATH` is short for `kalshi-fix store show PATH`.
    """


@store.command()
@click.argument("location", metavar="PATH|URL")
@click.option(
    "--json",
    "as_object",
    is_flag=True,
    help="Print a JSON object; for a folder or a URL, one entry per store.",
)
@click.option(
    "--rows",
    type=click.IntRange(0),
    default=5,
    show_default=True,
    help="Maximum number of your rows to print. The rows with the last keys are printed.",
)
def show(location: str, as_object: bool, rows: int) -> None:
    """Print the contents of a message store, or of each store in a folder or at a URL.

    The output contains the owner, the sequence numbers, the messages kept for resend, the sent requests
    without a known outcome, and the rows that your program has written. Rows have no timestamps. If their
    keys begin with a time or an ExecID, the last rows are the newest. Messages, and secrets in rows, are not
    shown.

    The file is only read, so a running session may be using it; the output shows the store as of the last
    commit. Exit status: 1 if there is no store, or if a store is damaged or cannot be read.
    """
    with converting_errors():
        if not is_url(location) and not Path(location).is_dir():
            summary = _read_with_status(partial(read_summary, location, rows=rows))
            if as_object:
                _print_object(_as_json(summary))
            else:
                _print_tables(summary)
            return
        stores = stores_at(location)
        names = stores.names()
    if not names:
        raise CommandError(f"{stores} contains no store; a client with the option `store` creates one")
    summaries: dict[str, StoreSummary] = {}
    failed = False
    for name in names:
        try:
            summaries[name] = _read_with_status(partial(stores.summary, name, rows=rows))
        except StoreError as error:
            failed = True
            print_stderr(str(error))
    if as_object:
        _print_object({name: _as_json(summary) for name, summary in summaries.items()})
    else:
        for name, summary in summaries.items():
            _print_tables(summary, (("bold", printable(name)),))
    if failed:
        sys.exit(1)


@store.command()
@click.argument("location", metavar="FILE|URL")
@click.option("--store", "name", metavar="NAME", help="Name of the store, if it is at a URL.")
@click.option("--key-id", metavar="ID", help="Id of the account's new API key.")
@click.option("--account", metavar="NAME", help="New name of the store: the `account` option of its client.")
def migrate(location: str, name: str | None, key_id: str | None, account: str | None) -> None:
    """Move the store FILE, or a store at a URL, to another API key or to a named account.

    Your rows and the open requests are kept. Sequence numbers belong to the key. With another key, they
    restart at 1, and the outcomes of the open requests are reported as unknown. The store is renamed. First
    close every session that uses the store.
    """
    if is_url(location) is (name is None):
        raise click.UsageError("--store is required with a URL, and not allowed with a file")
    if (key_id is None) is (account is None):
        raise click.UsageError("specify either --key-id or --account")
    with converting_errors():
        new: Path | str
        if name is None:
            new = migrate_store(location, key_id=key_id, account=account)
            summary = read_summary(new)
        else:
            stores = stores_at(location)
            new = stores.migrate(name, key_id=key_id, account=account)
            summary = stores.summary(new)
    rows, requests = (
        pluralize(summary.rows, "user row"),
        pluralize(len(summary.open_requests), "open request"),
    )
    screen = Screen()
    screen.print_lines([plain(f"{new} contains {rows} and {requests}, and belongs to {summary.owner}")])
    screen.flush()


def _read_with_status(read: Callable[..., StoreSummary]) -> StoreSummary:
    """Read and check a store; meanwhile show the elapsed time on a terminal."""
    started = time.monotonic()
    with StatusLine() as line:

        def show_time() -> None:
            if line.is_due():
                line.show(f"reading and checking the store: {time.monotonic() - started:.0f} s")

        return read(on_progress=show_time)


def _print_object(value: dict[str, Any]) -> None:
    Screen().print_text([json.dumps(value)])


def _print_tables(summary: StoreSummary, *heading: Line) -> None:
    screen = Screen()
    screen.print_lines([*heading, *_lines(summary)])
    if summary.open_requests:
        requests = [
            (
                request.request_id,
                _message_name(request),
                str(request.seq_num),
                _format_time(request.sent_at),
                "unknown" if request.uncertain else "pending",
            )
            for request in summary.open_requests
        ]
        screen.print_table(
            "Open requests (outcome unknown), oldest first",
            ("Request", "Message", "MsgSeqNum", "Sent at (UTC)", "Answer"),
            requests,
        )

    if summary.last_rows:
        screen.print_lines([(("bold", "User rows, last key first"),)])
        screen.print_lines([row for key, text in summary.last_rows for row in _row_lines(key, text)])


def _row_lines(key: str, text: str) -> Iterator[Line]:
    value_text = json.dumps(_value(key, text), ensure_ascii=False)
    ellipsis = f"... ({len(value_text):,} characters)" if len(value_text) > MAX_VALUE else ""
    yield ("", "  "), ("cyan", printable(key)), ("", f"  {printable(value_text[:MAX_VALUE])}{ellipsis}")


def _value(key: str, text: str) -> Any:
    """Return the content of a row, without secrets. Text that is not JSON was written by another program."""
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    return _without_secrets(value, key)


def _without_secrets(value: Any, name: str = "") -> Any:
    """Return a row's value with its secrets hidden. A secret is recognized by its name or by its format."""
    lower_name = name.lower()
    if lower_name in _SECRET_NAMES or any(word in lower_name.replace("_", "") for word in _SECRET_WORDS):
        return HIDDEN
    if isinstance(value, dict):
        return {key: _without_secrets(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_secrets(item) for item in value]
    if isinstance(value, str):
        return HIDDEN if "-----BEGIN" in value else _SECRET_IN_FRAME.sub(rf"\1{HIDDEN}", value)
    return value


def _lines(summary: StoreSummary) -> Iterator[Line]:
    yield (("bold", printable(str(summary.owner))),)
    yield _line("next number to send", str(summary.next_outgoing))
    yield _line("next number from the peer", str(summary.next_incoming))
    unanswered = "unanswered: the next logon resets again" if summary.reset_unanswered else "none pending"
    yield _line("reset", unanswered)
    yield _line("kept for resend", _kept_messages(summary))
    yield _line("open requests", str(len(summary.open_requests) or "none"))
    rows = f"{summary.rows:,} ({summary.row_bytes:,} bytes)" if summary.rows else "none"
    yield _line("user rows", rows)


def _line(label: str, value: str) -> Line:
    return (("cyan", f"  {label}".ljust(_LABEL_WIDTH)), ("", value))


def _kept_messages(summary: StoreSummary) -> str:
    if summary.oldest is None or summary.newest is None:
        return "no message"
    messages = "1 message" if summary.kept == 1 else f"{summary.kept} messages"
    return f"{messages}, {_message_text(summary.oldest)} to {_message_text(summary.newest)}"


def _message_text(message: StoredMessage) -> str:
    return f"{message.seq_num} ({_format_time(message.sent_at)})"


def _message_name(request: OpenRequest) -> str:
    layout = DIALECT.messages.get(request.msg_type)
    return request.msg_type if layout is None else f"{layout.name} ({request.msg_type})"


def _format_time(time_utc: datetime) -> str:
    return time_utc.strftime("%Y-%m-%d %H:%M:%S")


def _as_json(summary: StoreSummary) -> dict[str, Any]:
    data = attrs.asdict(summary, filter=_JSON_FILTER, value_serializer=_json_value)
    return data | {"last_rows": {key: _value(key, text) for key, text in summary.last_rows}}


def _json_value(_instance: Any, _field: Any, value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
