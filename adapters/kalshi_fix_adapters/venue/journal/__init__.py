"""Journals: what came to a venue, line by line. It replays to the same state and the same bytes."""

from kalshi_fix_adapters.venue.journal.record import Journal, JournalledVenue
from kalshi_fix_adapters.venue.journal.replay import Replayed, replay

__all__ = ["Journal", "JournalledVenue", "Replayed", "replay"]
