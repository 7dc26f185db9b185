"""The benchmarks' pieces, without measuring anything and without the other engines.

Also that the documentation shows the committed results.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from benchmarks import __main__ as command
from benchmarks import charts, million, pages, report, samples, sizes
from benchmarks.canonical import DifferentError, canonical, fields, require_equal
from benchmarks.cases import books, codec, logs, loopback, shapes, stream
from benchmarks.cases import venue as venue_case
from benchmarks.clients import bare, peers, trace
from benchmarks.clients import ours as clients
from benchmarks.engines import ours
from benchmarks.engines.ours import NAME as OURS
from benchmarks.measure import Contender, Result, measure, over
from benchmarks.profiles import Stage, messages, processes, with_rest
from benchmarks.profiles import loopback as trips
from benchmarks.profiles.stopwatch import Stopwatch
from benchmarks.targets import TARGETS, Target, by_key, missed
from kalshi_fix_sansio import ExecType, NewOrderSingle, decode_strict
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.framing import is_frame
from kalshi_fix_sansio.trading import OrderBooks

FEW = 60
SLOW = next(target for target in TARGETS if target.key == "b/kalshi-sdk")


def found(case: str, engine: str, us: float, rounds: tuple[float, ...] = ()) -> Result:
    return Result(case, engine, us, us * 2, "3.12.1", "a machine", rounds=rounds)


# What is measured


def test_the_samples_are_what_the_pages_say() -> None:
    write = ours.order_writer()
    for number in range(FEW):
        report_bytes = samples.report_bytes(number)
        assert report_bytes.count(b"\x01") == 33
        assert 380 <= len(report_bytes) <= 420
        order = write(samples.order(number))
        assert order.count(b"\x01") == 18
        for data in (order, report_bytes, samples.snapshot_bytes(40, number)):
            assert is_frame(data)
            decode_strict(data)
        assert is_frame(samples.incremental_bytes(3, number, levels=40))


def test_no_message_is_that_of_before() -> None:
    for make in (samples.report_bytes, lambda number: samples.snapshot_bytes(40, number)):
        assert len({make(number) for number in range(FEW)}) == FEW
    assert len({str(samples.order_values(number)) for number in range(FEW)}) == FEW


def test_an_order_is_the_same_for_who_has_types_and_for_who_has_not() -> None:
    for number in range(FEW):
        values = samples.order_values(number)
        written = fields(ours.order_writer()(NewOrderSingle(**values)))
        assert all(written[str(tag)] == text for tag, text in samples.order_fields(values))


def test_a_book_is_only_changed_so_that_messages_can_come_again() -> None:
    book = OrderBooks()
    for number in range(len(samples.MARKETS)):
        book.apply(decode_strict(samples.snapshot_bytes(books.LEVELS, number)))
    for data in books.wire("incremental of 3", FEW) * 2:
        assert not any(update.discrepancies for update in book.apply(decode_strict(data)))


def test_the_cases_agree_and_run() -> None:
    for contender in [*codec.reading(FEW), *codec.writing(FEW), *books.market_data(FEW)]:
        if contender.engine == OURS:
            contender.run()
    chunks = stream.cut(b"".join(stream.numbered(20_000)))
    read = [*chain.from_iterable(ours.read_stream(chunks))]
    told: list[Any] = [*chain.from_iterable(stream.through_session(chunks))]
    assert [event.message for event in told] == read
    assert len(read) > 40
    for contender in stream.streaming(20_000):
        if contender.engine == OURS:
            assert contender.run() == contender.per_call


def test_what_has_a_decoder_is_decoded_by_it_and_what_was_never_seen_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shapes, "COUNTS", (1, 3))
    monkeypatch.setattr(shapes, "KINDS", ("report", "order", "incremental of 3"))
    monkeypatch.setattr(shapes, "MAX_SIGHTINGS", FEW)
    contenders = shapes.many_shapes(FEW)
    read: list[object] = []
    carefully = Codec._read

    def noting(itself: Codec, frame: Any, *, strict: bool = False) -> Any:
        read.append(frame)
        return carefully(itself, frame, strict=strict)

    monkeypatch.setattr(Codec, "_read", noting)
    for contender in contenders:
        if contender.prepare is not None:
            contender.prepare()
        read.clear()
        contender.run()
        expected = {shapes.CAREFUL: contender.per_call, shapes.FIRST: 5}.get(contender.engine, 0)
        assert len(read) == expected, contender
    assert {contender.engine for contender in contenders} >= {"1", "3", shapes.MIXED, shapes.COMPILED}


def test_orders_at_the_venue_rest_and_are_gone_before_the_next_ones() -> None:
    floor = venue_case.Floor(sessions=4, subscribers=2, orders=3)
    for _ in range(2):
        floor.prepare()
        assert floor.resting() == 0
        floor.run()
        assert floor.resting() == 3
    *counted, further = venue_case.orders(1, sessions=(7, 8), further=2, count=3)
    assert [each.engine for each in counted] == ["7 sessions", "8 sessions"]
    assert (further.case, further.engine) == (venue_case.SUBSCRIBER, "each of 2")


def test_logs_and_recordings_run() -> None:
    contenders = logs.logs(20_000)
    for contender in contenders:
        contender.run()
    assert len({contender.per_call for contender in contenders if contender.case == logs.LOG}) == 1


def test_every_stage_of_the_codec_runs() -> None:
    for case, parts in messages.parts(FEW).items():
        assert messages.RESTS[case]
        assert parts[0].kind == "whole"
        for part in parts:
            part.run()


def test_a_million_is_any_number_of_different_messages() -> None:
    chunks = [chunk for chunk, _ in million.chunks(FEW)]
    read: list[Any] = [*chain.from_iterable(ours.read_stream(chunks))]
    assert len({message.exec_id for message in read}) == FEW
    told = million.run(FEW)
    assert {*told} >= {"start", "warm", "end", "most", "us"}


# How


def test_contenders_are_measured_in_turn_and_counted_per_task() -> None:
    calls: list[str] = []
    contenders = [
        Contender("x", "a", lambda: calls.append("a"), max_calls=1),
        Contender(
            "x", "b", lambda: calls.append("b"), per_call=10, max_calls=1, prepare=lambda: calls.append("p")
        ),
    ]
    results = measure(contenders, 3)
    assert "".join(calls) == "apb" * 3
    assert [(each.case, each.engine, each.unit) for each in results] == [("x", "a", "us"), ("x", "b", "us")]
    assert all(0 < each.us_min <= each.us_median for each in results)
    over(calls.append, "cd")()
    assert calls[-2:] == ["c", "d"]


def test_values_of_different_engines_are_compared_as_fix_has_them() -> None:
    moment = datetime(2026, 8, 17, 16, 0, 0, 123999, tzinfo=UTC)
    values = canonical([ExecType.TRADE, Decimal("0.10"), True, False, moment, "x", 7])
    assert values == ("F", "0.10", "Y", "N", "20260817-16:00:00.123", "x", "7")
    assert fields(b"8=a\x019=5\x0135=D\x0158=x=y\x0110=000\x01") == {"8": "a", "35": "D", "58": "x=y"}
    require_equal("it", {"a": 1, "b": 1})
    with pytest.raises(DifferentError, match="it: a gives 1, b gives 2"):
        require_equal("it", {"a": 1, "b": 2})


def test_a_stage_is_timed_without_those_inside_it() -> None:
    class Owner:
        def outer(self) -> str:
            return self.inner()

        def inner(self) -> str:
            return "done"

    watch, owner = Stopwatch(), Owner()
    with watch.watching(owner, "outer", "out"), watch.watching(owner, "inner", "in"):
        assert owner.outer() == "done"
    assert {*watch.spent} == {"out", "in"}
    owner.outer()
    assert watch._inner == []


def test_a_round_trip_is_cut_at_the_last_byte_sent_and_the_first_one_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = [
        (trace.MAKE, 0.0, 1.0),
        (trace.OUT, 1.5, 3.5),
        (trace.SEND, 4.0, 6.0),
        ("wait", 6.5, 10.0),
        (trace.OUT, 7.0, 8.0),  # another thread, while the peer answers
        (trace.RECEIVE, 11.0, 12.0),
        (trace.IN, 12.0, 15.0),
    ]
    monkeypatch.setattr(trace, "_found", calls)
    stages = trace._taken_apart(0.0, 17.0)
    assert stages == {
        trace.MAKE: 1.0,
        trace.OUT: 2.0,
        trace.ON_THE_WAY_OUT: 1.0,
        trace.SEND: 2.0,
        trace.PEER: 4.0,
        trace.RECEIVE: 1.0,
        trace.IN: 3.0,
        trace.ON_THE_WAY_IN: 3.0,
    }
    assert sum(stages.values()) == 17.0
    monkeypatch.setattr(trace, "_found", [*calls[:3], (trace.RECEIVE, 6.0, 12.0), calls[-1]])
    assert trace._taken_apart(0.0, 17.0)[trace.PEER] == 6.0


def test_nothing_is_timed_unless_it_is_asked_for() -> None:
    assert trace.timed("x", len) is len
    trace.trip(0.0, 1.0, keep=True)
    assert trace.stages() == {}


def test_the_rest_is_what_no_part_has() -> None:
    stages = [Stage("c", "all", 10.0, "whole"), Stage("c", "p", 6.0), Stage("c", "in p", 5.0, "within")]
    stages.append(Stage("c", "s", 99.0, "scale"))
    assert with_rest(stages, "calls")[3] == Stage("c", "the rest: calls", 4.0, "rest")


def test_modules_are_counted_where_they_belong() -> None:
    assert processes._group("kalshi_fix_sansio._generated.blocks") == "ours: messages and tables, generated"
    assert processes._group("kalshi_fix_sansio.session") == "ours: the core"
    assert processes._group("attr._make") == "attrs"
    assert processes._group("attribute") == processes._OTHER
    times = processes._import_times("decimal")
    assert {"decimal", "_decimal"} <= {*times}


def test_every_client_is_there() -> None:
    known = {*clients.ENGINES, *bare.ENGINES, *peers.ENGINES}
    assert known >= {*loopback.ADAPTERS, loopback.UVLOOP, loopback.BARE, *loopback.FLOORS, *trips.CLIENTS}
    assert known >= {loopback.SDK, loopback.QUICKFIX}


# Ratios


def test_a_target_is_a_ratio_of_sums() -> None:
    target = Target("t", "t", (("c", "a"),), (("c", "b"), ("c", "d")), at_most=1.5)
    results = by_key([found("c", "a", 6), found("c", "b", 1), found("c", "d", 3)])
    assert target.ratio(results) == 1.5
    assert target.is_reached(1.5)
    assert not target.is_reached(1.6)
    assert target.bound == "at most 1.5"
    assert target.ratio({}) is None
    least = Target("t", "t", (("c", "a"),), (("c", "b"),), at_least=9)
    assert not least.is_reached(8.9)
    assert least.bound == "at least 9"


def test_a_ratio_is_that_of_the_rounds_where_they_are_known() -> None:
    target = Target("t", "t", (("f: c", "a"),), (("f: c", "b"),), at_least=1)
    pair = found("f: c", "a", 9, (10, 90, 12)), found("f: c", "b", 1, (5, 45, 4))
    assert target.ratio(by_key(pair)) == 2
    assert target.ratio(by_key([found("f: c", "a", 9), pair[1]])) == 9


def test_targets_are_told_apart() -> None:
    assert len({target.key for target in TARGETS}) == len({target.name for target in TARGETS}) == len(TARGETS)


def test_worse_ratios_are_told_apart_from_noise() -> None:
    case = codec.WRITE
    committed = [found(case, OURS, 1), found(case, "quickfix", 10)]
    for times, fine in ((10.0, True), (8.0, True), (5.0, False), (20.0, True)):
        lines, worse = report.compare([found(case, OURS, 2), found(case, "quickfix", 2 * times)], committed)
        assert (not worse) is fine
        assert len(lines) == 1
        assert len(lines[0]) <= 100
    assert report.compare([], committed) == ([], [])


def test_the_quick_run_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    committed = by_key(report.load())
    ours_now, peer = committed[codec.WRITE, OURS], committed[codec.WRITE, "quickfix"]
    monkeypatch.setattr(command, "missing", lambda: ["msgspec"])
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--quick"])
    for slower, code, said in ((1, 0, "No ratio is worse"), (9, 1, "Run it again when nothing else runs")):
        now = found(codec.WRITE, OURS, ours_now.us_min * slower)
        monkeypatch.setattr(command, "_measure", lambda _, now=now: [now, peer])
        assert command.main() == code
        out = capsys.readouterr().out
        assert said in out
        assert "not installed, and left out: msgspec" in out
        assert max(map(len, out.splitlines())) <= 100


# Results, charts, pages


def test_results_are_kept_and_those_of_other_cases_stay(tmp_path: Path) -> None:
    report.save(
        [found("a", "x", 1.23456), found("a", "gone", 1), found("b", "x", 2, (1.0, 2.0))],
        tmp_path,
        keep=False,
    )
    report.save([found("a", "x", 3)], tmp_path, keep=True)
    assert report.load(tmp_path) == [found("b", "x", 2, (1.0, 2.0)), found("a", "x", 3)]
    entry = json.loads((tmp_path / report.RESULTS).read_text())[0]
    assert {*entry} >= {"case", "engine", "us_min", "us_median", "python", "machine"}
    stages = [Stage("a", "all", 1.5, "whole"), Stage("a", "part", 1.0)]
    report.save_profile(stages, tmp_path)
    assert report.load_profile(tmp_path) == stages


def test_the_table_says_how_many_times_our_time_each_takes() -> None:
    results = [found("a", OURS, 2), found("a", "other", 5), Result("m", "x", 3, 3, "3", "m", "MiB")]
    text = "\n".join(report.table(results))
    assert "| a | other | 5.00 µs | 10.0 µs | 2.50 |" in text
    assert "| m | x | 3.0 MiB | 3.0 MiB |  |" in text
    assert report.ratios(results) == []
    assert "| i: x | y | 200 µs, 5,000/s | 400 µs, 2,500/s |  |" in report.table([found("i: x", "y", 200)])
    assert max(map(len, report.printed(report.load()))) <= 100


def test_charts_are_small_svg() -> None:
    results = [found(codec.READ, OURS, 4.5), found(codec.READ, "<other>", 20)]
    results += [found(sizes.ENTRIES, str(count), count * 0.5) for count in (10, 100, 1000)]
    drawn = charts.draw(results)
    assert {*drawn} == {"read.svg", "entries.svg"}
    for text in drawn.values():
        assert ET.fromstring(text).tag.endswith("svg")
        assert len(text) < 6000
    assert "&lt;other&gt;" in drawn["read.svg"]
    assert f"{charts.TIMES} 4.4" in drawn["read.svg"]


def test_what_is_between_markers_is_written_anew() -> None:
    page = "a\n<!-- make bench writes: run -->\nold\n<!-- end -->\nb\n"
    once = pages.fill(page, {"run": "new"})
    assert once == "a\n<!-- make bench writes: run -->\n\nnew\n\n<!-- end -->\nb\n"
    assert pages.fill(once, {"run": "new"}) == once


def test_a_target_that_was_missed_wants_a_paragraph() -> None:
    results = [found(codec.WRITE, OURS, 2), found(codec.WRITE, "kalshi-sdk", 10)]
    assert missed(results) == [SLOW]
    assert pages.unexplained(results, "") == ["b/kalshi-sdk"]
    assert pages.unexplained(results, "## b/kalshi-sdk\n\n") == ["b/kalshi-sdk"]
    prose = (
        "Ignored.\n\n## b/kalshi-sdk b/quickfix\n\nIt takes {{us | b: order to bytes | kalshi-fix-sansio}}, "
        "{{ratio | b/kalshi-sdk}} times, {{profile | b | all}}.\n\n## a/quickfix\n\nReached.\n"
    )
    assert pages.unexplained(results, prose) == []
    shown = list(pages.explanations(results, [Stage("b", "all", 1.5, "whole")], prose))
    assert shown == ["It takes 2.00 µs, 5.0 times, 1.50 µs."]
    with pytest.raises(KeyError, match="is about no target: b/other"):
        list(pages.explanations(results, [], "## b/other\n\ntext"))
    with pytest.raises(KeyError):
        list(pages.explanations(results, [], "## b/kalshi-sdk\n\n{{us | no | no}}"))


def test_the_committed_results_have_every_target_and_case() -> None:
    results = report.load()
    keyed = by_key(results)
    assert [target.name for target in TARGETS if target.ratio(keyed) is None] == []
    assert all(each.us_min <= each.us_median for each in results)
    assert {each.case[0] for each in results} >= set("abcdefghijk")
    assert {each.case[0] for each in results} >= set("abcdefghijs")
    assert {stage.case[0] for stage in report.load_profile()} == set("abcdefghij")


def test_every_missed_target_has_a_paragraph() -> None:
    assert pages.unexplained(report.load(), pages.PROSE.read_text(encoding="utf-8")) == []


def test_the_documentation_shows_the_committed_results() -> None:
    """If this fails: make bench-docs."""
    results = report.load()
    blocks = pages.render(results, report.load_profile(), pages.PROSE.read_text(encoding="utf-8"))
    for name in pages.PAGES:
        text = (pages.DOCS / name).read_text(encoding="utf-8")
        assert pages.fill(text, blocks) == text
    drawn = charts.draw(results)
    assert {path.name: path.read_text(encoding="utf-8") for path in charts.FOLDER.iterdir()} == drawn
    page = (pages.DOCS / "performance.md").read_text(encoding="utf-8")
    assert all(name in page for name in drawn)
