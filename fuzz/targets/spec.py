"""Fuzz target `spec`: the reader of spec folders, with arbitrary YAML."""

from __future__ import annotations

import atexit
import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import Final

from codegen.errors import SpecError
from codegen.read.nodes import read_yaml
from codegen.read.resolve import load_dialect
from kalshi_fix_sansio.fuzzing import Choices

HARBOUR: Final = Path(__file__).resolve().parents[2] / "tests" / "codegen" / "harbour"
_FILES: Final = tuple(sorted(path.relative_to(HARBOUR) for path in HARBOUR.rglob("*.yaml")))
_TEXTS: Final = {name: (HARBOUR / name).read_text("utf-8").splitlines() for name in _FILES}
_VALUES: Final = (
    "",
    "x",
    "1",
    "-1",
    "1.5",
    "9" * 5000,
    "true",
    "null",
    "[a, b]",
    "{a: b}",
    "[" * 300,
    "*a",
    "&a [*a]",
    "&a x",
    '"',
    "|",
    "<<: *a",
    "!!python/object:os.system x",
    "? a",
    "é\x85",
    "\t",
)
_WORK: Final = Path(tempfile.mkdtemp(prefix="fuzz-spec-"))
atexit.register(shutil.rmtree, _WORK, ignore_errors=True)
shutil.copytree(HARBOUR, _WORK, dirs_exist_ok=True)


def check(data: bytes) -> None:
    """A spec folder with arbitrary content in one of its files is loaded, or rejected with a SpecError."""
    choices = Choices(data)
    name = choices.pick(_FILES)
    if choices.one_in(8):
        check_invariant(name, choices.rest())
        return
    lines = list(_TEXTS[name])
    for _ in range(1 + choices.below(4)):
        index = choices.below(len(lines) + 1) % max(len(lines), 1)
        match choices.below(6):
            case 0:
                del lines[index : index + 1]
            case 1:
                lines.insert(index, lines[choices.below(len(lines))] if lines else "")
            case 2:
                key = lines[index].partition(":")[0] if lines else "a"
                lines[index : index + 1] = [f"{key}: {choices.pick(_VALUES)}"]
            case 3:
                lines[index : index + 1] = [choices.chunk().decode("latin-1")]
            case 4:
                lines[index : index + 1] = [" " + line for line in lines[index : index + 1]]
            case _:
                old = lines[index] if lines else ""
                position = choices.below(len(old) + 1)
                lines[index : index + 1] = [old[:position] + choices.pick(_VALUES) + old[position:]]
    check_invariant(name, "\n".join(lines).encode("utf-8"), whole=choices.one_in(16))


def check_invariant(name: Path, data: bytes, *, whole: bool = True) -> None:
    """Check the invariant for a folder with this content in one file. Unless `whole` is set, load only this
    file.
    """
    path = _WORK / name
    path.write_bytes(data)
    try:
        with contextlib.suppress(SpecError):
            read_yaml(path)
            if whole:
                load_dialect(_WORK)
    finally:
        path.write_bytes((HARBOUR / name).read_bytes())
