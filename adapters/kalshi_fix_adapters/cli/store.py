"""`kalshi-fix store`: whose numbers a store's file holds, where they stand, and what is not answered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import attrs
import click

from kalshi_fix_adapters.cli.failures import told_plainly
from kalshi_fix_adapters.cli.terminal import Line, Screen, printable
from kalshi_fix_adapters.store_sqlite import StoreSummary, read_summary
from kalshi_fix_sansio import DIALECT
from kalshi_fix_sansio.outcomes import OpenRequest
from kalshi_fix_sansio.session import StoredMessage

_LABEL_WIDTH = 30


@click.command()
@click.argument("file")
@click.option("--json", "as_object", is_flag=True, help="Print one JSON object.")
def store(file: str, as_object: bool) -> None:
    """Print what a message store FILE holds: whose it is, its sequence numbers, what it keeps for resend, and
    the requests that were sent and have no known outcome.

    FILE may be in use by a running session: it is only read, as of that session's last commit. The messages
    themselves are not shown. The exit status is 1 if the file is no store, damaged or cannot be read.
    """
    with told_plainly():
        summary = read_summary(file)
    screen = Screen()
    if as_object:
        screen.text([json.dumps(_as_json(summary))])
        return
    screen.lines(list(_lines(summary)))
    if summary.open_requests:
        rows = [
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
            rows,
        )


def _lines(summary: StoreSummary) -> Iterator[Line]:
    yield (("bold", printable(str(summary.owner))),)
    yield _line("next number to send", str(summary.next_outgoing))
    yield _line("next number from the peer", str(summary.next_incoming))
    unanswered = "not answered: the next logon resets again" if summary.reset_unanswered else "none is open"
    yield _line("reset", unanswered)
    yield _line("kept for resend", _kept(summary))
    yield _line("open requests", str(len(summary.open_requests) or "none"))


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
    }


def _message_as_json(message: StoredMessage | None) -> dict[str, Any] | None:
    if message is None:
        return None
    return {"seq_num": message.seq_num, "sent_at": message.sent_at.isoformat()}
