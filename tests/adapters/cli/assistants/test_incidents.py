"""Questions about incidents in the planted logs, each answered by a single tool call."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.cli.assistants.conftest import Call
from tests.adapters.cli.assistants.planted import OTHER_MARKET
from tests.adapters.logs.test_past_sessions import MARKET

ORDERS = {"files": ["orders.log"]}
BOTH_LOGS = {"files": ["orders.log", "copy.log"]}
QUESTIONS: list[tuple[str, str, dict[str, Any], tuple[str, ...]]] = [
    (
        "How much of maker-1 was filled, and at what price?",
        *("trace", {"identifier": "maker-1", **ORDERS}, ("LastQty=4 LastPx=0.5", "LeavesQty=6 CumQty=4")),
    ),
    (
        "What did the amend of maker-1 change, and did the venue accept it?",
        *(
            "trace",
            {"identifier": "maker-1", **ORDERS},
            ("ClOrdID=maker-2", "Price=0.52", "ExecType=REPLACED"),
        ),
    ),
    (
        "Why did cross-1 end?",
        "decode",
        {"form": "full", "client_order_ids": ["cross-1"], "types": ["8"], **ORDERS},
        ("POST_ONLY_CROSS (A post-only order would have traded at once.)",),
    ),
    ("What does the Text POST_ONLY_CROSS mean?", "spec", {"words": "POST_ONLY_CROSS"}, ("traded at once",)),
    (
        "The client did not cancel rain-1: who did?",
        # Only the venue's reports: there is no OrderCancelRequest.
        *(
            "decode",
            {"symbols": [OTHER_MARKET], "form": "brief", **ORDERS},
            ("1< #7 ExecutionReport ClOrdID=rain-1 ExecType=CANCELED",),
        ),
    ),
    (
        "Which orders were placed, and what became of each?",
        *(
            "decode",
            {"form": "orders", **ORDERS},
            ("6 orders", "cross-1 BUY 0/10", "lost-1 BUY 0/10", "NOT REPORTED"),
        ),
    ),
    (
        "How long did the cancel of slow-1 take?",
        *("trace", {"identifier": "slow-1", **ORDERS}, ("12:00:15.000000", "12:00:18.000000   +3.000000")),
    ),
    ("What was the slowest answer of the day?", "decode", {"form": "summary", **ORDERS}, ("max 3.00 s",)),
    (
        "Which messages from the venue are missing?",
        *("decode", {"form": "summary", **ORDERS}, ("1 gap in MsgSeqNum", ": 13 to 17, KalshiNR to ")),
    ),
    (
        "Which order does the Reject at 12:00:20 refer to?",
        *("trace", {"identifier": "odd-1", **ORDERS}, ("ClOrdID=odd-1", "RefSeqNum=8 RefTagID=44")),
    ),
    ("What is tag 44, which the Reject names?", "spec", {"words": "44"}, ("Price (44)",)),
    (
        "Was lost-1 filled, although its session never reported it?",
        *("trace", {"identifier": "lost-1", **BOTH_LOGS}, ("KalshiDC", "OrdStatus=FILLED", "LastQty=10")),
    ),
    (
        "How did the session that began at 12:00 end?",
        *("decode", {"types": ["Logout"], **ORDERS}, ("12:00:23", "1< #19 Logout Text=SESSION_TERMINATED")),
    ),
    (
        "Why was the request after the reconnect refused?",
        "decode",
        {"since": "12:00:24", "types": ["BusinessMessageReject"], **ORDERS},
        ("Text=EXCHANGE_UNAVAILABLE", "APPLICATION_NOT_AVAILABLE"),
    ),
    (
        "Which orders may still be open, or have an unknown outcome?",
        *("replay", ORDERS, ("maker-2 UNVERIFIED BUY 4/10", "lost-1 UNKNOWN", "uncertain: 2")),
    ),
    ("What is the position?", "replay", ORDERS, (f"positions\n  {MARKET} 4 realized 0",)),
    ("What was the best bid when the recording ended?", "replay", {"files": ["day.rec"]}, ("bid 0.5 x 10",)),
    (
        "When did the book arrive after its subscription?",
        "decode",
        {"files": ["day.rec"]},
        ("12:00:03.000000 1> #2 MarketDataRequest", "12:00:04.000000 1< #2 MarketDataSnapshotFullRefresh"),
    ),
    (
        "Has a message been altered since it was sent?",
        *("decode", {"files": ["damaged.log"]}, ("CheckSum (10) is '", "ClOrdID=lost-7")),
    ),
    (
        "Which requests had no outcome when the client stopped?",
        *("store", {"path": "stores"}, ("| lost-1  | NewOrderSingle (D) |         2 |", "unknown")),
    ),
    (
        "Which number does the client send next, and which does it expect?",
        *("store", {"path": "stores/orders.sqlite3"}, ("send         4", "from the peer   17")),
    ),
    (
        "What did the strategy save last?",
        *("store", {"path": "stores"}, ('quotes/20261121  {"bid": "0.49", "password": "<hidden>"}',)),
    ),
    (
        "Which messages did the other engine send?",
        *("decode", {"files": ["engine.log"], "types": ["A"]}, ("Password=<hidden>", "RawData=<hidden>")),
    ),
]


@pytest.mark.parametrize(
    ("tool", "arguments", "facts"), [row[1:] for row in QUESTIONS], ids=[row[0] for row in QUESTIONS]
)
def test_a_question_is_answered(
    call: Call, tool: str, arguments: dict[str, Any], facts: tuple[str, ...]
) -> None:
    result = call(tool, **arguments)
    assert not result.is_error
    for fact in facts:
        assert fact in result.text


def test_no_cancel_request_from_the_client_is_found_for_an_order_cancelled_by_the_venue(call: Call) -> None:
    assert "OrderCancelRequest" not in call("decode", symbols=[OTHER_MARKET], **ORDERS).text
