"""ExecID (17) as a position in the sequence of one shard of the exchange."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

_FORM: Final = re.compile(r"([0-9]{1,18});([0-9]{1,18})(?:;([0-9]{1,9}))?", re.ASCII)
_NONE: Final = re.compile(r"-1;-1(?:;[0-9]{1,9})?", re.ASCII)
MAX_SHOWN: Final = 60
"""Maximum number of characters of a malformed ExecID that an error message shows."""


class ExecKey(NamedTuple):
    """The position of an execution report in the sequence of its shard.

    Keys of one shard compare in chronological order. Keys of different shards can be sorted, but compare by
    shard first, not by time.

    Attributes:
        shard: Index of the exchange shard (ExDestination 100, LastMkt 30).
        clock: The first number of an ExecID (17).
        event: The second number.
    """

    shard: int
    clock: int
    event: int

    @staticmethod
    def parse(text: str) -> ExecKey | None:
        """Parse `clock;event` (shard 0) or `clock;event;shard`. Return None for `-1;-1`, the ExecID of
        pending reports.

        Raises:
            ValueError: the text has another format.
        """
        match = _FORM.fullmatch(text)
        if match is not None:
            clock, event, shard = match.groups()
            return ExecKey(int(shard) if shard else 0, int(clock), int(event))
        if _NONE.fullmatch(text):
            return None
        excerpt = text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."
        raise ValueError(f"ExecID must be `clock;event` or `clock;event;shard`, not {excerpt!r}")

    def __str__(self) -> str:
        """Return the key in its wire format, which omits shard 0."""
        text = f"{self.clock};{self.event}"
        return f"{text};{self.shard}" if self.shard else text


NO_KEY: Final = ExecKey(-1, -1, -1)
"""Placeholder for the key of a report without a key; lower than every other key."""


def first_keys(keys: Iterable[ExecKey | None], forgotten: Mapping[int, ExecKey]) -> dict[int, ExecKey]:
    """Return the lowest key of each shard, ignoring keys at or below the shard's key in `forgotten`."""
    lowest: dict[int, ExecKey] = {}
    for key in keys:
        if key is not None and key > forgotten.get(key.shard, NO_KEY):
            lowest[key.shard] = min(key, lowest.get(key.shard, key))
    return lowest


def covers(begin: ExecKey, key: ExecKey | None) -> bool:
    """Return whether a range from `begin` contains all reports after `key`; False if `key` is None."""
    return key is not None and key.shard == begin.shard and begin <= key
