"""Drop copy: past execution reports on request (the page on drop copy)."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta

import attrs

from kalshi_fix_adapters.venue.exchange import Exchange, ExecId
from kalshi_fix_adapters.venue.exchange.outcomes import Outcome
from kalshi_fix_adapters.venue.gateway import reports
from kalshi_fix_adapters.venue.gateway.logins import Delivery, Handlers, Login, Result
from kalshi_fix_adapters.venue.gateway.past_reports import History, PastEvents, Place, place
from kalshi_fix_adapters.venue.gateway.refusals import business_reject
from kalshi_fix_sansio import SESSION_TYPES as ALL_SESSION_TYPES
from kalshi_fix_sansio import (
    BusinessRejectReason,
    EventResendComplete,
    EventResendReject,
    EventResendRejectReason,
    EventResendRequest,
    ExecutionReport,
)
from kalshi_fix_sansio.base import Message

SESSION_TYPES = ("KalshiNR", "KalshiDC")
WINDOW = timedelta(hours=ALL_SESSION_TYPES["KalshiDC"].past_reports_hours or 0)
MOST_EVENTS = 50_000
"""Events that are kept, of all accounts of a product together."""
PAGE = 200
"""Reports that are handed to a session at a time; the next page follows once these are written."""
_MINUTE = timedelta(minutes=1)
_EXEC_ID = re.compile(r"(\d{1,18});(\d{1,18})(?:;(\d{1,9}))?", re.ASCII)
_EVERYBODY = ""


@attrs.define(eq=False)
class _Replay:
    """A request that is being answered."""

    request_seq_num: int
    pages: Iterator[list[ExecutionReport]]
    count: int = 0
    """How many reports have gone."""


class DropCopy:
    """Sends the reports of an account again, whichever key and session placed its orders."""

    def __init__(
        self, exchange: Exchange, enabled: Collection[str] = (), *, most_events: int = MOST_EVENTS
    ) -> None:
        """Keep what happens to the orders of the owners that are enabled."""
        self._exchange = exchange
        self._history = History(WINDOW, most_events, set(enabled))
        self._replays: dict[Login, _Replay] = {}
        self._asked: dict[str, deque[datetime]] = {}
        """When each owner asked, in the last minute."""
        self._refuse: dict[str, list[EventResendRejectReason]] = {}
        """Why the next requests of an owner are refused."""

    def handlers(self) -> Handlers:
        """Return what takes each message, by session type and class."""
        return {(session_type, EventResendRequest): self._request for session_type in SESSION_TYPES}

    def record(self, outcomes: Sequence[Outcome]) -> None:
        """Keep what happened."""
        self._history.record(outcomes)

    def enable(self, owner: str, *, enabled: bool = True) -> None:
        """Put an owner on the list of those who may ask, or take him off it. What happened before is not
        known."""
        if enabled:
            self._history.enabled.add(owner)
        else:
            self._history.enabled.discard(owner)

    def refuse_next(
        self, reason: EventResendRejectReason, owner: str | None = None, *, count: int = 1
    ) -> None:
        """Refuse the next requests of an owner, or of whoever comes first, for this reason."""
        self._refuse.setdefault(owner or _EVERYBODY, []).extend([reason] * count)

    def forget(self, login: Login) -> None:
        """Drop the answer to a session that has ended."""
        self._replays.pop(login, None)

    def is_replaying(self, login: Login) -> bool:
        """Say whether there are further pages for a login."""
        return login in self._replays

    def next_page(self, login: Login) -> list[Delivery]:
        """Return the next page of the reports that a login asked for, and after the last one that they are
        complete."""
        replay = self._replays.get(login)
        if replay is None:
            return []
        # `_pages` ends with a page that is not full, and be it empty.
        page = next(replay.pages, [])
        replay.count += len(page)
        deliveries: list[Delivery] = [(login, report) for report in page]
        if len(page) < PAGE:
            del self._replays[login]
            complete = EventResendComplete(
                ref_seq_num=replay.request_seq_num, resend_event_count=replay.count
            )
            deliveries.append((login, complete))
        return deliveries

    def _request(self, message: EventResendRequest, login: Login, now: datetime) -> Result:
        # The order of these checks decides which reason is told where several hold.
        reason = self._refusal(login, now)
        if reason is not None:
            return [(login, _reject(message, reason))], ()
        begin = _exec_id(message.begin_exec_id)
        end = begin if message.end_exec_id is None else _exec_id(message.end_exec_id)
        if begin is None or end is None:
            text = "ExecID must be clock;event or clock;event;exchange_index"
            return [(login, self._no_range(message, text))], ()
        latest = self._exchange.latest_exec_id(begin.shard)
        if latest is None or end.shard != begin.shard:
            text = "BeginExecID and EndExecID must be of the same exchange index, which must exist"
            return [(login, self._no_range(message, text))], ()
        last = place(latest) if message.end_exec_id is None else place(end)
        if last > place(latest):
            return [(login, _reject(message, EventResendRejectReason.END_TOO_LARGE))], ()
        # Before asking what is forgotten: what has become too old since the last event is not handed out.
        self._history.forget(now)
        if self._history.is_forgotten(begin.shard, place(begin)):
            return [(login, _reject(message, EventResendRejectReason.BEGIN_TOO_SMALL))], ()
        found = self._history.between(login.owner, begin.shard, place(begin), last)
        self._replays[login] = _Replay(_seq_num(message), _pages(found, place(begin), last, login))
        return self.next_page(login), ()

    def _no_range(self, message: EventResendRequest, text: str) -> Message:
        """Refuse a request that names no range."""
        if self._exchange.assumptions.exec_ids_that_cannot_be_get_other:
            return business_reject(message, BusinessRejectReason.OTHER, text)
        return _reject(message, EventResendRejectReason.SERVER_ERROR)

    def _refusal(self, login: Login, now: datetime) -> EventResendRejectReason | None:
        """Say why a login may not ask now, whatever it asks for."""
        if login.owner not in self._history.enabled:
            return EventResendRejectReason.NOT_ENABLED
        # What an operator has ordered (`refuse_next`), before the limits that count requests.
        for owner in (login.owner, _EVERYBODY):
            if waiting := self._refuse.get(owner):
                return waiting.pop(0)
        asked = self._asked.setdefault(login.owner, deque())
        while asked and asked[0] <= now - _MINUTE:
            asked.popleft()
        most = self._exchange.assumptions.past_report_requests_per_minute
        if login in self._replays or (most is not None and len(asked) >= most):
            return EventResendRejectReason.TOO_MANY_REQUESTS
        if most is not None:
            asked.append(now)
        return None


def _pages(
    found: Sequence[PastEvents], begin: Place, end: Place, login: Login
) -> Iterator[list[ExecutionReport]]:
    """Write the reports as the login's flags say, a page at a time."""
    page: list[ExecutionReport] = []
    for past in found:
        # Written from all that the command did, and then cut to the range: whether a New is folded into its
        # Trade must not depend on where the range begins, or a copy would differ from the live report.
        outcomes = [each for each in past.outcomes if login.sees(each.order.account)]
        asked = {str(each.exec_id) for each in outcomes if begin <= place(each.exec_id) <= end}
        for report in reports.reports_of(outcomes, login.flags):
            if report.exec_id in asked:
                page.append(report)
                if len(page) == PAGE:
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
