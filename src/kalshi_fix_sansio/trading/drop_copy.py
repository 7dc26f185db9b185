"""Past execution reports on request (drop copy), until nothing is missing.

A request names a range of ExecIDs of one shard, both ends inclusive; the reports come, then how many they
were. On KalshiNR live reports come in between, with nothing that marks them, so a report that may be a copy
is taken for one: a copy proves less. Facts: Kalshi's page on drop copy.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from heapq import nsmallest
from typing import Any, Final, NamedTuple

import attrs

from kalshi_fix_sansio._generated import (
    BusinessRejectReason,
    EventResendComplete,
    EventResendReject,
    EventResendRejectReason,
    EventResendRequest,
    ExecutionReport,
    LogonFields,
)
from kalshi_fix_sansio.base import values_of
from kalshi_fix_sansio.classes.explained import explained
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_sansio.events import LoggedOn, MessageReceived, RejectReceived, SessionEnded
from kalshi_fix_sansio.trading.doubts import Doubt, Remedy
from kalshi_fix_sansio.trading.dumping import (
    VERSION,
    dump_text,
    dump_time,
    load_key,
    load_optional_key,
    reading_dump,
)
from kalshi_fix_sansio.trading.exec_key import ExecKey
from kalshi_fix_sansio.trading.order_doubts import Copied, Covered

MAX_SHARDS: Final = 64
"""Shards of which ranges are asked for, or remembered."""
MAX_RANGES: Final = 64
"""Ranges of a shard that are remembered apart."""
MAX_TEXT: Final = 256
"""Characters of a refusal that are kept."""
MARGIN: Final = "margin"
DROP_COPY: Final = "KalshiDC"
_LATER: Final = frozenset(
    (BusinessRejectReason.RATE_LIMIT_EXCEEDED, BusinessRejectReason.APPLICATION_NOT_AVAILABLE)
)


@explained
class CopyState(Enum):
    """How far a range is."""

    WAITING = "to be asked for"
    ASKED = "asked for"
    FAILED = "not to be had by drop copy"
    """Ask REST. It may be asked for again, by `DropCopy.ask`."""


@explained
class CopyRange(NamedTuple):
    """Reports of one shard, both ends inclusive."""

    begin: ExecKey
    """Key of the first report."""
    end: ExecKey
    """Key of the last one."""


@explained
@attrs.define(eq=False)
class Wanted:
    """A range that was asked for and has not come. To be read alone."""

    begin: ExecKey
    """Key of the first report."""
    end: ExecKey | None
    """None: up to the latest report."""
    moment: int
    """`Orders.moment` when it was asked for."""
    since: datetime
    """When it was asked for first, in UTC."""
    state: CopyState = CopyState.WAITING
    """How far it is."""
    refusals: int = 0
    """Answers in a row by which it did not come."""
    faults: int = 0
    """Those of them that were faults of the venue."""
    why: str = ""
    """What the last one said, for people."""
    due: float = 0.0
    """When it is to be asked for again, in seconds of `Instant.monotonic`."""

    @property
    def shard(self) -> int:
        """The shard of the exchange that its reports come from."""
        return self.begin.shard

    def has(self, key: ExecKey) -> bool:
        """Say whether a report is of this range."""
        return key.shard == self.shard and self.begin <= key and (self.end is None or key <= self.end)


@attrs.define(eq=False)
class _Reply:
    """What has come of the range that was asked for."""

    wanted: Wanted
    request: EventResendRequest
    seen: set[tuple[ExecKey, str, str]] = attrs.field(factory=set)
    """ExecID, OrderID and ExecType of its reports: both sides of one trade may be one's own."""
    overflow: bool = False
    """Whether there were more than are kept."""


