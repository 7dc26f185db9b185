"""The output of `kalshi-fix decode`, its selection of messages, and its exit status."""

from __future__ import annotations

import gzip
import io
import json
import re
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from fuzz.targets.log_reader import CarefulDecoder
from fuzz.wire import LOG
from kalshi_fix_adapters.cli.kit.terminal import Screen
from kalshi_fix_adapters.cli.logs import files, templates
from kalshi_fix_adapters.cli.logs.decoding import Decoder, Form, OutputOptions
from kalshi_fix_adapters.cli.logs.summary import Summary
from kalshi_fix_adapters.logs.fields import SEPARATORS
from kalshi_fix_adapters.logs.reader import LogReader
from tests.adapters.cli.every_message import SYMBOL
from tests.adapters.cli.order_logs import line, wire
from tests.adapters.cli.runner import invoke
from tests.adapters.logs.test_past_sessions import DATA, TRADING, write

ORDER = f"11=a1|38=10|40=2|44=0.75|54=1|55={SYMBOL}|"
REPORT = f"37=o|11=a1|17=1;1|150=0|39=0|54=1|55={SYMBOL}|38=10.00|151=10.00|14=0.00|6=0.0000|"
REPORT += "60=20260817-16:00:00.000|"


run = partial(invoke, "decode")
DAY = (
    line("16:00:00.000001", "D", ORDER, sent=True)
    + line("16:00:00.004001", "8", REPORT)
    + line("16:00:02.000000", "0", "", 3, sent=True)
    + line("17:00:00.000000", "8", REPORT.replace("a1", "b2"), 5, connection=2)
)


def assert_types(msg_types: str, *args: str, log: bytes = DAY) -> None:
    shown = [
        json.loads(text)["msg_type"]
        for text in run("--json", *args, stdin=log, status=0 if msg_types else 3).stdout.splitlines()
    ]
    assert "".join(shown) == msg_types


# --- the contents of a line


def test_a_line_has_time_connection_and_direction() -> None:
    first, second, *_ = run(stdin=DAY).stdout.splitlines()
    assert first == (
        "2026-08-17 16:00:00.000001 1> #2 NewOrderSingle ClOrdID=a1 Side=BUY OrderQty=10 Price=0.75 "
        f"Symbol={SYMBOL} OrdType=LIMIT"
    )
    assert second.startswith("2026-08-17 16:00:00.004001 1< #2 ExecutionReport ClOrdID=a1 ExecType=NEW ")


def test_json_and_full_output_have_time_connection_and_direction() -> None:
    output = json.loads(run("--json", stdin=DAY).stdout.splitlines()[1])
    assert (output["line"], output["time"], output["direction"], output["connection"]) == (
        *(2, "2026-08-17T16:00:00.004001+00:00", "received", 1),
    )
    full = run("--full", stdin=DAY).stdout
    assert "line 2: ExecutionReport (35=8), received 2026-08-17 16:00:00.004001 on connection 1\n" in full


def test_a_log_without_times_is_shown() -> None:
    assert run(stdin=wire("0", "112=x|", sent=True)).stdout == "- - #2 Heartbeat TestReqID=x\n"


def test_problems_are_shown_below_the_line() -> None:
    result = run(stdin=b"\n" + wire("D", ORDER.replace("54=1|", ""), sent=True), status=1)
    assert result.stdout.splitlines()[1] == "  ! line 2: Side (54) is missing"


ODD_TEXTS = (
    "58=a=b|",
    "58=50% %s %(x)s|",
    '58="quoted" \\ back|',
    "58=caf\xe9 \x1b[2J|",
    "58=\x00|",
    "58==|",
    "58=10=5|",
)


PREFIXES = (
    "2026-11-21 12:00:00.131009Z 1 sent     ",
    "2026-11-21 12:00:00.000000Z 1 sent     ",
    "2026-11-21 12:00:00.13100 Z 1 sent     ",
    "2026-11-21 12:00:00.1310099 1 sent     ",
    "2026-11-21T12:00:00.131009Z 1 sent     ",
    "2026-11-21 12:00:01,131009Z 1 sent     ",
    "2026-99-99 12:00:00.131009Z 1 sent     ",
    "2026-11-21 12:00:00.131009Z 2 received ",
    "20261121-12:00:00.131 : ",
    "",
)


