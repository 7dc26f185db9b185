"""Deadlines are returned once each, in order of time, and replaced deadlines do not accumulate in memory."""

from __future__ import annotations

from kalshi_fix_venue.deadlines import MAX_STALE, Deadlines


def test_deadlines_pass_in_the_order_of_their_times_and_keys() -> None:
    deadlines = Deadlines[str, int]()
    for key, time in (("c", 2), ("b", 1), ("a", 1), ("d", 3), ("e", 1)):
        deadlines.set(key, time)
    deadlines.set("a", 4)
    deadlines.set("e", None)
    deadlines.set("f", None)
    assert deadlines.pop(0) is None
    assert [deadlines.pop(2), deadlines.pop(2), deadlines.pop(2), deadlines.first()] == ["b", "c", None, 3]
    assert [deadlines.pop(9), deadlines.pop(9), deadlines.pop(9), deadlines.first()] == ["d", "a", None, None]


def test_a_deadline_set_again_to_an_earlier_value_passes_once() -> None:
    deadlines = Deadlines[str, int]()
    for time in (5, 7, 5):
        deadlines.set("a", time)
    assert [deadlines.pop(9), deadlines.pop(9)] == ["a", None]


def test_replaced_and_removed_deadlines_do_not_accumulate() -> None:
    deadlines = Deadlines[int, int]()
    # The earliest deadline stays, so stale entries are removed only when the heap exceeds its limit.
    deadlines.set(0, 0)
    for number in range(1, 5 * MAX_STALE):
        deadlines.set(1, number)
        deadlines.set(number + 1, number)
        deadlines.set(number + 1, None)
        assert len(deadlines._heap) <= MAX_STALE + 6
    assert [deadlines.pop(number), deadlines.pop(number)] == [0, 1]
