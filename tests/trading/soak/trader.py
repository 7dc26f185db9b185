"""A trader in the soak test: its actions, its failures, and its comparisons with the ledger."""

from __future__ import annotations

from collections import deque
from decimal import Decimal, localcontext
from random import Random
from typing import Any

import attrs

from kalshi_fix_sansio import (
    EventResendRejectReason,
    ExecType,
    ExecutionReport,
    MarketSettlementReport,
    NewOrderSingle,
    OrderCancelReject,
    OrderGroupRequest,
    Side,
    TimeInForce,
)
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_sansio.events import LoggedOn, MessageReceived, OutcomesUnknown, SessionEnded, Uncertainty
from kalshi_fix_sansio.session import MemoryStore
from kalshi_fix_sansio.trading import (
    Cash,
    DropCopy,
    DropCopyReport,
    FeeTerms,
    Order,
    OrderDiscrepancyKind,
    OrderGroups,
    OrderRequestError,
    Orders,
    OrderState,
    PendingRequest,
    Positions,
    Settlements,
    check_fees,
)
from kalshi_fix_venue.exchange import AccountId
from kalshi_fix_venue.exchange.commands import ChangeGroup
from kalshi_fix_venue.exchange.fees import PREDICTION_FEES
from kalshi_fix_venue.exchange.terms import GroupAction
from tests.helpers import HOSTILE_CONTEXTS
from tests.trading.soak.ledger import (
    Difference,
    check_equal,
    compare,
    compare_uncertain,
    open_orders,
    order_groups,
)
from tests.trading.soak.market import INITIAL_BALANCE, PARTIES, PRECISIONS, SUBACCOUNTS, SoakVenue
from tests.venue.testing.machines import Machines
from tests.venue.venue_harness import CODEC, Client

MAX_ORDERS = 500
"""The number of orders that a trader keeps, a small fraction of all orders that it sends."""
MAX_GROUPS = 3
LOGON: dict[str, dict[str, Any]] = {
    "ann": {},
    "bob": {"skip_pending_exec_reports": False, "cancel_orders_on_disconnect": True},
}
"""Flags of each trader's Logon."""
REFUSALS = (EventResendRejectReason.TOO_MANY_REQUESTS, EventResendRejectReason.SERVER_ERROR)


@attrs.define(eq=False)
class Counts:
    """Counts of events, actions and comparisons of both traders together."""

    events: int = 0
    compared: int = 0
    """The number of events after which all state was compared with the ledger."""
    reports_compared: int = 0
    """The number of reports whose order and position were compared with the values in the report."""
    uncertain: int = 0
    """Number of turns after which some values were uncertain, and only the others were compared."""
    losses: int = 0
    crashes: int = 0
    withheld: int = 0
    listed_items: int = 0
    """Number of uncertain items listed after losses."""
    copied: int = 0
    """Number of drop copy reports that the traders applied."""
    refused: int = 0
    """Number of times that the venue was set to refuse drop copy requests."""
    copies_on_order_session: int = 0
    """Number of times that drop copy was requested on the order session."""
    looked_up: int = 0
    """Number of uncertain items that were looked up via REST, because drop copy did not resolve them."""
    settlements: int = 0
    settled_first: int = 0
    """The number of settlements received before fills in the market."""
    triggered: int = 0
    kept_ids: int = 0
    """The number of actions that amend an order once or twice without a new ClOrdID."""


