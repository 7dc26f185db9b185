"""Which books were asked for, and which request an answer belongs to.

Market data requests carry no id: a snapshot names its market alone, and a refusal (Y) nothing at all. The
venue answers in order, so a snapshot belongs to the oldest request that still waits for one of its market,
and a refusal to the oldest request that nothing has come for. What a snapshot is worth depends on what the
venue had taken before: whether the market was subscribed by then.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from kalshi_fix_sansio._generated import MarketDataRequest, SubscriptionRequestType
from kalshi_fix_sansio.trading.book import BookState


@attrs.define(eq=False)
class _Ask:
    """A request for books that is not answered in full."""

    request: MarketDataRequest
    subscribes: bool
    awaited: dict[str, None]
    """Markets whose snapshots are to come, in the order of the request."""
    answered: bool = False
    """Whether anything has come for it."""


@attrs.frozen(eq=False)
class _Stop:
    """The end of subscriptions, which nothing answers: it counts once what was sent before is dealt with."""

    symbols: frozenset[str] | None
    """None: all of them."""

    def covers(self, symbol: str) -> bool:
        return self.symbols is None or symbol in self.symbols


@attrs.define(eq=False)
class Requests:
    """The requests of one session, as far as the user told of them."""

    _subscribed: set[str] = attrs.field(factory=set)
    """Markets that the venue kept up to date when it gave its latest answer."""
    _open: list[_Ask | _Stop] = attrs.field(factory=list)
    """What was sent since the oldest request that is not answered, in its order."""
    _stops: int = 0
    """How many of them end subscriptions."""

    def ask(self, request: MarketDataRequest) -> list[str]:
        """Take note of a request for books; return its markets."""
        awaited = dict.fromkeys(entry.symbol for entry in request.related_sym)
        subscribes = request.subscription_request_type is SubscriptionRequestType.SNAPSHOT_PLUS_UPDATES
        self._open.append(_Ask(request, subscribes, awaited))
        return list(awaited)

    def stop(self, symbols: Iterable[str] | None = None) -> None:
        """Take note that markets were unsubscribed, or all of them."""
        self._open.append(_Stop(None if symbols is None else frozenset(symbols)))
        self._stops += 1
        self._settle()

    def answered(self, symbol: str, *, has_room: bool) -> BookState | None:
        """Take note of a snapshot; return what it makes of its book, None if that was unsubscribed since.

        One that nobody asked for and that there is no room for is not remembered: a venue could send any
        number of them.
        """
        for index, each in enumerate(self._open):
            if isinstance(each, _Ask) and symbol in each.awaited:
                # Answers come in order, so the venue has taken all that was sent before this request.
                self._settle(index)
                del each.awaited[symbol]
                each.answered = True
                if not each.subscribes and symbol not in self._subscribed:
                    self._settle()
                    return BookState.SNAPSHOT
                self._subscribed.add(symbol)
                break
        else:
            # Of a market whose subscription was on already, or unasked.
            if has_room:
                self._subscribed.add(symbol)
        # The venue gave this snapshot before it took an end of subscriptions that is still open here.
        stopped = self._stops and any(each.covers(symbol) for each in self._open if isinstance(each, _Stop))
        self._settle()
        return None if stopped else BookState.LIVE

    def refuse(self, request: MarketDataRequest | None = None) -> list[str]:
        """Take note of a refusal, of the request that it names or of the one that it must mean.

        Returns the markets that nobody waits for any longer.
        """
        for index, each in enumerate(self._open):
            if isinstance(each, _Ask) and (each.request == request if request else not each.answered):
                self._settle(index)
                refused, each.awaited = each.awaited, {}
                each.answered = True
                self._settle()
                asks = [other for other in self._open if isinstance(other, _Ask)]
                return [symbol for symbol in refused if not any(symbol in other.awaited for other in asks)]
        return []

    def clear(self) -> None:
        """Forget all of it: a session's subscriptions end with it."""
        self._subscribed.clear()
        self._open.clear()
        self._stops = 0

    def _settle(self, taken: int = 0) -> None:
        """Let those ends of subscriptions count that the venue must have taken; forget what is dealt with."""
        # Requests stay among them: one whose answer never comes does not hold up what was sent later.
        if taken and self._stops:
            before = self._open[:taken]
            self._open[:taken] = [each for each in before if isinstance(each, _Ask)]
            for each in before:
                self._count(each)
        while self._open and not (isinstance(self._open[0], _Ask) and self._open[0].awaited):
            self._count(self._open.pop(0))

    def _count(self, each: _Ask | _Stop) -> None:
        if isinstance(each, _Stop):
            self._stops -= 1
            if each.symbols is None:
                self._subscribed.clear()
            else:
                self._subscribed -= each.symbols
