"""ExecID (17) as what it is: a place in the sequence of one shard of the exchange."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from kalshi_fix_sansio.classes.explained import explained

_new: Final = tuple.__new__  # half of what it takes to call the class
_FORM: Final = re.compile(r"([0-9]{1,18});([0-9]{1,18})(?:;([0-9]{1,9}))?", re.ASCII)
_NONE: Final = re.compile(r"-1;-1(?:;[0-9]{1,9})?", re.ASCII)
MAX_SHOWN: Final = 60
"""Characters of a malformed ExecID that the error repeats."""


@explained
class ExecKey(NamedTuple):
    """The place of an execution report in the sequence of its shard.

    Keys of one shard are in the order in which things happened. Between shards there is no such order: keys
    of different shards compare by the shard first, which is good for sorting alone.
    """

    shard: int
    """Index of the exchange shard (ExDestination 100, LastMkt 30)."""
    clock: int
    """The first number of an ExecID (17)."""
    event: int
    """The second one."""

    @staticmethod
    def parse(text: str) -> ExecKey | None:
        """Read `clock;event` (shard 0) or `clock;event;shard`; None for `-1;-1`, which pending reports have.

        Raises:
            ValueError: it is neither.
        """
        match = _FORM.fullmatch(text)
        if match is not None:
            clock, event, shard = match.groups()
            return _new(ExecKey, (int(shard) if shard else 0, int(clock), int(event)))
        if _NONE.fullmatch(text):
            return None
        shown = text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."
        raise ValueError(f"ExecID must be `clock;event` or `clock;event;shard`, not {shown!r}")

    def __str__(self) -> str:
        """Return it as on the wire: without the shard where that is 0."""
        text = f"{self.clock};{self.event}"
        return f"{text};{self.shard}" if self.shard else text
