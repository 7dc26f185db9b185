"""Drop copy: the requested ranges, their results, and the handling of refusals."""

from __future__ import annotations

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
from kalshi_fix_sansio.events import (
    MessageReceived,
    MessageRejected,
    MessagesLost,
    RejectReceived,
    SequenceSkipped,
)
from kalshi_fix_sansio.trading import (
    CopyRange,
    CopyState,
    DropCopy,
    DropCopyRange,
    DropCopyReport,
    ExecKey,
    Orders,
    Remedy,
)
from kalshi_fix_sansio.trading import drop_copy as drop_copy_module
from kalshi_fix_sansio.trading.common.received import MAX_ID_SIZE
from tests.trading.order_flow import (
    NOON,
    SESSION_ENDED,
    dump,
    feed,
    logged_on,
    place,
    raw_report,
    reloaded,
    report,
)

REASON = EventResendRejectReason


def at(seconds: float = 0.0) -> Instant:
    return Instant(100.0 + seconds, NOON + timedelta(seconds=seconds))


def key(event: int, shard: int = 0) -> ExecKey:
    return ExecKey(shard, 1, event)


class Harness:
    """A `DropCopy` on an established session, at a time that the test sets."""

    def __init__(self, session_type: str = "KalshiDC", **settings: Any) -> None:
        self.copies = DropCopy(session_type, **settings)
        self.second = 0.0
        self.apply(logged_on())

    def apply(self, *event: object) -> list[object]:
        updates: list[object] = []
        for item in event:
            if isinstance(item, (ExecutionReport, EventResendComplete, EventResendReject)):
                updates += self.copies.apply(MessageReceived(item), at(self.second))
            else:
                updates += self.copies.apply(item, at(self.second))
        return updates

    def request(self, *keys: ExecKey, epoch: int = 1, end: ExecKey | None = None) -> None:
        self.copies.request({key.shard: key for key in keys}, epoch, at(self.second), end=end)

    def send_due(self) -> EventResendRequest | None:
        """Send the request that is due now and return it; return None if there is none."""
        for request in self.copies.handle_timer(at(self.second)):
            self.apply(request)
            return request
        return None

    def send_request(self, *keys: ExecKey, **more: Any) -> None:
        self.request(*keys, **more)
        assert self.send_due() is not None

    def seconds_left(self) -> float:
        deadline = self.copies.next_deadline()
        assert deadline is not None
        return deadline - at(self.second).monotonic

    def uncertain_items(self) -> list[tuple[str, str, Remedy]]:
        return [(item.about, item.what, item.remedies[0]) for item in self.copies.uncertain()]


@pytest.fixture
def harness() -> Harness:
    """Return a `DropCopy` on a drop copy session."""
    return Harness()


def copy(event: int, shard: int = 0, **fields: Any) -> ExecutionReport:
    return report("new", str(key(event, shard)), f"o{event}", f"c{event}", **fields)


def covered(shard: int, begin: ExecKey, epoch: int, end: ExecKey | None = None) -> DropCopyRange:
    """Return the range requested at 0 seconds."""
    return DropCopyRange(shard, begin, epoch, end, at().utc)


def complete(count: int) -> EventResendComplete:
    return EventResendComplete(ref_seq_num=2, resend_event_count=count)


def rejection(reason: EventResendRejectReason | int) -> EventResendReject:
    return EventResendReject(ref_seq_num=2, event_resend_reject_reason=reason)


def test_a_range_is_requested_and_covered_once_complete(harness: Harness) -> None:
    harness.request(key(3), epoch=7)
    assert harness.copies.next_deadline() == at().monotonic
    assert harness.send_due() == EventResendRequest(begin_exec_id="1;3")
    assert harness.copies.requested is not None
    assert harness.copies.next_deadline() is None
    first = harness.apply(copy(3))
    assert first == [DropCopyReport(copy(3))]
    assert harness.copies.uncertain()
    assert harness.apply(copy(9), complete(2))[1:] == [covered(0, key(3), 7)]
    assert harness.copies.covered(0) == [CopyRange(key(3), key(9))]
    assert (harness.copies.pending, harness.copies.uncertain()) == ([], [])


