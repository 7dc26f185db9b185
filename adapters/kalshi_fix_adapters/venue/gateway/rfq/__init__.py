"""Requests for quotes (RFQ): creators on KalshiRT, makers on KalshiRFQ (Kalshi's pages on RFQ).

`Rfqs` is the door; `book` holds requests and quotes, `creators` and `makers` take the messages of the two
sides, `lifecycle` moves a request on and ends it, `messages` writes what is told.
"""

from kalshi_fix_adapters.venue.gateway.rfq.combos import ComboCollection, ComboEvent
from kalshi_fix_adapters.venue.gateway.rfq.rfqs import Rfqs
from kalshi_fix_adapters.venue.gateway.rfq.settings import RfqSettings, Windows

__all__ = ["ComboCollection", "ComboEvent", "RfqSettings", "Rfqs", "Windows"]
