"""Drop copy from the client's point of view: ranges, pages, the window, and every reason for a refusal."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from kalshi_fix_sansio import (
    BusinessMessageReject,
    EventResendComplete,
    EventResendReject,
    EventResendRejectReason,
    EventResendRequest,
    ExecutionReport,
    Side,
    TimeInForce,
)
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_venue.exchange import prediction_market
from kalshi_fix_venue.gateway import drop_copy
from kalshi_fix_venue.gateway.drop_copy import REQUESTS_PER_MINUTE
from kalshi_fix_venue.gateway.drop_copy import WINDOW as PAST
from tests.venue.exchange_harness import MARKET, PERP, d
from tests.venue.venue_harness import (
    Client,
    VenueHarness,
    accounts,
    api_key,
    cancel,
    decode_all,
    mass_cancel,
    order,
    reports,
)

BUY, SELL = Side.BUY, Side.SELL
CRYPTO = "KXBTC-26AUG20"
Reason = EventResendRejectReason


def harness_with(*, enabled: bool = True, **changes: Any) -> VenueHarness:
    """Return a venue where Ann (prediction) and Perp (margin) may request past reports, and Bob may not."""
    ann = {"subaccounts": {3: d(100)}, "on_shards": {2: {0: d(1000)}}, "drop_copy": enabled}
    bob = {"on_shards": {2: {0: d(1000)}}}
    perp = {"drop_copy": enabled}
    return VenueHarness(accounts=accounts(ann=ann, bob=bob, perp=perp), **changes)


WINDOW = PAST.total_seconds()


@pytest.fixture
def harness() -> VenueHarness:
    return harness_with()


def ask(client: Client, begin: str, end: str | None = None) -> list[Message]:
    """Return the answers to a request, after checking the request's own number."""
    number = client.session.next_outgoing
    client.events.clear()
    start = len(client.wire)
    client.send(EventResendRequest(begin_exec_id=begin, end_exec_id=end))
    found = [m for m in decode_all(bytes(client.wire[start:])) if m.MSG_TYPE in ("8", "U2", "U3", "j")]
    answer: Any = found[-1]
    if not isinstance(answer, ExecutionReport):
        assert answer.ref_seq_num == number
    return found


def replayed(client: Client, begin: str, end: str | None = None) -> list[ExecutionReport]:
    """Return the reports of a request that is answered in full."""
    *found, complete = ask(client, begin, end)
    assert isinstance(complete, EventResendComplete), complete
    reports = [message for message in found if isinstance(message, ExecutionReport)]
    assert complete.resend_event_count == len(reports) == len(found)
    return reports


def refusal(client: Client, begin: str, end: str | None = None) -> EventResendRejectReason | int:
    (answer,) = ask(client, begin, end)
    assert isinstance(answer, EventResendReject), answer
    return answer.event_resend_reject_reason


def exec_ids(reports: list[ExecutionReport]) -> list[str]:
    return [report.exec_id for report in reports]


def some_orders(harness: VenueHarness, count: int = 5) -> list[str]:
    """Let Ann place this many orders; return the ExecIDs."""
    ann = harness.connect("ann")
    ann.take()
    for number in range(count):
        ann.send(order(f"a{number}", BUY, 1, "0.40"))
    found = exec_ids(reports(ann))
    ann.logout()
    assert len(found) == count
    return found


def body(report: ExecutionReport) -> bytes:
    """Return a report without the fields added by a session."""
    report.header = None
    report.trailer = None
    return repr(report).encode()


@pytest.mark.parametrize("session_type", ["KalshiDC", "KalshiNR"])
def test_past_reports_are_sent_unchanged_under_new_numbers(harness: VenueHarness, session_type: str) -> None:
    ann, bob = harness.connect("ann-2"), harness.connect("bob")
    ann.take()
    ann.send(order("a1", BUY, 10, "0.40"))
    bob.send(order("b1", SELL, 4, "0.40"))
    ann.send(cancel("c1", "a1"))
    before = reports(ann)
    assert [report.exec_type for report in before] == ["0", "F", "4"]
    again = replayed(harness.connect("ann", session_type), before[0].exec_id)
    numbers = [report.header.msg_seq_num for report in again if report.header is not None]
    assert numbers == [2, 3, 4]
    assert all(report.header is not None and not report.header.poss_dup_flag for report in again)
    assert [body(report) for report in again] == [body(report) for report in before]


