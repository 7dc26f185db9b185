"""Fuzz target `decode`: the fast decoders, compared with the explainer.

The explainer is the slow decoder, which reports all problems of a message.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Sequence
from typing import Final

from fuzz import wire
from fuzz.wire import WireDialect
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.codec.compiled import cache
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.errors import DecodeError
from kalshi_fix_sansio.framing import Frame, is_frame
from kalshi_fix_sansio.fuzzing import Choices
from tests.codec.wire import dump, explain

_SIGHTINGS_TO_COMPILE = 2
"""Number of messages of a shape after which the shape is compiled. It is small enough that decoders compiled
for random messages are tested too.
"""


@contextlib.contextmanager
def _early_compilation() -> Iterator[None]:
    default = cache.SIGHTINGS_TO_COMPILE
    cache.SIGHTINGS_TO_COMPILE = _SIGHTINGS_TO_COMPILE  # type: ignore[misc]
    try:
        yield
    finally:
        cache.SIGHTINGS_TO_COMPILE = default  # type: ignore[misc]


@_early_compilation()
def _warm_codec(chosen_wire: WireDialect) -> Codec:
    codec = Codec(chosen_wire.dialect)
    for _ in range(_SIGHTINGS_TO_COMPILE):
        for fields in (*chosen_wire.large, *chosen_wire.templates):
            codec.decode(wire.join_fields(fields))
    return codec


_WARM_CODECS: Final = {each.dialect.name: _warm_codec(each) for each in wire.WIRES}
_COLD_CODECS: Final = {each.dialect.name: Codec(each.dialect) for each in wire.WIRES}


def _copy_of(codec: Codec) -> Codec:
    """Return a codec with the same compiled shapes, which learns independently of the original."""
    copied, shapes = copy.copy(codec), copy.copy(codec._compiled)
    shapes._heads, shapes._sightings = dict(shapes._heads), dict(shapes._sightings)
    shapes._shapes = dict(shapes._shapes)
    copied._compiled = shapes
    return copied


def check(data: bytes) -> None:
    """Whatever was decoded before, decoding returns the same message and problems as the explainer returns
    for that message alone, and raises only DecodeError."""
    choices = Choices(data)
    chosen_wire = choices.pick(wire.WIRES)
    warm, thorough = not choices.one_in(64), choices.one_in(8)
    frames: list[bytes] = []
    for _ in range(choices.pick((1, 1, 1, 2))):
        match choices.below(32):
            case 31:
                frames += frames[-1:] * _SIGHTINGS_TO_COMPILE
            case 28 | 29 | 30:
                frames.append(wire.damage(choices, wire.message(choices, chosen_wire)))
            case _:
                frames.append(wire.message(choices, chosen_wire))
        if not choices.has_more:
            break
    check_invariant(chosen_wire, frames, warm=warm, framed=choices.one_in(2), thorough=thorough)


@_early_compilation()
def check_invariant(
    chosen_wire: WireDialect,
    frames: Sequence[bytes],
    *,
    warm: bool = True,
    framed: bool = False,
    thorough: bool = True,
) -> None:
    """Check the invariant for these messages, one after another.

    With `warm`, the codec has already compiled the shapes of all valid messages; with `framed`, messages are
    passed as `Frame`. Unless `thorough` is set, messages that no compiled decoder accepts are not compared.
    """
    name = chosen_wire.dialect.name
    codec, explainer_codec = _copy_of((_WARM_CODECS if warm else _COLD_CODECS)[name]), _COLD_CODECS[name]
    for frame in frames:
        passed_frame = Frame(frame) if framed else frame
        if not thorough and codec._compiled.decode(frame, framed) is None:
            with contextlib.suppress(DecodeError):
                codec.decode(passed_frame)
            continue
        if not is_frame(frame):
            _check_refused(codec, frame)
            continue
        try:
            expected, strict = explain(explainer_codec, frame)
        except DecodeError:
            _check_refused(codec, frame)
            continue
        _compare(codec.decode(passed_frame), expected)
        decoded, problems = codec.check(passed_frame)
        _compare(decoded, expected)
        assert problems == strict, f"the fast path reports {problems}, but the explainer {strict}"
        assert not (expected.problems and not strict), (
            "strict decoding misses problems that lenient decoding reports"
        )


def _compare(decoded: Message, expected: Message) -> None:
    assert dump(decoded) == dump(expected), (
        f"decoded as {dump(decoded)}, by the explainer as {dump(expected)}"
    )


def _check_refused(codec: Codec, frame: bytes) -> None:
    try:
        codec.decode(frame)
    except DecodeError:
        is_decodable = (
            is_frame(frame) and b"\x0135=" in frame[:40] and codec.inspect(frame).msg_type is not None
        )
        assert not is_decodable, "a complete message with a MsgType is refused"
    else:
        raise AssertionError("the fast path accepts a message that the explainer refuses")
