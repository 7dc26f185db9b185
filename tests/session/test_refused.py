"""Messages refused because of their SendingTime or CompIDs are not lost: they are resent or delivered."""

from __future__ import annotations

import pytest

from tests.session.steps import Case, cases

DUP_LATE_ORIG = "43=Y|122=20260821-14:03:37.124|"
"""A duplicate whose OrigSendingTime is after its SendingTime."""
OLD_DUP = "43=Y|122=20260821-14:02:37.122|"
"""A duplicate whose OrigSendingTime is before the start of the connection."""


@pytest.mark.parametrize("case", cases("refused", DUP_LATE_ORIG=DUP_LATE_ORIG, OLD_DUP=OLD_DUP))
def test_refused(case: Case) -> None:
    case.play()
