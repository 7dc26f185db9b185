"""What can be done to a running venue, by name: from code (`Venue.perform`), from a scenario file, or from
another shell (`kalshi-fix venue do`).

Each operation is an attrs class: its docstring says what it does, its attributes are its parameters.
`OPERATIONS` has all of them by name, `FAULTS` those that make trouble, and `operation` makes one of a name
and values, which may be text.
"""

from __future__ import annotations

from collections.abc import Mapping

from kalshi_fix_adapters.documents.names import did_you_mean
from kalshi_fix_adapters.venue.operations.base import Answer, Fault, Operation, SessionOperation
from kalshi_fix_adapters.venue.operations.drop_copy import EnableDropCopy, RefuseDropCopy
from kalshi_fix_adapters.venue.operations.faults import (
    FAULTS,
    Busy,
    Cut,
    Delay,
    Duplicate,
    Faults,
    Gap,
    Garble,
    HoldKey,
    LateHeartbeats,
    RefuseLogon,
    Reject,
    Release,
    Silence,
    Throttle,
    Unavailable,
    Withhold,
    WrongCompIds,
)
from kalshi_fix_adapters.venue.operations.operator import (
    BlockTrade,
    Close,
    Determine,
    Dispute,
    Halt,
    LogOut,
    Maintenance,
    Open,
    Pause,
    Resume,
    Settle,
    SettlementBounds,
    ShowJournal,
    Status,
    Transfer,
)
from kalshi_fix_adapters.venue.parameters import build, shown
from kalshi_fix_sansio.errors import ConfigurationError

_ALL: tuple[type[Operation], ...] = (
    Pause,
    Maintenance,
    Resume,
    Halt,
    Open,
    Close,
    Dispute,
    Determine,
    Settle,
    SettlementBounds,
    BlockTrade,
    Transfer,
    LogOut,
    ShowJournal,
    Status,
    EnableDropCopy,
    RefuseDropCopy,
    *FAULTS.values(),
    Release,
    Faults,
)
OPERATIONS: Mapping[str, type[Operation]] = {cls.NAME: cls for cls in _ALL}
"""Everything that can be done, by name, in the order of help and schema."""

__all__ = [
    "FAULTS",
    "OPERATIONS",
    "Answer",
    "BlockTrade",
    "Busy",
    "Close",
    "Cut",
    "Delay",
    "Determine",
    "Duplicate",
    "EnableDropCopy",
    "Fault",
    "Faults",
    "Gap",
    "Garble",
    "Halt",
    "HoldKey",
    "LateHeartbeats",
    "LogOut",
    "Maintenance",
    "Open",
    "Operation",
    "Pause",
    "RefuseDropCopy",
    "RefuseLogon",
    "Reject",
    "Release",
    "Resume",
    "SessionOperation",
    "Settle",
    "SettlementBounds",
    "Silence",
    "Status",
    "Throttle",
    "Transfer",
    "Unavailable",
    "Withhold",
    "WrongCompIds",
    "operation",
]


def operation(name: str, values: Mapping[str, object] | None = None) -> Operation:
    """Make an operation of its name and the values of its parameters, which may be text.

    Raises:
        ConfigurationError: there is none of this name, or a parameter is unknown, missing or wrong; the text
            says what there is.
    """
    cls = OPERATIONS.get(shown(name))
    if cls is None:
        raise ConfigurationError(f"there is no operation {name!r}; {did_you_mean(name, OPERATIONS)}")
    made: Operation = build(cls, name, values or {})
    return made