def test_following_resumes_at_the_last_report_and_adjacent_ranges_merge(harness: Harness) -> None:
    harness.send_request(key(3), end=key(5))
    assert harness.apply(copy(4), complete(1))[1:] == [covered(0, key(3), 1, key(5))]
    harness.send_request(key(5), end=key(8))
    harness.apply(copy(5), copy(8), complete(2))
    harness.copies.follow(9, at())
    assert harness.send_due() == EventResendRequest(begin_exec_id="1;8")
    assert harness.apply(copy(8), copy(11), complete(2))[-1] == covered(0, key(3), 9)
    assert harness.copies.covered(0) == [CopyRange(key(3), key(11))]


def test_an_end_applies_to_its_shard(harness: Harness) -> None:
    harness.request(key(3), key(3, 1), end=key(9, 1))
    assert [(item.shard, item.end) for item in harness.copies.pending] == [(0, None), (1, key(9, 1))]


def test_disjoint_ranges_are_kept_separate(harness: Harness) -> None:
    for begin, end in ((1, 2), (7, 9), (4, 5), (5, 7)):
        harness.send_request(key(begin), end=key(end))
        harness.apply(complete(0))
    assert harness.copies.covered(0) == [CopyRange(key(1), key(2)), CopyRange(key(4), key(9))]
    assert harness.copies.covered(5) == []


def test_shards_are_requested_one_after_the_other(harness: Harness) -> None:
    harness.request(key(3), key(4, 2))
    sent = []
    for _ in range(2):
        request = harness.send_due()
        assert request is not None
        assert harness.send_due() is None
        sent.append(request.begin_exec_id)
        harness.apply(complete(0))
    assert sent == ["1;3", "1;4;2"]


def test_overlapping_ranges_are_requested_once(harness: Harness) -> None:
    harness.request(key(6), epoch=2, end=key(9))
    harness.request(key(4), epoch=3, end=key(7))
    [pending] = harness.copies.pending
    assert (pending.begin, pending.end, pending.epoch) == (key(4), key(9), 3)
    harness.request(key(8), epoch=4)
    assert harness.send_due() == EventResendRequest(begin_exec_id="1;4")
    harness.request(key(2), epoch=5)  # too late for the request in flight
    assert harness.apply(complete(0)) == [covered(0, key(4), 4)]
    assert [item.begin for item in harness.copies.pending] == [key(2)]


@pytest.mark.parametrize("count", [0, 1, 3, None, -1])
def test_a_count_that_differs_from_the_number_of_received_reports_covers_nothing(
    harness: Harness, count: int | None
) -> None:
    harness.send_request(key(3))
    answer = complete(2)
    answer.resend_event_count = count  # type: ignore[assignment]
    assert len(harness.apply(copy(3), copy(5), answer)) == 2
    assert harness.copies.covered(0) == []
    [pending] = harness.copies.pending
    why = f"the number of reports received was 2 instead of {count}"
    assert (pending.state, pending.why) == (CopyState.WAITING, why)
    harness.second = 1
    assert harness.send_due() is not None


def test_both_sides_of_a_trade_may_be_our_own(harness: Harness) -> None:
    harness.send_request(key(3))
    both = report("new", "1;3", "other", "c")
    assert harness.apply(copy(3), both, complete(2))[-1] == covered(0, key(3), 1)


# --- refusals -------------------------------------------------------------------------------------------


def test_too_many_requests_are_retried_without_limit() -> None:
    harness = Harness(max_faults=2, max_pause=5.0)
    harness.send_request(key(3))
    pauses = []
    for _ in range(6):
        harness.apply(rejection(REASON.TOO_MANY_REQUESTS))
        pauses.append(harness.seconds_left())
        assert harness.send_due() is None
        harness.second += pauses[-1]
        assert harness.send_due() is not None
    assert pauses == [1, 2, 4, 5, 5, 5]
    assert harness.apply(complete(0))
    assert harness.copies.uncertain() == []


@pytest.mark.parametrize("reason", [REASON.SERVER_ERROR, REASON.END_TOO_LARGE, 77])
def test_venue_faults_are_retried_with_backoff_and_then_reported(
    reason: EventResendRejectReason | int,
) -> None:
    harness = Harness(max_faults=3)
    harness.send_request(key(3))
    for _ in range(2):
        harness.apply(rejection(reason))
        [(_, _, remedy)] = harness.uncertain_items()
        assert remedy is Remedy.DROP_COPY
        harness.second += harness.seconds_left()
        assert harness.send_due() is not None
    harness.apply(rejection(reason))
    [(about, problem, remedy)] = harness.uncertain_items()
    assert about == "reports from 1;3"
    assert problem.startswith("they are not available from drop copy (")
    assert remedy is Remedy.REST
    assert harness.copies.next_deadline() is None
    # A second request may succeed.
    harness.send_request(key(3))
    harness.apply(complete(0))
    assert harness.copies.uncertain() == []


