"""What users of the generated classes rely on, as data; and what of it a revision breaks.

`released.json` is the API of the last release. `python -m codegen api` compares the spec with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from codegen.emit.classes import always_required, attributes_of
from codegen.emit.kinds import annotation_of
from codegen.model import Dialect, Member

RELEASED = Path(__file__).with_name("released.json")
Api = dict[str, Any]


@attrs.frozen
class Difference:
    """One difference between two versions of the API."""

    what: str
    breaking: bool
    """Whether a program that worked before may stop to."""

    def __str__(self) -> str:
        return f"{'BREAKING' if self.breaking else 'compatible'}: {self.what}"


def describe(dialect: Dialect) -> Api:
    """Return the API: classes with their attributes, enums with their members, session types."""
    classes = {message.name: _attributes(message.members) for message in dialect.messages}
    classes |= {group.entry_class: _attributes(group.members) for group in dialect.groups}
    classes["Header"] = _attributes(dialect.header)
    return {
        "version": dialect.version,
        "classes": classes,
        "msg_types": {message.name: message.msg_type for message in dialect.messages},
        "enums": {
            codeset.name: {code.constant: code.value for code in codeset.codes}
            for codeset in dialect.codesets
        },
        "sessions": sorted(session.name for session in dialect.session_types),
    }


def _attributes(members: tuple[Member, ...]) -> dict[str, dict[str, Any]]:
    return {
        member.attribute: {
            "type": f"list[{member.group.entry_class}]" if member.group else annotation_of(member.field),
            "tag": member.field.tag,
            "required": always_required(member) and member.group is None,
        }
        for member in attributes_of(members)
    }


def read(path: Path) -> Api:
    """Read an API that `text` has written."""
    found: Api = json.loads(path.read_text(encoding="utf-8"))
    return found


def text(api: Api) -> str:
    """Return an API as the text of a file."""
    return json.dumps(api, indent=1, sort_keys=True) + "\n"


def compare(old: Api, new: Api) -> list[Difference]:
    """Return every difference, breaking ones first."""
    found = [*_classes(old["classes"], new["classes"]), *_values(old, new)]
    return sorted(found, key=lambda difference: not difference.breaking)


def _classes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    for name in old.keys() - new.keys():
        yield Difference(f"class {name} is gone", breaking=True)
    for name in new.keys() - old.keys():
        yield Difference(f"class {name} is new", breaking=False)
    for name in sorted(old.keys() & new.keys()):
        yield from _class(name, old[name], new[name])


def _class(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    renamed = {about["tag"]: attribute for attribute, about in new.items()}
    for attribute in old.keys() - new.keys():
        now = renamed.get(old[attribute]["tag"])
        became = f"has become {name}.{now}" if now is not None and now not in old else "is gone"
        yield Difference(f"{name}.{attribute} {became}", breaking=True)
    known = {about["tag"] for attribute, about in old.items() if attribute not in new}
    for attribute in sorted(new.keys() - old.keys()):
        if new[attribute]["tag"] in known and not new[attribute]["required"]:
            continue  # told above, as what another has become
        required = new[attribute]["required"]
        how = "is new and required" if required else "is new"
        yield Difference(f"{name}.{attribute} {how}", breaking=required)
    for attribute in sorted(old.keys() & new.keys()):
        before, after = old[attribute], new[attribute]
        label = f"{name}.{attribute}"
        if before["type"] != after["type"]:
            change = f"{label} is {after['type']}, and was {before['type']}"
            yield Difference(change, breaking=True)
        if before["tag"] != after["tag"]:
            yield Difference(f"{label} is tag {after['tag']}, and was {before['tag']}", breaking=False)
        if before["required"] != after["required"]:
            # What may be left out may also be None when it is read.
            now = "required" if after["required"] else "optional, so it may be None"
            yield Difference(f"{label} is now {now}", breaking=True)


def _values(old: Api, new: Api) -> Iterator[Difference]:
    for name, codes in old["enums"].items():
        if name not in new["enums"]:
            yield Difference(f"enum {name} is gone", breaking=True)
            continue
        for constant, value in codes.items():
            now = new["enums"][name].get(constant)
            if now is None:
                yield Difference(f"{name}.{constant} is gone", breaking=True)
            elif now != value:
                yield Difference(f"{name}.{constant} is {now!r}, and was {value!r}", breaking=True)
    for name, codes in new["enums"].items():
        if name not in old["enums"]:
            yield Difference(f"enum {name} is new", breaking=False)
        else:
            for constant in codes.keys() - old["enums"][name].keys():
                yield Difference(f"{name}.{constant} is new", breaking=False)
    for name, msg_type in old["msg_types"].items():
        now = new["msg_types"].get(name, msg_type)
        if now != msg_type:
            yield Difference(f"{name} is MsgType {now}, and was {msg_type}", breaking=True)
    for name in sorted(set(old["sessions"]) - set(new["sessions"])):
        yield Difference(f"session type {name} is gone", breaking=True)
    for name in sorted(set(new["sessions"]) - set(old["sessions"])):
        yield Difference(f"session type {name} is new", breaking=False)
