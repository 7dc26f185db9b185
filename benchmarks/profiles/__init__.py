"""Where the time goes: each case taken apart into stages, every one of them measured.

Nothing is estimated: what is found as a difference is called the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

import attrs

from benchmarks.measure import Contender, measure

Kind = Literal["whole", "part", "within", "rest", "scale"]
"""What a stage is: all of the case, a part of it, a part of the part before it, what no part has, or
something else to compare with."""
ROUNDS = 15


@attrs.frozen
class Stage:
    """What one stage of a case takes."""

    case: str
    name: str
    amount: float
    kind: Kind = "part"
    unit: str = "us"


@attrs.frozen
class Part:
    """A stage that is still to be measured."""

    name: str
    run: Callable[[], object]
    per_call: int
    kind: Kind = "part"


def measured(
    cases: Mapping[str, Sequence[Part]], rest: Mapping[str, str], rounds: int = ROUNDS
) -> list[Stage]:
    """Measure all parts of all cases in turn; `rest` says what is in no part of a case."""
    contenders = [
        Contender(case, part.name, part.run, part.per_call, max_calls=4)
        for case, parts in cases.items()
        for part in parts
    ]
    found = {(each.case, each.engine): each.us_min for each in measure(contenders, rounds)}
    stages = []
    for case, parts in cases.items():
        of_case = [Stage(case, part.name, found[case, part.name], part.kind) for part in parts]
        stages += with_rest(of_case, rest[case])
    return stages


def with_rest(stages: Iterable[Stage], name: str) -> list[Stage]:
    """Add to the stages of a case what none of its parts has."""
    known = list(stages)
    whole = next(stage for stage in known if stage.kind == "whole")
    left = whole.amount - sum(stage.amount for stage in known if stage.kind == "part")
    place = next((n for n, stage in enumerate(known) if stage.kind == "scale"), len(known))
    return [*known[:place], Stage(whole.case, f"the rest: {name}", left, "rest", whole.unit), *known[place:]]
