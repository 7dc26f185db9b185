"""Settlements of markets, assembled from the pages that the venue sends.

A settlement with many parties is split into several MarketSettlementReports with different ids. Symbol and
ClearingBusinessDate identify the reports that belong together (Kalshi's page on market settlement). Amounts
are in dollars, quantities in contracts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import attrs

from kalshi_fix_sansio._generated import (
    CollateralAmountType,
    MarketResult,
    MarketSettlementParty,
    MarketSettlementReport,
)
from kalshi_fix_sansio.clock import END
from kalshi_fix_sansio.events import MessageReceived
from kalshi_fix_sansio.trading.common.amounts import ZERO, add, from_cents, total
from kalshi_fix_sansio.trading.common.dumping import NOT_DUMPED, dump_state, loading
from kalshi_fix_sansio.trading.common.received import clipped, is_valid_id, sending_time
from kalshi_fix_sansio.trading.common.uncertain_items import UncertainItem


class SettlementDiscrepancyKind(Enum):
    """Kinds of inconsistency in settlement reports.

    Attributes:
        UNREADABLE: The page is not counted. Its settlement stays incomplete, or is not listed if it has no
            other page.
        CHANGED: The first version received is kept.
        TOO_MANY_PAGES: The page is counted, and the update contains the settlement again.
    """

    UNREADABLE = "a field of the settlement is missing, unreadable or too long"
    CONFLICT = "pages of one settlement disagree about the result or the price"
    CHANGED = "a report was received again with different content"
    PARTY_TWICE = "a settlement contains a party twice"
    TOO_MANY_PAGES = "another page was received for a complete settlement"
    TOO_MANY = "the limit on settlements or parties was reached"


@attrs.frozen
class SettlementDiscrepancy:
    """An inconsistency in settlement reports.

    Attributes:
        kind: The kind of inconsistency.
        symbol: Ticker of the market.
        detail: The values found, as text for humans.
    """

    kind: SettlementDiscrepancyKind
    symbol: str
    detail: str

    def __str__(self) -> str:
        return f"{self.symbol}: {self.kind.value}: {self.detail}"


@attrs.frozen
class SettledParty:
    """The result of a settlement for one party.

    Attributes:
        party_id: PartyID (448).
        long_qty: Contracts of YES held.
        short_qty: Contracts of NO held.
        payout: Payout in dollars, net of the fee.
        fee: Fee in dollars.
    """

    party_id: str
    long_qty: Decimal
    short_qty: Decimal
    payout: Decimal
    fee: Decimal

    @property
    def gross(self) -> Decimal:
        """Payout in dollars before the fee."""
        return add(self.payout, self.fee)


@attrs.frozen
class Settlement:
    """The settlement of a market.

    Attributes:
        symbol: Ticker of the market.
        clearing_business_date: ClearingBusinessDate (715).
        market_result: MarketResult as sent: a member of the enum, or an unknown code as text.
        price: Settlement price of a contract of YES in dollars, before fees.
        parties: The parties, sorted by id.
        pages: Number of pages received.
    """

    symbol: str
    clearing_business_date: date
    market_result: MarketResult | str
    price: Decimal
    parties: tuple[SettledParty, ...]
    pages: int

    @property
    def payout(self) -> Decimal:
        """Payout to all parties in dollars, net of fees."""
        return total(party.payout for party in self.parties)

    @property
    def fee(self) -> Decimal:
        """Fees of all parties in dollars."""
        return total(party.fee for party in self.parties)

    @property
    def gross(self) -> Decimal:
        """Payout to all parties in dollars, before fees."""
        return add(self.payout, self.fee)


@attrs.frozen
class IncompleteSettlement:
    """A settlement with missing pages.

    Attributes:
        symbol: Ticker of the market.
        clearing_business_date: ClearingBusinessDate (715).
        since: The earliest SendingTime (52) of its pages, in UTC; None if the messages had none.
        pages: Number of pages received.
        total_pages: Total number of pages; None if no page contains it.
    """

    symbol: str
    clearing_business_date: date
    since: datetime | None
    pages: int
    total_pages: int | None


@attrs.define(eq=False)
class SettlementUpdate:
    """The effect of one MarketSettlementReport.

    Attributes:
        symbol: Ticker of the market.
        settlement: The settlement, if this report completes it; None otherwise.
        discrepancies: Inconsistencies found.
    """

    symbol: str
    settlement: Settlement | None = None
    discrepancies: list[SettlementDiscrepancy] = attrs.field(factory=list)


@attrs.frozen
class _Page:
    """The fields of one report that are kept."""

    market_result: MarketResult | str
    price: Decimal
    total: int | None
    last: bool | None
    sent_at: datetime | None
    parties: tuple[SettledParty, ...]


@attrs.define(eq=False)
class _Pages:
    """The pages of one settlement by report id, and values computed from them."""

    symbol: str
    date: date
    by_id: dict[str, _Page] = attrs.field(factory=dict)
    party_ids: set[str] = attrs.field(factory=set, metadata=NOT_DUMPED)
    since: datetime | None = attrs.field(default=None, metadata=NOT_DUMPED)
    """The earliest SendingTime of the pages."""
    total: int | None = attrs.field(default=None, metadata=NOT_DUMPED)
    """Total number of pages: the highest number that a page contains; None if no page contains it."""
    has_fragment_flag: bool = attrs.field(default=False, metadata=NOT_DUMPED)
    """Whether a page contains LastFragment (893)."""
    has_last: bool = attrs.field(default=False, metadata=NOT_DUMPED)
    """Whether the last page, on which LastFragment is set, has been received."""

    def add(self, report_id: str, page: _Page) -> None:
        """Add a new page."""
        self.by_id[report_id] = page
        self.party_ids.update(party.party_id for party in page.parties)
        if page.sent_at is not None:
            self.since = page.sent_at if self.since is None else min(self.since, page.sent_at)
        # If the pages contain different totals, the highest one counts. With too low a total, the settlement
        # would be reported without some payouts; with too high a total, it is listed as incomplete.
        if page.total is not None:
            self.total = page.total if self.total is None else max(self.total, page.total)
        self.has_fragment_flag |= page.last is not None
        self.has_last |= page.last is True

    def is_complete(self) -> bool:
        """Return whether all pages have been received.

        If any page contains TotNumMarketSettlementReports, this total number of pages decides. Otherwise the
        page with LastFragment (893) must have been received. Without either field, a single page is
        complete.
        """
        if self.total is not None:
            return len(self.by_id) >= self.total
        return self.has_last or not self.has_fragment_flag

    def settlement(self) -> Settlement:
        """Return the settlement assembled from the pages."""
        # Sorted by report id, because the result must not depend on the sequence in which the pages arrived.
        pages = [self.by_id[report_id] for report_id in sorted(self.by_id)]
        return Settlement(
            self.symbol,
            self.date,
            pages[0].market_result,
            pages[0].price,
            tuple(sorted((party for page in pages for party in page.parties), key=attrs.astuple)),
            len(pages),
        )

    @property
    def party_count(self) -> int:
        """Number of parties, counted against `max_parties`; a page without parties counts as one party."""
        return sum(map(_party_count, self.by_id.values()))


@attrs.frozen
class _State:
    """The layout of a dump."""

    settlements: list[_Pages]


class Settlements(Mapping[tuple[str, date], Settlement]):
    """The settlements received on the sessions of one account, by Symbol and ClearingBusinessDate.

    Pass every event to `apply`, in any sequence. Redelivered reports have no effect. A settlement is reported
    when its last missing page is received, and is kept. `incomplete` returns the settlements with missing
    pages. No message from the venue raises an exception.
    """

    def __init__(self, *, max_settlements: int = 10_000, max_parties: int = 100_000) -> None:
        """Start without settlements.

        Args:
            max_settlements: maximum number of settlements. Beyond it, a new settlement replaces the oldest
                complete one.
            max_parties: maximum number of parties in all settlements together, about 1 KB each. A page is not
                kept if removing complete settlements does not make enough room.
        """
        self._max_settlements, self._max_parties = max_settlements, max_parties
        self._pages_by_key: dict[tuple[str, date], _Pages] = {}
        """The pages by market and date, the least recently changed first."""
        self._party_count = 0
        """Number of parties on all pages."""

    def __getitem__(self, key: tuple[str, date]) -> Settlement:
        pages = self._pages_by_key[key]
        if not pages.is_complete():
            raise KeyError(key)
        return pages.settlement()

    def __iter__(self) -> Iterator[tuple[str, date]]:
        return (key for key, pages in self._pages_by_key.items() if pages.is_complete())

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def incomplete(self) -> list[IncompleteSettlement]:
        """Return the settlements with missing pages, the one that has waited longest first."""
        waiting = [
            IncompleteSettlement(pages.symbol, pages.date, pages.since, len(pages.by_id), pages.total)
            for pages in self._pages_by_key.values()
            if not pages.is_complete()
        ]
        return sorted(waiting, key=lambda each: (each.since or END, each.symbol))

    def uncertain(self) -> list[UncertainItem]:
        """Return the settlements with missing pages as uncertain items."""
        return [
            UncertainItem(
                what="the settlement is incomplete: "
                + ("1 page was received" if each.pages == 1 else f"{each.pages} pages were received"),
                about=f"settlement of {each.symbol} on {each.clearing_business_date}",
                since=each.since,
            )
            for each in self.incomplete()
        ]

    def apply(self, event: object) -> SettlementUpdate | None:
        """Apply an event of a session or client, or a MarketSettlementReport.

        Returns the effect of a report; None for other objects, and for a redelivered report.
        """
        message = event.message if isinstance(event, MessageReceived) else event
        if not isinstance(message, MarketSettlementReport):
            return None
        # On a lenient session an unreadable field is None, despite its declared type.
        report: Any = message
        update = SettlementUpdate(clipped(report.symbol))
        page = _page(report)
        if isinstance(page, str):
            _add_discrepancy(update, SettlementDiscrepancyKind.UNREADABLE, page)
            return update
        key = (report.symbol, report.clearing_business_date)
        pages = self._pages_by_key.get(key)
        earlier_page = None if pages is None else pages.by_id.get(report.market_settlement_report_id)
        if earlier_page is not None:
            # SendingTime differs in a resent report; all other fields must be equal.
            if attrs.evolve(earlier_page, sent_at=page.sent_at) == page:
                return None
            detail = f"report {report.market_settlement_report_id}"
            _add_discrepancy(update, SettlementDiscrepancyKind.CHANGED, detail)
            return update
        if not self._make_room(key, _party_count(page)):
            _add_discrepancy(
                update, SettlementDiscrepancyKind.TOO_MANY, f"number of parties left out: {len(page.parties)}"
            )
            return update
        self._add(update, key, report.market_settlement_report_id, page)
        return update

    def _add(self, update: SettlementUpdate, key: tuple[str, date], report_id: str, page: _Page) -> None:
        # Removed and reinserted as the newest, because `_make_room` removes the oldest first.
        pages = self._pages_by_key.pop(key, None) or _Pages(*key)
        self._pages_by_key[key] = pages
        if pages.by_id:
            # The settlement was reported as complete too early. The page is kept for the payouts it contains.
            if pages.is_complete():
                _add_discrepancy(update, SettlementDiscrepancyKind.TOO_MANY_PAGES, f"report {report_id}")
            other = next(iter(pages.by_id.values()))
            if (other.market_result, other.price) != (page.market_result, page.price):
                detail = (
                    f"{other.market_result} at {other.price:f}, and {page.market_result} at {page.price:f}"
                )
                _add_discrepancy(update, SettlementDiscrepancyKind.CONFLICT, detail)
        for party in page.parties:
            if party.party_id in pages.party_ids:
                _add_discrepancy(update, SettlementDiscrepancyKind.PARTY_TWICE, party.party_id)
            pages.party_ids.add(party.party_id)
        pages.add(report_id, page)
        self._party_count += _party_count(page)
        if pages.is_complete():
            update.settlement = pages.settlement()

    def _make_room(self, key: tuple[str, date], party_count: int) -> bool:
        """Remove complete settlements, the oldest first, until there is room for a page; return whether there
        is room. If removing all of them would not make enough room, none is removed.
        """
        settlement_count = len(self._pages_by_key) + (key not in self._pages_by_key)
        total_parties = self._party_count + party_count
        removed = []
        for other, pages in self._pages_by_key.items():
            if settlement_count <= self._max_settlements and total_parties <= self._max_parties:
                break
            # An incomplete settlement is kept. If it were removed, it could never become complete, because
            # the venue does not send its pages again.
            if other != key and pages.is_complete():
                removed.append(other)
                settlement_count -= 1
                total_parties -= pages.party_count
        if settlement_count > self._max_settlements or total_parties > self._max_parties:
            return False
        for other in removed:
            del self._pages_by_key[other]
        self._party_count = total_parties - party_count
        return True

    # --- dump and load --------------------------------------------------------------------------------

    def dump(self) -> dict[str, Any]:
        """Return the state as JSON values, for `load`."""
        return dump_state(_State(list(self._pages_by_key.values())))

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Replace the state with a dump.

        Raises:
            ValueError: the dump was not produced by `dump` of this class and version; the state is unchanged.
        """
        with loading(dumped, _State, "Settlements") as state:
            kept = {(each.symbol, each.date): _rebuild(each) for each in state.settlements}
        self._pages_by_key = kept
        self._party_count = sum(pages.party_count for pages in kept.values())


