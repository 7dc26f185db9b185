"""Example messages: conversion from YAML to Python source, and to wire format by running that source."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs

from codegen.errors import Mistakes, SpecError
from codegen.format import format_sources
from codegen.model import INTEGER_KINDS, Dialect, Field, Member, Message
from codegen.read import schema
from codegen.read.context import text
from codegen.read.nodes import read_yaml
from kalshi_fix_adapters.documents.mistakes import Location
from kalshi_fix_adapters.documents.names import did_you_mean
from kalshi_fix_adapters.documents.nodes import Map, Node, Scalar, Seq

FILE = "examples.yaml"
LIBRARY = "kalshi_fix_sansio"
_SOURCES = Path(__file__).resolve().parents[3] / "src"
_DAY, _CLOCK = r"(\d{4})(\d\d)(\d\d)", r"(\d\d):(\d\d):(\d\d)(?:\.(\d{3,6}))?"
_TIMES = {
    "UTCTIMESTAMP": (re.compile(f"{_DAY}-{_CLOCK}"), "datetime"),
    "UTCDATEONLY": (re.compile(_DAY), "date"),
    "UTCTIMEONLY": (re.compile(_CLOCK), "time"),
}
"""Wire formats of dates and times, and their Python constructors."""
_RUNNER = Path(__file__).with_name("runner.py")


@attrs.frozen
class Example:
    """One message from one sender."""

    message: str
    product: str
    session: str
    sender: str
    source: str
    """Python source that assigns the message to `message`."""
    location: Location
    header: tuple[int, ...] = ()
    """Header tags in the order in which the sender writes them; empty means the library's own order."""
    wire: str = ""
    """The complete message, with SOH replaced by `|`."""


def load(dialect: Dialect, folder: Path) -> dict[str, list[Example]]:
    """Read the examples of a spec folder by message; every message must have one.

    Raises:
        SpecError: the file cannot be read, does not match its schema, contains unknown names or invalid
            values, or has no example of a message.
    """
    path = folder / FILE
    mistakes = Mistakes()
    root = schema.validate(read_yaml(path), "examples", mistakes)
    if root is None:
        raise SpecError(mistakes.found)
    tags = {member.field.name: member.field.tag for member in dialect.header}
    header_names = root.entries.get("venue_header")
    header_order = (
        [item.text for item in header_names.items if isinstance(item, Scalar)]
        if isinstance(header_names, Seq)
        else []
    )
    for name in header_order:
        if name not in tags:
            problem = f"the header has no field `{name}`"
            mistakes.add(root.at("venue_header"), problem, did_you_mean(name, tags))
    reader = _Reader(dialect, mistakes, tuple(tags[name] for name in header_order if name in tags))
    examples_by_message = root.mapping("examples")
    messages = {message.name: message for message in dialect.messages}
    examples = {}
    for name in examples_by_message:
        if name not in messages:
            mistakes.add(
                examples_by_message.at(name), f"there is no message `{name}`", did_you_mean(name, messages)
            )
        else:
            examples[name] = list(reader.examples(messages[name], examples_by_message.entries[name]))
    # Every message has an example on its page and in the log.
    for name in messages.keys() - examples.keys():
        mistakes.add(Location(path.as_posix(), 1), f"message `{name}` has no example", "add one")
    mistakes.raise_any()
    return _format_examples(examples)


def run(examples: Mapping[str, list[Example]]) -> dict[str, list[Example]]:
    """Run every example with the library of this repository; return them with their wire format.

    Raises:
        SpecError: an example fails, violates the dialect's rules, or does not round-trip.
    """
    # In one process: importing the library takes longer than all examples.
    payload = [attrs.asdict(example) for listed in examples.values() for example in listed]
    result = subprocess.run(  # noqa: S603 - our own interpreter and our own sources
        [sys.executable, str(_RUNNER)],
        input=json.dumps(payload),
        capture_output=True,
        text=True,
        check=False,
        # The library as just generated, rather than an installed one.
        env={**os.environ, "PYTHONPATH": str(_SOURCES)},
    )
    mistakes = Mistakes()
    if result.returncode:
        lines = result.stderr.strip().splitlines()
        what = f"the examples do not run: {lines[-1] if lines else ''}"
        mistakes.fail(Location(FILE, 1), what, "correct the example")
    outcomes = iter(json.loads(result.stdout))
    with_wire: dict[str, list[Example]] = {}
    for name, listed in examples.items():
        for example in listed:
            outcome = next(outcomes)
            if "fault" in outcome:
                mistakes.add(
                    example.location,
                    f"the example of {name} fails: {outcome['fault']}",
                    "correct it",
                )
            with_wire.setdefault(name, []).append(attrs.evolve(example, wire=outcome.get("wire", "")))
    mistakes.raise_any()
    return with_wire


