"""Order books built from the messages on a KalshiMD session, with detection of stale books."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Final

import attrs

from kalshi_fix_sansio._generated import (
    MarketDataIncrementalRefresh,
    MarketDataRequest,
    MarketDataRequestReject,
    MarketDataSnapshotFullRefresh,
    MDIncEntry,
    SubscriptionRequestType,
)
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.dialect.problems import Problem
from kalshi_fix_sansio.events import (
    GapDetected,
    LoggedOn,
    MessageReceived,
    MessageRejected,
    MessagesLost,
    RejectReceived,
    SequenceSkipped,
    SessionEnded,
)
from kalshi_fix_sansio.trading.books.book import BookState, OrderBook, StaleReason, level_text
from kalshi_fix_sansio.trading.books.changes import BookUpdate, DiscrepancyKind
from kalshi_fix_sansio.trading.books.entries import (
    Entries,
    LevelLimit,
    book_problems,
    is_complete,
    make_stale,
)
from kalshi_fix_sansio.trading.books.subscriptions import DumpedRequest, Subscriptions
from kalshi_fix_sansio.trading.common.dumping import dump_state, loading

TOLERATED: Final = frozenset((DiscrepancyKind.UNKNOWN_ENTRY_TYPE, DiscrepancyKind.OUT_OF_ORDER))
"""Discrepancies tolerated by default. The venue adds entry types without notice. Its clocks may differ
by a millisecond, so an update may have an earlier time than the previous one although no message is missing.
"""
MAX_SYMBOL_SIZE: Final = 256
"""Maximum length of the symbol of a book that is created without a request."""
_ACTIVE_STATES: Final = frozenset((BookState.WAITING, BookState.LIVE))
"""States of the books that become stale when messages are lost or unreadable."""
_ENTRY_TAGS: Final = frozenset((269, 270, 271, 279))
"""Tags of the fields whose errors affect only the market of their entry: MDEntryType, MDEntryPx, MDEntrySize
and MDUpdateAction. An error in Symbol or NoMDEntries may affect any market.
"""


@attrs.frozen
class _State:
    """The layout of a dump."""

    books: list[OrderBook]
    forgotten: set[str]
    subscribed: set[str]
    requests: list[DumpedRequest]


class OrderBooks(Mapping[str, OrderBook]):
    """The books of one KalshiMD session by symbol, over any number of its connections.

    Pass every event to `apply` in sequence. A book is live from its snapshot until messages are missing, the
    session ends or a discrepancy is found. After that, it is stale and empty until the next snapshot, which
    the user must request. No message from the venue raises an exception.

    If you also pass each MarketDataRequest to `apply` when it is sent, a book exists while it waits for its
    snapshot, refusals are reported, and unsubscribed books are removed. Moreover, a snapshot that was
    requested without updates is not mistaken for a live book.
    """

    def __init__(
        self,
        *,
        tolerated: frozenset[DiscrepancyKind] = TOLERATED,
        max_books: int = 100_000,
        max_levels: int = 1_000_000,
    ) -> None:
        """Start without books.

        Args:
            tolerated: discrepancies that are reported without making the book stale. An entry with such a
                discrepancy is applied if possible: for example, a change to a missing level adds the level.
                Otherwise it is ignored.
            max_books: maximum number of books, about 1 KB each. Beyond it, a book that was not requested is
                reported as stale and not kept; requested books are always kept.
            max_levels: maximum number of levels in all books together, about 350 bytes each. A book without
                room for its levels becomes stale.
        """
        self._books: dict[str, OrderBook] = {}
        self._entries = Entries(
            frozenset(tolerated) - {DiscrepancyKind.TOO_MANY}, LevelLimit(self._books, max_levels)
        )
        self._max_books = max_books
        self._requests = Subscriptions()
        self._forgotten: set[str] = set()

    def __getitem__(self, symbol: str) -> OrderBook:
        try:
            return self._books[symbol]
        except KeyError:
            raise KeyError(
                f"no book for {symbol!r}: send a MarketDataRequest for it, and pass the request to `apply`"
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._books)

    def __len__(self) -> int:
        return len(self._books)

    def _repr_html_(self) -> str:
        from kalshi_fix_sansio.classes.display import table  # only in notebooks

        rows = (
            (book.symbol, book.state.value, level_text(book.best_bid), level_text(book.best_offer))
            for book in self.values()
        )
        return table(f"Books: {len(self)}", ("symbol", "state", "best bid", "best offer"), rows)

    def stale(self) -> list[str]:
        """Return the markets whose books are stale and must be requested again."""
        return [book.symbol for book in self._books.values() if book.state is BookState.STALE]

    def forget(self, *symbols: str) -> None:
        """Remove the books of these markets, and ignore updates that are still in transit."""
        self._drop(symbols)
        self._requests.unsubscribe(symbols)

    def apply(self, event: object) -> list[BookUpdate]:
        """Apply an event of the session or client, a received message, or a sent MarketDataRequest.

        Returns one update for each affected book. Any other object is ignored.
        """
        if event.__class__ is MarketDataIncrementalRefresh:
            return self._handle_update(event)  # the most frequent message
        message = event.message if isinstance(event, MessageReceived) else event
        match message:
            case MarketDataIncrementalRefresh():
                return self._handle_update(message)
            case MarketDataSnapshotFullRefresh():
                return self._handle_snapshot(message)
            case MarketDataRequest():
                self._handle_request(message)
            # The adapters' `Resubscribed` event, matched structurally: the core cannot import the adapters.
            case object(request=MarketDataRequest() as request):
                self._handle_request(request)
            case RejectReceived(sent=MarketDataRequest() as sent):
                return self._handle_request_reject(sent)
            case MarketDataRequestReject() | RejectReceived(sent=None, reject=object(ref_msg_type="V")):
                return self._handle_request_reject(None)
            case MessageRejected(message=rejected, problems=problems):
                return self._handle_session_reject(rejected, problems)
            case GapDetected() | SequenceSkipped() | MessagesLost():
                return self._make_stale(StaleReason.GAP)
            # Subscriptions end with their session, so none of their updates can still arrive.
            case SessionEnded():
                self._requests.clear()
                self._forgotten.clear()
                return self._make_stale(StaleReason.SESSION_ENDED)
            case LoggedOn():
                # Other books that wait for a snapshot continue to wait: the user may already have requested
                # them on the new session.
                ended_symbols = self._requests.begin_session()
                ended_symbols.update(
                    book.symbol for book in self._books.values() if book.state is BookState.LIVE
                )
                return self._make_stale(
                    StaleReason.NEW_SESSION, [symbol for symbol in self._books if symbol in ended_symbols]
                )
        return []

    def dump(self) -> dict[str, Any]:
        """Return the state as JSON values, for `load`."""
        return dump_state(_State(list(self.values()), self._forgotten, *self._requests.dump()))

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Replace the state with a dump.

        Raises:
            ValueError: the dump was not produced by `dump` of this class and version, or has more levels than
                `max_levels` allows; the state is unchanged.
        """
        with loading(dumped, _State, "OrderBooks") as state:
            requests = Subscriptions.load(state.subscribed, state.requests)
            levels = sum(len(book.bids) + len(book.offers) for book in state.books)
            max_levels = self._entries.level_limit.limit
            if levels > max_levels:
                raise ValueError(f"the number of levels ({levels}) exceeds the limit ({max_levels})")
            # `top` is not dumped, and its default is the index for offers.
            for book in state.books:
                book.bids.top = -1
        # Updated in place, because `_entries` counts the levels of the same dict.
        self._books.clear()
        self._books.update((book.symbol, book) for book in state.books)
        self._entries.level_limit.added = levels
        self._requests, self._forgotten = requests, state.forgotten

    # --- messages from the venue ----------------------------------------------------------------------

    def _handle_update(self, message: MarketDataIncrementalRefresh) -> list[BookUpdate]:
        entries = message.md_entries
        if message.problems and (problems := book_problems(message.problems)):
            touched = self._report_unreadable(_affected_symbols(message, problems), problems)
            return self._handle_entries(filter(is_complete, entries), touched)
        if not entries:
            return []
        # Usually all entries belong to one market. This path skips the bookkeeping for several
        # markets.
        symbol = entries[0].symbol
        book = self._books.get(symbol)
        update = self._begin_update(symbol) if book is None else BookUpdate(book)
        if update is None:
            return self._handle_entries(entries, {symbol: None})
        remaining = iter(entries)
        other_entry = self._entries.apply(update, remaining)
        if other_entry is not None:
            return self._handle_entries(chain((other_entry,), remaining), {symbol: update})
        # Only the best prices can cross, so if they are unchanged no check is needed.
        if (update.levels and not update.best_changed) or self._finish_update(update):
            return [update]
        return []

    def _handle_entries(
        self, entries: Iterable[MDIncEntry], touched: dict[str, BookUpdate | None]
    ) -> list[BookUpdate]:
        """Apply the entries of one message, which may concern several markets; return the non-empty updates.

        `touched` contains the updates already begun, by symbol; None for a forgotten book.
        """
        for entry in entries:
            symbol = entry.symbol
            if symbol not in touched:
                touched[symbol] = self._begin_update(symbol)
            update = touched[symbol]
            if update is not None:
                self._entries.apply(update, iter((entry,)))
        return self._finish_updates(touched)

    def _begin_update(self, symbol: str) -> BookUpdate | None:
        """Begin the update of a book; return None for a forgotten book."""
        book = self._books.get(symbol)
        if book is None:
            if symbol in self._forgotten:
                return None
            no_room = self._no_room_update(symbol)
            if no_room is not None:
                return no_room
            book = self._books[symbol] = OrderBook(symbol)
        return BookUpdate(book)

    def _no_room_update(self, symbol: str) -> BookUpdate | None:
        """Return the update that reports that there is no room for a new book; None if there is room."""
        if len(self._books) >= self._max_books:
            reason = f"there are {self._max_books} books already"
        elif len(symbol) > MAX_SYMBOL_SIZE:
            reason = f"its symbol has {len(symbol)} characters"
        else:
            return None
        update = BookUpdate(OrderBook(symbol))
        self._entries.report(update, DiscrepancyKind.TOO_MANY, reason)
        return update

    def _finish_updates(self, touched: dict[str, BookUpdate | None]) -> list[BookUpdate]:
        """Complete the updates that a message causes; return the non-empty ones."""
        return [update for update in touched.values() if update is not None and self._finish_update(update)]

    def _finish_update(self, update: BookUpdate) -> bool:
        """Complete the update of a book; return whether it is non-empty."""
        if update.best_changed:
            self._entries.check_crossed(update)
        return bool(update.levels or update.trades or update.discrepancies)

    def _handle_snapshot(self, message: MarketDataSnapshotFullRefresh) -> list[BookUpdate]:
        fields: Any = message  # an unreadable field is None
        symbol, entries = fields.symbol, message.md_entries
        problems = book_problems(message.problems)
        if symbol is None:
            return self._finish_updates(self._report_unreadable(None, problems))
        no_room = None if symbol in self._books else self._no_room_update(symbol)
        # Recorded even if the snapshot is not used: the request has its answer, so a later refusal concerns
        # another request.
        state = self._requests.record_snapshot(symbol, has_room=no_room is None)
        if state is None:
            return []
        if no_room is not None:
            return [no_room]
        self._forgotten.discard(symbol)
        book = self._books.get(symbol)
        if book is None:
            book = self._books[symbol] = OrderBook(symbol)
        # The book is WAITING while the snapshot is read. If it has another state afterwards, a discrepancy
        # that is not tolerated has made it stale.
        previous, book.state = book.state, BookState.WAITING
        update = BookUpdate(book, snapshot=True)
        if problems:
            self._entries.report(update, DiscrepancyKind.UNREADABLE, problems[0].text)
            entries = [entry for entry in entries if is_complete(entry)]
        bids, offers = self._entries.read_snapshot(update, entries)
        if book.state is BookState.WAITING:
            book.apply_snapshot(state, bids, offers)
            self._entries.check_crossed(update)
        book.awaits_old_updates = False
        update.state_changed = book.state is not previous
        update.best_changed = True
        return [update]

    def _report_unreadable(
        self, symbols: Iterable[str] | None, problems: list[Problem]
    ) -> dict[str, BookUpdate | None]:
        """Report the problems with a message in the updates of these books, and return the updates; `symbols`
        is None for all books.
        """
        touched = {
            symbol: self._begin_update(symbol) for symbol in (self._books if symbols is None else symbols)
        }
        for update in touched.values():
            if update is not None and update.book.state in _ACTIVE_STATES:
                self._entries.report(update, DiscrepancyKind.UNREADABLE, problems[0].text)
        return touched

    def _drop(self, symbols: Iterable[str]) -> None:
        for symbol in symbols:
            self._books.pop(symbol, None)
            self._forgotten.add(symbol)

    # --- requests and the session -------------------------------------------------

    def _handle_request(self, request: MarketDataRequest) -> None:
        if request.subscription_request_type is SubscriptionRequestType.DISABLE_PREVIOUS:
            symbols = [entry.symbol for entry in request.related_sym]
            if symbols:
                self.forget(*symbols)
            else:
                # SNAPSHOT books are not subscribed.
                snapshot = BookState.SNAPSHOT
                self._drop([book.symbol for book in self._books.values() if book.state is not snapshot])
                self._requests.unsubscribe()
            return
        for symbol in self._requests.request(request):
            book = self._books.get(symbol)
            if book is None:
                book = self._books[symbol] = OrderBook(symbol)
                # The venue may have sent updates before it processed the unsubscribe.
                book.awaits_old_updates = symbol in self._forgotten
                self._forgotten.discard(symbol)
            # A stale book may still be subscribed, so old updates may arrive before the snapshot. A live book
            # does not change until its next snapshot arrives.
            elif book.state is BookState.STALE:
                book.clear(BookState.WAITING)
                book.awaits_old_updates = True

    def _handle_session_reject(
        self, message: Message | None, problems: Iterable[Problem]
    ) -> list[BookUpdate]:
        """Handle a message from the venue that this session rejected and did not deliver."""
        symbols = _affected_symbols(message, problems)
        # The rejected message still answered its request, so a later refusal concerns another request.
        if isinstance(message, MarketDataSnapshotFullRefresh):
            for symbol in symbols or ():
                self._requests.record_snapshot(symbol, has_room=symbol in self._books)
        return self._make_stale(StaleReason.MESSAGE_REFUSED, symbols)

    def _handle_request_reject(self, request: MarketDataRequest | None) -> list[BookUpdate]:
        """Handle the refusal of a request; `request` is None if the refused request is unknown."""
        waiting = [
            symbol
            for symbol in self._requests.record_refusal(request)
            if symbol in self._books and self._books[symbol].state is BookState.WAITING
        ]
        return self._make_stale(StaleReason.REQUEST_REFUSED, waiting)

    def _make_stale(self, reason: StaleReason, symbols: Iterable[str] | None = None) -> list[BookUpdate]:
        """Make these books stale, if they are live or waiting; `symbols` is None for all books."""
        books = [self._books.get(symbol) for symbol in (self._books if symbols is None else symbols)]
        return [
            make_stale(BookUpdate(book), reason)
            for book in books
            if book is not None and book.state in _ACTIVE_STATES
        ]


def _affected_symbols(message: Message | None, problems: Iterable[Problem]) -> list[str] | None:
    """Return the markets that a message with problems concerns; None if it may concern any market."""
    match message:
        case MarketDataSnapshotFullRefresh(symbol=str() as symbol):
            return [symbol]
        case MarketDataIncrementalRefresh(md_entries=[_, *_] as entries):
            symbols = list(dict.fromkeys(entry.symbol for entry in entries))
            is_uncertain = None in symbols or any(
                each.tag not in _ENTRY_TAGS for each in book_problems(problems)
            )
            return None if is_uncertain else symbols
        case None | MarketDataSnapshotFullRefresh() | MarketDataIncrementalRefresh():
            return None
    return []
