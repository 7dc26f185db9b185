"""Functions that create mutants and patches. A patch replaces an attribute while its context is active."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

import attrs

Patch = Callable[[], AbstractContextManager[object]]


@attrs.frozen
class Mutant:
    """A session, a store or a disk with one fault."""

    patch: Patch
    rules: frozenset[str]
    """Names of invariants, as in `Violation.rule`; the fault violates at least one of them."""


def caught_by(patch: Patch, *rules: str) -> Mutant:
    return Mutant(patch, frozenset(rules))


def do_nothing(*_: object, **__: object) -> None:
    """Do nothing, in place of a method."""


def replace(owner: Any, name: str, replacement: object) -> Patch:
    return lambda: patch.object(owner, name, replacement)


def replace_every(count: int, owner: Any, name: str, replacement: Callable[..., Any]) -> Patch:
    """Replace every `count`-th call."""
    original = getattr(owner, name)

    @contextmanager
    def patched() -> Iterator[None]:
        calls = 0

        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal calls
            calls += 1
            return (original if calls % count else replacement)(*arguments, **named)

        with patch.object(owner, name, call):
            yield

    return patched


def wrap(owner: Any, name: str, change: Callable[..., Any]) -> Patch:
    """Call `change(original, ...)` instead of the original."""
    original = getattr(owner, name)

    def call(*arguments: Any, **named: Any) -> Any:
        return change(original, *arguments, **named)

    return replace(owner, name, call)
