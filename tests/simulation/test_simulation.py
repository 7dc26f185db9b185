"""Seeds of the simulation, and schedules that once found a bug."""

from __future__ import annotations

import pytest

from tests.simulation.__main__ import explain, soak
from tests.simulation.draw import draw
from tests.simulation.mutants import MUTANTS
from tests.simulation.regressions import REGRESSIONS
from tests.simulation.run import Result, run
from tests.simulation.schedule import Fault, Kind, Schedule, Side
from tests.simulation.shrink import Shrinker
from tests.simulation.world import World

SEEDS = 1000
GROUP = 50


@pytest.mark.parametrize("first", range(0, SEEDS, GROUP))
def test_every_invariant_holds_for_the_seeds(first: int) -> None:
    for seed in range(first, first + GROUP):
        result = run(draw(seed))
        assert not result.rule, f"{result.rule}: {result.text}; make soak FROM={seed} SEEDS=1 shows more"


@pytest.mark.parametrize("name", REGRESSIONS)
def test_fixed_bugs_do_not_return(name: str) -> None:
    result = run(REGRESSIONS[name], keep_log=True)
    assert not result.rule, "\n".join([*result.log, f"{result.rule}: {result.text}"])


def test_the_same_seed_leads_to_the_same_run() -> None:
    for seed in (3, 7, 11):
        schedule = draw(seed)
        assert schedule == draw(seed)
        first, second = run(schedule, keep_log=True), run(schedule, keep_log=True)
        assert first.log == second.log
        assert len(first.log) > 3


def test_the_repr_of_a_schedule_is_python_that_recreates_it() -> None:
    names = {"Schedule": Schedule, "Fault": Fault, "Kind": Kind, "Side": Side}
    for seed in range(50):
        schedule = draw(seed)
        assert eval(repr(schedule), names) == schedule


def test_every_kind_of_fault_is_drawn_and_applied() -> None:
    for kind in Kind:
        found = any(
            kind.value in run(schedule).faults
            for schedule in map(draw, range(1000))
            if any(fault.kind is kind for fault in schedule.faults)
        )
        assert found, kind


def test_without_faults_no_session_ends_and_no_message_is_lost() -> None:
    for session in ("KalshiRT", "KalshiNR", "KalshiPT", "KalshiMD"):
        world = World(Schedule(seed=1, session=session))
        world.finish()
        assert not world.endings
        assert not world.restarts
        assert set(world.event_counts) == {"LogonRequested", "LoggedOn", "MessageReceived"}
        assert all(entry.taken for ledger in world.ledgers.values() for entry in ledger.entries)


def test_no_signature_is_in_the_log() -> None:
    log = run(draw(5), keep_log=True).log
    assert any("35=A" in line for line in log)
    assert not any("c2lnbmF0dXJl" in line for line in log)


def test_a_soak_reports_its_result(capsys: pytest.CaptureFixture[str]) -> None:
    totals = soak(range(3), 1)
    assert (totals.runs, totals.failures) == (3, [])
    printed = capsys.readouterr().out
    for part in ("3 seeds in ", "messages", "restarts", "faults: ", "0 violations"):
        assert part in printed


def test_a_failure_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    with MUTANTS["a heartbeat that is late"].patch():
        failed = soak(range(1, 2), 1).failures
        explain(failed[0])
    printed = capsys.readouterr().out
    assert "violation of 'late heartbeat' with seed 1: " in printed
    assert "Schedule(\n    seed=1," in printed
    assert "client   1 35=A|34=1|" in printed


def test_a_failure_is_shrunk_to_its_necessary_faults() -> None:
    """A run violates the made-up rule if the client logs out and the venue's disk fails."""

    def execute(schedule: Schedule) -> Result:
        kinds = {(fault.kind, fault.side) for fault in schedule.faults}
        is_failing = {(Kind.LOGOUT, Side.CLIENT), (Kind.DISK, Side.VENUE)} <= kinds
        return Result(schedule, rule="made up" if is_failing else "")

    faults = [Fault(float(at), kind, side, 3.7, 5) for at, kind in enumerate(Kind) for side in Side]
    shrunk = Shrinker("made up", execute).shrink(Schedule(seed=1, keep=5, strict=False, faults=tuple(faults)))
    assert [(fault.kind, fault.side) for fault in shrunk.faults] == [
        (Kind.DISK, Side.VENUE),
        (Kind.LOGOUT, Side.CLIENT),
    ]
    assert (shrunk.orders, shrunk.reports, shrunk.keep, shrunk.strict) == (0, 0, 1000, True)
    assert all((fault.seconds, fault.number) == (0.0, 0) for fault in shrunk.faults)