@pytest.mark.parametrize(
    "options",
    [OutputOptions(Form.BRIEF), OutputOptions(Form.JSON), OutputOptions(Form.BRIEF, on_terminal=True)],
)
def test_the_fast_decoder_agrees_with_the_careful_one(options: OutputOptions) -> None:
    """Messages are repeated: the first creates a template, which is compiled when more of them follow."""
    messages = [*LogReader().feed(LOG.read_bytes() * 10)]
    messages += LogReader().feed(b"\n".join(wire("3", "45=2|" + text) for text in ODD_TEXTS * 12))
    messages += LogReader().feed(b"\n".join(each.encode() + wire("0", "") for each in PREFIXES * 3))
    fast, careful = Decoder(options), CarefulDecoder(options)
    assert fast.decode_batch(messages) == careful.decode_batch(messages)
    assert fast.decode_batch(reversed(messages)) == careful.decode_batch(reversed(messages))


def test_the_number_of_templates_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "MAX_SIZE", 2_000)
    decoder = Decoder(OutputOptions(Form.BRIEF))
    decoder.decode_batch(LogReader().feed(LOG.read_bytes()))
    kept = decoder._templates._by_tags.values()
    assert 0 < sum(len(item.text) for item in kept) <= 2_000


# --- selection of messages


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["--type", "D"], "D"),
        (["--type", "neworderSINGLE", "--type", "0"], "D0"),
        (["--tag", "17"], "88"),
        (["--tag", "Side=1"], "D88"),
        (["--tag", "Side=2"], ""),
        (["--tag", "55=*"], "D88"),
        (["--id", "a1"], "D8"),
        (["--id", "a1", "--id", "b2"], "D88"),
        (["--id", "a"], ""),
        (["--symbol", SYMBOL[:4] + "*"], "D88"),
        (["--symbol", SYMBOL, "--direction", "received"], "88"),
        (["--symbol", f"*{SYMBOL[2:5]}*{SYMBOL[-3:]}"], "D88"),
        (["--symbol", f"{SYMBOL[:2]}**{SYMBOL[4:6]}*"], "D88"),
        (["--symbol", f"*{SYMBOL[4:6]}*{SYMBOL[2:4]}*"], ""),
        (["--direction", "sent"], "D0"),
        (["--since", "16:00:01"], "08"),
        (["--until", "16:00:00.004001"], "D"),
        (["--since", "2026-08-17 16:00:01", "--until", "2026-08-17T17:00:00Z"], "0"),
        (["--since", "2026-08-18"], ""),
    ],
)
def test_filters_select_messages(args: list[str], expected: str) -> None:
    assert_types(expected, *args)


@pytest.mark.parametrize(
    ("glob", "text", "matches"),
    [
        ("a*b*a", "aba", True),
        ("a*b*a", "ab", False),
        ("*ab*ab", "abab", True),
        ("*ab*ab", "aab", False),
        ("a*a", "a", False),
        ("*b*b", "abcbb", True),
        ("*.*", "ab", False),
        # This would take forever if every star were tried at every position.
        ("*a" * 20 + "*b", "a" * 20_000, False),
        ("*a" * 20 + "*b", "a" * 20_000 + "b", True),
    ],
)
def test_several_stars_match_any_text_between_the_other_parts(glob: str, text: str, *, matches: bool) -> None:
    result = run("--tag", f"58={glob}", stdin=wire("5", f"58={text}|"), status=0 if matches else 3)
    assert bool(result.stdout) is matches


def test_excluded_messages_are_not_counted() -> None:
    wrong = wire("D", ORDER.replace("54=1|", ""), sent=True)
    run(stdin=wrong + DAY, status=1)
    run("--type", "8", stdin=wrong + DAY)


def test_a_time_of_day_with_an_offset_is_refused() -> None:
    assert "'14:30+01:00' is not a time" in run("--since", "14:30+01:00", stdin=DAY, status=2).stderr


# --- sources


