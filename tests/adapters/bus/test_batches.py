"""From events to bus messages and back: order, bounds, gaps, restarts, several publishers."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_fix_adapters.bus import (
    Channel,
    Mark,
    OutgoingMessage,
    Receiver,
    Verdict,
    bucket_of,
    parse_subject,
    split_frames,
)
from kalshi_fix_adapters.bus.batches import MAX_FRAMES, MIXED, lane_of
from kalshi_fix_adapters.bus.marks import Position
from kalshi_fix_adapters.bus.receiver import MAX_LANES
from kalshi_fix_adapters.events import ReadingResumed
from kalshi_fix_sansio import Heartbeat
from kalshi_fix_sansio.events import (
    CloseReason,
    HeartbeatReceived,
    LoggedOn,
    MessageReceived,
    MessagesLost,
    SessionEnded,
)
from tests.adapters.bus.stream import (
    MARKET_DATA,
    REPORTS,
    apply,
    batcher,
    delta,
    logged_on,
    numbers,
    published,
    received,
    report,
    rounds,
    snapshot,
)

SYMBOLS = [f"KX{number}" for number in range(6)]
ENDED = SessionEnded(CloseReason.CONNECTION_LOST, "lost", clean=False)


@st.composite
def streams(draw: st.DrawFn) -> list[object]:
    """Events of a market data session over several logons."""
    events: list[object] = []
    for generation in range(draw(st.integers(1, 3))):
        events.append(logged_on(generation))
        number = 1
        for _ in range(draw(st.integers(0, 12))):
            number += draw(st.integers(1, 3))
            symbols = draw(st.lists(st.sampled_from(SYMBOLS), min_size=1, max_size=2, unique=True))
            events.append(delta(number, *symbols))
        events.append(ENDED)
    return events


def events_about(symbol: str, events: list[object]) -> list[object]:
    """Return the messages about a symbol, and the events without a message."""
    return [
        event
        for event in events
        if not isinstance(event, MessageReceived)
        or any(entry.symbol == symbol for entry in event.message.md_entries)  # type: ignore[attr-defined]
    ]


@given(streams(), st.integers(1, 8), st.integers(150, 2000), st.data())
def test_consumers_get_every_event_once_and_in_order(
    events: list[object], buckets: int, max_bytes: int, data: st.DataObject
) -> None:
    """Messages of a round may be repeated and reordered: each symbol's events still arrive once, in order."""
    receiver, found = Receiver(), list[object]()
    for messages in rounds(batcher(buckets=buckets, max_bytes=max_bytes), events):
        for _ in range(data.draw(st.integers(1, 2))):
            found += apply(receiver, data.draw(st.permutations(messages)))
    assert not [event for event in found if isinstance(event, MessagesLost)]
    for symbol in SYMBOLS:
        assert events_about(symbol, found) == events_about(symbol, events)


@given(streams(), st.data())
def test_missing_messages_are_reported_before_the_next_message_of_their_lane(
    events: list[object], data: st.DataObject
) -> None:
    messages = [item for item in published(batcher(buckets=3), events) if not item.id.event]
    dropped = data.draw(st.sets(st.sampled_from(range(len(messages))))) if messages else set()
    receiver = Receiver()
    lanes_received: set[str] = set()
    lanes_with_loss: set[str] = set()
    for index, message in enumerate(messages):
        if index in dropped:
            lanes_with_loss.add(message.lane)
            continue
        found = apply(receiver, [message])
        lost = isinstance(found[0], MessagesLost)
        lane = message.lane
        assert lost == (lane in lanes_received and lane in lanes_with_loss and message.previous != 0)
        lanes_received.add(lane)
        lanes_with_loss.discard(lane)


def test_market_data_is_batched_by_bucket() -> None:
    events = [logged_on(), *(delta(number, SYMBOLS[number % 6]) for number in range(1, 61))]
    logon, batches = rounds(batcher(buckets=2, max_bytes=100_000), events)
    assert parse_subject(logon[0].subject)[1:] == ("event", "LoggedOn")
    assert {batch.lane for batch in batches} == {str(bucket_of(symbol, 2)) for symbol in SYMBOLS}
    assert sum(len(split_frames(batch.data)) for batch in batches) == 60
    assert {parse_subject(batch.subject) for batch in batches} == {
        (MARKET_DATA, "batch", batch.lane) for batch in batches
    }


