"""Decoders that are compiled before the first message of their shape, or later in an idle moment."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio._generated import DIALECT
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.codec.compiled import cache
from kalshi_fix_sansio.codec.compiled.cache import DecoderCache
from kalshi_fix_sansio.framing import is_frame
from tests.codec.test_fast import KALSHI_FIELDS
from tests.codec.wire import joined
from tests.helpers import raw

HEAD = "34=2|52=20260821-12:00:00.000|49=KalshiNR|56=me|"
REPORT = f"35=8|{HEAD}37=secret-order|11=secret|17=1;1|150=0|39=0|54=1|55=X|38=1|151=1|14=0|6=0|"
LEVELS = "".join(f"269=0|270=0.{number:02}|271=5|" for number in range(1, 10))
SHAPES = {
    "a report": REPORT,
    "an unknown tag": f"{REPORT}29999=secret|",
    "parties": f"{REPORT}453=2|448=secret|452=24|448=secret|452=24|",
    "a run": f"35=W|{HEAD}55=X|268=9|{LEVELS}",
    "a field in another block": f"35=9|43=N|{HEAD}37=NONE|11=secret|41=gone|39=8|434=1|97=N|",
    "data": f"35=A|{HEAD}98=0|108=30|95=6|96=secret|1137=9|",
}


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the messages whose shapes are compiled."""
    found: list[str] = []
    compile_ = DecoderCache.compile

    def recording(self: DecoderCache, text: str, *rest: object) -> None:
        found.append(text)
        compile_(self, text, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(DecoderCache, "compile", recording)
    return found


@pytest.mark.parametrize("body", SHAPES.values(), ids=SHAPES)
def test_the_decoder_of_a_prepared_shape_is_used_from_the_first_message_on(body: str) -> None:
    """The sample that `prepare` returns contains no value of the message, and prepares the same decoder."""
    frame = raw(body)
    sample = Codec(DIALECT).prepare(frame)
    assert sample is not None
    assert is_frame(sample)
    assert b"secret" not in sample
    for given in (frame, sample):
        codec = Codec(DIALECT)
        assert codec._compiled.decode(frame, False) is None
        assert codec.prepare(given) == sample
        found = codec._compiled.decode(frame, False)
        assert found is not None
        assert found == Codec(DIALECT)._read(frame)[0]


@pytest.mark.parametrize("fields", KALSHI_FIELDS, ids=lambda fields: dict(fields)["35"])
def test_the_sample_of_a_message_prepares_the_same_decoder(fields: list[tuple[str, str]]) -> None:
    frame, codec, other = joined(fields), Codec(DIALECT), Codec(DIALECT)
    sample = codec.prepare(frame)
    if sample is not None:
        assert other.prepare(sample) == sample
        assert other._compiled.decode(frame, False) == codec._compiled.decode(frame, False)


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"8=FIXT.1.1",
        raw(REPORT)[:-1],
        raw(REPORT)[:-2] + b"9\x01",
        raw(REPORT.replace("38=1", "38=x")),
        raw(REPORT.replace("14=0|", "")),
        raw(REPORT.replace("35=8", "35=nope")),
        raw(f"{REPORT}453=2|448=a|452=24|"),
        bytes(range(256)),
    ],
)
def test_bytes_that_are_not_a_valid_message_are_ignored(frame: bytes, compilations: list[str]) -> None:
    assert Codec(DIALECT).prepare(frame) is None
    assert compilations == []


def test_preparing_again_compiles_nothing(compilations: list[str]) -> None:
    codec = Codec(DIALECT)
    assert codec.prepare(raw(REPORT)) == codec.prepare(raw(REPORT.replace("secret", "x")))
    assert len(compilations) == 1


def test_a_deferring_codec_compiles_no_decoder_while_decoding(compilations: list[str]) -> None:
    shared = Codec(DIALECT)
    codec = shared.with_deferred_compilation()
    for number in range(3 * cache.SIGHTINGS_TO_COMPILE):
        codec.decode(raw(REPORT.replace("secret", str(number))))
    assert not compilations
    assert not codec.shapes
    assert codec.compile_deferred()
    assert not codec.compile_deferred()
    assert len(compilations) == 1
    assert codec.shapes == [shared.prepare(raw(REPORT))]
    # The other codec uses the same decoders, and still compiles while decoding.
    assert shared._compiled.decode(raw(REPORT), False) is not None
    for _ in range(cache.SIGHTINGS_TO_COMPILE):
        shared.decode(raw(SHAPES["parties"]))
    assert len(compilations) == 2


def test_deferred_shapes_are_bounded_in_number_and_size() -> None:
    codec = Codec(DIALECT).with_deferred_compilation()
    bodies = [f"{REPORT}{30000 + number}=x|" for number in range(2 * cache.MAX_DEFERRED)]
    entries = "".join(f"269=0|270=0.01|271={number}|" for number in range(1000))
    for body in (f"35=W|{HEAD}55=X|268=1000|{entries}", *bodies):
        for _ in range(cache.SIGHTINGS_TO_DEFER):
            codec.decode(raw(body))
    assert codec.deferred is not None
    assert len(codec.deferred) == cache.MAX_DEFERRED
    assert max(map(len, codec.deferred.values())) < 1000


def test_a_shape_deferred_twice_is_remembered_once() -> None:
    codec = Codec(DIALECT).with_deferred_compilation()
    for key in range(2):
        assert codec.deferred is not None
        codec.deferred[key] = raw(REPORT).decode("latin-1")
        assert codec.compile_deferred()
    assert len(codec.shapes) == 1


def test_nothing_is_compiled_for_a_message_that_only_the_explainer_accepts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    codec = Codec(DIALECT)
    leap_second = REPORT.replace("52=20260821-12:00:00.000", "52=20261231-23:59:60.000")
    assert leap_second != REPORT
    sample = codec.prepare(raw(REPORT))
    monkeypatch.setattr(cache, "DecoderWriter", None)  # compiling it would raise
    assert codec.prepare(raw(leap_second)) == sample
