"""RFQ settings in scenario files."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio._generated.limits import RFQ_CONFIRMATION, RFQ_EXECUTION, RFQS_WITH_REPLACE_EXISTING
from kalshi_fix_venue.gateway.rfq import ComboCollection, ComboEvent, RfqSettings, Windows
from kalshi_fix_venue.scenario.file import ScenarioError, parse_scenario
from tests.venue.exchange_harness import MARKET

TEXT = """
markets:
  prediction:
    HIGHNY-26AUG20: { high-volatility: true }
    KXGAME-A: {}
rfqs:
  standard: { confirmation: 10s }
  high-volatility: { confirmation: 2s, execution: 100ms }
  lifetime: 5m
  max-open: 3
combos:
  KXMVE:
    shard: 1
    maximum-legs: 4
    events:
      HIGHNY: { markets: [HIGHNY-26AUG20] }
      GAME: { markets: [KXGAME-A, KXGAME-B], exclusive: false }
"""


def test_a_file_sets_times_and_combos() -> None:
    config = parse_scenario(TEXT.encode()).config({})
    assert config.rfqs == RfqSettings(
        standard=Windows(confirmation=10, execution=RFQ_EXECUTION["standard"]),
        high_volatility=Windows(confirmation=2, execution=0.1),
        lifetime=300,
        max_open=3,
    )
    assert config.combos == (
        ComboCollection(
            ticker="KXMVE",
            events=(
                ComboEvent(ticker="HIGHNY", markets=(MARKET,)),
                ComboEvent(ticker="GAME", markets=("KXGAME-A", "KXGAME-B"), exclusive=False),
            ),
            shard=1,
            maximum_legs=4,
        ),
    )
    high_volatility = {rules.ticker: rules.high_volatility for rules in config.markets["prediction"]}
    assert high_volatility == {MARKET: True, "KXGAME-A": False}


def test_the_default_times_are_the_documented_ones() -> None:
    config = parse_scenario(b"{}").config({})
    assert (config.rfqs, config.combos) == (RfqSettings(), ())
    for kind in RFQ_EXECUTION:
        windows = Windows(confirmation=RFQ_CONFIRMATION[kind], execution=RFQ_EXECUTION[kind])
        assert getattr(config.rfqs, kind) == windows
    assert config.rfqs.max_replacing == RFQS_WITH_REPLACE_EXISTING


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("rfqs:\n  standard: { confirmation: soon }", 2),
        ("rfqs:\n  max-open: 0", 2),
        ("combos:\n  KXMVE: { shard: 1 }", 2),
        ("combos:\n  KXMVE:\n    events: {}\n    minimum-legs: 3\n    maximum-legs: 2", 5),
        ("rfqs:\n  confirm: 1s", 2),
    ],
)
def test_a_mistake_is_reported_with_its_line(text: str, line: int) -> None:
    with pytest.raises(ScenarioError, match=rf"x\.yaml:{line}: "):
        parse_scenario(text.encode(), "x.yaml")
