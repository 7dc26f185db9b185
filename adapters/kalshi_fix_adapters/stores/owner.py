"""The owner of a store's numbers."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class StoreOwner:
    """One account on one session, with separate sequence numbers.

    Attributes:
        environment: `demo` or `production`.
        product: `prediction` or `margin`.
        sender_comp_id: Id of the API key: SenderCompID (49) of sent messages.
        target_comp_id: The session type, such as KalshiRT: TargetCompID (56) of sent messages.
        account: Name of the store, which stays the same when the key changes; None for a store of this key
            only. It is in the name of the file, not in the file.
    """

    environment: str
    product: str
    sender_comp_id: str
    target_comp_id: str
    account: str | None = None

    def __str__(self) -> str:
        return f"{self.target_comp_id} as {self.sender_comp_id} ({self.environment}, {self.product})"
