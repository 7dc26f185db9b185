"""Times functions where they are called, each without those inside it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import attrs


@attrs.define
class Stopwatch:
    """Seconds by stage, of one thread."""

    spent: defaultdict[str, float] = attrs.field(factory=lambda: defaultdict(float))
    _inner: list[float] = attrs.field(factory=list)
    """For each function that is running, the seconds of those inside it."""

    def timed(self, stage: str, act: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, timed."""

        def run(*values: Any, **options: Any) -> Any:
            self._inner.append(0.0)
            begin = time.perf_counter()
            try:
                return act(*values, **options)
            finally:
                took = time.perf_counter() - begin
                self.spent[stage] += took - self._inner.pop()
                if self._inner:
                    self._inner[-1] += took

        return run

    @contextmanager
    def watching(self, owner: Any, name: str, stage: str) -> Iterator[None]:
        """Time a function or method of a module, class or instance under this name."""
        former = getattr(owner, name)
        setattr(owner, name, self.timed(stage, former))
        try:
            yield
        finally:
            setattr(owner, name, former)
