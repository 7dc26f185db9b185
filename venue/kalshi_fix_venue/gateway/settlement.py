"""Settlement reports (UMS): their recipients and contents (Kalshi's page on market settlement)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

from kalshi_fix_sansio import (
    CollateralAmountType,
    MarketSettlementParty,
    MarketSettlementPartyRole,
    MarketSettlementReport,
)
from kalshi_fix_venue.assumptions import Assumptions
from kalshi_fix_venue.exchange.outcomes import MarketSettled, Outcome, PositionSettled
from kalshi_fix_venue.exchange.terms import AccountId
from kalshi_fix_venue.gateway.logins import Delivery, Login, Logins
from kalshi_fix_venue.gateway.units import collateral_changes, contracts, exchange_fees

SESSION_TYPES = ("KalshiNR", "KalshiRT", "KalshiPT")
POST_TRADE = "KalshiPT"
"""The session type with settlement reports by default; on the others the Logon must request them."""
_CENTS = Decimal(100)
_TWO_PLACES = Decimal("0.01")


class Settlements:
    """Reports settlements to the owners of positions."""

    def __init__(self, logins: Logins, new_id: Callable[[], str], assumptions: Assumptions) -> None:
        """Report to logins; `new_id` generates the id of each page."""
        self._logins = logins
        self._new_id = new_id
        self._assumptions = assumptions

    def publish(self, outcomes: Sequence[Outcome]) -> list[Delivery]:
        """Return the reports of settlements. Sessions of an owner get the same pages if their keys have
        access to the same accounts."""
        deliveries: list[Delivery] = []
        for outcome in outcomes:
            if isinstance(outcome, MarketSettled):
                for owner, positions in _by_owner(outcome.positions).items():
                    deliveries.extend(self._settlement_reports(owner, outcome, positions))
        return deliveries

    def _settlement_reports(
        self, owner: str, settled: MarketSettled, positions: Sequence[PositionSettled]
    ) -> Iterator[Delivery]:
        """Yield the reports of an owner's positions; each login gets those of its key's accounts."""
        pages: dict[tuple[int | None, frozenset[str] | None], list[MarketSettlementReport]] = {}
        for login in filter(wants_settlements, self._logins.logins_of_owner(owner)):
            # All keys with the same access share one set of pages, so their sessions get the same report ids,
            # and a client that listens on two of them recognizes that both report the same settlement.
            scope = login.restricted_to, login.customers
            if scope not in pages:
                pages[scope] = self._pages(
                    settled, [each for each in positions if login.may_see(each.account)]
                )
            for page in pages[scope]:
                yield login, page

    def _pages(
        self, settled: MarketSettled, positions: Sequence[PositionSettled]
    ) -> list[MarketSettlementReport]:
        size = self._assumptions.parties_per_settlement_report
        pages = [positions[start : start + size] for start in range(0, len(positions), size)]
        return [
            MarketSettlementReport(
                market_settlement_report_id=self._new_id(),
                symbol=settled.market,
                clearing_business_date=settled.clearing_date,
                tot_num_market_settlement_reports=len(pages) if len(pages) > 1 else None,
                market_result=settled.result.value,
                # In cents, regardless of UseDollars in the Logon.
                settlement_price=(settled.price * _CENTS).quantize(_TWO_PLACES),
                last_fragment=page is pages[-1],
                market_settlement_party_ids=[_party(position) for position in page],
            )
            for page in pages
        ]


def wants_settlements(login: Login) -> bool:
    """Return whether a login gets settlement reports: it requested them (ReceiveSettlementReports, which is
    the default only on KalshiPT), and they can be delivered, now or later."""
    requested = login.flags.receive_settlement_reports
    is_requested = login.session_type == POST_TRADE if requested is None else requested
    return is_requested and login.session_type in SESSION_TYPES and login.is_reachable


def party_id(account: AccountId) -> str:
    """Return an account's PartyID: a clearing member's customer, or the owner, followed by the number of the
    subaccount if it is not the primary account."""
    if account.customer:
        return account.customer
    return f"{account.owner}_{account.subaccount}" if account.subaccount else account.owner


def _by_owner(positions: Sequence[PositionSettled]) -> dict[str, list[PositionSettled]]:
    by_owner: dict[str, list[PositionSettled]] = {}
    for position in positions:
        by_owner.setdefault(position.account.owner, []).append(position)
    return by_owner


def _party(position: PositionSettled) -> MarketSettlementParty:
    return MarketSettlementParty(
        market_settlement_party_id=party_id(position.account),
        market_settlement_party_role=MarketSettlementPartyRole.CUSTOMER_ACCOUNT,
        long_qty=contracts(position.long_quantity),
        short_qty=contracts(position.short_quantity),
        collateral_amount_changes=collateral_changes(position.payout, CollateralAmountType.PAYOUT),
        misc_fees=exchange_fees(position.fee),
    )
