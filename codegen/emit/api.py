"""The public API of the generated classes as data, and the breaking changes of a revision.

`released.json` is the API of the last release. `python -m codegen api` compares the spec with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import attrs

from codegen import prose
from codegen.emit.classes import (
    LOGON_FIELDS,
    always_required,
    attributes_of,
    logon_fields,
    value_unless_given,
)
from codegen.emit.kinds import annotation_of
from codegen.model import Dialect, Member
from codegen.naming import texts_class

# Committed; `python -m codegen api --release` writes it when a release is made.
RELEASED = Path(__file__).with_name("released.json")
Api = dict[str, Any]


Breaks = Literal["wire", "source", "typing", "venue"]
EFFECTS: Mapping[Breaks, str] = {
    "wire": "logs, stores and peers of the other version are read differently",
    "source": "a program that uses it, or omits it, fails",
    "typing": "a program runs as before; its type checker may complain",
    "venue": "a program runs as before; the venue accepts or sends something else",
}
"""Effect of each kind of break."""


@attrs.frozen
class Difference:
    """A difference between two versions of the API."""

    what: str
    breaks: Breaks
    """Kind of break, see `EFFECTS`."""
    breaking: bool
    """Whether working code may stop working."""

    def __str__(self) -> str:
        return f"{'BREAKING' if self.breaking else 'compatible'} {self.breaks}: {self.what}"


def describe(dialect: Dialect) -> Api:
    """Return the API: classes with their attributes, enums, session types, and rules."""
    blocks = {message.name: message.members for message in dialect.messages}
    blocks |= {group.entry_class: group.members for group in dialect.groups}
    # Without the trailer: only the codec writes and reads it.
    blocks["Header"] = dialect.header
    if dialect.logon is not None:
        blocks[LOGON_FIELDS] = logon_fields(dialect.logon)
    enums = {each.name: {code.constant: code.value for code in each.codes} for each in dialect.codesets}
    for text in dialect.texts:
        enums.setdefault(texts_class(text.message.name), {})[text.constant] = text.value
    one_of = {message.name: message.one_of for message in dialect.messages}
    one_of |= {group.entry_class: group.one_of for group in dialect.groups}
    return {
        "version": dialect.version,
        "classes": {name: _attributes(members, dialect.product_names) for name, members in blocks.items()},
        "constructors": {
            message.name: sorted(each.name for each in message.constructors)
            for message in dialect.messages
            if message.constructors
        },
        "msg_types": {message.name: message.msg_type for message in dialect.messages},
        "enums": enums,
        "flows": {
            message.name: [prose.scope_text(flow) for flow in message.flows] for message in dialect.messages
        },
        "rules": {
            name: [prose.one_of_text(rule) for rule in listed] for name, listed in one_of.items() if listed
        },
        "sessions": {
            session.name: {
                "products": list(session.products),
                "port": session.port,
                "resend": session.resend,
                "reset_required": session.reset_required,
            }
            for session in dialect.session_types
        },
    }


def _attributes(members: tuple[Member, ...], products: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    siblings = {member.field.name: member.field for member in members}
    return {
        member.attribute: {
            "type": f"list[{member.group.entry_class}]" if member.group else annotation_of(member.field),
            "tag": member.field.tag,
            "required": always_required(member)
            and member.group is None
            and value_unless_given(member) is None,
            "none": not always_required(member) and member.group is None and member.constant is None,
            # Rules as sentences: they change with every change of a rule, and are readable in a report.
            "rules": " ".join(
                filter(
                    None,
                    (
                        prose.presence_text(member, siblings, products),
                        prose.limits_text(member.field, member.limits),
                    ),
                )
            ),
        }
        for member in attributes_of(members)
    }


def read(path: Path) -> Api:
    """Read an API written by `text`."""
    found: Api = json.loads(path.read_text(encoding="utf-8"))
    return found


def text(api: Api) -> str:
    """Return an API as the content of a file."""
    return json.dumps(api, indent=1, sort_keys=True) + "\n"


def compare(old: Api, new: Api) -> list[Difference]:
    """Return all differences, breaking ones first, then in the order of `EFFECTS`."""
    found = [*_classes(old["classes"], new["classes"]), *_values(old, new), *_uses(old, new)]
    order = list(EFFECTS)
    return sorted(found, key=lambda each: (not each.breaking, order.index(each.breaks)))


def _classes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    yield from _removed_and_added("class", old, new)
    for name in sorted(old.keys() & new.keys()):
        yield from _class(name, old[name], new[name])


def _removed_and_added(what: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    for name in sorted(old.keys() - new.keys()):
        yield Difference(f"{what} {name} is gone", "source", breaking=True)
    for name in sorted(new.keys() - old.keys()):
        yield Difference(f"{what} {name} is new", "source", breaking=False)


def _class(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    # A tag with another attribute name has been renamed.
    renamed = {about["tag"]: attribute for attribute, about in new.items()}
    for attribute in sorted(old.keys() - new.keys()):
        now = renamed.get(old[attribute]["tag"])
        became = f"has become {name}.{now}" if now is not None and now not in old else "is gone"
        yield Difference(f"{name}.{attribute} {became}", "source", breaking=True)
    known = {about["tag"] for attribute, about in old.items() if attribute not in new}
    for attribute in sorted(new.keys() - old.keys()):
        if new[attribute]["tag"] in known and not new[attribute]["required"]:
            continue  # reported above as a renamed attribute
        required = new[attribute]["required"]
        how = "is new and required" if required else "is new"
        yield Difference(f"{name}.{attribute} {how}", "source", breaking=required)
    for attribute in sorted(old.keys() & new.keys()):
        yield from _attribute(f"{name}.{attribute}", old[attribute], new[attribute])


def _attribute(label: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    if old["type"] != new["type"]:
        # A widened type still accepts all previous values.
        widened = set(old["type"].split(" | ")) <= set(new["type"].split(" | "))
        yield Difference(
            f"{label} is {new['type']}, and was {old['type']}",
            "typing" if widened else "source",
            breaking=True,
        )
    if old["tag"] != new["tag"]:
        yield Difference(f"{label} is tag {new['tag']}, and was {old['tag']}", "wire", breaking=True)
    if new["required"] != old["required"]:
        now = "must be given" if new["required"] else "may be left out"
        yield Difference(f"{label} {now}", "source", breaking=new["required"])
    # A type checker requires a test against None that was not needed before.
    if new["none"] != old["none"]:
        now = "may be None" if new["none"] else "is never None"
        yield Difference(f"{label} {now}", "typing", breaking=new["none"])
    if new["rules"] != old["rules"]:
        before, after = old["rules"] or "no rule", new["rules"] or "no rule"
        yield Difference(f"{label} is now: {after} Before: {before}", "venue", breaking=True)


def _values(old: Api, new: Api) -> Iterator[Difference]:
    for name, codes in old["enums"].items():
        if name not in new["enums"]:
            yield Difference(f"enum {name} is gone", "source", breaking=True)
            continue
        for constant, value in codes.items():
            now = new["enums"][name].get(constant)
            if now is None:
                yield Difference(f"{name}.{constant} is gone", "source", breaking=True)
            elif now != value:
                yield Difference(f"{name}.{constant} is {now!r}, and was {value!r}", "wire", breaking=True)
    for name, codes in new["enums"].items():
        if name not in old["enums"]:
            yield Difference(f"enum {name} is new", "source", breaking=False)
        else:
            for constant in sorted(codes.keys() - old["enums"][name].keys()):
                # Code that lists every member of the enum is incomplete now.
                yield Difference(f"{name}.{constant} is new", "typing", breaking=False)
    for name, msg_type in old["msg_types"].items():
        now = new["msg_types"].get(name, msg_type)
        if now != msg_type:
            yield Difference(f"{name} is MsgType {now}, and was {msg_type}", "wire", breaking=True)


def _uses(old: Api, new: Api) -> Iterator[Difference]:
    """Yield differences in flows, rules, constructors and session types."""
    for name, made in old["constructors"].items():
        for gone in sorted(set(made) - set(new["constructors"].get(name, ()))):
            yield Difference(f"{name}.{gone}() is gone", "source", breaking=True)
    for name, made in new["constructors"].items():
        for more in sorted(set(made) - set(old["constructors"].get(name, ()))):
            yield Difference(f"{name}.{more}() is new", "source", breaking=False)
    for what in ("flows", "rules"):
        for name in sorted(old["classes"].keys() & new["classes"].keys()):
            before, after = old[what].get(name, []), new[what].get(name, [])
            for each in (each for each in before if each not in after):
                change = f"is no longer sent {each}" if what == "flows" else f"no longer has the rule: {each}"
                yield Difference(f"{name} {change}", "venue", breaking=what == "flows")
            for each in (each for each in after if each not in before):
                change = f"is sent {each}" if what == "flows" else f"has a new rule: {each}"
                yield Difference(f"{name} {change}", "venue", breaking=what == "rules")
    before, after = old["sessions"], new["sessions"]
    yield from _removed_and_added("session type", before, after)
    for name in sorted(before.keys() & after.keys()):
        for setting, value in before[name].items():
            now = after[name][setting]
            if now != value:
                what = f"session type {name}: {setting} is {now!r}, and was {value!r}"
                yield Difference(what, "venue", breaking=True)
