"""Read the YAML files of a spec, with limits on their size, depth and aliases."""

from __future__ import annotations

from pathlib import Path

from codegen.errors import Mistakes
from kalshi_fix_adapters.documents.mistakes import Location
from kalshi_fix_adapters.documents.nodes import Bounds, Node, parse

# A spec may be untrusted: with aliases of aliases, a few lines of YAML can expand to gigabytes.
MAX_FILE_SIZE = 8 * 1024 * 1024
"""Maximum size of a YAML file in bytes."""
BOUNDS = Bounds(depth=64, values=500_000, aliased=10_000)


def read_yaml(path: Path) -> Node:
    """Read one file.

    Raises:
        SpecError: the file cannot be read, is too large or empty, exceeds `BOUNDS`, is not valid YAML in
            UTF-8, repeats a key, or contains a value that a spec does not allow.
    """
    file, mistakes = path.as_posix(), Mistakes()
    try:
        data = read_bounded(path, MAX_FILE_SIZE)
    except OSError as error:
        mistakes.fail(Location(file, 1), f"cannot be read ({error.strerror})", "add the file")
    return parse(data, file, BOUNDS, mistakes, if_empty="fill it, or remove it")


def read_bounded(path: Path, maximum: int) -> bytes:
    """Read a whole file.

    Raises:
        OSError: the file cannot be read.
        SpecError: the file has more bytes than `maximum`.
    """
    with path.open("rb") as file:
        # Reading one byte more than allowed detects a file that is too large, whatever size the file system
        # reports.
        data = file.read(maximum + 1)
    if len(data) > maximum:
        location = Location(path.as_posix(), 1)
        Mistakes().fail(location, f"has more than {maximum} bytes", "split it, or remove unused elements")
    return data
