"""The messages that `kalshi-fix trace` finds for an order, and how it shows them."""

from __future__ import annotations

import gzip
import random
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import Result

from kalshi_fix_adapters.logs import LoggedMessage, LogReader
from kalshi_fix_adapters.logs import trace as tracing
from kalshi_fix_adapters.logs.trace import Trace, trace
from tests.adapters.cli.order_logs import DETAILS, ORDER_ID, ORDERS, OTHER, line, report
from tests.adapters.cli.runner import invoke
from tests.helpers import tag_of

DROP_COPY = line("16:00:01.005000", "8", report("a1", "1;1;1", "0"), 2, venue="KalshiDC") + line(
    "16:00:09.005000", "8", report("a3", "1;1;4", "4", "41=a2|"), 3, venue="KalshiDC"
)


def trace_in_chunks(identifier: str, *logs: bytes, size: int = 64 * 1024) -> Trace:
    def chunks(log: bytes) -> Iterator[bytes]:
        return (log[at : at + size] for at in range(0, len(log), size))

    return trace(identifier, [partial(chunks, log) for log in logs])


def lines_of(found: Trace) -> list[tuple[int, int]]:
    """Return the log and the line number of each message."""
    return [(step.log, step.logged.line) for step in found.steps]


def run(*args: object, stdin: bytes = b"", status: int = 0) -> Result:
    return invoke("trace", *args, stdin=stdin, status=status, environ={"COLUMNS": "60"})


@pytest.fixture
def logs(tmp_path: Path) -> list[str]:
    """Return the paths of the order session's log, which is compressed, and of the drop copy log."""
    orders, drop_copy = tmp_path / "orders.log.gz", tmp_path / "copy.log"
    orders.write_bytes(gzip.compress(ORDERS))
    drop_copy.write_bytes(DROP_COPY)
    return [str(orders), str(drop_copy)]


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return tmp_path / "page.html"


# --- messages that belong to an order


ALL_MESSAGES = [(0, 1), (0, 2), (1, 1), (0, 5), (0, 6), (0, 7), (0, 8), (1, 2)]


@pytest.mark.parametrize("identifier", ["a1", "a2", "a3", ORDER_ID, "1;1;1", "1;1;4"])
@pytest.mark.parametrize("size", [7, 300, 64 * 1024])
def test_any_id_of_an_order_finds_all_its_messages(identifier: str, size: int) -> None:
    found = trace_in_chunks(identifier, ORDERS, DROP_COPY, size=size)
    assert lines_of(found) == ALL_MESSAGES
    assert found.client_ids == ("a1", "a2", "a3")
    assert found.order_ids == (ORDER_ID,)
    assert found.complete


@pytest.mark.parametrize("separator", [b"\x01", b"^A"])
def test_other_separators_and_logs_without_lines_are_read(separator: bytes) -> None:
    frames = [logged.frame for logged in LogReader().feed(ORDERS)]
    found = trace_in_chunks("a3", b"".join(frame.replace(b"\x01", separator) for frame in frames))
    assert [step.logged.frame for step in found.steps] == [frames[i] for i in (0, 1, 4, 5, 6, 7)]


def test_ids_match_whole_values_of_id_fields_only() -> None:
    log = line("16:00:01.000000", "D", f"11=a11|38=10|40=2|44=0.50|58=11=a1|{DETAILS}", 7, sent=True)
    log += line("16:00:01.000000", "D", f"11=xa1|526=a1|38=10|40=2|44=0.50|{DETAILS}", 8, sent=True)
    assert lines_of(trace_in_chunks("a1", log)) == []


def test_the_order_id_of_an_unknown_order_links_to_no_other_order() -> None:
    unknown = "37=NONE|11={}|41=gone|39=8|434=1|102=1|"
    log = line("16:00:01.000000", "9", unknown.format("a1"), 2)
    log += line("16:00:02.000000", "9", unknown.replace("gone", "far").format("b1"), 3)
    assert lines_of(trace_in_chunks("a1", log)) == [(0, 1)]


def reject(number: int, *, more: str = "", connection: int = 1, venue: str = "KalshiNR") -> bytes:
    text = f"45={number}|{more}58=x|"
    return line("16:00:04.000000", "3", text, 30, connection=connection, venue=venue)


