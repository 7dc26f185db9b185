"""The rows that the user adds to the client's store (`client.rows`), as read between two processes."""

from __future__ import annotations

import json
from typing import Any

from kalshi_fix_adapters.stores import StoreSummary

LAST_TAKEN = "last taken"
"""The row with the number of the last message taken."""
FILL = "fill "
"""Prefix of the keys of rows about fills; the ExecID follows."""


ROW_LIMIT = 1_000_000
"""A limit above the number of rows in any store of these tests."""


def rows_of(summary: StoreSummary) -> dict[str, Any]:
    """Return all rows of a store's summary, which must contain all of them."""
    assert len(summary.last_rows) == summary.rows
    return {key: json.loads(text) for key, text in summary.last_rows}
