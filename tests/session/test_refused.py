"""Messages refused because of their SendingTime or CompIDs are not lost: they are resent or delivered."""

from __future__ import annotations

import pytest

from tests.session.steps import Case, cases

EARLIER = "43=Y|122=20260821-14:03:37.124|"
"""A duplicate whose OrigSendingTime is after its SendingTime."""
AGAIN = "43=Y|122=20260821-14:02:37.122|"
"""A duplicate whose OrigSendingTime is before the start of the connection."""


@pytest.mark.parametrize("case", cases("refused", EARLIER=EARLIER, AGAIN=AGAIN))
def test_refused(case: Case) -> None:
    case.play()
