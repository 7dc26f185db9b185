"""Small changes to a page or a dictionary, like those a venue makes, all of which `diff` must report."""

from __future__ import annotations

import re
from collections.abc import Iterator

import attrs


@attrs.frozen
class Mutation:
    """A change to one file."""

    line: int
    description: str
    text: str
    """The content of the file after the change."""


_FLAGS = {"Y": ("N", "C"), "N": ("Y", "C"), "C": ("Y", "N"), "Yes": ("No",), "No": ("Yes",)}
_CODE = re.compile(
    r"(?<=`)(\d{1,3}|[A-Z])(?=`=| = )|(?<=<)(\d{1,3}|[A-Z])(?=>)"
    r"|(?<=[A-Z]\()(\d{1,3})(?=\))|(?<!\d)(\d+)(?= \([A-Z])"
)
_WORD_CODE = re.compile(r"(?<=`)([a-z_]{2,})(?=`(?:,| or|\s*\|))|(?<=\")(yes|no)(?=\")")


def of_page(text: str) -> Iterator[Mutation]:
    """Yield one copy of the page for each row or list item deleted, and for each tag, name, type, value, port
    or host changed."""
    lines = text.split("\n")
    header: list[str] = []
    fenced = False
    for at, line in enumerate(lines):
        stripped = line.strip()
        if stripped.startswith("```"):
            fenced = not fenced
        if fenced:
            continue
        for description, changed in _of_line(stripped, lines, at, header):
            fresh = [changed] if changed is not None else []
            indent = line[: len(line) - len(line.lstrip())]
            yield Mutation(
                at + 1,
                description,
                "\n".join([*lines[:at], *(indent + item for item in fresh), *lines[at + 1 :]]),
            )
        if not stripped.startswith("|"):
            header = []
        elif not header:
            header = cells(stripped)


def _of_line(line: str, lines: list[str], at: int, header: list[str]) -> Iterator[tuple[str, str | None]]:
    if line.startswith("|") and header and not re.fullmatch(r"[|\s:-]+", line):
        yield "row deleted", None
        yield from _of_row(cells(line), header)
    elif re.match(r"#{1,6} ", line):
        yield from _of_heading(line)
    elif re.match(r"\*\*[^*]*Host:\*\*", line):
        yield "host deleted", None
        yield "host changed", re.sub(r"`(\S+)`", r"`new-\1`", line)
        yield "host of another role", line.replace("Host", "Drop Copy Host")
    elif line.startswith("* ") and _is_list_of_values(lines, at):
        yield "item deleted", None
        for found in _CODE.finditer(line.replace("\\<", "<")):
            yield "value in item", _replace(line.replace("\\<", "<"), found, "77")
        if re.match(r"\* [*`]*[A-Z]+\\?_", line):
            yield "text in item", re.sub(r"(\* [*`]*[A-Z]+)", r"\1X", line, count=1)
        if mapped := re.search(r'"([^"]+)"', line):
            yield "code of text", line.replace(mapped[1], "Incorrect quantity" if "Rej" in line else "Trade")


def _of_heading(line: str) -> Iterator[tuple[str, str]]:
    if "(35=" in line:
        yield "MsgType in heading", re.sub(r"\(35=\w+\)", "(35=ZZ)", line)
        yield "name in heading", re.sub(r"(#+ \w+)", r"\1Foo", line, count=1)
    elif re.search(r"\(\d+\)", line):
        yield "tag in heading", re.sub(r"\(\d+\)", "(58)" if "58" not in line else "(54)", line)
    elif re.search(r"\(\w+=\w+\)", line):
        yield "condition in heading", re.sub(r"=(\d+)\)", lambda m: f"={int(m[1]) % 5 + 1})", line)
    elif "Version" in line:
        yield "version", re.sub(r"(\d+)\.(\d+)\.(\d+)", r"9.\2.\3", line)
        yield "date", re.sub(r"\d{4}-", "2031-", line)


