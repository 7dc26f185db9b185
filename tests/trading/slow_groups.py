"""A model of a venue with one order group, following Kalshi's documentation, and a program that trades
through lossy sessions.

The model sums all fills again for each query. It shares only the message classes with `OrderGroups`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

import attrs

from kalshi_fix_sansio import (
    ExecutionReport,
    ExecutionReportText,
    OrderGroupAction,
    OrderGroupRequest,
    OrderGroupResponse,
)
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import (
    LoggedOn,
    MessageReceived,
    OpenRequest,
    OutcomesUnknown,
    SessionEnded,
    Uncertainty,
)
from kalshi_fix_sansio.trading import DropCopyReport, GroupState, OrderGroup, OrderGroups
from tests.trading.order_flow import NOON, SESSION_ENDED, header, logged_on, over_the_wire, place, report

GROUP = "0d5ba9a8-5b1c-4d0a-9d5e-1f6b3a3f0c11"
PAUSES = (1, 7, 400, 2_000, 6_000, 14_000)
"""Milliseconds between two steps."""


@attrs.define(eq=False)
class SlowVenue:
    """The true state of the group."""

    limit: int
    window: timedelta
    now: datetime = NOON
    triggered: bool = False
    fills: list[tuple[datetime, int]] = attrs.field(factory=list)
    """Fills since the last reset."""
    orders: dict[str, int] = attrs.field(factory=dict)
    """The number of open contracts of each order."""
    reports: list[ExecutionReport] = attrs.field(factory=list)
    """All messages sent."""
    cum: dict[str, int] = attrs.field(factory=dict)

    def volume(self) -> int:
        return sum(quantity for time, quantity in self.fills if time > self.now - self.window)

    def place(self, name: str, quantity: int) -> list[Message]:
        if self.triggered:
            why = ExecutionReportText.EXCEEDED_ORDER_GROUP_RISK_LIMIT
            return [self._report("rejected", name, quantity, text=why)]
        self.orders[name], self.cum[name] = quantity, 0
        return [self._report("new", name, quantity)]

    def fill(self, name: str, quantity: int) -> list[Message]:
        self.orders[name] -= quantity
        self.cum[name] += quantity
        self.fills.append((self.now, quantity))
        left = self.orders[name]
        kind = "trade" if left else "filled"
        sent = [self._report(kind, name, left + self.cum[name], last=(str(quantity), "0.40"))]
        if not left:
            del self.orders[name]
        return sent + self._check()

    def request(self, request: OrderGroupRequest) -> list[Message]:
        limit = None
        cancels: list[Message] = []
        match request.order_group_action:
            case OrderGroupAction.RESET:
                self.triggered = False
                self.fills.clear()
            case OrderGroupAction.TRIGGER:
                cancels = self._trigger()
            case OrderGroupAction.UPDATE:
                limit = self.limit = request.order_group_contracts_limit or 0
                cancels = self._check()
        answer = OrderGroupResponse(order_group_id=GROUP, order_group_contracts_limit=limit)
        return [over_the_wire(answer, at=self.now), *cancels]

    def _check(self) -> list[Message]:
        return self._trigger() if self.volume() > self.limit else []

    def _trigger(self) -> list[Message]:
        self.triggered = True
        names, why = list(self.orders), ExecutionReportText.ORDER_GROUP_CANCEL
        self.orders.clear()
        return [self._report("canceled", name, self.cum[name], text=why) for name in names]

    def _report(self, kind: str, name: str, quantity: int, **fields: object) -> ExecutionReport:
        key, cum = f"{len(self.reports) + 1};1", str(self.cum.get(name, 0))
        made = report(
            kind,
            key,
            f"o-{name}",
            name,
            qty=str(quantity),
            cum=cum,
            at=self.now,
            transact_time=self.now,
            **fields,  # type: ignore[arg-type]
        )
        self.reports.append(made)
        return made


@attrs.define(eq=False)
class Program:
    """Trades at random, and follows the group with the `OrderGroups` under test."""

    random: Random
    lossy: bool = False
    """Whether connections break, and requests and answers are delayed."""
    unordered: bool = False
    """Whether messages overtake each other, as on several sessions."""
    repeated: bool = False
    """Whether messages are redelivered."""
    foreign: bool = False
    """Whether another program resets and triggers the group."""
    venue: SlowVenue = attrs.field(init=False)
    groups: OrderGroups = attrs.field(factory=OrderGroups)
    wire: list[Message] = attrs.field(factory=list)
    """Messages sent by the venue but not delivered yet."""
    request_in_transit: OrderGroupRequest | None = None
    """The request that the program has sent and the venue has not yet received."""
    is_logged_on: bool = True
    has_hidden_trigger: bool = False
    """Whether another program has triggered the group while it had no open order, so no report shows the
    trigger.
    """
    count: int = 0

    def start(self, limit: int, window: timedelta) -> None:
        self.venue = SlowVenue(limit, window)
        self.groups.apply(self._logon_event())
        self.groups.apply(OrderGroupRequest.create(limit))
        made = OrderGroupResponse(order_group_id=GROUP, order_group_contracts_limit=limit)
        self._deliver(over_the_wire(made, at=self.venue.now))

    @property
    def group(self) -> OrderGroup:
        return self.groups[GROUP]

    @property
    def is_settled(self) -> bool:
        """Whether no message is in transit."""
        return not self.wire and self.request_in_transit is None

    def step(self) -> None:
        self.venue.now += timedelta(milliseconds=self.random.choice(PAUSES))
        actions = [self._place_order] * 2 + [self._fill_order] * 3
        actions += [self._send_random_request, self._deliver_some]
        if self.lossy:
            actions += [self._break_or_reconnect, self._deliver_some]
        if self.repeated:
            actions.append(self._repeat)
        if self.foreign:
            actions += [self._reset_by_other_program, self._trigger_by_other_program]
        self.random.choice(actions)()
        if not self.lossy:
            self._deliver_some()
            self.settle()

    def settle(self) -> None:
        """Log on if necessary, and deliver all messages in transit."""
        if not self.is_logged_on:
            self._break_or_reconnect()
        self._deliver_some()
        while self.wire:
            self._deliver(self.wire.pop(self._next_index()))

    def reset(self) -> None:
        """Reset the group while no message is in transit, as a program does if it does not know the group's
        state.
        """
        self.settle()
        self.venue.now += timedelta(milliseconds=1)
        self._send(OrderGroupRequest.reset(GROUP))
        self.settle()

    def _place_order(self) -> None:
        if self.is_logged_on:
            self.count += 1
            request = place(f"a{self.count}", "9", secondary_cl_ord_id=GROUP)
            self.groups.apply(request)
            self.has_hidden_trigger = False
            self.wire += self.venue.place(request.cl_ord_id, self.random.randint(1, 9))

    def _fill_order(self) -> None:
        if self.venue.orders:
            name = self.random.choice(list(self.venue.orders))
            self._emit(self.venue.fill(name, self.random.randint(1, self.venue.orders[name])))

    def _send_random_request(self) -> None:
        if self.is_logged_on and self.groups.in_flight is None:
            limit = self.random.randint(1, 20)
            requests = [OrderGroupRequest.reset(GROUP)] * 2
            requests.append(OrderGroupRequest.trigger(GROUP))
            requests.append(OrderGroupRequest.update(GROUP, order_group_contracts_limit=limit))
            self._send(self.random.choice(requests))

    def _send(self, request: OrderGroupRequest) -> None:
        if not self.lossy:
            # On an active session, `OrderGroups` knows the venue's time from other messages. Apply one.
            unrelated = report("new", "1;1", "o-other", "other", at=self.venue.now)
            self.groups.apply(MessageReceived(unrelated))
        self.groups.apply(request)
        self.request_in_transit = request

    def _deliver_some(self) -> None:
        """Deliver the request to the venue, or some messages to the program."""
        if self.request_in_transit is not None:
            request, self.request_in_transit = self.request_in_transit, None
            self._emit(self.venue.request(request))
        elif self.wire:
            for _ in range(self.random.randint(1, len(self.wire))):
                self._deliver(self.wire.pop(self._next_index()))

    def _next_index(self) -> int:
        return self.random.randrange(len(self.wire)) if self.unordered else 0

    def _emit(self, messages: list[Message]) -> None:
        if self.is_logged_on:
            self.wire += messages

    def _deliver(self, message: Message) -> None:
        self.groups.apply(MessageReceived(message))

    def _repeat(self) -> None:
        for past in self.random.sample(self.venue.reports, min(3, len(self.venue.reports))):
            self.groups.apply(self.random.choice((MessageReceived, DropCopyReport))(past))

    def _break_or_reconnect(self) -> None:
        """End the connection and lose all messages in transit, or begin the next connection."""
        if self.is_logged_on:
            request = self.groups.in_flight
            if self.request_in_transit is not None and self.random.random() < 0.5:
                self.venue.request(self.request_in_transit)
            self.wire.clear()
            self.is_logged_on, self.request_in_transit = False, None
            ended: SessionEnded = SESSION_ENDED
            self.groups.apply(ended)
            if request is not None:
                lost = OpenRequest(GROUP, request.MSG_TYPE, 7, self.venue.now, b"", 1)
                self.groups.apply(OutcomesUnknown((lost,), Uncertainty.CONNECTION_ENDED))
            return
        self.is_logged_on = True
        self.groups.apply(self._logon_event())
        if self.random.random() < 0.5:
            for past in self.random.sample(self.venue.reports, len(self.venue.reports)):
                self.groups.apply(DropCopyReport(past))

    def _reset_by_other_program(self) -> None:
        self.has_hidden_trigger = False
        self.venue.request(OrderGroupRequest.reset(GROUP))

    def _trigger_by_other_program(self) -> None:
        self.has_hidden_trigger = self.has_hidden_trigger or not (self.venue.triggered or self.venue.orders)
        self._emit(self.venue.request(OrderGroupRequest.trigger(GROUP))[1:])

    def _logon_event(self) -> LoggedOn:
        event = logged_on()
        event.logon.header = header(event.logon, at=self.venue.now)
        return event

    def check(self) -> None:
        """Check that the state is correct unless `OrderGroups` reports it as uncertain."""
        if not self.is_settled or self.has_hidden_trigger:
            return
        state, triggered = self.group.state, self.venue.triggered
        assert not (triggered and state is GroupState.ACTIVE), "the group has triggered, but seems active"
        if not self.foreign:
            assert triggered or state is not GroupState.TRIGGERED, "the group is active, but seems triggered"

    def check_exactly(self) -> None:
        """Check that `OrderGroups` knows the exact state. Every message must have arrived in time and in
        sequence.
        """
        expected = GroupState.TRIGGERED if self.venue.triggered else GroupState.ACTIVE
        assert self.group.state is expected
        room = 0 if self.venue.triggered else max(0, self.venue.limit - self.venue.volume())
        assert self.groups.room(GROUP, self.venue.now) == Decimal(room)
