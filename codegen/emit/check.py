"""Compares the generated files with the existing ones."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import attrs

from codegen.emit.render import MARK


@attrs.frozen
class Finding:
    """One file that is not as it should be."""

    path: Path
    what: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"


class ForeignFileError(Exception):
    """The folder holds a file that was not generated; it would be lost."""


def check(expected: Mapping[str, str], folder: Path) -> list[Finding]:
    """Return the differences between the folder and the files that would be generated, by path.

    A file is missing, different, stale (no longer generated) or, where the folder is part of a git work
    tree, not tracked.
    """
    found = present(folder)
    findings = [Finding(folder / name, "missing") for name in expected.keys() - found]
    findings += [Finding(folder / name, "stale: no longer generated") for name in found - expected.keys()]
    for name in expected.keys() & found:
        difference = first_difference(expected[name], (folder / name).read_text(encoding="utf-8"))
        if difference:
            findings.append(Finding(folder / name, difference))
    # A file that was not added to git passes here and is missing in a fresh clone.
    tracked = tracked_files(folder)
    if tracked is not None:
        findings += [
            Finding(folder / name, "not tracked by git") for name in expected.keys() & found - tracked
        ]
    return sorted(findings, key=lambda finding: (finding.path, finding.what))


def write(expected: Mapping[str, str], folder: Path) -> list[Finding]:
    """Write the generated files to the folder and delete all others; return the changes.

    Raises:
        ForeignFileError: a file that would be deleted was not generated; no file has been changed then.
    """
    # All files are looked at before the first one is removed.
    stale = present(folder) - expected.keys()
    for name in sorted(stale):
        if not _was_generated(folder / name):
            raise ForeignFileError(
                f"{folder / name} was not generated: move it away, or choose another folder with --out"
            )
    changes = []
    for name in sorted(stale):
        (folder / name).unlink()
        changes.append(Finding(folder / name, "removed"))
    for name, text in expected.items():
        path = folder / name
        old = path.read_text(encoding="utf-8") if path.exists() else None
        if old != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            changes.append(Finding(path, "written" if old is None else "updated"))
    return changes


def _was_generated(path: Path) -> bool:
    """Return whether the beginning of a file states that this program wrote it."""
    # Bytes, since a file of somebody else need not be text.
    beginning = path.read_bytes()[:500]
    return beginning.startswith(MARK.encode()) or b"<!-- Written by `python -m codegen" in beginning


def present(folder: Path) -> set[str]:
    """Return the files in the folder, except Python's compiled ones."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def tracked_files(folder: Path) -> set[str] | None:
    """Return the files in the folder that git knows; None outside of a work tree or without git."""
    if not folder.is_dir():
        return None
    try:
        result = subprocess.run(
            ["git", "ls-files", "-z"],  # noqa: S607 - git is found on PATH
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return None
    return None if result.returncode else set(filter(None, result.stdout.split("\0")))


def first_difference(expected: str, actual: str) -> str:
    """Return a text that shows where two files part; empty if they are equal."""
    if expected == actual:
        return ""
    ours, theirs = expected.splitlines(), actual.splitlines()
    for number, (ours_line, theirs_line) in enumerate(zip(ours, theirs, strict=False), start=1):
        if ours_line != theirs_line:
            return f"line {number} is {theirs_line.strip()!r}, and would be {ours_line.strip()!r}"
    if len(ours) == len(theirs):
        return "line endings differ"
    if len(ours) > len(theirs):
        return f"ends after line {len(theirs)}, and would go on with {ours[len(theirs)].strip()!r}"
    return f"would end after line {len(ours)}, and goes on with {theirs[len(ours)].strip()!r}"
