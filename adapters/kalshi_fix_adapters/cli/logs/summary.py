"""The summary of a log: the number of messages of each type, gaps, problems, and latencies of reports."""

from __future__ import annotations

from array import array
from collections import Counter, OrderedDict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

import attrs

from kalshi_fix_adapters.cli.kit.terminal import Line, plain, pluralize, printable
from kalshi_fix_adapters.logs.entries import Direction
from kalshi_fix_sansio import DIALECT
from kalshi_fix_sansio.dialect.layout import Sender

MAX_ENTRIES: Final = 10_000
"""Maximum number of CompID pairs, of message types, and of gaps; each has this limit."""
MAX_WAITING: Final = 100_000
"""Maximum number of requests without a report. If there are more, the oldest is dropped."""
MAX_LATENCIES: Final = 1_000_000
"""Maximum number of latencies that are kept; later latencies are ignored."""
MAX_GAPS_SHOWN: Final = 20
_LOGON, _SEQUENCE_RESET = "A", "4"
_REQUESTS: Final = frozenset(
    layout.msg_type
    for layout in DIALECT.messages.values()
    if any(member.name == "ClOrdID" for member in layout.body.members)
    and any(layout.allowed(p, s, Sender.CLIENT) for s, k in DIALECT.session_types.items() for p in k.products)
)
"""MsgTypes of client messages that have a ClOrdID and are answered with a report."""


@attrs.frozen
class MessageFacts:
    """The values of one message that the summary needs."""

    line: int
    time: datetime | None
    direction: Direction | None
    msg_type: str
    sender: str
    target: str
    seq_num: int | None
    """MsgSeqNum."""
    poss_dup: bool
    """Whether PossDupFlag is Y."""
    reset: bool
    """Whether ResetSeqNumFlag is Y."""
    new_seq_no: int | None
    """NewSeqNo of a SequenceReset."""
    client_id: str | None
    """ClOrdID."""


@attrs.define
class _Gap:
    line: int
    comp_ids: tuple[str, str]
    """SenderCompID and TargetCompID."""
    first: int
    last: int


