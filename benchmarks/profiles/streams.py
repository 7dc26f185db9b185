"""Stages of a stream to messages (c), and of the same through a session (d)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta

from benchmarks import samples
from benchmarks.cases import stream
from benchmarks.engines import ours
from benchmarks.measure import over
from benchmarks.profiles import Part, Stage, measured, with_rest
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.events import MessageReceived
from kalshi_fix_sansio.framing import Frame
from kalshi_fix_sansio.messages import CODEC

RESTS = {
    stream.STREAM: "the loop",
    stream.SESSION: "BeginString, number, names and time checked, the number counted",
}


def stages(size: int = stream.SIZE, rounds: int = 9) -> list[Stage]:
    """Measure both cases."""
    wire = stream.numbered(size)
    chunks = stream.cut(b"".join(wire))
    parts = list(_both(wire, chunks))
    whole = {
        stream.STREAM: [Part("all", stream.using_up(ours.read_stream, chunks), len(wire), "whole"), *parts],
        stream.SESSION: [
            Part("all", stream.using_up(stream.through_session, chunks), len(wire), "whole"),
            *parts,
            *_events(wire),
        ],
    }
    found = measured(whole, RESTS, rounds)
    handing = Stage(
        stream.SESSION, "events(): handed out and confirmed", _events_share(chunks, len(wire), rounds)
    )
    of_session = [stage for stage in found if stage.case == stream.SESSION and stage.kind != "rest"]
    return [
        *(stage for stage in found if stage.case == stream.STREAM),
        *with_rest([*of_session, handing], RESTS[stream.SESSION]),
    ]


def _both(wire: list[bytes], chunks: list[bytes]) -> Iterator[Part]:
    frames = stream.batches([Frame(data) for data in wire])
    yield Part("framing, BodyLength and CheckSum", stream.using_up(stream.frame, chunks), len(wire))
    yield Part("decoding", stream.using_up(stream.decode, frames), len(wire))


def _events(wire: list[bytes]) -> Iterator[Part]:
    pairs = [(CODEC.decode(data), data) for data in wire]
    make = over(lambda pair: MessageReceived(pair[0], False, False, pair[1]), pairs)
    yield Part("the event made", make, len(wire))


def _events_share(chunks: list[bytes], count: int, rounds: int) -> float:
    """Return what `events()` takes of a message, its call measured for each chunk."""
    now, clock = Instant(1.0, samples.NOON + timedelta(seconds=5)), time.perf_counter
    least = float("inf")
    for _ in range(rounds):
        session, spent = stream.established(), 0.0
        for chunk in chunks:
            session.receive_data(chunk, now)
            begin = clock()
            session.events()
            spent += clock() - begin
        least = min(least, spent)
    return least / count * 1e6
