"""Which sessions and keys may act at all."""

from __future__ import annotations

from datetime import datetime

from kalshi_fix_adapters.venue.gateway.logins import Handler, Login, Result
from kalshi_fix_adapters.venue.gateway.refusals import not_authorized
from kalshi_fix_sansio.base import Message


def permitted(handler: Handler, message: Message, login: Login, now: datetime) -> Result:
    """Handle a message if its session and its key may send it."""
    if login.flags.listener:
        return [(login, not_authorized(message, "Listener sessions are read-only"))], ()
    if not login.may_write:
        return [(login, not_authorized(message, "The API key has no write scope"))], ()
    return handler(message, login, now)
