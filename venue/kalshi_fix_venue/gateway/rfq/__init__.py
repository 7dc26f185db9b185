"""Requests for quotes (RFQ): creators on KalshiRT, makers on KalshiRFQ (Kalshi's pages on RFQ).

`Rfqs` is the entry point. `book` contains requests and quotes, `creators` and `makers` handle the messages of
the two sides, `lifecycle` advances and ends requests, and `messages` builds the messages.
"""

from kalshi_fix_venue.gateway.rfq.combos import ComboCollection, ComboEvent
from kalshi_fix_venue.gateway.rfq.rfqs import Rfqs
from kalshi_fix_venue.gateway.rfq.settings import RfqSettings, Windows

__all__ = ["ComboCollection", "ComboEvent", "RfqSettings", "Rfqs", "Windows"]
