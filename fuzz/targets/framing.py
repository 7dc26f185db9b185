"""Fuzz target `framing`: streams in arbitrary chunks, after arbitrary messages."""

from __future__ import annotations

from collections.abc import Sequence

from fuzz import wire
from kalshi_fix_sansio.framing import Frame, Framer, Garbled, Oversized, is_frame
from kalshi_fix_sansio.fuzzing import Choices

MAX_BODY_LENGTH = 2048


def check(data: bytes) -> None:
    """The framer splits a stream into messages and garbage without losing a byte, and the result does
    not depend on the chunks or on earlier messages."""
    choices = Choices(data)
    by_check_sum = choices.one_in(2)
    earlier = [wire.message(choices, choices.pick(wire.WIRES)) for _ in range(choices.below(3))]
    stream = b""
    for _ in range(1 + choices.below(6)):
        match choices.below(4):
            case 0:
                stream += wire.message(choices, choices.pick(wire.WIRES))
            case 1:
                stream += wire.damage(choices, wire.message(choices, choices.pick(wire.WIRES)))
            case 2:
                stream += choices.pick(earlier) if earlier else b"8=FIXT.1.1\x019="
            case _:
                stream += choices.chunk()
    sizes = [1 + choices.below(64) for _ in range(choices.below(16))]
    check_invariant(stream + choices.rest(), sizes, earlier, skip_by_check_sum=by_check_sum)


def check_invariant(
    stream: bytes, sizes: Sequence[int], earlier: Sequence[bytes] = (), *, skip_by_check_sum: bool = False
) -> list[Frame | Garbled | Oversized]:
    """Check the invariant for one stream, in chunks whose sizes cycle through `sizes`, after the complete
    messages in `earlier`. Return the results."""
    settings = {"skip_by_check_sum": skip_by_check_sum}
    cold = Framer("FIXT.1.1", MAX_BODY_LENGTH, **settings)
    expected = results(cold, [stream])
    position = 0
    for result in expected:
        if isinstance(result, Frame):
            assert is_frame(result.data), f"returned as a message, but is not one: {result.data!r}"
            assert stream[position : position + len(result.data)] == result.data
            position += len(result.data)
        elif isinstance(result, Garbled):
            assert stream.startswith(result.data, position)
            position += result.size
    assert position + cold.skipped + cold.pending == len(stream), "bytes were lost or reported twice"
    warm = Framer("FIXT.1.1", MAX_BODY_LENGTH, **settings)
    results(warm, [message for message in earlier if is_frame(message)])
    if warm.pending or warm.skipped:  # a message that is too large is garbage
        warm = Framer("FIXT.1.1", MAX_BODY_LENGTH, **settings)
    assert results(warm, wire.split_into_chunks(stream, sizes)) == expected, (
        "the result depends on the chunks or on earlier messages"
    )
    assert (warm.pending, warm.skipped) == (cold.pending, cold.skipped)
    while cold.pending or cold.skipped:
        remaining = cold.pending + cold.skipped
        cold.resync()
        reported = sum(map(size_of, results(cold, [])))
        assert cold.pending + cold.skipped == remaining - reported
        assert reported, "abandoning a message reported no bytes"
    return expected


def results(framer: Framer, chunks: Sequence[bytes]) -> list[Frame | Garbled | Oversized]:
    """Feed the chunks, and return all results."""
    collected: list[Frame | Garbled | Oversized] = []
    for chunk in chunks or (b"",):
        framer.feed(chunk)
        while (result := framer.next()) is not None:
            collected.append(result)
    return collected


def size_of(result: Frame | Garbled | Oversized) -> int:
    """Return the number of bytes in a result; 0 for an oversized message, whose bytes follow as garbage."""
    if isinstance(result, Oversized):
        return 0
    return len(result.data) if isinstance(result, Frame) else result.size
