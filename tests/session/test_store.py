"""The in-memory store; `tests/adapters/stores/test_model.py` also compares it with a model."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kalshi_fix_sansio.session import MemoryStore, StoredMessage
from tests.helpers import START


def stored(number: int, seconds: float = 0) -> StoredMessage:
    return StoredMessage(number, START + timedelta(seconds=seconds), b"frame %d" % number)


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
def test_the_first_numbers_must_be_at_least_1(numbers: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be 1 or more"):
        MemoryStore(**numbers)  # type: ignore[arg-type]


def test_numbers_without_stored_messages_are_skipped() -> None:
    first = 10**17
    store = MemoryStore(next_outgoing=first)
    store.record_sent(first, stored(first))
    store.record_sent(2 * first, stored(2 * first))
    assert [message.seq_num for message in store.sent_between(1, 10**18)] == [first, 2 * first]
    assert list(store.sent_between(first + 1, 2 * first - 1)) == []
    store.forget_before(START + timedelta(seconds=1))
    assert store.oldest_kept == 2 * first + 1


def test_the_maximum_age_may_be_any_time_span() -> None:
    assert filled_store(5, max_age=timedelta.max).kept == 5


def test_messages_before_a_time_can_be_forgotten() -> None:
    store = filled_store(3)
    store.forget_before(START + timedelta(seconds=2))
    assert store.oldest_kept == 2
    store.forget_before(START + timedelta(seconds=99))
    assert store.oldest_kept == 4
    assert list(store.sent_between(1, 99)) == []


@pytest.mark.parametrize("numbers", [(0, 1), (1, 0), (-1, 1)])
def test_changed_numbers_must_be_at_least_1(numbers: tuple[int, int]) -> None:
    store = filled_store(2)
    with pytest.raises(ValueError, match="must be 1 or more"):
        store.renumber(*numbers)
    assert (store.next_outgoing, store.next_incoming) == (3, 1)


def test_the_bytes_of_a_message_do_not_show_in_its_repr() -> None:
    assert "frame" not in repr(stored(1))
