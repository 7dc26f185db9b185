"""Exceptions raised inside `hides_locals` keep no arguments or local variables in their frames."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio.classes.hide_locals import hides_locals, init_hides_locals
from tests.helpers import locals_of

SECRET = "-----BEGIN PRIVATE KEY-----"


def raise_lookup_error(text: str) -> None:
    copy = text + "!"
    try:
        raise KeyError
    except KeyError:
        raise LookupError(len(copy)) from None


@hides_locals
def wrapped_function(text: str) -> None:
    """Raise an error."""
    raise_lookup_error(text)


@init_hides_locals
class WrappedClass:
    def __init__(self, text: str) -> None:
        raise_lookup_error(text)


def test_line_numbers_are_kept_and_local_variables_removed() -> None:
    for call in (wrapped_function, WrappedClass):
        with pytest.raises(LookupError) as caught:
            call(SECRET)
        assert caught.traceback[-1].name == "raise_lookup_error"
        assert SECRET not in locals_of(caught.value)
    with pytest.raises(LookupError) as caught:
        raise_lookup_error(SECRET)
    assert SECRET in locals_of(caught.value)
    assert wrapped_function.__doc__ == "Raise an error."


def test_an_exception_that_the_caller_was_handling_keeps_its_local_variables() -> None:
    def fail() -> None:
        mine = "mine"
        raise ValueError(mine)

    def handle() -> None:
        try:
            fail()
        except ValueError:
            wrapped_function(SECRET)

    with pytest.raises(LookupError) as caught:
        handle()
    found = locals_of(caught.value)
    assert "mine = 'mine'" in found
    assert SECRET not in found


def test_causes_in_a_cycle_are_cleared_once() -> None:
    @hides_locals
    def cycle(text: str) -> None:
        try:
            raise_lookup_error(text)
        except LookupError as error:
            other = ValueError()
            error.__cause__ = other
            raise other from error

    with pytest.raises(ValueError) as caught:  # noqa: PT011
        cycle(SECRET)
    assert SECRET not in locals_of(caught.value)


def test_results_are_returned_unchanged() -> None:
    assert hides_locals(len)("three") == 5
