"""Deals: a maker's quotes and a creator's acceptances, and the facts that messages establish about them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import attrs

from kalshi_fix_sansio._generated import ExecType
from kalshi_fix_sansio.trading.common.amounts import ZERO
from kalshi_fix_sansio.trading.common.received import clipped
from kalshi_fix_sansio.trading.rfq.coverage import PrecedingReports
from kalshi_fix_sansio.trading.rfq.values import RfqDiscrepancy


class Fact(Enum):
    """A fact that a message has established about a quote, an acceptance or a request.

    State is derived from the set of facts, because messages arrive on several sessions, sometimes repeatedly
    and in no reliable sequence.
    """

    OPEN = "the venue has the quote"
    REPLACED = "the venue has a newer quote"
    REFUSED = "the venue has refused it"
    CANCELED = "it is cancelled"
    EXPIRED = "the venue has closed the request"
    ACCEPTED = "the quote is accepted"
    LAPSED = "the time to confirm it has passed"
    CONFIRMED = "the venue has accepted the confirmation"
    EXECUTED = "a report shows its order in the book"
    ORDER_REFUSED = "a report shows that its order was refused"
    NO_ORDER = "drop copy has no report about its order"


@attrs.define(eq=False)
class Deal:
    """The common base of `MakerQuote` and `Acceptance`, which describe its attributes."""

    deadline: datetime | None = attrs.field(default=None, kw_only=True)
    cum_qty: Decimal = attrs.field(default=ZERO, kw_only=True)
    text: str = attrs.field(default="", kw_only=True)
    facts: set[Fact] = attrs.field(factory=set, kw_only=True, repr=False)
    preceding: PrecedingReports = attrs.field(factory=PrecedingReports, kw_only=True, repr=False)
    uncertain_since: datetime | None = attrs.field(default=None, kw_only=True, repr=False)

    def record_loss(self, since: datetime | None, now: datetime | None) -> None:
        """Record that messages about the deal may have been lost since `since` or, if that is None, since
        `now`.
        """
        if self.uncertain_since is None:
            self.uncertain_since, self.preceding.lost_at = since or now, now

    def end_uncertainty(self) -> None:
        """End the uncertainty about the deal."""
        self.uncertain_since = None

    def record_text(self, message: Any) -> None:
        """Record the Text (58) of an answer, truncated to a maximum length."""
        self.text = clipped(message.text)

    def apply_report(self, report: Any) -> None:
        """Apply a report about the order of the deal."""
        if report.exec_type == ExecType.REJECTED:
            self.facts.add(Fact.ORDER_REFUSED)
            self.record_text(report)
        else:
            # CumQty (14) never falls, and reports may arrive out of order or repeatedly.
            self.facts.add(Fact.EXECUTED)
            self.cum_qty = max(self.cum_qty, report.cum_qty or ZERO)


@attrs.define(eq=False)
class RfqUpdate:
    """The common base of `MakerUpdate` and `CreatorUpdate`."""

    discrepancies: list[RfqDiscrepancy] = attrs.field(factory=list, kw_only=True)

    @property
    def has_effect(self) -> bool:
        """Whether the update contains a change to report to the user."""
        return bool(self.discrepancies)
