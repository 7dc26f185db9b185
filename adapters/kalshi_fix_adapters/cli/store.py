"""`kalshi-fix store`: whose numbers a store's file holds, where they stand, what is not answered, and the
rows of the user's journal."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import attrs
import click

from kalshi_fix_adapters.cli.failures import told_plainly
from kalshi_fix_adapters.cli.terminal import Line, Screen, StatusLine, printable
from kalshi_fix_adapters.store_sqlite import StoreSummary, read_summary
from kalshi_fix_sansio import DIALECT
from kalshi_fix_sansio.outcomes import OpenRequest
from kalshi_fix_sansio.session import StoredMessage

_LABEL_WIDTH = 30
HIDDEN: Final = "<hidden>"
MAX_VALUE: Final = 300
"""Characters of a row's value that are printed."""
_SECRET_FIELDS: Final = [field for field in DIALECT.fields.values() if field.secret]
_SECRET_NAMES: Final = frozenset(
    name.lower() for field in _SECRET_FIELDS for name in (field.attribute, field.name, str(field.tag))
)
_SECRET_WORDS: Final = ("password", "passphrase", "privatekey", "secret", "token")
"""A row is the user's own: what he calls so is not shown either."""
_SECRET_IN_FRAME: Final = re.compile(
    rf"((?:^|[\x01|])0*(?:{'|'.join(str(field.tag) for field in _SECRET_FIELDS)})=)[^\x01|]*"
)


@click.command()
@click.argument("file")
@click.option("--json", "as_object", is_flag=True, help="Print one JSON object.")
@click.option(
    "--rows",
    type=click.IntRange(0),
    default=5,
    show_default=True,
    help="Rows of the journal that are printed, the last ones by key.",
)
def store(file: str, as_object: bool, rows: int) -> None:
    """Print what a message store FILE holds: whose it is, its sequence numbers, what it keeps for resend, the
    requests that were sent and have no known outcome, and rows of the client's journal.

    The file has no times of the rows: where keys begin with a time or an ExecID, the last are the newest.
    FILE may be in use by a running session: it is only read, as of that session's last commit. The messages
    themselves are not shown, nor what is secret in a row. The exit status is 1 if the file is no store,
    damaged or cannot be read.
    """
    with told_plainly(), StatusLine() as line:
        summary = read_summary(file, rows=rows, working=_Working(line))
    screen = Screen()
    if as_object:
        screen.text([json.dumps(_as_json(summary))])
        return
    screen.lines(list(_lines(summary)))
    if summary.open_requests:
        requests = [
            (
                request.request_id,
                _name(request),
                str(request.seq_num),
                _moment(request.sent_at),
                "none to come" if request.uncertain else "waited for",
            )
            for request in summary.open_requests
        ]
        screen.table(
            "Open requests (sent, outcome not known), oldest first",
            ("Request", "Message", "MsgSeqNum", "Sent at (UTC)", "Answer"),
            requests,
        )

    if summary.last_rows:
        screen.lines([(("bold", "Rows of the journal, the last ones by key"),)])
        screen.lines([row for key, text in summary.last_rows for row in _row_lines(key, text)])


class _Working:
    """Says that it goes on, and for how long already."""

    def __init__(self, line: StatusLine) -> None:
        self._line = line
        self._begin = time.monotonic()

    def __call__(self) -> None:
        if self._line.is_due():
            self._line.show(f"reading and checking the file: {time.monotonic() - self._begin:.0f} s")


def _row_lines(key: str, text: str) -> Iterator[Line]:
    shown = json.dumps(_value(key, text), ensure_ascii=False)
    more = f"... ({len(shown):,} characters)" if len(shown) > MAX_VALUE else ""
    yield ("", "  "), ("cyan", printable(key)), ("", f"  {printable(shown[:MAX_VALUE])}{more}")


def _value(key: str, text: str) -> Any:
    """Return what a row holds, without secrets; a text that is no JSON is the work of another program."""
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    return _without_secrets(value, key)


def _without_secrets(value: Any, name: str = "") -> Any:
    """Return a row's value, with what is named as a secret, or looks like one, hidden."""
    plain = name.lower()
    if plain in _SECRET_NAMES or any(word in plain.replace("_", "") for word in _SECRET_WORDS):
        return HIDDEN
    if isinstance(value, dict):
        return {key: _without_secrets(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_secrets(each) for each in value]
    if isinstance(value, str):
        return HIDDEN if "-----BEGIN" in value else _SECRET_IN_FRAME.sub(rf"\1{HIDDEN}", value)
    return value


def _lines(summary: StoreSummary) -> Iterator[Line]:
    yield (("bold", printable(str(summary.owner))),)
    yield _line("next number to send", str(summary.next_outgoing))
    yield _line("next number from the peer", str(summary.next_incoming))
    unanswered = "not answered: the next logon resets again" if summary.reset_unanswered else "none is open"
    yield _line("reset", unanswered)
    yield _line("kept for resend", _kept(summary))
    yield _line("open requests", str(len(summary.open_requests) or "none"))
    rows = f"{summary.rows:,} of {summary.row_bytes:,} bytes" if summary.rows else "none"
    yield _line("rows of the journal", rows)


def _line(label: str, value: str) -> Line:
    return (("cyan", f"  {label}".ljust(_LABEL_WIDTH)), ("", value))


def _kept(summary: StoreSummary) -> str:
    if summary.oldest is None or summary.newest is None:
        return "no message"
    messages = "1 message" if summary.kept == 1 else f"{summary.kept} messages"
    return f"{messages}, {_told(summary.oldest)} to {_told(summary.newest)}"


def _told(message: StoredMessage) -> str:
    return f"{message.seq_num} ({_moment(message.sent_at)})"


def _name(request: OpenRequest) -> str:
    known = DIALECT.messages.get(request.msg_type)
    return request.msg_type if known is None else f"{known.name} ({request.msg_type})"


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def _as_json(summary: StoreSummary) -> dict[str, Any]:
    return {
        "owner": attrs.asdict(summary.owner),
        "next_outgoing": summary.next_outgoing,
        "next_incoming": summary.next_incoming,
        "reset_unanswered": summary.reset_unanswered,
        "oldest_kept": summary.oldest_kept,
        "kept": summary.kept,
        "oldest": _message_as_json(summary.oldest),
        "newest": _message_as_json(summary.newest),
        "open_requests": [
            {
                "request_id": request.request_id,
                "msg_type": request.msg_type,
                "seq_num": request.seq_num,
                "uncertain": request.uncertain,
                "sent_at": request.sent_at.isoformat(),
            }
            for request in summary.open_requests
        ],
        "rows": summary.rows,
        "row_bytes": summary.row_bytes,
        "last_rows": {key: _value(key, text) for key, text in summary.last_rows},
    }


def _message_as_json(message: StoredMessage | None) -> dict[str, Any] | None:
    if message is None:
        return None
    return {"seq_num": message.seq_num, "sent_at": message.sent_at.isoformat()}
