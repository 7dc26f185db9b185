"""Input logs: the calls to a venue. A replay repeats them, and must produce the same state and bytes."""

from kalshi_fix_venue.input_log.log import InputLog, LoggedVenue
from kalshi_fix_venue.input_log.replayer import ReplayResult, replay

__all__ = ["InputLog", "LoggedVenue", "ReplayResult", "replay"]