class Trader:
    """One owner, with its machines and its sessions."""

    def __init__(self, venue: SoakVenue, name: str, random: Random, counts: Counts) -> None:
        self.venue, self.harness, self.name = venue, venue.harness, name
        self.random, self.counts = random, counts
        self.machines = self.new_machines()
        self.client: Client | None = None
        self.drop_copy_session: Client | None = None
        """The drop copy session, if there is a separate one."""
        self.post_trade: Client | None = None
        """The post-trade session, which receives settlements."""
        self.stores = {"KalshiNR": MemoryStore(), "KalshiPT": MemoryStore()}
        self.queue: deque[tuple[Client, Any]] = deque()
        """Events received but not applied yet."""
        self.is_report_missing = False
        """Whether a report was withheld and the session has not yet noticed."""
        self.is_recovering = False
        """Whether drop copy must resolve the uncertainty after a loss."""
        self.is_journal_stale = False
        """Whether the process continued from a journal older than its last event."""
        self.has_unlisted_requests = False
        """Whether the process has crashed, and its store has not yet listed the requests that were sent after
        the last journal entry.
        """
        self.in_transit = 0
        """Number of sent requests that have not reached the venue."""
        self.sent_requests: set[tuple[str, str]] = set()
        """ClOrdID and OrigClOrdID of the last order requests sent on this connection."""
        self.logged_on: LoggedOn | None = None
        self.last_number = 0

    def new_machines(self) -> Machines:
        return Machines(
            Orders("KalshiNR", max_orders=MAX_ORDERS),
            Positions(max_positions=40),
            Cash(parties=PARTIES[self.name], max_paid=60),
            DropCopy("KalshiDC", logon={"use_dollars": True}),
            Settlements(max_settlements=20),
            OrderGroups(max_orders=MAX_ORDERS),
            context=HOSTILE_CONTEXTS["every trap" if self.name == "ann" else "6 digits"],
        )

    # --- actions ----------------------------------------------------------------------------------------

    def new_id(self) -> str:
        self.last_number += 1
        return f"{self.name}{self.last_number}"

    def log_on(self) -> None:
        self.client = self.harness.connect(self.name, store=self.stores["KalshiNR"], **LOGON[self.name])
        self.apply_received()
        self.has_unlisted_requests &= self.client is None
        if self.post_trade is None:
            self.post_trade = self.harness.connect(
                f"{self.name}-pt", "KalshiPT", store=self.stores["KalshiPT"]
            )

    def send(self, request: Any) -> None:
        if self.client is None:
            return
        if self.in_transit == 0:  # All earlier requests have reached the venue.
            self.sent_requests.clear()
        self.in_transit += 1
        if request.MSG_TYPE in ("F", "G"):
            self.sent_requests.add((request.cl_ord_id, request.orig_cl_ord_id))
        self.apply(request)
        try:
            with localcontext(self.machines.context):
                self.client.session.send(request, self.harness.now)
        except LocalProtocolError:  # the session is logging out
            self.machines.withdraw(request)

    def act(self) -> None:
        """Perform a random next action, valid or not."""
        random, orders = self.random, self.machines.orders
        live = list(orders.live())
        chosen = random.choice(live) if live else None
        kinds = ("new", "replace", "keep", "cancel", "late", "all", "group")
        try:
            match random.choices(kinds, (12, 6, 3, 5, 2, 1, 3))[0]:
                case "replace" if chosen:
                    self.send(self.replace(chosen, self.new_id()))
                case "keep" if chosen:
                    self.counts.kept_ids += 1
                    for _ in range(random.choice((1, 1, 2))):
                        self.send(self.replace(chosen, chosen.cl_ord_id))
                case "cancel" if chosen:
                    self.send(orders.cancel(chosen, self.new_id()))
                case "late" if chosen:  # two requests about the same order; the second arrives too late
                    self.send(orders.cancel(chosen, self.new_id()))
                    self.send(orders.replace(chosen, self.new_id(), leaves_qty=5))
                case "all":
                    self.send(orders.cancel_all(self.new_id()))
                case "group":
                    self.change_group()
                case _:
                    self.send(self.order())
        except OrderRequestError:
            return

    def replace(self, order: Order, cl_ord_id: str) -> Any:
        random = self.random
        price = random.choice([None, self.price(40, 60)])
        with localcontext(self.machines.context):
            return self.machines.orders.replace(
                order, cl_ord_id, price=price, leaves_qty=random.randint(0, 15)
            )

    def price(self, low: int, high: int) -> Decimal:
        return Decimal(self.random.randint(100 * low, 100 * high)) / 10_000

    def order(
        self, symbol: str | None = None, side: Side | None = None, price: Decimal | None = None
    ) -> NewOrderSingle:
        random = self.random
        side = side or random.choice((Side.BUY, Side.SELL))
        symbol = symbol or random.choice(list(self.venue.open))
        shard, number = self.venue.open[symbol], random.choice(SUBACCOUNTS)
        quantity = Decimal(random.randint(1, 1500)) / 100
        if random.random() < 0.02:
            quantity = INITIAL_BALANCE * 3  # more than the account can pay
        own = [item.id for item in order_groups(self) if item.account == AccountId(self.name, number, shard)]
        group = random.choice(own) if own and random.random() < 0.6 else None
        # A group whose orders do not rest can trigger without cancelling an order.
        is_resting = random.random() < (0.8 if group is None else 0.5)
        if price is None:  # the price ranges overlap only partly, so some orders rest
            price = self.price(40, 52) if side is Side.BUY else self.price(48, 60)
        with localcontext(self.machines.context):
            return self.machines.orders.new(
                self.new_id(),
                symbol,
                side,
                quantity,
                price,
                time_in_force=TimeInForce.GOOD_TILL_CANCEL if is_resting else TimeInForce.IMMEDIATE_OR_CANCEL,
                alloc_account=number or None,
                ex_destination=shard,
                secondary_cl_ord_id=group if group in self.machines.groups else None,
            )

    def change_group(self) -> None:
        """Create an order group, or change one."""
        random, groups = self.random, list(order_groups(self))
        known = [item for item in groups if item.id in self.machines.groups]
        if self.machines.groups.in_flight is not None:
            return
        if len(groups) < MAX_GROUPS:
            number, shard = random.choice(SUBACCOUNTS), random.choice(list(self.venue.open.values()))
            request = OrderGroupRequest.create(
                random.randint(1, 20), alloc_account=number, ex_destination=shard
            )
        elif known:
            group = random.choice(known)
            fields: dict[str, Any] = {
                "alloc_account": group.account.subaccount,
                "ex_destination": group.account.shard,
            }
            action = random.choice(("reset", "reset", "reset", "update", "update", "trigger", "delete"))
            if action == "update":
                fields["order_group_contracts_limit"] = random.randint(1, 10)
            request = getattr(OrderGroupRequest, action)(group.id, **fields)
        else:
            return
        self.send(request)

    # --- failures ---------------------------------------------------------------------------------------

    def break_connection(self) -> None:
        """Break the connection; messages in transit to the trader are lost."""
        client = self.disconnect()
        client.session.receive_eof(self.harness.now)
        for event in client.session.events():
            self.apply(event)
        self.record_loss()

    def disconnect(self) -> Client:
        client, self.client = self.client, None
        assert client is not None
        client.events.clear()
        self.queue = deque(item for item in self.queue if item[0] is not client)
        client.drop()
        self.in_transit = 0
        return client

    def record_loss(self) -> None:
        self.is_recovering, self.is_report_missing = True, False
        self.sent_requests.clear()
        self.counts.losses += 1
        self.counts.listed_items += len(list(self.machines.orders.uncertain()))

    def crash(self) -> None:
        """Crash the process with requests in transit, and continue from its journal, which may be older than
        the last events.
        """
        journal = self.machines.dump()
        self.is_journal_stale = self.random.random() < 0.5
        for _ in range(self.random.randint(1, 3) if self.is_journal_stale else 0):
            self.act()
            self.in_transit = 0
            self.harness.run()
            self.apply_received()
        if self.client is None:  # the session of the trader has already ended
            self.is_journal_stale = False
            return
        for _ in range(self.random.randint(1, 3)):
            self.act()
        if self.random.random() < 0.8:
            self.reach_venue()
        self.disconnect()
        for other in (self.drop_copy_session, self.post_trade):
            if other is not None:
                other.drop()
        self.queue.clear()
        self.drop_copy_session = self.post_trade = None
        self.machines = self.new_machines()
        self.machines.load(journal)
        self.has_unlisted_requests = True
        if self.is_journal_stale:
            self.delete_groups()
        self.counts.crashes += 1
        self.record_loss()

    def delete_groups(self) -> None:
        """Delete all order groups via REST, because only the lost process knew which orders are in them."""
        for group in list(order_groups(self)):
            action = ChangeGroup(action=GroupAction.DELETE, group_id=group.id, account=group.account)
            self.harness.execute(action)
        for group_id in list(self.machines.groups):
            self.machines.groups.forget(group_id)

    def withhold_report(self) -> None:
        """Lose the venue's next message; the session notices the loss from the sequence number of the message
        after it.
        """
        assert self.client is not None
        self.act()
        self.reach_venue()
        self.is_report_missing = bool(self.harness.venue.data_to_send(self.client.conn))
        self.counts.withheld += self.is_report_missing

    def reach_venue(self) -> None:
        """Let all sent requests reach the venue, but no answer reach the trader."""
        assert self.client is not None
        data = self.client.session.data_to_send()
        self.harness.venue.receive_data(self.client.conn, data, self.harness.now)
        self.in_transit = 0

    def begin_drop_copy(self) -> None:
        """Request the uncertain ranges from drop copy, on a separate session or on the order session."""
        machines, orders = self.machines, self.machines.orders
        dump = machines.drop_copy.dump()
        kind = self.random.choice(("KalshiDC", "KalshiNR"))
        machines.drop_copy = DropCopy(kind)
        machines.drop_copy.load(dump)
        if kind == "KalshiDC":
            self.drop_copy_session = self.harness.connect(f"{self.name}-dc", kind)
        else:
            self.counts.copies_on_order_session += 1
            machines.drop_copy.apply(self.logged_on, self.harness.now)
        begin = dict(orders.newest)
        for shard, key in orders.drop_copy_start(machines.drop_copy.forgotten).items():
            begin[shard] = min(key, begin.get(shard, key))
        machines.drop_copy.request(begin, orders.epoch, self.harness.now)
        if self.random.random() < 0.3:
            self.counts.refused += 1
            venue = self.harness.venue.drop_copy("prediction")
            venue.refuse_next(self.random.choice(REFUSALS), self.name, count=self.random.randint(1, 3))

    def continue_drop_copy(self) -> None:
        """Send the drop copy request that is due, or end the recovery once no range is pending. A range whose
        request failed is still pending."""
        if self.is_quiet() and not self.in_transit and self.machines.orders.uncertain():
            self.is_recovering = True  # a refusal has shown that an open order is not at the venue
            self.begin_drop_copy()
        drop_copy, now = self.machines.drop_copy, self.harness.now
        session = self.drop_copy_session or self.client
        if session is None:
            return
        for request in drop_copy.handle_timer(now):
            drop_copy.apply(request, now)
            try:  # `harness.run` transfers it, together with all other messages
                session.session.send(request, now)
            except LocalProtocolError:
                drop_copy.withdraw(request)
        if drop_copy.pending or not self.is_recovering or self.is_report_missing or self.client is None:
            return
        if self.drop_copy_session is not None:
            self.drop_copy_session.logout()
            self.apply_received()
            self.drop_copy_session = None
        if self.client is not None:
            self.query_rest()

    def query_rest(self) -> None:
        """Query REST for items that drop copy does not cover."""
        open_at_venue = open_orders(self)
        names = {value.cl_ord_id for value in open_at_venue.values()}
        orders = self.machines.orders
        for item in orders.uncertain():
            self.counts.looked_up += 1
            affected = [item.order]
            if item.mass_cancel is not None:
                affected = [order for order in orders.live() if order.number in item.mass_cancel.waiting]
            elif item.unattributed is not None:
                orders.unattributed.resolve(item.unattributed)
            for order in filter(None, affected):
                is_open = (
                    order.cl_ord_id in names if order.order_id is None else order.order_id in open_at_venue
                )
                self.check_discrepancies(orders.resolve(order, is_open=is_open))
        self.machines.learn_groups(list(order_groups(self)))
        self.is_recovering = self.is_journal_stale = False

    # --- receiving --------------------------------------------------------------------------------------

    def apply_received(self) -> None:
        """Apply the events received on all sessions."""
        for session in self.random.sample((self.client, self.drop_copy_session, self.post_trade), 3):
            if session is not None:
                self.queue.extend((session, event) for event in session.events)
                session.events.clear()
                session.wire.clear()
        while self.queue:
            session, event = self.queue.popleft()
            if session is self.post_trade:
                if isinstance(event, MessageReceived):
                    self.apply(event)
            elif session is self.drop_copy_session:
                for update in self.machines.drop_copy.apply(event, self.harness.now):
                    self.apply(update)
            else:
                self.apply_from_order_session(event)

    def apply_from_order_session(self, event: Any) -> None:
        if isinstance(event, LoggedOn):
            self.logged_on = event
        ended = isinstance(event, SessionEnded)
        if ended:
            self.client, self.in_transit = None, 0
        if self.drop_copy_session is not None or not self.machines.drop_copy.pending:
            self.apply(event)
        else:
            for update in self.machines.drop_copy.apply(event, self.harness.now):
                self.apply(update)
        if ended:
            self.record_loss()

    def apply(self, event: object) -> None:
        self.counts.events += 1
        self.counts.copied += isinstance(event, DropCopyReport)
        message: Any = event.message if isinstance(event, MessageReceived) else None
        self.counts.settlements += isinstance(message, MarketSettlementReport)
        order, pending = self.pending_of(message)
        before = sum(group.state.name == "TRIGGERED" for group in self.machines.groups.values())
        self.check_discrepancies(self.machines.apply(event))
        after = sum(group.state.name == "TRIGGERED" for group in self.machines.groups.values())
        self.counts.triggered += after > before
        if isinstance(event, OutcomesUnknown):
            self.check_outcomes_unknown(event)
        may_miss_reports = self.is_report_missing or self.is_recovering or self.machines.drop_copy.pending
        if not may_miss_reports:
            if order is not None:
                self.check_answer(message, order, pending)
            if isinstance(message, ExecutionReport):
                self.check_report(message)
        if self.is_quiet() and self.machines.is_certain():
            self.counts.compared += 1
            compare(self)

    def check_discrepancies(self, updates: list[Any]) -> None:
        """Check that the machines have reported no discrepancy with these updates."""
        # A drop copy report may concern an order that was evicted to make room; only orders that are done are
        # evicted.
        found = [
            discrepancy
            for discrepancy in self.machines.discrepancies
            if getattr(discrepancy, "kind", None) is not OrderDiscrepancyKind.FORGOTTEN
        ]
        self.machines.discrepancies.clear()
        if found:
            raise Difference("a discrepancy", *found, *updates)

    # --- comparing --------------------------------------------------------------------------------------

    def is_quiet(self) -> bool:
        """Return whether all messages from the venue to the trader have been applied."""
        if self.client is None or self.is_report_missing or self.queue or self.is_recovering:
            return False
        unread = self.client.events or (self.post_trade is not None and self.post_trade.events)
        return not unread and self.drop_copy_session is None and not self.machines.drop_copy.pending

    def compare_after_turn(self) -> None:
        """At the end of a turn, compare all values that are not uncertain."""
        if not (
            self.is_report_missing
            or self.is_journal_stale
            or self.has_unlisted_requests
            or (self.is_quiet() and self.machines.is_certain())
        ):
            self.counts.uncertain += 1
            compare_uncertain(self)

    def pending_of(self, message: Any) -> tuple[Order | None, list[PendingRequest]]:
        """Return the order whose request a message may answer, and the order's pending requests with the
        ClOrdID of the message.
        """
        refused = isinstance(message, OrderCancelReject)
        if not refused and getattr(message, "exec_type", None) is not ExecType.REPLACED:
            return None, []
        order = self.machines.orders.by_cl_ord_id(message.orig_cl_ord_id)
        if order is None or order.is_done:
            return None, []
        return order, [item for item in order.pending if item.cl_ord_id == message.cl_ord_id]

    def check_answer(self, message: Any, order: Order, pending: list[PendingRequest]) -> None:
        """Check that an answer settles the oldest of the requests that it may answer, and no other."""
        answered = next((item for item in pending if item.orig_cl_ord_id == message.orig_cl_ord_id), None)
        if answered is None and (message.cl_ord_id, message.orig_cl_ord_id) in self.sent_requests:
            raise Difference("a request is settled without its answer", message, order, order.pending)
        expected = [item for item in pending if item is not answered and not order.is_done]
        left = [item for item in order.pending if item in pending]
        check_equal("requests without an answer", left, expected, message)

    def check_report(self, report: Any) -> None:
        """Compare the order and its position with the values in the report."""
        order = self.machines.orders.by_order_id(report.order_id)
        if order is None or order.state is OrderState.UNVERIFIED or order.unreported_qty:
            return
        self.counts.reports_compared += 1
        kept = (order.filled_qty, order.leaves_qty, order.account.subaccount)
        check_equal(
            "an order after its report", kept, (report.cum_qty, report.leaves_qty, report.alloc_account or 0)
        )
        fees = FeeTerms(taker_rate=PREDICTION_FEES.taker_rate, precision=PRECISIONS[self.name])
        check_equal("fees of an order", check_fees(order, fees), [], report)
        if report.exec_type is ExecType.TRADE:
            held = self.machines.positions.of(report.symbol, order.account)
            if not self.machines.positions.may_miss_fills(held):
                check_equal("a position after its report", held.counted, report.long_qty - report.short_qty)

    def check_outcomes_unknown(self, event: OutcomesUnknown) -> None:
        """Check that every request that the session lists is known, and is uncertain or has ended."""
        machines, orders = self.machines, self.machines.orders
        about = {word for item in machines.uncertain for word in item.about.split()}
        for request in event.requests:
            sent: Any = CODEC.decode(request.frame)
            known = request.request_id in about or orders.by_cl_ord_id(request.request_id) is not None
            match sent.MSG_TYPE:
                case "F" | "G":
                    order = orders.by_cl_ord_id(sent.orig_cl_ord_id)
                    known |= order is not None and order.is_done
                case "q":
                    # A mass cancel causes no uncertainty if the trader has no orders of its own.
                    own = any(order.placed for order in orders.live())
                    known |= event.why is not Uncertainty.RESTARTED or not own
                case "UOG":
                    known = bool(machines.groups.uncertain())
            if not known:
                raise Difference("an unanswered request is dropped", sent, event.why)