def test_past_reports_cover_exactly_the_orders_of_the_account(harness: VenueHarness) -> None:
    first, second, bob = harness.connect("ann"), harness.connect("ann-2", "KalshiRT"), harness.connect("bob")
    first.send(order("a1", BUY, 1, "0.40"))
    bob.send(order("b1", BUY, 1, "0.30"))
    second.send(order("a2", BUY, 1, "0.41"))
    second.send(order("a3", BUY, 1, "0.42", alloc_account=3))
    found = replayed(harness.connect("ann-reader", "KalshiDC"), "0;0")
    assert [report.cl_ord_id for report in found] == ["a1", "a2", "a3"]


@pytest.mark.parametrize(
    ("begin", "end", "expected"),
    [
        (0, None, [0, 1, 2, 3, 4]),
        (2, None, [2, 3, 4]),
        (1, 3, [1, 2, 3]),
        (4, 4, [4]),
        (3, 1, []),
    ],
)
def test_a_range_includes_both_ends(
    harness: VenueHarness, begin: int, end: int | None, expected: list[int]
) -> None:
    ids = some_orders(harness)
    found = replayed(harness.connect("ann", "KalshiDC"), ids[begin], None if end is None else ids[end])
    assert exec_ids(found) == [ids[number] for number in expected]


def test_a_range_may_split_the_events_of_one_order(harness: VenueHarness) -> None:
    bob, ann = harness.connect("bob"), harness.connect("ann")
    for number in range(4):
        bob.send(order(f"b{number}", SELL, 1, f"0.4{number}"))
    ann.take()
    ann.send(order("a1", BUY, 4, "0.50"))
    ids = exec_ids(reports(ann))
    assert len({exec_id.partition(";")[0] for exec_id in ids}) == 1
    dc = harness.connect("ann-2", "KalshiDC")
    assert exec_ids(replayed(dc, ids[1], ids[2])) == ids[1:3]


def test_rejects_and_pending_reports_are_left_out(harness: VenueHarness) -> None:
    ann = harness.connect("ann", skip_pending_exec_reports=False)
    ann.take()
    ann.send(order("a1", BUY, 1, "0.40"))
    ann.send(order("a2", BUY, 1, "0.40", symbol="NO-SUCH"))
    ann.send(cancel("c1", "a1"))
    assert [report.exec_type for report in reports(ann)] == ["A", "0", "A", "8", "6", "4"]
    found = replayed(harness.connect("ann-2", "KalshiDC"), "0;0")
    assert [report.exec_type for report in found] == ["0", "4"]


@pytest.mark.parametrize("session_type", ["KalshiNR", "KalshiDC"])
def test_past_reports_use_the_flags_of_the_requesting_session(
    harness: VenueHarness, session_type: str
) -> None:
    ann, bob = harness.connect("ann", use_dollars=False), harness.connect("bob")
    bob.send(order("b1", SELL, 1, "0.40"))
    ann.take()
    ann.send(order("a1", BUY, 3, "40", time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL))
    (trade,) = reports(ann)
    assert (str(trade.price), trade.ord_status, str(trade.order_qty)) == ("40", "4", "1.00")
    dollars = replayed(harness.connect("ann-reader", "KalshiDC"), "0;0")
    assert [str(report.price) for report in dollars] == ["0.4000"]
    flagged = harness.connect(
        "ann-2",
        session_type,
        enable_ioc_cancel_report=True,
        preserve_original_order_qty=True,
        always_emit_new_before_trade=True,
    )
    found = replayed(flagged, "0;0")
    assert [(r.exec_type, r.ord_status, str(r.order_qty)) for r in found] == [
        ("0", "0", "3.00"),
        ("F", "1", "3.00"),
        ("4", "4", "3.00"),
    ]


