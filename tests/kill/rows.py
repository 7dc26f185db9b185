"""The client's own journal (`client.rows`), as the store file contains it between two processes."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

from kalshi_fix_adapters.store_sqlite.tables import connect

LAST_TAKEN = "last taken"
"""The row with the number of the last message taken."""
FILL = "fill "
"""Prefix of the keys of rows about fills, before the ExecID."""


def read_rows(store: Path) -> dict[str, Any]:
    """Return all rows."""
    with closing(connect(store, "ro")) as database:
        return {key: json.loads(text) for key, text in database.execute("SELECT key, value FROM journal")}
