"""The active market data subscriptions, and no others, are repeated after a reconnect."""

from __future__ import annotations

import pytest

from kalshi_fix_adapters.engine.client_core import MAX_RENEWALS_PER_BATCH, RENEWAL_INTERVAL
from kalshi_fix_adapters.engine.connection import LINGER_SECONDS
from kalshi_fix_adapters.engine.subscriptions import Subscriptions
from kalshi_fix_adapters.events import GaveUp, Resubscribed
from kalshi_fix_sansio import (
    SESSION_TYPES,
    BusinessMessageReject,
    BusinessRejectReason,
    MarketDataRequest,
    MarketDataRequestReject,
    MarketDataSnapshotFullRefresh,
    MDReqSymbol,
    Reject,
    SecurityStatus,
    SecurityStatusRequest,
    SubscriptionRequestType,
)
from kalshi_fix_sansio.dialect.base import Message, UnknownMessage
from kalshi_fix_sansio.events import CloseReason, LoggedOn, MessageReceived, SessionEnded
from tests.adapters.engine.stage import FailingStore, Stage, messages_of, only, open_stage, plan
from tests.helpers import KEY_ID, Peer, of_type

SNAPSHOT, ON, OFF = SubscriptionRequestType
TOO_MANY = BusinessRejectReason.RATE_LIMIT_EXCEEDED


def md_stage() -> Stage:
    return open_stage(plan("KalshiMD", session={"logon_fields": None}))


def books(*symbols: str, kind: SubscriptionRequestType = ON) -> MarketDataRequest:
    return MarketDataRequest(
        subscription_request_type=kind, related_sym=[MDReqSymbol(symbol=symbol) for symbol in symbols]
    )


def status(symbol: str, kind: SubscriptionRequestType = ON) -> SecurityStatusRequest:
    return SecurityStatusRequest(subscription_request_type=kind, symbol=symbol)


def book(symbol: str) -> MarketDataSnapshotFullRefresh:
    return MarketDataSnapshotFullRefresh(symbol=symbol, md_entries=[])


def business_reject(
    number: int, reason: BusinessRejectReason = BusinessRejectReason.OTHER
) -> BusinessMessageReject:
    return BusinessMessageReject(ref_seq_num=number, ref_msg_type="V", business_reject_reason=reason)


def reconnect(stage: Stage) -> list[Message]:
    """Lose the connection and reconnect; return the requests that the client repeated, all of which the venue
    has received."""
    stage.take()
    stage.cut()
    stage.venue_events.clear()
    stage.advance(100)
    assert stage.core.is_logged_on
    events = of_type(stage.take(), Resubscribed)
    received: list[Message] = messages_of(stage.venue_events)
    assert received == [event.request for event in events]
    assert [event.seq_num for event in events] == [message.header.msg_seq_num for message in received]
    return received


def test_active_subscriptions_are_repeated_in_few_requests() -> None:
    stage = md_stage()
    for request in (books("A", "B"), status("A"), books("C"), status("D"), books("A")):
        stage.core.send(request)
    for _ in range(3):
        assert reconnect(stage) == [books("A", "B", "C"), status("A"), status("D")]


def test_subscriptions_are_repeated_directly_after_the_logon() -> None:
    stage = md_stage()
    stage.core.send(books("A"))
    stage.cut(wait=1)
    kinds = stage.take_kinds()
    assert kinds[-2:] == ["LoggedOn", "Resubscribed"]
    assert stage.core.send(books("B")) == (3, 0)


def test_long_lists_of_symbols_are_split_into_several_requests() -> None:
    stage = md_stage()
    maximum = SESSION_TYPES["KalshiMD"].symbols_per_request
    assert maximum is not None
    symbols = [f"S{number}" for number in range(maximum + 1)]
    stage.core.send(books(*symbols[:maximum]))
    stage.core.send(books(symbols[maximum]))
    assert [len(request.related_sym) for request in reconnect(stage)] == [maximum, 1]  # type: ignore[attr-defined]


def test_without_a_limit_all_symbols_are_in_one_request() -> None:
    subscriptions = Subscriptions()
    assert list(subscriptions.requests()) == []
    symbols = [f"S{number}" for number in range(5000)]
    subscriptions.record_sent(books(*symbols), 2)
    subscriptions.start_connection()
    (request,) = subscriptions.requests()
    assert request == books(*symbols)


def test_repeated_subscriptions_are_paced() -> None:
    """A venue that accepts ten requests a second receives all of them and refuses none."""
    stage = md_stage()
    symbols = [f"S{number}" for number in range(105)]
    for symbol in symbols:
        stage.core.send(status(symbol))
    stage.run()
    stage.cut()
    stage.venue_events.clear()
    counts = []
    requested: list[str] = []
    for _ in range(30):
        stage.advance(1)
        new = [message.symbol for message in messages_of(stage.venue_events)]
        stage.venue_events.clear()
        counts.append(len(new))
        requested += new
    assert requested == symbols
    assert max(counts) == MAX_RENEWALS_PER_BATCH
    assert stage.core.is_logged_on


