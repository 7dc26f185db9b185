"""Histories of `DropCopy`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from kalshi_fix_sansio import (
    BusinessMessageReject,
    BusinessRejectReason,
    EventResendComplete,
    EventResendReject,
    EventResendRejectReason,
    EventResendRequest,
    ExecutionReport,
)
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.events import MessageReceived, MessageRejected, RejectReceived
from kalshi_fix_sansio.trading import DropCopy, DropCopyRange, DropCopyReport, ExecKey
from tests.trading.histories.history import Player, parse_value, split
from tests.trading.histories.orders import EVENTS
from tests.trading.order_flow import NOON, logged_on, place, raw_report, report, unanswered


def instant(seconds: float) -> Instant:
    return Instant(100.0 + seconds, NOON + timedelta(seconds=seconds))


def key(exec_id: str) -> ExecKey:
    found = ExecKey.parse(exec_id)
    assert found is not None
    return found


class DropCopyPlayer(Player):
    """Plays histories of `DropCopy`, initially on an established drop copy session."""

    machine: DropCopy

    def __init__(self) -> None:
        super().__init__()
        self._seconds = 0.0
        self._event: Any = None
        """The last event."""
        self._built = EventResendRequest(begin_exec_id="-1;-1")
        """The last request that the machine built."""
        self.session("KalshiDC")

    def feed(self, event: object) -> list[object]:
        received = isinstance(event, (ExecutionReport, EventResendComplete, EventResendReject))
        self._event = MessageReceived(event) if isinstance(event, Message) and received else event
        return self.machine.apply(self._event, instant(self._seconds))

    def record(self, updates: list[Any]) -> None:
        self._last = updates

    def event(self, first: str, *words: str) -> Any:
        match first, *words:
            case "report", exec_id, *order_id:
                return report("new", exec_id, *order_id)
            case "raw-report", exec_id:
                return raw_report(exec_id=exec_id)
            case "complete", count:
                answer = EventResendComplete(ref_seq_num=2, resend_event_count=0)
                answer.resend_event_count = parse_value(count)
                return answer
            case "reject", reason:
                code = parse_value(reason) if reason.isdecimal() else EventResendRejectReason[reason]
                return EventResendReject(ref_seq_num=2, event_resend_reject_reason=code)
            case "business-reject", name, text:
                why = BusinessRejectReason[name]
                reject = BusinessMessageReject(
                    ref_seq_num=2, ref_msg_type="U1", business_reject_reason=why, text=text
                )
                return RejectReceived(reject, 2, self._built)
            case "message-rejected", *message:
                return MessageRejected(self.event(*message) if message else None, ())
            case ["send"]:
                return self._built
            case "user-request", begin, *end:
                return EventResendRequest(begin_exec_id=begin, end_exec_id=end[0] if end else None)
            case "unanswered", *request:
                return unanswered(self.event(*request))
            case ["logon"]:
                return logged_on()
            case ["place"]:
                return place()
        return EVENTS[first]

    # --- steps ------------------------------------------------------------------------------------------

    def session(self, session_type: str, *settings: str) -> None:
        """Begin on an established session of this type."""
        values = {name: parse_value(value) for name, value in split(settings)[1].items()}
        self.machine = DropCopy(session_type, **values)
        self.feed(logged_on())

    def request(self, *words: str) -> None:
        """Request reports from these ExecIDs on, one for each shard."""
        given, named = split(words)
        begin = {first.shard: first for first in map(key, given)}
        end = key(named["end"]) if "end" in named else None
        self.machine.request(begin, int(named.get("epoch", 1)), instant(self._seconds), end=end)

    def follow(self, epoch: str) -> None:
        self.machine.request_newer(int(epoch), instant(self._seconds))

    def resolve(self, shard: str) -> None:
        self.machine.resolve(int(shard))

    def withdraw(self, *exec_id: str) -> None:
        """Withdraw the last request that the machine built, or another one."""
        self.machine.withdraw(EventResendRequest(begin_exec_id=exec_id[0]) if exec_id else self._built)

    def builds(self, begin: str, *end: str) -> None:
        """Check the request that is due now; `-` means that none is due."""
        due = self.machine.handle_timer(instant(self._seconds))
        if begin == "-":
            assert due == []
        else:
            [self._built] = due
            assert self._built == EventResendRequest(begin_exec_id=begin, end_exec_id=end[0] if end else None)

    def sends(self, begin: str, *end: str) -> None:
        """Check the request that is due now, and send it; `-` means that none is due."""
        self.builds(begin, *end)
        if begin != "-":
            self.record(self.feed(self._built))

    def wait_until_due(self, seconds: str) -> None:
        """Check that the next request is due in this many seconds, and let them pass."""
        self.due(seconds)
        self.builds("-")
        self._seconds += float(seconds)

    # --- expectations -----------------------------------------------------------------------------------

    def due(self, seconds: str) -> None:
        """Check the seconds until the next request is due."""
        deadline = self.machine.next_deadline()
        left = None if deadline is None else deadline - instant(self._seconds).monotonic
        assert left == (None if seconds == "-" else float(seconds)), left

    def passed_on(self) -> None:
        """Check that the machine passes on the last event."""
        assert self._last == [self._event], self._last

    def passed_on_as_copy(self) -> None:
        """Check that the machine passes on the last report as a copy."""
        assert self._last == [DropCopyReport(self._event.message)], self._last

    def covers(self, begin: str, *more: str) -> None:
        """Check the range that the last event completed; its request was sent at noon or at `at`."""
        first, (_, named) = key(begin), split(more)
        end = key(named["end"]) if "end" in named else None
        sent_at = instant(float(named.get("at", 0))).utc
        expected = DropCopyRange(first.shard, first, int(named.get("epoch", 1)), end, sent_at)
        assert self._last == [expected], self._last

    def covered(self, shard: str, *expected: str) -> None:
        """Check the ranges of a shard that have been received."""
        self.check([f"{begin}-{end}" for begin, end in self.machine.covered(int(shard))], expected)

    def pending(self, *words: str) -> None:
        """Check the first ExecIDs of all incomplete ranges, and attributes that all of them have."""
        given, named = split(words)
        self.check([item.begin for item in self.machine.pending], given)
        for item in self.machine.pending:
            self.compare(item, (f"{name}={value}" for name, value in named.items()))

    def in_flight(self, begin: str) -> None:
        """Check the first ExecID of the range that is being received."""
        self.check(self.machine.requested and self.machine.requested.begin, [begin])

    def forgotten(self, *expected: str) -> None:
        """Check the first ExecIDs of the ranges that the venue no longer has."""
        self.check(self.machine.forgotten.values(), expected)

    def uncertain(self, *expected: str) -> None:
        """Check the first remedy of each uncertain item."""
        self.check([item.remedies[0] for item in self.machine.uncertain()], expected)

    def uncertain_texts(self, *expected: str) -> None:
        """Check the texts of the uncertain items."""
        found = [f"{item.about}: {item.what}" for item in self.machine.uncertain()]
        assert found == list(expected), found

    def unattributed(self, *expected: str) -> None:
        """Check the MsgSeqNums of the requests whose range is unknown."""
        self.check([item.seq_num for item in self.machine.unattributed], expected)
