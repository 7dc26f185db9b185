"""What is known of one order: facts from reports and requests, the state that follows from them, and what a
message did to it.

Nothing here depends on the order in which facts came. The newest report of an order is the one with the
highest ExecKey, an end is an end whenever it was told, and fills are counted once by their keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Final, NamedTuple

import attrs

from kalshi_fix_sansio._generated import OrdStatus, Side
from kalshi_fix_sansio.classes.explained import explained
from kalshi_fix_sansio.trading.amounts import ZERO, divide, subtract
from kalshi_fix_sansio.trading.exec_key import ExecKey
from kalshi_fix_sansio.trading.mass_cancels import MassCancel

NO_KEY: Final = ExecKey(-1, -1, -1)
"""Stands for the key of a report without one; it is below every other."""


@explained
class OrderState(Enum):
    """How much is known of where an order is."""

    SENT = "sent"
    """Nothing but pending reports has come."""
    OPEN = "open"
    """It rests with the venue, by the newest report."""
    DONE = "done"
    """It has ended (`Order.ending`), or never began. Fills that are reported late still count."""
    UNKNOWN = "unknown"
    """It was sent, and whether the venue has it will not be told by itself."""
    UNVERIFIED = "unverified"
    """It was open, and what became of it since may not have been told."""


@explained
class Ending(Enum):
    """How an order ended."""

    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    """By an ExecutionReport."""
    REFUSED = "refused"
    """By a Reject (3) or a BusinessMessageReject (j)."""
    MISSING = "missing"
    """Drop copy has no report about it: see `Covered`."""
    CLOSED = "closed"
    """The user said so: see `Orders.resolve`."""


ENDS: Final[Mapping[str, Ending]] = {
    OrdStatus.FILLED: Ending.FILLED,
    OrdStatus.CANCELED: Ending.CANCELED,
    OrdStatus.EXPIRED: Ending.EXPIRED,
    OrdStatus.REJECTED: Ending.REJECTED,
}


@explained
class Account(NamedTuple):
    """Whose order it is, below the key of the session."""

    subaccount: int = 0
    """AllocAccount (79); 0 is the primary one."""
    customer: str | None = None
    """PartyID (448) of a clearing member's customer."""


@explained
class Fill(NamedTuple):
    """One trade of an order. Prices and money are in dollars, quantities in contracts."""

    key: ExecKey
    """Its report."""
    price: Decimal
    """Of YES on prediction, whichever side was traded."""
    quantity: Decimal
    """Contracts."""
    fee: Decimal
    """The sum of MiscFeeAmt (137): what was taken, a rebate already off."""
    balance_change: Decimal | None = None
    """CollateralAmountChange (1704) of type BALANCE, with the fee taken off; None where none was told."""
    long_qty: Decimal | None = None
    """Position of the account after it (704, 705); None where it was not told."""
    short_qty: Decimal | None = None
    """The short position (705), as well."""
    aggressor: bool | None = None
    """Whether it took liquidity (1057)."""


class Said(NamedTuple):
    """What one report says of its order. The newest is the greatest: of two with one key, which sessions may
    see differently, the one that tells of an end or of more counts."""

    key: ExecKey
    ends: bool
    told: Decimal
    leaves: Decimal
    status: str
    cl_ord_id: str
    text: str


@explained
@attrs.define(eq=False)
class PendingRequest:
    """A change (G) or a cancel (F) that was sent and has no answer."""

    msg_type: str
    """MsgType (35): G or F."""
    cl_ord_id: str
    """ClOrdID (11) of the request."""
    orig_cl_ord_id: str
    """OrigClOrdID (41): the ClOrdID of what it changes or cancels."""
    price: Decimal | None = None
    """Dollars; None in a cancel, and where the price stays."""
    quantity: Decimal | None = None
    """The total that was asked for; None in a cancel."""
    after: ExecKey | None = None
    """The newest report of the order's shard when it was sent."""
    unknown: int = 0
    """The moment (`Orders.moment`) since which no answer is to be expected; 0 while one is."""
    since: datetime | None = None
    """When that was, in UTC: SendingTime (52) of what came last."""

    @property
    def is_unknown(self) -> bool:
        """Whether what became of it will not be told by itself."""
        return self.unknown > 0


