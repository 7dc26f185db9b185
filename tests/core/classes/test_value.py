"""Classes that inherit comparison, hash and repr from the base class behave like attrs classes."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from kalshi_fix_sansio.classes.value import Value, quick_init


@attrs.frozen(eq=False, repr=False)
class Ours(Value):
    a: int
    b: object = "text"
    c: int = attrs.field(default=0, eq=False)
    d: int = attrs.field(default=0, repr=False)


@attrs.frozen
class Theirs:
    a: int
    b: object = "text"
    c: int = attrs.field(default=0, eq=False)
    d: int = attrs.field(default=0, repr=False)


@pytest.mark.parametrize(
    "values", [(1,), (1, "text", 5), (1, "text", 0, 5), (2, None), (1, float("nan")), (True, "text")]
)
def test_comparison_hash_and_repr_are_those_of_attrs(values: tuple[Any, ...]) -> None:
    assert (Ours(*values) == Ours(1)) is (Theirs(*values) == Theirs(1))
    assert (Ours(*values) != Ours(1)) is (Theirs(*values) != Theirs(1))
    assert (hash(Ours(*values)) == hash(Ours(1))) is (hash(Theirs(*values)) == hash(Theirs(1)))
    assert repr(Ours(*values)) == repr(Theirs(*values)).replace("Theirs", "Ours")


def test_values_of_different_classes_are_never_equal() -> None:
    @attrs.frozen(eq=False, repr=False)
    class More(Ours):
        pass

    assert Ours(1) != More(1)
    assert Ours(1) != 1
    assert hash(Ours(1)) != hash(More(1))


def test_a_value_with_an_unhashable_attribute_is_unhashable() -> None:
    with pytest.raises(TypeError, match="unhashable type: 'list'"):
        hash(Ours(1, []))


@quick_init
@attrs.frozen
class Quick:
    a: int
    b: object = "text"
    c: int = attrs.field(default=0, eq=False)
    d: int = attrs.field(default=0, repr=False)


@pytest.mark.parametrize(
    "make_copy", [copy.copy, copy.deepcopy, attrs.evolve, lambda it: pickle.loads(pickle.dumps(it))]
)
def test_a_quick_constructor_creates_what_attrs_creates(make_copy: Callable[[Any], Any]) -> None:
    assert str(inspect.signature(Quick)).replace(": int", "") == "(a, b='text', c=0, d=0)"
    for value in (Quick(1), Quick(1, c=5, b=None), Quick(a=1, d=2)):
        assert attrs.astuple(make_copy(value)) == attrs.astuple(value)
    assert attrs.astuple(Quick(1, c=5, b=None)) == (1, None, 5, 0)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Quick(1).a = 2  # type: ignore[misc]


@pytest.mark.parametrize("arguments", [{}, {"a": 1, "e": 1}])
def test_a_quick_constructor_refuses_wrong_arguments(arguments: dict[str, int]) -> None:
    with pytest.raises(TypeError):
        Quick(**arguments)
