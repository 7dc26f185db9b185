"""Reads the YAML of a spec, within its bounds."""

from __future__ import annotations

from pathlib import Path

from codegen.errors import Mistakes
from kalshi_fix_adapters.documents.mistakes import Location
from kalshi_fix_adapters.documents.nodes import Bounds, Node, parse

# A spec may come from someone else: YAML of a few lines can stand for gigabytes, by aliases of aliases.
MAX_FILE_SIZE = 8 * 1024 * 1024
"""Bytes of a YAML file."""
BOUNDS = Bounds(depth=64, values=500_000, aliased=10_000)


def read_yaml(path: Path) -> Node:
    """Read one file.

    Raises:
        SpecError: the file cannot be read, is too large, is not YAML, or repeats a key.
    """
    file, mistakes = path.as_posix(), Mistakes()
    try:
        data = read_bounded(path, MAX_FILE_SIZE)
    except OSError as error:
        mistakes.refuse(Location(file, 1), f"cannot be read ({error.strerror})", "add the file")
    return parse(data, file, BOUNDS, mistakes, if_empty="fill it, or remove it")


def read_bounded(path: Path, most: int) -> bytes:
    """Read a whole file.

    Raises:
        OSError: it cannot be read.
        SpecError: it has more bytes than `most`.
    """
    with path.open("rb") as file:
        # One byte more than allowed tells a file that is too large, whatever size the file system
        # reports.
        data = file.read(most + 1)
    if len(data) > most:
        where = Location(path.as_posix(), 1)
        Mistakes().refuse(where, f"has more than {most} bytes", "split it, or leave out what is not needed")
    return data