def log(examples: Mapping[str, list[Example]]) -> str:
    """Return the examples as a log, one line each: session type, direction, message."""
    lines = [
        f"{example.session} {'->' if example.sender == 'client' else '<-'} {example.wire}\n"
        for listed in examples.values()
        for example in listed
    ]
    return "".join(lines)


@attrs.define
class _Reader:
    """Converter from YAML to Python source."""

    dialect: Dialect
    mistakes: Mistakes
    venue_header: tuple[int, ...]

    def examples(self, message: Message, node: Node) -> Iterator[Example]:
        sessions = {session.name: session for session in self.dialect.session_types}
        for item in node.items if isinstance(node, Seq) else ():
            if not isinstance(item, Map):
                continue
            name = text(item, "session")
            if name not in sessions:
                what = f"there is no session type `{name}`"
                self.mistakes.add(item.at("session"), what, did_you_mean(name, sessions))
                continue
            products = sessions[name].products or ("",)
            imported: set[str] = {message.name}
            call = self._call(message.name, message.members, item.mapping("fields"), imported)
            classes = sorted(each for each in imported if each[0].isupper())
            source = f"from {LIBRARY} import {', '.join(classes)}\n\nmessage = {call}\n"
            # Class names are capitalized; datetime, date and time are not.
            times = sorted(each for each in imported if each[0].islower())
            if times:
                source = (
                    f"from datetime import {', '.join(['UTC'] * ('datetime' in times) + times)}\n\n{source}"
                )
            product = text(item, "product", products[0])
            sender = text(item, "sender")
            header = self.venue_header if sender == "venue" else ()
            yield Example(message.name, product, name, sender, source, item.location, header)

    def _call(self, class_name: str, members: tuple[Member, ...], fields: Map, imported: set[str]) -> str:
        """Return the source of a constructor call; add the names that it uses to `imported`."""
        members_by_name = {member.field.name: member for member in members}
        arguments = []
        for name in fields:
            if name not in members_by_name:
                problem = f"{class_name} has no field `{name}`"
                self.mistakes.add(fields.at(name), problem, did_you_mean(name, members_by_name))
                continue
            member, node = members_by_name[name], fields.entries[name]
            if member.group is not None:
                group = member.group
                imported.add(group.entry_class)
                entries = [
                    self._call(group.entry_class, group.members, item, imported)
                    for item in (node.items if isinstance(node, Seq) else ())
                    if isinstance(item, Map)
                ]
                arguments.append(f"{member.attribute}=[{', '.join(entries)}]")
            elif isinstance(node, Scalar):
                value = self._value(member.field, node.text, node.location, imported)
                arguments.append(f"{member.attribute}={value}")
        return f"{class_name}({', '.join(arguments)})"

    def _value(self, field: Field, value: str, location: Location, imported: set[str]) -> str:
        if field.codeset is not None:
            for code in field.codeset.codes:
                if code.name == value:
                    imported.add(field.codeset.name)
                    return f"{field.codeset.name}.{code.constant}"
            if not field.codeset.open:
                names = [code.name for code in field.codeset.codes]
                self.mistakes.add(
                    location, f"`{value}` is not a code of {field.name}", did_you_mean(value, names)
                )
        kind = field.datatype.kind
        if kind in INTEGER_KINDS:
            return value
        if kind == "BOOLEAN":
            return str(value == "Y")
        if kind == "DATA":
            return repr(value.encode())
        if kind in _TIMES:
            return self._time_value(kind, value, location, imported)
        return json.dumps(value)

    def _time_value(self, kind: str, value: str, location: Location, imported: set[str]) -> str:
        pattern, function = _TIMES[kind]
        match = pattern.fullmatch(value)
        if match is None:
            self.mistakes.add(location, f"`{value}` is not a {kind}", "write it in wire format")
            return value
        imported.add(function)
        parts = [int(part) for part in match.groups() if part is not None]
        # `lastindex` is the last group that matched: the fraction, if there is one.
        if match.lastindex == pattern.groups and kind != "UTCDATEONLY":
            # A FIX fraction has three or six digits; Python counts microseconds.
            parts[-1] *= 10 ** (6 - len(match.group(pattern.groups)))
        zone = ["UTC"] if function == "datetime" else []
        return f"{function}({', '.join([*map(str, parts), *zone])})"


def _format_examples(examples: Mapping[str, list[Example]]) -> dict[str, list[Example]]:
    sources = {
        f"{name}_{number}.py": example.source
        for name, listed in examples.items()
        for number, example in enumerate(listed)
    }
    formatted = format_sources(sources)
    return {
        name: [
            attrs.evolve(example, source=formatted[f"{name}_{number}.py"].strip())
            for number, example in enumerate(listed)
        ]
        for name, listed in examples.items()
    }
