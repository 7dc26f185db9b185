"""Fuzz target `decode`: compiled decoders and reader, compared with the explainer."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Sequence
from typing import Final

from fuzz import wire
from fuzz.wire import Wire
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.codec.compiled import cache
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.errors import DecodeError
from kalshi_fix_sansio.framing import Frame, is_frame
from kalshi_fix_sansio.fuzzing import Choices
from tests.codec.wire import carefully, dump

_SEEN_TO_BE_KNOWN = 2
"""Number of messages before a shape is compiled. It is small enough that decoders compiled for random
messages are tested too."""


@contextlib.contextmanager
def _known_early() -> Iterator[None]:
    before = cache.SIGHTINGS_TO_COMPILE
    cache.SIGHTINGS_TO_COMPILE = _SEEN_TO_BE_KNOWN  # type: ignore[misc]
    try:
        yield
    finally:
        cache.SIGHTINGS_TO_COMPILE = before  # type: ignore[misc]


@_known_early()
def _warm(spoken: Wire) -> Codec:
    codec = Codec(spoken.dialect)
    for _ in range(_SEEN_TO_BE_KNOWN):
        for fields in (*spoken.large, *spoken.templates):
            codec.decode(wire.framed(fields))
    return codec


_WARM: Final = {each.dialect.name: _warm(each) for each in wire.WIRES}
_COLD: Final = {each.dialect.name: Codec(each.dialect) for each in wire.WIRES}


def _copy_of(codec: Codec) -> Codec:
    """Return a codec with the same compiled shapes, which learns independently of the original."""
    made, shapes = copy.copy(codec), copy.copy(codec._compiled)
    shapes._heads, shapes._sightings = dict(shapes._heads), dict(shapes._sightings)
    shapes._shapes = dict(shapes._shapes)
    made._compiled = shapes
    return made


def check(data: bytes) -> None:
    """Decoding returns the same message and the same problems as the explainer alone, after any earlier
    messages, and raises only DecodeError."""
    choices = Choices(data)
    spoken = choices.pick(wire.WIRES)
    warm, thorough = not choices.one_in(64), choices.one_in(8)
    frames: list[bytes] = []
    for _ in range(choices.pick((1, 1, 1, 2))):
        match choices.below(32):
            case 31:
                frames += frames[-1:] * _SEEN_TO_BE_KNOWN
            case 28 | 29 | 30:
                frames.append(wire.damaged(choices, wire.message(choices, spoken)))
            case _:
                frames.append(wire.message(choices, spoken))
        if not choices.left:
            break
    check_invariant(spoken, frames, warm=warm, framed=choices.one_in(2), thorough=thorough)


@_known_early()
def check_invariant(
    spoken: Wire, frames: Sequence[bytes], *, warm: bool = True, framed: bool = False, thorough: bool = True
) -> None:
    """Check the invariant for these messages, one after another.

    With `warm`, the codec has already compiled the shapes of all valid messages; with `framed`, messages are
    passed as `Frame`. Unless `thorough`, messages that no compiled decoder accepts are not compared.
    """
    name = spoken.dialect.name
    codec, careful = _copy_of((_WARM if warm else _COLD)[name]), _COLD[name]
    for frame in frames:
        given = Frame(frame) if framed else frame
        if not thorough and codec._compiled.decode(frame, framed) is None:
            with contextlib.suppress(DecodeError):
                codec.decode(given)
            continue
        if not is_frame(frame):
            _is_refused(codec, frame)
            continue
        try:
            expected, strict = carefully(careful, frame)
        except DecodeError:
            _is_refused(codec, frame)
            continue
        _compare(codec.decode(given), expected)
        found, problems = codec.check(given)
        _compare(found, expected)
        assert problems == strict, f"the fast path reports {problems}, the careful path {strict}"
        assert not (expected.problems and not strict), (
            "strict decoding misses problems that lenient decoding reports"
        )


def _compare(found: Message, expected: Message) -> None:
    assert dump(found) == dump(expected), f"decoded as {dump(found)}, by the careful path as {dump(expected)}"


def _is_refused(codec: Codec, frame: bytes) -> None:
    try:
        codec.decode(frame)
    except DecodeError:
        assert not (
            is_frame(frame) and b"\x0135=" in frame[:40] and codec.inspect(frame).msg_type is not None
        )
    else:
        raise AssertionError("the fast path took what the careful one refuses")