def test_subscriptions_are_not_repeated_while_the_venue_does_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = md_stage()
    for number in range(5):
        stage.core.send(status(f"S{number}"))
    stage.run()
    stage.cut()
    monkeypatch.setattr("kalshi_fix_adapters.engine.connection.HIGH_WATER", 1)
    stage.clock.advance(1)
    assert stage.core.next_attempt() is not None
    stage.accept()
    stage.run()
    assert stage.core.is_logged_on
    stage.core.output.extend(b"x")  # bytes that the transport does not accept
    for _ in range(3):
        stage.clock.advance(RENEWAL_INTERVAL)
        stage.core.tick()
    assert sum(isinstance(event, Resubscribed) for event in stage.core._queue.events) == 1
    stage.core.output.clear()
    monkeypatch.setattr("kalshi_fix_adapters.engine.connection.HIGH_WATER", 64 * 1024)
    stage.advance(30)
    again = [event.request for event in of_type(stage.take(), Resubscribed)]
    assert again == [status(f"S{number}") for number in range(5)]


@pytest.mark.parametrize(
    ("method", "calls_left", "in_later_batch"),
    # Once logged on, the client makes one commit for the reset that the Logon confirmed.
    [
        ("record_sent", 1, False),
        ("begin_commit", 2, False),
        ("record_sent", 0, True),
        ("begin_commit", 0, True),
    ],
)
def test_a_store_failure_while_subscriptions_are_repeated_ends_the_client_with_a_store_error(
    method: str, calls_left: int, in_later_batch: bool
) -> None:
    store = FailingStore()
    stage = open_stage(plan("KalshiMD", session={"logon_fields": None}, store=store))
    core = stage.core
    for number in range((MAX_RENEWALS_PER_BATCH or 0) + 1 if in_later_batch else 2):
        core.send(status(f"S{number}"))
    stage.run()
    stage.cut()
    stage.take()
    stage.clock.advance(1)
    assert core.next_attempt() is not None
    stage.accept()
    venue = stage.venue
    stage._carry_to_venue(venue)
    venue.send(SecurityStatus(symbol="S0", security_trading_status=2), stage.clock.now)
    if in_later_batch:
        stage.run()
        store.failing_method, store.calls_left = method, calls_left
        stage.clock.advance(RENEWAL_INTERVAL)
        core.tick()
    else:
        store.failing_method, store.calls_left = method, calls_left
        core.receive(venue.data_to_send())
    # The failure is reported even if no event is taken.
    reported = [type(event).__name__ for event in core._queue.events]
    # The messages received after the Logon are delivered before the end of the session.
    assert reported == ["Connecting", "LoggedOn", *reported[2:-2], "MessageReceived", "SessionEnded"]
    assert set(reported[2:-2]) == {"Resubscribed"}
    # The venue reads nothing more, and the client does not wait for it for ever.
    core.output.extend(b"x")
    assert (core.must_close, core.timeout()) == (False, LINGER_SECONDS)
    stage.clock.advance(LINGER_SECONDS)
    assert (core.must_close, core.timeout()) == (True, 0)
    core.disconnected()
    assert isinstance(core.ended, SessionEnded)
    assert core.ended.reason is CloseReason.STORE_FAILED
    assert "the disk is" in only(stage.take(), GaveUp).reason
    assert core.over


def test_subscriptions_rejected_by_the_rate_limit_are_repeated_later() -> None:
    stage = md_stage()
    for symbol in "ABC":
        stage.core.send(status(symbol))
    reconnect(stage)
    stage.venue_events.clear()
    stage.venue_sends(business_reject(3, TOO_MANY), business_reject(4, TOO_MANY))
    stage.core.send(status("C", OFF))
    stage.run()
    stage.venue_events.clear()
    assert stage.core.timeout() == RENEWAL_INTERVAL
    stage.advance(RENEWAL_INTERVAL)
    assert messages_of(stage.venue_events) == [status("B")]
    assert reconnect(stage) == [status("A"), status("B")]


def test_postponed_subscriptions_are_repeated_on_the_next_connection() -> None:
    stage = md_stage()
    stage.core.send(status("A"))
    reconnect(stage)
    stage.venue_sends(business_reject(2, TOO_MANY))
    assert reconnect(stage) == [status("A")]


