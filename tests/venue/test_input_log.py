"""The input of a venue is logged, and a replay of the log yields the same state and the same bytes."""

from __future__ import annotations

import inspect
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from random import Random
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import attrs
import pytest

from kalshi_fix_sansio import MarketDataRequest, Side
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_sansio.framing import encode_frame
from kalshi_fix_sansio.signing import load_private_key
from kalshi_fix_venue.exchange import (
    Command,
    MarketRules,
    MarketState,
    PauseState,
    SetMarketState,
    SetPause,
    prediction_market,
)
from kalshi_fix_venue.flow import FlowConfig
from kalshi_fix_venue.inbox import CHUNK_SIZE
from kalshi_fix_venue.input_log import InputLog, LoggedVenue, ReplayResult, replay
from kalshi_fix_venue.input_log.replayer import InputLogError
from kalshi_fix_venue.input_log.secrets import MAX_HELD, redacted
from kalshi_fix_venue.input_log.values import (
    UnknownValueError,
    dump_arguments,
    dump_config,
    load_arguments,
    load_config,
)
from kalshi_fix_venue.operations import OPERATIONS, operation
from kalshi_fix_venue.parameters import display_name, parameters
from kalshi_fix_venue.scenario.file import load_scenario, parse_scenario
from kalshi_fix_venue.server import VenueServer
from kalshi_fix_venue.testing import Sandbox
from kalshi_fix_venue.venue import VenueModel
from kalshi_fix_venue.virtual_time import pass_time
from tests.venue.exchange_harness import MARKET
from tests.venue.venue_harness import KEYS, START, VenueHarness, config, encode, order, raw_logon

EXAMPLE = Path(__file__).parents[2] / "examples" / "scenario.yaml"
NOW = Instant(50.0, START)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "venue.input_log"


def log_input(harness: VenueHarness, input_log: InputLog, **changes: Any) -> LoggedVenue:
    harness.venue = input_log.open_venue(config(**changes), Random(7))
    harness.venue.begin(harness.now)
    return harness.venue


@contextmanager
def checked_by_replay(path: Path) -> Iterator[LoggedVenue]:
    """Yield a venue with an input log, and check at the end that a replay has the same result."""
    with InputLog(path) as input_log:
        yield input_log.open_venue(config(), Random(1))
    found = replay(path)
    assert found.matches_log, found.difference


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def log_short_day(path: Path, **changes: Any) -> VenueHarness:
    """Write the input log of a short day: logons, orders, fills, a pause, a disconnect, a refused logon,
    heartbeats.
    """
    with InputLog(path, state_interval=10) as input_log:
        harness = VenueHarness(**changes)
        log_input(harness, input_log, **changes)
        ann, bob = harness.connect("ann"), harness.connect("bob", "KalshiRT", reset=True)
        md = harness.connect("ann-md", "KalshiMD")
        md.send(MarketDataRequest.subscribe(MARKET))
        ann.send(order("a1", Side.BUY, 10, "0.40"))
        bob.send(order("b1", Side.SELL, 4, "0.40"))
        harness.execute(SetPause(PauseState.TRADING_PAUSED))
        ann.send(order("a2", Side.BUY, 10, "0.40"))
        harness.perform(operation("resume"))
        harness.connect("ann")
        harness.wait(65)
        bob.drop()
        ann.send(order("a3", Side.BUY, 3, "0.50"))
        with pytest.raises(ValueError, match="NO-SUCH"):
            harness.execute(SetMarketState("NO-SUCH", MarketState.CLOSED))
        harness.venue.new_id()
        harness.connect("bob", "KalshiRT", reset=True).logout()
    return harness


def test_a_replay_gives_the_same_state_and_the_same_bytes(path: Path) -> None:
    harness = log_short_day(path, flow=FlowConfig(rate=1.0))
    found = replay(path)
    assert found.matches_log, found.difference
    assert found.incomplete_end is None
    assert found.states > 10
    assert found.sent > 3000
    assert found.entries == sum("do" in line for line in lines_of(path))
    assert found.venue is not None
    for product in ("prediction", "margin"):
        before, after = harness.venue.exchange(product), found.venue.exchange(product)
        assert after.open_orders() == before.open_orders()
        assert after.accounts() == before.accounts()
    assert found.venue.sessions() == harness.venue.sessions()