def _of_row(row: list[str], header: list[str]) -> Iterator[tuple[str, str]]:
    for column, (name, cell) in enumerate(zip(header, row, strict=False)):
        for description, changed in _of_cell(name, cell):
            yield (
                f"{name.lower()}: {description}",
                "| " + " | ".join([*row[:column], changed, *row[column + 1 :]]) + " |",
            )


def _of_cell(name: str, cell: str) -> Iterator[tuple[str, str]]:
    match name:
        case "Tag":
            yield "new tag", str(int(cell) + 50_000)
            yield "tag of another field", "14" if cell != "14" else "6"
        case "Name" | "Field Name":
            yield "renamed", cell + "New"
        case "Type":
            yield "type", "Boolean" if cell != "Boolean" else "String"
        case "Required":
            for flag in _FLAGS.get(cell, ()):
                yield f"{cell} to {flag}", flag
        case "Default" if cell:
            yield "default", "Y" if not cell.startswith("Y") else "N"
        case "Port":
            yield "port", str(int(cell) + 10)
        case "TargetCompID":
            yield "session", cell + "X"
        case "MsgType":
            yield "MsgType", "ZZ"
        case "Sessions":
            yield "sessions", "KalshiDC" if cell != "KalshiDC" else "KalshiPT"
        case "Direction":
            there, back = "Client -> Server", "Server -> Client"
            yield "direction", back if there in cell or cell.startswith("Both") else there
        case "Code" | "Value" if re.fullmatch(r"\w+( \(default\))?", cell):
            yield "value", "77"
        case "Text (58)":
            yield "text", f"`NEW_{cell.strip('`')}`"
        case _ if re.search(r"\(\d+\)", name):
            yield "code of text", "Other"
        case "Description" | "Type/Values" | "Value":
            clean = cell.replace("\\<", "<")
            for found in _CODE.finditer(clean):
                yield f"value {found[0]}", _replace(clean, found, "77")
            for found in _WORD_CODE.finditer(cell):
                yield f"value {found[0]}", _replace(cell, found, "maybe")
        case _:
            return


def _is_list_of_values(lines: list[str], at: int) -> bool:
    heading = next((line for line in reversed(lines[:at]) if line.startswith("#")), "")
    return re.search(r"\(\d+\)", heading) is not None


def cells(line: str) -> list[str]:
    """Return the cells of a table row."""
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def _replace(text: str, found: re.Match[str], value: str) -> str:
    return text[: found.start()] + value + text[found.end() :]


def of_dictionary(text: str) -> Iterator[Mutation]:
    """Yield one copy of the dictionary for each deleted self-closing element and for each changed
    attribute."""
    lines = text.split("\n")
    for at, line in enumerate(lines):
        tag = re.match(r"\s*<(\w+) ([^>]*?)(/?)>\s*\Z", line)
        if tag is None or tag[1] == "fix" or not tag[2].strip():
            continue
        if tag[3]:
            yield Mutation(at + 1, f"{tag[1]} deleted", "\n".join([*lines[:at], *lines[at + 1 :]]))
        for name, value in re.findall(r"(\w+)=['\"]([^'\"]*)['\"]", tag[2]):
            for changed in _attribute(tag[1], name, value):
                fresh = re.sub(
                    rf"\b{name}=(['\"])[^'\"]*['\"]", rf"{name}=\g<1>{changed}\g<1>", line, count=1
                )
                mutated = "\n".join([*lines[:at], fresh, *lines[at + 1 :]])
                yield Mutation(at + 1, f"{tag[1]} {name}: {value} to {changed}", mutated)


def _attribute(element: str, name: str, value: str) -> Iterator[str]:
    match name:
        case "required":
            yield "N" if value == "Y" else "Y"
        case "number":
            yield str(int(value) + 50_000)
        case "enum":
            yield "77"
        case "type":
            yield "BOOLEAN" if value != "BOOLEAN" else "STRING"
        case "msgcat":
            yield "app" if value == "admin" else "admin"
        case "msgtype":
            yield "ZZ"
        case "name":
            yield f"{value}New"
        case _:
            return
