"""Input logs: the calls of a venue, which a replay repeats to the same state and the same bytes."""

from kalshi_fix_venue.input_log.log import InputLog, LoggedVenue
from kalshi_fix_venue.input_log.rerun import Replayed, replay

__all__ = ["InputLog", "LoggedVenue", "Replayed", "replay"]
