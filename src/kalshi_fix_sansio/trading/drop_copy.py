"""Requests for past execution reports (drop copy), repeated until each range is complete.

A request names a range of ExecIDs of one shard, both ends inclusive. The venue sends copies of the reports,
and then their count. On KalshiNR, live (unsolicited) reports may arrive among the copies, and no field
distinguishes them. Every report that may be a copy is therefore treated as a copy. A copy proves less than a
live report, because a newer report may exist. Source: Kalshi's page on drop copy.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
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
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.dialect.base import values_of
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_sansio.events import (
    LoggedOn,
    MessageReceived,
    MessageRejected,
    MessagesLost,
    OutcomesUnknown,
    RejectReceived,
    SequenceSkipped,
    SessionEnded,
)
from kalshi_fix_sansio.trading.common.dumping import (
    NOT_DUMPED,
    dump_attributes,
    keyed_by,
    load_attributes,
    loading,
)
from kalshi_fix_sansio.trading.common.exec_key import ExecKey
from kalshi_fix_sansio.trading.common.received import clipped, remember
from kalshi_fix_sansio.trading.common.unanswered import UnattributedRequests
from kalshi_fix_sansio.trading.common.uncertain_items import Remedy, UncertainItem, numbered_items
from kalshi_fix_sansio.trading.orders.uncertain_orders import DropCopyRange, DropCopyReport

MAX_SHARDS: Final = 64
"""Maximum number of shards whose ranges are requested or remembered."""
MAX_RANGES: Final = 64
"""Maximum number of separate ranges remembered for each shard."""
MARGIN: Final = "margin"
DROP_COPY: Final = "KalshiDC"
_RETRY_REASONS: Final = frozenset(
    (BusinessRejectReason.RATE_LIMIT_EXCEEDED, BusinessRejectReason.APPLICATION_NOT_AVAILABLE)
)


class CopyState(Enum):
    """Progress of a range. The values complete the sentence "the reports ...".

    Attributes:
        FAILED: Use REST, or request the range again with `DropCopy.request`.
    """

    WAITING = "have not been requested yet"
    REQUESTED = "have been requested"
    FAILED = "are not available from drop copy"


class CopyRange(NamedTuple):
    """A range of reports of one shard, both ends inclusive.

    Attributes:
        begin: Key of the first report.
        end: Key of the last report.
    """

    begin: ExecKey
    end: ExecKey


@attrs.define(eq=False)
class PendingRange:
    """A range of reports that is not complete: waiting to be requested, requested, or failed. Read-only for
    the user.

    Attributes:
        begin: Key of the first report.
        end: Key of the last report; None for a range up to the latest report.
        epoch: `Orders.epoch` when the range was passed to `DropCopy.request`.
        since: Time at which it was first passed to `DropCopy.request`, in UTC.
        state: Progress of the range.
        refusals: Number of consecutive answers that did not complete the range.
        faults: Number of those answers that count toward the `max_faults` of `DropCopy`.
        why: Reason why the last answer did not complete the range, for humans.
        due: Time of the next request, in seconds of `Instant.monotonic`.
    """

    begin: ExecKey
    end: ExecKey | None
    epoch: int
    since: datetime
    state: CopyState = CopyState.WAITING
    refusals: int = 0
    faults: int = 0
    why: str = ""
    due: float = attrs.field(default=0.0, metadata=NOT_DUMPED)

    @property
    def shard(self) -> int:
        """The exchange shard of the reports."""
        return self.begin.shard

    def contains(self, key: ExecKey) -> bool:
        """Return whether a report is in this range."""
        return key.shard == self.shard and self.begin <= key and (self.end is None or key <= self.end)


@attrs.define(eq=False)
class _Reply:
    """The reports received so far for the requested range."""

    pending: PendingRange
    request: EventResendRequest
    sent_at: datetime
    """UTC."""
    seen: dict[tuple[ExecKey, str, str], None] = attrs.field(factory=dict)
    """ExecID, OrderID and ExecType of each report, to count each report once. The ExecID alone is not enough,
    because both sides of one trade may belong to the same user. This is a dict rather than a set, because
    freeing 100,000 keys takes 10 ms instead of 50 ms.
    """
    keys: list[ExecKey] = attrs.field(factory=list)
    """The keys of the reports, kept in ascending order, because sorting 100,000 at the end would take up to
    100 ms.
    """
    overflow: bool = False
    """Whether the limit on reports was exceeded."""


@attrs.frozen
class _State:
    """The layout of a dump."""

    _use_dollars: bool
    pending: list[PendingRange]
    _covered: dict[int, list[CopyRange]]
    forgotten: dict[int, ExecKey] = attrs.field(metadata=keyed_by("shard"))
    left_out: int
    unattributed: UnattributedRequests


class DropCopy:
    """Requests past execution reports, one range at a time, and reports when a range is complete.

    Pass every event of the session to `apply`, and pass the objects that it returns to `Orders.apply`. On
    KalshiNR, orders use the same session: do not pass its events to `Orders` directly, because `apply`
    returns them too.
    """

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
        """Start without ranges to request.

        Args:
            session_type: KalshiDC, or KalshiNR.
            product: prediction or margin. For margin, prices are in dollars regardless of the Logon.
            logon: the fields of the session's Logon, used until the first LoggedOn event, which contains
                them. Default: UseDollars is set.
            pause: seconds before a range is requested again; doubled after each further failure.
            max_pause: longest pause, in seconds.
            max_faults: number of incomplete answers and refusals after which a range is FAILED. Refusals for
                exceeding a rate limit, or because the application is not available, do not count.
            max_reports: maximum number of reports in one answer. Their keys are kept to verify the count,
                about 250 bytes each. A range with more reports is FAILED.
        """
        self._session_type, self._product = session_type, product
        logon_fields: Any = {"use_dollars": True} if logon is None else logon
        fields = values_of(logon_fields) if isinstance(logon_fields, LogonFields) else logon_fields
        self._use_dollars: bool = fields.get("use_dollars") is True
        self._pause, self._max_pause = pause, max_pause
        self._max_faults, self._max_reports = max_faults, max_reports
        self._logged_on = False
        self._waiting: dict[int, PendingRange] = {}
        """Ranges that wait to be requested, by shard."""
        self._failed: dict[int, PendingRange] = {}
        """Ranges that drop copy cannot return, by shard."""
        self._reply: _Reply | None = None
        self._covered: dict[int, list[CopyRange]] = {}
        self.forgotten: dict[int, ExecKey] = {}
        """The newest key that the venue has rejected as too old, by shard. Pass it to
        `Orders.drop_copy_start`."""
        self.left_out: int = 0
        """Number of ranges that were not requested, or not kept, because there were too many shards."""
        self.unattributed: UnattributedRequests = UnattributedRequests()
        """Requests with an unknown outcome that could not be decoded."""

    # --- queries --------------------------------------------------------------------------------------

    @property
    def requested(self) -> PendingRange | None:
        """The range that awaits its answer; no other range is requested until it arrives."""
        return None if self._reply is None else self._reply.pending

    @property
    def pending(self) -> list[PendingRange]:
        """All ranges that are not complete."""
        requested = [] if self._reply is None else [self._reply.pending]
        return [*requested, *self._waiting.values(), *self._failed.values()]

    def covered(self, shard: int) -> list[CopyRange]:
        """Return the complete ranges of a shard; overlapping ranges are merged."""
        return list(self._covered.get(shard, ()))

    def uncertain(self) -> list[UncertainItem]:
        """Return the ranges that are not complete, as uncertain items."""
        items = [_uncertain_item(each) for each in self.pending]
        if self.left_out:
            about = f"{self.left_out} range{'' if self.left_out == 1 else 's'} of reports"
            items.append(UncertainItem(what="not requested, because there are too many shards", about=about))
        items += numbered_items(
            self.unattributed, "the requested range is unknown", "request for past reports"
        )
        return items

    @property
    def dollars(self) -> bool:
        """Whether the session's prices are in dollars rather than cents."""
        return self._product == MARGIN or self._use_dollars

    # --- requests to send -----------------------------------------------------------------------------

    def request(
        self, begin: Mapping[int, ExecKey], epoch: int, now: Instant, *, end: ExecKey | None = None
    ) -> None:
        """Request all reports, starting at the given keys. Pass `orders.drop_copy_start()` and
        `orders.epoch`.

        If a range of a shard is already waiting, the new range is merged with it.

        Args:
            begin: by shard, the key of the first report, inclusive.
            epoch: the current `Orders.epoch`.
            now: the current time.
            end: key of the last report of its shard, inclusive; None for a range up to the latest report.
                Only ranges without an end resolve uncertainties.
        """
        for shard, key in begin.items():
            if shard not in self._waiting and len(self._waiting) >= MAX_SHARDS:
                self.left_out += 1
                continue
            last = end if end is not None and end.shard == shard else None
            self._put(self._waiting, PendingRange(key, last, epoch, now.utc, due=now.monotonic))

    def request_newer(self, epoch: int, now: Instant) -> None:
        """Request the reports since the last complete range of each shard.

        The new range begins with the last report of the complete one, so that the two overlap and are
        merged.
        """
        self.request({shard: ranges[-1].end for shard, ranges in self._covered.items()}, epoch, now)

    def next_deadline(self) -> float | None:
        """Return the time at which to call `handle_timer`, in seconds of `Instant.monotonic`; None while
        there is no request to send.
        """
        if self._reply is not None or not self._logged_on:
            return None
        return min((each.due for each in self._waiting.values()), default=None)

    def handle_timer(self, now: Instant) -> list[EventResendRequest]:
        """Return the request that is due, if there is one. Pass it to `apply`, and then send it."""
        due = self.next_deadline()
        if due is None or due > now.monotonic:
            return []
        # The range remains in `_waiting` until its request is passed to `apply`, so a request that was never
        # sent is returned again.
        first = min(self._waiting.values(), key=lambda each: each.due)
        end = None if first.end is None else str(first.end)
        return [EventResendRequest(begin_exec_id=str(first.begin), end_exec_id=end)]

    def withdraw(self, request: EventResendRequest) -> None:
        """Undo `apply` for a request that was not sent because `send` refused it."""
        if self._reply is not None and request is self._reply.request:
            self._put(self._waiting, self._reply.pending)

    def resolve(self, shard: int) -> None:
        """Remove the FAILED range of a shard, after the user has obtained its reports elsewhere, for example
        from REST.
        """
        self._failed.pop(shard, None)

    # --- applying messages and events -----------------------------------------------------------------

    def apply(self, event: object, now: Instant) -> list[object]:
        """Apply an event of the session, a received message, or a request that is about to be sent.

        Returns the objects to pass to `Orders.apply`, and to `RfqMaker.apply` or `RfqCreator.apply`:
        `DropCopyReport` and `DropCopyRange`, and on KalshiNR every other event unchanged, except the requests
        for past reports and their answers.

        Raises:
            LocalProtocolError: an EventResendRequest contains a malformed ExecID or the ExecID of pending
                reports, or an earlier request is still unanswered. Do not send the request.
        """
        message = event.message if isinstance(event, MessageReceived) else event
        forwarded: list[object] = [] if self._session_type == DROP_COPY else [event]
        match message:
            case ExecutionReport():
                return self._handle_report(message) or forwarded
            case EventResendComplete():
                return self._handle_complete(message, now)
            case EventResendReject():
                self._handle_reject(message, now)
                return []
            case EventResendRequest():
                self._handle_request(message, now)
                return []
            case RejectReceived(sent=EventResendRequest(), reject=reject):
                self._handle_other_reject(reject, now)
                return []
            case OutcomesUnknown():
                self._handle_unanswered(message, now)
            case MessagesLost() | SequenceSkipped(gap_fill=False):
                if self._reply is not None:
                    self._schedule_retry(self._reply.pending, "messages from the venue were lost", now)
            # If a report is lost, the number of received reports differs from the venue's count, which
            # `_handle_complete` detects. So only the loss of the end of the answer is handled here.
            case MessageRejected(message=None | EventResendComplete() | EventResendReject()):
                if self._reply is not None:
                    self._record_fault(self._reply.pending, "the end of its answer could not be read", now)
            case LoggedOn(flags=flags):
                self._use_dollars, self._logged_on = flags.get("use_dollars") is True, True
            # The venue does not send the rest of the answer after the next logon, because neither KalshiDC
            # nor KalshiNR resends messages.
            case SessionEnded():
                self._logged_on = False
                if self._reply is not None:
                    self._put(self._waiting, self._reply.pending)
        return forwarded

    def _handle_request(self, request: EventResendRequest, now: Instant) -> None:
        if self._reply is not None:
            raise LocalProtocolError("a request for past reports is still pending; send one at a time")
        begin, end = _parse_range(request)
        pending = self._waiting.get(begin.shard)
        if pending is not None and (pending.begin, pending.end) == (begin, end):
            del self._waiting[begin.shard]
        else:
            # A request that the user created. It resolves no uncertainty, because its epoch is unknown.
            pending = PendingRange(begin, end, 0, now.utc, due=now.monotonic)
        pending.state = CopyState.REQUESTED
        self._reply = _Reply(pending, request, now.utc)

    def _handle_unanswered(self, event: OutcomesUnknown, now: Instant) -> None:
        """Request unanswered ranges again, unless a pending range already contains them."""
        for each, message in self.unattributed.read(event, EventResendRequest):
            try:
                if message is None:
                    raise LocalProtocolError("its frame cannot be read")
                begin, end = _parse_range(message)
            except LocalProtocolError:
                self.unattributed.keep(each)
                continue
            if not any(pending.contains(begin) and _reaches(pending.end, end) for pending in self.pending):
                self.request({begin.shard: begin}, 0, now, end=end)

    def _handle_report(self, report: Any) -> list[object]:
        """Return the report as a DropCopyReport if it may be a copy; otherwise, return an empty list."""
        as_copy: list[object] = [DropCopyReport(report, self.dollars)]
        try:
            key = ExecKey.parse(report.exec_id or "")
        except ValueError:
            key = None
        reply = self._reply
        if reply is not None and key is not None and reply.pending.contains(key):
            if len(reply.keys) < self._max_reports:
                identity = key, clipped(report.order_id), clipped(str(report.exec_type))
                if identity not in reply.seen:
                    reply.seen[identity] = None
                    insort(reply.keys, key)
            else:
                reply.overflow = True
            return as_copy
        # On a session used only for drop copy, each report is a copy, regardless of the requested range.
        return as_copy if self._session_type == DROP_COPY else []

    def _handle_complete(self, complete: Any, now: Instant) -> list[object]:
        reply = self._reply
        if reply is None:
            return []
        pending, self._reply = reply.pending, None
        count: int | None = complete.resend_event_count
        received, may_include_live = len(reply.keys), self._session_type != DROP_COPY
        if reply.overflow:
            self._fail(pending, f"more than {self._max_reports} reports were received")
            return []
        # On KalshiDC the number of reports must equal the count. On KalshiNR it may be larger: live reports
        # of the same range are included.
        if count is None or not 0 <= count <= received or (count < received and not may_include_live):
            self._record_fault(
                pending, f"the number of reports received was {received} instead of {count}", now
            )
            return []
        # Live reports received in the meantime are newer than all copies, so the `count` lowest keys are the
        # copies. The range is complete only up to the last of them.
        last = reply.keys[count - 1] if count else pending.begin
        begin = self._record_covered(CopyRange(pending.begin, pending.end or last))
        failed = self._failed.get(pending.shard)
        if failed is not None and begin <= failed.begin and _reaches(pending.end, failed.end):
            del self._failed[pending.shard]
        return [DropCopyRange(pending.shard, begin, pending.epoch, pending.end, reply.sent_at)]

    def _record_covered(self, covered: CopyRange) -> ExecKey:
        """Remember a complete range, merged with the ranges that it overlaps; return the first key of the
        merged range.
        """
        shard = covered.begin.shard
        separate: list[CopyRange] = []
        for other in self._covered.get(shard, ()):
            if other.end < covered.begin or covered.end < other.begin:
                separate.append(other)
            else:
                covered = CopyRange(min(covered.begin, other.begin), max(covered.end, other.end))
        remember(self._covered, shard, sorted([*separate, covered])[-MAX_RANGES:], MAX_SHARDS)
        return covered.begin

    def _handle_reject(self, reject: Any, now: Instant) -> None:
        if self._reply is None:
            return
        pending, reason = self._reply.pending, reject.event_resend_reject_reason
        self._reply = None
        name = getattr(reason, "name", clipped(str(reason)))
        match reason:
            case EventResendRejectReason.TOO_MANY_REQUESTS:
                self._schedule_retry(pending, name, now)
            case EventResendRejectReason.BEGIN_TOO_SMALL:
                # The venue will never return these reports, because they only get older.
                newest = max(pending.begin, self.forgotten.get(pending.shard, pending.begin))
                remember(self.forgotten, pending.shard, newest, MAX_SHARDS)
                self._fail(pending, name)
            # This reject concerns the account, not the range.
            case EventResendRejectReason.NOT_ENABLED:
                for each in [pending, *self._waiting.values()]:
                    self._fail(each, name)
                self._waiting.clear()
            # The end is later than all reports, so a range without an end contains the same reports.
            case EventResendRejectReason.END_TOO_LARGE if pending.end is not None:
                pending.end = None
                self._put(self._waiting, pending)
            case _:
                self._record_fault(pending, name, now)

    def _handle_other_reject(self, reject: Any, now: Instant) -> None:
        if self._reply is None:
            return
        pending, self._reply = self._reply.pending, None
        why = clipped(f"{reject.NAME}: {reject.text or ''}")
        if getattr(reject, "business_reject_reason", None) in _RETRY_REASONS:
            self._schedule_retry(pending, why, now)
        else:
            self._fail(pending, why)

    def _record_fault(self, pending: PendingRange, why: str, now: Instant) -> None:
        """Count a fault. Request the range again later, or mark it as FAILED after too many faults."""
        pending.faults += 1
        if pending.faults >= self._max_faults:
            self._fail(pending, why)
        else:
            self._schedule_retry(pending, why, now)

    def _schedule_retry(self, pending: PendingRange, why: str, now: Instant) -> None:
        # The exponent is limited, because many consecutive rejects would make the power overflow.
        pause = min(self._max_pause, self._pause * 2.0 ** min(pending.refusals, 30))
        pending.refusals, pending.why, pending.due = pending.refusals + 1, why, now.monotonic + pause
        self._put(self._waiting, pending)

    def _fail(self, pending: PendingRange, why: str) -> None:
        pending.why = why
        while pending.shard not in self._failed and len(self._failed) >= MAX_SHARDS:
            del self._failed[next(iter(self._failed))]
            self.left_out += 1
        self._put(self._failed, pending)

    def _put(self, ranges: dict[int, PendingRange], pending: PendingRange) -> None:
        """Add an incomplete range to `ranges`, merged with the range that is already there for its shard."""
        if self._reply is not None and self._reply.pending is pending:
            self._reply = None
        pending.state = CopyState.FAILED if ranges is self._failed else CopyState.WAITING
        # Each shard has one range, so the merged range also includes the reports between the two. Duplicate
        # reports do no harm, but a second request would count toward the venue's limit.
        other = ranges.get(pending.shard)
        if other is not None:
            pending.begin = min(pending.begin, other.begin)
            pending.end = None if pending.end is None or other.end is None else max(pending.end, other.end)
            pending.epoch, pending.since = max(pending.epoch, other.epoch), min(pending.since, other.since)
            pending.refusals = max(pending.refusals, other.refusals)
            pending.faults = max(pending.faults, other.faults)
            pending.why, pending.due = pending.why or other.why, max(pending.due, other.due)
        ranges[pending.shard] = pending

    # --- dump and load --------------------------------------------------------------------------------

    def dump(self) -> dict[str, Any]:
        """Return the state as JSON values, for `load`. Dump `Orders` at the same time: its dump must
        include the reports of all ranges that are complete in this dump.
        """
        return dump_attributes(self, _State)

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Replace the state with one that `dump` returned. Call `load` before the session logs on. Ranges
        that are neither complete nor FAILED are requested again.

        Raises:
            ValueError: the dump was not produced by `dump` of this class and version; the state is unchanged.
        """
        with loading(dumped, _State, "DropCopy") as state:
            # Put the ranges into a new object first, so an unreadable dump leaves this one unchanged.
            fresh = DropCopy()
            for pending in state.pending:
                failed = pending.state is CopyState.FAILED
                fresh._put(fresh._failed if failed else fresh._waiting, pending)
        load_attributes(self, state)
        self._waiting, self._failed = fresh._waiting, fresh._failed
        self._reply, self._logged_on = None, False


def _parse_key(text: str) -> ExecKey:
    try:
        key = ExecKey.parse(text)
    except ValueError as error:
        raise LocalProtocolError(str(error)) from error
    if key is None:
        raise LocalProtocolError(f"{text} is the ExecID of pending reports; use the ExecID of another report")
    return key


def _parse_range(request: EventResendRequest) -> tuple[ExecKey, ExecKey | None]:
    begin = _parse_key(request.begin_exec_id)
    return begin, None if request.end_exec_id is None else _parse_key(request.end_exec_id)


def _reaches(end: ExecKey | None, other: ExecKey | None) -> bool:
    """Return whether the end of a range is at or after the end of another range; None means no end."""
    return end is None or (other is not None and other <= end)


def _uncertain_item(pending: PendingRange) -> UncertainItem:
    failed = pending.state is CopyState.FAILED
    return UncertainItem(
        what=f"they {pending.state.value}" + (f" ({pending.why})" if pending.why else ""),
        about=f"reports from {pending.begin}" + ("" if pending.end is None else f" to {pending.end}"),
        since=pending.since,
        remedies=(Remedy.REST,) if failed else (Remedy.DROP_COPY, Remedy.REST),
    )