REFUSED = MarketDataRequestReject()
HISTORIES: dict[str, tuple[list[Message], list[Message]]] = {
    "ended": ([books("A"), books("A", kind=OFF)], []),
    "one of a list ended": ([books("A", "B", "C"), books("B", kind=OFF)], [books("A", "C")]),
    "all books ended": ([books("A"), status("A"), books(kind=OFF)], [status("A")]),
    "one status ended": ([status("A"), status("B"), status("A", OFF)], [status("B")]),
    "never subscribed": ([books("A", kind=OFF), status("A", OFF)], []),
    "a snapshot only": ([books("A", kind=SNAPSHOT)], []),
    "subscribed again": ([books("A"), books("A", kind=OFF), books("A")], [books("A")]),
    "rejected by RefSeqNum": ([books("A", "B"), status("C"), business_reject(2)], [status("C")]),
    "rejected by the session": ([books("A", "B"), status("C"), Reject(ref_seq_num=2)], [status("C")]),
    "a status refused": ([books("A"), status("C"), business_reject(3)], [books("A")]),
    # The reject applies to the oldest unanswered request.
    "rejected without RefSeqNum": (
        [
            *(books("A", "B"), books("Z", kind=SNAPSHOT), books("C"), books("D")),
            *(book("A"), book("B"), book("Z"), REFUSED, book("D")),
        ],
        [books("A", "B", "D")],
    ),
    "partly answered": ([books("A", "B"), books("C"), book("A"), REFUSED], [books("A", "B")]),
    # The subscription was granted earlier, and stays active.
    "a repetition refused": (
        [
            books("A"),
            book("A"),
            books("A", "B"),
            status("C"),
            status("C"),
            business_reject(3),
            business_reject(5),
        ],
        [books("A"), status("C")],
    ),
    "an unsolicited book": ([books("A"), books("A", kind=OFF), book("A"), book("B")], []),
    "a market that is settled": (
        [
            *(status("A"), status("B")),
            SecurityStatus(symbol="A", security_trading_status=101),
            SecurityStatus(symbol="B", security_trading_status=2),
        ],
        [status("B")],
    ),
    "rejected by the rate limit": ([status("A"), business_reject(2, TOO_MANY)], []),
}
"""By description: sent and received messages, and the requests that are repeated after them."""


@pytest.mark.parametrize("name", HISTORIES)
def test_subscriptions_active_after_a_history_are_repeated(name: str) -> None:
    history, active = HISTORIES[name]
    stage = md_stage()
    for message in history:
        if isinstance(message, MarketDataRequest | SecurityStatusRequest):
            stage.core.send(message)
        elif isinstance(message, Reject):
            stage.run()
            stage.venue._core.outbound.post(message, stage.clock.now, keep=False)
            stage.run()
        else:
            stage.run()
            stage.venue_sends(message)
    for _ in range(2):
        assert reconnect(stage) == active


def test_a_reject_without_ref_seq_num_rejects_the_repeated_request() -> None:
    stage = md_stage()
    stage.core.send(books("A", "B"))
    stage.venue_sends(book("A"), book("B"))
    assert reconnect(stage) == [books("A", "B")]
    stage.venue_sends(REFUSED)
    assert reconnect(stage) == []
    # No request is unanswered, so this reject has no effect.
    stage.venue_sends(REFUSED)


def test_a_reopened_client_has_no_subscriptions() -> None:
    stage = md_stage()
    stage.core.send(status("A"))
    stage.leave()
    stage.open()
    assert reconnect(stage) == []


def test_other_session_types_repeat_no_requests(stage: Stage) -> None:
    assert stage.core._subscriptions is None
    stage.cut(wait=1)
    assert [type(event) for event in stage.take()][-1] is LoggedOn


def test_a_subscription_lost_during_the_logon_is_repeated_on_the_next_connection() -> None:
    stage = md_stage()
    stage.core.send(books("A"))
    stage.cut()
    stage.clock.advance(1)
    attempt = stage.core.next_attempt()
    assert attempt is not None
    stage.accept()
    # The Logon and the Logout arrive in one chunk, so the subscriptions cannot be requested between them.
    stage.venue.receive_data(bytes(stage.core.output), stage.clock.now)
    stage.venue.accept_logon(stage.clock.now)
    stage.venue.abort("not now", stage.clock.now)
    stage.core.receive(stage.venue.data_to_send())
    stage.core.disconnected()
    stage._venue = None
    assert "Resubscribed" not in stage.take_kinds()
    stage.advance(10)
    assert "Resubscribed" in stage.take_kinds()


def test_a_message_of_unknown_type_does_not_affect_subscriptions() -> None:
    stage = open_stage(plan("KalshiMD", session={"logon_fields": None, "strict": False}))
    stage.core.send(books("A"))
    stage.run()
    stage.core.receive(Peer(stage.clock, "KalshiMD", KEY_ID, next_number=2).message("ZZ", "58=news|"))
    (event,) = stage.take()
    assert isinstance(event, MessageReceived)
    assert isinstance(event.message, UnknownMessage)
    assert reconnect(stage) == [books("A")]
