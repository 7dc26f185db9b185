"""DropCopy between an order session and a venue that refuses, withholds, repeats and reorders reports, over
random histories: an uncertain order is resolved by all of its reports or not at all."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kalshi_fix_sansio import (
    EventResendComplete,
    EventResendReject,
    EventResendRejectReason,
    EventResendRequest,
    ExecutionReport,
)
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.events import MessageReceived
from kalshi_fix_sansio.trading import (
    DropCopy,
    ExecKey,
    Orders,
    OrderState,
    UncertainOrder,
    UncertainOrderKind,
)
from tests.trading.order_flow import NOON, SESSION_ENDED, feed, logged_on, reloaded, report
from tests.trading.order_histories import History, is_answer, model, rows

REASONS = list(EventResendRejectReason)


def key_of(report: Any) -> ExecKey | None:
    return ExecKey.parse(report.exec_id) if isinstance(report, ExecutionReport) else None


class UnreliableVenue:
    """A venue that reorders its reports about one account and, unless `reliable`, also refuses, withholds and
    repeats them."""

    def __init__(self, reports: list[ExecutionReport], random: Random) -> None:
        self.reports, self.random = reports, random
        self.reliable = False

    def answer(self, request: EventResendRequest, live: list[ExecutionReport]) -> list[object]:
        """Return the reply. On an order session it contains live reports at random positions.

        An incomplete reply contains no live reports, because they could not be distinguished from the missing
        report.
        """
        random, begin = self.random, ExecKey.parse(request.begin_exec_id)
        assert begin is not None
        if not self.reliable and random.random() < 0.3:
            reason = random.choice(REASONS[:2])
            return [EventResendReject(ref_seq_num=2, event_resend_reject_reason=reason)]
        found: list[ExecutionReport] = []
        for item in self.reports:
            key = key_of(item)
            if key is not None and key.shard == begin.shard and key >= begin and item.ord_status != "8":
                found.append(item)
        count = len(found)
        if self.reliable or random.random() < 0.5 or not found:
            found += live
        else:
            del found[random.randrange(count)]
            if found and random.random() < 0.5:  # one report twice instead of another
                found.append(random.choice(found))
        random.shuffle(found)
        return [*found, EventResendComplete(ref_seq_num=2, resend_event_count=count)]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(5, 30),
    st.integers(0, 10_000),
    st.sampled_from(("KalshiDC", "KalshiNR")),
)
def test_lost_reports_are_recovered_via_drop_copy_or_stay_uncertain(
    seed: int, length: int, chance: int, session_type: str
) -> None:
    random = Random(chance)
    steps: list[Any] = list(History.generate(seed, length).steps)
    cut = random.randint(2, len(steps))
    orders, drop_copy = Orders(), DropCopy(session_type)
    feed(orders, logged_on(), *steps[:cut], SESSION_ENDED, logged_on())
    # The requests sent before the loss had the effects recorded in the history; the other requests had none.
    sent = {step.cl_ord_id for step in steps[:cut] if not is_answer(step)}
    future = {step.cl_ord_id for step in steps[cut:] if not is_answer(step) and step.MSG_TYPE == "D"} - sent
    venue_reports = [
        step for step in steps if isinstance(step, ExecutionReport) and step.order_id[1:] not in future
    ]
    venue, seconds = UnreliableVenue(venue_reports, random), 0.0
    drop_copy.apply(logged_on(), Instant(0, NOON))
    drop_copy.request(orders.drop_copy_start(), orders.epoch, Instant(0, NOON))
    before = orders.uncertain()
    for turn in range(100):
        venue.reliable = turn > 20
        now = Instant(seconds, NOON + timedelta(seconds=seconds))
        requests = drop_copy.handle_timer(now)
        if not requests:
            deadline = drop_copy.next_deadline()
            if deadline is None:
                break
            seconds = deadline
            continue
        if random.random() < 0.1:  # the next process continues
            drop_copy = reloaded(drop_copy, session_type)
            drop_copy.apply(logged_on(), now)
        [request] = requests
        drop_copy.apply(request, now)
        live = [report("new", f"999999;{turn};{shard}", f"x{turn}{shard}", "x") for shard in (0, 1)]
        reply = venue.answer(request, live if session_type == "KalshiNR" else [])
        if random.random() < 0.1:  # the connection is lost during the reply
            reply = [*reply[: random.randrange(len(reply))], SESSION_ENDED, logged_on()]
        for element in reply:
            event = MessageReceived(element) if isinstance(element, (ExecutionReport, *ANSWERS)) else element
            for update in drop_copy.apply(event, now):
                # The orders are on a separate session here, so the loss of this connection does not affect
                # them.
                if update is not SESSION_ENDED and update != logged_on():
                    orders.apply(update)
        # No uncertainty is resolved on a shard whose reports are incomplete.
        incomplete = {element.shard for element in drop_copy.pending}
        for item in before:
            if item.begin is not None and item.begin.shard in incomplete:
                assert settled_by_reports(item) or is_listed(item, orders)
    failed = {element.shard for element in drop_copy.pending}
    assert {item.begin.shard for item in orders.uncertain() if item.begin is not None} <= failed
    if not failed:
        assert not orders.uncertain()
        final = {row["order_id"]: row for row in model(steps)}
        for row in rows(orders):
            if row["order_id"] in final and row["ending"] != "REJECTED":
                assert row["filled_qty"] == final[row["order_id"]]["filled_qty"]
                assert row["state"] == final[row["order_id"]]["state"]
        assert all(order.state in (OrderState.OPEN, OrderState.DONE) for order in orders)


ANSWERS = (EventResendComplete, EventResendReject)


def settled_by_reports(item: UncertainOrder) -> bool:
    """Return whether reports about the order itself resolve the uncertainty."""
    if item.kind is UncertainOrderKind.FILLS_UNREPORTED:
        return item.order is not None and not item.order.unreported_qty
    if item.order is None or item.order.is_done:
        return True
    return item.request is not None and item.request not in item.order.pending


def is_listed(item: UncertainOrder, orders: Orders) -> bool:
    return any(element.order is item.order for element in orders.uncertain())