def test_random_faults_and_their_effects_are_replayed(path: Path) -> None:
    with InputLog(path, state_interval=10) as input_log:
        harness = VenueHarness()
        venue = log_input(harness, input_log, flow=FlowConfig(rate=2.0))
        ann = harness.connect("ann")
        md = harness.connect("ann-md", "KalshiMD")
        md.send(MarketDataRequest.subscribe(MARKET))
        for name, values in (
            ("delay", {"by": 2, "session": "KalshiMD"}),
            ("duplicate", {"owner": "ann", "times": 0, "chance": 0.5}),
            ("reject", {"text": "INSUFFICIENT_BALANCE", "times": 2}),
            ("withhold", {"lasting": 30, "owner": "bob"}),
        ):
            venue.perform(operation(name, values), harness.now)
        for number in range(5):
            ann.send(order(f"a{number}", Side.BUY, 1, "0.40"))
        harness.wait(60)
        venue.perform(operation("cut", {"owner": "ann", "session": "KalshiNR"}), harness.now)
        harness.run()
        venue.perform(operation("release"), harness.now)
        harness.wait(30)
        with pytest.raises(ConfigurationError):
            venue.perform(operation("halt", {"market": "NO-SUCH"}), harness.now)
    found = replay(path)
    assert found.matches_log, found.difference
    assert found.states > 10
    assert {"raised": "ConfigurationError"} in lines_of(path)


def test_a_log_can_be_replayed_in_another_process_with_a_different_hash_seed(path: Path) -> None:
    log_short_day(path, flow=FlowConfig(rate=1.0))
    script = (
        "import sys; from pathlib import Path; from kalshi_fix_venue.input_log import replay; "
        "found = replay(Path(sys.argv[1])); print(found.difference, found.incomplete_end)"
    )
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", script, str(path)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == "None None\n"


def test_every_call_that_changes_a_venue_is_logged() -> None:
    """Each public method of VenueModel is either logged as an input, or read-only and listed here."""
    read_only = {
        "exchange",
        "drop_copy",
        "faults",
        "should_reset",
        "should_close",
        "connections_with_output",
        "prepare",
        "connections_to_close",
        "next_deadline",
        "sessions",
        "logged_on",
        "seq_nums",
        "backlog",
        "recent_trades",
    }
    public = {
        name for name, _ in inspect.getmembers(VenueModel, inspect.isfunction) if not name.startswith("_")
    }
    own = {name for name, member in vars(LoggedVenue).items() if inspect.isfunction(member)}
    own = {name for name in own - {"finish"} if not name.startswith("_")}
    assert own == public - read_only


def test_an_input_log_contains_no_secrets(path: Path) -> None:
    log_short_day(path)
    written = path.read_bytes()
    for key in KEYS.values():
        for line in key.private_key_pem.splitlines():
            assert line not in written
    assert b"PRIVATE" not in written
    logons = [line["data"] for line in lines_of(path) if "of" in line]
    assert len(logons) >= 5
    for data in logons:
        assert "\x0196=" + "*" * 88 + "\x01" in data
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_logon_received_byte_by_byte_leaves_no_part_of_its_signature_in_the_log(path: Path) -> None:
    logon = raw_logon("ann")
    signature = logon.split(b"\x0196=")[1].split(b"\x01")[0].decode()
    with checked_by_replay(path) as venue:
        conn = venue.connection_made("prediction", "KalshiNR", NOW)
        for number in range(len(logon)):
            venue.receive_data(conn, logon[number : number + 1], NOW)
        assert venue.logged_on() == {KEYS["ann"].key_id: "KalshiNR"}
        venue.receive_data(conn, b"8=FIXT.1.1\x019=9\x0135=A\x0195=88\x0196=" + signature.encode()[:50], NOW)
        venue.receive_eof(conn, NOW)
    text = path.read_text()
    chunks = [json.loads(line).get("data", "") for line in text.splitlines() if '"of"' in line]
    joined = "".join(chunks)
    assert "=" + "*" * 88 + "\x01" in joined
    assert joined.endswith("\x0196=" + "*" * 50)
    assert signature[:8] not in joined + text


