"""What a session receives, written down with its time, read again, and put through machines once more.

`Recorder` is an observer of a client and writes a file; `Recording` reads it; `replay` puts recordings and
wire logs through anything with `apply`; `to_parquet` writes the market data of one as tables (extra
`parquet`).
"""

from kalshi_fix_adapters.recording.file import Kind, Record, Recording, RecordingError
from kalshi_fix_adapters.recording.parquet import to_parquet
from kalshi_fix_adapters.recording.recorder import Recorder
from kalshi_fix_adapters.recording.replay import Happening, happenings, replay

__all__ = [
    "Happening",
    "Kind",
    "Record",
    "Recorder",
    "Recording",
    "RecordingError",
    "happenings",
    "replay",
    "to_parquet",
]