class Summary:
    """Summarizes messages in the order of the log."""

    def __init__(self) -> None:
        self.message_count: int = 0
        self.problem_count: int = 0
        self._types: Counter[str] = Counter()
        self._first: datetime | None = None
        self._last: datetime | None = None
        self._next: dict[tuple[str, str], int] = {}
        """The MsgSeqNum that is expected next, by SenderCompID and TargetCompID."""
        self._gaps: list[_Gap] = []
        self._omitted_gaps = 0
        self._waiting: OrderedDict[str, datetime] = OrderedDict()
        """The times of requests without a report, by ClOrdID."""
        self._latencies = array("d")
        """Microseconds from each request to its first report."""

    def add(self, facts: MessageFacts, *, selected: bool, has_problems: bool) -> None:
        """Add a message. If it is not `selected`, only its sequence number is checked."""
        self._track_number(facts)
        if not selected:
            return
        self.message_count += 1
        self.problem_count += has_problems
        if facts.msg_type in self._types or len(self._types) < MAX_ENTRIES:
            self._types[facts.msg_type] += 1
        if facts.time is not None:
            self._first = self._first or facts.time
            self._last = facts.time
            self._measure_latency(facts, facts.time)

    def _measure_latency(self, facts: MessageFacts, time: datetime) -> None:
        if facts.client_id is None or facts.poss_dup:
            return
        is_request = facts.msg_type in _REQUESTS if facts.direction is None else facts.direction == "sent"
        if is_request:
            self._waiting[facts.client_id] = time
            if len(self._waiting) > MAX_WAITING:
                self._waiting.popitem(last=False)
            return
        sent_at = self._waiting.pop(facts.client_id, None)
        if sent_at is not None and len(self._latencies) < MAX_LATENCIES:
            self._latencies.append((time - sent_at) / timedelta(microseconds=1))

    def _track_number(self, facts: MessageFacts) -> None:
        """Record a gap before the message, if there is one, and the number that is expected next."""
        number = facts.seq_num
        if number is None:
            return
        key = facts.sender, facts.target
        expected = self._next.get(key)
        if facts.poss_dup:
            self._shorten_gap(key, number, number)
        elif facts.reset and facts.msg_type == _LOGON:
            expected = None
        if expected is not None and number > expected:
            if len(self._gaps) < MAX_ENTRIES:
                self._gaps.append(_Gap(facts.line, key, expected, number - 1))
            else:
                self._omitted_gaps += 1
        next_number = number + 1
        if facts.msg_type == _SEQUENCE_RESET and facts.new_seq_no is not None:
            self._shorten_gap(key, number, facts.new_seq_no - 1)
            next_number = facts.new_seq_no
        # The number of a Logon counts even if it is lower than expected, because a Logon may restart the
        # numbers without ResetSeqNumFlag, for example after the loss of a store.
        is_advance = (
            expected is None or next_number > expected or (not facts.poss_dup and facts.msg_type == _LOGON)
        )
        if is_advance and (key in self._next or len(self._next) < MAX_ENTRIES):
            self._next[key] = next_number

    def _shorten_gap(self, key: tuple[str, str], first: int, last: int) -> None:
        """Remove resent or skipped numbers, which arrive in order, from the beginning of a gap."""
        for gap in reversed(self._gaps):
            if gap.comp_ids == key and first <= gap.first <= last:
                gap.first = last + 1
                if gap.first > gap.last:
                    self._gaps.remove(gap)
                return

    def lines(self) -> Iterator[Line]:
        """Yield the lines of the summary."""
        span = ""
        if self._first is not None and self._last is not None:
            span = f", {self._first:%Y-%m-%d %H:%M:%S} to {self._last:%Y-%m-%d %H:%M:%S}"
        yield (("bold", f"{pluralize(self.message_count, 'message')}{span}"),)
        for msg_type, count in self._types.most_common():
            layout = DIALECT.messages.get(msg_type)
            name = layout.name if layout is not None else "unknown"
            yield plain(f"  {count:>9,}  {name} ({printable(msg_type)})")
        yield (
            (
                "bold red" if self.problem_count else "",
                f"{pluralize(self.problem_count, 'message')} with problems",
            ),
        )
        gaps = len(self._gaps) + self._omitted_gaps
        yield (("bold red" if gaps else "", f"{pluralize(gaps, 'gap')} in MsgSeqNum"),)
        for gap in self._gaps[:MAX_GAPS_SHOWN]:
            numbers = f"{gap.first}" if gap.first == gap.last else f"{gap.first} to {gap.last}"
            route = " to ".join(map(printable, gap.comp_ids))
            yield plain(f"  before line {gap.line}: {numbers}, {route}")
        if gaps > MAX_GAPS_SHOWN:
            yield plain(f"  and {gaps - MAX_GAPS_SHOWN} more")
        yield from self._latency_lines()

    def _latency_lines(self) -> Iterator[Line]:
        latencies = sorted(self._latencies)
        if not latencies:
            return
        yield plain(f"from request to first report, {pluralize(len(latencies), 'request')}:")
        quantiles = (("min", 0.0), ("median", 0.5), ("p99", 0.99), ("max", 1.0))
        texts = (
            f"{name} {_duration_text(latencies[round((len(latencies) - 1) * quantile)])}"
            for name, quantile in quantiles
        )
        yield plain(f"  {', '.join(texts)}")


def _duration_text(microseconds: float) -> str:
    if abs(microseconds) < 1_000:
        return f"{microseconds:.0f} us"
    return (
        f"{microseconds / 1_000:.1f} ms" if abs(microseconds) < 1_000_000 else f"{microseconds / 1e6:.2f} s"
    )