def test_a_refused_signature_is_refused_again_without_being_checked(path: Path) -> None:
    with checked_by_replay(path) as venue:
        conn = venue.connection_made("prediction", "KalshiNR", NOW)
        venue.receive_data(conn, raw_logon("ann", signer="bob"), NOW)
        assert b"Invalid signature" in venue.data_to_send(conn)
    assert {"verdict": False} in lines_of(path)
    # If the recorded verdict is reversed, the replay differs.
    path.write_text(path.read_text().replace('{"verdict":false}', '{"verdict":true}'))
    difference = replay(path).difference
    assert difference is not None
    assert "sends" in difference


def test_messages_that_waited_in_the_inbox_are_replayed(path: Path) -> None:
    with checked_by_replay(path) as venue:
        busy, conn = (venue.connection_made("prediction", "KalshiNR", NOW) for _ in range(2))
        venue.receive_data(conn, raw_logon("ann", now=NOW), NOW)
        venue.inbox.receive_data(busy, bytes(2 * CHUNK_SIZE), NOW)
        venue.inbox.receive_data(conn, encode("ann", "KalshiNR", 2, NOW, order("a1", Side.BUY, 1, "40")), NOW)
        later = Instant(NOW.monotonic + 100, NOW.utc + timedelta(seconds=100))
        venue.handle_timer(later)
        for _ in range(2):
            venue.inbox.process(later)
        assert venue.exchange("prediction").find("ann", "a1")
        venue.data_to_send(conn)
    venue_after = replay(path).venue
    assert venue_after is not None
    assert venue_after.exchange("prediction").find("ann", "a1")


@pytest.mark.parametrize(
    "data",
    [
        raw_logon("ann").replace(b"\x0195=88\x01", b"\x01"),
        raw_logon("ann").replace(b"\x0195=88\x01", b"\x0195=20\x01"),
        raw_logon("ann").replace(b"\x0196=", b"\x01096="),
        raw_logon("ann", raw_data=b"a\x01b=\x01c"),
        raw_logon("ann")[:-3] + b"00\x01",
        raw_logon("ann") * 2,
        b"garbage" * 50 + raw_logon("ann"),
        b"\x00\xff" * 100,
    ],
    ids=[
        "no length",
        "wrong length",
        "leading zero",
        "SOH in the value",
        "wrong CheckSum",
        "twice",
        "garbage before",
        "garbage",
    ],
)
def test_invalid_logons_are_replayed(path: Path, data: bytes) -> None:
    with checked_by_replay(path) as venue:
        conn = venue.connection_made("prediction", "KalshiNR", NOW)
        venue.receive_data(conn, data, NOW)
        venue.data_to_send(conn)
        pass_time(venue, 60, NOW)
        venue.data_to_send(conn)


def test_redaction_keeps_the_length_and_corrects_the_check_sum() -> None:
    frame = raw_logon("ann")
    shown = redacted(frame)
    assert len(shown) == len(frame)
    assert b"96=" + b"*" * 88 + b"\x01" in shown
    body = shown[shown.index(b"35=") : shown.rindex(b"10=")]
    assert encode_frame("FIXT.1.1", body) == shown
    assert redacted(b"58=x\x0110=123\x01") == b"58=x\x0110=123\x01"
    assert redacted(b"\x0196=") == b"\x0196="
    assert redacted(b"") == b""


def test_bytes_of_an_incomplete_message_are_held_only_up_to_a_limit(path: Path) -> None:
    with checked_by_replay(path) as venue:
        conn = venue.connection_made("prediction", "KalshiNR", NOW)
        for _ in range(20):
            venue.receive_data(conn, b"x" * 100_000, NOW)
        calls = [line for line in lines_of(path) if line.get("do") == "receive_data"]
        written = [line for line in lines_of(path) if "of" in line]
        assert (len(calls) - len(written)) * 100_000 <= MAX_HELD


# --- truncated input logs -------------------------------------------------------------------------------


def replay_truncated(path: Path, size: int) -> ReplayResult:
    shorter = path.with_suffix(".cut")
    shorter.write_bytes(path.read_bytes()[:size])
    return replay(shorter)


def test_a_truncated_input_log_can_be_replayed_up_to_its_end(path: Path) -> None:
    log_short_day(path)
    data = path.read_bytes()
    header = data.index(b"\n") + 1
    step = (len(data) - header) // 25
    before = 0
    for size in range(header, len(data), step):
        found = replay_truncated(path, size)
        assert found.matches_log, (size, found.difference)
        is_complete = data[:size].endswith(b"\n")
        assert is_complete or found.incomplete_end is not None, size
        assert found.entries >= before - 1
        before = found.entries
    incomplete_end = replay_truncated(path, len(data) - 5).incomplete_end
    assert incomplete_end is not None
    assert incomplete_end.endswith(": the last line is incomplete and was skipped")


