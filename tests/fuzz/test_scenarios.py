"""Fuzz inputs made from scenarios produce the events that the scenario files list."""

from __future__ import annotations

import pytest

from fuzz import scenarios
from fuzz.targets import session
from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.events import Event
from tests.scenarios.runner.parse import load, roles

INPUTS = dict(scenarios.inputs())


def test_most_scenarios_are_fuzz_inputs() -> None:
    assert len(INPUTS) > 200


@pytest.mark.parametrize(
    "name",
    [
        "checks/sending-time-late",
        "checks/refused-message-is-redelivered",
        "protocol_options/quickfix",
        "garbled/check-sum-wrong",
        "heartbeat/peer-stops-reading",
        "logon/acceptor-reconnected",
        "logon/reset-in-mid-session",
        "logout/ours-in-a-gap",
        "next_expected/initiator-offers",
        "outcomes/rejected-by-number",
        "recovery/gap-fill-closes",
        "recovery/refused-again-and-again",
        "resend/requested-twice",
        "sequence/gap-without-resend",
        "validation/group-count",
    ],
)
def test_an_input_produces_the_events_of_its_scenario(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    reported: list[str] = []
    original = session.Player._check_event

    def record(player: session.Player, event: Event) -> None:
        reported.append(type(event).__name__)
        original(player, event)

    path = scenarios.FOLDER / f"{name}.yaml"
    scenario = load(path, roles(path)[0])
    expected = [event.name for step in scenario.steps for event in step.events]
    monkeypatch.setattr(session.Player, "_check_event", record)
    session.check(INPUTS[name.replace("/", "-")])
    if scenario.logged_on:
        expected = ["LogonRequested"] * (scenario.role is Role.ACCEPTOR) + ["LoggedOn", *expected]
    assert reported[: len(expected)] == expected
    assert expected
