"""Market data: snapshots, subscriptions and their updates (Kalshi's page on market data)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import attrs

from kalshi_fix_sansio import (
    SESSION_TYPES,
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
    Side,
    SubscriptionRequestType,
    TrdType,
)
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_venue.exchange import Exchange, MarketState
from kalshi_fix_venue.exchange.book import LevelChange, OrderName
from kalshi_fix_venue.exchange.outcomes import (
    BookChanged,
    MarketStateChanged,
    Outcome,
    TradePrinted,
)
from kalshi_fix_venue.gateway.logins import Delivery, Handlers, Login, Result
from kalshi_fix_venue.gateway.refusals import business_reject
from kalshi_fix_venue.gateway.units import contracts, price_to_wire
from kalshi_fix_venue.index import Index

SESSION_TYPE = "KalshiMD"
_ENTRY_TYPES = {Side.BUY: MDEntryType.BID, Side.SELL: MDEntryType.OFFER}
_AGGRESSORS = {Side.BUY: AggressorSide.BUY, Side.SELL: AggressorSide.SELL}
_STATUSES = {
    MarketState.INACTIVE: SecurityTradingStatus.TRADING_HALT,
    MarketState.ACTIVE: SecurityTradingStatus.RESUME,
    MarketState.DETERMINED: SecurityTradingStatus.DETERMINED,
    MarketState.SETTLED: SecurityTradingStatus.SETTLED,
}
"""The reported states of a market; a dispute has no code, and scheduled closes are not reported."""
_UNREPORTED_CHANGES = (
    (MarketState.INITIALIZED, MarketState.ACTIVE),
    (MarketState.DISPUTED, MarketState.DETERMINED),
)
"""Changes that are not reported: a scheduled opening, and a dispute without consequences."""


@attrs.frozen(kw_only=True)
class SymbolLimits:
    """Limits on symbols. A request that exceeds them gets a MarketDataRequestReject (Y) with MDReqRejReason
    (281) 2."""

    per_request: int | None = SESSION_TYPES[SESSION_TYPE].symbols_per_request
    """Distinct symbols per request; None for no limit."""
    per_session: int | None = SESSION_TYPES[SESSION_TYPE].subscriptions


class _Subscriptions:
    """Subscriptions by login and by symbol, in the order of the requests."""

    def __init__(self) -> None:
        self._by_symbol: Index[str, Login] = Index()
        self._by_login: Index[Login, str] = Index()

    def symbols_of(self, login: Login) -> Sequence[str]:
        """Return the symbols that a session has subscribed to."""
        return self._by_login[login]

    def subscribers_to(self, symbol: str) -> Sequence[Login]:
        """Return the sessions that have subscribed to a symbol."""
        return self._by_symbol[symbol]

    def add(self, login: Login, symbol: str) -> None:
        self._by_symbol.add(symbol, login)
        self._by_login.add(login, symbol)

    def remove(self, login: Login, symbols: Iterable[str]) -> None:
        for symbol in symbols:
            self._by_login.discard(login, symbol)
            self._by_symbol.discard(symbol, login)

    def forget(self, login: Login) -> None:
        """Remove all subscriptions of a session."""
        self.remove(login, self.symbols_of(login))


@attrs.define(eq=False)
class _Update:
    """The update of one market: the same for all subscribers, except for the ids of their own orders."""

    entries: list[MDIncEntry] = attrs.field(factory=list)
    _order_names: dict[str, dict[int, OrderName]] = attrs.field(factory=dict)
    """By owner, the ids of the owner's order that caused an entry, by the index of the entry."""

    def add_levels(self, outcome: BookChanged) -> None:
        for change in outcome.changes:
            for owner, name in change.causes.items():
                self._order_names.setdefault(owner, {})[len(self.entries)] = name
            self.entries.append(_level(outcome, change))

    def entries_for(self, login: Login) -> list[MDIncEntry]:
        """Return a separate list for a subscriber, with the order ids that its key may receive."""
        entries = list(self.entries)
        for index, name in self._order_names.get(login.owner, {}).items():
            if login.may_see(name.account):
                entries[index] = attrs.evolve(
                    entries[index], cl_ord_id=name.cl_ord_id, alloc_account=name.account.subaccount
                )
        return entries


