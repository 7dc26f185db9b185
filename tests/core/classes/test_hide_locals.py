"""Exceptions raised under `hides_locals` keep no arguments or local variables in their frames."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio.classes.hide_locals import hides_locals, init_hides_locals
from tests.helpers import locals_of

SECRET = "-----BEGIN PRIVATE KEY-----"


def refuse(text: str) -> None:
    copy = text + "!"
    try:
        raise KeyError
    except KeyError:
        raise LookupError(len(copy)) from None


@hides_locals
def refused(text: str) -> None:
    """Refuse a text."""
    refuse(text)


@init_hides_locals
class Refused:
    def __init__(self, text: str) -> None:
        refuse(text)


def test_line_numbers_are_kept_and_local_variables_removed() -> None:
    for call in (refused, Refused):
        with pytest.raises(LookupError) as caught:
            call(SECRET)
        assert caught.traceback[-1].name == "refuse"
        assert SECRET not in locals_of(caught.value)
    with pytest.raises(LookupError) as caught:
        refuse(SECRET)
    assert SECRET in locals_of(caught.value)
    assert refused.__doc__ == "Refuse a text."


def test_an_exception_that_the_caller_was_handling_keeps_its_local_variables() -> None:
    def fail() -> None:
        mine = "mine"
        raise ValueError(mine)

    def handle() -> None:
        try:
            fail()
        except ValueError:
            refused(SECRET)

    with pytest.raises(LookupError) as caught:
        handle()
    found = locals_of(caught.value)
    assert "mine = 'mine'" in found
    assert SECRET not in found


def test_causes_in_a_circle_are_cleared_once() -> None:
    @hides_locals
    def circle(text: str) -> None:
        try:
            refuse(text)
        except LookupError as error:
            other = ValueError()
            error.__cause__ = other
            raise other from error

    with pytest.raises(ValueError) as caught:  # noqa: PT011
        circle(SECRET)
    assert SECRET not in locals_of(caught.value)


def test_results_are_returned_unchanged() -> None:
    assert hides_locals(len)("three") == 5