@pytest.mark.parametrize(
    ("log", "is_included"),
    [
        (reject(7), True),
        (reject(7, more="372=D|"), True),
        (reject(7, more="372=F|"), False),
        (reject(8), False),
        (reject(7, connection=2), False),
        (reject(7, connection=2).replace(b"|52=", b"|43=Y|52="), True),
        (reject(7, venue="KalshiRT"), False),
        (line("16:00:03.000000", "A", "98=0|108=30|141=Y|", 1, sent=True) + reject(7), False),
        (line("16:00:03.000000", "j", "45=7|372=D|380=0|", 30), True),
        (line("16:00:03.000000", "j", "45=99|372=D|379=a1|380=0|", 30), True),
        (line("16:00:03.000000", "j", "45=99|372=D|379=a2|380=0|", 30), False),
    ],
)
def test_rejects_of_an_orders_messages_belong_to_the_order(log: bytes, is_included: bool) -> None:
    order = line("16:00:01.000000", "D", f"11=a1|38=10|40=2|44=0.50|{DETAILS}", 7, sent=True)
    lines = log.count(b"\n")
    assert ((0, 1 + lines) in lines_of(trace_in_chunks("a1", order + log))) is is_included


def test_a_later_pass_finds_a_reject_that_precedes_the_link_to_its_request() -> None:
    log = line("16:00:01.000000", "D", f"11=a1|38=10|40=2|44=0.50|{DETAILS}", 7, sent=True)
    log += reject(7) + line("16:00:05.000000", "F", f"11=a2|41=a1|{DETAILS}", 8, sent=True)
    assert lines_of(trace_in_chunks("a2", log, size=50)) == [(0, 1), (0, 2), (0, 3)]


def replace_chain(count: int, *, prefix: str = "c") -> bytes:
    """Return a log of requests, each of which replaces the previous one, with the report of each."""
    log = b""
    for number in range(count):
        before = f"41={prefix}{number - 1}|" if number else ""
        log += line(
            "16:00:01.000000",
            "G" if number else "D",
            f"11={prefix}{number}|{before}38=1|40=2|44=0.50|{DETAILS}",
            2 + number,
            sent=True,
        )
        more = report(f"{prefix}{number}", f"1;2;{number}", "5" if number else "0", before)
        log += line("16:00:01.000000", "8", more, 2 + number) + OTHER
    return log


@pytest.mark.parametrize("identifier", ["c0", "c59", "1;2;30"])
def test_long_chains_of_replaces_are_followed(identifier: str) -> None:
    found = trace_in_chunks(identifier, replace_chain(60), size=1_000)
    assert lines_of(found) == [(0, 1 + 4 * number + item) for number in range(60) for item in (0, 1)]
    assert found.complete


@pytest.mark.parametrize("prefix", ["x11=y", "11=", "^", "a<SOH", "\\x01", "=", "8=FIXT.1.1"])
def test_many_ids_with_special_characters_are_found(prefix: str) -> None:
    found = trace_in_chunks("1;2;7", replace_chain(30, prefix=prefix), size=1_000)
    assert lines_of(found) == [(0, 1 + 4 * number + item) for number in range(30) for item in (0, 1)]
    assert found.client_ids == tuple(f"{prefix}{number}" for number in range(30))


def test_each_of_many_ids_matches_whole_values_only() -> None:
    log = replace_chain(30)
    others = b"".join(
        line("16:00:01.000000", "D", f"11={item}|38=1|40=2|44=0.50|{DETAILS}", 900, sent=True)
        for item in ("c", "c30", "c1x", "xc1", "c01", "c 1")
    )
    assert len(trace_in_chunks("c0", others + log + others, size=1_000).steps) == 60


