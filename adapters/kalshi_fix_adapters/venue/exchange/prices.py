"""Which prices a market takes: its ticks (the venue's changelog, price level structures) and, on margin, the
band around the best price (the page on price banding). Dollars."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final

import attrs

from kalshi_fix_adapters.venue.exchange.book import Book
from kalshi_fix_adapters.venue.exchange.terms import Side

ONE = Decimal(1)


@attrs.frozen
class PriceRange:
    """Prices from start to end, both included, in steps."""

    start: Decimal
    end: Decimal
    step: Decimal

    def __contains__(self, price: Decimal) -> bool:
        """Say whether the price is between start and end, on a step or not."""
        return self.start <= price <= self.end


@attrs.frozen
class PriceStructure:
    """Ticks of an event contract: those of its edges may be finer than that of its center."""

    center: Decimal
    edge: Decimal
    width: Decimal = Decimal(0)
    """How far an edge reaches from 0 and from 1 dollar."""

    @property
    def edges(self) -> tuple[PriceRange, ...]:
        """The ranges where the tick is that of the edges."""
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


def _tapered(center: str, edge: str, width: Decimal) -> PriceStructure:
    return PriceStructure(_CENTS[center], _CENTS[edge], width)


STRUCTURES: Mapping[str, PriceStructure] = MappingProxyType(
    {
        LINEAR: PriceStructure(_CENTS["whole"], _CENTS["whole"]),
        "deci_cent": PriceStructure(_CENTS["deci"], _CENTS["deci"]),
        "tapered_deci_cent": _tapered("whole", "deci", _WIDE),
        COMBO: _tapered("deci", "centi", _NARROW),
        **{
            f"center_{center}_edge_{edge}_cent": _tapered(center, edge, _WIDE)
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
"""By the venue's names."""


@attrs.frozen(kw_only=True)
class PriceBand:
    """How far an order may be away from the best price of its own side, to the worse."""

    share: Decimal = Decimal("0.2")
    """A part of the best price,"""
    ticks: int = 1000
    """or this many ticks: whichever allows more."""

    def accepts(self, book: Book, side: Side, price: Decimal, tick: Decimal) -> bool:
        """Say whether an order may carry this price; without orders on its side any will do."""
        best = book.side(side).best()
        if best is None:
            return True
        away = max(best.price * self.share, self.ticks * tick)
        return price >= best.price - away if side is Side.BUY else price <= best.price + away
