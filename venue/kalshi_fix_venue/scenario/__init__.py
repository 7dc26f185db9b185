"""The initial state of a venue, created in code or read from a YAML file (`file.load_scenario`)."""

from kalshi_fix_venue.scenario.scenario import (
    BALANCE,
    KEYS_EACH,
    MARKETS,
    MAX_KEYS_EACH,
    OWNER,
    RESTING_LEVELS,
    Keys,
    Market,
    Scenario,
)

__all__ = [
    "BALANCE",
    "KEYS_EACH",
    "MARKETS",
    "MAX_KEYS_EACH",
    "OWNER",
    "RESTING_LEVELS",
    "Keys",
    "Market",
    "Scenario",
]
