"""Admission: the venue's checks of a Logon beyond those of any FIX session.

Sources: Kalshi's pages on authentication and listener sessions. The session has already checked CompIDs,
SendingTime, HeartBtInt and ResetSeqNumFlag, and has checked the fields, the flags and their combinations
against the spec.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

import attrs

from kalshi_fix_sansio import ApplVerID, EncryptMethod
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.events import LogonRequested
from kalshi_fix_sansio.signing import verify_logon
from kalshi_fix_venue.config import ApiKey
from kalshi_fix_venue.exchange import Exchange
from kalshi_fix_venue.gateway.texts import ALREADY_EXISTS, MAINTENANCE, NO_FIX, RATE_LIMIT_EXCEEDED
from kalshi_fix_venue.pauses import Pauses
from kalshi_fix_venue.rate_limits import RateLimits

RESTRICTED_KEY_SESSIONS = ("KalshiNR", "KalshiMD", "KalshiRFQ")
"""The session types on which a key that is restricted to a subaccount may log on (Kalshi's page on
subaccounts, and its changelog of May and July 2026)."""


@attrs.frozen
class Admission:
    """Accepts or refuses Logons."""

    _keys: Mapping[str, ApiKey]
    _pauses: Pauses
    _rate_limits: RateLimits

    def refusal(
        self,
        request: LogonRequested,
        product: str,
        logged_on: Container[str],
        exchange: Exchange,
        now: Instant,
    ) -> str | None:
        """Return the Text of the Logout that refuses a Logon; None if the Logon is accepted. `logged_on`
        contains the ids of the keys that are logged on.
        """
        if not self._pauses.accepts_logons[product]:
            return MAINTENANCE
        # Authentication precedes the rate limit: Logons are limited per account, and a client without a valid
        # signature must not use up an account's limit.
        logon: Any = request.logon
        if logon.encrypt_method != EncryptMethod.NONE:
            return "EncryptMethod must be 0"
        if logon.default_appl_ver_id != ApplVerID.FIX50SP2:
            return f"DefaultApplVerID must be {ApplVerID.FIX50SP2}"
        key = self._keys.get(request.signed.sender_comp_id)
        if key is None:
            return "Unknown API key"
        if not verify_logon(key.public_key, request):
            return "Invalid signature"
        if key.product != product:
            return f"API key is not valid for {product}"
        if key.restricted_to is not None and (
            request.signed.target_comp_id not in RESTRICTED_KEY_SESSIONS or logon.listener_session is True
        ):
            return "API keys that are restricted to a subaccount are not permitted here"
        if not self._rate_limits.may_use_fix(key.owner, key.product):
            return NO_FIX
        if not self._rate_limits.accepts_logon(key.owner, key.product, now.monotonic):
            return RATE_LIMIT_EXCEEDED
        if key.key_id in logged_on:
            return ALREADY_EXISTS
        if logon.use_cap_reservation is True and not exchange.is_clearing_member(key.owner):
            return "UseCapReservation is not allowed except for clearing members"
        return None
