"""In these tests, the simulated venue sends or receives every part of the dialect except `NOT_PRODUCED`."""

from __future__ import annotations

from tests.venue.wire_coverage import NOT_PRODUCED, WireCoverage, expected


def test_every_msg_type_code_and_text_except_those_listed_was_on_the_wire(
    wire_coverage: WireCoverage,
) -> None:
    assert sorted(wire_coverage.missing()) == sorted(NOT_PRODUCED)


def test_the_parts_listed_as_not_produced_are_in_the_dialect() -> None:
    assert not set(NOT_PRODUCED) - set(expected())