def test_the_work_and_the_result_of_a_trace_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    log = replace_chain(30)
    # The OrderID finds all reports; requests are found only if their ClOrdIDs are followed.
    for name, bound, max_steps in (
        ("MAX_STEPS", 12, 12),
        ("MAX_IDS", 9, 40),
        ("MAX_STEP_BYTES", 4_000, 20),
        ("MAX_PASSES", 1, 59),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(tracing, name, bound)
            found = trace_in_chunks("c29", log, size=1_000)
        assert not found.complete
        assert 0 < len(found.steps) <= max_steps
    monkeypatch.setattr(tracing, "MAX_REJECTS_OR_RESETS", 2)
    assert trace_in_chunks("c29", log + reject(900), size=1_000).complete
    assert not trace_in_chunks("c29", log + reject(900) * 3, size=1_000).complete


@pytest.fixture
def fed_sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Record the number of bytes passed to readers in each call."""
    sizes = []

    class CountingReader(LogReader):
        def feed(self, data: bytes) -> Iterator[LoggedMessage]:
            sizes.append(len(data))
            return super().feed(data)

    monkeypatch.setattr(tracing, "LogReader", CountingReader)
    return sizes


def test_messages_of_other_orders_are_not_decoded(fed_sizes: list[int]) -> None:
    assert len(trace_in_chunks("a2", OTHER * 2_000 + ORDERS + OTHER * 2_000).steps) == 6
    assert sum(fed_sizes) < 10 * len(ORDERS)


def test_a_huge_message_is_decoded_once(fed_sizes: list[int]) -> None:
    huge = b"8=FIXT.1.1|35=8|" + b"11=a1|" * 100_000 + b"\n\n"
    found = trace_in_chunks("a1", ORDERS + huge + OTHER)
    assert len(found.steps) == 7
    assert sum(fed_sizes) < 3 * len(huge)
    endless = b"8=FIXT.1.1|35=D|11=a1|58=" + b"x" * (3 * 1024 * 1024) + b"\n" + ORDERS
    found = trace_in_chunks("a1", endless)
    assert found.steps[0].logged.truncated
    assert len(found.steps) == 7


def test_the_result_agrees_with_decoding_every_message() -> None:
    rng = random.Random(5)
    parts = [*ORDERS.splitlines(keepends=True), *replace_chain(3, prefix="a1").splitlines(keepends=True)]
    for _ in range(60):
        log = b"".join(rng.choices(parts, k=12))
        for _ in range(6):
            at = rng.randrange(len(log))
            log = log[:at] + rng.choice([b"", b"\n", b"\xff\x00", b"8=FIXT.1.1|", b"11=a1|"]) + log[at + 3 :]
        reader = LogReader()
        every = [*reader.feed(log), *reader.close()]
        with_id = [item for item in every if re.search(rb"\x01(?:11|41|379|37|17)=a1\x01", item.frame)]
        found = [step.logged for step in trace_in_chunks("a1", log, size=rng.choice([50, 400, 9_000])).steps]
        assert [item for item in found if item in with_id] == with_id
        assert [item for item in every if item in found] == found


# --- output


def test_the_output_fits_sixty_columns(logs: list[str]) -> None:
    for args in ([], ["--full"]):
        result = run("a2", *args, *logs)
        assert result.stderr == ""
        assert max(map(len, result.stdout.splitlines())) <= 60
        assert "\x1b" not in result.stdout
    shown = run("a2", *logs).stdout
    assert "ClOrdID  a1, a2, a3\n" in shown
    assert "16:00:01.004000   +0.004000  KalshiNR > 3c6e2a5e-7f7..\n  ExecutionReport ClOrdID=a1" in shown
    assert "16:00:09.005000   +0.001000  KalshiDC > " in shown


def test_problems_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "one.log"
    path.write_bytes(ORDERS.replace(b"11=a1|38=10|", b"11=a1|38=1x|", 1))
    result = run("a1", path, status=1)
    assert "  ! CheckSum (10) is" in result.stdout


def test_an_order_that_is_in_no_log_is_an_error(logs: list[str], page: Path) -> None:
    for args in ([], ["--html", str(page)]):
        result = run("gone\x1b", *args, *logs, status=3)
        assert result.stdout == ""
        assert result.stderr == ("kalshi-fix: no message has the ClOrdID, OrderID or ExecID 'gone\\x1b'\n")
    assert not page.exists()
    assert (
        "1 message uses FIX.4.4" in run("gone", "-", stdin=b"8=FIX.4.4|9=5|35=0|10=000|\n", status=3).stderr
    )


def test_standard_input_can_be_given_only_once() -> None:
    run("a1", "-", "-", status=2)


def test_a_truncated_log_is_reported_and_its_messages_shown(logs: list[str], tmp_path: Path) -> None:
    truncated = tmp_path / "torn.log.gz"
    truncated.write_bytes(gzip.compress(ORDERS + random.Random(1).randbytes(5_000))[:-3_000])
    result = run("a3", truncated, logs[1], tmp_path / "missing.log", status=2)
    assert "ClOrdID  a1, a2, a3\n" in result.stdout
    assert [line.partition(" cannot be read: ")[0] for line in result.stderr.splitlines()] == [
        f"kalshi-fix: {truncated}",
        f"kalshi-fix: {tmp_path / 'missing.log'}",
    ]
    run("a1", "-", stdin=ORDERS[:-30], status=1)


def test_binary_garbage_around_messages_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "one.log"
    garbage = random.Random(2).randbytes(200_000)
    path.write_bytes(garbage + b"\n" + ORDERS + garbage)
    assert "ClOrdID  a1, a2, a3\n" in run("a2", path).stdout
    path.write_bytes(garbage)
    run("a2", path, status=3)


def test_standard_input_is_read_as_often_as_needed() -> None:
    assert "ClOrdID  a1, a2, a3\n" in run("a3", "-", stdin=ORDERS).stdout


SECRETS = "|".join(f"{tag_of(name)}=hunter2" for name in ("Password", "NewPassword", "EncryptedPassword"))


def test_secrets_are_not_shown_in_either_form(tmp_path: Path, page: Path) -> None:
    path = tmp_path / "one.log"
    logon = line("16:00:00.000000", "A", "98=0|108=30|141=Y|95=7|96=hunter2|", 1, sent=True)
    order = line("16:00:01.000000", "D", f"11=a1|38=10|40=2|44=0.50|{DETAILS}{SECRETS}|", 7, sent=True)
    path.write_bytes(logon + order)
    output = run("a1", "--full", path, status=1).stdout
    run("a1", "--html", page, path, status=1)
    for text in (output, page.read_text("utf-8")):
        assert "hunter2" not in text
        assert "hidden" in text


def test_the_page_is_self_contained(logs: list[str], page: Path) -> None:
    result = run("a3", "--html", page, *logs)
    assert result.stdout == ""
    assert result.stderr == f"kalshi-fix: {page} contains 8 messages about the order\n"
    text = page.read_text("utf-8")
    assert text.count('<li id="m') == 8
    assert not re.search(r"https?:|<script|src=[\"']|<link|url\(", text)
    assert "default-src 'none'" in text
    assert "prefers-color-scheme: dark" in text
    assert "+0.004000 s" in text


def test_the_page_begins_with_a_diagram_of_you_and_the_venue(logs: list[str], page: Path) -> None:
    run("a3", "--html", page, *logs)
    text = page.read_text("utf-8")
    drawn = ET.fromstring(text[text.index("<svg") : text.index("</svg>") + len("</svg>")])
    assert [item.text for item in drawn.findall("text")] == ["time (UTC)", "you", "venue"]
    arrows = drawn.findall("a")
    assert [arrow.get("href") for arrow in arrows] == [f"#m{number}" for number in range(1, 9)]
    tips = []
    for arrow in arrows:
        line, head, label = arrow.find("line"), arrow.find("path"), arrow.findall("text")[2].text
        assert line is not None
        assert head is not None
        assert label is not None
        tip = (head.get("d") or "")[1:].split()[0]
        tips.append("venue" if tip == line.get("x2") else "you")
        assert ("Request" in label or "NewOrder" in label) == (tips[-1] == "venue"), label
    assert set(tips) == {"you", "venue"}


def test_text_from_a_log_is_escaped_in_html(page: Path) -> None:
    evil = "<script>&\"'"
    log = line("16:00:01.000000", "D", f"11=a1|58={evil}|30001={evil}|38=10|40=2|44=0.50|55={evil}|", 7)
    run("a1", "--html", page, "-", stdin=log.replace(b"KalshiNR", b"<b>"), status=1)
    assert "<script" not in page.read_text("utf-8")
    assert "<b><" not in page.read_text("utf-8")


def test_prices_have_the_unit_that_the_logon_determines(page: Path) -> None:
    flag = f"{tag_of('UseDollars')}=Y|"
    for options, unit in ((None, ""), ("", " cents"), (flag, " dollars")):
        logon = f"98=0|108=30|141=Y|{options}"
        begin = b"" if options is None else line("15:00:00.000000", "A", logon, 1, sent=True)
        run("a1", "--html", page, "-", stdin=begin + ORDERS)
        assert f"0.50{unit}\n" in page.read_text("utf-8")
