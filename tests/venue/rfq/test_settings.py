"""Invalid settings for RFQs and keys."""

from __future__ import annotations

import attrs
import pytest

from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_venue.config import MAX_SUBACCOUNT
from kalshi_fix_venue.gateway.rfq import RfqSettings, Windows
from tests.venue.rfq.rfq_harness import RfqHarness, key


@pytest.mark.parametrize(
    "bad",
    [
        {"standard": Windows(confirmation=-1, execution=0)},
        {"high_volatility": Windows(confirmation=1, execution=-0.1)},
        {"lifetime": 0},
        {"max_open": 0},
        {"max_quotes": 0},
        {"retained": 0},
        {"max_combos": 0},
    ],
)
def test_invalid_settings_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(bad))):
        RfqSettings(**bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [-1, MAX_SUBACCOUNT + 1])
def test_a_key_cannot_be_restricted_to_an_invalid_subaccount(number: int) -> None:
    with pytest.raises(ConfigurationError, match=str(number)):
        RfqHarness(api_keys=(attrs.evolve(key("bob"), restricted_to=number),))