def test_batches_are_bounded() -> None:
    events = [delta(number, "KX") for number in range(1, 3 * MAX_FRAMES)]
    size = len(events[0].frame)
    by_count = published(batcher(max_bytes=10**6), events)
    assert [len(split_frames(item.data)) for item in by_count] == [MAX_FRAMES, MAX_FRAMES, MAX_FRAMES - 1]
    by_bytes = published(batcher(max_bytes=3 * size), events[:7])
    assert [len(split_frames(item.data)) for item in by_bytes] == [3, 3, 1]


def test_a_message_about_several_buckets_has_a_round_of_its_own() -> None:
    first, second = (next(s for s in SYMBOLS if bucket_of(s, 2) == bucket) for bucket in range(2))
    events = [delta(1, first), delta(2, first, second), delta(3, second), delta(4, first)]
    lanes = [[message.lane for message in messages] for messages in rounds(batcher(buckets=2), events)]
    assert lanes == [["0"], [MIXED], ["1", "0"]]


def test_other_sessions_keep_the_order_of_all_messages() -> None:
    symbols = ["A", "A", "B", "A", "A"]
    events = [report(number, symbol) for number, symbol in enumerate(symbols, 1)]
    messages = published(batcher(REPORTS), events)
    assert [str(message.id) for message in messages] == [
        "desk:KalshiRT:1:0:1-2",
        "desk:KalshiRT:1:0:3-3",
        "desk:KalshiRT:1:0:4-5",
    ]
    subjects = [parse_subject(message.subject)[1:] for message in messages]
    assert subjects == [("8", "A"), ("8", "B"), ("8", "A")]
    assert b"".join(message.data for message in messages) == b"".join(event.frame for event in events)
    assert apply(Receiver(), messages) == events


def test_the_subject_of_a_message_without_a_symbol_has_an_empty_symbol() -> None:
    [message] = published(batcher(REPORTS), [received(1, Heartbeat())])
    assert message.subject == "kalshi.demo.prediction.KalshiRT.desk.0.="


def test_a_message_above_the_limit_is_published_in_parts() -> None:
    large = snapshot(2, "KX", levels=200)
    publisher = batcher(max_bytes=1000)
    for event in (delta(1, "KX"), large, delta(3, "KX")):
        publisher.add(event)
    found = [publisher.next_round() for _ in range(8)]
    messages = [item.messages[0] for item in found if item is not None]
    parts = [message for message in messages if message.id.parts > 1]
    assert all(len(part.data) <= 1000 for part in parts)
    assert b"".join(part.data for part in parts) == large.frame
    # An event is complete when its last part has been acknowledged; only then may it be confirmed.
    assert [item.last for item in found[1 : len(parts) + 1] if item is not None] == [
        *[None] * (len(parts) - 1),
        large,
    ]
    twice = [message for message in messages for _ in range(2)]
    assert numbers(apply(Receiver(), twice)) == [1, 2, 3]


@pytest.mark.parametrize("missing", [0, 1, -1])
def test_a_message_with_a_missing_part_is_reported_as_lost(missing: int) -> None:
    publisher = batcher(max_bytes=1000)
    messages = published(publisher, [delta(1, "KX"), snapshot(2, "KX", levels=200), delta(3, "KX")])
    parts = messages[1:-1]
    del parts[missing]
    found = apply(Receiver(), [messages[0], *parts, messages[-1]])
    assert numbers(found) == [1, 3]
    assert found[1] == MessagesLost(2, 2)


def test_process_local_events_are_confirmed_but_not_published() -> None:
    events = [HeartbeatReceived("1"), delta(1, "KX"), ReadingResumed(), ENDED, HeartbeatReceived("2")]
    publisher = batcher()
    for event in events:
        publisher.add(event)
    found = [publisher.next_round() for _ in range(4)]
    assert [item and (len(item.messages), item.last, item.count) for item in found] == [
        (1, events[2], 3),
        (1, events[3], 1),
        (0, events[4], 1),
        None,
    ]


@pytest.mark.parametrize("channel", [MARKET_DATA, REPORTS])
def test_the_lane_is_in_the_subject(channel: Channel) -> None:
    events = [logged_on(), delta(1, *SYMBOLS), delta(2, "KX"), report(3)]
    for item in published(batcher(channel), events):
        assert lane_of(item.subject) == item.lane