def _rebuild(dumped: _Pages) -> _Pages:
    pages = _Pages(dumped.symbol, dumped.date)
    for report_id, page in dumped.by_id.items():
        pages.add(report_id, page)
    return pages


def _party_count(page: _Page) -> int:
    """Return the number of parties on a page; 1 for a page without parties."""
    return max(1, len(page.parties))


def _page(report: Any) -> _Page | str:
    """Return the fields of a report to keep, or a description of its error."""
    for name in ("market_settlement_report_id", "symbol", "market_result"):
        value = getattr(report, name)
        if not is_valid_id(value):
            return f"{name} is {clipped(value)!r}"
    if report.clearing_business_date is None or report.settlement_price is None:
        missing = "ClearingBusinessDate" if report.clearing_business_date is None else "SettlementPrice"
        return f"{missing} is missing"
    # A lenient session delivers messages with unreadable fields. A missing payout would make all sums wrong.
    if report.problems:
        return str(report.problems[0])
    parties: list[SettledParty] = []
    for party in report.market_settlement_party_ids:
        if not is_valid_id(party.market_settlement_party_id):
            return f"MarketSettlementPartyID is {clipped(party.market_settlement_party_id)!r}"
        parties.append(_party(party))
    return _Page(
        _result(report.market_result),
        from_cents(report.settlement_price),  # in cents on every session
        report.tot_num_market_settlement_reports,
        report.last_fragment,
        sending_time(report),
        tuple(parties),
    )


def _party(party: MarketSettlementParty) -> SettledParty:
    changes = party.collateral_amount_changes
    return SettledParty(
        party.market_settlement_party_id,
        party.long_qty or ZERO,
        party.short_qty or ZERO,
        total(
            each.collateral_amount_change
            for each in changes
            if each.collateral_amount_type == CollateralAmountType.PAYOUT
        ),
        total(each.misc_fee_amt or ZERO for each in party.misc_fees),
    )


def _result(value: str) -> MarketResult | str:
    return MarketResult(value) if value in {each.value for each in MarketResult} else value


def _add_discrepancy(update: SettlementUpdate, kind: SettlementDiscrepancyKind, detail: str) -> None:
    update.discrepancies.append(SettlementDiscrepancy(kind, update.symbol, detail))
