"""The parts of the benchmarks, without measurements and without the other engines.

Also checks that the documentation shows the committed results.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from benchmarks import charts, fresh_process, pages, report, samples
from benchmarks.canonical import MismatchError, canonical, fields, require_equal
from benchmarks.cases import books, bus, codec, logs, process, shapes, stream, ticks
from benchmarks.cases import venue as venue_case
from benchmarks.engines import ours
from benchmarks.engines.ours import NAME as OURS
from benchmarks.measure import Contender, Result, call_for_each, measure, run_in_turn
from benchmarks.targets import TARGETS, Target, by_key, missed_targets
from kalshi_fix_sansio import ExecType, NewOrderSingle, decode_strict
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.framing import is_frame
from kalshi_fix_sansio.trading import OrderBooks
from tests.nats import NatsServer

MESSAGE_COUNT = 60
SDK_TARGET = next(target for target in TARGETS if target.key == "b/kalshi-sdk")


def make_result(case: str, engine: str, us: float, rounds: tuple[float, ...] = ()) -> Result:
    return Result(case, engine, us, us * 2, "3.12.1", "a machine", rounds=rounds)


# The measured cases


def test_the_samples_have_the_documented_sizes() -> None:
    write = ours.order_writer()
    for number in range(MESSAGE_COUNT):
        report_bytes = samples.report_bytes(number)
        assert report_bytes.count(b"\x01") == 33
        assert 380 <= len(report_bytes) <= 420
        order = write(samples.order(number))
        assert order.count(b"\x01") == 18
        for data in (order, report_bytes, samples.snapshot_bytes(40, number)):
            assert is_frame(data)
            decode_strict(data)
        assert is_frame(samples.incremental_bytes(3, number))


def test_no_message_is_repeated() -> None:
    for make in (samples.report_bytes, lambda number: samples.snapshot_bytes(40, number)):
        assert len({make(number) for number in range(MESSAGE_COUNT)}) == MESSAGE_COUNT
    assert len({str(samples.order_values(number)) for number in range(MESSAGE_COUNT)}) == MESSAGE_COUNT


def test_typed_and_untyped_engines_send_the_same_order() -> None:
    for number in range(MESSAGE_COUNT):
        values = samples.order_values(number)
        written = fields(ours.order_writer()(NewOrderSingle(**values)))
        assert all(written[str(tag)] == text for tag, text in samples.order_fields(values))


def test_book_updates_can_be_applied_repeatedly() -> None:
    book = OrderBooks()
    for data in samples.first_snapshots():
        book.apply(decode_strict(data))
    for data in books.wire_messages("incremental with 3 entries", MESSAGE_COUNT) * 2:
        assert not any(update.discrepancies for update in book.apply(decode_strict(data)))


def test_the_cases_run_and_their_results_agree() -> None:
    for contender in [
        *codec.decoding_contenders(MESSAGE_COUNT),
        *codec.encoding_contenders(MESSAGE_COUNT),
        *books.market_data(MESSAGE_COUNT),
    ]:
        if contender.engine == OURS:
            contender.run()
    chunks = stream.split_into_chunks(b"".join(stream.numbered_reports(20_000)))
    read = [*chain.from_iterable(ours.read_stream(chunks))]
    events: list[Any] = [*chain.from_iterable(stream.feed_session(chunks))]
    assert [event.message for event in events] == read
    assert len(read) > 40
    for contender in stream.stream_contenders(20_000):
        if contender.engine == OURS:
            if contender.prepare is not None:
                contender.prepare()
            assert contender.run() == contender.per_call


def test_compiled_decoders_are_used_and_unknown_shapes_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shapes, "COUNTS", (1, 3))
    monkeypatch.setattr(shapes, "KINDS", ("report", "order", "incremental with 3 entries"))
    monkeypatch.setattr(shapes, "MAX_SIGHTINGS", MESSAGE_COUNT)
    contenders = shapes.many_shapes(MESSAGE_COUNT)
    read: list[object] = []
    original = Codec._read

    def recording(codec: Codec, frame: Any, *, strict: bool = False) -> Any:
        read.append(frame)
        return original(codec, frame, strict=strict)

    monkeypatch.setattr(Codec, "_read", recording)
    for contender in contenders:
        if contender.prepare is not None:
            contender.prepare()
        read.clear()
        contender.run()
        expected = {shapes.NEW: contender.per_call, shapes.FIRST: 5}.get(contender.engine, 0)
        assert len(read) == expected, contender
    assert {contender.engine for contender in contenders} >= {"1", "3", shapes.MIXED, shapes.COMPILED}


def test_venue_orders_rest_and_are_removed_before_the_next_ones() -> None:
    venue = venue_case.PopulatedVenue(sessions=4, subscribers=2, orders=3)
    for _ in range(2):
        venue.prepare()
        assert venue.resting() == 0
        venue.run()
        assert venue.resting() == 3
    *counted, further = venue_case.orders(1, sessions=(7, 8), more_subscribers=2, count=3)
    assert [each.engine for each in counted] == ["7 sessions", "8 sessions"]
    assert (further.case, further.engine) == (venue_case.SUBSCRIBER, "each of 2")


def test_logs_and_recordings_run() -> None:
    contenders = logs.logs(20_000)
    for contender in contenders:
        contender.run()
    assert len({contender.per_call for contender in contenders if contender.case == logs.LOG}) == 1


def test_the_stream_of_a_million_messages_consists_of_distinct_messages() -> None:
    chunks = [chunk for chunk, _ in fresh_process.chunks(MESSAGE_COUNT)]
    read: list[Any] = [*chain.from_iterable(ours.read_stream(chunks))]
    assert len({message.exec_id for message in read}) == MESSAGE_COUNT
    assert {*process.run_fresh_process("session", MESSAGE_COUNT)} == {"start", "warm", "end", "maximum", "us"}
    assert list(process.run_fresh_process("books", 2, 3, 5)) == ["3", "5"]
    assert {*process.run_fresh_process("orders", 3)} == {"first", "median"}


def test_consumers_of_the_bus_receive_all_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus, "FIXED_RATE_ROUNDS", 1)
    monkeypatch.setattr(bus, "CONSUMERS", 2)
    with NatsServer():  # skips the test if the server is not installed
        results = by_key(bus.over_nats(1, 500, 0.2))
    for name, _, rate in bus.FIXED_RATES:
        case = f"p: ten consumers, {name}"
        published = results[case, "published"].us_min
        assert published == rate * 0.2
        assert results[case, "received without a gap, fewest of ten"].us_min == published
    assert {engine for case, engine in results if case.startswith("p: incremental with")} == {
        *bus.NAMES.values()
    }


# Measurement


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
    call_for_each(calls.append, "cd")()
    assert calls[-2:] == ["c", "d"]


def test_each_round_starts_with_a_different_function() -> None:
    calls: list[str] = []

    def run(name: str) -> int:
        calls.append(name)
        return len(calls)

    assert run_in_turn({name: partial(run, name) for name in "abc"}, 3) == {
        "a": [1, 6, 8],
        "b": [2, 4, 9],
        "c": [3, 5, 7],
    }
    assert "".join(calls) == "abcbcacab"


def test_values_of_different_engines_are_compared_by_their_fix_text() -> None:
    time = datetime(2026, 8, 17, 16, 0, 0, 123999, tzinfo=UTC)
    values = canonical([ExecType.TRADE, Decimal("0.10"), True, False, time, "x", 7])
    assert values == ("F", "0.10", "Y", "N", "20260817-16:00:00.123", "x", "7")
    assert fields(b"8=a\x019=5\x0135=D\x0158=x=y\x0110=000\x01") == {"8": "a", "35": "D", "58": "x=y"}
    require_equal("it", {"a": 1, "b": 1})
    with pytest.raises(MismatchError, match="it: a returns 1, b returns 2"):
        require_equal("it", {"a": 1, "b": 2})


@pytest.mark.parametrize(
    ("client", "setting"),
    [
        ("blocking", ticks.Setting(0)),
        ("asyncio", ticks.Setting(0, tls=True)),
        ("trio", ticks.Setting(0, sync="full")),
    ],
)
def test_each_update_of_the_book_is_answered_by_an_order(client: str, setting: ticks.Setting) -> None:
    assert len(ticks.measure_ticks(client, setting, 3)) == 3


def test_first_ticks_are_reported_separately() -> None:
    seconds = [0.02] * ticks.FIRST_TICKS + [0.001] * 998 + [0.002, 0.003]
    assert ticks.figures(seconds) == {
        "p50": 1000.0,
        "p99": 1000.0,
        "p99.9": 3000.0,
        "max": 3000.0,
        "p99 of the first 1,000": 20000.0,
    }


# Ratios


def test_a_target_is_a_ratio_of_sums() -> None:
    target = Target("t", "t", (("c", "a"),), (("c", "b"), ("c", "d")), at_most=1.5)
    results = by_key([make_result("c", "a", 6), make_result("c", "b", 1), make_result("c", "d", 3)])
    assert target.ratio(results) == 1.5
    assert target.is_reached(1.5)
    assert not target.is_reached(1.6)
    assert target.bound == "at most 1.5"
    assert target.ratio({}) is None
    least = Target("t", "t", (("c", "a"),), (("c", "b"),), at_least=9)
    assert not least.is_reached(8.9)
    assert least.bound == "at least 9"


def test_a_ratio_is_computed_per_round_if_rounds_are_recorded() -> None:
    target = Target("t", "t", (("f: c", "a"),), (("f: c", "b"),), at_least=1)
    pair = make_result("f: c", "a", 9, (10, 90, 12)), make_result("f: c", "b", 1, (5, 45, 4))
    assert target.ratio(by_key(pair)) == 2
    assert target.ratio(by_key([make_result("f: c", "a", 9), pair[1]])) == 9


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (2.345, "us", "2.35 µs"),
        (23.45, "us", "23.4 µs"),
        (4999.6, "us", "5,000 µs"),
        (5000, "us", "5.0 ms"),
        (15.83, "messages", "15.8 messages"),
        (50_000, "messages", "50,000 messages"),
    ],
)
def test_values_are_rounded_according_to_their_size(value: float, unit: str, text: str) -> None:
    assert report.format_value(value, unit) == text


def test_regressions_are_distinguished_from_noise() -> None:
    case = codec.WRITE
    committed = [make_result(case, OURS, 1), make_result(case, "quickfix", 10)]
    for times, fine in ((10.0, True), (8.0, True), (5.0, False), (20.0, True)):
        lines, worse = report.compare(
            [make_result(case, OURS, 2), make_result(case, "quickfix", 2 * times)], committed
        )
        assert (not worse) is fine
        assert len(lines) == 1
        assert len(lines[0]) <= 100
    assert report.compare([], committed) == ([], [])


# Results, charts, pages


def test_saving_new_results_keeps_the_results_of_other_cases(tmp_path: Path) -> None:
    report.save(
        [make_result("a", "x", 1.23456), make_result("a", "gone", 1), make_result("b", "x", 2, (1.0, 2.0))],
        tmp_path,
        keep=False,
    )
    report.save([make_result("a", "x", 3)], tmp_path, keep=True)
    assert report.load(tmp_path) == [make_result("b", "x", 2, (1.0, 2.0)), make_result("a", "x", 3)]
    entry = json.loads((tmp_path / report.RESULTS).read_text())[0]
    assert {*entry} >= {"case", "engine", "us_min", "us_median", "python", "machine"}


def test_a_missed_target_requires_a_paragraph() -> None:
    results = [make_result(codec.WRITE, OURS, 2), make_result(codec.WRITE, "kalshi-sdk", 10)]
    assert missed_targets(results) == [SDK_TARGET]
    assert pages.unexplained(results, "") == ["b/kalshi-sdk"]
    assert pages.unexplained(results, "## b/kalshi-sdk\n\n") == ["b/kalshi-sdk"]
    prose = (
        "Ignored.\n\n## b/kalshi-sdk b/quickfix\n\nIt takes {{us | b: order to bytes | kalshi-fix-sansio}}, "
        "{{ratio | b/kalshi-sdk}} times.\n\n## a/quickfix\n\nReached.\n"
    )
    assert pages.unexplained(results, prose) == []
    shown = list(pages.explanations(results, prose))
    assert shown == ["It takes 2.00 µs, 5.0 times."]
    with pytest.raises(KeyError, match="explains targets that do not exist: b/other"):
        list(pages.explanations(results, "## b/other\n\ntext"))
    with pytest.raises(KeyError):
        list(pages.explanations(results, "## b/kalshi-sdk\n\n{{us | no | no}}"))


def test_the_committed_results_include_every_target_and_case() -> None:
    results = report.load()
    keyed = by_key(results)
    assert [target.name for target in TARGETS if target.ratio(keyed) is None] == []
    assert all(each.us_min <= each.us_median for each in results)
    assert {each.case[0] for each in results} >= set("abcdefghiklmnos")
    assert len({target.key for target in TARGETS}) == len({target.name for target in TARGETS}) == len(TARGETS)


def test_every_missed_target_has_a_paragraph() -> None:
    assert pages.unexplained(report.load(), pages.PROSE.read_text(encoding="utf-8")) == []


def test_the_documentation_shows_the_committed_results() -> None:
    """If this fails, run `make bench-docs`."""
    results = report.load()
    page = (pages.DOCS / pages.PAGE).read_text(encoding="utf-8")
    assert pages.fill(page, pages.render(results, pages.PROSE.read_text(encoding="utf-8"))) == page
    drawn = charts.draw(results)
    assert {path.name: path.read_text(encoding="utf-8") for path in charts.FOLDER.iterdir()} == drawn
    assert all(name in page for name in drawn)
