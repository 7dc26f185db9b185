"""The in-memory store."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from kalshi_fix_sansio.session import MemoryStore, OpenRequest, StoredMessage
from tests.helpers import START


def stored(number: int, seconds: float = 0) -> StoredMessage:
    return StoredMessage(number, START + timedelta(seconds=seconds), b"frame %d" % number)


def request(name: str, number: int = 2) -> OpenRequest:
    return OpenRequest(name, "D", number, START, b"frame", int(name[1:]))


def filled_store(count: int, **limits: object) -> MemoryStore:
    store = MemoryStore(**limits)  # type: ignore[arg-type]
    for number in range(1, count + 1):
        store.record_sent(number, stored(number, number))
    return store


def test_a_new_store_begins_at_1_and_a_continued_one_at_the_given_numbers() -> None:
    assert (MemoryStore().next_outgoing, MemoryStore().next_incoming, MemoryStore().oldest_kept) == (1, 1, 1)
    store = MemoryStore(next_outgoing=7, next_incoming=5)
    assert (store.next_outgoing, store.next_incoming, store.oldest_kept) == (7, 5, 7)


@pytest.mark.parametrize("numbers", [{"next_outgoing": 0}, {"next_incoming": -1}])
def test_numbers_begin_at_1(numbers: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be 1 or more"):
        MemoryStore(**numbers)  # type: ignore[arg-type]


def test_a_number_is_used_with_or_without_a_stored_message() -> None:
    store = filled_store(2)
    store.record_sent(3, None)
    store.record_sent(4, stored(4))
    assert store.next_outgoing == 5
    assert [message.seq_num for message in store.sent_between(1, 99)] == [1, 2, 4]
    assert [message.seq_num for message in store.sent_between(2, 3)] == [2]
    assert store.find(3) is None
    assert store.find(4) == stored(4)


def test_the_oldest_messages_are_forgotten_beyond_a_number() -> None:
    store = filled_store(5, max_messages=2)
    assert (store.oldest_kept, store.kept) == (4, 2)
    assert [message.seq_num for message in store.sent_between(1, 5)] == [4, 5]


@pytest.mark.parametrize(("max_bytes", "kept"), [(14, [4, 5]), (13, [5]), (7, [5]), (6, [])])
def test_the_oldest_messages_are_forgotten_beyond_a_number_of_bytes(max_bytes: int, kept: list[int]) -> None:
    store = filled_store(5, max_bytes=max_bytes)
    assert [message.seq_num for message in store.sent_between(1, 5)] == kept
    assert store.oldest_kept == 6 - len(kept)
    store.reset()
    store.record_sent(1, StoredMessage(1, START, b"x" * max_bytes))
    assert [message.seq_num for message in store.sent_between(1, 1)] == [1]


def test_numbers_without_stored_messages_are_skipped() -> None:
    first = 10**17
    store = MemoryStore(next_outgoing=first)
    store.record_sent(first, stored(first))
    store.record_sent(2 * first, stored(2 * first))
    assert [message.seq_num for message in store.sent_between(1, 10**18)] == [first, 2 * first]
    assert list(store.sent_between(first + 1, 2 * first - 1)) == []
    store.forget_before(START + timedelta(seconds=1))
    assert store.oldest_kept == 2 * first + 1


def test_messages_are_forgotten_beyond_an_age() -> None:
    store = filled_store(5, max_age=timedelta(seconds=2))
    assert store.oldest_kept == 3
    store.record_sent(6, stored(6, 100))
    assert store.oldest_kept == 6
    assert [message.seq_num for message in store.sent_between(1, 6)] == [6]


def test_the_maximum_age_may_be_any_time_span() -> None:
    assert filled_store(5, max_age=timedelta.max).kept == 5


def test_all_messages_can_be_dropped_on_request() -> None:
    store = filled_store(3)
    store.forget_before(START + timedelta(seconds=2))
    assert store.oldest_kept == 2
    store.forget_before(START + timedelta(seconds=99))
    assert store.oldest_kept == 4
    assert list(store.sent_between(1, 99)) == []


def test_a_reset_restarts_the_numbers() -> None:
    store = filled_store(5, max_messages=2)
    store.advance_incoming(9)
    store.reset()
    assert (store.next_outgoing, store.next_incoming, store.oldest_kept) == (1, 1, 1)
    assert list(store.sent_between(1, 99)) == []


def test_only_a_reset_lowers_the_incoming_number() -> None:
    store = MemoryStore(next_incoming=7)
    store.advance_incoming(5)
    assert store.next_incoming == 7
    store.reset()
    assert store.next_incoming == 1


def test_a_reset_is_unanswered_until_its_answer_and_keeps_requests() -> None:
    store = filled_store(2)
    store.record_request(request("a1"))
    found = [store.reset_unanswered]
    begin = partial(store.reset, unanswered=True)
    for call in (begin, store.reset_answered, begin, store.reset):
        call()
        found.append(store.reset_unanswered)
    assert found == [False, True, False, True, False]
    assert store.open_requests() == (request("a1"),)


def test_setting_the_numbers_drops_messages_with_other_numbers() -> None:
    store = filled_store(5)
    store.record_request(request("a1"))
    store.advance_incoming(9)
    store.reset(unanswered=True)
    store.renumber(1, 4)
    assert (store.next_outgoing, store.next_incoming, store.oldest_kept) == (1, 4, 1)
    assert not store.reset_unanswered
    store.record_sent(1, stored(1))
    store.renumber(2, 3)
    assert store.find(1) == stored(1)
    for outgoing in (10**18 - 1, 2):
        store.renumber(outgoing, 7)
        assert (store.next_outgoing, store.next_incoming, store.oldest_kept) == (outgoing, 7, outgoing)
        assert list(store.sent_between(1, 99)) == []
    assert store.open_requests() == (request("a1"),)


@pytest.mark.parametrize("numbers", [(0, 1), (1, 0), (-1, 1)])
def test_numbers_must_be_at_least_1(numbers: tuple[int, int]) -> None:
    store = filled_store(2)
    with pytest.raises(ValueError, match="must be 1 or more"):
        store.renumber(*numbers)
    assert (store.next_outgoing, store.next_incoming) == (3, 1)


def test_requests_are_open_until_settled_the_oldest_first() -> None:
    store = MemoryStore()
    for name in ("a1", "a2", "a3"):
        store.record_request(request(name))
    store.record_request(request("a1", 9))
    store.settle_requests([2, 4])
    assert store.open_requests() == (request("a1", 9), request("a3"))
    assert store.begin_commit() <= store.durable


def test_the_bytes_of_a_message_do_not_show_in_its_repr() -> None:
    assert "frame" not in repr(stored(1))
