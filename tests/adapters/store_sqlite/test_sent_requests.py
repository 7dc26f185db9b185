"""The ids of sent requests, which are kept after the requests are settled, their messages deleted and the
sequence numbers reset."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import attrs
import pytest

from kalshi_fix_adapters.store_sqlite import SqliteStore, migrate_store
from kalshi_fix_adapters.stores import SentRequest
from kalshi_fix_sansio.errors import StoreError
from kalshi_fix_sansio.events import OpenRequest
from tests.adapters.store_sqlite.stores import execute, open_store
from tests.helpers import START


def record_orders(store: SqliteStore, *names: str) -> None:
    """Record orders as a session does, one message a second."""
    for name in names:
        number = store.next_outgoing
        store.record_sent(number, None)
        sent_at = START + timedelta(seconds=number)
        store.record_request(OpenRequest(name, "D", number, sent_at, b"frame", key=number))


def sent(name: str, number: int, generation: int) -> SentRequest:
    return SentRequest(name, "D", number, generation, START + timedelta(seconds=number))


def test_an_id_is_found_before_and_after_its_commit_even_if_its_request_is_settled(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        record_orders(store, "a1", "a2")
        first, second = sent("a1", 1, store.generation), sent("a2", 2, store.generation)
        assert (store.sent_request("a1"), store.sent_request("other")) == (first, None)
        store.settle_requests([1])
        store.commit()
        assert (store.sent_request("a1"), store.sent_request("a2")) == (first, second)
        store.settle_requests([2])
        store.commit()
        assert store.open_requests() == ()
    with open_store(tmp_path) as store:
        assert (store.sent_request("a1"), store.sent_request("a2")) == (first, second)


def test_ids_survive_resets_and_changed_numbers(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        record_orders(store, "a1", "a2")
        first, second = sent("a1", 1, store.generation), sent("a2", 2, store.generation + 1)
        store.reset(unanswered=True)
        # The first request is recorded again with another time, but its id keeps the original time.
        store.record_request(OpenRequest("a1", "D", 1, START, b"frame", key=1, uncertain=True))
        store.record_sent(1, None)
        record_orders(store, "a2")
        assert store.sent_request("a1") == first
        store.commit()
        assert (store.sent_request("a1"), store.sent_request("a2")) == (first, second)
        store.renumber(90, 1)
        store.commit()
        assert store.sent_request("a2") == second


def test_ids_are_kept_when_the_api_key_changes(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        record_orders(store, "a1")
        first = store.sent_request("a1")
    path = migrate_store(store.path, key_id="another-key")
    owner = attrs.evolve(store.owner, sender_comp_id="another-key")
    with SqliteStore(path, owner=owner) as store:
        assert store.sent_request("a1") == first is not None


@pytest.mark.parametrize(
    ("limits", "minimum"), [({"max_messages": 100}, 100), ({"max_age": timedelta(seconds=50)}, 51)]
)
def test_the_oldest_ids_are_forgotten(tmp_path: Path, limits: dict[str, object], minimum: int) -> None:
    with open_store(tmp_path, sync="normal", **limits) as store:
        for begin in range(0, 2000, 50):
            record_orders(store, *(f"o{number}" for number in range(begin, begin + 50)))
            store.commit()
            [count] = execute(store.path, "SELECT count(*) FROM sent_request")
            assert count <= minimum + 300
        for number in range(2000 - minimum, 2000):
            assert store.sent_request(f"o{number}") is not None
        assert store.sent_request("o0") is None


def test_the_maximum_age_may_be_any_time_span(tmp_path: Path) -> None:
    with open_store(tmp_path, max_age=timedelta.max) as store:
        record_orders(store, "a1")
        store.commit()
        assert store.sent_request("a1") is not None


def test_expired_ids_do_not_accumulate_over_many_processes(tmp_path: Path) -> None:
    for process in range(5):
        with open_store(tmp_path, sync="normal", max_messages=10) as store:
            record_orders(store, *(f"{process}-{number}" for number in range(200)))
            store.commit()
            assert execute(store.path, "SELECT count(*) FROM sent_request") <= [10 + 256]


def test_a_damaged_id_is_an_error(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        record_orders(store, "a1")
        store.commit()
        execute(store.path, "UPDATE sent_request SET seq_num = 7")
        with pytest.raises(StoreError, match="is damaged"):
            store.sent_request("a1")
