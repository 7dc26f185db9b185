"""Work that is done during the logon and in quiet moments: compiling decoders for remembered shapes, and
collecting garbage."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kalshi_fix_adapters.engine import quiet
from kalshi_fix_adapters.engine.quiet import (
    PATIENCE_SECONDS,
    QUIET_SECONDS,
    SHORT_QUIET_SECONDS,
    read_shapes,
    write_shapes,
)
from kalshi_fix_sansio import DIALECT
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.codec.compiled.cache import SIGHTINGS_TO_DEFER
from kalshi_fix_sansio.events import MessageReceived
from kalshi_fix_sansio.trading import OrderBooks, Orders
from tests.adapters.engine.stage import Stage, plan, report
from tests.helpers import order
from tests.trading import feed, order_flow


class FreshStage(Stage):
    """A client whose codec has not compiled any decoder yet, as in a newly started process."""

    def __init__(self, **changes: Any) -> None:
        self.codec = Codec(DIALECT)
        super().__init__(plan(session={"codec": self.codec}, **changes))
        self.open()

    def report(self, name: str = "a") -> bytes:
        """Have the venue report an order; return the bytes."""
        self.venue.send(report(name), self.clock.now)
        data = self.venue.data_to_send()
        self.core.receive(data)
        return data

    def has_decoder(self, data: bytes) -> bool:
        return self.codec._compiled.decode(data, False) is not None

    def idle(self, seconds: float = QUIET_SECONDS) -> None:
        """Let time pass without bytes."""
        self.clock.advance(seconds)
        while self.core.timeout() == 0:
            self.core.tick()


def receive_new_shape(stage: FreshStage, count: int = SIGHTINGS_TO_DEFER) -> bytes:
    """Have a client receive reports of a new shape; return the last one."""
    data = [stage.report(f"{number}") for number in range(count)][-1]
    assert not stage.has_decoder(data)
    return data


def learn_shape(stage: FreshStage) -> bytes:
    """Have a client learn the shape of a report."""
    data = receive_new_shape(stage)
    stage.idle()
    assert stage.has_decoder(data)
    return data


@pytest.fixture(autouse=True)
def check_collector_settings() -> Iterator[None]:
    """Check that the test has restored the collector's settings."""
    before = gc.get_threshold()
    yield
    assert gc.get_threshold() == before
    assert not quiet._freezing_clients


# --- decoders


def test_a_new_shape_is_compiled_when_no_message_is_received() -> None:
    stage = FreshStage()
    receive_new_shape(stage)
    stage.idle(QUIET_SECONDS / 2)
    data = stage.report("late")
    stage.idle(QUIET_SECONDS / 2)
    assert not stage.has_decoder(data)
    stage.idle(QUIET_SECONDS / 2)
    assert stage.has_decoder(data)


def test_during_a_steady_stream_a_shape_is_compiled_after_a_limited_time() -> None:
    stage = FreshStage()
    data = receive_new_shape(stage)
    for number in range(int(PATIENCE_SECONDS / SHORT_QUIET_SECONDS / 2)):
        stage.idle(2 * SHORT_QUIET_SECONDS)
        assert not stage.has_decoder(data)
        stage.report(f"{number}")
    stage.idle(SHORT_QUIET_SECONDS / 2)
    assert not stage.has_decoder(data)
    stage.idle(SHORT_QUIET_SECONDS / 2)
    assert stage.has_decoder(data)


def test_nothing_is_compiled_while_an_order_waits_for_its_answer() -> None:
    stage = FreshStage()
    data = receive_new_shape(stage)
    stage.core.send(order("a1"))
    stage.idle(10 * QUIET_SECONDS)
    assert not stage.has_decoder(data)
    # Only the session's timers are pending: no quiet work is due.
    assert (stage.core.timeout() or 0) > 1
    stage.report("a1")
    stage.idle()
    assert stage.has_decoder(data)


def test_the_next_process_has_the_decoders_before_its_first_message(tmp_path: Path) -> None:
    stage = FreshStage(store=tmp_path)
    data = learn_shape(stage)
    (path,) = tmp_path.glob("*.shapes")
    assert b"KXHIGH" not in path.read_bytes()
    stage.leave()
    again = FreshStage(store=tmp_path)
    assert again.has_decoder(data)
    again.leave()


def test_a_shape_file_given_by_the_user_is_read_and_extended(tmp_path: Path) -> None:
    path = tmp_path / "shapes"
    other = Codec(DIALECT).prepare(next(quiet.QuietWork(plan())._examples()))
    assert other is not None
    write_shapes(path, [other])
    stage = FreshStage(shapes=path)
    assert stage.has_decoder(other)
    learn_shape(stage)
    assert len(read_shapes(path)) == 2
    assert read_shapes(path)[0] == other
    stage.leave()


@pytest.mark.parametrize("name", DIALECT.session_types)
def test_the_first_process_has_the_decoders_for_the_examples(name: str) -> None:
    """The fields are in the order of the venue's examples, with MsgSeqNum and SendingTime first."""
    examples = list(quiet.QuietWork(plan(name))._examples())
    assert examples
    assert all(b"\x0134=7\x0152=" in example.split(b"\x0149=")[0] + b"\x01" for example in examples)
    codec = Codec(DIALECT)
    assert all(codec.prepare(example) for example in examples)


