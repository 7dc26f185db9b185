"""Reading FIX messages from logs, and recording the messages of a session.

Logs:
- `read_log` yields the messages of any log, with the time, direction and connection found on their lines.
- `map_log` calls a function with each message of a log, in several processes.
- `LogReader` finds the messages in a stream of bytes.

Recordings:
- `Recorder` is an observer of a client and writes a recording, which contains the messages and their times.
- `Recording` reads a recording.
- `replay` passes the messages of recordings and wire logs to any objects that have an `apply` method.
- `to_parquet` writes market data as a table (extra `parquet`).

The modules for recordings are imported when one of their names is first used. Reading logs needs only the
codec of the core.
"""

from typing import TYPE_CHECKING

from kalshi_fix_adapters.logs.entries import Direction, LogEntry, read_log
from kalshi_fix_adapters.logs.reader import LoggedMessage, LogReader
from kalshi_fix_adapters.logs.split import map_log
from kalshi_fix_sansio.classes.on_demand import exports

if TYPE_CHECKING:
    from kalshi_fix_adapters.logs.parquet import to_parquet
    from kalshi_fix_adapters.logs.past_sessions import SessionEvent, read_events, replay
    from kalshi_fix_adapters.logs.recorder import Recorder
    from kalshi_fix_adapters.logs.recording import Kind, Record, Recording, RecordingError
else:
    __getattr__ = exports(
        globals(),
        {
            "kalshi_fix_adapters.logs.parquet": ["to_parquet"],
            "kalshi_fix_adapters.logs.past_sessions": ["SessionEvent", "read_events", "replay"],
            "kalshi_fix_adapters.logs.recorder": ["Recorder"],
            "kalshi_fix_adapters.logs.recording": ["Kind", "Record", "Recording", "RecordingError"],
        },
    )

__all__ = [
    "Direction",
    "Kind",
    "LogEntry",
    "LogReader",
    "LoggedMessage",
    "Record",
    "Recorder",
    "Recording",
    "RecordingError",
    "SessionEvent",
    "map_log",
    "read_events",
    "read_log",
    "replay",
    "to_parquet",
]
