"""Add the lines that findings propose to the files of the spec folder.

Only additions are written, at the place that the proposal names; corrections and removals are manual. A line
contains `…` where text must be added by hand; codegen rejects the spec until this has been done.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from codegen.diff.findings import ACCEPTABLE, Edit, Finding

_SETTING = re.compile(r"`(\w+)`: `(limits: .*)`")
_QUOTED_LINE = re.compile(r"`([^`]*:[^`]*)`")
_ADDITION = re.compile(r"add (?:after this line:\n|`)(\w+):(?:[^`]*` to the members of ((?:group )?\w+))?")
_MEMBER = re.compile(r"( +)(\w+): +(?:(\w+)|\{(.*)\})")
_ENTRY = re.compile(r"`(- \{[^`]*\})`")


def write(findings: Iterable[Finding]) -> tuple[list[Edit], list[Edit]]:
    """Write the proposals that add lines; return the proposals that were written, and those that were not."""
    edits: dict[tuple[str, ...], Edit] = {}
    for each in findings:
        for edit in each.edits if each.kind in ACCEPTABLE else ():
            # Pages and the dictionary may propose the same element in different forms: the first is written.
            edits.setdefault(_element(edit), edit)
    written: list[Edit] = []
    not_written: list[Edit] = []
    # Each file is edited from its end to its beginning, so that line numbers stay valid.
    for edit in sorted(edits.values(), key=lambda each: each.location)[::-1]:
        (written if _write(edit) else not_written).append(edit)
    return written[::-1], not_written[::-1]


def _element(edit: Edit) -> tuple[str, ...]:
    """Return the key of the element that an edit adds: its file, its parent, and its name."""
    addition = _ADDITION.match(edit.text)
    return (edit.location.file, *(addition.groups("") if addition else (str(edit.location), edit.text)))


def _write(edit: Edit) -> bool:
    path, index = Path(edit.location.file), edit.location.line - 1
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    first, *block = edit.text.split("\n")
    if setting := _SETTING.fullmatch(first):
        if not _add_setting(lines, index, *setting.groups()):
            return False
    elif entry := _ENTRY.match(first):
        # The newest entry of a list is its first.
        top = next((number for number, line in enumerate(lines) if line.startswith("  - ")), len(lines))
        lines.insert(top, f"  {entry[1]}")
    elif block and first == "add to this file:":
        lines += block
    elif block and first == "add after this line:" and path.is_file():
        end = _end_of_section(lines, path)
        lines[end:end] = [f"  {line}" for line in block]
    elif first.startswith("add `") and (quoted_line := _QUOTED_LINE.search(first)) and lines:
        _insert(lines, index, quoted_line[1], path, as_member="` to the members of " in first)
    else:
        return False
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return True


def _add_setting(lines: list[str], index: int, name: str, setting: str) -> bool:
    """Add a setting to a member whose entry is this single line; return False for any other entry."""
    member = _MEMBER.fullmatch(lines[index])
    if member is None or member[2] != name:
        return False
    settings = member[4] or f"presence: {member[3]}"
    lines[index] = f"{member[1]}{name}: {{{settings}, {setting}}}"
    return True


def _insert(lines: list[str], index: int, line: str, path: Path, *, as_member: bool) -> None:
    """Insert `line` after the entry that begins at `index`, or, if `as_member` is set, as its first
    member."""
    # A field without a neighbour is proposed for the end of the file, which may belong to another section.
    if index >= len(lines) - 1 and path.name == "fields.yaml":
        lines.insert(_end_of_section(lines, path), f"  {line}")
        return
    end = _end_of_entry(lines, index)
    members = next((n for n in range(index + 1, end) if lines[n].strip() == "members:"), None)
    if as_member and members is not None:
        lines.insert(members + 1, " " * (_indent(lines[members]) + 2) + line)
    else:
        lines.insert(end, " " * _indent(lines[index]) + line)


def _end_of_section(lines: list[str], path: Path) -> int:
    """Return the index after the file's section. Its key is `messages` for a file in the folder `messages`;
    otherwise it is the name of the file without its suffix.
    """
    key = path.parent.name if path.parent.name == "messages" else path.stem
    index = next((number for number, line in enumerate(lines) if line.startswith(f"{key}:")), None)
    if index is None:
        lines.append(f"{key}:")
        return len(lines)
    return _end_of_entry(lines, index)


def _end_of_entry(lines: list[str], index: int) -> int:
    """Return the index after the entry that begins at `index` and includes the lines indented below it."""
    end = index + 1
    while end < len(lines) and (not lines[end].strip() or _indent(lines[end]) > _indent(lines[index])):
        end += 1
    while not lines[end - 1].strip():
        end -= 1
    return end


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
