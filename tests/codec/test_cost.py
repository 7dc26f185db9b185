"""Upper bounds on the cost of decoding: it is linear in the size of a message, for any bytes and after any
earlier messages.

The expressions of the fast path are compiled at run time, and the steps of the regular expression engine
cannot be counted from Python. Instead, their structure is checked, for shapes of every message.
"""

from __future__ import annotations

import re
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from kalshi_fix_sansio._generated import DIALECT as KALSHI
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.codec.compiled import cache, decoders
from kalshi_fix_sansio.framing import Frame, encode_frame
from tests.codec.expressions import backtracking_repetitions, literal_prefix
from tests.codec.wire import HEAD, VALID_BODIES, dump, fields_of, joined
from tests.samples import full, minimal
from tests.tiny_dialect import DIALECT

HEADER = full(KALSHI.header, unknown=())


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list to which every expression compiled for a shape is added."""
    found: list[str] = []

    def compile_and_record(pattern: str) -> re.Pattern[str]:
        found.append(pattern)
        return re.compile(pattern)

    monkeypatch.setattr(decoders, "re", SimpleNamespace(compile=compile_and_record, escape=re.escape))
    return found


@pytest.fixture(autouse=True)
def compile_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the codec compile a shape at its second occurrence."""
    monkeypatch.setattr(cache, "SIGHTINGS_TO_COMPILE", 2)


def compile_all_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile the shapes of all sample messages, with a loop for each group where possible."""
    for module in (cache, decoders):
        monkeypatch.setattr(module, "MAX_SINGLE_ENTRIES", 0)
    tiny, kalshi = Codec(DIALECT), Codec(KALSHI)
    for _ in range(2):
        for body in VALID_BODIES:
            tiny.decode(joined(fields_of(body)))
        for layout in KALSHI.messages.values():
            for message in (minimal(layout.body), full(layout.body)):
                kalshi.decode(kalshi.encode(message, HEADER))


def test_no_expression_backtracks(compiled: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    compile_all_shapes(monkeypatch)
    assert len(compiled) > 100
    assert [
        backtracking_repetitions(pattern) for pattern in compiled if backtracking_repetitions(pattern)
    ] == []


def test_the_structure_check_finds_backtracking() -> None:
    assert backtracking_repetitions("a=([^\x01]+)\x01")
    assert backtracking_repetitions("(?:a+)?")
    assert backtracking_repetitions("(?:ab?)+")
    assert backtracking_repetitions("(?:a|b*)")
    assert backtracking_repetitions("a(?=b)")
    assert not backtracking_repetitions("(?:\x01a=([^\x01]++)(?:\x01b=[0-9]{3})?)+\x01")


def test_entries_are_searched_for_only_at_the_start_of_a_field(
    compiled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    splits: list[str] = []
    compile_shape = decoders.DecoderWriter.compile

    def record_and_compile(writer: decoders.DecoderWriter) -> decoders.Shape:
        splits.extend(writer._entry_patterns.values())
        return compile_shape(writer)

    monkeypatch.setattr(decoders.DecoderWriter, "compile", record_and_compile)
    compile_all_shapes(monkeypatch)
    assert splits
    for pattern in splits:
        assert pattern in compiled
        assert re.fullmatch("\x01[1-9][0-9]*=", literal_prefix(pattern))


REPORT = (
    "35=8|34=7|52=20261002-14:30:05.123|49=v|56=m|"
    "6=0.66|11=c|14=60.00|17=4;7;1|37=o|38=100.00|39=1|54=1|55=H|"
)
PARTIES = "".join(f"448=a{n}|452=24|" for n in range(5))


@pytest.mark.parametrize(
    "template", ["58={}|150=F|151=40.00|453=5|" + PARTIES, "150=F|151=40.00|453=5|" + PARTIES + "58={}|"]
)
def test_group_openers_inside_a_text_value_do_not_open_entries(template: str) -> None:
    codec = Codec(KALSHI)

    def report(text: str) -> bytes:
        body = (REPORT + template.format(text)).replace("|", "\x01")
        return encode_frame("FIXT.1.1", body.encode("latin-1"))

    for _ in range(2):
        codec.decode(report("x"))
    hostile = report("448=" * 16000)
    found: Any = codec._compiled.decode(hostile, False)
    assert found is not None
    assert found.text == "448=" * 16000
    assert dump(found) == dump(Codec(KALSHI).decode(Frame(hostile)))


def test_a_run_before_the_sequence_number_is_not_compiled() -> None:
    hops = "627=5|" + "628=x|" * 5
    data = joined(fields_of(f"35=D|{hops}{HEAD}11=a|38=1|"))
    codec = Codec(DIALECT)
    for _ in range(3):
        assert codec.decode(data).problems == ()
    assert [*codec._compiled._shapes.values()] == [()]


def number_of_calls(codec: Codec, data: bytes) -> int:
    """Return the number of Python and C functions called to decode a message."""
    count = 0

    def count_calls(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    frame = Frame(data)
    sys.setprofile(count_calls)
    try:
        codec.decode(frame)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize(
    "unit",
    [
        *("269=1|", "270=1|", "269=1|270=1|", "269=1|9001=x|", "9001=x|", "270=|", "269=x=1|270=1e5|"),
        *("268=9|", "268=1|269=1|", "453=1|448=p|", "448=p|", "448=p|802=1|523=s|", "523=s|", "802=2|"),
        *("35=D|", "10=000|", "95=3|96=abc|", "95=999999999999999999|96=a|", "x|", "=|", "1|", "0=1|", "|"),
    ],
)
@pytest.mark.parametrize("head", ["35=W|55=K|268=999999999999999999|", "35=D|11=a|38=1|453=2|"])
def test_the_slow_path_takes_linear_time(head: str, unit: str) -> None:
    """Each additional part of a repetitive message costs no more than the parts before it."""
    codec = Codec(DIALECT)
    _, one, two, four = (  # The first decode builds the tables.
        number_of_calls(
            codec, encode_frame("FIXT.1.1", (head + unit * count).replace("|", "\x01").encode("latin-1"))
        )
        for count in (1, 200, 400, 800)
    )
    assert four - two <= 2.2 * (two - one) + 200
