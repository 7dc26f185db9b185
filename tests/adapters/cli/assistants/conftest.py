"""A server for a folder of logs with planted secrets, called through a Model Context Protocol client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from mcp import Client

from kalshi_fix_adapters.cli.assistants.server import make_server
from kalshi_fix_adapters.cli.kit.tools import MAX_OUTPUT, Workspace
from tests.adapters.cli.assistants.planted import SECRET, write_trading_day


@attrs.frozen
class Result:
    """The result of a tool call."""

    text: str
    is_error: bool
    structured: dict[str, Any] | None


Call = Callable[..., Result]


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of logs with planted secrets."""
    folder = tmp_path_factory.mktemp("planted")
    write_trading_day(folder)
    return folder


@pytest.fixture
def call(planted: Path) -> Call:
    """Return a function that calls a tool; its output is checked for planted secrets and for its size."""

    def call_tool(name: str, /, **arguments: Any) -> Result:
        async def main() -> Result:
            async with Client(make_server(Workspace([planted]))) as client:
                found: Any = await client.call_tool(name, arguments)
                [content] = found.content
                return Result(content.text, bool(found.is_error), found.structured_content)

        result = asyncio.run(main())
        assert SECRET not in result.text
        assert len(result.text.encode()) <= MAX_OUTPUT
        return result

    return call_tool
