"""Random operations on each store are compared with a simple model. Durable stores are also compared after
being reopened, and after a crash that keeps only some of the changes since the last commit."""

from __future__ import annotations

import copy
import shutil
import tempfile
from abc import abstractmethod
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from kalshi_fix_adapters.errors import StoreInUseError
from kalshi_fix_adapters.store_sqlite import SqliteStore
from kalshi_fix_sansio.errors import StoreError
from kalshi_fix_sansio.events import OpenRequest
from kalshi_fix_sansio.session import MemoryStore, MessageStore, StoredMessage
from tests.adapters.store_sqlite.power_loss import Files
from tests.adapters.store_sqlite.stores import OWNER, commit, contents, open_request, stored_message
from tests.postgres import execute_at

if TYPE_CHECKING:
    from kalshi_fix_adapters.store_postgres import PostgresStore


class Model:
    """The simplest implementation of the protocol: lists that are searched linearly."""

    def __init__(self, max_messages: int, max_bytes: int, max_age: timedelta) -> None:
        self.limits = max_messages, max_bytes, max_age
        self.requests: list[OpenRequest] = []
        self.reset(unanswered=False)

    def reset(self, *, unanswered: bool) -> None:
        self.next_outgoing = self.next_incoming = self.oldest_kept = 1
        self.reset_unanswered = unanswered
        self.messages: list[StoredMessage] = []
        self.new: list[StoredMessage] = []

    def renumber(self, next_outgoing: int, next_incoming: int) -> None:
        if next_outgoing != self.next_outgoing:
            self.reset(unanswered=False)
            self.next_outgoing = self.oldest_kept = next_outgoing
        self.next_incoming = next_incoming
        self.reset_unanswered = False

    def record_sent(self, message: StoredMessage | None) -> None:
        self.next_outgoing += 1
        if message is not None:
            self.new.append(message)

    def forget(self) -> None:
        """Forget old messages. A store in memory does this immediately, a durable one when it commits."""
        max_messages, max_bytes, max_age = self.limits
        for message in self.new:
            self.messages.append(message)
            while self.messages and (
                len(self.messages) > max_messages
                or sum(len(kept.frame) for kept in self.messages) > max_bytes
                or self.messages[0].sent_at < message.sent_at - max_age
            ):
                self.oldest_kept = self.messages.pop(0).seq_num + 1
        self.new = []

    def record_request(self, request: OpenRequest) -> None:
        self.settle_requests([request.key])
        self.requests.append(request)

    def settle_requests(self, keys: Iterable[int]) -> None:
        self.requests = [request for request in self.requests if request.key not in keys]

    def contents(self) -> tuple[Any, ...]:
        return (
            self.next_outgoing,
            self.next_incoming,
            self.oldest_kept,
            self.reset_unanswered,
            (*self.messages, *self.new),
            tuple(sorted(self.requests, key=lambda request: request.key)),
        )


keys = st.integers(1, 6)


class StoreMachine(RuleBasedStateMachine):
    """A store and its model."""

    store: MessageStore

    @initialize(
        max_messages=st.integers(0, 6),
        max_bytes=st.integers(0, 80),
        max_age=st.integers(0, 30).map(lambda n: timedelta(seconds=n)),
    )
    def begin(self, max_messages: int, max_bytes: int, max_age: timedelta) -> None:
        self.limits = {"max_messages": max_messages, "max_bytes": max_bytes, "max_age": max_age}
        self.model = Model(max_messages, max_bytes, max_age)
        self.seconds = 0
        self.open()

    def open(self) -> None:
        self.store = MemoryStore(**self.limits)  # type: ignore[arg-type]

    def update_model(self) -> None:
        """Update the model after a change to the store."""
        self.model.forget()

    @rule(passed=st.integers(-5, 20), keep=st.booleans(), count=st.integers(1, 4))
    def send(self, passed: int, keep: bool, count: int) -> None:
        self.seconds += passed
        for _ in range(count):
            number = self.model.next_outgoing
            message = stored_message(number, self.seconds) if keep else None
            self.store.record_sent(number, message)
            self.model.record_sent(message)
            self.update_model()

    @rule(next_incoming=st.integers(1, 40))
    def advance(self, next_incoming: int) -> None:
        self.store.advance_incoming(next_incoming)
        self.model.next_incoming = max(self.model.next_incoming, next_incoming)
        self.update_model()

    @rule(unanswered=st.booleans())
    def reset(self, unanswered: bool) -> None:
        self.store.reset(unanswered=unanswered)
        self.model.reset(unanswered=unanswered)
        self.update_model()

    @rule(change=st.integers(-20, 20) | st.just(0), next_incoming=st.integers(1, 40))
    def renumber(self, change: int, next_incoming: int) -> None:
        next_outgoing = max(1, self.model.next_outgoing + change)
        renumbered: Any = self.store
        renumbered.renumber(next_outgoing, next_incoming)
        self.model.renumber(next_outgoing, next_incoming)
        self.update_model()

    @rule()
    def reset_answered(self) -> None:
        self.store.reset_answered()
        self.model.reset_unanswered = False
        self.update_model()

    @rule(key=keys, uncertain=st.booleans())
    def record_request(self, key: int, uncertain: bool) -> None:
        request = open_request(key, self.model.next_outgoing, uncertain=uncertain)
        self.store.record_request(request)
        self.model.record_request(request)
        self.update_model()

    @rule(settled=st.lists(keys, max_size=3))
    def settle(self, settled: list[int]) -> None:
        self.store.settle_requests(iter(settled))
        self.model.settle_requests(settled)
        self.update_model()

    @rule()
    def commit(self) -> None:
        commit(self.store)
        self.model.forget()

    @rule(begin=st.integers(-2, 30), length=st.integers(-1, 2**70))
    def read(self, begin: int, length: int) -> None:
        messages = self.model.contents()[4]
        expected = [message for message in messages if begin <= message.seq_num <= begin + length]
        assert list(self.store.sent_between(begin, begin + length)) == expected
        found = [message for message in messages if message.seq_num == begin]
        assert self.store.find(begin) == (found[0] if found else None)

    @invariant()
    def check_contents(self) -> None:
        assert contents(self.store) == self.model.contents()


