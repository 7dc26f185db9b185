"""MsgSeqNum of incoming messages: expected, too low, possible duplicates. Gaps are in test_recovery."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio.dialect.problems import Reason
from kalshi_fix_sansio.events import MessageReceived
from kalshi_fix_sansio.session.checks import Verdict, classify
from tests.helpers import NEWS, Wired, one


@pytest.mark.parametrize(
    ("number", "poss_dup", "verdict"),
    [
        (7, False, Verdict.EXPECTED),
        (7, True, Verdict.EXPECTED),
        (8, False, Verdict.TOO_HIGH),
        (8, True, Verdict.TOO_HIGH),
        (6, False, Verdict.TOO_LOW),
        (6, True, Verdict.DUPLICATE),
        (0, False, Verdict.TOO_LOW),
    ],
)
def test_the_verdict_on_a_number_when_7_is_next(number: int, poss_dup: bool, verdict: Verdict) -> None:
    assert classify(number, 7, poss_dup=poss_dup) is verdict


def test_a_duplicate_in_sequence_without_its_original_time_is_delivered_with_the_problem(
    wired: Wired,
) -> None:
    event = one(wired.receive(wired.peer.message("9", NEWS, t43="Y")), MessageReceived)
    assert [(problem.reason, problem.tag) for problem in event.message.problems] == [
        (Reason.REQUIRED_TAG_MISSING, 122)
    ]
    assert wired.sent() == []
