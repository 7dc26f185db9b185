"""How markets were settled, put together from the pages in which the venue tells it.

A settlement of many parties comes in several MarketSettlementReports, each with an id of its own; what ties
them together is Symbol and the date (Kalshi's page on market settlement). Money is in dollars, quantities are
in contracts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final

import attrs

from kalshi_fix_sansio._generated import (
    CollateralAmountType,
    MarketResult,
    MarketSettlementParty,
    MarketSettlementReport,
)
from kalshi_fix_sansio.classes.explained import explained
from kalshi_fix_sansio.events import MessageReceived
from kalshi_fix_sansio.trading.amounts import ZERO
from kalshi_fix_sansio.trading.doubts import Doubt
from kalshi_fix_sansio.trading.dumping import VERSION, dump_time, load_time, reading_dump
from kalshi_fix_sansio.trading.received import clipped, readable, sending_time

CENTS: Final = Decimal(100)
"""Cents in a dollar: SettlementPrice (730) is in cents on every session."""
_NO_TIME: Final = datetime.max.replace(tzinfo=UTC)


@explained
class SettlementDiscrepancyKind(Enum):
    """In what way a report does not fit."""

    UNREADABLE = "a field of the settlement is missing, unreadable or too long"
    """The page is not counted: the settlement stays incomplete."""
    CONFLICT = "pages of one settlement disagree about result or price"
    CHANGED = "a report came again under its id and says something else"
    """What came first holds."""
    PARTY_TWICE = "a party stands in a settlement twice"
    TOO_MANY_PAGES = "a page came for a settlement that was complete"
    """It is counted, and the settlement told again."""
    TOO_MANY = "there are more settlements or parties than are kept"


@explained
@attrs.frozen
class SettlementDiscrepancy:
    """Something in the reports that does not fit."""

    kind: SettlementDiscrepancyKind
    """In what way."""
    symbol: str
    """Ticker of the market."""
    detail: str
    """For people."""

    def __str__(self) -> str:
        return f"{self.symbol}: {self.kind.value}: {self.detail}"


@explained
@attrs.frozen
class SettledParty:
    """What a settlement meant to one party."""

    party_id: str
    """PartyID (448)."""
    long_qty: Decimal
    """Contracts of YES that it held."""
    short_qty: Decimal
    """Contracts of NO that it held."""
    payout: Decimal
    """Dollars that it was paid, the fee taken off already."""
    fee: Decimal
    """Dollars."""

    @property
    def gross(self) -> Decimal:
        """Dollars before the fee."""
        return self.payout + self.fee


@explained
@attrs.frozen
class Settlement:
    """How a market was settled."""

    symbol: str
    """Ticker of the market."""
    clearing_business_date: date
    """ClearingBusinessDate (715)."""
    market_result: MarketResult | str
    """MarketResult as it was sent: a code, or a value that is not known yet."""
    price: Decimal
    """Dollars that a contract of YES was settled at, before fees."""
    parties: tuple[SettledParty, ...]
    """By their ids."""
    pages: int
    """How many pages told it."""

    @property
    def payout(self) -> Decimal:
        """Dollars to all parties, fees taken off."""
        return sum((party.payout for party in self.parties), ZERO)

    @property
    def fee(self) -> Decimal:
        """Dollars from all parties."""
        return sum((party.fee for party in self.parties), ZERO)

    @property
    def gross(self) -> Decimal:
        """Dollars to all parties before fees."""
        return self.payout + self.fee


@explained
@attrs.frozen
class IncompleteSettlement:
    """A settlement of which pages are missing."""

    symbol: str
    """Ticker of the market."""
    clearing_business_date: date
    """ClearingBusinessDate (715)."""
    since: datetime | None
    """The earliest SendingTime (52) of its pages, in UTC; None where the caller gave messages without one."""
    pages: int
    """How many have come."""
    of: int | None
    """How many there are, if a page said so."""


@explained
@attrs.define(eq=False)
class SettlementUpdate:
    """What one report did."""

    symbol: str
    """Ticker of the market."""
    settlement: Settlement | None = None
    """The settlement, if it is complete with this report."""
    discrepancies: list[SettlementDiscrepancy] = attrs.field(factory=list)
    """What did not fit."""


@attrs.frozen
class _Page:
    """One report, as far as it is kept."""

    market_result: MarketResult | str
    price: Decimal
    total: int | None
    last: bool | None
    sent_at: datetime | None
    parties: tuple[SettledParty, ...]


@attrs.define(eq=False)
class _Pages:
    """The reports of one market and date, by their ids, and what they say together."""

    symbol: str
    date: date
    by_id: dict[str, _Page] = attrs.field(factory=dict)
    party_ids: set[str] = attrs.field(factory=set)
    since: datetime | None = None
    """The earliest SendingTime."""
    total: int | None = None
    """How many pages there are, by what any of them says."""
    marked: bool = False
    """Whether a page says if it is the last."""
    has_last: bool = False

    def add(self, report_id: str, page: _Page) -> None:
        """Take a page that is not here yet."""
        self.by_id[report_id] = page
        self.party_ids.update(party.party_id for party in page.parties)
        if page.sent_at is not None:
            self.since = page.sent_at if self.since is None else min(self.since, page.sent_at)
        # Where pages differ the greatest number counts: a settlement that is told too early lacks payouts,
        # one that waits too long shows as incomplete.
        if page.total is not None:
            self.total = page.total if self.total is None else max(self.total, page.total)
        self.marked |= page.last is not None
        self.has_last |= page.last is True

    def is_complete(self) -> bool:
        """Say whether all pages are here: as many as were told of, or else one that says it is the last.
        Where neither is told, a report stands alone."""
        # TotNumMarketSettlementReports and LastFragment (893) are both optional, and pages may come
        # in any order, also again after a resend.
        if self.total is not None:
            return len(self.by_id) >= self.total
        return self.has_last or not self.marked

    def settlement(self) -> Settlement:
        """Put the pages together, whatever the order in which they came."""
        # By report id, since the result must be the same after `load` and for whoever saw them in another
        # order.
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
    def weight(self) -> int:
        """What it counts against the bound of parties: a page without any counts as one."""
        return sum(map(_weight, self.by_id.values()))


class Settlements(Mapping[tuple[str, date], Settlement]):
    """The settlements that sessions of one account told of, by Symbol and ClearingBusinessDate.

    Give `apply` every event in any order; reports that come again change nothing. What is complete is told
    once and kept; what is not is in `incomplete`, with the time since when. Nothing that the venue sends
    raises.
    """

    __slots__ = ("_kept", "_max_parties", "_max_settlements", "_weight")

    def __init__(self, *, max_settlements: int = 10_000, max_parties: int = 100_000) -> None:
        """Start without settlements.

        Args:
            max_settlements: markets and dates that are kept. One more takes the place of the oldest that is
                complete.
            max_parties: parties of all settlements together, about 1 KB each. A page for which there is no
                room once the complete settlements have gone is not kept.
        """
        self._max_settlements, self._max_parties = max_settlements, max_parties
        self._kept: dict[tuple[str, date], _Pages] = {}
        """The one that changed longest ago first."""
        self._weight = 0
        """Parties of all pages."""

    def __getitem__(self, key: tuple[str, date]) -> Settlement:
        pages = self._kept[key]
        if not pages.is_complete():
            raise KeyError(key)
        return pages.settlement()

    def __iter__(self) -> Iterator[tuple[str, date]]:
        return (key for key, pages in self._kept.items() if pages.is_complete())

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def incomplete(self) -> list[IncompleteSettlement]:
        """Return what is known to be missing pages, the longest waiting first."""
        waiting = [
            IncompleteSettlement(pages.symbol, pages.date, pages.since, len(pages.by_id), pages.total)
            for pages in self._kept.values()
            if not pages.is_complete()
        ]
        return sorted(waiting, key=lambda each: (each.since or _NO_TIME, each.symbol))

    def doubts(self) -> list[Doubt]:
        """Return the settlements of which pages are missing."""
        return [
            Doubt(
                what=f"what its missing pages say; {each.pages} came",
                about=f"settlement of {each.symbol} on {each.clearing_business_date}",
                since=each.since,
            )
            for each in self.incomplete()
        ]

    def apply(self, happened: object) -> SettlementUpdate | None:
        """Take an event of a session or client, or a MarketSettlementReport.

        Returns what a report did; None for anything else, and for a report that came again.
        """
        message = happened.message if isinstance(happened, MessageReceived) else happened
        if not isinstance(message, MarketSettlementReport):
            return None
        report: Any = message
        # A field that a lenient session could not read is None, whatever its type says.
        update = SettlementUpdate(clipped(report.symbol))
        page = _page(report)
        if isinstance(page, str):
            _note(update, SettlementDiscrepancyKind.UNREADABLE, page)
            return update
        key = (report.symbol, report.clearing_business_date)
        pages = self._kept.get(key)
        before = None if pages is None else pages.by_id.get(report.market_settlement_report_id)
        if before is not None:
            # SendingTime differs where it was sent again; all else has to be the same.
            if attrs.evolve(before, sent_at=page.sent_at) == page:
                return None
            detail = f"report {report.market_settlement_report_id}"
            _note(update, SettlementDiscrepancyKind.CHANGED, detail)
            return update
        if not self._make_room(key, _weight(page)):
            _note(update, SettlementDiscrepancyKind.TOO_MANY, f"{len(page.parties)} parties were left out")
            return update
        self._add(update, key, report.market_settlement_report_id, page)
        return update

    def _add(self, update: SettlementUpdate, key: tuple[str, date], report_id: str, page: _Page) -> None:
        # Taken out and put in again, so that it is the newest: room is made from the oldest.
        pages = self._kept.pop(key, None) or _Pages(*key)
        self._kept[key] = pages
        if pages.by_id:
            # Kept all the same, as money is in it: what was told as complete was not.
            if pages.is_complete():
                _note(update, SettlementDiscrepancyKind.TOO_MANY_PAGES, f"report {report_id}")
            other = next(iter(pages.by_id.values()))
            if (other.market_result, other.price) != (page.market_result, page.price):
                said = f"{other.market_result} at {other.price:f}, and {page.market_result} at {page.price:f}"
                _note(update, SettlementDiscrepancyKind.CONFLICT, said)
        own: set[str] = set()
        for party in page.parties:
            if party.party_id in pages.party_ids or party.party_id in own:
                _note(update, SettlementDiscrepancyKind.PARTY_TWICE, party.party_id)
            own.add(party.party_id)
        pages.add(report_id, page)
        self._weight += _weight(page)
        if pages.is_complete():
            update.settlement = pages.settlement()

    def _make_room(self, key: tuple[str, date], weight: int) -> bool:
        """Let complete settlements go, the oldest first, until there is room for a page; say whether there
        is."""
        more = key not in self._kept
        if self._has_room(more, weight):
            return True
        if weight > self._max_parties:  # nothing would be gained
            return False
        # An incomplete one never goes: its pages do not come again, so that it could never be complete.
        for other in [other for other, pages in self._kept.items() if other != key and pages.is_complete()]:
            self._weight -= self._kept.pop(other).weight
            if self._has_room(more, weight):
                return True
        return False

    def _has_room(self, more: bool, weight: int) -> bool:
        return len(self._kept) + more <= self._max_settlements and self._weight + weight <= self._max_parties

    # To be kept by the user

    def dump(self) -> dict[str, Any]:
        """Return everything that is known, as values that JSON has; `load` takes it."""
        return {
            "version": VERSION,
            "settlements": [
                {
                    "symbol": pages.symbol,
                    "date": pages.date.isoformat(),
                    "reports": [
                        {
                            "id": report_id,
                            "result": str(page.market_result),
                            "price": str(page.price),
                            "total": page.total,
                            "last": page.last,
                            "sent_at": dump_time(page.sent_at),
                            "parties": [
                                [party.party_id, *map(str, attrs.astuple(party)[1:])]
                                for party in page.parties
                            ],
                        }
                        for report_id, page in pages.by_id.items()
                    ],
                }
                for pages in self._kept.values()
            ],
        }

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Take the place of what is known by what `dump` gave.

        Raises:
            ValueError: it was given by another version, or not by `dump`; then nothing has changed.
        """
        with reading_dump(dumped, "settlements", "Settlements"):
            kept = {(pages.symbol, pages.date): pages for pages in map(_loaded, dumped["settlements"])}
        self._kept = kept
        self._weight = sum(pages.weight for pages in kept.values())