class DurableMachine(StoreMachine):
    """A durable store."""

    store: SqliteStore | PostgresStore

    def open(self) -> None:
        self.store = self.open_store()
        self.since_commit = [copy.deepcopy(self.model)]

    @abstractmethod
    def open_store(self) -> SqliteStore | PostgresStore:
        """Open the store, for the first time or again."""

    @abstractmethod
    def lose_changes(self) -> None:
        """Lose the changes since the last commit, or some of them."""

    def update_model(self) -> None:
        committed = copy.deepcopy(self.model)
        committed.forget()
        self.since_commit.append(committed)

    @rule()
    def commit(self) -> None:
        super().commit()
        self.since_commit = [copy.deepcopy(self.model)]

    @rule(next_incoming=st.integers(1, 40))
    def advance(self, next_incoming: int) -> None:
        super().advance(next_incoming)
        if self.store._pending.is_empty:  # written in the background
            self.commit()

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = self.open_store()
        self.model.forget()
        self.since_commit = [copy.deepcopy(self.model)]

    @rule()
    def crash(self) -> None:
        self.lose_changes()
        now = contents(self.store)
        [self.model] = [model for model in self.since_commit if model.contents() == now][:1]
        self.since_commit = [copy.deepcopy(self.model)]

    def teardown(self) -> None:
        self.store.close()


class SqliteMachine(DurableMachine):
    """A file; after a crash, another file with the content of the disk."""

    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="store-"))
        self.path = self.folder / "1"
        super().open()

    def open_store(self) -> SqliteStore:
        return SqliteStore(self.path, owner=OWNER, sync="normal", **self.limits)  # type: ignore[arg-type]

    def lose_changes(self) -> None:
        left = Files.read(self.path)
        self.store.close()
        self.path = left.write(self.path.with_name(str(int(self.path.name) + 1)))
        self.store = self.open_store()

    def teardown(self) -> None:
        super().teardown()
        shutil.rmtree(self.folder)


class PostgresMachine(DurableMachine):
    """A row in a database; after a takeover all writes by the previous holder are ignored."""

    store: PostgresStore
    dsn: str

    def open(self) -> None:
        self.former: list[PostgresStore] = []
        self.owner = attrs.evolve(OWNER, account=str(uuid4()))
        super().open()

    def open_store(self) -> PostgresStore:
        from kalshi_fix_adapters.store_postgres import PostgresStore

        return PostgresStore(self.dsn, owner=self.owner, failover="none", lease=600, **self.limits)  # type: ignore[arg-type]

    def update_model(self) -> None:
        self.model.forget()  # immediately, because the store also keeps the messages in memory
        super().update_model()

    @rule()
    def begin_commit(self) -> None:
        """Begin a commit for which the next steps do not wait, so a takeover may happen before or after
        it."""
        self.store.begin_commit()

    def lose_changes(self) -> None:
        self.former.append(self.store)
        while self.store is self.former[-1]:
            execute_at(self.dsn, "UPDATE kalshi_fix.session SET leased_until = '-infinity'")
            with suppress(StoreInUseError):  # a commit by the holder has renewed the lease
                self.store = self.open_store()

    @rule()
    def write_as_former_holder(self) -> None:
        while self.former:
            store = self.former.pop()
            with pytest.raises(StoreError, match="taken over"):
                self.send_and_commit(store)
            store.close()

    def send_and_commit(self, store: PostgresStore) -> None:
        store.record_sent(store.next_outgoing, stored_message(store.next_outgoing, self.seconds))
        store.commit()

    def teardown(self) -> None:
        self.write_as_former_holder()
        super().teardown()


TestMemoryStore = StoreMachine.TestCase
TestSqliteStore = SqliteMachine.TestCase
# Fewer examples, because opening and closing wait for the disk.
SETTINGS = settings(max_examples=settings().max_examples // 2, stateful_step_count=40)
TestMemoryStore.settings = TestSqliteStore.settings = SETTINGS


def test_a_store_in_postgres_agrees_with_its_model(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PostgresMachine, "dsn", dsn, raising=False)
    run_state_machine_as_test(PostgresMachine, settings=SETTINGS)