def test_a_range_is_on_one_shard() -> None:
    markets = {"prediction": (prediction_market(MARKET), prediction_market(CRYPTO, shard=2))}
    harness = harness_with(markets=markets)
    ann = harness.connect("ann")
    ann.take()
    for number, symbol in enumerate((MARKET, CRYPTO, MARKET, CRYPTO)):
        ann.send(order(f"a{number}", BUY, 1, "0.40", symbol=symbol))
    ids = exec_ids(reports(ann))
    assert ids == ["1;1", "1;1;2", "2;1", "2;1;2"]
    dc = harness.connect("ann-2", "KalshiDC")
    assert exec_ids(replayed(dc, "0;0")) == ["1;1", "2;1"]
    assert exec_ids(replayed(dc, "0;0;2")) == ["1;1;2", "2;1;2"]
    assert exec_ids(replayed(dc, "2;1;2", "2;1;2")) == ["2;1;2"]
    assert refusal(dc, "1;1;2", "3;1;2") is Reason.END_TOO_LARGE
    for begin, end in (("1;1", "2;1;2"), ("1;1;2", "2;1"), ("1;1;7", None), ("1;1;7", "1;1;7")):
        (answer,) = ask(dc, begin, end)
        assert isinstance(answer, BusinessMessageReject)
        assert "same exchange index" in (answer.text or "")


@pytest.mark.parametrize(
    "text", ["x", "1", "1;", ";1", "1;1;1;1", "-1;-1", "1;+1", "1; 1", "1;1e3", "9" * 30 + ";1"]
)
def test_an_invalid_exec_id_is_refused_and_the_session_continues(harness: VenueHarness, text: str) -> None:
    dc = harness.connect("ann", "KalshiDC")
    for begin, end in ((text, None), ("0;0", text)):
        (answer,) = ask(dc, begin, end)
        assert isinstance(answer, BusinessMessageReject)
        assert (answer.ref_msg_type, answer.business_reject_reason) == ("U1", 0)
    assert replayed(dc, "0;0") == []


def test_an_end_that_has_not_happened_is_too_large(harness: VenueHarness) -> None:
    ids = some_orders(harness)
    dc = harness.connect("ann", "KalshiDC")
    clock = int(ids[-1].partition(";")[0])
    assert refusal(dc, ids[0], f"{clock};2") is Reason.END_TOO_LARGE
    assert refusal(dc, ids[0], f"{clock + 1};1") is Reason.END_TOO_LARGE
    assert len(replayed(dc, ids[0], f"{clock};1")) == 5
    # Events of other accounts count as having happened.
    harness.connect("bob").send(order("b1", BUY, 1, "0.30"))
    assert len(replayed(dc, ids[0], f"{clock + 1};1")) == 5
    # No report follows a begin that has not happened.
    assert replayed(dc, f"{clock + 9};1") == []


def test_a_range_must_begin_within_the_window(harness: VenueHarness) -> None:
    ids = some_orders(harness, 2)
    harness.wait(60)
    late = harness.connect("ann")
    late.take()
    late.send(order("z1", BUY, 1, "0.40"))
    (last,) = exec_ids(reports(late))
    late.logout()
    dc = harness.connect("ann", "KalshiDC")
    harness.wait(WINDOW - 61)
    assert exec_ids(replayed(dc, ids[0])) == [*ids, last]
    harness.wait(2)
    assert refusal(dc, ids[0]) is Reason.BEGIN_TOO_SMALL
    assert refusal(dc, ids[1], last) is Reason.BEGIN_TOO_SMALL
    assert exec_ids(replayed(dc, last)) == [last]
    harness.wait(60)
    assert refusal(dc, last) is Reason.BEGIN_TOO_SMALL


def test_each_shard_has_its_own_window() -> None:
    markets = {"prediction": (prediction_market(MARKET), prediction_market(CRYPTO, shard=2))}
    harness = harness_with(markets=markets)
    ann = harness.connect("ann")
    ann.send(order("a1", BUY, 1, "0.40"))
    harness.wait(3600)
    ann.send(order("a2", BUY, 1, "0.40", symbol=CRYPTO))
    harness.wait(WINDOW - 3600 + 1)
    dc = harness.connect("ann-2", "KalshiDC")
    assert refusal(dc, "1;1") is Reason.BEGIN_TOO_SMALL
    assert exec_ids(replayed(dc, "1;1;2")) == ["1;1;2"]


