"""The default policy for which messages may be resent."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio import _generated as fix
from kalshi_fix_sansio.config import DEFAULT_MAX_AGE, ResendFresh
from kalshi_fix_sansio.dialect.base import Message
from tests.helpers import order

CANCEL = fix.OrderCancelRequest(cl_ord_id="b", orig_cl_ord_id="a", side="1", symbol="S")
AMEND = fix.OrderCancelReplaceRequest(
    cl_ord_id="b", orig_cl_ord_id="a", side="1", symbol="S", order_qty=1, ord_type="2"
)
ACCEPT = fix.AcceptQuote(quote_id="q", side="1")


@pytest.mark.parametrize(
    ("message", "allowed"), [(CANCEL, True), (order(), False), (AMEND, False), (ACCEPT, False)]
)
def test_only_recent_messages_that_cannot_trade_are_resent(message: Message, allowed: bool) -> None:
    policy = ResendFresh()
    assert policy(message, 0.0) is allowed
    assert policy(message, DEFAULT_MAX_AGE) is allowed
    assert not policy(message, DEFAULT_MAX_AGE + 0.001)


def test_a_user_can_name_message_types_that_are_safe_to_resend() -> None:
    policy = ResendFresh(max_age=5, safe_types=frozenset({"UA"}))
    assert policy(ACCEPT, 5)
    assert not policy(ACCEPT, 6)
    assert not policy(ACCEPT, -0.001)