def test_each_of_several_files_has_a_heading(tmp_path: Path) -> None:
    first, second = tmp_path / "one.log", tmp_path / "two.log.gz"
    first.write_bytes(DAY)
    second.write_bytes(gzip.compress(DAY))
    shown = run(first, second).stdout.splitlines()
    assert shown[0] == f"==> {first} <=="
    assert shown[5] == f"==> {second} <=="
    assert shown[1:5] == shown[6:]
    assert_types("D808D808", str(first), str(second))


def test_a_truncated_compressed_file_is_shown_up_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "torn.log.gz"
    path.write_bytes(gzip.compress(DAY * 2_000)[:-20])
    result = run(path, status=2)
    assert len(result.stdout.splitlines()) > 1_000
    assert f"{path} cannot be read: " in result.stderr


def test_a_log_of_another_fix_version_is_reported() -> None:
    other = b"8=FIX.4.4|9=5|35=0|10=163|\n"
    result = run(stdin=DAY + other * 2)
    assert "2 messages use FIX.4.4 instead of Kalshi's FIXT.1.1" in result.stderr
    versions = files.OtherVersionCounter()
    list(versions.watch(bytes([byte]) for byte in other * 2))
    assert len(list(versions.sentences())) == 1
    assert next(versions.sentences()).startswith("2 messages")
    for separator in SEPARATORS:
        data = b"8=FIX.5.0SP2|9=5|35=0|10=163|".replace(b"|", separator)
        versions = files.OtherVersionCounter()
        list(versions.watch(bytes([byte]) for byte in data))
        assert next(versions.sentences()).startswith("1 message uses FIX.5.0SP2 ")


def test_a_file_is_followed_across_rotation(tmp_path: Path) -> None:
    path = tmp_path / "wire.log"
    path.write_bytes(b"one")
    steps = iter(["append", "nothing", "rename", "recreate", "truncate", "end"])

    def wait() -> None:
        step = next(steps)
        if step == "append":
            path.write_bytes(b"one two")
        elif step == "rename":
            with path.open("ab") as file:
                file.write(b" three")
            path.rename(tmp_path / "wire.log.1")
        elif step == "recreate":
            path.write_bytes(b"four five")
        elif step == "truncate":
            path.write_bytes(b"six")
        elif step == "end":
            raise KeyboardInterrupt

    shown: list[bytes] = []
    with pytest.raises(KeyboardInterrupt):
        shown.extend(files.chunks(str(path), wait))
    assert b" ".join(shown) == b"one  two  three four five six"


@pytest.mark.parametrize(
    "args", [["-f", "--processes", "2", "a"], ["-f", "a.gz"], ["--full", "--processes", "2"]]
)
def test_incompatible_options_are_refused(args: list[str]) -> None:
    result = run(*args, status=2)
    assert result.stderr.startswith("kalshi-fix: --f")
    assert result.stderr.endswith("; see kalshi-fix decode --help\n")


