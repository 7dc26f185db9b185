"""A formatter for `logging` that writes one JSON object per line."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime


class JsonFormatter(logging.Formatter):
    """Formats each record as a JSON object on one line.

    Keys: `time` (UTC), `level`, `logger`, `message`; `fix` with the fields that this library adds to a
    record, such as `session` and `event`; `exception` with a traceback. Other attributes of a record are left
    out.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line without a trailing newline."""
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        fields = getattr(record, "fix", None)
        if fields is not None:
            entry["fix"] = fields
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        # Only ASCII, so that control characters and line separators in any text are escaped.
        return json.dumps(entry, default=str)
