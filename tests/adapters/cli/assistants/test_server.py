"""`kalshi-fix mcp`: what its tools may read, change, connect to and print."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters, stdio_client

from kalshi_fix_adapters.cli.assistants.server import make_server
from kalshi_fix_adapters.cli.kit.tools import MAX_ERROR_TEXT, MAX_FILES, MAX_OUTPUT, Workspace
from kalshi_fix_venue.control import ControlServer
from kalshi_fix_venue.testing import Sandbox
from tests.adapters.cli.assistants.conftest import Call
from tests.adapters.cli.order_logs import ORDERS
from tests.adapters.cli.runner import invoke

READING_TOOLS = {"decode", "trace", "replay", "store", "spec"}
LOG: dict[str, Any] = {"files": ["orders.log"]}
VALID_CALLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("decode", {"files": ["orders.log", "day.rec"], "form": "summary"}),
    ("decode", {"files": ["engine.log"], "form": "full"}),
    ("decode", {"files": ["engine.log"], "form": "json"}),
    ("trace", {"identifier": "lost-1", "files": ["orders.log", "copy.log"], "full": True}),
    ("replay", {"files": ["orders.log", "day.rec"], "finished": True, "as_of": "latest"}),
    ("store", {"path": "stores"}),
    ("store", {"path": "stores/orders.sqlite3", "rows": 100}),
    ("spec", {"words": "self trade"}),
)
"""One call for each tool and each of its forms."""


def digests(folder: Path) -> dict[str, str]:
    # To read a store, SQLite creates a -shm file and an empty -wal file in its folder.
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".sqlite3-shm"]
    files = [path for path in files if path.suffix != ".sqlite3-wal" or path.stat().st_size]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize(("name", "arguments"), VALID_CALLS)
def test_no_tool_changes_a_file(call: Call, planted: Path, name: str, arguments: dict[str, Any]) -> None:
    before = digests(planted)
    result = call(name, **arguments)
    assert not result.is_error, result.text
    assert digests(planted) == before


def test_every_tool_except_do_is_read_only(planted: Path) -> None:
    async def listed() -> Any:
        async with Client(make_server(Workspace([planted]))) as client:
            return (await client.list_tools()).tools

    found = {tool.name: tool.annotations.read_only_hint for tool in asyncio.run(listed())}
    assert found == dict.fromkeys((*READING_TOOLS, "venue_replay"), True) | {"do": False}


# --- errors


INVALID_CALLS: tuple[tuple[str, str, dict[str, Any], str], ...] = (
    ("invalid_argument", "decode", {"files": []}, f"specify 1 to {MAX_FILES} files"),
    ("invalid_argument", "decode", {"files": ["orders.log"] * (MAX_FILES + 1)}, f"specify 1 to {MAX_FILES}"),
    ("invalid_argument", "decode", {**LOG, "types": ["Order"]}, "no message 'Order'"),
    ("invalid_argument", "decode", {**LOG, "tags": ["Prize"]}, "no field 'Prize'"),
    ("invalid_argument", "decode", {**LOG, "since": "noon"}, "'noon' is not a time"),
    ("invalid_argument", "trace", {**LOG, "identifier": ""}, "ID must not be empty"),
    ("invalid_argument", "trace", {**LOG, "identifier": "a", "as_of": "x"}, "'x' is neither"),
    ("invalid_argument", "spec", {"words": " "}, "WORD"),
    ("invalid_argument", "do", {"name": "destroy"}, "there is no operation 'destroy'"),
    ("invalid_argument", "do", {"name": "cut", "values": {"wen": 3}}, "wen"),
    ("invalid_argument", "decode", {}, "files: Field required"),
    ("invalid_argument", "decode", {"files": "x"}, "files: Input should be a valid list"),
    ("invalid_argument", "decode", {**LOG, "form": "long"}, "form: Input should be 'brief'"),
    ("invalid_argument", "decode", {"files": [3]}, "files.0: Input should be a valid string"),
    ("invalid_argument", "store", {"path": "stores", "rows": -1}, "rows: Input should be greater than"),
    ("invalid_argument", "decode", {"files": [3] * 10_000}, "[truncated: "),
    ("no_such_file", "decode", {"files": ["order.log"]}, "did you mean `orders.log`?"),
    ("no_such_file", "decode", {"files": ["stores"]}, "'stores' is not a regular file"),
    ("no_such_file", "trace", {"files": ["-"], "identifier": "a"}, "there is no '-'"),
    ("no_such_file", "decode", {"files": ["a\0b"]}, "is not a path"),
    ("no_such_file", "decode", {"files": ["pipe"]}, "'pipe' is not a regular file"),
    ("no_such_file", "venue_replay", {"file": "none"}, "there is no 'none'"),
    ("not_allowed", "decode", {"files": ["/etc/passwd"]}, "'/etc/passwd' is outside of "),
    ("not_allowed", "store", {"path": ".."}, "'..' is outside of "),
    ("not_allowed", "decode", {"files": ["link"]}, "'link' is outside of "),
    ("no_such_file", "store", {"path": "postgresql://user@host/base"}, "there is no 'postgresql://"),
    ("failed", "store", {"path": "orders.log"}, "is not a store"),
    ("not_allowed", "store", {"path": "linked"}, "outside.sqlite3' is outside of "),
    ("failed", "store", {"path": "empty"}, "contains no store"),
    ("failed", "spec", {"words": "nonesuch"}, "the dialect does not define 'nonesuch'"),
    ("failed", "decode", {"files": ["cut.gz"]}, "cut.gz cannot be read"),
    ("failed", "replay", {"files": ["cut.gz"]}, "a compressed file cannot be read"),
    ("failed", "venue_replay", {"file": "orders.log"}, "is not"),
)


@pytest.fixture
def unreadable_files(planted: Path) -> None:
    """Add a pipe, a link to a file outside the folder, a truncated file and an empty folder."""
    if (planted / "pipe").exists():
        return
    os.mkfifo(planted / "pipe")
    (planted / "link").symlink_to("/etc/passwd")
    (planted / "cut.gz").write_bytes(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x03")
    (planted / "empty").mkdir()
    (planted / "linked").mkdir()
    (planted / "linked" / "outside.sqlite3").symlink_to("/etc/passwd")


@pytest.mark.usefixtures("unreadable_files")
@pytest.mark.parametrize(
    ("kind", "tool", "arguments", "text"),
    INVALID_CALLS,
    ids=[f"{row[1]}-{row[3][:30]}" for row in INVALID_CALLS],
)
def test_an_invalid_call_returns_an_error_with_its_type(
    call: Call, kind: str, tool: str, arguments: dict[str, Any], text: str
) -> None:
    result = call(tool, **arguments)
    assert result.is_error
    assert result.text.startswith(f"{kind}: ")
    assert text in result.text
    assert result.structured == {"error": kind, "message": result.text.removeprefix(f"{kind}: ")}


@pytest.mark.parametrize("name", ["decode", "trace", "replay"])
def test_a_search_without_a_match_is_not_an_error(call: Call, name: str) -> None:
    more = {"identifier": "nobody"} if name == "trace" else {}
    result = call(name, files=["stores/orders.sqlite3"], **more)
    assert not result.is_error
    assert result.text.startswith("no ")


# --- bounds


def test_output_is_bounded(call: Call, planted: Path) -> None:
    (planted / "long.log").write_bytes(ORDERS * 1000)
    for form in ("brief", "full", "json"):
        text = call("decode", files=["long.log"], form=form).text
        *lines, _, last = text.splitlines()
        assert last.startswith("[truncated: ") or lines[-1].startswith("[truncated: ")
        assert len(text) > MAX_OUTPUT - 2 * MAX_ERROR_TEXT
    # The whole log is read, but only a little is printed.
    assert "8,000 messages" in call("decode", files=["long.log"], form="summary").text


def test_a_long_line_and_a_long_error_are_bounded(call: Call, planted: Path) -> None:
    huge = ORDERS.splitlines()[0].replace(b"55=", "58=é".encode() * 50_000 + b"|55=") + b"\n"
    (planted / "huge.log").write_bytes(huge)
    assert "[truncated: " in call("decode", files=["huge.log"]).text
    result = call("decode", files=["orders.log"], types=["x" * 100_000])
    assert result.is_error
    assert len(result.text) < MAX_ERROR_TEXT + 100


def test_concurrent_calls_do_not_mix_their_output(planted: Path) -> None:
    names = ("maker-1", "lost-1", "slow-1", "rain-1")

    async def main() -> list[Any]:
        async with Client(make_server(Workspace([planted]))) as client:
            calls = [client.call_tool("trace", {"identifier": n, "files": ["orders.log"]}) for n in names * 4]
            return await asyncio.gather(*calls)

    for name, found in zip(names * 4, asyncio.run(main()), strict=True):
        assert found.content[0].text.startswith(f"Order {name}\n")
        assert found.content[0].text.count("Order ") == 1


# --- connections


PROGRAM = """
import asyncio, importlib.abc, importlib.metadata, json, sys
from pathlib import Path