def test_several_processes_produce_the_same_output(tmp_path: Path) -> None:
    path = tmp_path / "wire.log"
    path.write_bytes(DAY * 50)
    command = [sys.executable, "-m", "kalshi_fix_adapters.cli", "decode", "--processes", "2", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", run(path).stdout)


# --- the summary


def summary(log: bytes, *args: str) -> str:
    return re.sub(r" +", " ", run("--summary", *args, stdin=log, status=None).stdout)


def test_a_summary_counts_messages_and_measures_response_times() -> None:
    output = summary(DAY)
    assert "4 messages, 2026-08-17 16:00:00 to 2026-08-17 17:00:00\n" in output
    assert " 2 ExecutionReport (8)\n 1 NewOrderSingle (D)\n 1 Heartbeat (0)\n" in output
    assert "0 messages with problems\n" in output
    assert "1 gap in MsgSeqNum\n before line 4: 3 to 4, KalshiNR to " in output
    assert (
        "from request to first report, 1 request:\n min 4.0 ms, median 4.0 ms, p99 4.0 ms, max 4.0 ms"
        in output
    )
    only = summary(DAY, "--type", "8")
    assert "2 messages" in only
    assert "1 gap" in only
    assert "from request" not in only


def test_a_filled_gap_is_not_counted() -> None:
    def report(number: int, header: str = "") -> bytes:
        return wire("8", REPORT, number, header=header)

    again = "43=Y|122=20260817-16:00:00.000|"
    reset = wire("4", "123=Y|36=9|", 7, header=again)
    assert "0 gaps" in summary(report(2) + report(5) + report(3, again) + report(4, again) + report(6))
    assert "0 gaps" in summary(
        report(2) + report(9) + b"".join(report(n, again) for n in range(3, 7)) + reset
    )
    assert ": 4, KalshiNR" in summary(report(2) + report(5) + report(3, again))
    assert "0 gaps" in summary(report(7) + wire("A", "98=0|108=30|1137=9|141=Y|", 1) + report(2))


def test_a_damaged_message_leaves_no_gap_in_the_summary() -> None:
    damaged = wire("0", "", 3)[:-4] + b"000|"
    output = summary(wire("0", "", 2) + b"\n" + damaged + b"\n" + wire("0", "", 4))
    assert "1 message with problems" in output
    assert "0 gaps" in output


def test_the_memory_of_a_summary_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MAX_ENTRIES", "MAX_WAITING", "MAX_LATENCIES"):
        monkeypatch.setattr(f"kalshi_fix_adapters.cli.logs.summary.{name}", 3)
    log = b"".join(
        line(f"16:00:{n:02}.000000", "D", ORDER.replace("a1", f"c{n}"), 2 * n, sent=True) for n in range(1, 9)
    )
    totals = Summary()
    for facts, selected, has_problems in (
        Decoder(OutputOptions(Form.NONE)).decode_batch(LogReader().feed(log)).facts
    ):
        totals.add(facts, selected=selected, has_problems=has_problems)
    assert len(totals._waiting) == len(totals._gaps) == 3
    assert "7 gaps in MsgSeqNum" in "\n".join("".join(part for _, part in item) for item in totals.lines())


# --- on a terminal


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("colour", [True, False])
def test_a_line_fits_the_terminal(monkeypatch: pytest.MonkeyPatch, colour: bool) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if not colour:
        monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    batch = Decoder(OutputOptions(Form.BRIEF, on_terminal=True)).decode_batch([*LogReader().feed(DAY)])
    Screen(stream).print_lines(batch.lines, truncate=True)
    shown = stream.getvalue()
    assert ("\x1b[" in shown) is colour
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines()
    assert [len(item) <= 60 for item in plain] == [True] * 4
    assert plain[0] == "16:00:00.000 1> #2 NewOrderSingle ClOrdID=a1 Side=BUY OrderQ>"[:59] + ">"
    assert "#3 Heartbeat" in plain[2]


def test_progress_is_shown_on_a_terminal_and_erased(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "wire.log"
    path.write_bytes(DAY)
    clock = iter(range(0, 100, 1))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with files.Progress(str(path), shown=True) as progress:
        assert list(progress.watch(iter([DAY[:100], DAY[100:]]))) == [DAY[:100], DAY[100:]]
    assert "wire.log: 100% of 0 MB" in terminal.getvalue()
    *_, output, erased, nothing = terminal.getvalue().split("\r")
    assert (erased, nothing) == (" " * len(output), "")
    assert "\x1b" not in terminal.getvalue()
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stderr", pipe)
    with files.Progress(str(path), shown=True) as progress:
        list(progress.watch(iter([DAY] * 5)))
    assert pipe.getvalue() == ""


@pytest.mark.parametrize("chunk_size", [1 << 20, 7])
def test_a_recording_is_shown_like_the_wire_log_of_its_connections(tmp_path: Path, chunk_size: int) -> None:
    # The second connection ends in the middle of a message.
    connections = TRADING, [(direction, data[:-20]) for direction, data in TRADING[1:2]], DATA
    paths = [
        write(tmp_path / name, *connections, log=is_log, chunk_size=chunk_size)
        for name, is_log in (("day.rec", False), ("day.log", True))
    ]
    recording, log = (re.sub(r"line \d+", "line", run(path, status=None).stdout) for path in paths)
    assert recording == log
    assert len(re.findall("^2026-11-21 12:", recording, re.MULTILINE)) >= len(TRADING) + len(DATA)
