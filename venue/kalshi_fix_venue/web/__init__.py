"""The venue in the browser: one local page with books, orders, trades, sessions, messages and operations.

It needs the extra `web`. `WebServer` serves it from its own thread and event loop.
"""

from kalshi_fix_venue.web.server import WebServer

__all__ = ["WebServer"]
