"""The harness of `make bench`: what it counts, compares and draws. No time is asserted."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from benchmarks import charts, report, samples, sizes
from benchmarks.canonical import DifferentError, canonical, fields, require_equal
from benchmarks.cases import books, codec, stream
from benchmarks.engines import ours
from benchmarks.measure import Contender, Result, measure
from benchmarks.targets import OURS, TARGETS, Target, by_key
from kalshi_fix_sansio import ExecType, decode_strict
from kalshi_fix_sansio.framing import is_frame

ROOT = Path(__file__).resolve().parent.parent


def found(case: str, engine: str, us: float) -> Result:
    return Result(case, engine, us, us * 2, "3.12.1", "a machine")


def test_the_samples_are_what_the_pages_say() -> None:
    assert samples.report_bytes().count(b"\x01") == 33
    assert 380 <= len(samples.report_bytes()) <= 410
    order = ours.order_writer()()
    assert order.count(b"\x01") == 18
    for data in (order, samples.report_bytes(7), samples.snapshot_bytes(40), samples.incremental_bytes(3)):
        assert is_frame(data)
    decode_strict(order)
    decode_strict(samples.report_bytes())


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


def test_values_of_different_engines_are_compared_as_fix_has_them() -> None:
    moment = datetime(2026, 8, 17, 16, 0, 0, 123999, tzinfo=UTC)
    values = canonical([ExecType.TRADE, Decimal("0.10"), True, False, moment, "x", 7])
    assert values == ("F", "0.10", "Y", "N", "20260817-16:00:00.123", "x", "7")
    assert fields(b"8=a\x019=5\x0135=D\x0158=x=y\x0110=000\x01") == {"8": "a", "35": "D", "58": "x=y"}
    require_equal("it", {"a": 1, "b": 1})
    with pytest.raises(DifferentError, match="it: a gives 1, b gives 2"):
        require_equal("it", {"a": 1, "b": 2})


def test_the_cases_agree_and_run() -> None:
    for contender in [*codec.reading(), *codec.writing(), *books.market_data()]:
        if contender.engine == OURS:
            contender.run()
    chunks = stream.cut(b"".join(stream.numbered(20_000)))
    read = ours.read_stream(chunks)
    assert [event.message for event in stream.through_session(chunks)()] == read
    assert len(read) > 40


def test_a_target_is_a_ratio_of_sums() -> None:
    target = Target("t", (("c", "a"),), (("c", "b"), ("c", "d")), at_most=1.5)
    results = by_key([found("c", "a", 6), found("c", "b", 1), found("c", "d", 3)])
    assert target.ratio(results) == 1.5
    assert target.is_reached(1.5)
    assert not target.is_reached(1.6)
    assert target.bound == "at most 1.5"
    assert target.ratio({}) is None
    least = Target("t", (("c", "a"),), (("c", "b"),), at_least=9, median=True)
    assert not least.is_reached(8.9)
    assert least.bound == "at least 9"
    assert least.ratio(results) == 6


def test_results_are_kept_and_those_of_other_cases_stay(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    report.save([found("a", "x", 1.23456), found("b", "x", 2)], path)
    report.save([found("a", "x", 3)], path)
    assert report.load(path) == [found("a", "x", 3), found("b", "x", 2)]
    assert {*json.loads(path.read_text())[0]} >= {
        "case",
        "engine",
        "us_min",
        "us_median",
        "python",
        "machine",
    }


def test_worse_ratios_are_told_apart_from_noise() -> None:
    case = codec.WRITE
    committed = [found(case, OURS, 1), found(case, "quickfix", 10)]
    for times, fine in ((10.0, True), (8.0, True), (5.0, False), (20.0, True)):
        lines, well = report.compare([found(case, OURS, 2), found(case, "quickfix", 2 * times)], committed)
        assert well is fine
        assert len(lines) == 1
    lines, fine = report.compare([], committed)
    assert (lines, fine) == ([], True)


def test_the_table_says_how_many_times_our_time_each_takes() -> None:
    results = [found("a", OURS, 2), found("a", "other", 5), Result("m", "x", 3, 3, "3", "m", "MiB")]
    text = "\n".join(report.table(results))
    assert "| a | other | 5.00 µs | 10.00 µs | 2.50 |" in text
    assert "| m | x | 3.0 MiB | 3.0 MiB |  |" in text
    assert report.ratios(results) == ["| ratio | found | wanted | |", "|---|---:|---:|---|"]


def test_charts_are_small_svg(tmp_path: Path) -> None:
    results = [found(codec.READ, OURS, 4.5), found(codec.READ, "<other>", 20)]
    results += [found(sizes.ENTRIES, str(count), count * 0.5) for count in (10, 100, 1000)]
    charts.write(results, tmp_path / "charts")
    drawn = {path.name: path.read_text() for path in (tmp_path / "charts").iterdir()}
    assert {*drawn} == {"read.svg", "entries.svg"}
    for text in drawn.values():
        assert ET.fromstring(text).tag.endswith("svg")
        assert len(text) < 5000
    assert "&lt;other&gt;" in drawn["read.svg"]


def test_the_committed_results_have_every_target() -> None:
    results: list[Any] = report.load()
    keyed = by_key(results)
    missing = [target.name for target in TARGETS if target.ratio(keyed) is None]
    assert not missing
    assert all(each.us_min <= each.us_median for each in results)
    page = (ROOT / "docs" / "performance.md").read_text()
    assert results[0].python in page
    for chart in charts.FOLDER.iterdir():
        assert chart.name in page
