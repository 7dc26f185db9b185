"""Every fuzz target holds on its seeds and on what Hypothesis makes of them, and says what it promises."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from fuzz.targets import CORPUS, TARGETS, Target
from fuzz.unguided import inputs, seeds_of

targets = pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))


@targets
def test_the_invariant_is_one_sentence(target: Target) -> None:
    said = " ".join((target.load().__doc__ or "").split())
    assert said.endswith(".")
    assert ". " not in said


@targets
def test_the_invariant_holds_on_every_seed(target: Target) -> None:
    check = target.load()
    for data in seeds_of(target):
        check(data)


@targets
def test_the_invariant_holds_on_other_inputs(target: Target) -> None:
    check = target.load()
    settings(max_examples=60, deadline=None)(given(inputs(target))(check))()


def test_there_are_no_seeds_of_a_target_that_is_gone() -> None:
    assert {path.name for path in CORPUS.iterdir()} <= set(TARGETS)
