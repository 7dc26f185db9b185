"""Every scenario file, in each of its roles, in virtual time and over a real connection."""

from __future__ import annotations

from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from kalshi_fix_sansio.config import Role
from tests.scenarios.runner.numbered_yaml import ScenarioError
from tests.scenarios.runner.parse import load, roles
from tests.scenarios.runner.play import OpenTransport, ScenarioFailed, play
from tests.scenarios.runner.transport import InMemory, Loopback

HERE = Path(__file__).resolve().parent
FILES = sorted(HERE.glob("*/*.yaml"))


def _cases() -> list[ParameterSet]:
    """Return a case for each role of each file; an unreadable file becomes a case that fails in both
    roles.
    """
    cases: list[ParameterSet] = []
    for path in FILES:
        try:
            played = roles(path)
        except ScenarioError:
            played = tuple(Role)
        name = f"{path.parent.name}/{path.stem}"
        cases += [pytest.param(path, role, id=f"{role.value}-{name}") for role in played]
    return cases


def _play(path: Path, role: Role, transport: OpenTransport) -> None:
    failure = None
    try:
        play(load(path, role), transport)
    except (ScenarioError, ScenarioFailed) as error:
        failure = str(error)
    if failure is not None:
        pytest.fail(failure, pytrace=False)


@pytest.mark.parametrize(("path", "role"), _cases())
def test_scenarios_pass_in_virtual_time(path: Path, role: Role) -> None:
    _play(path, role, InMemory)


@pytest.mark.parametrize(("path", "role"), _cases())
def test_scenarios_pass_over_sockets(path: Path, role: Role) -> None:
    _play(path, role, Loopback)
