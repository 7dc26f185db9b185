"""Reading FIX messages out of logs.

`read_log` gives the messages of any log with what it tells of each; `map_log` shares that among processes;
`LogReader` cuts them out of bytes as they come. It needs the codec of the core and nothing else; the command
and users' programs import it.
"""

from kalshi_fix_adapters.logs.entries import Direction, LogEntry, read_log
from kalshi_fix_adapters.logs.reader import LoggedMessage, LogReader
from kalshi_fix_adapters.logs.split import map_log

__all__ = ["Direction", "LogEntry", "LogReader", "LoggedMessage", "map_log", "read_log"]
