"""Which books were asked for, and which request an answer belongs to.

Market data requests carry no id: a snapshot names its market alone, and a refusal (Y) nothing at all. The
venue answers in order, so a snapshot belongs to the oldest request that still waits for one of its market,
and a refusal to the oldest request that nothing has come for.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

import attrs

from kalshi_fix_sansio._generated import MarketDataRequest, SubscriptionRequestType
from kalshi_fix_sansio.trading.book import BookState


@attrs.define(eq=False)
class _Open:
    """A request that is not answered in full."""

    request: MarketDataRequest
    awaited: dict[str, BookState | None]
    """What each snapshot that is to come makes of its book; None: nothing, it was unsubscribed since."""
    subscribes: AbstractSet[str]
    """Markets that are kept up to date if it is granted, and were not before."""
    answered: bool = False
    """Whether one has come."""


@attrs.define(eq=False)
class Requests:
    """The requests of one session, as far as the user told of them."""

    _subscribed: set[str] = attrs.field(factory=set)
    """Markets that are kept up to date, for all we know."""
    _open: list[_Open] = attrs.field(factory=list)

    def ask(self, request: MarketDataRequest) -> list[str]:
        """Take note of a request for books; return its markets."""
        symbols = list(dict.fromkeys(entry.symbol for entry in request.related_sym))
        subscribes: set[str] = set()
        if request.subscription_request_type is SubscriptionRequestType.SNAPSHOT_PLUS_UPDATES:
            subscribes.update(symbols)
            subscribes -= self._subscribed
            self._subscribed |= subscribes
        awaited: dict[str, BookState | None] = {
            symbol: BookState.LIVE if symbol in self._subscribed else BookState.SNAPSHOT for symbol in symbols
        }
        self._open.append(_Open(request, awaited, subscribes))
        return symbols

    def drop(self, symbols: AbstractSet[str]) -> None:
        """Take note that markets were unsubscribed: what was to make a book live no longer does."""
        self._subscribed.difference_update(symbols)
        for each in self._open:
            for symbol in each.awaited.keys() & symbols:
                if each.awaited[symbol] is BookState.LIVE:
                    each.awaited[symbol] = None

    def answered(self, symbol: str) -> BookState | None:
        """Take note of a snapshot; return what it makes of its book."""
        for index, each in enumerate(self._open):
            if symbol in each.awaited:
                state = each.awaited.pop(symbol)
                each.answered = True
                if not each.awaited:
                    del self._open[index]
                break
        else:
            state = BookState.LIVE
        if state is BookState.LIVE:
            self._subscribed.add(symbol)
        return state

    def refuse(self, request: MarketDataRequest | None = None) -> Iterable[str]:
        """Take note of a refusal, of the request that it names or of the one that it must mean.

        Returns the markets that nobody waits for any longer.
        """
        for index, each in enumerate(self._open):
            if each.request == request if request is not None else not each.answered:
                del self._open[index]
                self._unsubscribe(each.subscribes)
                still = {symbol for other in self._open for symbol in other.awaited}
                return [symbol for symbol in each.awaited if symbol not in still]
        return ()

    def _unsubscribe(self, symbols: AbstractSet[str]) -> None:
        """Take a subscription back that was refused: what was asked for once is no more than that."""
        self._subscribed -= symbols
        for each in self._open:
            if each.request.subscription_request_type is not SubscriptionRequestType.SNAPSHOT_PLUS_UPDATES:
                for symbol in each.awaited.keys() & symbols:
                    each.awaited[symbol] = BookState.SNAPSHOT

    def clear(self) -> None:
        """Forget all of it: a session's subscriptions end with it."""
        self._subscribed.clear()
        self._open.clear()
