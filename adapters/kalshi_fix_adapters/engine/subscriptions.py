"""The active market data subscriptions, for renewal on the next connection.

Kalshi's MarketDataRequest has no MDReqID (262), so Symbol (55) identifies a subscription. The venue answers
requests in sequence, with one snapshot (W) for each symbol. A MarketDataRequestReject (Y) does not identify
the request that it rejects (Kalshi's page on market data).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import attrs

from kalshi_fix_sansio import (
    BusinessMessageReject,
    BusinessRejectReason,
    MarketDataRequest,
    MarketDataRequestReject,
    MarketDataSnapshotFullRefresh,
    SecurityStatus,
    SecurityStatusRequest,
    SecurityTradingStatus,
    SubscriptionRequestType,
)
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import Event, MessageReceived, RejectReceived

_OFF = SubscriptionRequestType.DISABLE_PREVIOUS
_ON = SubscriptionRequestType.SNAPSHOT_PLUS_UPDATES
_RELEVANT_TYPES = frozenset(
    {MarketDataSnapshotFullRefresh.MSG_TYPE, MarketDataRequestReject.MSG_TYPE, SecurityStatus.MSG_TYPE}
)
"""MsgTypes of the messages that may concern a subscription; most received messages have other types."""

_SeqNumsBySymbol = dict[str, set[int] | None]
"""Subscriptions by symbol, in the order of the requests. The value is None after a request for the symbol was
answered. Until then, it is a set of MsgSeqNums: those of this connection's requests for the symbol that may
still be rejected. The set is empty if the symbol was not requested on this connection.
"""


@attrs.define
class _PendingRequest:
    """A MarketDataRequest whose answer is not complete."""

    seq_num: int
    is_subscription: bool
    """Whether the request asks for updates, not only for one snapshot."""
    awaited_symbols: set[str]
    """The symbols whose snapshots have not been received."""
    has_snapshot: bool = False
    """Whether at least one snapshot was received for the request."""


class Subscriptions:
    """The subscriptions of a client, derived from the messages it sends and receives."""

    def __init__(self, max_symbols: int | None = None) -> None:
        """Start without subscriptions; `max_symbols` is the maximum number of symbols in a request, None for
        no limit.
        """
        self._max_symbols = max_symbols
        self._books: _SeqNumsBySymbol = {}
        """Subscriptions made with MarketDataRequest (V)."""
        self._statuses: _SeqNumsBySymbol = {}
        """Subscriptions made with SecurityStatusRequest (e)."""
        self._pending: deque[_PendingRequest] = deque()
        """MarketDataRequests of this connection, oldest first, in the order of their answers."""
        self._renewals: set[int] = set()
        """MsgSeqNums of this connection's renewals, which the client sent automatically."""

    def start_connection(self) -> None:
        """Mark all subscriptions as not requested yet, because a new connection is logged on."""
        self._pending.clear()
        self._renewals.clear()
        for subscriptions in (self._books, self._statuses):
            subscriptions.update({symbol: set() for symbol in subscriptions})

    def requests(self) -> Iterator[MarketDataRequest | SecurityStatusRequest]:
        """Yield requests for all active subscriptions that have not been requested on this connection.

        `record_sent` may be called for each request before the iteration continues.
        """
        symbols = [symbol for symbol, seq_nums in self._books.items() if seq_nums == set()]
        size = self._max_symbols or max(len(symbols), 1)
        for begin in range(0, len(symbols), size):
            yield MarketDataRequest.subscribe(*symbols[begin : begin + size])
        # If `record_sent` is called during the iteration, it changes sets in the dict, but adds no symbol.
        for symbol, seq_nums in self._statuses.items():
            if seq_nums == set():
                yield SecurityStatusRequest.subscribe(symbol)

    def record_sent(self, message: Message, seq_num: int, *, is_renewal: bool = False) -> None:
        """Record a sent message; `is_renewal` marks a renewal by the client."""
        match message:
            case MarketDataRequest():
                self._record_book_request(message, seq_num)
            case SecurityStatusRequest(subscription_request_type=kind, symbol=symbol):
                if kind == _OFF:
                    self._statuses.pop(symbol, None)
                elif kind == _ON:
                    _add_request(self._statuses, symbol, seq_num)
        if is_renewal:
            self._renewals.add(seq_num)

    def _record_book_request(self, message: MarketDataRequest, seq_num: int) -> None:
        kind, symbols = message.subscription_request_type, [entry.symbol for entry in message.related_sym]
        if kind == _OFF:
            # A request without symbols ends the subscriptions of all books.
            for symbol in symbols or tuple(self._books):
                self._books.pop(symbol, None)
            return
        self._pending.append(_PendingRequest(seq_num, kind == _ON, set(symbols)))
        if kind == _ON:
            for symbol in symbols:
                _add_request(self._books, symbol, seq_num)

    def apply(self, event: Event) -> bool:
        """Apply an event of the session; return whether to send `requests` again shortly.

        That is necessary if the venue rejected a renewal for exceeding the rate limit.
        """
        if isinstance(event, MessageReceived):
            if event.message.msg_type not in _RELEVANT_TYPES:
                return False
            match event.message:
                case MarketDataSnapshotFullRefresh(symbol=symbol):
                    self._record_snapshot(symbol)
                case MarketDataRequestReject():
                    # Y does not identify its request. Requests are answered in sequence, and a request that
                    # was answered by a snapshot was not rejected.
                    first = next((pending for pending in self._pending if not pending.has_snapshot), None)
                    if first is not None:
                        self._record_rejection(first.seq_num, event.message)
                case SecurityStatus(symbol=symbol, security_trading_status=SecurityTradingStatus.SETTLED):
                    self._statuses.pop(symbol, None)
        elif isinstance(event, RejectReceived):
            return event.ref_seq_num is not None and self._record_rejection(event.ref_seq_num, event.reject)
        return False

    def _record_snapshot(self, symbol: str) -> None:
        # Requests are answered in sequence, so this snapshot answers the oldest request that awaits the
        # symbol.
        for pending in self._pending:
            if symbol in pending.awaited_symbols:
                pending.awaited_symbols.discard(symbol)
                pending.has_snapshot = True
                if not pending.awaited_symbols:
                    self._pending.remove(pending)
                if pending.is_subscription and symbol in self._books:
                    self._books[symbol] = None
                return

    def _record_rejection(self, seq_num: int, reject: Message) -> bool:
        is_postponed = (
            seq_num in self._renewals
            and isinstance(reject, BusinessMessageReject)
            and reject.business_reject_reason == BusinessRejectReason.RATE_LIMIT_EXCEEDED
        )
        for pending in self._pending:
            if pending.seq_num == seq_num:
                self._pending.remove(pending)
                break
        for subscriptions in (self._books, self._statuses):
            # An accepted subscription (None) is kept, because the rejection of a repeated request does not
            # end it.
            for symbol in [
                symbol for symbol, seq_nums in subscriptions.items() if seq_nums and seq_num in seq_nums
            ]:
                seq_nums = subscriptions[symbol] or set()
                seq_nums.discard(seq_num)
                # If the request is postponed, the empty set is kept, and `requests` yields the symbol again.
                if not seq_nums and not is_postponed:
                    del subscriptions[symbol]
        return is_postponed


def _add_request(subscriptions: _SeqNumsBySymbol, symbol: str, seq_num: int) -> None:
    seq_nums = subscriptions.setdefault(symbol, set())
    if seq_nums is not None:
        seq_nums.add(seq_num)
