"""The session follows the tables of steps in this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.session.steps import Case, cases

TABLES = sorted(Path(__file__).parent.glob("*.yaml"))


@pytest.mark.parametrize("case", [case for table in TABLES for case in cases(table)])
def test_the_session_follows_the_tables(case: Case) -> None:
    case.play()
