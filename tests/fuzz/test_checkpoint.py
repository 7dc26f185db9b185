"""What a checkpoint puts back, and that a session put back behaves as one made anew."""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import pytest

from fuzz.checkpoint import Checkpoint
from fuzz.targets import session
from fuzz.targets.session import Player, Setting
from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.fuzzing import Choices


class Slotted:
    __slots__ = ("first", "second")

    def __init__(self) -> None:
        self.first: Any = [1, {2: deque([3])}]


class Plain(Slotted):
    def __init__(self) -> None:
        super().__init__()
        self.third = bytearray(b"abc")


def test_attributes_and_containers_are_put_back_in_place() -> None:
    found = Plain()
    inner = found.first
    checkpoint = Checkpoint(found)
    for _ in range(2):
        inner[1][2].append(4)
        inner.append(5)
        found.third += b"d"
        found.second = found.fourth = found.first = None  # type: ignore[attr-defined]
        checkpoint.restore()
        assert found.first is inner
        assert inner == [1, {2: deque([3])}]
        assert vars(found) == {"third": b"abc"}
        assert not hasattr(found, "second")


def test_what_is_shared_is_left_alone() -> None:
    shared = [1]
    checkpoint = Checkpoint([shared], [shared])
    shared.append(2)
    checkpoint.restore()
    assert shared == [1, 2]


def test_what_cannot_be_put_back_is_refused() -> None:
    with pytest.raises(TypeError, match="generator"):
        Checkpoint([None, (each for each in "ab")])


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("state", session.STATES)
def test_a_session_put_back_does_what_a_new_one_does(role: Role, state: str) -> None:
    def play(player: Player, seed: int) -> str:
        choices = Choices(random.Random(seed).randbytes(120))
        while choices.left:
            session._step(player, choices)
        player.take()
        return repr((player.told, player.fed, player.frames, player.delivered, player.expected))

    setting = Setting(role, "KalshiRT")
    player, checkpoint = session.begun(setting, state)
    for seed in range(5):
        new = Player(setting)
        session.STATES[state](new)
        new.take()
        checkpoint.restore()
        assert play(player, seed) == play(new, seed)
    checkpoint.restore()
