"""One product's gateway: its exchange with order entry and market data before it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from kalshi_fix_adapters.venue.exchange import Advance, Command, Exchange
from kalshi_fix_adapters.venue.exchange.outcomes import Outcome
from kalshi_fix_adapters.venue.gateway.drop_copy import MOST_EVENTS, DropCopy
from kalshi_fix_adapters.venue.gateway.fake_answers import FakeAnswers
from kalshi_fix_adapters.venue.gateway.logins import Delivery, Handlers, Login, Logins
from kalshi_fix_adapters.venue.gateway.market_data import MarketData, SymbolLimits
from kalshi_fix_adapters.venue.gateway.order_entry import OrderEntry
from kalshi_fix_adapters.venue.gateway.order_groups import OrderGroups
from kalshi_fix_adapters.venue.gateway.rebalancing import Rebalancing
from kalshi_fix_adapters.venue.gateway.refusals import unsupported
from kalshi_fix_adapters.venue.gateway.rfq import ComboCollection, Rfqs, RfqSettings
from kalshi_fix_adapters.venue.gateway.settlement import Settlements
from kalshi_fix_adapters.venue.gateway.timers import Timers
from kalshi_fix_sansio.base import Message


class ProductGateway:
    """Takes messages from logins and commands from the operator, and says what goes to whom."""

    def __init__(
        self,
        exchange: Exchange,
        limits: SymbolLimits,
        new_id: Callable[[], str],
        rfqs: RfqSettings | None = None,
        combos: Sequence[ComboCollection] = (),
        *,
        drop_copy: Collection[str] = (),
        max_past_events: int = MOST_EVENTS,
        allocations: Mapping[str, Mapping[int, Decimal]] | None = None,
    ) -> None:
        """Stand before an exchange; `new_id` draws the ids of orders. `drop_copy` names the owners who may
        ask for past reports, for which up to `max_past_events` are kept.
        `allocations` are percentages of free cash by shard, of the owners who have it divided."""
        self.exchange = exchange
        self.logins: Logins = Logins()
        self.timers: Timers = Timers()
        """What the parts of the gateway mean to do later."""
        self._rebalancing = Rebalancing(exchange, self.timers, self.execute, allocations or {})
        self._orders = OrderEntry(exchange, self.logins, new_id)
        self._market_data = MarketData(exchange, limits)
        self.fake_answers: FakeAnswers = FakeAnswers(exchange, self._orders, new_id)
        """What faults answer."""
        self.drop_copy: DropCopy = DropCopy(exchange, drop_copy, most_events=max_past_events)
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
        # The two need each other: an order may accept a quote, and a quote that was accepted becomes orders.
        self._orders.accept_quote = self._rfqs.accept_by_order
        self._handlers: Handlers = {
            **self._orders.handlers(),
            **groups.handlers(),
            **self._market_data.handlers(),
            **self._rfqs.handlers(),
            **self.drop_copy.handlers(),
        }

    def begin(self, now: datetime) -> None:
        """Let what the gateway does by itself begin, if it has not."""
        self._rebalancing.begin(now)

    def handle(self, message: Message, login: Login, now: datetime) -> list[Delivery]:
        """Take an application message of a session.

        What was due before the message came is done first: an order that has expired by then cannot be
        amended, whether or not the caller has called `handle_timer` in time.
        """
        self.begin(now)
        return self.handle_timer(now) + self._answer(message, login, now)

    def next_deadline(self) -> datetime | None:
        """Return when to call `handle_timer`: an order expires or a timer is up."""
        deadlines = (self.exchange.next_expiry(), self.timers.next_deadline())
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def handle_timer(self, now: datetime) -> list[Delivery]:
        """Do what is due, in the order in which it was."""
        deliveries: list[Delivery] = []
        while (deadline := self.next_deadline()) is not None and deadline <= now:
            # Orders expire before something of the same time is done.
            if self.exchange.next_expiry() == deadline:
                deliveries += self.execute(Advance(), now)[0]
            elif (action := self.timers.pop_due(now)) is not None:
                told, outcomes = action(now)
                deliveries += told + self._publish(outcomes)
        return deliveries

    def _answer(self, message: Message, login: Login, now: datetime) -> list[Delivery]:
        handler = self._handlers.get((login.session_type, type(message)))
        if handler is None:
            return [(login, unsupported(message))]
        deliveries, outcomes = handler(message, login, now)
        # Who asked is answered before everybody else hears of it.
        return deliveries + self._publish(outcomes)

    def execute(self, command: Command, now: datetime) -> tuple[list[Delivery], Sequence[Outcome]]:
        """Do something at the exchange that no session asked for, and tell those concerned.

        Raises:
            ValueError: a SetMarketState that cannot be.
        """
        outcomes = self.exchange.apply(command, now)
        return self._orders.distribute(outcomes) + self._publish(outcomes), outcomes

    def _publish(self, outcomes: Sequence[Outcome]) -> list[Delivery]:
        """Tell what happened to everyone but those whose orders it was, and keep it for drop copy.

        Every way in which outcomes come about ends here, once: what passes it by is in no market data and in
        no past reports.
        """
        self.drop_copy.record(outcomes)
        return (
            self._market_data.publish(outcomes)
            + self._settlements.publish(outcomes)
            + self._rfqs.follow(outcomes)
        )

    def output_written(self, login: Login) -> None:
        """Take note that everything that a login was told has left."""
        self._orders.output_written(login)

    def leave(self, login: Login) -> None:
        """Take note that a login's session has ended."""
        self.output_written(login)
        self.logins.leave(login)
        self._market_data.forget(login)
        self._rfqs.leave(login)
        self.drop_copy.forget(login)
