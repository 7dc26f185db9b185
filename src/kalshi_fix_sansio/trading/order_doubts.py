"""What `Orders` does not know, and what a drop copy gives it."""

from __future__ import annotations

from enum import Enum

import attrs

from kalshi_fix_sansio._generated import ExecutionReport
from kalshi_fix_sansio.classes.explained import explained
from kalshi_fix_sansio.trading.doubts import Doubt
from kalshi_fix_sansio.trading.exec_key import ExecKey
from kalshi_fix_sansio.trading.mass_cancels import MassCancel
from kalshi_fix_sansio.trading.order import Order, PendingRequest


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