def test_a_range_that_is_too_old_needs_the_rest_api_and_does_not_block_others(harness: Harness) -> None:
    harness.send_request(key(3))
    harness.apply(rejection(REASON.BEGIN_TOO_SMALL))
    assert harness.copies.forgotten == {0: key(3)}
    [(_, _, remedy)] = harness.uncertain_items()
    assert remedy is Remedy.REST
    harness.send_request(key(8))
    assert harness.apply(complete(0)) == [covered(0, key(8), 1)]
    assert [item.begin for item in harness.copies.pending] == [key(3)]
    harness.copies.resolve(0)
    harness.copies.resolve(0)
    assert harness.copies.uncertain() == []


@pytest.mark.parametrize(("end", "failed"), [(key(6), 0), (key(5), 1), (None, 0)])
def test_a_failed_range_is_certain_once_its_reports_arrive(
    harness: Harness, end: ExecKey | None, failed: int
) -> None:
    harness.send_request(key(3), end=key(6))
    harness.apply(rejection(REASON.NOT_ENABLED))
    harness.send_request(key(2), end=end)
    harness.apply(complete(0))
    assert len(harness.copies.uncertain()) == failed


def test_an_end_beyond_the_latest_event_is_dropped(harness: Harness) -> None:
    harness.send_request(key(3), end=key(9))
    harness.apply(rejection(REASON.END_TOO_LARGE))
    assert harness.send_due() == EventResendRequest(begin_exec_id="1;3")


def test_an_account_that_is_not_enabled_sends_no_further_requests(harness: Harness) -> None:
    harness.request(key(3), key(3, 1), key(3, 2))
    assert harness.send_due() is not None
    harness.apply(rejection(REASON.NOT_ENABLED))
    assert harness.copies.next_deadline() is None
    assert {item.state for item in harness.copies.pending} == {CopyState.FAILED}
    assert [remedy for _, _, remedy in harness.uncertain_items()] == [Remedy.REST] * 3


@pytest.mark.parametrize(
    ("reason", "state"),
    [
        (BusinessRejectReason.RATE_LIMIT_EXCEEDED, CopyState.WAITING),
        (BusinessRejectReason.APPLICATION_NOT_AVAILABLE, CopyState.WAITING),
        (BusinessRejectReason.NOT_AUTHORIZED, CopyState.FAILED),
    ],
)
def test_other_refusals_are_reported(
    harness: Harness, reason: BusinessRejectReason, state: CopyState
) -> None:
    harness.request(key(3))
    [request] = harness.copies.handle_timer(at())
    reject = BusinessMessageReject(
        ref_seq_num=2, ref_msg_type="U1", business_reject_reason=reason, text="no" * 1000
    )
    refusal = RejectReceived(reject, 2, request)
    assert harness.apply(refusal) == []  # No range has been requested yet.
    harness.apply(request, refusal)
    [pending] = harness.copies.pending
    assert pending.state is state
    assert pending.why.startswith("BusinessMessageReject: no")
    assert len(pending.why) == MAX_ID_SIZE


def test_unsolicited_answers_have_no_effect(harness: Harness) -> None:
    assert harness.apply(complete(3), rejection(REASON.SERVER_ERROR)) == []
    assert harness.copies.covered(0) == []


# --- the session ----------------------------------------------------------------------------------------


def test_a_range_lost_with_the_connection_is_requested_again(harness: Harness) -> None:
    harness.send_request(key(3))
    harness.apply(copy(3))
    harness.request(key(2), epoch=4)
    assert harness.apply(SESSION_ENDED) == []
    assert harness.send_due() is None
    assert harness.copies.next_deadline() is None
    harness.apply(logged_on())
    assert harness.send_due() == EventResendRequest(begin_exec_id="1;2")
    assert harness.apply(complete(0)) == [covered(0, key(2), 4)]
    harness.apply(SESSION_ENDED)
    assert harness.copies.pending == []


