"""Tools of `kalshi-fix mcp` for the simulated venue: `do`, and the replay of its input log."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field

from kalshi_fix_adapters.cli.kit.tools import (
    ErrorType,
    Tool,
    ToolFailure,
    Workspace,
    bounded,
    run_subcommand,
)
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_venue.cli.input_log import replay_input_log
from kalshi_fix_venue.control import ControlError, find_control_file, send_operation
from kalshi_fix_venue.operations import OPERATIONS, operation


def tools(workspace: Workspace) -> Iterable[Tool]:
    """Return the tools of the venue; its input logs are files in the workspace."""

    def do(
        name: Annotated[str, Field(description=f"One of: {', '.join(OPERATIONS)}.")],
        values: Annotated[
            dict[str, Any],
            Field(description="Parameters by name; the error for an unknown name lists the valid ones."),
        ] = {},  # noqa: B006 - it is never changed
    ) -> str:
        """Run an operation on the simulated venue that runs on this computer, as `kalshi-fix venue do` does.
        It never reaches Kalshi. `status` shows markets, orders, positions and sessions, and changes
        nothing."""
        try:
            request = operation(name, values)
        except ConfigurationError as error:
            raise ToolFailure(ErrorType.INVALID_ARGUMENT, str(error)) from None
        try:
            return bounded(json.dumps(send_operation(find_control_file(), request)))
        except ControlError as error:
            raise ToolFailure(ErrorType.FAILED, str(error)) from None

    def venue_replay(
        file: Annotated[
            str, Field(description="Path of the file that `kalshi-fix venue --input-log` wrote.")
        ],
    ) -> str:
        """Replay the input log of a simulated venue, and report whether it sends the same bytes again."""
        return run_subcommand(replay_input_log, "--", workspace.file(file))

    return [Tool(do, read_only=False), Tool(venue_replay)]
