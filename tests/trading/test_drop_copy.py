"""Drop copy: the ranges requested, the results, and the handling of refusals."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from kalshi_fix_sansio import (
    BusinessMessageReject,
    BusinessRejectReason,
    EventResendComplete,
    EventResendReject,
    EventResendRejectReason,
    EventResendRequest,
    ExecutionReport,
    LogonFields,
)
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_sansio.events import MessageReceived, RejectReceived
from kalshi_fix_sansio.trading import Copied, CopyRange, CopyState, Covered, DropCopy, ExecKey, Orders, Remedy
from kalshi_fix_sansio.trading import drop_copy as drop_copy_module
from kalshi_fix_sansio.trading.common.dumping import VERSION
from tests.trading.order_flow import ENDED, NOON, feed, logged_on, place, raw_report, report

REASON = EventResendRejectReason


def at(seconds: float = 0.0) -> Instant:
    return Instant(100.0 + seconds, NOON + timedelta(seconds=seconds))


def key(event: int, shard: int = 0) -> ExecKey:
    return ExecKey(shard, 1, event)


class Desk:
    """A drop copy on an established session, at a given time."""

    def __init__(self, session_type: str = "KalshiDC", **settings: Any) -> None:
        self.copies = DropCopy(session_type, **settings)
        self.second = 0.0
        self.apply(logged_on())

    def apply(self, *happened: object) -> list[object]:
        told: list[object] = []
        for each in happened:
            if isinstance(each, (ExecutionReport, EventResendComplete, EventResendReject)):
                told += self.copies.apply(MessageReceived(each), at(self.second))
            else:
                told += self.copies.apply(each, at(self.second))
        return told

    def ask(self, *keys: ExecKey, moment: int = 1, end: ExecKey | None = None) -> None:
        self.copies.ask({each.shard: each for each in keys}, moment, at(self.second), end=end)

    def due(self) -> EventResendRequest | None:
        """Return the request that is due now, after sending it."""
        for request in self.copies.handle_timer(at(self.second)):
            self.apply(request)
            return request
        return None

    def asked(self, *keys: ExecKey, **more: Any) -> None:
        self.ask(*keys, **more)
        assert self.due() is not None

    def pause(self) -> float:
        deadline = self.copies.next_deadline()
        assert deadline is not None
        return deadline - at(self.second).monotonic

    def what(self) -> list[tuple[str, str, Remedy]]:
        return [(each.about, each.what, each.remedies[0]) for each in self.copies.doubts()]


@pytest.fixture
def desk() -> Desk:
    """Return a drop copy on its own session."""
    return Desk()


def copy(event: int, shard: int = 0, **fields: Any) -> ExecutionReport:
    return report("new", str(key(event, shard)), f"o{event}", f"c{event}", **fields)


def covered(shard: int, begin: ExecKey, moment: int, end: ExecKey | None = None) -> Covered:
    """Return the range requested at 0 seconds."""
    return Covered(shard, begin, moment, end, at().utc)


def complete(count: int) -> EventResendComplete:
    return EventResendComplete(ref_seq_num=2, resend_event_count=count)


def refused(reason: EventResendRejectReason | int) -> EventResendReject:
    return EventResendReject(ref_seq_num=2, event_resend_reject_reason=reason)


def test_a_range_is_requested_and_covered_once_complete(desk: Desk) -> None:
    desk.ask(key(3), moment=7)
    assert desk.copies.next_deadline() == at().monotonic
    assert desk.due() == EventResendRequest(begin_exec_id="1;3")
    assert desk.copies.asked is not None
    assert desk.copies.next_deadline() is None
    first = desk.apply(copy(3))
    assert first == [Copied(copy(3))]
    assert desk.copies.doubts()
    assert desk.apply(copy(9), complete(2))[1:] == [covered(0, key(3), 7)]
    assert desk.copies.covered(0) == [CopyRange(key(3), key(9))]
    assert (desk.copies.wanted, desk.copies.doubts()) == ([], [])


def test_a_range_continues_after_the_last_page_and_joins_the_pages(desk: Desk) -> None:
    desk.asked(key(3), end=key(5))
    assert desk.apply(copy(4), complete(1))[1:] == [covered(0, key(3), 1, key(5))]
    desk.asked(key(5), end=key(8))
    desk.apply(copy(5), copy(8), complete(2))
    desk.copies.follow(9, at())
    assert desk.due() == EventResendRequest(begin_exec_id="1;8")
    assert desk.apply(copy(8), copy(11), complete(2))[-1] == covered(0, key(3), 9)
    assert desk.copies.covered(0) == [CopyRange(key(3), key(11))]


def test_an_end_applies_to_its_shard(desk: Desk) -> None:
    desk.ask(key(3), key(3, 1), end=key(9, 1))
    assert [(each.shard, each.end) for each in desk.copies.wanted] == [(0, None), (1, key(9, 1))]


def test_disjoint_ranges_are_kept_separate(desk: Desk) -> None:
    for begin, end in ((1, 2), (7, 9), (4, 5), (5, 7)):
        desk.asked(key(begin), end=key(end))
        desk.apply(complete(0))
    assert desk.copies.covered(0) == [CopyRange(key(1), key(2)), CopyRange(key(4), key(9))]
    assert desk.copies.covered(5) == []


def test_shards_are_requested_one_after_the_other(desk: Desk) -> None:
    desk.ask(key(3), key(4, 2))
    asked = []
    for _ in range(2):
        request = desk.due()
        assert request is not None
        assert desk.due() is None
        asked.append(request.begin_exec_id)
        desk.apply(complete(0))
    assert asked == ["1;3", "1;4;2"]


def test_overlapping_ranges_are_requested_once(desk: Desk) -> None:
    desk.ask(key(6), moment=2, end=key(9))
    desk.ask(key(4), moment=3, end=key(7))
    [wanted] = desk.copies.wanted
    assert (wanted.begin, wanted.end, wanted.moment) == (key(4), key(9), 3)
    desk.ask(key(8), moment=4)
    assert desk.due() == EventResendRequest(begin_exec_id="1;4")
    desk.ask(key(2), moment=5)  # too late for the request in flight
    assert desk.apply(complete(0)) == [covered(0, key(4), 4)]
    assert [each.begin for each in desk.copies.wanted] == [key(2)]


@pytest.mark.parametrize("count", [0, 1, 3, None, -1])
def test_a_count_different_from_the_received_reports_covers_nothing(desk: Desk, count: int | None) -> None:
    desk.asked(key(3))
    told = complete(2)
    told.resend_event_count = count  # type: ignore[assignment]
    assert len(desk.apply(copy(3), copy(5), told)) == 2
    assert desk.copies.covered(0) == []
    [wanted] = desk.copies.wanted
    assert (wanted.state, wanted.why) == (CopyState.WAITING, f"2 reports came, and were to be {count}")
    desk.second = 1
    assert desk.due() is not None


def test_a_duplicate_report_does_not_replace_a_missing_one(desk: Desk) -> None:
    desk.asked(key(3))
    assert len(desk.apply(copy(3), copy(3), complete(2))) == 2
    assert desk.copies.doubts()


def test_both_sides_of_a_trade_may_be_our_own(desk: Desk) -> None:
    desk.asked(key(3))
    both = report("new", "1;3", "other", "c")
    assert desk.apply(copy(3), both, complete(2))[-1] == covered(0, key(3), 1)


# --- refusals -------------------------------------------------------------------------------------------


def test_too_many_requests_are_retried_without_limit() -> None:
    desk = Desk(max_faults=2, max_pause=5.0)
    desk.asked(key(3))
    pauses = []
    for _ in range(6):
        desk.apply(refused(REASON.TOO_MANY_REQUESTS))
        pauses.append(desk.pause())
        assert desk.due() is None
        desk.second += pauses[-1]
        assert desk.due() is not None
    assert pauses == [1, 2, 4, 5, 5, 5]
    assert desk.apply(complete(0))
    assert desk.copies.doubts() == []


@pytest.mark.parametrize("reason", [REASON.SERVER_ERROR, REASON.END_TOO_LARGE, 77])
def test_faults_of_the_venue_are_retried_with_backoff_and_then_reported(
    reason: EventResendRejectReason | int,
) -> None:
    desk = Desk(max_faults=3)
    desk.asked(key(3))
    for _ in range(2):
        desk.apply(refused(reason))
        [(_, _, remedy)] = desk.what()
        assert remedy is Remedy.DROP_COPY
        desk.second += desk.pause()
        assert desk.due() is not None
    desk.apply(refused(reason))
    [(about, what, remedy)] = desk.what()
    assert about == "reports from 1;3"
    assert what.startswith("they are not to be had by drop copy (")
    assert remedy is Remedy.REST
    assert desk.copies.next_deadline() is None
    # A second request may succeed.
    desk.asked(key(3))
    desk.apply(complete(0))
    assert desk.copies.doubts() == []


def test_a_range_that_is_too_old_needs_rest_and_does_not_block_others(desk: Desk) -> None:
    desk.asked(key(3))
    desk.apply(refused(REASON.BEGIN_TOO_SMALL))
    assert desk.copies.forgotten == {0: key(3)}
    [(_, _, remedy)] = desk.what()
    assert remedy is Remedy.REST
    desk.asked(key(8))
    assert desk.apply(complete(0)) == [covered(0, key(8), 1)]
    assert [each.begin for each in desk.copies.wanted] == [key(3)]
    desk.copies.resolve(0)
    desk.copies.resolve(0)
    assert desk.copies.doubts() == []


@pytest.mark.parametrize(("end", "failed"), [(key(6), 0), (key(5), 1), (None, 0)])
def test_a_failed_range_is_no_doubt_once_its_reports_arrive(
    desk: Desk, end: ExecKey | None, failed: int
) -> None:
    desk.asked(key(3), end=key(6))
    desk.apply(refused(REASON.NOT_ENABLED))
    desk.asked(key(2), end=end)
    desk.apply(complete(0))
    assert len(desk.copies.doubts()) == failed


def test_an_end_that_has_not_happened_is_dropped(desk: Desk) -> None:
    desk.asked(key(3), end=key(9))
    desk.apply(refused(REASON.END_TOO_LARGE))
    assert desk.due() == EventResendRequest(begin_exec_id="1;3")


def test_an_account_that_is_not_enabled_sends_no_further_requests(desk: Desk) -> None:
    desk.ask(key(3), key(3, 1), key(3, 2))
    assert desk.due() is not None
    desk.apply(refused(REASON.NOT_ENABLED))
    assert desk.copies.next_deadline() is None
    assert {each.state for each in desk.copies.wanted} == {CopyState.FAILED}
    assert [remedy for _, _, remedy in desk.what()] == [Remedy.REST] * 3


@pytest.mark.parametrize(
    ("reason", "state"),
    [
        (BusinessRejectReason.RATE_LIMIT_EXCEEDED, CopyState.WAITING),
        (BusinessRejectReason.APPLICATION_NOT_AVAILABLE, CopyState.WAITING),
        (BusinessRejectReason.NOT_AUTHORIZED, CopyState.FAILED),
    ],
)
def test_other_refusals(desk: Desk, reason: BusinessRejectReason, state: CopyState) -> None:
    desk.ask(key(3))
    [request] = desk.copies.handle_timer(at())
    reject = BusinessMessageReject(
        ref_seq_num=2, ref_msg_type="U1", business_reject_reason=reason, text="no" * 1000
    )
    refusal = RejectReceived(reject, 2, request)
    assert desk.apply(refusal) == []  # No range is requested yet.
    desk.apply(request, refusal)
    [wanted] = desk.copies.wanted
    assert wanted.state is state
    assert wanted.why.startswith("BusinessMessageReject: no")
    assert len(wanted.why) == drop_copy_module.MAX_TEXT


def test_unsolicited_answers_have_no_effect(desk: Desk) -> None:
    assert desk.apply(complete(3), refused(REASON.SERVER_ERROR)) == []
    assert desk.copies.covered(0) == []


# --- the session ----------------------------------------------------------------------------------------


def test_a_range_lost_with_the_connection_is_requested_again(desk: Desk) -> None:
    desk.asked(key(3))
    desk.apply(copy(3))
    desk.ask(key(2), moment=4)
    assert desk.apply(ENDED) == []
    assert desk.due() is None
    assert desk.copies.next_deadline() is None
    desk.apply(logged_on())
    assert desk.due() == EventResendRequest(begin_exec_id="1;2")
    assert desk.apply(complete(0)) == [covered(0, key(2), 4)]
    desk.apply(ENDED)
    assert desk.copies.wanted == []


def test_a_request_that_send_refused_is_withdrawn(desk: Desk) -> None:
    desk.ask(key(3))
    [request] = desk.copies.handle_timer(at())
    desk.copies.withdraw(request)
    desk.apply(request)
    desk.copies.withdraw(EventResendRequest(begin_exec_id="1;3"))
    assert desk.due() is None
    desk.copies.withdraw(request)
    assert desk.due() is not None


def test_a_request_of_the_user_is_tracked_and_settles_no_doubt(desk: Desk) -> None:
    desk.apply(EventResendRequest(begin_exec_id="1;3", end_exec_id="1;5"))
    with pytest.raises(LocalProtocolError, match="one at a time"):
        desk.apply(EventResendRequest(begin_exec_id="1;3"))
    assert desk.apply(copy(3), complete(1))[-1] == covered(0, key(3), 0, key(5))
    desk.ask(key(3))
    desk.apply(EventResendRequest(begin_exec_id="1;2"))
    assert desk.apply(complete(0)) == [covered(0, key(2), 0)]
    assert [each.begin for each in desk.copies.wanted] == [key(3)]


@pytest.mark.parametrize("exec_id", ["-1;-1", "abc"])
def test_an_invalid_exec_id_is_refused(desk: Desk, exec_id: str) -> None:
    with pytest.raises(LocalProtocolError):
        desk.apply(EventResendRequest(begin_exec_id=exec_id))
    assert desk.copies.asked is None


def test_on_a_drop_copy_session_every_report_is_a_copy(desk: Desk) -> None:
    bad = raw_report(exec_id="?")
    assert desk.apply(copy(3), bad) == [Copied(copy(3)), Copied(bad)]
    assert desk.apply(place()) == []


@pytest.mark.parametrize(
    ("settings", "flags", "dollars"),
    [
        ({}, None, True),
        ({"logon": LogonFields(use_dollars=False)}, None, False),
        ({"logon": {}}, None, False),
        ({"product": "margin", "logon": {}}, None, True),
        ({}, {"use_dollars": False}, False),
        ({"logon": {}}, {"use_dollars": True}, True),
    ],
)
def test_copies_contain_the_unit_of_their_session(
    settings: dict[str, Any], flags: dict[str, Any] | None, dollars: bool
) -> None:
    copies = DropCopy(**settings)
    if flags is not None:
        copies.apply(logged_on(**flags), at())
    [copied] = copies.apply(MessageReceived(copy(3)), at())
    assert isinstance(copied, Copied)
    assert copied.dollars is dollars


# --- on the session of the orders -----------------------------------------------------------------------


def test_on_an_order_session_other_reports_pass_through() -> None:
    desk = Desk("KalshiNR")
    asked = place()
    assert desk.apply(asked, ENDED, logged_on()) == [asked, ENDED, logged_on()]
    live = MessageReceived(copy(3))
    assert desk.apply(copy(3)) == [live]
    desk.asked(key(4), end=key(9))
    others = [copy(3), copy(10), copy(5, shard=1), raw_report(exec_id="?"), raw_report(exec_id="-1;-1")]
    assert desk.apply(*others) == [MessageReceived(each) for each in others]
    assert desk.apply(copy(4), copy(9)) == [Copied(copy(4)), Copied(copy(9))]
    assert desk.apply(complete(2)) == [covered(0, key(4), 1, key(9))]


def test_live_reports_during_a_request_are_newer_than_the_copies() -> None:
    desk = Desk("KalshiNR")
    desk.asked(key(3))
    told = desk.apply(copy(3), copy(8), copy(4), copy(4), complete(2))
    assert [type(each) for each in told] == [Copied] * 4 + [Covered]
    assert desk.copies.covered(0) == [CopyRange(key(3), key(4))]
    # Fewer reports than counted are not complete, even with duplicates.
    desk.asked(key(3))
    assert desk.apply(copy(3), copy(3), complete(2)) == [Copied(copy(3))] * 2


def test_an_order_in_doubt_is_settled_on_its_own_session() -> None:
    orders, desk = Orders(), Desk("KalshiNR")
    feed(orders, logged_on(), place(), report("new", "1;1"))
    for each in desk.apply(ENDED, logged_on()):
        orders.apply(each)
    [doubt] = orders.doubts()
    desk.copies.ask(orders.copy_from(), orders.moment, at())
    desk.due()
    trade = report("trade", "1;5", cum="4", last=("4", "0.40"))
    for each in desk.apply(report("new", "1;1"), trade, complete(2)):
        orders.apply(each)
    assert orders.doubts() == []
    assert doubt.order is not None
    assert doubt.order.filled == 4


# --- bounds ---------------------------------------------------------------------------------------------


def test_requested_shards_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drop_copy_module, "MAX_SHARDS", 2)
    desk = Desk()
    desk.ask(*(key(1, shard) for shard in range(4)))
    assert len(desk.copies.wanted) == desk.copies.left_out == 2
    assert desk.what()[-1] == ("2 ranges of reports", "they were not asked for", Remedy.REST)
    for shard in range(10, 15):  # by the user's own requests
        desk.apply(EventResendRequest(begin_exec_id=f"1;1;{shard}"), complete(0))
        desk.apply(EventResendRequest(begin_exec_id=f"1;1;{shard}"), refused(REASON.BEGIN_TOO_SMALL))
    copies = desk.copies
    assert len(copies._covered) == len(copies._failed) == len(copies.forgotten) == 2
    assert copies.left_out == 5


def test_remembered_ranges_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drop_copy_module, "MAX_RANGES", 3)
    desk = Desk()
    for event in range(1, 20, 2):
        desk.asked(key(event), end=key(event))
        desk.apply(complete(0))
    assert desk.copies.covered(0) == [CopyRange(key(each), key(each)) for each in (15, 17, 19)]


def test_an_answer_beyond_the_bound_covers_nothing() -> None:
    desk = Desk(max_reports=3)
    desk.asked(key(1))
    assert len(desk.apply(*map(copy, range(1, 6)), complete(3))) == 5
    [(_, what, remedy)] = desk.what()
    assert "more than 3 reports came" in what
    assert remedy is Remedy.REST
    desk.asked(key(1), end=key(3))
    assert desk.apply(*map(copy, range(1, 4)), complete(3))[-1] == covered(0, key(1), 1, key(3))


# --- dumps ----------------------------------------------------------------------------------------------


def test_a_dump_is_loaded_by_the_next_process(desk: Desk) -> None:
    desk.asked(key(1), end=key(2))
    desk.apply(complete(0))
    desk.asked(key(1, 4))
    desk.apply(refused(REASON.BEGIN_TOO_SMALL))
    desk.ask(key(5), key(6, 1), moment=3, end=key(9))
    desk.asked(key(5, 2), moment=3)
    desk.apply(refused(REASON.SERVER_ERROR))
    desk.due()
    text = json.dumps(desk.copies.dump())
    other = DropCopy()
    other.load(json.loads(text))
    assert other.asked is None
    assert other.covered(0) == desk.copies.covered(0)
    assert other.forgotten == desk.copies.forgotten
    assert sorted(str(each.begin) for each in other.wanted) == ["1;1;4", "1;5", "1;5;2", "1;6;1"]
    assert sorted(each.faults for each in other.wanted) == [0, 0, 0, 1]
    assert sorted(other.dump()["wanted"], key=str) == sorted(
        json.loads(text.replace("ASKED", "WAITING"))["wanted"], key=str
    )
    assert other.next_deadline() is None
    other.apply(logged_on(), at())
    assert other.handle_timer(at())


@pytest.mark.parametrize(
    "broken", [{}, {"version": VERSION + 1}, {"version": VERSION}, {"version": VERSION, "logon": 7}]
)
def test_an_invalid_dump_is_refused_and_changes_nothing(desk: Desk, broken: dict[str, Any]) -> None:
    desk.ask(key(3))
    before = desk.copies.dump()
    with pytest.raises(ValueError, match=r"version|DropCopy\.dump"):
        desk.copies.load(broken)
    assert desk.copies.dump() == before