def test_examples_are_compiled_before_the_answer_to_the_logon_is_read() -> None:
    stage = FreshStage()
    assert all(map(stage.has_decoder, quiet.QuietWork(stage.core.plan)._examples()))
    stage.leave()


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-9],
        lambda data: data + b"x\n",
        lambda data: data.replace(b"35=8", b"35=9"),
        lambda data: data * 2000,
        lambda data: bytes(range(256)),
        lambda data: data[:40] + b"\x00" * 40 + data[80:],
    ],
)
def test_a_damaged_shape_file_is_ignored_and_replaced(
    tmp_path: Path, damage: Any, caplog: pytest.LogCaptureFixture
) -> None:
    data = learn_shape(FreshStage(shapes=tmp_path / "shapes"))
    path = tmp_path / "shapes"
    path.write_bytes(damage(path.read_bytes()))
    with caplog.at_level(logging.WARNING):
        stage = FreshStage(shapes=path)
    if not stage.has_decoder(data):
        learn_shape(stage)
    assert "is damaged and is ignored" in caplog.text
    assert len(read_shapes(path)) == 1


def test_a_shape_file_that_cannot_be_used_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stage = FreshStage(shapes=tmp_path)
    learn_shape(stage)
    assert "cannot be read" in caplog.text
    assert "cannot be written" in caplog.text
    assert stage.core.is_logged_on


def test_a_shape_file_keeps_the_newest_shapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet, "MAX_SHAPES", 1)
    path = tmp_path / "shapes"
    stage = FreshStage(shapes=path)
    write_shapes(
        path, [stage.codec.prepare(example) or b"" for example in quiet.QuietWork(plan())._examples()][:1]
    )
    stage = FreshStage(shapes=path)
    data = learn_shape(stage)
    assert read_shapes(path) == [stage.codec.prepare(data)]


# --- garbage


class Cycle:
    """An object in a reference cycle, which only a garbage collection frees."""

    def __init__(self, freed: list[str], name: str) -> None:
        self.freed, self.name, self.itself = freed, name, self

    def __del__(self) -> None:
        self.freed.append(self.name)


def test_garbage_is_collected_in_quiet_moments_and_the_rest_is_frozen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    freed: list[str] = []
    stage = FreshStage(freeze=True)
    assert gc.get_threshold()[0] == quiet.MAX_ALLOCATIONS
    Cycle(freed, "before")
    frozen = gc.get_freeze_count()
    stage.idle(QUIET_SECONDS / 2)
    assert (freed, gc.get_freeze_count()) == ([], frozen)
    stage.idle(QUIET_SECONDS / 2)
    assert freed == ["before"]
    assert gc.get_freeze_count() > 10_000
    # After that, a collection runs only if there may be garbage.
    Cycle(freed, "few")
    stage.report()
    stage.idle()
    assert freed == ["before"]
    monkeypatch.setattr(quiet, "ALLOCATIONS_TO_COLLECT", 1)
    stage.report()
    stage.idle()
    assert freed == ["before", "few"]
    # No collection runs while an order waits for its answer.
    Cycle(freed, "late")
    stage.core.send(order("a1"))
    stage.report()
    stage.idle()
    assert freed == ["before", "few"]
    stage.report("a1")
    stage.idle()
    assert freed == ["before", "few", "late"]
    stage.leave()
    assert gc.get_freeze_count() == 0


def test_frozen_garbage_is_found_after_the_next_logon() -> None:
    freed: list[str] = []
    stage, cycle = FreshStage(freeze=True), Cycle(freed, "frozen")
    stage.idle()
    del cycle
    stage.report()
    stage.idle()
    assert not freed
    stage.cut(wait=60)
    assert stage.core.is_logged_on
    assert freed == ["frozen"]
    stage.leave()


def test_the_last_client_that_freezes_restores_automatic_collection() -> None:
    one, two = FreshStage(freeze=True), FreshStage(freeze=True)
    one.leave()
    assert gc.get_threshold()[0] == quiet.MAX_ALLOCATIONS
    two.leave()


def test_without_the_option_the_collector_is_unchanged() -> None:
    before = gc.get_freeze_count(), gc.get_threshold()
    stage = FreshStage()
    stage.report()
    stage.idle()
    assert (gc.get_freeze_count(), gc.get_threshold()) == before
    assert stage.core.timeout() != 0


@contextmanager
def no_garbage() -> Iterator[None]:
    """Check that the body leaves nothing that only a garbage collection frees."""
    gc.collect()
    gc.disable()
    try:
        yield
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_session_and_the_trading_state_machines_create_no_reference_cycles() -> None:
    """Reference counts free everything, so the collector has nothing to find."""
    stage, orders, books = FreshStage(), [Orders()], [OrderBooks()]

    def trade(number: int) -> None:
        name = f"o{number}"
        message = order(name)
        orders[0].apply(message)
        stage.core.send(message)
        stage.core.wrote(len(stage.core.output))
        stage.report(name)
        while (event := stage.core.take()) is not None:
            orders[0].apply(event)
        for update in (
            order_flow.report("trade", f"1;{number};1", f"v{number}", name, last=("4", "0.40"), cum="4"),
            order_flow.report("canceled", f"1;{number};2", f"v{number}", name, cum="4"),
        ):
            orders[0].apply(MessageReceived(update))
        books[0].apply(
            MessageReceived(feed.snapshot("bid 5 at 0.40", "offer 3 at 0.41", symbol=f"S{number % 9}"))
        )
        books[0].apply(MessageReceived(feed.update("change bid 4 at 0.40", symbol=f"S{number % 9}")))

    for number in range(200):
        trade(number)
    stage.idle()
    with no_garbage():
        for number in range(200, 400):
            trade(number)
    # A session that is dropped with all its state leaves no cycles behind either.
    assert len(list(orders[0])) >= 400
    stage.leave()
    with no_garbage():
        orders.clear()
        books.clear()
