"""`kalshi-fix spec`: explains a tag, a field, a message, a code value, or a value of the field Text (58)."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from difflib import get_close_matches
from importlib.resources import files
from xml.etree.ElementTree import Element, fromstring  # only this package's file is parsed

import attrs
import click

from kalshi_fix_adapters.cli.kit.failures import CommandError
from kalshi_fix_adapters.cli.kit.terminal import Line, Screen, plain, pluralize

MAX_LISTED = 20
"""Maximum number of descriptions that a search prints. The remaining descriptions are only counted."""
_NAMESPACE = "{http://fixprotocol.io/2024/orchestra/repository}"
_FIELD_ELEMENTS = frozenset((f"{_NAMESPACE}fieldRef", f"{_NAMESPACE}numInGroup"))


@attrs.frozen
class Entry:
    """A named element of the dialect: a field, message, code value or Text."""

    words: frozenset[str]
    """The search terms of the element, in lower case without underscores."""
    title: str
    text: str
    rows: tuple[tuple[str, str], ...] = ()
    """The parts of the element, each with a name and a description."""

    def mentions(self, words: tuple[str, ...]) -> bool:
        """Return whether the title and the description together contain every word, ignoring case."""
        text = f"{self.title} {self.text}".lower()
        return all(word.lower() in text for word in words)


@click.command()
@click.argument("word", nargs=-1, required=True)
def spec(word: tuple[str, ...]) -> None:
    """Explain a tag, field, message, code value or Text: `spec 150`, `spec cl_ord_id`, `spec
    ExecutionReport`, `spec POST_ONLY_CROSS`.

    If no element has this name, list the elements whose descriptions contain all words: `spec self trade`.
    The exit status is 1 if there are none.
    """
    entries = list(_entries())
    query = _normalize("".join(word))
    found = [entry for entry in entries if query in entry.words]
    screen = Screen()
    if not found:
        matching = [entry for entry in entries if entry.mentions(word)]
        if matching:
            _print_matching(screen, " ".join(word), matching)
            return
        known = sorted({each for entry in entries for each in entry.words if len(each) > 3})
        similar = get_close_matches(query, known, n=5)
        hint = f"; similar: {', '.join(similar)}" if similar else ""
        raise CommandError(f"the dialect does not define {' '.join(word)!r}{hint}")
    for number, entry in enumerate(found):
        screen.print_lines([*([()] if number else []), *_entry_lines(entry, screen.text_width)])


def _print_matching(screen: Screen, query: str, entries: list[Entry]) -> None:
    """Print the titles and descriptions of matching entries, without their parts."""
    screen.print_lines([plain(f"{pluralize(len(entries), 'description')} with {query!r}")])
    for entry in entries[:MAX_LISTED]:
        screen.print_lines([(), *_entry_lines(attrs.evolve(entry, rows=()), screen.text_width)])
    if len(entries) > MAX_LISTED:
        screen.print_lines(
            [(), plain(f"and {len(entries) - MAX_LISTED} more; add a word to narrow the search")]
        )


def _entry_lines(entry: Entry, width: int) -> Iterator[Line]:
    for line in textwrap.wrap(entry.title, width):
        yield (("bold", line),)
    for line in textwrap.wrap(entry.text, width - 2):
        yield (("", f"  {line}"),)
    for name, text in entry.rows:
        first, *rest = textwrap.wrap(text, width - 6) or [""]
        if 4 + len(name) + len(first) <= width:
            yield ("", "  "), ("cyan", name), ("", f"  {first}")
        else:
            yield ("", "  "), ("cyan", name)
            rest = [first, *rest]
        for line in rest:
            yield (("", f"      {line}"),)


def _normalize(word: str) -> str:
    return word.replace("_", "").replace(" ", "").lower()


def _entries() -> Iterator[Entry]:
    """Read the dialect from the Orchestra repository in the package."""
    root = fromstring((files("kalshi_fix_sansio") / "dictionaries" / "orchestra.xml").read_bytes())  # noqa: S314
    code_sets = {each.attrib["name"]: each for each in root.iter(f"{_NAMESPACE}codeSet")}
    groups = {each.attrib["name"]: each for each in root.iter(f"{_NAMESPACE}group")}
    messages = list(root.iter(f"{_NAMESPACE}message"))
    for field in root.iter(f"{_NAMESPACE}field"):
        yield _field_entry(field, code_sets, messages, groups)
    for message in messages:
        yield _message_entry(message, groups)
    for name, code_set in code_sets.items():
        for code in code_set.iter(f"{_NAMESPACE}code"):
            title = f"{name.removesuffix('CodeSet')} = {code.attrib['value']} ({code.attrib['name']})"
            yield Entry(frozenset({_normalize(code.attrib["name"])}), title, _documentation(code))
    yield from _text_entries()


def _text_entries() -> Iterator[Entry]:
    from kalshi_fix_sansio import DIALECT, TEXTS

    for (msg_type, value), meaning in TEXTS.items():
        code_text = f" Sent with {meaning.attribute} {meaning.code.name}." if meaning.code else ""
        title = f"Text {value} of {DIALECT.messages[msg_type].name}"
        yield Entry(frozenset({_normalize(value)}), title, f"{meaning.meaning}{code_text}")


def _field_entry(
    field: Element, code_sets: dict[str, Element], messages: list[Element], groups: dict[str, Element]
) -> Entry:
    tag, name = field.attrib["id"], field.attrib["name"]
    codes = code_sets.get(field.attrib.get("codeSet", ""))
    kind = field.attrib.get("type") or ("" if codes is None else codes.attrib["type"])
    code_elements = () if codes is None else codes.iter(f"{_NAMESPACE}code")
    rows = [(f"{code.attrib['value']} {code.attrib['name']}", _documentation(code)) for code in code_elements]
    containers = dict.fromkeys(
        message.attrib["name"]
        for message in messages
        if any(tag in tags for tags in _members(message, groups))
    )
    rows.append(("in", ", ".join(containers) or "every message"))
    return Entry(
        frozenset({tag, _normalize(name)}), f"{name} ({tag}), {kind}", _documentation(field), tuple(rows)
    )


def _members(message: Element, groups: dict[str, Element]) -> Iterator[set[str]]:
    """Yield the tags of a message's fields, then for each group the tags of its entries' fields."""
    pending = [message]
    while pending:
        block = pending.pop()
        yield {each.attrib["id"] for each in block.iter() if each.tag in _FIELD_ELEMENTS}
        pending += [groups[each.attrib["name"]] for each in block.iter(f"{_NAMESPACE}groupRef")]


def _message_entry(message: Element, groups: dict[str, Element]) -> Entry:
    name, msg_type = message.attrib["name"], message.attrib["msgType"]
    rows = []
    for each in message.iter():
        if each.tag == f"{_NAMESPACE}fieldRef":
            rows.append((f"{each.attrib['name']} ({each.attrib['id']})", _member_text(each)))
        elif each.tag == f"{_NAMESPACE}groupRef":
            count = groups[each.attrib["name"]].find(f"{_NAMESPACE}numInGroup")
            tag = "" if count is None else f" ({count.attrib['id']})"
            rows.append((f"{each.attrib['name']}{tag}", _member_text(each)))
    product = f", {message.attrib['scenario']}" if "scenario" in message.attrib else ""
    words = frozenset({_normalize(name), msg_type.lower(), f"35={msg_type.lower()}"})
    return Entry(words, f"{name} ({msg_type}){product}", _documentation(message), tuple(rows))


def _member_text(member: Element) -> str:
    presence = "required. " if member.attrib.get("presence") == "required" else ""
    return f"{presence}{_documentation(member)}"


def _documentation(element: Element) -> str:
    documentation = element.find(f"{_NAMESPACE}annotation/{_NAMESPACE}documentation")
    return "" if documentation is None else documentation.text or ""
