"""The message or error for each event when a user iterates over messages."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from kalshi_fix_adapters.engine.iteration import message_or_error
from kalshi_fix_adapters.engine.user import ClientBase, ErrorToRaise
from kalshi_fix_adapters.errors import (
    AdapterError,
    GarbledReceivedError,
    MessageRejectedError,
    MessagesLostError,
    MessageTooLargeError,
    NumbersResetError,
    OrdersUnverifiedError,
    OutcomesUnknownError,
    ReconcileError,
    SessionInterruptedError,
)
from kalshi_fix_adapters.events import (
    ClientEvent,
    ConnectFailed,
    Connecting,
    Disconnected,
    Endpoint,
    GaveUp,
    ReadingPaused,
    ReadingResumed,
    Resubscribed,
)
from kalshi_fix_sansio import Logon, MarketDataRequest, NewOrderSingle, Reject
from kalshi_fix_sansio.config import LogonToSign
from kalshi_fix_sansio.dialect.problems import Problem, Reason
from kalshi_fix_sansio.errors import KalshiFixError
from kalshi_fix_sansio.events import (
    CloseReason,
    GapClosed,
    GapDetected,
    GarbledReceived,
    HeartbeatReceived,
    LoggedOn,
    LogonRequested,
    LogoutReceived,
    MessageReceived,
    MessageRejected,
    MessagesLost,
    MessageTooLarge,
    OpenRequest,
    OrdersUnverified,
    OutcomesUnknown,
    PeerSilent,
    RejectReceived,
    ResendServed,
    RestingOrder,
    SequenceSkipped,
    SessionEnded,
    Uncertainty,
)
from tests.adapters.engine.stage import Stage, only, open_stage, plan, report
from tests.helpers import START, order

LOGON = Logon(encrypt_method=0, heart_bt_int=30)
REJECT = Reject(ref_seq_num=2)
ENDED = SessionEnded(CloseReason.CONNECTION_LOST, "the connection ended", clean=False)
REFUSED = MessageRejected(report("a"), (Problem(Reason.VALUE_INCORRECT, "Side is 9", 54, "9"),))
UNKNOWN = OutcomesUnknown(
    (OpenRequest("a1", "D", 2, START, b"", 1), OpenRequest("7", "UOG", 7, START, b"", 2)),
    Uncertainty.RESTARTED,
)
UNVERIFIED = OrdersUnverified((RestingOrder("o1", "a1", "KX", "1", None, None),), complete=False)
MESSAGES: list[tuple[ClientEvent, Any]] = [
    (MessageReceived(report("a")), report("a")),
    (RejectReceived(REJECT, 2, None), REJECT),
]
RAISED_EVENTS: list[tuple[ClientEvent, type[AdapterError]]] = [
    (UNKNOWN, OutcomesUnknownError),
    (UNVERIFIED, OrdersUnverifiedError),
    (MessagesLost(3, 5), MessagesLostError),
    (SequenceSkipped(3, 5, gap_fill=False), MessagesLostError),
    (GapDetected(3, 5, recoverable=False), MessagesLostError),
    (LoggedOn(LOGON, 30, reset=True, reset_requested=False), NumbersResetError),
    (REFUSED, MessageRejectedError),
    (MessageTooLarge(300_000, 262_144, "W"), MessageTooLargeError),
    (GarbledReceived("CheckSum is 001", b"8=", 300), GarbledReceivedError),
    (Disconnected(ENDED, 0.5), SessionInterruptedError),
]
SKIPPED_EVENTS: list[ClientEvent] = [
    LogonRequested(LOGON, LogonToSign("", "", 1, "", "")),
    LoggedOn(LOGON, 30, reset=True),
    GapDetected(3, 5, recoverable=True),
    GapClosed(6),
    SequenceSkipped(3, 5, gap_fill=True),
    ResendServed(3, 5, 1),
    PeerSilent("1"),
    HeartbeatReceived("1"),
    LogoutReceived("good night"),
    ENDED,
    Connecting(Endpoint("venue.example", 1), 1),
    ConnectFailed(KalshiFixError("no"), 0.5),
    Resubscribed(MarketDataRequest(subscription_request_type="1"), 2),
    GaveUp(KalshiFixError("no"), "no"),
    ReadingPaused(10),
    ReadingResumed(),
]


def test_every_kind_of_event_is_covered() -> None:
    covered = [type(event) for event, _ in [*MESSAGES, *RAISED_EVENTS]] + [
        type(event) for event in SKIPPED_EVENTS
    ]
    assert set(covered) == set(get_args(ClientEvent))


@pytest.mark.parametrize(("event", "message"), MESSAGES)
def test_messages_are_yielded(event: ClientEvent, message: object) -> None:
    assert message_or_error(event) == message


@pytest.mark.parametrize(("event", "kind"), RAISED_EVENTS)
def test_losses_and_unknown_outcomes_are_raised(event: ClientEvent, kind: type[AdapterError]) -> None:
    error = message_or_error(event)
    assert type(error) is kind
    assert "iterate again" in str(error)
    if isinstance(error, ReconcileError):
        assert vars(error)["event"] is event


@pytest.mark.parametrize("event", SKIPPED_EVENTS)
def test_other_events_are_skipped(event: ClientEvent) -> None:
    assert message_or_error(event) is None


def test_errors_contain_the_identifiers_of_their_events() -> None:
    unknown = OutcomesUnknownError(UNKNOWN)
    assert unknown.requests == UNKNOWN.requests
    assert unknown.request_ids == UNKNOWN.request_ids
    assert unknown.why is Uncertainty.RESTARTED
    assert str(unknown).startswith("2 outcomes are unknown (sent before the process started;")
    assert ": a1, MsgSeqNum 7; look them up" in str(unknown)
    lost = MessagesLostError(MessagesLost(3, 5))
    assert (lost.begin, lost.end) == (3, 5)
    assert "messages 3 to 5 are lost" in str(lost)
    refused = MessageRejectedError(REFUSED)
    assert (refused.message, refused.problems) == (REFUSED.message, REFUSED.problems)
    assert "ExecutionReport from the venue was rejected (Side is 9" in str(refused)
    assert str(MessageRejectedError(MessageRejected(None, ()))).startswith("a message from the venue was")
    assert "300 bytes" in str(GarbledReceivedError(GarbledReceived("CheckSum is 001", b"secret", 300)))


def test_an_error_text_names_at_most_ten_identifiers() -> None:
    requests = tuple(OpenRequest(f"o{number}", "D", number, START, b"", 1) for number in range(1, 12))
    error = OutcomesUnknownError(OutcomesUnknown(requests, Uncertainty.RESET))
    assert "o10, ...; look" in str(error)
    assert len(error.request_ids) == 11


# --- with a client


def iterate(stage: Stage) -> list[Any]:
    """Return the messages that `messages` yields and the errors that it raises, until no events are left."""
    reader, found = ClientBase(stage.core), list[Any]()
    while len(stage.core._queue):
        message = reader._next_message()
        if message is not None:
            found.append(message.error if isinstance(message, ErrorToRaise) else message)
    return found


def test_messages_that_the_venue_no_longer_keeps_are_reported_as_lost() -> None:
    stage = open_stage(plan("KalshiRT"))
    stage.mute = True
    stage.venue_sends(*[report(f"f{number}") for number in range(5)])
    stage.venue.data_to_send()
    stage.mute = False
    stage.venue_store._max_messages = 2
    stage.venue_store.forget_before(START)
    assert stage.venue_store.oldest_kept == 5
    stage.cut(wait=1)
    found = [item for item in iterate(stage) if not isinstance(item, Reject)]
    interrupted, lost, *rest = found
    assert isinstance(interrupted, SessionInterruptedError)
    assert isinstance(lost, MessagesLostError)
    assert (lost.begin, lost.end) == (2, 4)
    assert [item.cl_ord_id for item in rest] == ["f3", "f4"]


def test_a_raised_event_is_confirmed_when_the_next_is_requested(stage: Stage) -> None:
    stage.core.send(order("a1"))
    stage.core.send(order("a2"))
    stage.run()
    stage.cut()
    store = stage.core.sequence._store
    reader = ClientBase(stage.core)
    while not isinstance(raised := reader._next_message(), ErrorToRaise):
        assert raised is not None
    assert isinstance(raised.error, OutcomesUnknownError)
    assert raised.error.request_ids == ("a1", "a2")
    assert [request.request_id for request in store.open_requests()] == ["a1", "a2"]
    stage.core.take()
    assert store.open_requests() == ()


@pytest.mark.parametrize("clean", [False, True])
def test_requests_stay_open_until_their_events_are_taken(stage: Stage, clean: bool) -> None:
    stage.core.send(order("a1"))
    stage.run()
    stage.cut()
    store = stage.core.sequence._store
    stage.core.logout()
    stage.core.close(clean=clean)
    assert [request.request_id for request in store.open_requests()] == ["a1"]


def test_the_error_for_a_refused_message_contains_the_message() -> None:
    stage = open_stage(plan(session={"strict": True}))
    stage.venue._core.outbound.post(order("not for a client"), stage.clock.now, keep=False)
    stage.run()
    (error,) = iterate(stage)
    assert isinstance(error, MessageRejectedError)
    assert only([error.message], NewOrderSingle).cl_ord_id == "not for a client"


def test_the_error_for_unverified_orders_lists_them_and_mentions_untracked_ones() -> None:
    error = OrdersUnverifiedError(UNVERIFIED)
    assert "1 order was open when the connection ended: a1, and others that were not tracked; look" in str(
        error
    )
    assert (error.orders, error.complete) == (UNVERIFIED.orders, False)
