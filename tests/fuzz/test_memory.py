"""The limit of `python -m fuzz memory`, tested with counted bytes instead of resident memory."""

from __future__ import annotations

import platform
from collections.abc import Callable

import pytest

from fuzz import memory
from fuzz.targets import session
from kalshi_fix_sansio.config import Role


@pytest.mark.parametrize(
    ("kept_count", "is_too_much"),
    [(0, False), (1, False), (memory.SAMPLE_MESSAGES // 2, False), (memory.SAMPLE_MESSAGES, True)],
    ids=["nothing", "the last", "half", "everything"],
)
def test_growing_memory_is_reported(
    monkeypatch: pytest.MonkeyPatch, kept_count: int, is_too_much: bool
) -> None:
    kept: list[int] = []

    def keep_messages(number: int) -> None:
        kept.append(memory.MAX_MESSAGE_SIZE)
        del kept[: max(len(kept) - kept_count, 0)]

    monkeypatch.setattr(memory, "resident_memory", lambda: sum(kept))
    size = memory.memory_growth(keep_messages, memory.SAMPLE_MESSAGES)
    assert size == kept_count * memory.MAX_MESSAGE_SIZE
    assert bool(memory.describe_excess("toy", size)) is is_too_much


def test_peak_memory_is_measured_rather_than_final_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = [10, 10, 50, 10]
    monkeypatch.setattr(memory, "resident_memory", lambda: sizes.pop(0))
    assert memory.memory_growth(lambda _: None, 18) == 40


@pytest.mark.skipif(platform.system() != "Linux", reason="other systems report only the peak memory")
def test_the_memory_of_this_process_is_measured() -> None:
    before = memory.resident_memory()
    held = b"x" * (100 << 20)
    assert memory.resident_memory() - before > 90 << 20
    del held


def test_the_sample_has_every_kind_of_message_with_and_without_events_taken() -> None:
    kinds = {(case.kind, case.takes_events) for case in memory.CASES}
    assert {(case.kind, case.takes_events) for case in memory.SAMPLE} == kinds
    assert {case.state for case in memory.CASES} == set(session.STATES)


@pytest.mark.parametrize("takes_events", [True, False])
@pytest.mark.parametrize("kind", sorted({case.kind for case in memory.CASES}))
def test_messages_of_the_largest_size_are_sent(
    monkeypatch: pytest.MonkeyPatch, kind: str, takes_events: bool
) -> None:
    fed: list[int] = []
    feed: Callable[[session.Player, bytes], None] = session.Player.feed

    def record_size_and_feed(player: session.Player, data: bytes) -> None:
        fed.append(len(data))
        feed(player, data)

    send = memory.Case(Role.INITIATOR, "established", kind, takes_events).begin()
    monkeypatch.setattr(session.Player, "feed", record_size_and_feed)
    send(0)
    send(1)
    assert [memory.MAX_MESSAGE_SIZE - 512 < size <= memory.MAX_MESSAGE_SIZE for size in fed] == [True, True]
