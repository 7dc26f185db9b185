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


_CENTS = {
    "whole": Decimal("0.01"),
    "half": Decimal("0.005"),
    "quint": Decimal("0.002"),
    "deci": Decimal("0.001"),
    "centi": Decimal("0.0001"),
}
_WIDE, _NARROW = Decimal("0.1"), Decimal("0.01")
LINEAR: Final = "linear_cent"
COMBO: Final = "center_deci_edge_centi_cent"
"""The structure of every combo since 27 August 2026."""


def _tapered_structure(center: str, edge: str, width: Decimal) -> PriceStructure:
    return PriceStructure(_CENTS[center], _CENTS[edge], width)


STRUCTURES: Mapping[str, PriceStructure] = MappingProxyType(
    {
        LINEAR: PriceStructure(_CENTS["whole"], _CENTS["whole"]),
        "deci_cent": PriceStructure(_CENTS["deci"], _CENTS["deci"]),
        "tapered_deci_cent": _tapered_structure("whole", "deci", _WIDE),
        COMBO: _tapered_structure("deci", "centi", _NARROW),
        **{
            f"center_{center}_edge_{edge}_cent": _tapered_structure(center, edge, _WIDE)
            for center, edge in (
                ("whole", "half"),
                ("whole", "quint"),
                ("half", "half"),
                ("half", "quint"),
                ("half", "deci"),
                ("quint", "quint"),
                ("quint", "deci"),
            )
        },
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
