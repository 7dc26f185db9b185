"""Invalid settings for RFQs and keys."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_venue.config import MAX_SUBACCOUNT
from kalshi_fix_venue.gateway.rfq import RfqSettings, Windows
from tests.venue.rfq.rfq_harness import RfqHarness, key


@pytest.mark.parametrize(
    ("cls", "bad"),
    [
        (Windows, {"confirmation": -1, "execution": 0}),
        (Windows, {"execution": -0.1, "confirmation": 1}),
        (RfqSettings, {"lifetime": 0}),
        (RfqSettings, {"max_open": 0}),
        (RfqSettings, {"max_replacing": 0}),
        (RfqSettings, {"max_quotes": 0}),
        (RfqSettings, {"retained": 0}),
        (RfqSettings, {"max_combos": 0}),
    ],
)
def test_invalid_settings_are_refused(cls: type[Any], bad: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(bad))):
        cls(**bad)


@pytest.mark.parametrize("number", [-1, MAX_SUBACCOUNT + 1])
def test_a_key_cannot_be_restricted_to_an_invalid_subaccount(number: int) -> None:
    with pytest.raises(ConfigurationError, match=str(number)):
        RfqHarness(api_keys=(attrs.evolve(key("bob"), restricted_to=number),))