def test_a_process_that_is_killed_leaves_an_input_log_that_can_be_replayed(path: Path) -> None:
    script = """
import sys
from pathlib import Path
from random import Random
from kalshi_fix_venue.input_log import InputLog
from kalshi_fix_venue.virtual_time import pass_time
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_venue.scenario import Scenario
from kalshi_fix_venue.flow import FlowConfig
from datetime import UTC, datetime
scenario = Scenario(flow=FlowConfig(rate=5.0))
venue = InputLog(Path(sys.argv[1])).open_venue(scenario.config({}), Random(1))
now = Instant(0.0, datetime(2026, 11, 5, tzinfo=UTC))
venue.begin(now)
now = pass_time(venue, 10, now)
print("begun", flush=True)
while True:
    now = pass_time(venue, 1, now)
"""
    process = subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    found = replay(path)
    assert found.matches_log, found.difference
    assert found.entries > 20


def altered_logs(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the contents of altered copies of a log, each with the expected problem."""
    lines = path.read_text().splitlines()
    for word, replacement, problem in (
        ('"do":"execute"', None, "the venue sends"),
        ('"do":"data_to_send"', ('"sent":[', '"sent":[9'), "bytes, not"),
        ('{"state"', ('{"state":"', '{"state":"x'), "is in a different state"),
        ('"raised"', ("ValueError", "KeyError"), "raises ValueError"),
        ('"verdict"', None, "checks a signature that it did not check when the log was written"),
    ):
        at = next(number for number, line in enumerate(lines) if word in line)
        changed = [] if replacement is None else [lines[at].replace(*replacement)]
        yield "\n".join([*lines[:at], *changed, *lines[at + 1 :], ""]), problem


def test_a_diverging_replay_reports_the_line(path: Path) -> None:
    log_short_day(path)
    for text, problem in altered_logs(path):
        other = path.with_suffix(".other")
        other.write_text(text)
        difference = replay(other).difference
        assert difference is not None, problem
        assert difference.startswith(f"{other}:")
        assert problem in difference


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "is not a venue's input log"),
        (b'{"a":1}\n', "is not a venue's input log"),
        (b'{"input_log":99}\n', "version 99"),
        (b'{"input_log":2,"random":[3,[],null],"config":{}}\n', "settings that this release does not know"),
        (b'{"input_log":2,"random":1}\n', "settings that this release does not know"),
        (b"garbage\ngarbage\n", ":1 is not a line of an input log"),
        (b"\xff\xfe\n{}\n", ":1 is not a line of an input log"),
    ],
)
def test_an_invalid_input_log_is_reported(path: Path, content: bytes, text: str) -> None:
    path.write_bytes(content)
    with pytest.raises(InputLogError, match=text):
        replay(path)


def test_an_unknown_call_in_a_log_is_refused(path: Path) -> None:
    log_short_day(path)
    text = path.read_text()
    path.write_text(text.replace('"do":"begin"', '"do":"__init__"', 1))
    with pytest.raises(InputLogError, match="'__init__' is not a call to a venue"):
        replay(path)
    path.write_text(text.replace("SetPause", "SetPorridge"))
    with pytest.raises(InputLogError, match="a value cannot be read"):
        replay(path)


def test_an_existing_file_is_never_overwritten(path: Path) -> None:
    path.write_text("precious")
    with pytest.raises(ConfigurationError, match=r"cannot be written .* choose another path"):
        InputLog(path)
    assert path.read_text() == "precious"


def test_an_input_log_ends_at_its_size_limit_and_the_venue_continues(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with InputLog(path, max_bytes=20_000) as input_log:
        harness = VenueHarness()
        log_input(harness, input_log, flow=FlowConfig(rate=5.0))
        harness.wait(300)
        assert input_log.end_reason == "has reached its maximum size (20000 bytes)"
        assert harness.connect("ann").is_logged_on
    assert path.stat().st_size <= 20_000
    assert [record.message for record in caplog.records] == [
        f"the input log {path} has reached its maximum size (20000 bytes); the venue continues without it"
    ]
    assert replay(path).matches_log


def test_a_full_disk_ends_the_input_log_but_not_the_venue(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with InputLog(path) as input_log:
        harness = VenueHarness()
        log_input(harness, input_log)
        monkeypatch.setattr(
            os, "write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
        )
        assert harness.connect("ann").is_logged_on
        monkeypatch.undo()
        assert input_log.end_reason == "cannot be written (No space left on device)"
        harness.connect("bob")
    assert len(caplog.records) == 1
    assert replay(path).matches_log


def test_a_server_also_logs_resets(path: Path) -> None:
    # Without the weekly maintenance, during which trading would be paused.
    scenario = parse_scenario(EXAMPLE.read_bytes().replace(b"maintenance: true", b"maintenance: false"))
    with InputLog(path) as input_log:
        with Sandbox(scenario=scenario, input_log=input_log) as sandbox:
            server: VenueServer = sandbox.server
            server.execute("prediction", SetPause(PauseState.TRADING_PAUSED))
            server.reset(Random(5))
            server.execute("margin", SetPause(PauseState.EXCHANGE_PAUSED))
        headers = [line for line in lines_of(path) if "input_log" in line]
        assert len(headers) == 2
    found = replay(path)
    assert found.matches_log, found.difference
    assert found.venue is not None
    assert found.venue.exchange("margin").pause is PauseState.EXCHANGE_PAUSED
    assert found.venue.exchange("prediction").pause is PauseState.OPEN


# --- values ---------------------------------------------------------------------------------------------


def test_every_setting_and_every_operation_can_be_logged() -> None:
    scenario = load_scenario(EXAMPLE)
    settings = scenario.config(scenario.make_keys())
    stand_in = load_private_key(KEYS["ann"].private_key_pem).verifier
    loaded = load_config(json.loads(json.dumps(dump_config(settings))), stand_in)
    keys = tuple(attrs.evolve(key, public_key=stand_in) for key in settings.api_keys)
    assert loaded == attrs.evolve(settings, api_keys=keys)
    values = {"market": "A", "text": "x", "key": "k", "msg-type": "D"}
    for name, cls in OPERATIONS.items():
        required = [parameter for parameter in parameters(cls) if parameter.required]
        made = operation(
            name,
            {
                item.name: item.kind.choices[0]
                if item.kind.choices
                else values.get(display_name(item.name), "1")
                for item in required
            },
        )
        plain = json.loads(json.dumps(dump_arguments("perform", {"operation": made})))
        assert load_arguments("perform", plain) == {"operation": made}, name


def sample(kind: Any) -> Any:
    """Return a sample value for an annotation."""
    if get_origin(kind) is UnionType:
        kind = get_args(kind)[0]
    if kind is MarketRules:
        return prediction_market(MARKET)
    if issubclass(kind, Enum):
        return list(kind)[-1]
    if attrs.has(kind):
        return kind(**{name: sample(hint) for name, hint in get_type_hints(kind).items()})
    return {str: "x", int: 3, bool: True, Decimal: Decimal("1.50"), datetime: START}[kind]


@pytest.mark.parametrize("kind", get_args(Command))
def test_every_command_can_be_logged(kind: type[Command]) -> None:
    arguments = {"product": "prediction", "command": sample(kind), "now": NOW}
    plain = json.loads(json.dumps(dump_arguments("execute", arguments)))
    assert load_arguments("execute", plain) == arguments


def test_values_that_cannot_be_logged_or_read_are_refused() -> None:
    with pytest.raises(UnknownValueError, match="cannot represent the time zone"):
        dump_config(config(zone=START.tzinfo))
    for name, plain in (
        ("execute", {"command": {"_type": "os:system"}}),
        ("execute", {"command": {"state": "open"}}),
        ("execute", {"command": {"_type": "SetPause", "state": "ajar"}}),
        ("execute", {"command": {"_type": "SetPause", "state": "open", "no": 1}}),
        ("execute", {"command": {"_type": "MoveCash", "source": 1, "target": 1, "amount": "x"}}),
        ("execute", {"what": 1}),
        ("perform", {"operation": ["burn", {}]}),
        ("perform", {"operation": ["halt", {}]}),
        ("begin", {"now": {"monotonic": 1.0, "utc": "x"}}),
        ("receive_data", {"data": 1}),
    ):
        with pytest.raises(UnknownValueError, match="a value cannot be read"):
            load_arguments(name, plain)
