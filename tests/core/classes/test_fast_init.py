"""The fast constructor of a frozen class makes what the class makes."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import attrs
import pytest
from attrs.exceptions import FrozenInstanceError
from attrs.validators import instance_of

from kalshi_fix_sansio.classes.fast_init import fast_init
from kalshi_fix_sansio.events import MessageReceived


@attrs.frozen
class Plain:
    number: int
    text: str = attrs.field(repr=False)
    flag: bool = False
    rest: tuple[int, ...] = attrs.field(default=(), eq=False)


@attrs.frozen
class More(Plain):
    more: int = 5


plain = fast_init(Plain)


def test_what_it_makes_is_what_the_class_makes() -> None:
    for made, meant in (
        (plain(1, "a"), Plain(1, "a")),
        (plain(2, "b", True, (3,)), Plain(2, "b", True, (3,))),
        (plain(text="c", number=3, rest=(4,)), Plain(text="c", number=3, rest=(4,))),
    ):
        assert type(made) is Plain
        assert made == meant
        assert hash(made) == hash(meant)
        assert repr(made) == repr(meant)
        assert attrs.astuple(made) == attrs.astuple(meant)
        assert pickle.loads(pickle.dumps(made)) == meant
        assert copy.deepcopy(made) == meant
        assert attrs.evolve(made, number=9) == attrs.evolve(meant, number=9)


def test_it_is_frozen() -> None:
    made = plain(1, "a")
    with pytest.raises(FrozenInstanceError):
        made.number = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del made.text
    with pytest.raises(AttributeError):
        made.other = 1  # type: ignore[attr-defined]
    assert made == Plain(1, "a")


def test_it_takes_the_arguments_of_the_class() -> None:
    for arguments in ((), (1,), (1, "a", True, (), 5)):
        with pytest.raises(TypeError):
            plain(*arguments)
    with pytest.raises(TypeError):
        plain(1, "a", other=2)  # type: ignore[call-arg]


def test_a_subclass_and_an_event() -> None:
    assert fast_init(More)(1, "a", more=7) == More(1, "a", more=7)
    message: Any = object()
    assert attrs.astuple(fast_init(MessageReceived)(message, frame=b"x"), recurse=False) == (
        message,
        False,
        False,
        b"x",
    )


@attrs.frozen
class Converted:
    number: int = attrs.field(converter=int)


@attrs.frozen
class Validated:
    number: int = attrs.field(validator=instance_of(int))


@attrs.frozen
class Fresh:
    numbers: list[int] = attrs.field(factory=list)


@attrs.frozen(kw_only=True)
class Named:
    number: int


@attrs.frozen
class Hidden:
    _number: int


@attrs.frozen
class Counted:
    number: int = attrs.field(init=False, default=0)


@attrs.frozen
class Concluded:
    number: int

    def __attrs_post_init__(self) -> None:
        """Do more."""


@attrs.frozen
class Begun:
    number: int

    def __attrs_pre_init__(self) -> None:
        """Do more."""


@attrs.frozen
class Own:
    number: int

    def __init__(self, number: int) -> None:
        object.__setattr__(self, "number", number + 1)


@attrs.frozen(slots=False)
class Loose:
    number: int


@attrs.frozen(cache_hash=True)
class Cached:
    number: int


@pytest.mark.parametrize(
    "cls", [Converted, Validated, Fresh, Named, Hidden, Counted, Begun, Concluded, Own, Loose, Cached]
)
def test_a_class_whose_constructor_does_more_is_refused(cls: type[object]) -> None:
    with pytest.raises(TypeError, match="by setting its attributes alone"):
        fast_init(cls)