class MarketData:
    """The market data gateway of one product."""

    def __init__(self, exchange: Exchange, limits: SymbolLimits) -> None:
        """Publish the market data of an exchange."""
        self._exchange = exchange
        self._limits = limits
        self._books = _Subscriptions()
        self._statuses = _Subscriptions()

    def handlers(self) -> Handlers:
        """Return the handler of each message class."""
        return {MarketDataRequest: self._request, SecurityStatusRequest: self._status_request}

    def forget(self, login: Login) -> None:
        """Drop the subscriptions of an ended session."""
        self._books.forget(login)
        self._statuses.forget(login)

    def publish(self, outcomes: Sequence[Outcome]) -> list[Delivery]:
        """Return the messages to subscribers about a command's outcomes: first a MarketDataIncrementalRefresh
        (X) for each market, in which trades precede levels, then the changes of market states."""
        deliveries: list[Delivery] = [
            (login, MarketDataIncrementalRefresh(md_entries=update.entries_for(login)))
            for symbol, update in self._updates(outcomes).items()
            for login in self._books.subscribers_to(symbol)
        ]
        for change in outcomes:
            if isinstance(change, MarketStateChanged):
                deliveries.extend(self._status_deliveries(change))
        return deliveries

    def _request(self, message: MarketDataRequest, login: Login, now: datetime) -> Result:
        return [(login, answer) for answer in self._answers(message, login, now)], ()

    def _answers(self, message: MarketDataRequest, login: Login, now: datetime) -> Sequence[Message]:
        symbols = [entry.symbol for entry in message.related_sym]
        subscribed = self._books.symbols_of(login)
        match message.subscription_request_type:
            case SubscriptionRequestType.DISABLE_PREVIOUS:
                self._books.remove(login, symbols or subscribed)
                return ()
            # A snapshot does not create subscriptions, so only its own number of symbols is checked.
            case SubscriptionRequestType.SNAPSHOT:
                requested: list[str] = []
            case SubscriptionRequestType.SNAPSHOT_PLUS_UPDATES:
                requested = symbols
            case unknown:
                text = f"SubscriptionRequestType {unknown} is not supported"
                return [_reject(MDReqRejReason.UNSUPPORTED_SUBSCRIPTION_REQUEST_TYPE, text)]
        limits = self._limits
        if limits.per_request is not None and len(set(symbols)) > limits.per_request:
            return [_too_many(f"at most {limits.per_request} symbols per request")]
        if limits.per_session is not None and len({*requested, *subscribed}) > limits.per_session:
            return [_too_many(f"at most {limits.per_session} symbols per session")]
        # The subscription and the snapshots are created within one call, so no change can occur between them.
        for symbol in requested:
            self._books.add(login, symbol)
        return [self._snapshot(symbol, now) for symbol in symbols]

    def _status_request(self, message: SecurityStatusRequest, login: Login, now: datetime) -> Result:  # noqa: ARG002 - all handlers have the same signature
        match message.subscription_request_type:
            case SubscriptionRequestType.SNAPSHOT_PLUS_UPDATES:
                self._statuses.add(login, message.symbol)
            case SubscriptionRequestType.DISABLE_PREVIOUS:
                self._statuses.remove(login, (message.symbol,))
            case _:
                text = "SubscriptionRequestType must be 1 or 2"
                return [(login, business_reject(message, BusinessRejectReason.OTHER, text))], ()
        return [], ()

    def _snapshot(self, symbol: str, now: datetime) -> MarketDataSnapshotFullRefresh:
        """Return the snapshot of the whole book; for an unknown symbol it is empty."""
        return MarketDataSnapshotFullRefresh(
            symbol=symbol,
            md_entries=[
                MDFullEntry(
                    md_entry_type=_ENTRY_TYPES[side],
                    md_entry_px=price_to_wire(price, dollars=True),
                    md_entry_size=contracts(size),
                    md_entry_date=now.date(),
                    md_entry_time=now.time(),
                )
                for side in (Side.BUY, Side.SELL)
                for price, size in self._exchange.levels(symbol, side)
            ],
        )

    def _updates(self, outcomes: Sequence[Outcome]) -> dict[str, _Update]:
        updates: dict[str, _Update] = {}
        for outcome in outcomes:
            # Most markets have no subscriber: entries are built only for markets that have one.
            match outcome:
                case TradePrinted(market=market) if self._books.subscribers_to(market):
                    updates.setdefault(market, _Update()).entries.append(_trade(outcome))
                case BookChanged(market=market) if self._books.subscribers_to(market):
                    updates.setdefault(market, _Update()).add_levels(outcome)
        return updates

    def _status_deliveries(self, change: MarketStateChanged) -> list[Delivery]:
        status = _STATUSES.get(change.state)
        if status is None or (change.previous_state, change.state) in _UNREPORTED_CHANGES:
            return []
        message = SecurityStatus(symbol=change.market, security_trading_status=status)
        logins = self._statuses.subscribers_to(change.market)
        if change.state is MarketState.SETTLED:  # the last update of the market
            for login in logins:
                self._statuses.remove(login, (change.market,))
        return [(login, message) for login in logins]


def _trade(trade: TradePrinted) -> MDIncEntry:
    return MDIncEntry(
        md_update_action=MDUpdateAction.NEW,
        symbol=trade.market,
        md_entry_type=MDEntryType.TRADE,
        md_entry_px=price_to_wire(trade.price, dollars=True),
        md_entry_size=contracts(trade.quantity),
        md_entry_date=trade.time.date(),
        md_entry_time=trade.time.time(),
        aggressor_side=None if trade.aggressor is None else _AGGRESSORS[trade.aggressor],
        trd_type=TrdType.BLOCK_TRADE if trade.aggressor is None else None,
        trade_id=trade.trade_id,
    )


def _level(outcome: BookChanged, change: LevelChange) -> MDIncEntry:
    if not change.size:
        action = MDUpdateAction.DELETE
    else:
        action = MDUpdateAction.CHANGE if change.previous_size else MDUpdateAction.NEW
    return MDIncEntry(
        md_update_action=action,
        symbol=outcome.market,
        md_entry_type=_ENTRY_TYPES[change.side],
        md_entry_px=price_to_wire(change.price, dollars=True),
        md_entry_size=contracts(change.size),
        md_entry_date=outcome.time.date(),
        md_entry_time=outcome.time.time(),
    )


def _too_many(text: str) -> MarketDataRequestReject:
    return _reject(MDReqRejReason.INSUFFICIENT_BANDWIDTH, text)


def _reject(reason: MDReqRejReason, text: str) -> MarketDataRequestReject:
    return MarketDataRequestReject(md_req_rej_reason=reason, text=text)
