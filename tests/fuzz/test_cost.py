"""The limit of `python -m fuzz cost`, tested with counted work instead of time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fuzz import cost


@pytest.mark.parametrize(
    ("steps", "with_explainer", "expected"),
    [
        (lambda size: size, None, ""),
        (lambda size: 2 * size, lambda size: size, ""),
        (lambda size: size * size // 100, None, "for 4, 8 and 16 KB"),
        (lambda size: 50 * size, lambda size: size, "as long as the explainer"),
        (lambda size: (size // 4096) ** 2, None, ""),
    ],
    ids=["linear", "twice the explainer", "quadratic", "50 times the explainer", "too short"],
)
def test_superlinear_or_slow_work_is_reported(
    monkeypatch: pytest.MonkeyPatch,
    steps: Callable[[int], int],
    with_explainer: Callable[[int], int] | None,
    expected: str,
) -> None:
    monkeypatch.setattr(cost, "seconds", lambda work: work() * 1e-5)
    found = cost.persistent_excess(cost.Case("toy", int, steps, with_explainer))
    assert expected in found
    assert bool(found) == bool(expected)


@pytest.mark.parametrize(("times", "expected"), [(1, False), (2, False), (3, True)])
def test_a_temporary_slowdown_is_not_reported(
    monkeypatch: pytest.MonkeyPatch, times: int, expected: bool
) -> None:
    slow_runs: list[bool] = []

    def seconds(work: Callable[[], int]) -> float:
        size = work()
        if size == 4 * cost.SIZE:
            slow_runs.append(len(slow_runs) < times)
        return size * (1e-3 if slow_runs[-1] and size == 4 * cost.SIZE else 1e-5)

    monkeypatch.setattr(cost, "seconds", seconds)
    assert bool(cost.persistent_excess(cost.Case("toy", int, int))) is expected
