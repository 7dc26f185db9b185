"""Market data: snapshots, subscriptions and what is published to them (Kalshi's page on market data)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time

import attrs

from kalshi_fix_adapters.venue import exchange
from kalshi_fix_adapters.venue.exchange import PREDICTION, Exchange, MarketState
from kalshi_fix_adapters.venue.exchange.book import LevelChange
from kalshi_fix_adapters.venue.exchange.outcomes import (
    BookChanged,
    MarketStateChanged,
    Outcome,
    TradePrinted,
)
from kalshi_fix_adapters.venue.gateway.logins import Delivery, Login
from kalshi_fix_adapters.venue.gateway.refusals import business_reject, unsupported
from kalshi_fix_adapters.venue.gateway.units import contracts, price_to_wire
from kalshi_fix_sansio import (
    AggressorSide,
    BusinessRejectReason,
    MarketDataIncrementalRefresh,
    MarketDataRequest,
    MarketDataRequestReject,
    MarketDataSnapshotFullRefresh,
    MDEntryType,
    MDFullEntry,
    MDIncEntry,
    MDReqRejReason,
    MDUpdateAction,
    SecurityStatus,
    SecurityStatusRequest,
    SecurityTradingStatus,
    SubscriptionRequestType,
)
from kalshi_fix_sansio.base import Message

SESSION_TYPE = "KalshiMD"
_ENTRY_TYPES = {exchange.Side.BUY: MDEntryType.BID, exchange.Side.SELL: MDEntryType.OFFER}
_AGGRESSORS = {exchange.Side.BUY: AggressorSide.BUY, exchange.Side.SELL: AggressorSide.SELL}
_STATUSES = {
    MarketState.INACTIVE: SecurityTradingStatus.TRADING_HALT,
    MarketState.ACTIVE: SecurityTradingStatus.RESUME,
    MarketState.DETERMINED: SecurityTradingStatus.DETERMINED,
    MarketState.SETTLED: SecurityTradingStatus.SETTLED,
}
"""Scheduled closes are not reported, so CLOSED is missing."""


@attrs.frozen(kw_only=True)
class SymbolLimits:
    """How many symbols market data takes before it answers Y with 281=2."""

    per_request: int = 500
    per_session: int = 2000


@attrs.define
class _Subscriptions:
    """One session's; dicts keep the order of asking."""

    books: dict[str, None] = attrs.field(factory=dict)
    statuses: dict[str, None] = attrs.field(factory=dict)


