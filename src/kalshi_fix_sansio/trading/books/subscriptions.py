"""Market data requests, matched with their answers.

Market data requests have no id. A snapshot identifies only its market, and a refusal
(MarketDataRequestReject, Y) does not identify its request at all. The venue answers in sequence, so a
snapshot belongs to the oldest request that still waits for a snapshot of its market. A refusal belongs to the
oldest request without any answer. A snapshot makes its book LIVE if the market was subscribed when the venue
sent the snapshot.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

import attrs

from kalshi_fix_sansio._generated import Header, MarketDataRequest, SubscriptionRequestType
from kalshi_fix_sansio.messages import decode, encode
from kalshi_fix_sansio.trading.books.book import BookState

_HEADER: Final = Header(
    sender_comp_id="-", target_comp_id="-", msg_seq_num=1, sending_time=datetime(2000, 1, 1, tzinfo=UTC)
)
"""Header for dumped requests, because a request may have none before it is sent. Comparisons of requests
ignore headers.
"""


@attrs.define(eq=False)
class _Request:
    """A request for books that has not been fully answered."""

    request: MarketDataRequest
    subscribes: bool
    awaited: dict[str, None]
    """Markets whose snapshots are pending, in the order in which the request lists them."""
    answered: bool = False
    """Whether any answer to the request has been received."""
    is_loaded: bool = False
    """Whether the request was loaded from a dump."""


@attrs.frozen(eq=False)
class _Unsubscribe:
    """An unsubscribe request, which the venue does not answer. The venue must have processed it once all
    earlier requests have been answered, or any later one.
    """

    symbols: frozenset[str] | None
    """The markets; None for all of them."""

    def covers(self, symbol: str) -> bool:
        return self.symbols is None or symbol in self.symbols


@attrs.frozen
class DumpedRequest:
    """A request for books or an unsubscribe request, as stored in a dump.

    Attributes:
        frame: The request in its wire format; None for an unsubscribe request.
        symbols: For a request for books, the markets whose snapshots are pending. For an unsubscribe request,
            its markets; None for all markets.
        answered: Whether any answer to the request has been received.
    """

    frame: str | None
    symbols: list[str] | None
    answered: bool


@attrs.define(eq=False)
class Subscriptions:
    """The market data requests of one session, as passed to `OrderBooks.apply`."""

    _subscribed: set[str] = attrs.field(factory=set)
    """Markets that were subscribed when the venue sent its latest answer, as far as is known."""
    _open: list[_Request | _Unsubscribe] = attrs.field(factory=list)
    """Requests for books and unsubscribe requests since the oldest unanswered request, in the order in which
    they were sent.
    """
    _unsubscribe_count: int = 0
    """The number of unsubscribe requests in `_open`."""

    def request(self, request: MarketDataRequest) -> list[str]:
        """Record a request for books; return its markets."""
        awaited = dict.fromkeys(entry.symbol for entry in request.related_sym)
        subscribes = request.subscription_request_type is SubscriptionRequestType.SNAPSHOT_PLUS_UPDATES
        self._open.append(_Request(request, subscribes, awaited))
        return list(awaited)

    def unsubscribe(self, symbols: Iterable[str] | None = None) -> None:
        """Record an unsubscribe request for these markets, or for all markets."""
        self._open.append(_Unsubscribe(None if symbols is None else frozenset(symbols)))
        self._unsubscribe_count += 1
        self._remove_completed()

    def record_snapshot(self, symbol: str, *, has_room: bool) -> BookState | None:
        """Record a snapshot; return the new state of its book, or None if the user has unsubscribed from the
        market in the meantime.

        An unsolicited snapshot is recorded only if there is room for its book, because the venue could send
        any number of them.
        """
        for index, each in enumerate(self._open):
            if isinstance(each, _Request) and symbol in each.awaited:
                # Answers are in sequence, so the venue has processed all requests before this one.
                self._remove_completed(index)
                del each.awaited[symbol]
                each.answered = True
                if not each.subscribes and symbol not in self._subscribed:
                    self._remove_completed()
                    return BookState.SNAPSHOT
                self._subscribed.add(symbol)
                break
        else:
            # No request waits for it: the market was already subscribed, or the snapshot is unsolicited.
            if has_room:
                self._subscribed.add(symbol)
        # The venue sent this snapshot before it processed the unsubscribe requests that are still in the
        # list.
        is_unsubscribed = self._unsubscribe_count and any(
            each.covers(symbol) for each in self._open if isinstance(each, _Unsubscribe)
        )
        self._remove_completed()
        return None if is_unsubscribed else BookState.LIVE

    def record_refusal(self, request: MarketDataRequest | None = None) -> list[str]:
        """Record the refusal of `request` or, if it is None, of the oldest request without any answer.

        Returns the refused markets for which no other request is waiting.
        """
        for index, each in enumerate(self._open):
            if isinstance(each, _Request) and (each.request == request if request else not each.answered):
                self._remove_completed(index)
                refused, each.awaited = each.awaited, {}
                each.answered = True
                self._remove_completed()
                requests = [other for other in self._open if isinstance(other, _Request)]
                return [
                    symbol for symbol in refused if not any(symbol in other.awaited for other in requests)
                ]
        return []

    def begin_session(self) -> set[str]:
        """Drop the subscriptions and the requests of earlier sessions. Return the markets of the dropped
        requests for which no remaining request is waiting.

        A request that was not loaded from a dump is kept: it may already have been sent on the new session.
        """
        self._subscribed.clear()
        dropped: set[str] = set()
        awaited: set[str] = set()
        for each in self._open:
            if isinstance(each, _Request):
                (dropped if each.is_loaded else awaited).update(each.awaited)
                if each.is_loaded:
                    each.awaited = {}
        self._remove_completed()
        return dropped - awaited

    def clear(self) -> None:
        """Drop all requests: subscriptions end with their session."""
        self._subscribed.clear()
        self._open.clear()
        self._unsubscribe_count = 0

    def dump(self) -> tuple[set[str], list[DumpedRequest]]:
        """Return the subscribed markets, and the requests that are not fully answered."""
        return self._subscribed, [_dump(each) for each in self._open]

    @classmethod
    def load(cls, subscribed: set[str], dumped: Iterable[DumpedRequest]) -> Subscriptions:
        """Return the subscriptions contained in a dump.

        Raises:
            ValueError: the dump is damaged.
        """
        requests = [_load(each) for each in dumped]
        return cls(subscribed, requests, sum(isinstance(each, _Unsubscribe) for each in requests))

    def _remove_completed(self, processed: int = 0) -> None:
        """Apply the unsubscribe requests that the venue must have processed: those among the first
        `processed` entries, and those whose preceding requests have all been answered. Remove completed
        entries.
        """
        # Requests for books stay in the list until they are answered. If one is never answered, it must not
        # block the unsubscribe requests that follow it.
        if processed and self._unsubscribe_count:
            preceding = self._open[:processed]
            self._open[:processed] = [each for each in preceding if isinstance(each, _Request)]
            for each in preceding:
                self._apply_unsubscribe(each)
        while self._open and not (isinstance(self._open[0], _Request) and self._open[0].awaited):
            self._apply_unsubscribe(self._open.pop(0))

    def _apply_unsubscribe(self, item: _Request | _Unsubscribe) -> None:
        if isinstance(item, _Unsubscribe):
            self._unsubscribe_count -= 1
            if item.symbols is None:
                self._subscribed.clear()
            else:
                self._subscribed -= item.symbols


def _dump(item: _Request | _Unsubscribe) -> DumpedRequest:
    if isinstance(item, _Unsubscribe):
        return DumpedRequest(None, None if item.symbols is None else sorted(item.symbols), answered=False)
    return DumpedRequest(encode(item.request, _HEADER).decode("latin-1"), list(item.awaited), item.answered)


def _load(dumped: DumpedRequest) -> _Request | _Unsubscribe:
    symbols = dumped.symbols
    if dumped.frame is None:
        return _Unsubscribe(None if symbols is None else frozenset(symbols))
    request = decode(dumped.frame.encode("latin-1"))
    if not isinstance(request, MarketDataRequest) or symbols is None:
        raise ValueError(f"a request must be a MarketDataRequest with symbols, not {dumped.frame[:80]!r}")
    subscribes = request.subscription_request_type is SubscriptionRequestType.SNAPSHOT_PLUS_UPDATES
    return _Request(request, subscribes, dict.fromkeys(symbols), dumped.answered, is_loaded=True)
