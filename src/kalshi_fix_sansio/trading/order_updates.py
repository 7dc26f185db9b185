"""What `Orders` tells, and what a drop copy gives it."""

from __future__ import annotations

from enum import Enum

import attrs

from kalshi_fix_sansio._generated import ExecutionReport
from kalshi_fix_sansio.explained import explained
from kalshi_fix_sansio.trading.doubts import Doubt
from kalshi_fix_sansio.trading.exec_key import ExecKey
from kalshi_fix_sansio.trading.mass_cancels import MassCancel
from kalshi_fix_sansio.trading.order import Fill, Order, OrderState, PendingRequest


@explained
class OrderDiscrepancyKind(Enum):
    """In what way something that came does not fit."""

    BAD_EXEC_ID = "ExecID (17) is missing or malformed"
    """Its fill cannot be told from others, and is not counted: it is unseen."""
    UNREADABLE = "a field that the order's state needs is missing or unreadable"
    CONFLICT = "two reports of one ExecID tell different trades"
    OVERFILLED = "more was filled than any report says"
    REVIVED = "a report from after the end of an order says that it is open"
    TERMS = "a report names another symbol or side than those of before"
    UNKNOWN_REQUEST = "an answer to a request that is not known"
    TOO_MANY = "there are more orders or fills than are kept, or an id is too long"
    FORGOTTEN = "a report about an order that is no longer kept, perhaps; it is not counted"


@explained
@attrs.frozen
class OrderDiscrepancy:
    """Something in the venue's messages that does not fit."""

    kind: OrderDiscrepancyKind
    """In what way."""
    detail: str
    """For people."""

    def __str__(self) -> str:
        return f"{self.kind.value}: {self.detail}"


@explained
@attrs.define(eq=False)
class OrderUpdate:
    """What one message or event did to one order."""

    order: Order | None
    """The order itself, which goes on changing: read it before the next `apply`. None for a mass cancel, and
    for a discrepancy that is about no order."""
    before: OrderState | None = None
    """Its state before; None if it is new."""
    fills: list[Fill] = attrs.field(factory=list)
    """Those that were counted now; each is told once."""
    answered: list[PendingRequest] = attrs.field(factory=list)
    """Changes and cancels that are no longer pending: done, refused, or known not to have arrived."""
    forgotten: bool = False
    """Whether the order is not kept any longer, to make room."""
    discrepancies: list[OrderDiscrepancy] = attrs.field(factory=list)
    """What did not fit."""
    mass_cancel: MassCancel | None = None
    """The cancel of all orders of which the state changed. Each of the orders has an update of its own."""

    @property
    def state_changed(self) -> bool:
        """Whether the order's state is another than before."""
        return self.order is not None and self.order.state is not self.before


@explained
class DoubtKind(Enum):
    """What is not known of an order."""

    ORDER_UNKNOWN = "whether the venue has it"
    REQUEST_UNKNOWN = "what became of a change or a cancel"
    ORDER_UNVERIFIED = "what happened to it"
    FILLS_UNSEEN = "fills that were told of and have not come"
    MASS_CANCEL_UNKNOWN = "whether all orders of the session were cancelled"


@explained
@attrs.frozen(kw_only=True, eq=False)
class OrderDoubt(Doubt):
    """Something that is not known of an order, or of a mass cancel. Drop copy or REST tells it."""

    kind: DoubtKind
    """What is not known."""
    order: Order | None = None
    """None of a mass cancel."""
    request: PendingRequest | None = None
    """The change or cancel."""
    mass_cancel: MassCancel | None = None
    """The cancel of all orders; None of an order."""
    begin: ExecKey | None = None
    """Where drop copy must begin to tell it; None if that is not known: ask REST. A mass cancel needs what
    drop copy says of its orders."""


@explained
@attrs.frozen
class Copied:
    """An execution report that was asked for by drop copy: it proves what it says, and not that nothing came
    after."""

    report: ExecutionReport
    """The report."""
    dollars: bool = True
    """Whether its session has prices in dollars (UseDollars), not in cents."""


@explained
@attrs.frozen
class Covered:
    """Every report of a range of drop copy has come, and was given to `apply` as `Copied`."""

    shard: int
    """Index of the exchange shard."""
    begin: ExecKey
    """The first key of the range, inclusive."""
    moment: int
    """`Orders.moment` when the range was asked for: it says nothing of what came into doubt later."""
    end: ExecKey | None = None
    """The last key, inclusive; None for a range up to the latest report when it was asked for."""