class MarketData:
    """The market data gateway of one product."""

    def __init__(self, exchange: Exchange, limits: SymbolLimits) -> None:
        """Publish what happens at an exchange."""
        self._exchange = exchange
        self._limits = limits
        self._sessions: dict[Login, _Subscriptions] = {}

    def handle(self, message: Message, login: Login, now: datetime) -> list[Delivery]:
        """Take an application message of a market data session."""
        match message:
            case MarketDataRequest():
                return [(login, answer) for answer in self._request(message, login, now)]
            case SecurityStatusRequest():
                return [(login, answer) for answer in self._status_request(message, login)]
            case _:
                return [(login, unsupported(message))]

    def forget(self, login: Login) -> None:
        """Drop the subscriptions of a session that has ended."""
        self._sessions.pop(login, None)

    def publish(self, outcomes: Sequence[Outcome]) -> list[Delivery]:
        """Return what subscribers are told of what happened: one X per market, trades first."""
        updates = self._updates(outcomes)
        changes = [o for o in outcomes if isinstance(o, MarketStateChanged)]
        deliveries: list[Delivery] = []
        for login, subscriptions in self._sessions.items():
            deliveries.extend(
                (login, MarketDataIncrementalRefresh(md_entries=list(entries)))
                for symbol, entries in updates.items()
                if symbol in subscriptions.books
            )
            for change in changes:
                deliveries.extend((login, status) for status in _tell(change, subscriptions))
        return deliveries

    def _request(self, message: MarketDataRequest, login: Login, now: datetime) -> list[Message]:
        symbols = [entry.symbol for entry in message.related_sym]
        mine = self._sessions.setdefault(login, _Subscriptions())
        match message.subscription_request_type:
            case SubscriptionRequestType.DISABLE_PREVIOUS:
                for symbol in symbols or tuple(mine.books):
                    mine.books.pop(symbol, None)
                return []
            case SubscriptionRequestType.SNAPSHOT:
                wanted: set[str] = set()
            case SubscriptionRequestType.SNAPSHOT_PLUS_UPDATES:
                wanted = set(symbols)
            case unknown:
                return [
                    _reject(
                        MDReqRejReason.UNSUPPORTED_SUBSCRIPTION_REQUEST_TYPE,
                        f"SubscriptionRequestType {unknown} is not supported",
                    )
                ]
        if len(symbols) > self._limits.per_request:
            return [_too_many(f"at most {self._limits.per_request} symbols per request")]
        if len(wanted | mine.books.keys()) > self._limits.per_session:
            return [_too_many(f"at most {self._limits.per_session} symbols per session")]
        if wanted:
            mine.books.update(dict.fromkeys(symbols))
        return [self._snapshot(symbol, now) for symbol in symbols]

    def _status_request(self, message: SecurityStatusRequest, login: Login) -> list[Message]:
        mine = self._sessions.setdefault(login, _Subscriptions())
        match message.subscription_request_type:
            case SubscriptionRequestType.SNAPSHOT_PLUS_UPDATES:
                mine.statuses[message.symbol] = None
            case SubscriptionRequestType.DISABLE_PREVIOUS:
                mine.statuses.pop(message.symbol, None)
            case _:
                text = "SubscriptionRequestType must be 1 or 2"
                return [business_reject(message, BusinessRejectReason.OTHER, text)]
        return []

    def _snapshot(self, symbol: str, now: datetime) -> MarketDataSnapshotFullRefresh:
        """Write the whole book; that of an unknown symbol is empty."""
        day, instant = self._stamp(now)
        return MarketDataSnapshotFullRefresh(
            symbol=symbol,
            md_entries=[
                MDFullEntry(
                    md_entry_type=_ENTRY_TYPES[side],
                    md_entry_px=price_to_wire(price, dollars=True),
                    md_entry_size=contracts(size),
                    md_entry_date=day,
                    md_entry_time=instant,
                )
                for side in (exchange.Side.BUY, exchange.Side.SELL)
                for price, size in self._exchange.levels(symbol, side)
            ],
        )

    def _updates(self, outcomes: Sequence[Outcome]) -> dict[str, list[MDIncEntry]]:
        updates: dict[str, list[MDIncEntry]] = {}
        for outcome in outcomes:
            if isinstance(outcome, TradePrinted):
                updates.setdefault(outcome.market, []).append(self._trade(outcome))
            elif isinstance(outcome, BookChanged):
                levels = [self._level(outcome, change) for change in outcome.changes]
                updates.setdefault(outcome.market, []).extend(levels)
        return updates

    def _trade(self, trade: TradePrinted) -> MDIncEntry:
        day, instant = self._stamp(trade.time)
        return MDIncEntry(
            md_update_action=MDUpdateAction.NEW,
            symbol=trade.market,
            md_entry_type=MDEntryType.TRADE,
            md_entry_px=price_to_wire(trade.price, dollars=True),
            md_entry_size=contracts(trade.quantity),
            md_entry_date=day,
            md_entry_time=instant,
            aggressor_side=_AGGRESSORS[trade.aggressor],
        )

    def _level(self, outcome: BookChanged, change: LevelChange) -> MDIncEntry:
        day, instant = self._stamp(outcome.time)
        if not change.size:
            action = MDUpdateAction.DELETE
        else:
            action = MDUpdateAction.CHANGE if change.before else MDUpdateAction.NEW
        return MDIncEntry(
            md_update_action=action,
            symbol=outcome.market,
            md_entry_type=_ENTRY_TYPES[change.side],
            md_entry_px=price_to_wire(change.price, dollars=True),
            md_entry_size=contracts(change.size),
            md_entry_date=day,
            md_entry_time=instant,
        )

    def _stamp(self, now: datetime) -> tuple[date | None, time | None]:
        """Return 272 and 273, which prediction has and margin has not."""
        return (now.date(), now.time()) if self._exchange.product == PREDICTION else (None, None)


def _tell(change: MarketStateChanged, subscriptions: _Subscriptions) -> list[SecurityStatus]:
    status = _STATUSES.get(change.state)
    if status is None or change.market not in subscriptions.statuses:
        return []
    if change.state is MarketState.SETTLED:
        del subscriptions.statuses[change.market]
    return [SecurityStatus(symbol=change.market, security_trading_status=status)]


def _too_many(text: str) -> MarketDataRequestReject:
    return _reject(MDReqRejReason.INSUFFICIENT_BANDWIDTH, text)


def _reject(reason: MDReqRejReason, text: str) -> MarketDataRequestReject:
    return MarketDataRequestReject(md_req_rej_reason=reason, text=text)