@attrs.define(eq=False)
class Placed:
    """A NewOrderSingle that was sent."""

    number: int
    cl_ord_id: str
    price: Decimal
    quantity: Decimal
    account: Account
    ex_destination: int | None
    after: tuple[ExecKey, ...]
    """The newest report of each shard when it was sent."""
    unknown: int = 0
    """The moment since which no answer is to be expected; 0 while one is."""
    since: datetime | None = None
    unsure: bool = False
    """Whether its answer has left it open."""
    refused: bool = False
    missing: bool = False


@explained
@attrs.define(eq=False, repr=False)
class Order:
    """One order. To be read: `Orders` makes it and changes it in place."""

    number: int
    """Counts the orders of an `Orders`, from 1."""
    symbol: str
    """Ticker of the market."""
    side: Side | str
    """Side (54); of YES on prediction."""
    account: Account
    """Whose order."""
    order_id: str | None = None
    """OrderID (37); None until the venue has told it, and of an order that it has rejected."""
    placed: Placed | None = None
    """The request of this side; None if another session placed it."""
    pending: list[PendingRequest] = attrs.field(factory=list)
    """Changes and cancels without an answer, the oldest first."""
    fills: dict[ExecKey, Fill] = attrs.field(factory=dict)
    """In the order in which they came."""
    filled: Decimal = ZERO
    """Contracts, by the fills that have come."""
    value: Decimal = ZERO
    """Dollars: the sum of price times quantity over them."""
    fees: Decimal = ZERO
    """Dollars."""
    told: Decimal = ZERO
    """The most that any report has said to be filled (CumQty)."""
    last: Said | None = None
    """The newest report that has a key."""
    end: Said | None = None
    """The newest report of an end."""
    first_key: ExecKey | None = None
    """The oldest report about it."""
    limit: tuple[ExecKey, Decimal] | None = None
    """The newest report that gives a price, and that price in dollars."""
    cut: int = 0
    """The moment of the cut since which something may have been missed; 0 if there was none, or something
    has covered it."""
    cut_key: ExecKey | None = None
    """The newest report at the cut."""
    live_key: ExecKey | None = None
    """The newest report that came by itself, not by drop copy, since the cut."""
    hole: ExecKey | None = None
    """The newest report of its shard that came by itself before it came into doubt: what came of it since
    is newer. None while it is in no doubt, and where nothing had come."""
    denied: int = 0
    """The moment at which a refusal said that the order is no more; 0 if none has."""
    since: datetime | None = None
    """Since when it is in doubt, in UTC: SendingTime (52) of what came last before."""
    seen_live: bool = False
    """Whether a report about it has come by itself, not by drop copy."""
    presumed: bool = False
    """Whether the venue was to cancel it when the connection ended."""
    closed: bool = False
    """Whether the user said that it is done."""
    found: bool = False
    """Whether the user said that it is open, though no report says so."""
    indexed: tuple[str, ...] = ()
    """The ClOrdIDs by which it can be found."""
    indexed_as: OrderState | None = None
    """Its state when the last update of it ended; None while it is new."""
    update: OrderUpdate | None = None
    """The update that is being made of it; None between two calls of `Orders.apply`."""

    @property
    def state(self) -> OrderState:
        """Where it stands, by all that has been told."""
        if self.last is not None and self.end is None and not (self.cut or self.closed or self.denied):
            return OrderState.OPEN  # as most are: in half the time of what follows
        if self.ending is not None:
            return OrderState.DONE
        if self.last is not None or self.placed is None:
            return OrderState.UNVERIFIED if self.in_doubt else OrderState.OPEN
        if self.found:
            return OrderState.OPEN
        return OrderState.UNKNOWN if self.placed.unknown else OrderState.SENT

    @property
    def ending(self) -> Ending | None:
        """How it ended; None if it has not, as far as is known."""
        if self.end is not None:
            return ENDS[self.end.status]
        if self.closed:
            return Ending.CLOSED
        if self.last is None and self.placed is not None:
            if self.placed.refused:
                return Ending.REFUSED
            if self.placed.missing:
                return Ending.MISSING
        return None

    @property
    def in_doubt(self) -> bool:
        """Whether something may have happened to it that nobody has told; of one that is open."""
        if self.denied or self.last is None:
            return True
        if not self.cut:
            return False
        return self.live_key is None or (self.cut_key is not None and self.live_key <= self.cut_key)

    @property
    def presumed_canceled(self) -> bool:
        """Whether the venue was to cancel it because the connection ended (CancelOrdersOnDisconnect). Nothing
        but a report says that it has."""
        return self.presumed and self.state is OrderState.UNVERIFIED

    @property
    def is_done(self) -> bool:
        """Whether it has ended."""
        return self.ending is not None

    @property
    def cl_ord_id(self) -> str:
        """ClOrdID (11) of the last request that the venue says has changed it."""
        if self.last is not None:
            return self.last.cl_ord_id
        return "" if self.placed is None else self.placed.cl_ord_id

    @property
    def names(self) -> tuple[str, ...]:
        """The ClOrdIDs that it has: as it was placed, now, and of its pending requests."""
        last = self.last
        placed = "" if self.placed is None else self.placed.cl_ord_id
        now = placed if last is None else last.cl_ord_id
        if now and not self.pending and placed in ("", now):
            return (now,)
        names = dict.fromkeys((placed, now, *(each.cl_ord_id for each in self.pending)))
        return tuple(filter(None, names))

    @property
    def status(self) -> OrdStatus | str | None:
        """OrdStatus (39) of the newest report; that of its end, if it has ended by a report."""
        said = self.end or self.last
        return None if said is None else said.status

    @property
    def text(self) -> str:
        """Text (58) of that report."""
        said = self.end or self.last
        return "" if said is None else said.text

    @property
    def key(self) -> ExecKey | None:
        """The newest report's."""
        return None if self.last is None else self.last.key

    @property
    def shard(self) -> int | None:
        """The shard that it is on; None if that is not known."""
        if self.last is not None:
            return self.last.key.shard
        asked = None if self.placed is None else self.placed.ex_destination
        return None if asked is None or asked < 0 else asked

    @property
    def price(self) -> Decimal | None:
        """Dollars; None if it was never told."""
        if self.limit is not None:
            return self.limit[1]
        return None if self.placed is None else self.placed.price

    @property
    def remaining(self) -> Decimal:
        """Contracts that may still trade: LeavesQty (151) of the newest report; all where none has come."""
        if self.is_done:
            return ZERO
        if self.last is not None:
            return self.last.leaves
        return ZERO if self.placed is None else self.placed.quantity

    @property
    def unseen(self) -> Decimal:
        """Contracts that were told to be filled, and whose fills have not come."""
        return max(ZERO, subtract(self.told, self.filled))

    @property
    def average_price(self) -> Decimal | None:
        """Dollars, of the fills that have come, with 28 digits; None without any."""
        return divide(self.value, self.filled) if self.filled else None

    def _repr_html_(self) -> str:
        return orders_table(f"Order {self.number}", [self])

    def __repr__(self) -> str:
        price = "no price" if self.price is None else f"{self.price:f} dollars"
        return (
            f"Order({self.cl_ord_id}, {self.order_id or 'no OrderID'}, {self.symbol}, {self.state.value}, "
            f"{self.filled:f} filled, {self.remaining:f} remaining at {price})"
        )


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


def orders_table(title: str, orders: Iterable[Order]) -> str:
    """Return orders as HTML, for notebooks."""
    from kalshi_fix_sansio.classes.display import table  # in notebooks alone

    head = ("ClOrdID", "symbol", "side", "price, dollars", "filled", "remaining", "state")
    rows = [
        (
            order.cl_ord_id,
            order.symbol,
            order.side.name if isinstance(order.side, Side) else order.side,
            None if order.price is None else f"{order.price:f}",
            f"{order.filled:f}",
            f"{order.remaining:f}",
            order.state.value,
        )
        for order in orders
    ]
    return table(title, head, rows)
