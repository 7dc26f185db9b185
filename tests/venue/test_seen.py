"""Every part of the dialect, except for those listed, is on the simulated venue's wire in these tests."""

from __future__ import annotations

from tests.venue.seen import NOT_PRODUCED, Seen, expected


def test_every_msg_type_code_and_text_except_those_listed_was_on_the_wire(seen: Seen) -> None:
    assert sorted(seen.missing()) == sorted(NOT_PRODUCED)


def test_the_parts_listed_as_not_produced_are_in_the_dialect() -> None:
    assert not set(NOT_PRODUCED) - set(expected())
