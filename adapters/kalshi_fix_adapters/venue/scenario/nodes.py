"""Reads the YAML of a scenario file, within its bounds."""

from __future__ import annotations

from pathlib import Path

from kalshi_fix_adapters.documents.mistakes import Location
from kalshi_fix_adapters.venue.scenario.mistakes import Mistakes
from kalshi_fix_sansio.errors import ConfigurationError

try:
    from kalshi_fix_adapters.documents.nodes import Bounds, Map, Node, Scalar, Seq, parse, plain
except ModuleNotFoundError:
    raise ConfigurationError(
        "scenario files need PyYAML; install it with pip install 'kalshi-fix-sansio[scenario]'"
    ) from None

__all__ = ["BOUNDS", "MAX_FILE_SIZE", "Map", "Node", "Scalar", "Seq", "plain", "read_bytes", "read_file"]

MAX_FILE_SIZE = 512 * 1024
"""Bytes of a file."""
BOUNDS = Bounds(depth=32, values=20_000, aliased=2_000)


def read_file(path: Path) -> Node:
    """Read a file.

    Raises:
        ScenarioError: it cannot be read, is too large, is not YAML, or repeats a key.
    """
    file = str(path)
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE_SIZE + 1)
    except OSError as error:
        what = f"cannot be read ({error.strerror})"
        Mistakes(file).refuse(Location(file, 1), what, "name a file that you may read")
    return read_bytes(data, file)


def read_bytes(data: bytes, file: str) -> Node:
    """Read what stands in a file.

    Raises:
        ScenarioError: it is too large, is not YAML, or repeats a key.
    """
    mistakes = Mistakes(file)
    if len(data) > MAX_FILE_SIZE:
        what = f"has more than {MAX_FILE_SIZE} bytes"
        mistakes.refuse(Location(file, 1), what, "leave out what is not needed")
    return parse(data, file, BOUNDS, mistakes, if_empty="describe the venue, as examples/scenario.yaml does")
