"""The reason that is printed for a request whose outcome is unknown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import pytest

from kalshi_fix_adapters.cli.sessions import outcome
from kalshi_fix_adapters.errors import ClientTimeoutError
from kalshi_fix_sansio import BusinessMessageReject, BusinessRejectReason
from kalshi_fix_sansio.errors import KalshiFixError
from kalshi_fix_sansio.events import OpenRequest, OutcomesUnknown, RejectReceived, Uncertainty
from tests.trading.order_flow import NOON, place

ORDER = place("a")
REJECT = BusinessMessageReject(
    ref_seq_num=2, ref_msg_type="D", business_reject_reason=BusinessRejectReason.OTHER
)
OPEN_REQUEST = OpenRequest("a", "D", 2, NOON, b"", 1)
REJECTED = RejectReceived(REJECT, 2, ORDER)
UNSURE = OutcomesUnknown((OPEN_REQUEST,), Uncertainty.PEER_UNSURE)
CONNECTION_LOST = OutcomesUnknown((OPEN_REQUEST,), Uncertainty.CONNECTION_ENDED)


@pytest.mark.parametrize("failure", [KalshiFixError("the connection was reset"), KeyboardInterrupt()])
@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ((REJECTED, UNSURE), Uncertainty.PEER_UNSURE.value),
        ((UNSURE, REJECTED), Uncertainty.PEER_UNSURE.value),
        ((REJECTED,), ""),
        ((CONNECTION_LOST,), None),
        ((), None),
    ],
)
def test_a_failure_after_the_answer_does_not_replace_the_reason(
    monkeypatch: pytest.MonkeyPatch, events: tuple[object, ...], reason: str | None, failure: BaseException
) -> None:
    class Client:
        """A client that receives the events, and fails when it logs out."""

        def __init__(self, _: object) -> None:
            self.waiting = iter(events)

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            raise failure

        def send(self, request: object, timeout: float) -> None:
            pass

        def receive(self, timeout: float) -> object:
            for event in self.waiting:
                return event
            raise ClientTimeoutError("no event")

        def events(self) -> Iterator[object]:
            return iter(())

    class Plan:
        timeout = 0.01

    monkeypatch.setattr(outcome, "Client", Client)
    plan: Any = Plan
    found = outcome.carry_out(plan, ORDER, wait_for_reports=True, never_rests=False)
    failed = "interrupted before the answer" if isinstance(failure, KeyboardInterrupt) else str(failure)
    assert found.reason == (failed if reason is None else reason)
