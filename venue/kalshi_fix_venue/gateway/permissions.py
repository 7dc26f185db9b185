"""Permissions of sessions and keys to send application messages."""

from __future__ import annotations

from datetime import datetime

from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_venue.gateway.logins import Handler, Login, Result
from kalshi_fix_venue.gateway.refusals import authorization_reject


def handle_if_permitted(handler: Handler, message: Message, login: Login, now: datetime) -> Result:
    """Handle a message if its session and its key may send it."""
    if login.flags.listener_session:
        return [(login, authorization_reject(message, "Listener sessions are read-only"))], ()
    if not login.may_write:
        return [(login, authorization_reject(message, "The API key has no write scope"))], ()
    return handler(message, login, now)