def test_dropped_market_data_is_reported_to_consumers_as_lost() -> None:
    publisher = batcher()
    for number in (1, 2):
        publisher.add(delta(number, "KX"))
    assert len(publisher) == 2
    assert [publisher.drop(delta(number, "KX")) for number in (3, 4)] == [True, True]
    assert not publisher.drop(ENDED)
    messages = published(publisher)
    messages += published(publisher, [delta(5, "KX")])
    found = apply(Receiver(), messages)
    assert numbers(found) == [1, 2, 5]
    assert found[2] == MessagesLost(3, 4)
    assert publisher.dropped == 2


def test_a_message_dropped_from_the_middle_of_a_batch_is_reported_as_lost() -> None:
    publisher = batcher()
    publisher.add(delta(1, "KX"))
    publisher.drop(delta(2, "KX"))
    assert apply(Receiver(), published(publisher, [delta(3, "KX")]))[1] == MessagesLost(2, 2)


def test_reports_are_never_dropped() -> None:
    publisher = batcher(REPORTS)
    assert not publisher.drop(report(1))


@pytest.mark.parametrize("again", [[4, 5, 6], [1, 2, 3, 4, 5, 6], [6], [5]])
def test_messages_redelivered_to_the_next_process_are_applied_once(again: list[int]) -> None:
    """The next process batches messages differently, has a higher fence, and continues the generation."""
    receiver = Receiver()
    first = published(batcher(REPORTS, fence=1), [logged_on(3), *map(report, range(1, 6))])
    assert numbers(apply(receiver, first)) == [1, 2, 3, 4, 5]
    second = published(batcher(REPORTS, fence=2), [logged_on(3, reset=False), *map(report, again)])
    assert numbers(apply(receiver, second)) == [number for number in again if number > 5]


def test_messages_with_restarted_numbers_are_applied_once() -> None:
    receiver = Receiver()
    for fence in (1, 2):
        for _ in range(2):
            events = [logged_on(), delta(2, "KX"), delta(3, "KX")]
            publisher = batcher(fence=fence)
            messages = published(publisher, events + events)
            assert numbers(apply(receiver, messages)) in ([2, 3, 2, 3], [])
    assert receiver.verdict is Verdict.DUPLICATE


def test_the_numbers_of_a_replaced_store_are_not_mistaken_for_duplicates() -> None:
    receiver = Receiver()
    apply(receiver, published(batcher(REPORTS, fence=1), [logged_on(7), report(9)]))
    later = published(batcher(REPORTS, fence=2), [logged_on(0), report(2)])
    assert numbers(apply(receiver, later)) == [2]


def test_a_publisher_with_a_lower_fence_is_ignored() -> None:
    """A suspended process resumes after another process has taken over."""
    receiver = Receiver()
    suspended, successor = batcher(REPORTS, fence=1), batcher(REPORTS, fence=2)
    apply(receiver, published(suspended, [logged_on(1), report(2)]))
    assert numbers(apply(receiver, published(successor, [logged_on(1), report(2), report(3)]))) == [3]
    assert apply(receiver, published(suspended, [report(3), report(4), ENDED])) == []
    assert receiver.verdict is Verdict.FENCED
    assert numbers(apply(receiver, published(successor, [report(4)]))) == [4]


def market_data_messages(fence: int, *numbers: int, symbol: str = "KX") -> list[OutgoingMessage]:
    """Return the messages of a market data publisher: its LoggedOn, and deltas."""
    return published(batcher(fence=fence), [logged_on(), *(delta(number, symbol) for number in numbers)])


def report_messages(fence: int, *numbers: int, generation: int = 3) -> list[OutgoingMessage]:
    """Return the messages of a publisher of reports: its LoggedOn, and one for each report."""
    events = [report(number, str(number)) for number in numbers]
    return published(batcher(REPORTS, fence=fence), [logged_on(generation, reset=False), *events])


