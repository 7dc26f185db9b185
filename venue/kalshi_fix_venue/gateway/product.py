"""One product's gateway: its exchange with order entry, market data and the other services."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_venue.exchange import Advance, Command, Exchange
from kalshi_fix_venue.exchange.outcomes import OrderTraded, Outcome, TradePrinted
from kalshi_fix_venue.gateway.drop_copy import MAX_EVENTS, DropCopy
from kalshi_fix_venue.gateway.fake_answers import FakeAnswers
from kalshi_fix_venue.gateway.logins import Delivery, Handlers, Login, Logins
from kalshi_fix_venue.gateway.market_data import MarketData, SymbolLimits
from kalshi_fix_venue.gateway.order_entry import OrderEntry
from kalshi_fix_venue.gateway.order_groups import OrderGroups
from kalshi_fix_venue.gateway.permissions import permission_refusal
from kalshi_fix_venue.gateway.rebalancing import Rebalancing
from kalshi_fix_venue.gateway.refusals import authorization_reject, unsupported_type_reject
from kalshi_fix_venue.gateway.rfq import ComboCollection, Rfqs, RfqSettings
from kalshi_fix_venue.gateway.settlement import Settlements
from kalshi_fix_venue.gateway.timers import Timers

RECENT_TRADES = 300
"""Number of trade outcomes retained for the operator. Each trade has three (a public one and one per
side), so this is 100 trades.
"""


class ProductGateway:
    """Handles messages from logins and commands from the operator, and returns messages with their
    recipients."""

    def __init__(
        self,
        exchange: Exchange,
        limits: SymbolLimits,
        new_id: Callable[[], str],
        rfqs: RfqSettings | None = None,
        combos: Sequence[ComboCollection] = (),
        *,
        drop_copy: Collection[str] = (),
        max_past_events: int = MAX_EVENTS,
        allocations: Mapping[str, Mapping[int, Decimal]] | None = None,
    ) -> None:
        """Create the gateway of an exchange; `new_id` generates the ids of orders.

        `drop_copy` contains the owners who may request past reports; up to `max_past_events` events are
        retained for them. `allocations` are percentages of free cash by shard, for the owners with automatic
        rebalancing.
        """
        self.exchange = exchange
        self.logins: Logins = Logins()
        self.timers: Timers = Timers()
        """Timers of all parts of the gateway."""
        self._rebalancing = Rebalancing(exchange, self.timers, self.execute, allocations or {})
        self._orders = OrderEntry(exchange, self.logins, new_id)
        self._market_data = MarketData(exchange, limits)
        self.fake_answers: FakeAnswers = FakeAnswers(exchange, self._orders, new_id)
        """Creates the fake answers of injected faults."""
        self.drop_copy: DropCopy = DropCopy(exchange, drop_copy, max_events=max_past_events)
        self.trades: deque[TradePrinted | OrderTraded] = deque(maxlen=RECENT_TRADES)
        """The last trades with their two sides, oldest first."""
        self._settlements = Settlements(self.logins, new_id, exchange.assumptions)
        groups = OrderGroups(exchange, self._orders.distribute, new_id)
        self._rfqs = Rfqs(
            exchange,
            self.logins,
            self.timers,
            new_id,
            self._orders,
            rfqs or RfqSettings(),
            {collection.ticker: collection for collection in combos},
        )
        # Order entry and RFQs depend on each other: an order may accept a quote, and an accepted quote
        # becomes orders.
        self._orders.accept_quote = self._rfqs.accept_by_order
        self._handlers: Handlers = {
            **self._orders.handlers(),
            **groups.handlers(),
            **self._market_data.handlers(),
            **self._rfqs.handlers(),
            **self.drop_copy.handlers(),
        }

    def begin(self, now: datetime) -> None:
        """Start the gateway's periodic actions, if they have not been started yet."""
        self._rebalancing.begin(now)

    def handle(self, message: Message, login: Login, now: datetime) -> list[Delivery]:
        """Handle an application message from a session.

        Due timers run first: an order that has expired by `now` cannot be amended, whether or not the caller
        has called `handle_timer` in time.
        """
        self.begin(now)
        due = self.handle_timer(now)
        handler = self._handlers.get(type(message))
        if handler is None:
            return [*due, (login, unsupported_type_reject(message))]
        refusal = permission_refusal(message, login, self.exchange)
        if refusal is not None:
            return [*due, (login, authorization_reject(message, refusal))]
        deliveries, outcomes = handler(message, login, now)
        # The sender is answered before the others are notified.
        return due + deliveries + self._publish(outcomes)

    def next_deadline(self) -> datetime | None:
        """Return the next time to call `handle_timer`: the next expiry or timer."""
        deadlines = (self.exchange.next_expiry(), self.timers.next_deadline())
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def handle_timer(self, now: datetime) -> list[Delivery]:
        """Execute due expiries and timers, in the order of their times."""
        deliveries: list[Delivery] = []
        while (deadline := self.next_deadline()) is not None and deadline <= now:
            # Orders expire before the timers that are due at the same time run.
            if self.exchange.next_expiry() == deadline:
                deliveries += self.execute(Advance(), now)[0]
            elif (action := self.timers.pop_due(now)) is not None:
                answers, outcomes = action(now)
                deliveries += answers + self._publish(outcomes)
        return deliveries

    def execute(self, command: Command, now: datetime) -> tuple[list[Delivery], Sequence[Outcome]]:
        """Execute a command that no session requested; return the resulting messages, and its outcomes.

        Raises:
            ValueError: the command's checks failed (see `Exchange.apply`).
        """
        outcomes = self.exchange.apply(command, now)
        return self._orders.distribute(outcomes) + self._publish(outcomes), outcomes

    def _publish(self, outcomes: Sequence[Outcome]) -> list[Delivery]:
        """Return the messages for outcomes, except execution reports, and retain the outcomes for drop copy.

        Each outcome must be passed exactly once; otherwise it would be missing from market data and drop
        copy, or appear there twice.
        """
        self.drop_copy.record(outcomes)
        self.trades.extend(each for each in outcomes if isinstance(each, TradePrinted | OrderTraded))
        return (
            self._market_data.publish(outcomes)
            + self._settlements.publish(outcomes)
            + self._rfqs.close_rfqs_on_ended_markets(outcomes)
        )

    def record_output_written(self, login: Login) -> None:
        """Record that all messages of a login have been written."""
        self._orders.record_output_written(login)

    def end_session(self, login: Login) -> None:
        """Record that a login's session has ended."""
        self.record_output_written(login)
        self.logins.end_session(login)
        self._market_data.forget(login)
        self._rfqs.end_session(login)
        self.drop_copy.forget(login)
