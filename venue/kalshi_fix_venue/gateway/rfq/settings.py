"""Times and limits of RFQs. The defaults are Kalshi's documented figures, if there are any."""

from __future__ import annotations

import attrs

from kalshi_fix_sansio._generated.limits import RFQ_CONFIRMATION, RFQ_EXECUTION, RFQS_WITH_REPLACE_EXISTING
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_venue.settings import setting


@attrs.frozen(kw_only=True)
class Windows:
    """The time limits for one type of market, in seconds."""

    confirmation: float = setting(attrs.NOTHING, minimum=0)
    """Time for a maker to confirm an accepted quote before the acceptance becomes void."""
    execution: float = setting(attrs.NOTHING, minimum=0)
    """Time between the confirmation and the entry of the orders into the book."""

    @classmethod
    def documented(cls, kind: str) -> Windows:
        """Return the times that Kalshi documents for a kind of market."""
        return cls(confirmation=RFQ_CONFIRMATION[kind], execution=RFQ_EXECUTION[kind])


_STANDARD = Windows.documented("standard")
_HIGH_VOLATILITY = Windows.documented("high_volatility")


@attrs.frozen(kw_only=True)
class RfqSettings:
    """Times and limits of RFQs."""

    standard: Windows = _STANDARD
    high_volatility: Windows = _HIGH_VOLATILITY
    """For markets with `MarketRules.high_volatility`, including all combos."""
    lifetime: float | None = 3600
    """Seconds after which an RFQ without an acceptance expires; None for never. Kalshi documents no
    figure."""
    max_open: int = setting(100, minimum=1)
    """Maximum number of open RFQs of one account. Another one is refused with QuoteRequestRejectReason
    (658) 3."""
    max_replacing: int = setting(RFQS_WITH_REPLACE_EXISTING, minimum=1)
    """Maximum number of open RFQs of one account if the newest has ReplaceExisting (21016). Above the limit,
    the oldest ones are closed."""
    max_quotes: int = setting(1000, minimum=1)
    """Maximum number of open quotes on one RFQ; another one is refused. Ended quotes are kept, too, until
    the RFQ has twice this number of quotes in all."""
    retained: int = setting(10_000, minimum=1)
    """Number of ended RFQs that are kept, with their quotes, to answer late requests. If there are more, the
    oldest is dropped, and its ids become unknown."""
    max_combos: int = setting(10_000, minimum=1)
    """Maximum number of combo markets created while the venue runs. An RFQ that needs another one is
    refused with QuoteRequestRejectReason (658) 3."""

    def __attrs_post_init__(self) -> None:
        """Check the lifetime.

        Raises:
            ConfigurationError: it is not above 0.
        """
        if self.lifetime is not None and self.lifetime <= 0:
            raise ConfigurationError("RfqSettings.lifetime must be above 0, or None for no limit")
