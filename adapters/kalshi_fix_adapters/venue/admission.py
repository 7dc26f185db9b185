"""Who may log on: what the venue checks of a Logon beyond what any FIX session does.

Kalshi's pages on authentication and listener sessions. The session itself has already checked CompIDs,
SendingTime, required fields, HeartBtInt and ResetSeqNumFlag.
"""

from __future__ import annotations

from collections.abc import Mapping

from kalshi_fix_adapters.venue.config import WRITE, ApiKey
from kalshi_fix_adapters.venue.gateway.flags import LogonFlags
from kalshi_fix_sansio import EncryptMethod, Logon
from kalshi_fix_sansio.events import LogonRequested
from kalshi_fix_sansio.signing import verify_logon

APPL_VER_ID = "9"
"""DefaultApplVerID (1137) of FIX50SP2."""
MIN_HEART_BT_INT = {"prediction": 4, "margin": 3}
"""Seconds: more than 3 on prediction, 3 or more on margin."""
ALREADY_EXISTS = "already exists"
"""Text of the Logout for a second connection with the same key."""


def refusal(
    request: LogonRequested, logon: Logon, keys: Mapping[str, ApiKey], product: str, flags: LogonFlags
) -> str | None:
    """Return the Text of the Logout that refuses a Logon, or None if it is in order."""
    key = keys.get(request.signed.sender_comp_id)
    if key is None:
        return "Unknown API key"
    if not verify_logon(key.public_key, request):
        return "Invalid signature"
    if key.product != product:
        return f"API key is not valid for {product}"
    if logon.encrypt_method != EncryptMethod.NONE:
        return "EncryptMethod must be 0"
    if logon.default_appl_ver_id != APPL_VER_ID:
        return f"DefaultApplVerID must be {APPL_VER_ID}"
    return flags.problem()


def may_write(key: ApiKey) -> bool:
    """Say whether the key may send orders."""
    return WRITE in key.scopes
