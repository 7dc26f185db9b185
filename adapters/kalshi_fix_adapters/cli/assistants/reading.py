"""The tools that every MCP server of this command has: subcommands that read files. Their output is the same
as on the command line, including the masking of secrets.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from kalshi_fix_adapters.cli.kit.tools import Tool, Workspace, run_subcommand
from kalshi_fix_adapters.cli.logs.decode import decode as decode_command
from kalshi_fix_adapters.cli.logs.replay import replay as replay_command
from kalshi_fix_adapters.cli.logs.trace import trace as trace_command
from kalshi_fix_adapters.cli.spec import spec as spec_command
from kalshi_fix_adapters.cli.store import show

Files = Annotated[list[str], Field(description="Paths of the files; .gz files are decompressed.")]
AsOf = Annotated[
    str | None,
    Field(
        description="Check messages against the dialect of this date (2026-06-30), or of today (latest). "
        "Default: the dialect at each message's SendingTime."
    ),
]
Patterns = Annotated[list[str], Field(description="Only messages that match one of these.")]
TimeBound = Annotated[
    str | None, Field(description="A time in UTC, such as 14:30, 2026-11-21 or 2026-11-21T14:30:05.")
]


def reading_tools(workspace: Workspace) -> Iterable[Tool]:
    """Return the tools that read the files of a workspace."""

    def decode(
        files: Files,
        form: Annotated[
            Literal["brief", "full", "json", "orders", "summary"],
            Field(
                description="brief: a line for each message. full: a line for each field, with its meaning. "
                "json: an object for each message. orders: a line for each order. summary: counts, sequence "
                "gaps, problems and latencies."
            ),
        ] = "brief",
        types: Patterns = [],  # noqa: B006 - it is never changed
        tags: Annotated[
            list[str], Field(description="Only messages with all these fields, such as 58, Side=1 or 55=KX*.")
        ] = [],  # noqa: B006
        client_order_ids: Patterns = [],  # noqa: B006
        symbols: Patterns = [],  # noqa: B006
        direction: Literal["sent", "received"] | None = None,
        since: TimeBound = None,
        until: TimeBound = None,
        as_of: AsOf = None,
    ) -> str:
        """Print the FIX messages of wire logs, one per line, and the problems of each."""
        options = {"direction": direction, "since": since, "until": until, "as-of": as_of}
        lists = {"type": types, "tag": tags, "id": client_order_ids, "symbol": symbols}
        return run_subcommand(
            decode_command,
            *([] if form == "brief" else [f"--{form}"]),
            *(f"--{name}={value}" for name, values in lists.items() for value in values),
            *_options(options),
            *("--", *workspace.files(files)),
        )

    def trace(
        identifier: Annotated[str, Field(description="A ClOrdID, OrderID or ExecID of the order.")],
        files: Files,
        full: Annotated[bool, Field(description="Print all fields of the messages.")] = False,
        as_of: AsOf = None,
    ) -> str:
        """Print the history of an order in wire logs: each request, report and session event, by time."""
        options = ["--full"] * full
        return run_subcommand(
            trace_command, *options, *_options({"as-of": as_of}), "--", identifier, *workspace.files(files)
        )

    def replay(
        files: Annotated[
            list[str], Field(description="Paths of recordings or wire logs, in chronological order.")
        ],
        product: Literal["prediction", "margin"] = "prediction",
        finished: Annotated[bool, Field(description="Also print finished orders.")] = False,
        as_of: AsOf = None,
    ) -> str:
        """Replay a client's recordings or wire logs, and print the final state: books, orders, positions,
        fees, uncertain orders and discrepancies."""
        options = [f"--product={product}", *["--all"] * finished, *_options({"as-of": as_of})]
        return run_subcommand(replay_command, *options, "--", *workspace.files(files))

    def store(
        path: Annotated[str, Field(description="Path of a store, or of a folder of stores.")],
        rows: Annotated[int, Field(description="Number of the user's last rows to print.", ge=0)] = 5,
    ) -> str:
        """Print the contents of a client's message store: owner, sequence numbers, messages kept for resend,
        requests without a known outcome, and the user's rows. Messages and secrets are not shown."""
        return run_subcommand(show, f"--rows={rows}", "--", workspace.file_or_folder(path, "*.sqlite3"))

    def spec(
        words: Annotated[
            str, Field(description="Search words, such as ExecType, 150, POST_ONLY_CROSS or self trade.")
        ],
    ) -> str:
        """Explain a tag, field, message, code value or Text of Kalshi's FIX dialect. If no element has this
        name, list the elements whose descriptions contain all words."""
        return run_subcommand(spec_command, "--", *words.split())

    return [Tool(each) for each in (decode, trace, replay, store, spec)]


def _options(values: dict[str, str | None]) -> list[str]:
    return [f"--{name}={value}" for name, value in values.items() if value is not None]