@pytest.mark.parametrize(
    "lost",
    [
        MessageRejected(complete(1), ()),
        MessageRejected(rejection(REASON.SERVER_ERROR), ()),
        MessageRejected(None, ()),
        MessagesLost(7, 8),
        SequenceSkipped(7, 8, gap_fill=False),
    ],
    ids=lambda event: type(event).__name__,
)
@pytest.mark.parametrize("session_type", ["KalshiDC", "KalshiNR"])
def test_a_range_whose_answer_is_lost_is_requested_again(session_type: str, lost: object) -> None:
    harness = Harness(session_type)
    assert harness.apply(lost) == ([] if session_type == "KalshiDC" else [lost])
    harness.send_request(key(3))
    harness.apply(copy(3), lost)
    assert harness.copies.requested is None
    # The old answer must not complete the new request.
    harness.second += harness.seconds_left()
    assert harness.send_due() == EventResendRequest(begin_exec_id="1;3")
    assert harness.apply(complete(1)) == []
    harness.second += harness.seconds_left()
    assert harness.send_due() is not None
    harness.apply(copy(3))
    assert [type(each) for each in harness.apply(complete(1))] == [DropCopyRange]
    assert harness.copies.pending == []


@pytest.mark.parametrize(
    "event",
    [MessageRejected(copy(3), ()), SequenceSkipped(7, 8, gap_fill=True)],
    ids=lambda event: type(event).__name__,
)
def test_losses_that_cannot_include_the_end_of_an_answer_change_nothing(
    harness: Harness, event: object
) -> None:
    harness.send_request(key(3))
    harness.apply(event)
    assert harness.copies.requested is not None


def test_a_request_refused_by_send_is_withdrawn(harness: Harness) -> None:
    harness.request(key(3))
    [request] = harness.copies.handle_timer(at())
    harness.copies.withdraw(request)
    harness.apply(request)
    harness.copies.withdraw(EventResendRequest(begin_exec_id="1;3"))
    assert harness.send_due() is None
    harness.copies.withdraw(request)
    assert harness.send_due() is not None


def test_a_request_by_the_user_is_tracked_and_resolves_no_uncertainty(harness: Harness) -> None:
    harness.apply(EventResendRequest(begin_exec_id="1;3", end_exec_id="1;5"))
    with pytest.raises(LocalProtocolError, match="one at a time"):
        harness.apply(EventResendRequest(begin_exec_id="1;3"))
    assert harness.apply(copy(3), complete(1))[-1] == covered(0, key(3), 0, key(5))
    harness.request(key(3))
    harness.apply(EventResendRequest(begin_exec_id="1;2"))
    assert harness.apply(complete(0)) == [covered(0, key(2), 0)]
    assert [item.begin for item in harness.copies.pending] == [key(3)]


@pytest.mark.parametrize("exec_id", ["-1;-1", "abc"])
def test_an_invalid_exec_id_is_refused(harness: Harness, exec_id: str) -> None:
    with pytest.raises(LocalProtocolError):
        harness.apply(EventResendRequest(begin_exec_id=exec_id))
    assert harness.copies.requested is None


def test_on_a_drop_copy_session_every_report_is_a_copy(harness: Harness) -> None:
    bad = raw_report(exec_id="?")
    assert harness.apply(copy(3), bad) == [DropCopyReport(copy(3)), DropCopyReport(bad)]
    assert harness.apply(place()) == []


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
def test_a_copy_contains_the_price_unit_of_its_session(
    settings: dict[str, Any], flags: dict[str, Any] | None, dollars: bool
) -> None:
    copies = DropCopy(**settings)
    if flags is not None:
        copies.apply(logged_on(**flags), at())
    [copied] = copies.apply(MessageReceived(copy(3)), at())
    assert isinstance(copied, DropCopyReport)
    assert copied.dollars is dollars


# --- on the order session -------------------------------------------------------------------------------


def test_on_an_order_session_other_reports_pass_through() -> None:
    harness = Harness("KalshiNR")
    sent = place()
    assert harness.apply(sent, SESSION_ENDED, logged_on()) == [sent, SESSION_ENDED, logged_on()]
    live = MessageReceived(copy(3))
    assert harness.apply(copy(3)) == [live]
    harness.send_request(key(4), end=key(9))
    others = [copy(3), copy(10), copy(5, shard=1), raw_report(exec_id="?"), raw_report(exec_id="-1;-1")]
    assert harness.apply(*others) == [MessageReceived(other) for other in others]
    assert harness.apply(copy(4), copy(9)) == [DropCopyReport(copy(4)), DropCopyReport(copy(9))]
    assert harness.apply(complete(2)) == [covered(0, key(4), 1, key(9))]


