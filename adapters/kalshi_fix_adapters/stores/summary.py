"""The content of a store, for inspection."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from kalshi_fix_adapters.stores.owner import StoreOwner
from kalshi_fix_adapters.stores.rows import Numbers
from kalshi_fix_sansio.events import OpenRequest
from kalshi_fix_sansio.session.store import StoredMessage


@attrs.frozen(kw_only=True)
class StoreSummary:
    """The content of a store, as of its last commit.

    Attributes:
        owner: The account and session of the sequence numbers.
        next_outgoing: MsgSeqNum of the next message to be sent.
        next_incoming: The lowest MsgSeqNum among the peer's messages that the user has not processed.
        reset_unanswered: Whether a reset was sent that the peer has not answered. If so, the next logon must
            reset too.
        generation: A number that rises by 1 each time the outgoing numbers are restarted.
        kept: The number of messages kept for resend.
        oldest_kept: One more than the MsgSeqNum of the last dropped message. `oldest` may have a higher one.
        oldest: The oldest message kept.
        newest: The newest message kept.
        open_requests: Sent requests without a known outcome, oldest first.
        rows: Number of the user's rows (`Client.rows`).
        row_bytes: Total size of the keys and texts of these rows, in bytes.
        last_rows: Keys and texts (JSON) of the requested number of rows, largest key first. Rows have no
            times, so the newest cannot be selected.
    """

    owner: StoreOwner
    next_outgoing: int
    next_incoming: int
    reset_unanswered: bool
    generation: int
    kept: int
    oldest_kept: int
    oldest: StoredMessage | None
    newest: StoredMessage | None
    open_requests: tuple[OpenRequest, ...]
    rows: int = 0
    row_bytes: int = 0
    last_rows: tuple[tuple[str, str], ...] = ()


def summarize(
    owner: StoreOwner,
    numbers: Numbers,
    messages: Sequence[StoredMessage],
    requests: Iterable[OpenRequest],
    *,
    rows: int,
    row_bytes: int,
    last_rows: Iterable[tuple[str, str]],
) -> StoreSummary:
    """Return the summary of a store. Only the first and the last of `messages` are used."""
    return StoreSummary(
        owner=owner,
        **attrs.asdict(numbers),
        oldest=messages[0] if messages else None,
        newest=messages[-1] if messages else None,
        open_requests=tuple(requests),
        rows=rows,
        row_bytes=row_bytes,
        last_rows=tuple(last_rows),
    )