@pytest.mark.parametrize(
    ("earlier", "dropped", "later", "lost"),
    [
        # A new publisher continues the numbers, but does not know the last message of the previous one.
        (report_messages(1, 4, 5), True, report_messages(2, 11)[1:], MessagesLost(6, 10)),
        (report_messages(1, 4, 5), True, report_messages(2, 6)[1:], None),
        (report_messages(1, 4, 5), True, report_messages(2, 5, 6)[1:], None),
        (report_messages(1, 4, 5), False, report_messages(2, 11)[1:], None),
        (report_messages(1, 4, 5), True, report_messages(2, 11), MessagesLost(1, 1)),
        # The next message belongs to another generation, with the same fence or another one.
        (report_messages(1, 4, 5), True, report_messages(1, 2, generation=4)[1:], MessagesLost(1, 1)),
        (report_messages(1, 4, 5), True, report_messages(2, 2, generation=0)[1:], MessagesLost(1, 1)),
        (market_data_messages(1, 4, 5), True, market_data_messages(2, 3), MessagesLost(1, 1)),
        (market_data_messages(1, 4, 5), True, market_data_messages(2, 3)[1:], MessagesLost(1, 2)),
        # The numbers themselves show that no message of the lane is missing.
        (market_data_messages(1, 4, 5)[:2], True, market_data_messages(1, 4, 5)[2:], None),
        (report_messages(1, 4, 5)[:2], True, report_messages(1, 4, 5)[2:], None),
        # A consumer that starts here has lost nothing.
        ([], True, report_messages(2, 11), None),
    ],
)
def test_a_loss_is_reported_after_a_drop_unless_the_numbers_are_complete(
    earlier: list[OutgoingMessage], dropped: bool, later: list[OutgoingMessage], lost: MessagesLost | None
) -> None:
    receiver = Receiver()
    apply(receiver, earlier)
    if dropped:
        receiver.record_possible_loss()
    found = apply(receiver, later)
    assert [item for item in found if isinstance(item, MessagesLost)] == ([] if lost is None else [lost])
    assert lost is None or found[0] == lost


def test_a_loss_in_one_lane_is_found_after_another_lane_was_complete() -> None:
    """The last messages of one bucket in a session that has ended are missing."""
    first, second = (next(s for s in SYMBOLS if bucket_of(s, 8) != bucket_of(SYMBOLS[0], 8)), SYMBOLS[0])
    publisher = batcher()
    messages = published(publisher, [logged_on(), delta(1, first), delta(2, second)])
    later = published(publisher, [delta(3, first), logged_on(), delta(1, second)])
    receiver = Receiver()
    apply(receiver, messages)
    receiver.record_possible_loss()
    found = apply(receiver, later)
    assert [type(item) for item in found] == [MessageReceived, LoggedOn, MessagesLost, MessageReceived]
    assert not receiver.unproven


def test_repeated_events_are_applied_once() -> None:
    receiver, messages = Receiver(), published(batcher(), [logged_on(), ENDED, ENDED])
    assert apply(receiver, [messages[0], messages[1], *messages]) == [logged_on(), ENDED, ENDED]


def test_a_receiver_continues_after_a_snapshot() -> None:
    messages = published(
        batcher(REPORTS), [logged_on(1), *(report(number, str(number)) for number in range(2, 6))]
    )
    receiver = Receiver(Mark(fence=1, lanes={"session": Position(1, 1, 3)}))
    assert numbers(apply(receiver, messages[1:])) == [4, 5]


@pytest.mark.parametrize("data", [b"8=FIXT.1.1\x019=5\x01", b"x", b"8=FIX\x019=1\x01a10=000\x01"])
def test_an_unreadable_message_changes_nothing(data: bytes) -> None:
    receiver = Receiver()
    one, two, three = (published(batcher(REPORTS), [logged_on(1), report(n)])[1] for n in (2, 3, 4))
    apply(receiver, [one])
    damaged: OutgoingMessage = attrs.evolve(two, data=data, id=attrs.evolve(two.id, fence=9))
    with pytest.raises(ValueError, match="not a"):
        apply(receiver, [damaged])
    mark = receiver.mark()
    assert (mark.fence, mark.lanes) == (1, {"session": Position(1, 1, 2)})
    assert numbers(apply(receiver, [two, three])) == [3, 4]


def test_a_receiver_remembers_a_bounded_number_of_lanes() -> None:
    receiver = Receiver()
    [message] = published(batcher(), [delta(2, "KX")])
    for number in range(MAX_LANES + 10):
        apply(receiver, [attrs.evolve(message, lane=str(number))])
    assert len(receiver.mark().lanes) == MAX_LANES


@pytest.mark.parametrize("option", ["max_bytes", "buckets"])
def test_bounds_are_positive(option: str) -> None:
    bound: dict[str, Any] = {option: 0}
    with pytest.raises(ValueError, match="must be at least 1"):
        batcher(**bound)
