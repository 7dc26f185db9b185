"""Valid prices of a market in dollars. Sources: the price level structures in Kalshi's changelog and, for the
band around the best price on margin, Kalshi's page on price banding."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final

import attrs

from kalshi_fix_sansio import Side
from kalshi_fix_sansio._generated.limits import PRICE_BAND
from kalshi_fix_venue.exchange.book import Book

ONE = Decimal(1)


@attrs.frozen
class PriceRange:
    """Prices from start to end, both included, in steps."""

    start: Decimal
    end: Decimal
    step: Decimal

    def __contains__(self, price: Decimal) -> bool:
        """Return whether the price is between start and end, whether or not it is a multiple of the step."""
        return self.start <= price <= self.end


@attrs.frozen
class PriceStructure:
    """Ticks of an event contract, which may be finer at the edges than in the center."""

    center: Decimal
    edge: Decimal
    width: Decimal = Decimal(0)
    """Width of each edge in dollars, measured from 0 and from 1 dollar."""

    @property
    def edges(self) -> tuple[PriceRange, ...]:
        """The price ranges with the tick of the edges."""
        if not self.width:
            return ()
        return (
            PriceRange(Decimal(0), self.width, self.edge),
            PriceRange(ONE - self.width, ONE, self.edge),
        )


LINEAR: Final = "linear_cent"
COMBO: Final = "center_deci_edge_centi_cent"
"""The structure of every combo since 27 August 2026."""
STRUCTURES: Mapping[str, PriceStructure] = MappingProxyType(
    {
        name: PriceStructure(Decimal(center), Decimal(edge), Decimal(width))
        for name, center, edge, width in (
            (LINEAR, "0.01", "0.01", "0"),
            ("deci_cent", "0.001", "0.001", "0"),
            ("tapered_deci_cent", "0.01", "0.001", "0.1"),
            (COMBO, "0.001", "0.0001", "0.01"),
            ("center_whole_edge_half_cent", "0.01", "0.005", "0.1"),
            ("center_whole_edge_quint_cent", "0.01", "0.002", "0.1"),
            ("center_half_edge_half_cent", "0.005", "0.005", "0.1"),
            ("center_half_edge_quint_cent", "0.005", "0.002", "0.1"),
            ("center_half_edge_deci_cent", "0.005", "0.001", "0.1"),
            ("center_quint_edge_quint_cent", "0.002", "0.002", "0.1"),
            ("center_quint_edge_deci_cent", "0.002", "0.001", "0.1"),
        )
    }
)
"""Keyed by Kalshi's names."""


@attrs.frozen(kw_only=True)
class PriceBand:
    """The maximum distance by which an order may be worse than the best price on its side."""

    share: Decimal = Decimal(PRICE_BAND["percent"]) / 100
    """The distance as a fraction of the best price; the larger of `share` and `ticks` applies."""
    ticks: int = PRICE_BAND["ticks"]
    """The distance in ticks."""

    def accepts(self, book: Book, side: Side, price: Decimal, tick: Decimal) -> bool:
        """Return whether an order may have this price; without orders on its side any price is accepted."""
        best = book.side(side).best()
        if best is None:
            return True
        distance = max(best.price * self.share, self.ticks * tick)
        return price >= best.price - distance if side is Side.BUY else price <= best.price + distance
