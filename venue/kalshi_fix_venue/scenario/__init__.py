"""The initial state of a venue, created in code or read from a YAML file (`file.load_scenario`)."""

from kalshi_fix_venue.scenario.scenario import (
    BALANCE,
    KEYS_PER_OWNER,
    MARKETS,
    MAX_KEYS_PER_OWNER,
    OWNER,
    RESTING_LEVELS,
    Keys,
    Market,
    Scenario,
)

__all__ = [
    "BALANCE",
    "KEYS_PER_OWNER",
    "MARKETS",
    "MAX_KEYS_PER_OWNER",
    "OWNER",
    "RESTING_LEVELS",
    "Keys",
    "Market",
    "Scenario",
]
