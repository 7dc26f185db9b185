"""Messages of a log are checked against the dialect that was in force on the date of their SendingTime."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from codegen.export.reference import examples
from codegen.read.resolve import load_dialect
from kalshi_fix_adapters.logs import map_log, read_events, read_log
from kalshi_fix_adapters.logs.dates import AsOf
from kalshi_fix_adapters.logs.recording import MAGIC, Kind, pack
from kalshi_fix_sansio import DIALECT, OrderCancelRequest
from kalshi_fix_sansio._generated.history import HISTORY
from kalshi_fix_sansio.dialect.base import Block
from kalshi_fix_sansio.dialect.layout import BlockLayout, GroupMember, Presence, Sender
from kalshi_fix_sansio.events import MessageReceived
from kalshi_fix_sansio.framing import encode_frame
from kalshi_fix_sansio.messages import CODEC, codec_as_of
from tests.adapters.cli.runner import invoke
from tests.helpers import tag_of

SPEC = Path(__file__).parents[3] / "spec" / "kalshi"
KEY = "8a1c0c8e-0000-4000-8000-000000000001"
MARKET = "KXHIGHNY-26NOV21-B60"

SNAPSHOT = f"35=W|34=2|49=KalshiMD|56={KEY}|52=%s|55={MARKET}|268=1|269=0|270=0.55|271=10.00|"
DATED_SNAPSHOT = SNAPSHOT + "272=20260831|273=12:00:00.000|"
QUOTE = f"35=S|34=2|49=KalshiRT|56={KEY}|52=%s|117=q1|131=r1|55={MARKET}|132=0.55|"
REPORT = (
    f"35=8|34=2|49=KalshiNR|56={KEY}|52=%s|37=o1|11=a1|17=1;1;1|150=5|39=0|54=1|55={MARKET}|38=10.00|"
    "151=10.00|14=0.00|6=0.0000|60=20260831-12:00:00|"
)
CANCEL = f"35=F|34=2|49={KEY}|56=KalshiNR|52=%s|11=a2|41=a1|54=1|55={MARKET}|38=10|"
FORMER_TAG = tag_of("ResendEventCount")  # the tag of SkipPendingExecReports at that time
OLD_LOGON = f"35=A|34=1|49={KEY}|56=KalshiNR|52=%s|98=0|108=30|141=Y|1137=9|{FORMER_TAG}=Y|95=3|96=abc|"
NO_DATE = "MDEntryDate (272) is required in entry 1 of NoMDEntries (268)"
NO_TIME = "MDEntryTime (273) is required in entry 1 of NoMDEntries (268)"
NO_TRANSACT_TIME = "TransactTime (60) is required"
NO_EXPIRY = "TimeInForce (59) is required when ExecType (150) is 5"
NO_QUANTITY = "OrderQty (38) is not defined for OrderCancelRequest"


def frame(body: str, time: str) -> bytes:
    return encode_frame("FIXT.1.1", (body.replace("%s", time)).replace("|", "\x01").encode())


def at(day: str) -> str:
    return f"{day.replace('-', '')}-12:00:00.000"


run_decode = partial(invoke, "decode", status=None)


def problems(body: str, time: str, *options: str) -> list[str]:
    result = run_decode(*options, stdin=frame(body, time) + b"\n")
    assert not result.exception or isinstance(result.exception, SystemExit)
    return [line.partition(": ")[2] for line in result.output.splitlines() if line.startswith("  ! ")]


@pytest.mark.parametrize(
    ("body", "day", "expected"),
    [
        # The fields were added on an unknown day in August, so a message from August may lack them.
        (SNAPSHOT, "2026-06-15", []),
        (SNAPSHOT, "2026-07-31", []),
        (SNAPSHOT, "2026-08-01", []),
        (SNAPSHOT, "2026-08-31", []),
        # Prediction requires the fields from September, margin only from November. A log does not show the
        # product, so a missing field is a problem only from November.
        (SNAPSHOT, "2026-09-01", []),
        (SNAPSHOT, "2026-10-31", []),
        (SNAPSHOT, "2026-11-01", [NO_DATE, NO_TIME]),
        (DATED_SNAPSHOT, "2026-07-31", []),  # the venue may send a field before its date, as demo does
        (DATED_SNAPSHOT, "2026-11-01", []),
        # The field was added on a known day.
        (QUOTE, "2026-09-30", []),
        (QUOTE, "2026-10-01", [NO_TRANSACT_TIME]),
        (QUOTE, "2026-10-02", [NO_TRANSACT_TIME]),
        # The field is required under a condition.
        (REPORT, "2026-09-30", []),
        (REPORT, "2026-10-31", []),
        (REPORT, "2026-11-01", [NO_EXPIRY]),
        # Only an older dialect has the field.
        (CANCEL, "2025-06-11", []),
        (CANCEL, "2025-06-12", [NO_QUANTITY]),
        (CANCEL, "2025-06-13", [NO_QUANTITY]),
        # Before the first known change the oldest known dialect applies.
        (CANCEL, "2024-02-29", []),
        (SNAPSHOT, "0001-01-01", []),
    ],
)
def test_a_message_is_checked_against_the_dialect_of_its_date(
    body: str, day: str, expected: list[str]
) -> None:
    assert problems(body, at(day)) == expected


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("52=20260615|", []),  # a date without a time is enough
        ("52=20260615-99:99:99|", []),
        ("52=20261340-12:00:00|", [NO_DATE, NO_TIME]),
        ("52=2026-06-15 12:00:00|", [NO_DATE, NO_TIME]),
        ("52=1|", [NO_DATE, NO_TIME]),
        ("52=today|", [NO_DATE, NO_TIME]),
        ("52=99991231-12:00:00|", [NO_DATE, NO_TIME]),
        ("", [NO_DATE, NO_TIME]),
    ],
)
def test_a_message_without_a_date_is_checked_against_todays_dialect(field: str, expected: list[str]) -> None:
    found = problems(SNAPSHOT.replace("52=%s|", field), "")
    assert [problem for problem in found if not problem.startswith("SendingTime")] == expected


@pytest.mark.parametrize(
    ("body", "day", "as_of", "expected"),
    [
        (SNAPSHOT, "2026-06-15", "latest", [NO_DATE, NO_TIME]),
        (SNAPSHOT, "2026-06-15", "2026-11-01", [NO_DATE, NO_TIME]),
        (SNAPSHOT, "2026-11-15", "2026-06-15", []),
        (CANCEL, "2025-06-11", "latest", [NO_QUANTITY]),
        (CANCEL, "2026-11-15", "2025-06-11", []),
    ],
)
def test_an_option_sets_the_date_of_the_dialect(body: str, day: str, as_of: str, expected: list[str]) -> None:
    assert problems(body, at(day), "--as-of", as_of) == expected
    # The result is the same in every form of output.
    log = frame(body, at(day)) + b"\n"
    for form in ("--json", "--summary", "--full"):
        run_decode(form, "--as-of", as_of, stdin=log, status=1 if expected else 0)


def test_messages_with_dates_in_any_order_are_checked_one_by_one() -> None:
    days = ["2026-11-01", "2025-06-11", "2025-06-12", "2026-06-15", "2026-11-02", "2024-01-01"] * 3
    frames = [frame(body, at(day)) for day in days for body in (SNAPSHOT, CANCEL)]
    frames.insert(5, frames[5][:-4] + b"999\x01")  # damaged: CheckSum
    log = b"\n".join(frames) + b"\n"
    alone = [
        problem for item in frames for problem in run_decode(stdin=item + b"\n").output.split("  ! ")[1:]
    ]
    result = run_decode(stdin=log)
    found = [line for line in result.output.splitlines() if line.startswith("  ! ")]
    assert [item.partition(": ")[2] for item in found] == [
        line.strip().partition(": ")[2] for item in alone for line in item.splitlines()[:1]
    ]
    assert len(found) > len(days)
    # Several processes give the same output as one, also with another date.
    assert run_decode("--processes", 2, stdin=log).output == result.output
    latest = run_decode("--processes", 2, "--as-of", "latest", stdin=log).output
    assert latest == run_decode("--as-of", "latest", stdin=log).output != result.output


@pytest.mark.parametrize("text", ["june", "2026-06", "2026-02-30", ""])
def test_an_invalid_date_is_refused(text: str) -> None:
    result = run_decode("--as-of", text, stdin=frame(SNAPSHOT, at("2026-06-15")), status=2)
    assert "is neither a date such as 2026-06-30 nor 'latest'" in result.output


def problems_of(entry: Any) -> str:
    return ", ".join(str(problem) for problem in entry.problems)


@pytest.mark.parametrize(
    ("day", "as_of", "expected"),
    [
        ("2025-06-11", None, ""),
        ("2025-06-12", None, NO_QUANTITY),
        ("2025-06-11", "latest", NO_QUANTITY),
        ("2026-11-11", date(2025, 6, 11), ""),
    ],
)
def test_read_log_and_map_log_report_the_same_problems(day: str, as_of: AsOf, expected: str) -> None:
    log = frame(CANCEL, at(day)) + b"\n"
    (entry,) = read_log(io.BytesIO(log), as_of=as_of)
    assert problems_of(entry) == expected
    assert isinstance(entry.message, OrderCancelRequest)
    assert list(map_log(problems_of, io.BytesIO(log), processes=1, as_of=as_of)) == [expected]


def test_a_field_that_only_an_older_dialect_has_is_kept_and_shown() -> None:
    log = frame(CANCEL, at("2025-06-11")) + b"\n"
    for number in range(6):  # a compiled decoder reads the later messages
        (entry,) = read_log(io.BytesIO(log))
        assert entry.message is not None, number
        assert entry.message.get_unknown(38) == b"10"
    assert "OrderQty=10" in run_decode(stdin=log).output
    assert '"OrderQty": "10"' in run_decode("--json", stdin=log).output
    (entry,) = read_log(io.BytesIO(frame(OLD_LOGON, at("2025-06-11")) + b"\n"))
    assert (entry.problems, entry.message.skip_pending_exec_reports) == ((), True)  # type: ignore[union-attr]


@pytest.mark.parametrize(("options", "status"), [((), 0), (("--as-of", "latest"), 1)])
def test_trace_uses_the_dialect_of_the_date(tmp_path: Path, options: tuple[str, ...], status: int) -> None:
    log = tmp_path / "orders.log"
    log.write_bytes(frame(CANCEL, at("2025-06-11")))
    for form in ((), ("--full",)):
        invoke("trace", "a2", log, *form, *options, status=status)


@pytest.mark.parametrize("recorded", [False, True])
def test_replay_uses_the_dialect_of_the_date(tmp_path: Path, recorded: bool) -> None:
    sent = [frame(SNAPSHOT, at("2026-06-15")), frame(DATED_SNAPSHOT, at("2026-11-15"))]
    path = tmp_path / "market.log"
    if recorded:
        time = datetime(2026, 6, 15, tzinfo=UTC)
        path.write_bytes(MAGIC + b"".join(pack(time, 1, Kind.RECEIVED, item) for item in sent))
    else:
        path.write_bytes(b"".join(b"2026-06-15 12:00:00.000 received " + item + b"\n" for item in sent))
    for as_of in (None, "latest", date(2026, 6, 15)):
        found = [event.event for event in read_events(path, as_of=as_of)]
        received = [item for item in found if isinstance(item, MessageReceived)]
        assert len(received) == 2
        assert not any(item.message.problems for item in received)
    assert MARKET in invoke("replay", path, "--as-of", "2026-06-15").output


# --- logs of the examples in each older dialect


CHANGE_DATES = {
    edge for change in HISTORY.changes if change.block for edge in (change.first_day, change.certain_from)
}
DAYS = sorted({day for edge in CHANGE_DATES for day in (edge - timedelta(days=1), edge)})


@pytest.fixture(scope="module")
def all_examples() -> list[examples.Example]:
    dialect = load_dialect(SPEC)
    results = examples.run(examples.load(dialect, SPEC))
    return [example for listed in results.values() for example in listed]


def strip(block: Block, layout: BlockLayout) -> None:
    """Remove the elements that did not exist on the date of the layout."""
    for member in layout.members:
        value = getattr(block, member.attribute)
        later = member.presence is Presence.FORBIDDEN and not member.rules
        if later and value is not None:
            setattr(block, member.attribute, [] if isinstance(member, GroupMember) else None)
        elif isinstance(member, GroupMember):
            for entry in value or ():
                strip(entry, member.entry)


def example_on(wire: str, day: date) -> bytes | None:
    """Return an example as it was on a day, or None if its message did not exist."""
    message = CODEC.decode(wire.replace("|", "\x01").encode())
    layout = DIALECT.as_of(day).messages[message.msg_type]
    if not any(
        layout.allowed(product, session, sender)
        for product in ("prediction", "margin")
        for session in DIALECT.session_types
        for sender in Sender
    ):
        return None
    strip(message, layout.body)
    message.header.sending_time = message.header.sending_time.replace(
        year=day.year, month=day.month, day=day.day
    )
    return codec_as_of(day).encode(message, message.header)


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_a_log_of_the_examples_in_an_older_dialect_has_no_problem(
    day: date, all_examples: list[examples.Example]
) -> None:
    frames = [example_on(example.wire, day) for example in all_examples]
    existing = [frame for frame in frames if frame is not None]
    assert len(existing) > 30
    result = run_decode(stdin=b"\n".join(existing) + b"\n", status=0)
    assert len(result.output.splitlines()) == len(existing)
    assert [problems_of(item) for item in read_log(io.BytesIO(b"\n".join(existing)))] == [""] * len(existing)