def _loaded(each: Mapping[str, Any]) -> _Pages:
    pages = _Pages(each["symbol"], date.fromisoformat(each["date"]))
    for report in each["reports"]:
        page = _Page(
            _result(report["result"]),
            Decimal(report["price"]),
            report["total"],
            report["last"],
            load_time(report["sent_at"]),
            tuple(SettledParty(name, *map(Decimal, values)) for name, *values in report["parties"]),
        )
        pages.add(report["id"], page)
    return pages


def _weight(page: _Page) -> int:
    return max(1, len(page.parties))


def _page(report: Any) -> _Page | str:
    """Return what is kept of a report, or what is wrong with it."""
    for name in ("market_settlement_report_id", "symbol", "market_result"):
        value = getattr(report, name)
        if not readable(value):
            return f"{name} is {clipped(value)!r}"
    if report.clearing_business_date is None or report.settlement_price is None:
        return "no ClearingBusinessDate" if report.clearing_business_date is None else "no SettlementPrice"
    # A lenient session passes on what it could not read in full. With a payout missing all sums were wrong.
    if report.problems:
        return str(report.problems[0])
    parties: list[SettledParty] = []
    for party in report.market_settlement_party_ids:
        if not readable(party.market_settlement_party_id):
            return f"MarketSettlementPartyID is {clipped(party.market_settlement_party_id)!r}"
        parties.append(_party(party))
    return _Page(
        _result(report.market_result),
        report.settlement_price / CENTS,
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
        sum(
            (
                each.collateral_amount_change
                for each in changes
                if each.collateral_amount_type == CollateralAmountType.PAYOUT
            ),
            ZERO,
        ),
        sum((each.misc_fee_amt or ZERO for each in party.misc_fees), ZERO),
    )


def _result(value: str) -> MarketResult | str:
    return MarketResult(value) if value in {each.value for each in MarketResult} else value


def _note(update: SettlementUpdate, kind: SettlementDiscrepancyKind, detail: str) -> None:
    update.discrepancies.append(SettlementDiscrepancy(kind, update.symbol, detail))