class DropCopy:
    """Asks for past execution reports, one range at a time, and says when all of it has come.

    Give `apply` every event of the session; what it returns is for `Orders.apply`. On KalshiNR, where the
    session is that of the orders too, give `Orders` the events by this way alone.
    """

    __slots__ = (
        "_covered",
        "_failed",
        "_logon",
        "_max_faults",
        "_max_pause",
        "_max_reports",
        "_on",
        "_pause",
        "_product",
        "_reply",
        "_session_type",
        "_wanted",
        "forgotten",
        "left_out",
    )

    def __init__(
        self,
        session_type: str = DROP_COPY,
        *,
        product: str = "prediction",
        logon: LogonFields | Mapping[str, Any] | None = None,
        pause: float = 1.0,
        max_pause: float = 60.0,
        max_faults: int = 8,
        max_reports: int = 100_000,
    ) -> None:
        """Start with nothing to ask for.

        Args:
            session_type: KalshiDC, or KalshiNR.
            product: on margin, prices are in dollars whatever the Logon says.
            logon: what the session logs on with; needed only before the first LoggedOn, which tells it.
                Default: UseDollars.
            pause: seconds before a range is asked for again; twice as long after each refusal.
            max_pause: seconds of the longest pause.
            max_faults: after as many faults of the venue in a row a range is told as FAILED. To be refused
                for asking too often is none.
            max_reports: of one answer, to be held against the count, about 250 bytes each. One of more than
                these is not complete.
        """
        self._session_type, self._product = session_type, product
        given: Any = {"use_dollars": True} if logon is None else logon
        self._logon: Mapping[str, Any] = values_of(given) if isinstance(given, LogonFields) else dict(given)
        self._pause, self._max_pause = pause, max_pause
        self._max_faults, self._max_reports = max_faults, max_reports
        self._on = False
        self._wanted: dict[int, Wanted] = {}
        """By shard: what is waiting."""
        self._failed: dict[int, Wanted] = {}
        """By shard: what is not to be had."""
        self._reply: _Reply | None = None
        self._covered: dict[int, list[CopyRange]] = {}
        self.forgotten: dict[int, ExecKey] = {}
        """By shard: the venue has said that a range from here on is too old. For `Orders.copy_from`."""
        self.left_out: int = 0
        """Ranges that were not asked for, because there are more shards than are followed."""

    # --- to be asked ----------------------------------------------------------------------------------

    @property
    def asked(self) -> Wanted | None:
        """The range that waits for its answer; until it has come, no other is asked for."""
        return None if self._reply is None else self._reply.wanted

    @property
    def wanted(self) -> list[Wanted]:
        """All that was asked for and has not come."""
        asked = [] if self._reply is None else [self._reply.wanted]
        return [*asked, *self._wanted.values(), *self._failed.values()]

    def covered(self, shard: int) -> list[CopyRange]:
        """Return the ranges of a shard of which every report has come, joined where they meet."""
        return list(self._covered.get(shard, ()))

    def doubts(self) -> list[Doubt]:
        """Return what was asked for and has not come."""
        found = [_doubt(each) for each in self.wanted]
        if self.left_out:
            found.append(Doubt(what="they were not asked for", about=f"{self.left_out} ranges of reports"))
        return found

    @property
    def dollars(self) -> bool:
        """Whether prices of the session are in dollars, not in cents."""
        return self._product == MARGIN or self._logon.get("use_dollars") is True

    # --- to be sent -----------------------------------------------------------------------------------

    def ask(
        self, begin: Mapping[int, ExecKey], moment: int, now: Instant, *, end: ExecKey | None = None
    ) -> None:
        """Want all reports from these on, by shard: `orders.copy_from()`, with `orders.moment`.

        What is wanted of a shard already becomes one range with it.

        Args:
            begin: the first report of each shard, inclusive.
            moment: `Orders.moment` as it is now.
            now: the time.
            end: the last report of its shard, inclusive; None for up to the latest. Only ranges without an
                end settle doubts.
        """
        for shard, key in begin.items():
            if shard not in self._wanted and len(self._wanted) >= MAX_SHARDS:
                self.left_out += 1
                continue
            last = end if end is not None and end.shard == shard else None
            self._put(self._wanted, Wanted(key, last, moment, now.utc, due=now.monotonic))

    def follow(self, moment: int, now: Instant) -> None:
        """Want what has come since on each shard of which something is covered.

        The range begins with the last report that is covered, so that both are joined.
        """
        self.ask({shard: ranges[-1].end for shard, ranges in self._covered.items()}, moment, now)

    def next_deadline(self) -> float | None:
        """When to call `handle_timer`, in seconds of `Instant.monotonic`; None while there is nothing to
        send."""
        if self._reply is not None or not self._on:
            return None
        return min((each.due for each in self._wanted.values()), default=None)

    def handle_timer(self, now: Instant) -> list[EventResendRequest]:
        """Return the request that is due, if one is. Give it to `apply`, and then send it."""
        due = self.next_deadline()
        if due is None or due > now.monotonic:
            return []
        # It stays in `_wanted` until `apply` is told that it is sent: a request that never left is asked for
        # again.
        first = min(self._wanted.values(), key=_due)
        return [EventResendRequest(begin_exec_id=str(first.begin), end_exec_id=dump_text(first.end))]

    def withdraw(self, request: EventResendRequest) -> None:
        """Take back a request that `send` has refused, so that nothing of it left."""
        if self._reply is not None and request is self._reply.request:
            self._put(self._wanted, self._reply.wanted)

    def resolve(self, shard: int) -> None:
        """Take that the user has found out elsewhere, such as by REST, what FAILED reports of a shard say."""
        self._failed.pop(shard, None)

    # --- what happened --------------------------------------------------------------------------------

    def apply(self, happened: object, now: Instant) -> list[object]:
        """Take an event of the session, a message received, or a request that is about to be sent.

        Returns what is to be given to `Orders.apply`: `Copied` and `Covered`, and on KalshiNR everything else
        as it came.

        Raises:
            LocalProtocolError: an EventResendRequest, while another has no answer, or of which ExecID is
                malformed. Do not send it.
        """
        message = happened.message if isinstance(happened, MessageReceived) else happened
        passed: list[object] = [] if self._session_type == DROP_COPY else [happened]
        match message:
            case ExecutionReport():
                return self._take_report(message) or passed
            case EventResendComplete():
                return self._take_complete(message, now)
            case EventResendReject():
                self._take_reject(message, now)
                return []
            case EventResendRequest():
                self._take_request(message, now)
                return []
            case RejectReceived(sent=EventResendRequest(), reject=reject):
                self._take_other_reject(reject, now)
                return []
            case LoggedOn(flags=flags):
                self._logon, self._on = dict(flags), True
            # Neither session type of drop copy has resend: an answer that was cut short has to be asked for
            # anew.
            case SessionEnded():
                self._on = False
                if self._reply is not None:
                    self._put(self._wanted, self._reply.wanted)
        return passed

    def _take_request(self, request: EventResendRequest, now: Instant) -> None:
        if self._reply is not None:
            raise LocalProtocolError("past reports were asked for, and have not come; ask one at a time")
        begin, end = _key(request.begin_exec_id), None
        if request.end_exec_id is not None:
            end = _key(request.end_exec_id)
        wanted = self._wanted.get(begin.shard)
        if wanted is not None and (wanted.begin, wanted.end) == (begin, end):
            del self._wanted[begin.shard]
        else:
            # The user's own: it settles no doubt, since nobody knows what was in doubt when he made it.
            wanted = Wanted(begin, end, 0, now.utc, due=now.monotonic)
        wanted.state = CopyState.ASKED
        self._reply = _Reply(wanted, request)

    def _take_report(self, report: Any) -> list[object]:
        """Return a report as a copy, if it may be one."""
        copied: list[object] = [Copied(report, self.dollars)]
        try:
            key = ExecKey.parse(report.exec_id or "")
        except ValueError:
            key = None
        reply = self._reply
        if reply is not None and key is not None and reply.wanted.has(key):
            if len(reply.seen) < self._max_reports:
                reply.seen.add((key, (report.order_id or "")[:MAX_TEXT], str(report.exec_type)[:MAX_TEXT]))
            else:
                reply.overflow = True
            return copied
        # On a session that has nothing but copies it proves what it says, whatever was asked for.
        return copied if self._session_type == DROP_COPY else []

    def _take_complete(self, complete: Any, now: Instant) -> list[object]:
        reply = self._reply
        if reply is None:
            return []
        wanted, self._reply = reply.wanted, None
        count: int | None = complete.resend_event_count
        came, more = len(reply.seen), self._session_type != DROP_COPY
        if reply.overflow:
            self._fail(wanted, f"more than {self._max_reports} reports came")
            return []
        # On KalshiDC exactly as many have to have come. On KalshiNR more may have: live ones of the same
        # range.
        if count is None or not 0 <= count <= came or (count < came and not more):
            self._try_again(wanted, f"{came} reports came, and were to be {count}", now)
            return []
        # What came live meanwhile is newer than all that was copied, so the first `count` are the copies;
        # only as far as these reach is nothing missing.
        keys = nsmallest(count, (each[0] for each in reply.seen))
        begin = self._join(CopyRange(wanted.begin, wanted.end or max(keys, default=wanted.begin)))
        failed = self._failed.get(wanted.shard)
        if failed is not None and begin <= failed.begin and _reaches(wanted.end, failed.end):
            del self._failed[wanted.shard]
        return [Covered(wanted.shard, begin, wanted.moment, wanted.end)]

    def _join(self, covered: CopyRange) -> ExecKey:
        """Remember that all of a range has come; return where that begins which has come in one piece."""
        shard = covered.begin.shard
        apart: list[CopyRange] = []
        for other in self._covered.pop(shard, ()):
            if other.end < covered.begin or covered.end < other.begin:
                apart.append(other)
            else:
                covered = CopyRange(min(covered.begin, other.begin), max(covered.end, other.end))
        while len(self._covered) >= MAX_SHARDS:
            del self._covered[next(iter(self._covered))]
        self._covered[shard] = sorted([*apart, covered])[-MAX_RANGES:]
        return covered.begin

    def _take_reject(self, reject: Any, now: Instant) -> None:
        if self._reply is None:
            return
        wanted, reason = self._reply.wanted, reject.event_resend_reject_reason
        self._reply = None
        name = getattr(reason, "name", str(reason)[:MAX_TEXT])
        match reason:
            case EventResendRejectReason.TOO_MANY_REQUESTS:
                self._wait(wanted, name, now)
            case EventResendRejectReason.BEGIN_TOO_SMALL:
                # It will not be had later either: reports only get older. Out and in again: the newest is
                # last.
                known = self.forgotten.pop(wanted.shard, wanted.begin)
                while len(self.forgotten) >= MAX_SHARDS:
                    del self.forgotten[next(iter(self.forgotten))]
                self.forgotten[wanted.shard] = max(known, wanted.begin)
                self._fail(wanted, name)
            # It concerns the account and not the range.
            case EventResendRejectReason.NOT_ENABLED:
                for each in [wanted, *self._wanted.values()]:
                    self._fail(each, name)
                self._wanted.clear()
            # The end has not happened yet: up to the latest report is all that there is.
            case EventResendRejectReason.END_TOO_LARGE if wanted.end is not None:
                wanted.end = None
                self._put(self._wanted, wanted)
            case _:
                self._try_again(wanted, name, now)

    def _take_other_reject(self, reject: Any, now: Instant) -> None:
        if self._reply is None:
            return
        wanted, self._reply = self._reply.wanted, None
        why = f"{reject.NAME}: {reject.text or ''}"[:MAX_TEXT]
        if getattr(reject, "business_reject_reason", None) in _LATER:
            self._wait(wanted, why, now)
        else:
            self._fail(wanted, why)

    def _try_again(self, wanted: Wanted, why: str, now: Instant) -> None:
        wanted.faults += 1
        if wanted.faults >= self._max_faults:
            self._fail(wanted, why)
        else:
            self._wait(wanted, why, now)

    def _wait(self, wanted: Wanted, why: str, now: Instant) -> None:
        # The exponent is bounded, or a venue that refuses for long enough would make it overflow.
        pause = min(self._max_pause, self._pause * 2.0 ** min(wanted.refusals, 30))
        wanted.refusals, wanted.why, wanted.due = wanted.refusals + 1, why, now.monotonic + pause
        self._put(self._wanted, wanted)

    def _fail(self, wanted: Wanted, why: str) -> None:
        wanted.why = why
        while wanted.shard not in self._failed and len(self._failed) >= MAX_SHARDS:
            del self._failed[next(iter(self._failed))]
            self.left_out += 1
        self._put(self._failed, wanted)

    def _put(self, kept: dict[int, Wanted], wanted: Wanted) -> None:
        """Keep a range that has not come, as one with what is kept of its shard already."""
        if self._reply is not None and self._reply.wanted is wanted:
            self._reply = None
        wanted.state = CopyState.FAILED if kept is self._failed else CopyState.WAITING
        # One range for each shard: the two and what is between them. Reports that come again do no harm, and
        # a second request would count against the venue's limit.
        other = kept.get(wanted.shard)
        if other is not None:
            wanted.begin = min(wanted.begin, other.begin)
            wanted.end = None if wanted.end is None or other.end is None else max(wanted.end, other.end)
            wanted.moment, wanted.since = max(wanted.moment, other.moment), min(wanted.since, other.since)
            wanted.refusals = max(wanted.refusals, other.refusals)
            wanted.faults = max(wanted.faults, other.faults)
            wanted.why, wanted.due = wanted.why or other.why, max(wanted.due, other.due)
        kept[wanted.shard] = wanted

    # --- to be kept by the user -----------------------------------------------------------------------

    def dump(self) -> dict[str, Any]:
        """Return what is known, as values that JSON has; `load` takes it. `Orders` is to be dumped at the
        same time: it has the reports of what is covered."""
        return {
            "version": VERSION,
            "logon": {name: value for name, value in self._logon.items() if isinstance(value, bool)},
            "wanted": [
                {
                    "begin": str(each.begin),
                    "end": dump_text(each.end),
                    "moment": each.moment,
                    "since": dump_time(each.since),
                    "failed": each.state is CopyState.FAILED,
                    "faults": each.faults,
                    "refusals": each.refusals,
                    "why": each.why,
                }
                for each in self.wanted
            ],
            "covered": [
                [str(each.begin), str(each.end)] for ranges in self._covered.values() for each in ranges
            ],
            "forgotten": [str(key) for key in self.forgotten.values()],
            "left_out": self.left_out,
        }

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Take the place of what is known by what `dump` gave, for a session that is to log on. What was
        asked for is asked for again.

        Raises:
            ValueError: it was given by another version, or not by `dump`; then nothing has changed.
        """
        with reading_dump(dumped, "drop copy", "DropCopy"):
            # Into a new one by the same rules, so that a dump that cannot be read changes nothing here.
            fresh = DropCopy(self._session_type, product=self._product, logon=dict(dumped["logon"]))
            for each in dumped["wanted"]:
                end = load_optional_key(each["end"])
                since = datetime.fromisoformat(each["since"])
                wanted = Wanted(load_key(each["begin"]), end, int(each["moment"]), since)
                wanted.faults, wanted.refusals = int(each["faults"]), int(each["refusals"])
                wanted.why = str(each["why"])
                fresh._put(fresh._failed if each["failed"] else fresh._wanted, wanted)
            for begin, end in dumped["covered"]:
                fresh._join(CopyRange(load_key(begin), load_key(end)))
            fresh.forgotten = {key.shard: key for key in map(load_key, dumped["forgotten"])}
            fresh.left_out = int(dumped["left_out"])
        for name in ("_logon", "_wanted", "_failed", "_covered", "forgotten", "left_out"):
            setattr(self, name, getattr(fresh, name))
        self._reply, self._on = None, False


def _key(text: str) -> ExecKey:
    try:
        key = ExecKey.parse(text)
    except ValueError as error:
        raise LocalProtocolError(str(error)) from error
    if key is None:
        raise LocalProtocolError(f"no report has the ExecID {text}")
    return key


def _reaches(end: ExecKey | None, other: ExecKey | None) -> bool:
    """Say whether a range goes as far as another one."""
    return end is None or (other is not None and other <= end)


def _due(wanted: Wanted) -> float:
    return wanted.due


def _doubt(wanted: Wanted) -> Doubt:
    failed = wanted.state is CopyState.FAILED
    return Doubt(
        what=f"they are {wanted.state.value}" + (f" ({wanted.why})" if wanted.why else ""),
        about=f"reports from {wanted.begin}" + ("" if wanted.end is None else f" to {wanted.end}"),
        since=wanted.since,
        remedies=(Remedy.REST,) if failed else (Remedy.DROP_COPY, Remedy.REST),
    )
