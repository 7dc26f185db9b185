"""The journal of the client's user: an append-only file with one line per entry. An order is written before
it is sent, and an event before it is confirmed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

Entry = dict[str, Any]


class Journal:
    """The open file. A last line that a kill has truncated gets a line break, and `read` skips it."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        content = path.read_bytes()
        if content and not content.endswith(b"\n"):
            os.write(self._file, b"\n")

    def write(self, kind: str, **values: Any) -> Entry:
        """Add a line and return its entry."""
        entry = {"kind": kind, **values}
        os.write(self._file, json.dumps(entry, default=str).encode() + b"\n")
        return entry


def read(path: Path) -> list[Entry]:
    """Return the entries of all complete lines."""
    entries: list[Entry] = []
    if path.exists():
        for line in path.read_bytes().splitlines():
            try:
                entries.append(json.loads(line))
            except ValueError:
                continue
    return entries
