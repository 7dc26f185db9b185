"""Whose numbers a file holds, and the name of that file."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import attrs

from kalshi_fix_sansio.classes.explained import explained

_NOT_PLAIN = re.compile("[^A-Za-z0-9_]+")
_LONGEST_PART = 40


@explained
@attrs.frozen(kw_only=True)
class StoreOwner:
    """One account on one session: whatever has sequence numbers of its own."""

    environment: str
    """`demo` or `production`."""
    product: str
    """`prediction` or `margin`."""
    sender_comp_id: str
    """Id of the API key: SenderCompID (49) of what is sent."""
    target_comp_id: str
    """The session type, such as KalshiRT: TargetCompID (56) of what is sent."""

    def __str__(self) -> str:
        return f"{self.target_comp_id} as {self.sender_comp_id} ({self.environment}, {self.product})"


def store_path(folder: str | Path, owner: StoreOwner) -> Path:
    """Return where in a folder the store of this owner is: always the same name, and no other owner's.

    The name can be read by people, and the digest at its end keeps two owners apart whose names differ only
    in case or in characters that have no place in a file name.
    """
    values = attrs.astuple(owner)
    parts = [_NOT_PLAIN.sub("_", value)[:_LONGEST_PART] for value in values]
    digest = hashlib.sha256("\0".join(values).encode()).hexdigest()[:12]
    return Path(folder) / "-".join((*parts, f"{digest}.sqlite3"))
