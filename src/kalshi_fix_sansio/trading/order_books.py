"""Order books kept from what a KalshiMD session tells: which book a message is for, and when one is stale."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Final

from kalshi_fix_sansio._generated import (
    BusinessMessageReject,
    MarketDataIncrementalRefresh,
    MarketDataRequest,
    MarketDataRequestReject,
    MarketDataSnapshotFullRefresh,
    MDIncEntry,
    Reject,
    SubscriptionRequestType,
)
from kalshi_fix_sansio.base import Message
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
from kalshi_fix_sansio.problems import Problem
from kalshi_fix_sansio.trading.book import BookState, OrderBook, StaleReason
from kalshi_fix_sansio.trading.changes import BookUpdate, DiscrepancyKind, begin_update
from kalshi_fix_sansio.trading.entries import Entries, Room, book_problems, is_complete, make_stale
from kalshi_fix_sansio.trading.requests import Requests

TOLERATED: Final = frozenset((DiscrepancyKind.UNKNOWN_ENTRY_TYPE, DiscrepancyKind.OUT_OF_ORDER))
"""What leaves a book live unless told otherwise: a venue adds kinds of entries without notice, and its clocks
may disagree by a millisecond where MsgSeqNum has shown that nothing is missing."""
MAX_SYMBOL_SIZE: Final = 256
"""Characters of a symbol that a book is made for unasked."""
_RELIED_ON: Final = frozenset((BookState.WAITING, BookState.LIVE))
_ENTRY_TAGS: Final = frozenset((269, 270, 271, 279))
"""Fields that leave no doubt which market their entry is of, if they alone are wrong. Symbol is none of
them, nor is NoMDEntries: an entry that is missing may have been of any market."""


class OrderBooks(Mapping[str, OrderBook]):
    """The books of one KalshiMD session by symbol, over any number of its connections.

    Give `apply` every event in its order. A book is live from its snapshot on, until messages are missing,
    the session ends or something does not fit: then it is stale and empty until the next snapshot, for
    which the user asks. Nothing that the venue sends raises.

    The requests may be given to `apply` as well, once they are sent. Then a book exists while it waits for
    its snapshot, a refusal is told, a single snapshot is not taken for a live book, and what was
    unsubscribed is forgotten.
    """

    __slots__ = ("_books", "_entries", "_forgotten", "_max_books", "_requests")

    def __init__(
        self,
        *,
        tolerated: frozenset[DiscrepancyKind] = TOLERATED,
        max_books: int = 100_000,
        max_levels: int = 1_000_000,
    ) -> None:
        """Start without books.

        Args:
            tolerated: discrepancies that are told and leave the book as it is. What can be applied is, such
                as the change of a level that is not there; what cannot is left out.
            max_books: books that are made for what the venue sends unasked, about 1 KB each. One more is
                told as stale, and not kept.
            max_levels: levels of all books together, about 350 bytes each. A book for whose levels there is
                no room becomes stale.
        """
        self._books: dict[str, OrderBook] = {}
        self._entries = Entries(tolerated, Room(self._books, max_levels))
        self._max_books = max_books
        self._requests = Requests()
        self._forgotten: set[str] = set()

    def __getitem__(self, symbol: str) -> OrderBook:
        return self._books[symbol]

    def __iter__(self) -> Iterator[str]:
        return iter(self._books)

    def __len__(self) -> int:
        return len(self._books)

    def stale(self) -> list[str]:
        """Return the markets whose books are stale, and need to be asked for."""
        return [book.symbol for book in self._books.values() if book.state is BookState.STALE]

    def forget(self, *symbols: str) -> None:
        """Drop the books of these markets, and ignore updates of them that are still on their way."""
        self._drop(symbols)
        self._requests.stop(symbols)

    def apply(self, happened: object) -> list[BookUpdate]:
        """Take an event of the session or client, a message received, or a MarketDataRequest that was sent.

        Returns what it did, one update for each book that it did something to. Any other event or message,
        of this library or not, does nothing.
        """
        if happened.__class__ is MarketDataIncrementalRefresh:
            return self._take_update(happened)  # most of what comes
        message = happened.message if isinstance(happened, MessageReceived) else happened
        match message:
            case MarketDataIncrementalRefresh():
                return self._take_update(message)
            case MarketDataSnapshotFullRefresh():
                return self._take_snapshot(message)
            case MarketDataRequest():
                self._take_request(message)
            # A client's Resubscribed, known by its attribute: the core cannot import the clients.
            case object(request=MarketDataRequest() as request):
                self._take_request(request)
            case MarketDataRequestReject():
                return self._refuse(None)
            case RejectReceived(sent=MarketDataRequest() as sent):
                return self._refuse(sent)
            case RejectReceived(sent=None, reject=Reject(ref_msg_type="V")):
                return self._refuse(None)
            case RejectReceived(sent=None, reject=BusinessMessageReject(ref_msg_type="V")):
                return self._refuse(None)
            case MessageRejected(message=rejected, problems=problems):
                return self._take_own_reject(rejected, problems)
            case GapDetected() | SequenceSkipped() | MessagesLost():
                return self._lose(StaleReason.GAP)
            # Subscriptions end with their session, so no updates of them can be on their way.
            case SessionEnded():
                self._requests.clear()
                self._forgotten.clear()
                return self._lose(StaleReason.SESSION_ENDED)
            case LoggedOn():
                # A book that waits may have been asked for in the new session already.
                live = [book.symbol for book in self._books.values() if book.state is BookState.LIVE]
                return self._lose(StaleReason.NEW_SESSION, live)
        return []

    # --- what the venue sends ----------------------------------------------------------------------

    def _take_update(self, message: MarketDataIncrementalRefresh) -> list[BookUpdate]:
        entries = message.md_entries
        if message.problems:
            touched: dict[str, BookUpdate | None] = {}
            return self._take_entries(self._readable(message, touched), touched)
        if not entries:
            return []
        # Mostly all entries are of one market, and this is done without what it takes for several.
        symbol = entries[0].symbol
        book = self._books.get(symbol)
        update = self._begin(symbol) if book is None else begin_update(book)
        if update is None:
            return self._take_entries(entries, {symbol: None})
        rest = iter(entries)
        other = self._entries.take(update, rest)
        if other is not None:
            return self._take_entries(chain((other,), rest), {symbol: update})
        # Books cross at their best prices alone, so where these are as before there is nothing to check.
        if (update.levels and not update.best_changed) or self._ends_with_news(update):
            return [update]
        return []

    def _take_entries(
        self, entries: Iterable[MDIncEntry], touched: dict[str, BookUpdate | None]
    ) -> list[BookUpdate]:
        """Apply entries of any markets to what their message has done so far."""
        for entry in entries:
            symbol = entry.symbol
            # None is in `touched` as well, for a book that was forgotten.
            update = touched[symbol] if symbol in touched else self._touch(symbol, touched)
            if update is not None:
                self._entries.take(update, iter((entry,)))
        return self._told(touched)

    def _touch(self, symbol: str, touched: dict[str, BookUpdate | None]) -> BookUpdate | None:
        """Begin the update of a book, once for a message; None for one that was forgotten."""
        update = touched[symbol] = self._begin(symbol)
        return update

    def _begin(self, symbol: str) -> BookUpdate | None:
        """Begin the update of a book; None for one that was forgotten."""
        book = self._books.get(symbol)
        if book is None:
            if symbol in self._forgotten:
                return None
            refused = self._refused(symbol)
            if refused is not None:
                return refused
            book = self._books[symbol] = OrderBook(symbol)
        return begin_update(book)

    def _refused(self, symbol: str) -> BookUpdate | None:
        """Return what to tell of a book that is not made; None if it may be."""
        if len(self._books) >= self._max_books:
            why = f"there are {self._max_books} books already"
        elif len(symbol) > MAX_SYMBOL_SIZE:
            why = f"a symbol of {len(symbol)} characters"
        else:
            return None
        update = begin_update(OrderBook(symbol))
        self._entries.refuse(update, why)
        return update

    def _told(self, touched: dict[str, BookUpdate | None]) -> list[BookUpdate]:
        """End the updates of a message; return those that have something to tell."""
        return [update for update in touched.values() if update is not None and self._ends_with_news(update)]

    def _ends_with_news(self, update: BookUpdate) -> bool:
        """End the update of a book by a message; say whether it has something to tell."""
        if update.best_changed:
            self._entries.check_crossed(update)
        return bool(update.levels or update.trades or update.discrepancies)

    def _readable(
        self, message: MarketDataIncrementalRefresh, touched: dict[str, BookUpdate | None]
    ) -> list[MDIncEntry]:
        """Tell the books concerned of a message's problems; return the entries that are whole."""
        problems = book_problems(message.problems)
        if not problems:
            return message.md_entries
        self._suspect(_concerned(message, problems), problems[0].text, touched)
        return [entry for entry in message.md_entries if is_complete(entry)]

    def _take_snapshot(self, message: MarketDataSnapshotFullRefresh) -> list[BookUpdate]:
        fields: Any = message  # what could not be read is None
        symbol, entries = fields.symbol, message.md_entries
        problems = book_problems(message.problems)
        if symbol is None:
            touched: dict[str, BookUpdate | None] = {}
            self._suspect(None, problems[0].text, touched)
            return self._told(touched)
        refused = None if symbol in self._books else self._refused(symbol)
        # Whatever becomes of the snapshot, its request is answered: the next refusal is of another one.
        state = self._requests.answered(symbol, has_room=refused is None)
        if state is None:
            return []
        if refused is not None:
            return [refused]
        self._forgotten.discard(symbol)
        book = self._books.get(symbol)
        if book is None:
            book = self._books[symbol] = OrderBook(symbol)
        # WAITING while the snapshot is read: another state behind that says that something in it was not
        # tolerated, and made the book stale.
        was, book.state = book.state, BookState.WAITING
        update = BookUpdate(book, snapshot=True)
        if problems:
            self._entries.report(update, DiscrepancyKind.UNREADABLE, problems[0].text)
            entries = [entry for entry in entries if is_complete(entry)]
        bids, offers = self._entries.read_snapshot(update, entries)
        if book.state is BookState.WAITING:
            book.fill(state, bids, offers)
            self._entries.check_crossed(update)
        book.awaits_old_updates = False
        update.state_changed = book.state is not was
        update.best_changed = True
        return [update]

    def _suspect(
        self, symbols: Iterable[str] | None, detail: str, touched: dict[str, BookUpdate | None]
    ) -> None:
        """Tell books that a message about them could not be read; None: it may have been about any."""
        for symbol in tuple(self._books) if symbols is None else symbols:
            update = self._touch(symbol, touched)
            if update is not None and update.book.state in _RELIED_ON:
                self._entries.report(update, DiscrepancyKind.UNREADABLE, detail)

    def _drop(self, symbols: Iterable[str]) -> None:
        for symbol in symbols:
            self._books.pop(symbol, None)
            self._forgotten.add(symbol)

    # --- what becomes of requests and of the session -------------------------------------------------

    def _take_request(self, request: MarketDataRequest) -> None:
        if request.subscription_request_type is SubscriptionRequestType.DISABLE_PREVIOUS:
            symbols = [entry.symbol for entry in request.related_sym]
            if symbols:
                self.forget(*symbols)
            else:
                # A book that was asked for once has no subscription that could end.
                kept = BookState.SNAPSHOT
                self._drop([book.symbol for book in self._books.values() if book.state is not kept])
                self._requests.stop()
            return
        for symbol in self._requests.ask(request):
            book = self._books.get(symbol)
            if book is None:
                book = self._books[symbol] = OrderBook(symbol)
                # The venue may have sent updates before it took the end of the subscription.
                book.awaits_old_updates = symbol in self._forgotten
                self._forgotten.discard(symbol)
            # A live book stays live while its next snapshot is on its way; a stale one may still be
            # subscribed to.
            elif book.state is BookState.STALE:
                book.clear(BookState.WAITING)
                book.awaits_old_updates = True

    def _take_own_reject(self, message: Message | None, problems: Iterable[Problem]) -> list[BookUpdate]:
        """Take note that this side refused a message, and did not deliver it."""
        symbols = _concerned(message, problems)
        # The venue has answered all the same: a refusal that follows is of a later request.
        if isinstance(message, MarketDataSnapshotFullRefresh):
            for symbol in symbols or ():
                self._requests.answered(symbol, has_room=symbol in self._books)
        return self._lose(StaleReason.MESSAGE_REFUSED, symbols)

    def _refuse(self, request: MarketDataRequest | None) -> list[BookUpdate]:
        """Take a refusal, of a request if it is known which."""
        waiting = [
            symbol
            for symbol in self._requests.refuse(request)
            if symbol in self._books and self._books[symbol].state is BookState.WAITING
        ]
        return self._lose(StaleReason.REQUEST_REFUSED, waiting)

    def _lose(self, reason: StaleReason, symbols: Iterable[str] | None = None) -> list[BookUpdate]:
        """Make books stale that were relied on; None: all of them."""
        books = [self._books.get(symbol) for symbol in (self._books if symbols is None else symbols)]
        return [
            make_stale(BookUpdate(book), reason)
            for book in books
            if book is not None and book.state in _RELIED_ON
        ]


def _concerned(message: Message | None, problems: Iterable[Problem]) -> list[str] | None:
    """Return the markets that a message with problems is about; None if it may have been about any."""
    match message:
        case MarketDataSnapshotFullRefresh(symbol=str() as symbol):
            return [symbol]
        case MarketDataIncrementalRefresh(md_entries=[_, *_] as entries):
            symbols = list(dict.fromkeys(entry.symbol for entry in entries))
            in_doubt = None in symbols or any(each.tag not in _ENTRY_TAGS for each in book_problems(problems))
            return None if in_doubt else symbols
        case None | MarketDataSnapshotFullRefresh() | MarketDataIncrementalRefresh():
            return None
    return []
