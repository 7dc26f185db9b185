"""Drop copy: past execution reports on request (Kalshi's page on drop copy)."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta

import attrs

from kalshi_fix_sansio import (
    SESSION_TYPES,
    BusinessRejectReason,
    EventResendComplete,
    EventResendReject,
    EventResendRejectReason,
    EventResendRequest,
    ExecutionReport,
)
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_venue.exchange import Exchange, ExecId
from kalshi_fix_venue.exchange.outcomes import Outcome
from kalshi_fix_venue.gateway import reports
from kalshi_fix_venue.gateway.logins import Delivery, Handlers, Login, Result
from kalshi_fix_venue.gateway.past_reports import History, PastEvents
from kalshi_fix_venue.gateway.refusals import business_reject

WINDOW = timedelta(hours=SESSION_TYPES["KalshiDC"].past_reports_hours or 0)
MAX_EVENTS = 50_000
"""Maximum number of events retained for all accounts of a product together."""
PAGE_SIZE = 200
"""Number of reports passed to a session at a time; the next page follows once the previous one is written."""
REQUESTS_PER_MINUTE = 60
"""EventResendRequests (U1) allowed to an account per minute; Kalshi documents no figure."""
_MINUTE = timedelta(minutes=1)
_EXEC_ID = re.compile(r"(\d{1,18});(\d{1,18})(?:;(\d{1,9}))?", re.ASCII)
_ANY_OWNER = ""


@attrs.define(eq=False)
class _Replay:
    """A request whose reports are being sent."""

    request_seq_num: int
    pages: Iterator[list[ExecutionReport]]
    count: int = 0
    """The number of reports sent."""


class DropCopy:
    """Resends the reports of an account, for the orders of all its keys and sessions."""

    def __init__(
        self, exchange: Exchange, enabled: Collection[str] = (), *, max_events: int = MAX_EVENTS
    ) -> None:
        """Retain the order events of the enabled owners."""
        self._exchange = exchange
        self._history = History(WINDOW, max_events, set(enabled))
        self._replays: dict[Login, _Replay] = {}
        self._requested_at: dict[str, deque[datetime]] = {}
        """Times of each owner's requests in the last minute."""
        self._pending_refusals: dict[str, list[EventResendRejectReason]] = {}
        """By owner, the reasons for which its next requests are refused."""

    def handlers(self) -> Handlers:
        """Return the handler of each message class."""
        return {EventResendRequest: self._handle_request}

    def record(self, outcomes: Sequence[Outcome]) -> None:
        """Retain the outcomes of a command."""
        self._history.record(outcomes)

    def enable(self, owner: str, *, enabled: bool = True) -> None:
        """Enable or disable drop copy for an owner. Events before it was enabled are not available."""
        if enabled:
            self._history.enabled.add(owner)
        else:
            self._history.enabled.discard(owner)

    def refuse_next(
        self, reason: EventResendRejectReason, owner: str | None = None, *, count: int = 1
    ) -> None:
        """Refuse the next requests from an owner, or from any owner, for this reason."""
        self._pending_refusals.setdefault(owner or _ANY_OWNER, []).extend([reason] * count)

    def forget(self, login: Login) -> None:
        """Drop the replay of a session that has ended."""
        self._replays.pop(login, None)

    def is_replaying(self, login: Login) -> bool:
        """Return whether a login has pages left."""
        return login in self._replays

    def next_page(self, login: Login) -> list[Delivery]:
        """Return the next page of the reports that a login requested; the last one ends with
        EventResendComplete.
        """
        replay = self._replays.get(login)
        if replay is None:
            return []
        # The last page that `_pages` yields is never full; it may be empty.
        page = next(replay.pages, [])
        replay.count += len(page)
        deliveries: list[Delivery] = [(login, report) for report in page]
        if len(page) < PAGE_SIZE:
            del self._replays[login]
            complete = EventResendComplete(
                ref_seq_num=replay.request_seq_num, resend_event_count=replay.count
            )
            deliveries.append((login, complete))
        return deliveries

    def _handle_request(self, message: EventResendRequest, login: Login, now: datetime) -> Result:
        # If several reasons apply, the order of these checks decides which one is reported.
        reason = self._refusal(login, now)
        if reason is not None:
            return [(login, _reject(message, reason))], ()
        begin = _exec_id(message.begin_exec_id)
        end = begin if message.end_exec_id is None else _exec_id(message.end_exec_id)
        if begin is None or end is None:
            text = "ExecID must be clock;event or clock;event;exchange_index"
            return [(login, business_reject(message, BusinessRejectReason.OTHER, text))], ()
        latest = self._exchange.latest_exec_id(begin.shard)
        if latest is None or end.shard != begin.shard:
            text = "BeginExecID and EndExecID must have the same exchange index, which must exist"
            return [(login, business_reject(message, BusinessRejectReason.OTHER, text))], ()
        last = latest if message.end_exec_id is None else end
        if last > latest:
            return [(login, _reject(message, EventResendRejectReason.END_TOO_LARGE))], ()
        # Some events may have become too old since the last event was recorded. They must not be sent.
        self._history.forget(now)
        if self._history.is_forgotten(begin):
            return [(login, _reject(message, EventResendRejectReason.BEGIN_TOO_SMALL))], ()
        past_events = self._history.events_between(login.owner, begin, last)
        self._replays[login] = _Replay(_seq_num(message), _pages(past_events, begin, last, login))
        return self.next_page(login), ()

    def _refusal(self, login: Login, now: datetime) -> EventResendRejectReason | None:
        """Return the reason why any request from a login is refused now; None if requests are accepted."""
        if login.owner not in self._history.enabled:
            return EventResendRejectReason.NOT_ENABLED
        # Refusals requested by the operator (`refuse_next`) are not counted as requests, so they come first.
        for owner in (login.owner, _ANY_OWNER):
            if pending := self._pending_refusals.get(owner):
                return pending.pop(0)
        requested = self._requested_at.setdefault(login.owner, deque())
        while requested and requested[0] <= now - _MINUTE:
            requested.popleft()
        if login in self._replays or len(requested) >= REQUESTS_PER_MINUTE:
            return EventResendRejectReason.TOO_MANY_REQUESTS
        requested.append(now)
        return None


def _pages(
    past_events: Sequence[PastEvents], begin: ExecId, end: ExecId, login: Login
) -> Iterator[list[ExecutionReport]]:
    """Yield pages of reports, written according to the login's flags."""
    page: list[ExecutionReport] = []
    for past in past_events:
        # The reports are built from all events of the command and only then limited to the range. Otherwise
        # the beginning of the range would decide whether a New is merged into its Trade, and a copy could
        # differ from the live report.
        outcomes = [each for each in past.outcomes if login.may_see(each.order.account)]
        requested = {str(each.exec_id) for each in outcomes if begin <= each.exec_id <= end}
        for report in reports.reports_of(outcomes, login.flags):
            if report.exec_id in requested:
                page.append(report)
                if len(page) == PAGE_SIZE:
                    yield page
                    page = []
    yield page


def _exec_id(text: str) -> ExecId | None:
    match = _EXEC_ID.fullmatch(text)
    return None if match is None else ExecId(int(match[1]), int(match[2]), int(match[3] or 0))


def _reject(message: Message, reason: EventResendRejectReason) -> EventResendReject:
    return EventResendReject(ref_seq_num=_seq_num(message), event_resend_reject_reason=reason)


def _seq_num(message: Message) -> int:
    number: int = message.header.msg_seq_num
    return number
