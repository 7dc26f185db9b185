"""Recorded changes that are not yet written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from kalshi_fix_adapters.stores.rows import Numbers
from kalshi_fix_adapters.stores.sent_requests import SentRequest
from kalshi_fix_sansio.events import OpenRequest
from kalshi_fix_sansio.session.store import StoredMessage


class PendingChanges:
    """The changes recorded since the last commit began, in memory; a `commits.Batch`."""

    def __init__(self) -> None:
        self.numbers: Numbers | None = None
        """The store's numbers after these changes; set when the commit begins. An SQLite store ignores
        `oldest_kept` and `kept`, and computes them while writing.
        """
        self.restarts_at: int | None = None
        """If not None, the outgoing numbers restart at this number, and the commit deletes all messages
        written earlier.
        """
        self.renumbered: bool = False
        """Whether a number in `numbers` may be lower than the one in the store."""
        self.sent: dict[int, StoredMessage] = {}
        self.requests: dict[int, OpenRequest] = {}
        """New open requests, by key."""
        self.sent_requests: dict[str, SentRequest] = {}
        """Ids of the requests sent, including settled requests, oldest first."""
        self.settled: set[int] = set()
        """Keys of settled requests, to delete from the store."""
        self.rows: dict[str, str | None] = {}
        """Texts of the user's rows by key; None for a deleted row."""
        self.must_be_durable: bool = False
        """Whether these changes must survive a loss of power, because bytes that depend on them may be sent
        after the commit.
        """
        self.is_empty: bool = True

    def merge(self, later: PendingChanges) -> None:
        """Add changes that were recorded later."""
        self.numbers = later.numbers or self.numbers
        if later.restarts_at is not None:
            self.restart(later.restarts_at)
        self.sent.update(later.sent)
        self.settle(later.settled)
        for request in later.requests.values():
            self.record_request(request)
        for sent in later.sent_requests.values():
            self.record_sent_request(sent)
        self.rows.update(later.rows)
        self.renumbered |= later.renumbered
        self.must_be_durable |= later.must_be_durable
        self.is_empty &= later.is_empty

    def restart(self, next_outgoing: int) -> None:
        """Record a reset, which deletes all messages here and in the store."""
        self.renumber()
        self.restarts_at = next_outgoing
        self.sent.clear()

    def renumber(self) -> None:
        """Record that the next outgoing and incoming numbers are set, regardless of their previous values."""
        self.is_empty, self.must_be_durable = False, True
        self.renumbered = True

    def record_message(self, seq_num: int, message: StoredMessage | None) -> None:
        """Record an outgoing number, and its message if it is kept."""
        self.is_empty, self.must_be_durable = False, True
        if message is not None:
            self.sent[seq_num] = message

    def record_request(self, request: OpenRequest) -> None:
        """Record an open request."""
        self.is_empty, self.must_be_durable = False, True
        self.settled.discard(request.key)
        self.requests[request.key] = request

    def record_sent_request(self, sent: SentRequest) -> None:
        """Record the id of a request, which is kept longer than the request."""
        self.sent_requests.pop(sent.request_id, None)
        self.sent_requests[sent.request_id] = sent

    def settle(self, keys: Iterable[int]) -> None:
        """Record that these requests are settled."""
        # This record need not survive a loss of power. If it is lost, the requests are open again and are
        # reported once more, but no request is missing.
        self.is_empty = False
        for key in keys:
            self.requests.pop(key, None)
            self.settled.add(key)

    def record_rows(self, rows: Mapping[str, str | None]) -> None:
        """Record changes to the user's rows."""
        # Rows alone do not require a commit that survives a loss of power.
        self.is_empty = False
        self.rows.update(rows)

    def sent_between(self, begin: int, end: int) -> Iterator[StoredMessage]:
        """Yield the messages from `begin` to `end` inclusive, in order."""
        return (message for seq_num, message in self.sent.items() if begin <= seq_num <= end)