def test_live_reports_during_a_request_are_newer_than_the_copies() -> None:
    harness = Harness("KalshiNR")
    harness.send_request(key(3))
    updates = harness.apply(copy(3), copy(8), copy(4), copy(4), complete(2))
    assert [type(update) for update in updates] == [DropCopyReport] * 4 + [DropCopyRange]
    assert harness.copies.covered(0) == [CopyRange(key(3), key(4))]
    # An answer with fewer reports than it counts is incomplete, even if duplicates make up the number.
    harness.send_request(key(3))
    assert harness.apply(copy(3), copy(3), complete(2)) == [DropCopyReport(copy(3))] * 2


def test_an_uncertain_order_is_settled_on_its_own_session() -> None:
    orders, harness = Orders(), Harness("KalshiNR")
    feed(orders, logged_on(), place(), report("new", "1;1"))
    for element in harness.apply(SESSION_ENDED, logged_on()):
        orders.apply(element)
    [item] = orders.uncertain()
    harness.copies.request(orders.drop_copy_start(), orders.epoch, at())
    harness.send_due()
    trade = report("trade", "1;5", cum="4", last=("4", "0.40"))
    for element in harness.apply(report("new", "1;1"), trade, complete(2)):
        orders.apply(element)
    assert not orders.uncertain()
    assert item.order is not None
    assert item.order.filled_qty == 4


# --- bounds ---------------------------------------------------------------------------------------------


def test_requested_shards_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drop_copy_module, "MAX_SHARDS", 2)
    harness = Harness()
    harness.request(*(key(1, shard) for shard in range(4)))
    assert len(harness.copies.pending) == harness.copies.left_out == 2
    assert harness.uncertain_items()[-1] == (
        "2 ranges of reports",
        "not requested, because there are too many shards",
        Remedy.REST,
    )
    for shard in range(10, 15):  # through the user's own requests
        harness.apply(EventResendRequest(begin_exec_id=f"1;1;{shard}"), complete(0))
        harness.apply(EventResendRequest(begin_exec_id=f"1;1;{shard}"), rejection(REASON.BEGIN_TOO_SMALL))
    copies = harness.copies
    assert len(copies._covered) == len(copies._failed) == len(copies.forgotten) == 2
    assert copies.left_out == 5


def test_remembered_ranges_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drop_copy_module, "MAX_RANGES", 3)
    harness = Harness()
    for event in range(1, 20, 2):
        harness.send_request(key(event), end=key(event))
        harness.apply(complete(0))
    assert harness.copies.covered(0) == [CopyRange(key(item), key(item)) for item in (15, 17, 19)]


def test_an_answer_beyond_the_bound_covers_nothing() -> None:
    harness = Harness(max_reports=3)
    harness.send_request(key(1))
    assert len(harness.apply(*map(copy, range(1, 6)), complete(3))) == 5
    [(_, problem, remedy)] = harness.uncertain_items()
    assert "more than 3 reports were received" in problem
    assert remedy is Remedy.REST
    harness.send_request(key(1), end=key(3))
    assert harness.apply(*map(copy, range(1, 4)), complete(3))[-1] == covered(0, key(1), 1, key(3))


# --- dumps ----------------------------------------------------------------------------------------------


def test_a_dump_is_loaded_by_the_next_process(harness: Harness) -> None:
    harness.send_request(key(1), end=key(2))
    harness.apply(complete(0))
    harness.send_request(key(1, 4))
    harness.apply(rejection(REASON.BEGIN_TOO_SMALL))
    harness.request(key(5), key(6, 1), epoch=3, end=key(9))
    harness.send_request(key(5, 2), epoch=3)
    harness.apply(rejection(REASON.SERVER_ERROR))
    harness.send_due()
    other = reloaded(harness.copies)
    assert other.requested is None
    assert other.covered(0) == harness.copies.covered(0)
    assert other.forgotten == harness.copies.forgotten
    assert sorted(str(item.begin) for item in other.pending) == ["1;1;4", "1;5", "1;5;2", "1;6;1"]
    assert sorted(item.faults for item in other.pending) == [0, 0, 0, 1]
    expected = dump(harness.copies)["pending"]
    for row in expected:
        if row["state"] == "REQUESTED":
            row["state"] = "WAITING"
    assert sorted(dump(other)["pending"], key=str) == sorted(expected, key=str)
    assert other.next_deadline() is None
    other.apply(logged_on(), at())
    assert other.handle_timer(at())