class WithoutVenue(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] == "kalshi_fix_venue":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, WithoutVenue())
importlib.metadata.entry_points = lambda **_: ()
from mcp import Client
from kalshi_fix_adapters.cli.assistants.server import make_server
from kalshi_fix_adapters.cli.kit.tools import Workspace

async def main():
    async with Client(make_server(Workspace([Path(sys.argv[1])]))) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        for name, arguments in json.loads(sys.argv[2]):
            await client.call_tool(name, arguments)
        print(json.dumps([names, [name for name in sys.modules if name.startswith("kalshi_fix")]]))

asyncio.run(main())
"""
CONNECTING_PACKAGES = (
    "asyncio",
    "blocking",
    "trio",
    "loops",
    "engine",
    "net",
    "store_postgres",
    "cli.sessions",
)
"""The adapters' packages that open connections or choose endpoints."""


def test_without_the_venue_no_module_that_connects_is_imported(planted: Path) -> None:
    calls = [
        *VALID_CALLS,
        *((tool, arguments) for _, tool, arguments, _ in INVALID_CALLS if tool in READING_TOOLS),
    ]
    command = [sys.executable, "-c", PROGRAM, str(planted), json.dumps(calls)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    names, modules = json.loads(done.stdout)
    assert set(names) == READING_TOOLS
    assert "kalshi_fix_adapters.cli.store" in modules
    forbidden = tuple(f"kalshi_fix_adapters.{name}" for name in CONNECTING_PACKAGES)
    assert [name for name in modules if f"{name}.".startswith(tuple(f"{item}." for item in forbidden))] == []
    assert [name for name in modules if name.startswith("kalshi_fix_venue")] == []


def test_the_command_serves_over_standard_input_and_output(planted: Path) -> None:
    arguments = ["-m", "kalshi_fix_adapters.cli", "mcp", str(planted)]
    server = StdioServerParameters(command=sys.executable, args=arguments, env=dict(os.environ))

    async def main() -> Any:
        async with Client(stdio_client(server)) as client:
            return await client.call_tool("trace", {"identifier": "maker-1", "files": ["orders.log"]})

    assert "LastQty=4" in asyncio.run(main()).content[0].text


# --- the venue


def test_do_operates_a_running_venue(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KALSHI_FIX_VENUE_FOLDER", str(tmp_path))
    assert call("do", name="status").text.startswith("failed: no venue is running in ")
    with Sandbox() as sandbox, ControlServer(sandbox.server, tmp_path):
        assert json.loads(call("do", name="status").text)["products"]["margin"]["state"] == "open"
        assert not call("do", name="pause", values={"product": "margin"}).is_error
        assert json.loads(call("do", name="status").text)["products"]["margin"]["state"] != "open"
        refused = call("do", name="cut", values={"session": "KalshiXX"})
        assert refused.text.startswith("invalid_argument: ")
        refused = call("do", name="halt", values={"market": "NOPE"})
        assert refused.text.startswith("failed: ")


def test_the_input_log_of_a_venue_is_replayed(call: Call, planted: Path) -> None:
    path = planted / "venue.input_log"
    invoke("venue", "simulate", "--for", "20s", "--input-log", path)
    result = call("venue_replay", file=path.name)
    assert not result.is_error
    assert "were reproduced" in result.text
    path.unlink()
