"""The server of `kalshi-fix mcp`."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import entry_points, version
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, TextContent, ToolAnnotations
from pydantic import ValidationError

from kalshi_fix_adapters.cli.assistants.reading import reading_tools
from kalshi_fix_adapters.cli.kit.tools import ErrorType, Tool, ToolFailure, Workspace

_INSTRUCTIONS = (
    "Reads FIX logs, recordings and message stores of a Kalshi client. Prices are for Yes, in dollars; times "
    "are in UTC. Begin with the tool decode and form=summary; follow one order with trace; look up tags, "
    "codes and Texts with spec. Output is truncated at 64 KiB, so use filters."
)


class _Server(MCPServer):
    """A server that returns typed errors, even for arguments that do not match the schema of a tool."""

    async def call_tool(self, name: str, arguments: dict[str, Any], context: Any = None) -> Any:
        try:
            return await super().call_tool(name, arguments, context)
        except ToolError as error:
            failure = error.__cause__
            if isinstance(failure, ValidationError):
                problems = failure.errors(include_url=False, include_context=False, include_input=False)
                texts = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in problems]
                failure = ToolFailure(ErrorType.INVALID_ARGUMENT, "; ".join(texts))
            if not isinstance(failure, ToolFailure):
                raise
        kind = failure.kind.value
        return CallToolResult(
            content=[TextContent(type="text", text=f"{kind}: {failure.text}")],
            structured_content={"error": kind, "message": failure.text},
            is_error=True,
        )


def make_server(workspace: Workspace) -> MCPServer:
    """Return a server with all tools for the files of a workspace."""
    server = _Server(
        "kalshi-fix",
        instructions=_INSTRUCTIONS,
        version=version("kalshi-fix-sansio"),
        log_level="WARNING",
    )
    for tool in _tools(workspace):
        server.add_tool(
            tool.function,
            annotations=ToolAnnotations(read_only_hint=tool.read_only, open_world_hint=False),
            structured_output=False,
        )
    return server


def _tools(workspace: Workspace) -> Iterator[Tool]:
    """Yield the tools of this distribution and of others.

    Each entry point of the group `kalshi_fix.tools` refers to a function that returns tools for a workspace.
    """
    yield from reading_tools(workspace)
    for entry_point in entry_points(group="kalshi_fix.tools"):
        yield from entry_point.load()(workspace)
