"""Marks (the position of a consumer in a stream) and snapshots (the consumer's state at that position)."""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Mapping
from typing import Any, Final, Protocol, Self

import attrs

MAX_CONTENT: Final = 64 * 1024 * 1024
"""Maximum size in bytes of a message that was published in parts, or of the state in a snapshot."""
_VERSION: Final = 1


class Machine(Protocol):
    """A state machine of `kalshi_fix_sansio.trading`, such as `OrderBooks`, whose state can be saved in a
    snapshot.
    """

    def apply(self, event: Any) -> Any:
        """Apply an event."""

    def dump(self) -> Mapping[str, Any]:
        """Return the state as JSON values."""

    def load(self, dumped: Any) -> Any:
        """Replace the state with the state of a dump."""


@attrs.frozen
class Position:
    """The last message received in a lane; `batches` describes lanes.

    Attributes:
        fence: The fence of the message's publisher.
        generation: The generation of the message.
        number: MsgSeqNum of the message.
    """

    fence: int
    generation: int
    number: int


@attrs.frozen
class Mark:
    """The position after an event, from which another process can continue.

    Attributes:
        sequence: The broker's sequence number of the last bus message whose events were all returned; 0
            before the first message.
        fence: The highest fence received; it identifies the newest publisher.
        event: The number of the last received event of this publisher, not counting messages from the venue.
            The publisher numbers these events from 1.
        generation: The generation of this event.
        lanes: The position of the last message of each lane.
        unproven: Lanes in which the broker may have dropped messages after the last position. The next
            message of the lane shows whether it did.
    """

    sequence: int = 0
    fence: int = 0
    event: int = 0
    generation: int = 0
    lanes: Mapping[str, Position] = attrs.field(factory=dict)
    unproven: Collection[str] = ()

    def dump(self) -> dict[str, Any]:
        """Return the mark as JSON values, to be stored with the effects of the event."""
        lanes = {lane: attrs.astuple(position) for lane, position in self.lanes.items()}
        return {**attrs.asdict(self, recurse=False), "lanes": lanes, "unproven": sorted(self.unproven)}

    @classmethod
    def load(cls, dumped: Any) -> Self:
        """Return the mark of a dump.

        Raises:
            ValueError: the argument is not the dump of a mark.
        """
        try:
            numbers = [dumped[name] for name in ("sequence", "fence", "event", "generation")]
            sequence, fence, event, generation = numbers
            lanes = {lane: Position(*values) for lane, values in dumped["lanes"].items()}
            unproven = [str(lane) for lane in dumped["unproven"]]
            numbers += [number for position in lanes.values() for number in attrs.astuple(position)]
            if not all(type(number) is int for number in numbers):
                raise ValueError("a number is not an integer")
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not a mark: {str(dumped)[:200]}") from error
        return cls(sequence, fence, event, generation, lanes, unproven)


def encode_snapshot(mark: Mark, machine: Machine) -> bytes:
    """Return a snapshot: the mark, and the state of a machine at this position."""
    plain = {"version": _VERSION, "mark": mark.dump(), "state": machine.dump()}
    return zlib.compress(json.dumps(plain, separators=(",", ":")).encode(), 1)


def load_snapshot(data: bytes, machine: Machine) -> Mark:
    """Replace the state of a machine with the state in a snapshot; return the mark in the snapshot.

    Raises:
        ValueError: the data is not a snapshot of this machine, or has another version; the machine is
            unchanged.
    """
    decompressor = zlib.decompressobj()
    try:
        text = decompressor.decompress(data, MAX_CONTENT)
        plain = json.loads(text) if decompressor.eof else {}
    except (zlib.error, ValueError, RecursionError) as error:
        raise ValueError(f"not a snapshot: {error}") from error
    if not isinstance(plain, dict) or plain.get("version") != _VERSION:
        raise ValueError(f"not a snapshot of version {_VERSION}, or larger than {MAX_CONTENT} bytes")
    mark = Mark.load(plain.get("mark"))
    machine.load(plain.get("state"))
    return mark
