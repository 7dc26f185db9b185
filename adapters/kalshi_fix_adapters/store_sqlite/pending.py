"""Recorded changes that are not yet written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from kalshi_fix_sansio.events import OpenRequest
from kalshi_fix_sansio.session.store import StoredMessage


class Pending:
    """The changes since the last commit, in memory."""

    def __init__(self) -> None:
        self.reset: bool = False
        """Everything in the file but the open requests is void."""
        self.renumbered: bool = False
        """Whether numbers may be lower than before."""
        self.sent: dict[int, StoredMessage] = {}
        self.requests: dict[int, OpenRequest] = {}
        """By key."""
        self.settled: set[int] = set()
        """Keys of requests that are settled, and perhaps in the file."""
        self.rows: dict[str, str | None] = {}
        """Texts of the user's rows by key; None for deleted ones."""
        self.must_last: bool = False
        """Whether bytes may leave that rest on these records; then they have to outlive a loss of power."""
        self.is_empty: bool = True

    def restart(self) -> None:
        """Take a reset: no message counts any more, neither here nor in the file."""
        self.renumber()
        self.reset = True
        self.sent.clear()

    def renumber(self) -> None:
        """Set both numbers, regardless of the previous ones."""
        self.is_empty, self.must_last = False, True
        self.renumbered = True

    def take(self, seq_num: int, message: StoredMessage | None) -> None:
        """Take a number, and a message to be kept under it."""
        self.is_empty, self.must_last = False, True
        if message is not None:
            self.sent[seq_num] = message

    def ask(self, request: OpenRequest) -> None:
        """Take a request whose outcome is open."""
        self.is_empty, self.must_last = False, True
        self.settled.discard(request.key)
        self.requests[request.key] = request

    def settle(self, keys: Iterable[int]) -> None:
        """Take that these requests are open no more."""
        # It need not outlive a loss of power: a request that is open again is named once more, none is left
        # out.
        self.is_empty = False
        for key in keys:
            self.requests.pop(key, None)
            self.settled.add(key)

    def note(self, rows: Mapping[str, str | None]) -> None:
        """Take rows of the user's."""
        # They need not survive a loss of power without the changes that are committed with them.
        self.is_empty = False
        self.rows.update(rows)

    def resize(self, sizes: dict[str, int]) -> None:
        """Update the sizes of the user's rows, by key, with these changes."""
        for key, text in self.rows.items():
            if text is None:
                sizes.pop(key, None)
            else:
                sizes[key] = len(key.encode()) + len(text)

    def sent_between(self, begin: int, end: int) -> Iterator[StoredMessage]:
        """Yield the messages from `begin` to `end` inclusive, in order."""
        return (message for seq_num, message in self.sent.items() if begin <= seq_num <= end)
