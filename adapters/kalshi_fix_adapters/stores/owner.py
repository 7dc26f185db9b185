"""The owner of a store's numbers."""

from __future__ import annotations

import hashlib
import re

import attrs

_NON_WORD_CHARACTERS = re.compile("[^A-Za-z0-9_]+")
_MAX_PART_LENGTH = 40


@attrs.frozen(kw_only=True)
class StoreOwner:
    """One account or API key on one session type, with its own sequence numbers.

    Attributes:
        environment: `demo` or `production`.
        product: `prediction` or `margin`.
        sender_comp_id: Id of the API key: SenderCompID (49) of sent messages.
        target_comp_id: The session type, such as KalshiRT: TargetCompID (56) of sent messages.
        account: Name of the account, which stays the same when the API key changes; None for a store that
            belongs to this key only. The name of the store contains the account; the store's content does
            not.
    """

    environment: str
    product: str
    sender_comp_id: str
    target_comp_id: str
    account: str | None = None

    def __str__(self) -> str:
        return f"{self.target_comp_id} as {self.sender_comp_id} ({self.environment}, {self.product})"


def store_name(owner: StoreOwner) -> str:
    """Return the name of this owner's store, which contains the account or, without an account, the key.

    The digest at the end of the name distinguishes owners whose names differ only in case, or in characters
    that are not allowed in a file name.
    """
    name = owner.sender_comp_id if owner.account is None else owner.account
    values = (owner.environment, owner.product, name, owner.target_comp_id)
    parts = [_NON_WORD_CHARACTERS.sub("_", value)[:_MAX_PART_LENGTH] for value in values]
    # The digest must differ for an account and a key with the same text.
    kind = () if owner.account is None else ("account",)
    digest = hashlib.sha256("\0".join((*values, *kind)).encode()).hexdigest()[:12]
    return "-".join((*parts, digest))
