"""The invariant of every fuzz target holds on its seeds and on inputs from Hypothesis, and is documented."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from fuzz import seed
from fuzz.targets import CORPUS, TARGETS, Target
from fuzz.unguided import inputs

targets = pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))


@targets
def test_the_invariant_is_one_sentence(target: Target) -> None:
    text = " ".join((target.load().__doc__ or "").split())
    assert text.endswith(".")
    assert ". " not in text


@targets
def test_the_invariant_holds_on_every_seed(target: Target) -> None:
    check = target.load()
    for data in target.seeds.values():
        check(data)


@targets
def test_the_invariant_holds_on_other_inputs(target: Target) -> None:
    check = target.load()
    settings(max_examples=60, deadline=None)(given(inputs(target))(check))()


@targets
def test_no_seed_exceeds_the_maximum_input_length(target: Target) -> None:
    assert not [name for name, data in target.seeds.items() if len(data) > target.max_len]


@targets
def test_the_committed_seeds_are_up_to_date(target: Target) -> None:
    assert seed.path(target.name).read_text("ascii") == seed.text(target.name), "run: python -m fuzz seed"


def test_exactly_the_existing_targets_have_seeds() -> None:
    assert sorted(path.stem for path in CORPUS.iterdir()) == sorted(TARGETS) == sorted(seed.GENERATORS)
    assert sum(path.stat().st_size for path in CORPUS.iterdir()) < 1_000_000
