"""The client's own journal, as it stands in the file between two lives."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

from kalshi_fix_adapters.store_sqlite.tables import connect

LAST_TAKEN = "last taken"
"""The row with the number of the message taken last."""
FILL = "fill "
"""What the keys of rows about fills begin with, before the ExecID."""


def read_rows(store: Path) -> dict[str, Any]:
    """Return all rows."""
    with closing(connect(store, "ro")) as database:
        return {key: json.loads(text) for key, text in database.execute("SELECT key, value FROM journal")}
