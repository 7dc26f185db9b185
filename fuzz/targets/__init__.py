"""The fuzz targets: each is a module with one invariant, stated in the docstring of its `check(data)`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs

ROOT: Final = Path(__file__).resolve().parent.parent
CORPUS: Final = ROOT / "corpus"
"""The seed corpus, one file for each target; written by `python -m fuzz seed`."""


@attrs.frozen
class Target:
    """A fuzz target. It does not import the code under test: the fuzzing engine must be imported first."""

    name: str
    instrumented: tuple[str, ...]
    """The packages whose coverage guides the search."""
    max_len: int = 1024
    """Maximum size of an input, in bytes."""

    def load(self) -> Callable[[bytes], None]:
        """Return the target's `check`, which raises if the invariant is violated."""
        module = importlib.import_module(f"fuzz.targets.{self.name}")
        check: Callable[[bytes], None] = module.check
        return check

    @property
    def seeds(self) -> dict[str, bytes]:
        """The inputs of the seed corpus, by name."""
        lines = (CORPUS / f"{self.name}.txt").read_text("ascii").splitlines()
        return {name: bytes.fromhex(digits) for name, digits in map(str.split, lines)}


TARGETS: Final = {
    target.name: target
    for target in (
        Target("framing", ("kalshi_fix_sansio.framing",)),
        Target("decode", ("kalshi_fix_sansio.codec", "kalshi_fix_sansio.scalars")),
        Target("encode", ("kalshi_fix_sansio.codec", "kalshi_fix_sansio._generated")),
        Target("session", ("kalshi_fix_sansio.session",), 512),
        Target("books", ("kalshi_fix_sansio.trading",), 512),
        Target("log_reader", ("kalshi_fix_adapters.logs",)),
        Target("store", ("kalshi_fix_adapters.store_sqlite",), 64),
        Target("secrets", ("kalshi_fix_adapters", "kalshi_fix_sansio.codec"), 256),
        Target(
            "spec",
            ("codegen.read.load", "codegen.read.nodes", "codegen.read.resolve", "codegen.read.members"),
            512,
        ),
        Target("diff", ("codegen.diff",), 512),
    )
}
