"""SequenceReset (4) in both modes."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio.config import Role
from tests.helpers import established

BOTH = pytest.mark.parametrize("role", Role)
DUP = {"t43": "Y", "t122": "20260821-14:03:07"}


@BOTH
def test_a_strict_session_rejects_one_that_breaks_the_rules(role: Role) -> None:
    wired = established(role, strict=True)
    wired.receive(
        wired.peer.message("4", "36=9|9999=x|", 2), wired.peer.message("4", "123=Y|36=9|9999=x|", 2)
    )
    assert [message.ref_tag_id for message in wired.sent()] == [9999, 9999]
    assert wired.session.next_incoming == 3
