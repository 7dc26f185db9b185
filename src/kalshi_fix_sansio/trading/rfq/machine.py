"""Common base of the state machines for both sides of requests for quotes (RFQs). A deal is a maker's quote
or a creator's acceptance.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Container, Iterator, Mapping
from datetime import datetime
from typing import Any, Generic, TypeVar

import attrs

from kalshi_fix_sansio._generated import ExecutionReport
from kalshi_fix_sansio.clock import BEGINNING
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import (
    MessageRejected,
    MessagesLost,
    OpenRequest,
    OutcomesUnknown,
    RejectReceived,
    SequenceSkipped,
)
from kalshi_fix_sansio.trading.common.dumping import dump_attributes, load_attributes
from kalshi_fix_sansio.trading.common.exec_key import ExecKey, first_keys
from kalshi_fix_sansio.trading.common.received import clipped
from kalshi_fix_sansio.trading.common.unanswered import UnattributedRequests
from kalshi_fix_sansio.trading.orders.uncertain_orders import DropCopyRange, unwrap
from kalshi_fix_sansio.trading.rfq.coverage import ReportKeys
from kalshi_fix_sansio.trading.rfq.creator_state import Acceptance
from kalshi_fix_sansio.trading.rfq.deals import RfqUpdate
from kalshi_fix_sansio.trading.rfq.maker_state import MakerQuote
from kalshi_fix_sansio.trading.rfq.values import (
    Exposure,
    RfqDiscrepancy,
    RfqDiscrepancyKind,
    RfqWindows,
    UncertainRfq,
    unattributed_items,
)

R = TypeVar("R")
D = TypeVar("D", MakerQuote, Acceptance)
U = TypeVar("U", bound=RfqUpdate)


class RfqMachine(ABC, Generic[R, D, U]):
    """The base of `RfqMaker` and `RfqCreator`: deadlines, exposure, uncertain items, and session events."""

    _UPDATE: type[U]
    _STATE: type[attrs.AttrsInstance]
    """The layout of a dump: the names and types of the dumped attributes."""
    _REQUESTS: tuple[type[Message], ...]
    """The requests whose outcome may be unknown."""

    def __init__(
        self,
        standard: RfqWindows,
        high_volatility: RfqWindows,
        volatile_symbols: Container[str],
        *,
        grace: float,
        dollars: bool,
        max_rfqs: int,
    ) -> None:
        self._standard, self._high_volatility = standard, high_volatility
        self._volatile_symbols = volatile_symbols
        self._grace, self._dollars, self._max_rfqs = grace, dollars, max_rfqs
        self._rfqs: dict[str, R] = {}
        self._tradable_deals: dict[str, D] = {}
        """Accepted deals that may trade: by QuoteID for a maker, by QuoteReqID for a creator."""
        self._keys = ReportKeys()
        self._now: datetime | None = None
        self.unattributed: UnattributedRequests = UnattributedRequests()
        """Requests with an unknown outcome that concern unknown RFQs or quotes, or could not be decoded."""
        self._updates: dict[Any, U] = {}
        """Updates of the current call, by the key of their request. If a discrepancy concerns no request, the
        key of its update is a number.
        """

    # --- queries --------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[R]:
        return iter(self._rfqs.values())

    def __len__(self) -> int:
        return len(self._rfqs)

    def exposure(self, symbol: str | None = None) -> Exposure:
        """Return the exposure from accepted quotes, confirmed or not, in one market or in all markets.

        An accepted quote counts until its order is reported, or the venue reports the end of the request.
        """
        exposure = Exposure()
        for deal in self._tradable_deals.values():
            if symbol in (None, deal.rfq.symbol):
                for trade in deal.possible_trades():
                    exposure = exposure.plus(*trade)
        return exposure

    def uncertain(self) -> list[UncertainRfq]:
        """Return the uncertainties that no expected message will resolve."""
        return [*self._uncertain_items(), *unattributed_items(self.unattributed)]

    def next_deadline(self) -> datetime | None:
        """Return the time at which to call `handle_timer`, in UTC; None without a deadline."""
        now = self._now or BEGINNING
        deadlines = [deadline for _, deadline in self._awaited_deals()]
        deadlines += [due for _, due in self._uncertain_deals() if due > now]
        return min(deadlines, default=None)

    def drop_copy_start(self, now: datetime, forgotten: Mapping[int, ExecKey] = {}) -> dict[int, ExecKey]:
        """Return, by shard, the key from which drop copy must be requested to find the orders of uncertain
        deals.

        Deals whose order is not overdue yet are left out, because drop copy requested now would prove
        nothing. Deals for which no earlier report of the market's shard is known are left out too.

        Args:
            now: the current time, timezone-aware.
            forgotten: as for `Orders.drop_copy_start`.
        """
        overdue = (deal for deal, due in self._uncertain_deals() if due <= now)
        keys = (self._keys.first_key(deal.rfq.symbol or "", deal.preceding) for deal in overdue)
        return first_keys(keys, forgotten)

    @abstractmethod
    def _uncertain_items(self) -> Iterator[UncertainRfq]:
        """Yield the requests and quotes whose state is unknown."""

    @abstractmethod
    def _awaited_deals(self) -> Iterator[tuple[D, datetime]]:
        """Yield the deals that wait for a confirmation or for the report of a trade, with their deadlines."""

    @abstractmethod
    def _uncertain_deals(self) -> Iterator[tuple[D, datetime]]:
        """Yield the uncertain deals that may still trade, each with the time by which its order would be
        reported.
        """

    # --- events ---------------------------------------------------------------------------------------

    def handle_timer(self, now: datetime) -> list[U]:
        """Advance the clock to `now`, a timezone-aware time; return the updates of deals that ended or became
        uncertain. A time before the current one is ignored.
        """
        self._advance(now)
        return self._take_updates()

    def apply(self, event: object, now: datetime) -> list[U]:
        """Apply an event of the session or client, a received message, a drop copy result (`DropCopyReport`,
        `DropCopyRange`), or a request that is about to be sent. Passing a request that this object returned
        has no effect.

        Returns the changes, with the messages to send now. Other events and messages have no effect.

        Exceptions raised by the callbacks of an `RfqMaker` propagate. After an exception, the next call
        also returns the changes that were made before it.

        Raises:
            RfqRequestError: do not send the QuoteRequest or Quote. In `RfqCreator`, its QuoteReqID belongs to
                a request that is still active. In `RfqMaker`, too many quotes for its request have not ended.
                `RfqMaker` also raises it if the `quote` callback returned terms for a received request, but
                the QuoteID from `new_id` is in use, or the session requires whole cents and a price has a
                fraction of a cent.
        """
        # Deadlines that passed before the event must be handled first.
        now = self._advance(now)
        message = unwrap(event)
        match message:
            case ExecutionReport():
                self._handle_report(message)
            case DropCopyRange():
                self._handle_range(message)
            case RejectReceived(sent=sent, reject=reject):
                self._handle_reject(sent, reject)
            case OutcomesUnknown():
                for request, decoded in self.unattributed.read(message, *self._REQUESTS):
                    self._handle_unanswered(request, decoded)
            case MessagesLost() | SequenceSkipped(gap_fill=False):
                self._record_lost_answers()
            # If the venue will resend a rejected message, the message is applied when it is redelivered.
            case MessageRejected(will_be_resent=False, message=refused):
                self._handle_undelivered(refused)
            case _:
                self._handle_message(message, now, is_unwrapped=message is not event)
        return self._take_updates()

    @abstractmethod
    def _handle_message(self, message: object, now: datetime, *, is_unwrapped: bool) -> None:
        """Apply an event or a message that only this side of the RFQ handles.

        Args:
            message: the event, or the message.
            now: the current time, timezone-aware.
            is_unwrapped: whether the message was taken out of an event. A message passed without an event may
                also be a request that is about to be sent.
        """

    @abstractmethod
    def _handle_report(self, report: Any) -> None:
        """Apply an execution report, which may be about the order of a deal."""

    @abstractmethod
    def _handle_reject(self, sent: object, reject: Any) -> None:
        """Apply the reject of a sent message."""

    @abstractmethod
    def _handle_unanswered(self, request: OpenRequest, message: Any) -> None:
        """Apply a request that will not be answered. Adopt an unknown request as if it had been passed to
        `apply`.
        """

    @abstractmethod
    def _handle_undelivered(self, refused: Any) -> None:
        """Handle a message from the venue that this session rejected and did not deliver. `refused` is None
        if the message could not be decoded; it may then concern any deal.
        """

    @abstractmethod
    def _record_lost_answers(self) -> None:
        """Record that answers about any request or quote may have been lost."""

    def _handle_range(self, drop_copy_range: DropCopyRange) -> None:
        """End the deals whose orders drop copy proves not to exist."""
        for deal, due in list(self._uncertain_deals()):
            if self._keys.proves_no_order(drop_copy_range, deal.rfq.symbol or "", deal.preceding, due):
                self._handle_no_order(deal)

    @abstractmethod
    def _handle_no_order(self, deal: D) -> None:
        """Record that a deal has no order."""

    def _advance(self, now: datetime) -> datetime:
        # The clock never goes back, because an earlier time would reopen windows whose end has been reported.
        if self._now is None or now > self._now:
            self._now = now
        for deal, deadline in list(self._awaited_deals()):
            if deadline <= self._now:
                self._handle_overdue(deal)
        return self._now

    @abstractmethod
    def _handle_overdue(self, deal: D) -> None:
        """Handle a deal whose deadline has passed."""

    def _windows(self, *, volatile: bool) -> RfqWindows:
        return self._high_volatility if volatile else self._standard

    # --- updates --------------------------------------------------------------------------------------

    def _add_discrepancy(self, update: U | None, kind: RfqDiscrepancyKind, detail: str) -> None:
        if update is None:
            update = self._updates[len(self._updates)] = self._UPDATE()
        update.discrepancies.append(RfqDiscrepancy(kind, detail))

    def _record_unreadable(self, update: U, name: str, code: object) -> None:
        """Record a discrepancy for a status code that the dialect does not define."""
        self._add_discrepancy(update, RfqDiscrepancyKind.UNREADABLE, f"{name} {clipped(str(code))}")

    def _record_unknown(
        self, kind: RfqDiscrepancyKind, answer: Any, name: str | None, *requests: type[Message]
    ) -> None:
        """Record a discrepancy for an answer with an unknown id if it answers no unattributed request."""
        if not self.unattributed.answer(name, *requests):
            self._add_discrepancy(None, kind, f"{answer.NAME} for {clipped(name)!r}")

    def _take_updates(self) -> list[U]:
        updates, self._updates = self._updates, {}
        return [each for each in updates.values() if each.has_effect]

    # --- dump and load --------------------------------------------------------------------------------

    def dump(self) -> dict[str, Any]:
        """Return the state as JSON values, for `load`."""
        return dump_attributes(self, self._STATE)

    def _restore(self, state: attrs.AttrsInstance) -> None:
        """Replace the state with one that was loaded; the caller then rebuilds the indexes."""
        load_attributes(self, state)
        self._tradable_deals.clear()
        self._updates.clear()
