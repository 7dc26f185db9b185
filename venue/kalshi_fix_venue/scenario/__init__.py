"""A venue as it is at the start: made in code, or read from a YAML file (`file.load_scenario`)."""

from kalshi_fix_venue.scenario.scenario import (
    BALANCE,
    KEYS_EACH,
    MARKETS,
    MOST_KEYS_EACH,
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
    "MOST_KEYS_EACH",
    "OWNER",
    "RESTING_LEVELS",
    "Keys",
    "Market",
    "Scenario",
]