def test_the_history_is_bounded_in_number_too() -> None:
    harness = harness_with(max_past_events=3)
    ids = some_orders(harness, 5)
    dc = harness.connect("ann", "KalshiDC")
    assert refusal(dc, ids[1]) is Reason.BEGIN_TOO_SMALL
    assert exec_ids(replayed(dc, ids[2])) == ids[2:]


@pytest.mark.parametrize("session_type", ["KalshiDC", "KalshiNR"])
@pytest.mark.parametrize(("name", "product"), [("ann", "prediction"), ("perp", "margin")])
def test_an_account_that_is_not_enabled_is_refused(name: str, product: str, session_type: str) -> None:
    harness = harness_with(enabled=False)
    client = harness.connect(name, session_type, product=product)
    assert refusal(client, "0;0") is Reason.NOT_ENABLED
    assert refusal(client, "nonsense") is Reason.NOT_ENABLED


def test_an_account_enabled_later_gets_reports_from_then_on() -> None:
    harness = harness_with(enabled=False)
    some_orders(harness, 2)
    harness.venue.drop_copy("prediction").enable("ann")
    ann = harness.connect("ann")
    ann.take()
    ann.send(order("z1", BUY, 1, "0.40"))
    assert [report.cl_ord_id for report in replayed(harness.connect("ann-2", "KalshiDC"), "0;0")] == ["z1"]
    harness.venue.drop_copy("prediction").enable("ann", enabled=False)
    assert refusal(ann, "0;0") is Reason.NOT_ENABLED


def test_drop_copy_works_on_margin(harness: VenueHarness) -> None:
    perp = harness.connect("perp", product="margin")
    perp.send(order("a1", BUY, 10, "19.5", symbol=PERP))
    perp.logout()
    dc = harness.connect("perp", "KalshiDC", product="margin")
    assert [report.cl_ord_id for report in replayed(dc, "0;0")] == ["a1"]


def test_a_key_restricted_to_a_subaccount_gets_its_reports_only() -> None:
    keys = (api_key("ann"), attrs.evolve(api_key("ann-2"), restricted_to=3))
    harness = harness_with(api_keys=keys)
    ann = harness.connect("ann")
    ann.send(order("a1", BUY, 1, "0.40"))
    ann.send(order("a2", BUY, 1, "0.40", alloc_account=3))
    ann.send(mass_cancel("m1"))
    found = replayed(harness.connect("ann-2"), "0;0")
    assert [(report.exec_type, report.cl_ord_id) for report in found] == [("0", "a2"), ("4", "a2")]


def test_other_session_types_do_not_serve_drop_copy(harness: VenueHarness) -> None:
    rt = harness.connect("ann", "KalshiRT")
    refused = rt.answer_to_raw(EventResendRequest(begin_exec_id="1;1"), BusinessMessageReject)
    assert refused.business_reject_reason == 3


def test_a_fault_of_the_venue_refuses_once(harness: VenueHarness) -> None:
    some_orders(harness, 1)
    operator = harness.venue.drop_copy("prediction")
    dc = harness.connect("ann", "KalshiDC")
    operator.refuse_next(Reason.SERVER_ERROR)
    assert refusal(dc, "0;0") is Reason.SERVER_ERROR
    assert len(replayed(dc, "0;0")) == 1
    operator.refuse_next(Reason.TOO_MANY_REQUESTS, "bob", count=2)
    assert len(replayed(dc, "0;0")) == 1


def test_the_operator_refuses_for_any_reason_and_enables_accounts() -> None:
    harness = harness_with(enabled=False)
    dc = harness.connect("ann", "KalshiDC")
    harness.do("enable-drop-copy", owner="ann")
    for reason in Reason:
        name = reason.name.lower().replace("_", "-")
        answer = harness.do("refuse-drop-copy", reason=name, owner="ann", times="2")
        assert answer["text"] == f"the next 2 requests are refused: {name}"
        assert [refusal(dc, "0;0"), refusal(dc, "0;0")] == [reason, reason]
    assert replayed(dc, "0;0") == []
    harness.do("enable-drop-copy", owner="ann", enabled="no")
    assert refusal(dc, "0;0") is Reason.NOT_ENABLED
    with pytest.raises(ConfigurationError, match="at most 1000 requests"):
        harness.do("refuse-drop-copy", times=1001)


