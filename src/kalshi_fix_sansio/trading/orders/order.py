"""State of one order: facts from reports and requests, the state derived from them, and the updates that one
message causes.

The state does not depend on the sequence in which the messages were received. The newest report of an order
is the one with the highest ExecKey. A report that ends the order counts whenever it is received. Each fill is
counted once, identified by its key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Final, NamedTuple

import attrs

from kalshi_fix_sansio._generated import OrdStatus, Side
from kalshi_fix_sansio.trading.common.amounts import ZERO, add, divide, multiply_add, subtract
from kalshi_fix_sansio.trading.common.dumping import NOT_DUMPED, keyed_by
from kalshi_fix_sansio.trading.common.exec_key import ExecKey
from kalshi_fix_sansio.trading.orders.knowledge import (
    CLEAR,
    LOSS,
    NOT_AT_VENUE,
    RESOLVED_DONE,
    RESOLVED_OPEN,
    Knowledge,
    Loss,
    Losses,
    Mark,
)
from kalshi_fix_sansio.trading.orders.mass_cancels import MassCancel


class OrderState(Enum):
    """State of an order, according to the reports received.

    Attributes:
        SENT: The order was sent; at most a Pending New report has been received.
        OPEN: The newest report shows the order as open at the venue.
        DONE: The order has ended, or never reached the venue (`Order.ending`). Fills that are reported late
            still count.
        UNKNOWN: The order was sent, and no expected message will report whether the venue has it.
        UNVERIFIED: The last report showed the order as open, and later reports may be missing.
    """

    SENT = "sent"
    OPEN = "open"
    DONE = "done"
    UNKNOWN = "unknown"
    UNVERIFIED = "unverified"


UNCERTAIN_STATES: Final = frozenset((OrderState.UNKNOWN, OrderState.UNVERIFIED))


class Ending(Enum):
    """How an order ended.

    Attributes:
        REJECTED: The venue rejected it with an ExecutionReport (8).
        REFUSED: The venue rejected it with a Reject (3) or a BusinessMessageReject (j).
        MISSING: Drop copy has no report about it (see `DropCopyRange`).
        CLOSED: The user reported that it is not open (see `Orders.resolve`).
    """

    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    REFUSED = "refused"
    MISSING = "missing"
    CLOSED = "closed"


ENDINGS: Final[Mapping[str, Ending]] = {
    OrdStatus.FILLED: Ending.FILLED,
    OrdStatus.CANCELED: Ending.CANCELED,
    OrdStatus.EXPIRED: Ending.EXPIRED,
    OrdStatus.REJECTED: Ending.REJECTED,
}


class Account(NamedTuple):
    """The owner of an order: the primary account, a subaccount, or a customer of a clearing member.

    Attributes:
        subaccount: AllocAccount (79); 0 is the primary account.
        customer: PartyID (448) of a clearing member's customer.
    """

    subaccount: int = 0
    customer: str | None = None


PRIMARY: Final = Account()
_NO_LOSSES: Final = Losses()


class Fill(NamedTuple):
    """One trade of an order. Prices and money are in dollars, quantities in contracts.

    Attributes:
        key: Key of its report.
        price: Price. For the prediction product, always the price of YES, whether YES was bought or sold.
        quantity: Contracts.
        fee: The sum of MiscFeeAmt (137): the net fee, after rebates.
        balance_change: CollateralAmountChange (1704) of type BALANCE, with the fee deducted; None if not
            reported.
        long_qty: Long position of the account after the fill (704); None if not reported.
        short_qty: Short position of the account after the fill (705); None if not reported.
        aggressor: Whether the order took liquidity (1057); None if not reported.
    """

    key: ExecKey
    price: Decimal
    quantity: Decimal
    fee: Decimal
    balance_change: Decimal | None = None
    long_qty: Decimal | None = None
    short_qty: Decimal | None = None
    aggressor: bool | None = None


class ReportFacts(NamedTuple):
    """Facts about an order in one report. They compare by the age of their reports: a newer report has a
    higher key. If two sessions receive different reports with the same key, a report that ends the order
    counts as newer. If both or neither end it, the report with the higher cumulative quantity counts as
    newer.
    """

    key: ExecKey
    ends: bool
    cum_qty: Decimal
    leaves_qty: Decimal
    status: str
    cl_ord_id: str
    text: str


@attrs.define(eq=False)
class PendingRequest:
    """A change (G) or a cancel (F) that was sent and has not been answered.

    Attributes:
        msg_type: MsgType (35): G or F.
        cl_ord_id: ClOrdID (11) of the request.
        orig_cl_ord_id: OrigClOrdID (41): the ClOrdID of the order or request that it changes or cancels.
        price: Price in dollars; None in a cancel, or if the change keeps the price.
        quantity: The requested total quantity (OrderQty); None in a cancel.
        after: The newest report of the order's shard known when the request was sent.
        uncertain_since_epoch: `Orders.epoch` of the event after which no answer is expected; 0 before that.
        since: Time of that event, in UTC: SendingTime (52) of the last message received before it.
        listed: Whether an `OutcomesUnknown` event has listed the request.
    """

    msg_type: str
    cl_ord_id: str
    orig_cl_ord_id: str
    price: Decimal | None = None
    quantity: Decimal | None = None
    after: ExecKey | None = None
    uncertain_since_epoch: int = 0
    since: datetime | None = None
    listed: bool = False

    @property
    def is_unknown(self) -> bool:
        """Whether the outcome is unknown and no expected message will report it."""
        return self.uncertain_since_epoch > 0

    def leave_unanswered(self, epoch: int, since: datetime | None) -> None:
        """Record that the request will not be answered. Called by `Orders`."""
        if not self.uncertain_since_epoch:
            self.uncertain_since_epoch, self.since = epoch, since

    @property
    def renames(self) -> bool:
        """Whether the order gets a new ClOrdID when the request is accepted."""
        return self.cl_ord_id != self.orig_cl_ord_id

    @property
    def terms(self) -> tuple[str, Decimal | None, Decimal | None]:
        """OrigClOrdID, price and quantity, which distinguish requests with the same ClOrdID."""
        return self.orig_cl_ord_id, self.price, self.quantity

    def is_after(self, key: ExecKey | None) -> bool:
        """Return whether the request was sent after this report was received, so the report cannot answer
        it.
        """
        after = self.after
        return after is not None and key is not None and after.shard == key.shard and key <= after


@attrs.define(eq=False)
class NewOrderRequest:
    """A NewOrderSingle that was sent."""

    number: int
    cl_ord_id: str
    price: Decimal
    quantity: Decimal
    account: Account
    ex_destination: int | None
    after: tuple[ExecKey, ...]
    """The newest report of each shard known when the order was sent."""
    uncertain_since_epoch: int = 0
    """`Orders.epoch` of the event after which no answer is expected; 0 before that."""
    since: datetime | None = None
    refused: bool = False
    """Whether the venue answered with a Reject (3) or a BusinessMessageReject (j)."""
    missing: bool = False
    """Whether drop copy has no report about the order."""
    matched: bool = False
    """Whether the venue had reported the order before a later one was sent with the same ClOrdID."""
    listed: bool = False
    """Whether an `OutcomesUnknown` event has listed the request."""

    def is_after(self, key: ExecKey | None) -> bool:
        """Return whether the report with this key, or a newer one of its shard, had been received when the
        request was sent. If so, the report cannot be about the order of this request.
        """
        return key is not None and any(each.shard == key.shard and key <= each for each in self.after)


@attrs.define(eq=False)
class Cohort:
    """Orders whose states became certain between the same two losses. A later loss, or the drop copy range
    that resolves it, changes all of them at once.

    Attributes:
        mark: The position in the sequence of losses up to which its orders are certain; only later losses
            affect them.
        shard: The shard of the newest report of each order, if each order has a report and no pending
            request. None for the cohort of all other orders whose states are certain.
        slots: `Order.slot` of each order, by its number, in the sequence in which the orders joined. A
            reference to the order itself would create a reference cycle, because an order refers to its
            cohort.
    """

    mark: Mark
    shard: int | None
    slots: dict[int, int] = attrs.field(factory=dict)

    @property
    def is_lost(self) -> bool:
        """Whether reports about its orders may be missing."""
        return self.mark.first_loss is not None

    @property
    def begin(self) -> ExecKey | None:
        """The report from which drop copy must begin for all orders of the cohort. None if it is not the same
        for all of them, or if no report can be missing.
        """
        loss = self.mark.first_loss
        return None if loss is None or self.shard is None else loss.newest.get(self.shard)


@attrs.define(eq=False, repr=False)
class Order:
    """One order. Read-only for the user: `Orders` creates it and updates it in place.

    Attributes:
        number: Sequential number of the order within its `Orders`, from 1.
        symbol: Ticker of the market.
        side: Side (54); for the prediction product, whether YES is bought or sold.
        order_id: OrderID (37); None until the venue has reported it, and for an order that was rejected.
        fills: The fills by key, in the sequence in which they were received.
        filled_qty: Contracts, summed over the fills received.
        value: Dollars: the sum of price times quantity over the fills.
        fees: Fees in dollars, summed over the fills received.
        cum_qty: The highest cumulative quantity (CumQty) of any report.
        last: The newest report that has a key.
        end: The newest report that ends the order.
        first_key: Key of the oldest report about the order.
        first_cl_ord_id: OrigClOrdID (41) of that report, or else its ClOrdID (11).
        reported_price: Key of the newest report that contains a price, and that price in dollars.
        reported_account: Key of the newest report that contains an account, and that account; the key is
            `NO_KEY` for reports without a key.
        losses: The losses of reports about any order, shared by all orders.
        mark: The order's position in the sequence of losses; later losses have not been applied to it yet.
        cohort: The order's cohort, a set of orders that a loss affects together; None if the order is done,
            or if anything about it is uncertain.
        seen_live: Whether an unsolicited report about the order was received, not only reports that were
            requested from drop copy.
        indexed: The ClOrdIDs by which the order can be found.
        indexed_as: Its state after its last update; None while it is new.
        booked_to: Its account after its last update; None while it is new.
        ended: Sequential number among the orders that have ended, from 1; 0 while the order is not done.
        slot: Index of its row in dumps. When this order has been removed, a later one may reuse the slot.
        dumped_mark: `mark` at the last dump.
        update: The update in progress; None between two calls to `Orders.apply`.
    """

    number: int
    symbol: str
    side: Side | str
    order_id: str | None = None
    _placed: NewOrderRequest | None = None
    _pending: list[PendingRequest] = attrs.field(factory=list)
    fills: dict[ExecKey, Fill] = attrs.field(factory=dict, metadata=keyed_by("key"))
    filled_qty: Decimal = attrs.field(default=ZERO, metadata=NOT_DUMPED)
    value: Decimal = attrs.field(default=ZERO, metadata=NOT_DUMPED)
    fees: Decimal = attrs.field(default=ZERO, metadata=NOT_DUMPED)
    cum_qty: Decimal = ZERO
    last: ReportFacts | None = None
    end: ReportFacts | None = None
    first_key: ExecKey | None = None
    first_cl_ord_id: str = ""
    reported_price: tuple[ExecKey, Decimal] | None = None
    reported_account: tuple[ExecKey, Account] | None = None
    _knowledge: Knowledge = CLEAR
    seen_live: bool = False
    losses: Losses = attrs.field(default=_NO_LOSSES, metadata=NOT_DUMPED)
    mark: Mark = attrs.field(
        default=attrs.Factory(lambda self: self.losses.mark, takes_self=True), metadata=NOT_DUMPED
    )
    cohort: Cohort | None = attrs.field(default=None, metadata=NOT_DUMPED)
    indexed: tuple[str, ...] = attrs.field(default=(), metadata=NOT_DUMPED)
    indexed_as: OrderState | None = attrs.field(default=None, metadata=NOT_DUMPED)
    booked_to: Account | None = attrs.field(default=None, metadata=NOT_DUMPED)
    ended: int = 0
    slot: int = attrs.field(default=0, metadata=NOT_DUMPED)
    dumped_mark: Mark | None = attrs.field(default=None, metadata=NOT_DUMPED)
    update: OrderUpdate | None = attrs.field(default=None, metadata=NOT_DUMPED)

    @property
    def placed(self) -> NewOrderRequest | None:
        """The request that placed the order; None if another session placed it."""
        self.apply_losses()
        return self._placed

    @placed.setter
    def placed(self, placed: NewOrderRequest | None) -> None:
        self._placed = placed

    @property
    def pending(self) -> list[PendingRequest]:
        """Changes and cancels without an answer, the oldest first."""
        self.apply_losses()
        return self._pending

    @property
    def knowledge(self) -> Knowledge:
        """Whether the reports received determine the state, and if not, why."""
        self.apply_losses()
        return self._knowledge

    @knowledge.setter
    def knowledge(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge

    def apply_losses(self) -> None:
        """Apply the losses of reports since the order was last evaluated. Every attribute that depends on
        losses calls this method first.
        """
        self.apply_coverage()
        mark, losses = self.mark, self.losses
        if mark.first_loss is None:
            return
        self.mark = losses.mark
        if self.is_done:
            return
        uncertain = self._knowledge.is_uncertain
        self.record_losses(mark.first_loss, losses.epoch, mark.first_answer_loss, losses.answers_epoch)
        if self.seen_live or self._placed is not None:
            # Without a report, only losses that may include the answer to the request matter. If there were
            # none, the knowledge is certain, and `expect_cancel` does not change it.
            certain_epoch = 0 if mark.first_answer_loss is None else mark.first_answer_loss.epoch - 1
            if losses.cancels_epoch > (mark.epoch if self.last is not None or uncertain else certain_epoch):
                self._knowledge = self._knowledge.expect_cancel()
        if self.update is None and self.indexed_as is not None:
            self.indexed_as = self.state

    def apply_coverage(self) -> None:
        """Apply the drop copy ranges that have covered the cohort since the order was last evaluated."""
        cohort = self.cohort
        if cohort is None or cohort.shard is None or self.mark.epoch > cohort.mark.epoch or self.update:
            return
        self.mark, self._knowledge = cohort.mark, CLEAR
        self.indexed_as = OrderState.OPEN

    def record_losses(self, reports: Loss, epoch: int, answers: Loss | None, answers_epoch: int) -> None:
        """Apply losses of reports about the order, and of answers to its requests. Called by `Orders`.

        `reports` is the first loss of reports, and `epoch` is the epoch of the last one. `answers` and
        `answers_epoch` are the same for losses that affect answers.
        """
        if self.last is not None:
            key = self.last.key
            begin = reports.newest.get(key.shard, key)
            known = self._knowledge.record_loss(reports.epoch, reports.time, begin, key)
            if epoch != reports.epoch:
                known = known.record_loss(epoch, reports.time, begin, key)
            self._knowledge = known
        elif answers is not None and self._placed is not None:
            self.leave_unanswered(self._placed, answers.epoch, answers.time)
            self._knowledge = self._knowledge.leave_unanswered(answers_epoch, answers.time)
        if answers is not None:
            for request in self._pending:
                request.leave_unanswered(answers.epoch, answers.time)

    def leave_unanswered(self, order_request: NewOrderRequest, epoch: int, since: datetime | None) -> None:
        """Record that the request that placed the order will not be answered. Called by `Orders`."""
        if not order_request.uncertain_since_epoch:
            order_request.uncertain_since_epoch, order_request.since = epoch, since
        self._knowledge = self.knowledge.leave_unanswered(epoch, since)

    @property
    def account(self) -> Account:
        """Account of the order, from the newest report that contains an account, or else from the request
        that placed the order.
        """
        if self.reported_account is not None:
            return self.reported_account[1]
        return PRIMARY if self._placed is None else self._placed.account

    @property
    def state(self) -> OrderState:
        """The state that follows from all reports and requests."""
        if self.mark.first_loss is not None or self._knowledge is not CLEAR:
            self.apply_losses()
        kind, placed = self._knowledge.kind, self._placed
        if self.end is not None or kind is RESOLVED_DONE:
            return OrderState.DONE
        if self.last is not None:
            return OrderState.UNVERIFIED if kind is LOSS or kind is NOT_AT_VENUE else OrderState.OPEN
        if placed is None:
            return OrderState.UNVERIFIED
        if placed.refused or placed.missing:
            return OrderState.DONE
        if kind is RESOLVED_OPEN:
            return OrderState.OPEN
        return OrderState.UNKNOWN if placed.uncertain_since_epoch else OrderState.SENT

    @property
    def ending(self) -> Ending | None:
        """How the order ended; None if no end is known."""
        if self.end is not None:
            return ENDINGS[self.end.status]
        if self._knowledge.kind is RESOLVED_DONE:  # not changed by any loss
            return Ending.CLOSED
        if self.last is None and self._placed is not None:
            if self._placed.refused:
                return Ending.REFUSED
            if self._placed.missing:
                return Ending.MISSING
        return None

    @property
    def cancel_expected(self) -> bool:
        """Whether the venue should have cancelled the order because the connection ended
        (CancelOrdersOnDisconnect). Only a report confirms the cancel.
        """
        return self.knowledge.cancel_expected and self.state is OrderState.UNVERIFIED

    @property
    def is_done(self) -> bool:
        """Whether the order has ended."""
        return self.ending is not None

    @property
    def cl_ord_id(self) -> str:
        """ClOrdID (11) of the newest report or, before any report, of the request that placed the order."""
        if self.last is not None:
            return self.last.cl_ord_id
        return "" if self._placed is None else self._placed.cl_ord_id

    @property
    def names(self) -> tuple[str, ...]:
        """ClOrdIDs of the order: the ClOrdID with which it was placed or first reported, the current ClOrdID,
        and the ClOrdIDs of its pending requests.
        """
        last = self.last
        placed = self.first_cl_ord_id if self._placed is None else self._placed.cl_ord_id
        current = placed if last is None else last.cl_ord_id
        if current and not self._pending and placed in ("", current):
            return (current,)
        names = dict.fromkeys((placed, current, *(each.cl_ord_id for each in self._pending)))
        return tuple(filter(None, names))

    def origins(self, request: PendingRequest) -> set[str]:
        """Return the ClOrdIDs that the order is known to have had before a pending request. These are its
        first ClOrdID, and the OrigClOrdIDs of the request and of the earlier requests in its chain.
        """
        earlier = self.pending[: self.pending.index(request)]
        found = {
            self.first_cl_ord_id if self.placed is None else self.placed.cl_ord_id,
            request.orig_cl_ord_id,
        }
        for each in reversed(earlier):
            if each.cl_ord_id in found:
                found.add(each.orig_cl_ord_id)
        return found

    @property
    def status(self) -> OrdStatus | str | None:
        """OrdStatus (39) of the report that ended the order, or else of the newest report."""
        facts = self.end or self.last
        return None if facts is None else facts.status

    @property
    def text(self) -> str:
        """Text (58) of the report that determines `status`."""
        facts = self.end or self.last
        return "" if facts is None else facts.text

    @property
    def key(self) -> ExecKey | None:
        """Key of the newest report."""
        return None if self.last is None else self.last.key

    @property
    def shard(self) -> int | None:
        """The shard of the order; None if unknown."""
        if self.last is not None:
            return self.last.key.shard
        destination = None if self._placed is None else self._placed.ex_destination
        return None if destination is None or destination < 0 else destination

    @property
    def price(self) -> Decimal | None:
        """Price in dollars as last reported, or else as sent; None if unknown."""
        if self.reported_price is not None:
            return self.reported_price[1]
        return None if self._placed is None else self._placed.price

    @property
    def leaves_qty(self) -> Decimal:
        """Contracts that may still trade: LeavesQty (151) of the newest report, or the whole quantity before
        any report. It is 0 if the order is done.
        """
        if self.is_done:
            return ZERO
        if self.last is not None:
            return self.last.leaves_qty
        return ZERO if self._placed is None else self._placed.quantity

    @property
    def unreported_qty(self) -> Decimal:
        """Contracts included in the cumulative quantity whose fills have not been received."""
        return max(ZERO, subtract(self.cum_qty, self.filled_qty))

    @property
    def average_price(self) -> Decimal | None:
        """Average price of the fills received, in dollars, rounded to 28 digits; None without fills."""
        return divide(self.value, self.filled_qty) if self.filled_qty else None

    def add_fill(self, fill: Fill) -> None:
        """Add a fill, and its quantity, value and fee to the totals. Called by `Orders`."""
        self.fills[fill.key] = fill
        self.filled_qty = add(self.filled_qty, fill.quantity)
        self.value = multiply_add(fill.price, fill.quantity, self.value)
        self.fees = add(self.fees, fill.fee)

    def _repr_html_(self) -> str:
        return orders_table(f"Order {self.number}", [self])

    def __repr__(self) -> str:
        price = "no price" if self.price is None else f"{self.price:f} dollars"
        return (
            f"Order({self.cl_ord_id}, {self.order_id or 'no OrderID'}, {self.symbol}, {self.state.value}, "
            f"{self.filled_qty:f} filled, {self.leaves_qty:f} remaining at {price})"
        )


class OrderDiscrepancyKind(Enum):
    """Kinds of discrepancy in the venue's messages.

    Attributes:
        BAD_EXEC_ID: A fill without a valid ExecID cannot be distinguished from others, so it is not counted.
            Its quantity is part of `unreported_qty`.
    """

    BAD_EXEC_ID = "ExecID (17) is missing or malformed"
    UNREADABLE = "a field needed for the order's state is missing or unreadable"
    CONFLICT = "two reports with the same ExecID contain different trades"
    OVERFILLED = "the fills exceed the highest CumQty reported"
    REVIVED = "a later report shows an ended order as open"
    TERMS = "a report differs in symbol or side from earlier ones"
    UNKNOWN_REQUEST = "a request about an unknown order, or an answer to an unknown request"
    TOO_MANY = "the limit on orders or fills was reached, or an id is too long"
    FORGOTTEN = "a report that may be about an order no longer kept; it is not counted"


@attrs.frozen
class OrderDiscrepancy:
    """An inconsistency in the venue's messages.

    Attributes:
        kind: The kind of inconsistency.
        detail: Description for humans.
    """

    kind: OrderDiscrepancyKind
    detail: str

    def __str__(self) -> str:
        return f"{self.kind.value}: {self.detail}"


@attrs.define(eq=False)
class OrderUpdate:
    """The effect of one message or event on one order.

    Attributes:
        order: The order itself. Later messages change it, so read it before the next `apply`. None in an
            update about a mass cancel, a loss of reports (`lost`), verified orders (`verified`), or a
            discrepancy that concerns no known order.
        before: Its previous state; None if it is new.
        fills: The newly counted fills; each is reported once.
        answered: Changes and cancels that are no longer pending: done, refused, or known not to have reached
            the venue.
        forgotten: Whether the order was removed, by `Orders.withdraw` or to make room for another.
        moved_from: The previous account of the order, if this message shows that the order belongs to another
            account. Fills of earlier updates then belong to `order.account` too. None while the account is
            unchanged.
        discrepancies: The inconsistencies found.
        mass_cancel: The mass cancel whose state changed. Each of its orders has a separate update.
        lost: A live view of the orders that are not done, by symbol and side, if reports about any of them
            may be missing. Orders with a report are now UNVERIFIED. Orders without one are UNKNOWN if the
            answer to their request may be missing too. None of these orders has a separate update. The
            attribute is None in other updates.
        verified: Orders that were UNVERIFIED and that drop copy shows to be OPEN, except those that have
            been removed since. None of them has a separate update. The attribute is empty in other updates.
    """

    order: Order | None
    before: OrderState | None = None
    fills: list[Fill] = attrs.field(factory=list)
    answered: list[PendingRequest] = attrs.field(factory=list)
    forgotten: bool = False
    moved_from: Account | None = None
    discrepancies: list[OrderDiscrepancy] = attrs.field(factory=list)
    mass_cancel: MassCancel | None = None
    lost: Mapping[str, Mapping[str, Mapping[int, Order]]] | None = attrs.field(default=None, repr=False)
    verified: Iterable[Order] = attrs.field(default=(), repr=False)

    @property
    def moved(self) -> list[Fill]:
        """Fills that earlier updates reported for the account `moved_from` and that now belong to
        `order.account`.
        """
        if self.order is None or self.moved_from is None:
            return []
        new = {fill.key for fill in self.fills}
        return [fill for key, fill in self.order.fills.items() if key not in new]

    @property
    def lost_reports(self) -> bool:
        """Whether reports about any order may be missing."""
        return self.lost is not None

    @property
    def state_changed(self) -> bool:
        """Whether the order's state has changed."""
        return self.order is not None and self.order.state is not self.before


def orders_table(title: str, orders: Iterable[Order]) -> str:
    """Return orders as an HTML table, for notebooks."""
    from kalshi_fix_sansio.classes.display import table  # used in notebooks only

    head = ("ClOrdID", "symbol", "side", "price, dollars", "filled", "remaining", "state")
    rows = (
        (
            order.cl_ord_id,
            order.symbol,
            order.side.name if isinstance(order.side, Side) else order.side,
            order.price,
            order.filled_qty,
            order.leaves_qty,
            order.state.value,
        )
        for order in orders
    )
    return table(title, head, rows)
