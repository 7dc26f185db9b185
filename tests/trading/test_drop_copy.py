"""Cases of drop copy that the histories do not test: price units, long texts, the bounds, and a restart."""

from __future__ import annotations

from typing import Any

import pytest

from kalshi_fix_sansio import LogonFields
from kalshi_fix_sansio.events import MessageReceived
from kalshi_fix_sansio.trading import CopyState, DropCopy, DropCopyReport, Orders
from kalshi_fix_sansio.trading import drop_copy as drop_copy_module
from kalshi_fix_sansio.trading.common.received import MAX_ID_SIZE
from tests.trading.histories.drop_copy import DropCopyPlayer, instant
from tests.trading.order_flow import SESSION_ENDED, dump, feed, logged_on, place, reloaded, report


def play(lines: str) -> DropCopy:
    player = DropCopyPlayer()
    player.play(lines)
    return player.machine


@pytest.mark.parametrize(
    ("settings", "flags", "dollars"),
    [
        ({}, None, True),
        ({"logon": LogonFields(use_dollars=False)}, None, False),
        ({"logon": {}}, None, False),
        ({"product": "margin", "logon": {}}, None, True),
        ({}, {"use_dollars": False}, False),
        ({"logon": {}}, {"use_dollars": True}, True),
    ],
)
def test_a_drop_copy_report_contains_the_price_unit_of_its_session(
    settings: dict[str, Any], flags: dict[str, Any] | None, dollars: bool
) -> None:
    drop_copy = DropCopy(**settings)
    if flags is not None:
        drop_copy.apply(logged_on(**flags), instant(0))
    [copied] = drop_copy.apply(MessageReceived(report("new", "1;3")), instant(0))
    assert isinstance(copied, DropCopyReport)
    assert copied.dollars is dollars


def test_the_text_of_a_refusal_is_truncated() -> None:
    [pending] = play(f"request 1;3\nsends 1;3\nbusiness-reject NOT_AUTHORIZED {'no' * 1000}").pending
    assert pending.state is CopyState.FAILED
    assert len(pending.why) == MAX_ID_SIZE


def test_an_uncertain_order_is_resolved_on_its_own_session() -> None:
    orders, drop_copy = Orders(), play("session KalshiNR\ndisconnect\nlogon")
    feed(orders, logged_on(), place(), report("new", "1;1"), SESSION_ENDED, logged_on())
    [item] = orders.uncertain()
    drop_copy.request(orders.drop_copy_start(), orders.epoch, instant(0))
    [request] = drop_copy.handle_timer(instant(0))
    drop_copy.apply(request, instant(0))
    trade = report("trade", "1;5", cum="4", last=("4", "0.40"))
    complete = DropCopyPlayer().event("complete", "2")
    for message in (report("new", "1;1"), trade, complete):
        feed(orders, *drop_copy.apply(MessageReceived(message), instant(0)))
    assert not orders.uncertain()
    assert item.order is not None
    assert item.order.filled_qty == 4


def test_requested_shards_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drop_copy_module, "MAX_SHARDS", 2)
    player = DropCopyPlayer()
    player.play("request 1;1 1;1;1 1;1;2 1;1;3")
    drop_copy = player.machine
    assert len(drop_copy.pending) == drop_copy.left_out == 2
    assert str(drop_copy.uncertain()[-1]) == (
        "2 ranges of reports: not requested, because there are too many shards; resolve via REST"
    )
    for shard in range(10, 15):  # these are the user's own requests, which count too
        player.play(f"user-request 1;1;{shard}\ncomplete 0\nuser-request 1;1;{shard}\nreject BEGIN_TOO_SMALL")
    assert len(drop_copy._covered) == len(drop_copy._failed) == len(drop_copy.forgotten) == 2
    assert drop_copy.left_out == 5


def test_remembered_ranges_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drop_copy_module, "MAX_RANGES", 3)
    player = DropCopyPlayer()
    for event in range(1, 20, 2):
        player.play(f"request 1;{event} end=1;{event}\nsends 1;{event} 1;{event}\ncomplete 0")
    player.play("covered 0 1;15-1;15 1;17-1;17 1;19-1;19")


def test_a_dump_is_loaded_by_the_next_process() -> None:
    drop_copy = play(
        """
        request 1;1 end=1;2
        sends 1;1 1;2
        complete 0
        request 1;1;4
        sends 1;1;4
        reject BEGIN_TOO_SMALL
        request 1;5 1;6;1 epoch=3 end=1;9
        request 1;5;2 epoch=3
        sends 1;5 1;9
        reject SERVER_ERROR
        sends 1;6;1
        """
    )
    other = reloaded(drop_copy)
    assert other.requested is None
    assert other.covered(0) == drop_copy.covered(0)
    assert other.forgotten == drop_copy.forgotten
    assert sorted(str(item.begin) for item in other.pending) == ["1;1;4", "1;5", "1;5;2", "1;6;1"]
    assert sorted(item.faults for item in other.pending) == [0, 0, 0, 1]
    expected = dump(drop_copy)["pending"]
    for row in expected:
        if row["state"] == "REQUESTED":
            row["state"] = "WAITING"
    assert sorted(dump(other)["pending"], key=str) == sorted(expected, key=str)
    assert other.next_deadline() is None
    other.apply(logged_on(), instant(0))
    assert other.handle_timer(instant(0))