def test_too_many_requests_in_a_minute_are_refused(harness: VenueHarness) -> None:
    some_orders(harness, 1)
    dc, nr = harness.connect("ann", "KalshiDC"), harness.connect("ann-2")
    for client in (dc, nr) * (REQUESTS_PER_MINUTE // 2):
        assert len(replayed(client, "0;0")) == 1
    assert refusal(nr, "0;0") is Reason.TOO_MANY_REQUESTS
    harness.wait(59)
    assert refusal(nr, "0;0") is Reason.TOO_MANY_REQUESTS
    harness.wait(1)
    assert len(replayed(nr, "0;0")) == 1


# --- pages ----------------------------------------------------------------------------------------------


def many(harness: VenueHarness, count: int) -> None:
    ann = harness.connect("ann-2")
    for number in range(count):
        ann.send(order(f"a{number}", BUY, 1, "0.01"))
    ann.logout()


@pytest.mark.parametrize("count", [9, 10, 11, 20, 35])
def test_a_long_answer_is_complete_and_in_pages(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(drop_copy, "PAGE", 10)
    harness = harness_with()
    many(harness, count)
    dc = harness.connect("ann", "KalshiDC")
    dc.take()
    dc.send(EventResendRequest(begin_exec_id="0;0"))
    harness.wait(0)
    *found, complete = dc.take()
    assert [m.cl_ord_id for m in found if isinstance(m, ExecutionReport)] == [f"a{n}" for n in range(count)]
    assert isinstance(complete, EventResendComplete)
    assert complete.resend_event_count == count


def test_a_client_that_does_not_read_gets_no_further_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drop_copy, "PAGE", 10)
    harness = harness_with(max_unsent=8000)
    many(harness, 100)
    dc = harness.connect("ann", "KalshiDC")
    dc.take()
    dc.deaf = True
    dc.send(EventResendRequest(begin_exec_id="0;0"))
    harness.wait(5)
    # One at a time: a further request before the answer is complete is refused.
    request = EventResendRequest(begin_exec_id="0;0")
    dc.send(request)
    assert dc.session.is_established
    dc.deaf = False
    harness.run()
    harness.wait(0)
    *found, complete = dc.take()
    assert [m.MSG_TYPE for m in found].count("U3") == 1
    assert isinstance(complete, EventResendComplete)
    assert complete.resend_event_count == 100


def test_live_reports_are_sent_between_the_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drop_copy, "PAGE", 10)
    harness = harness_with()
    many(harness, 25)
    ann = harness.connect("ann")
    ann.take()
    ann.session.send(EventResendRequest(begin_exec_id="0;0"), harness.now)
    ann.session.send(order("z1", BUY, 1, "0.01"), harness.now)
    harness.run()
    harness.wait(0)
    *found, complete = [m for m in ann.take() if isinstance(m, ExecutionReport | EventResendComplete)]
    names = [m.cl_ord_id for m in found if isinstance(m, ExecutionReport)]
    assert sorted(names) == sorted([f"a{number}" for number in range(25)] + ["z1"])
    assert isinstance(complete, EventResendComplete)
    assert complete.resend_event_count == 25


def test_the_end_of_the_session_ends_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drop_copy, "PAGE", 10)
    harness = harness_with()
    many(harness, 25)
    dc = harness.connect("ann", "KalshiDC")
    dc.send(EventResendRequest(begin_exec_id="0;0"))
    dc.drop()
    harness.wait(1)
    again = harness.connect("ann", "KalshiDC")
    again.take()
    harness.wait(1)
    assert again.take() == []
    again.send(EventResendRequest(begin_exec_id="0;0"))
    harness.wait(0)
    assert len(again.take()) == 26


def test_past_reports_include_orders_of_a_mass_cancel(ann: Client) -> None:
    for number in range(3):
        ann.send(order(f"a{number}", BUY, 1, "0.40"))
    ann.take()
    ann.send(mass_cancel("m1"))
    cancels = reports(ann)
    assert len(cancels) == 3
    assert exec_ids(replayed(ann, cancels[0].exec_id)) == exec_ids(cancels)
