"""Describe the public API of a dialect as data, and compare two versions of it.

`released.json` of a spec folder is the API of its last release. `python -m codegen api` compares the spec
with it, or with the spec of any commit.
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
from codegen.emit.limits import limit_type
from codegen.model import Dialect, Field, KnownText, Member, VenueLimit
from codegen.naming import texts_class

RELEASED = "released.json"
"""File of a spec folder with the API of its last release; `python -m codegen api --release` writes it."""
Api = dict[str, Any]
_SECTIONS = ("classes", "constructors", "msg_types", "enums", "flows", "rules")
"""Sections of an API that contain no settings."""

BreakKind = Literal["wire", "source", "typing", "venue"]
EFFECTS: Mapping[BreakKind, str] = {
    "wire": "logs, stores and messages of the other version are read differently",
    "source": "a program fails if it uses a removed name, or omits a required argument",
    "typing": "a program runs as before; its type checker may complain",
    "venue": "a program runs as before; the venue accepts or sends something else",
}
"""Effect of each kind of break."""

# Sections of an API that contain settings by name. Each has a label for its names, and the kind of break that
# a removed name causes; None if another section reports removed names.
_SETTINGS: Mapping[str, tuple[str, BreakKind | None]] = {
    "products": ("product", "source"),
    "sessions": ("session type", "source"),
    "hosts": ("host", "venue"),
    "limits": ("limit", "source"),
    "refusals": ("refused logon", "source"),
    "texts": ("text", None),
}
# Attributes of a session type that the API contains under the same names.
_SESSION_SETTINGS = (
    *("products", "port", "host_role", "comp_ids", "resend", "reset_required", "max_message_size"),
    *("requests_per_second", "symbols_per_request", "subscriptions", "past_reports_hours", "retention_hours"),
)


class ApiError(Exception):
    """An API file cannot be used; the text contains the file and the remedy."""


@attrs.frozen
class Difference:
    """A difference between two versions of the API."""

    what: str
    breaks: BreakKind
    """Kind of break; see `EFFECTS`."""
    breaking: bool
    """Whether working code may stop working."""

    def __str__(self) -> str:
        return f"{'BREAKING' if self.breaking else 'compatible'} {self.breaks}: {self.what}"


def describe(dialect: Dialect) -> Api:
    """Return the API: classes with their attributes, enums, rules, session types, hosts and limits."""
    blocks = {message.name: message.members for message in dialect.messages}
    blocks |= {group.entry_class: group.members for group in dialect.groups}
    # The trailer is left out, because only the codec writes and reads it.
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
        "products": {each.name: {"env_prefix": each.env_prefix} for each in dialect.products},
        "sessions": {
            session.name: {name: _as_json(getattr(session, name)) for name in _SESSION_SETTINGS}
            for session in dialect.session_types
        },
        "hosts": {
            f"{each.environment} {each.product} {each.role}": {"name": each.host}
            for each in dialect.endpoints
        },
        "limits": {each.constant: _limit(each) for each in dialect.limits},
        "refusals": {
            each.name: {"pattern": each.pattern, "resolution": each.resolution} for each in dialect.refusals
        },
        "texts": {
            f"{texts_class(each.message.name)}.{each.constant}": _meaning(each) for each in dialect.texts
        },
    }


def _as_json(value: Any) -> Any:
    """Return a value in its JSON form: a tuple becomes a list."""
    return list(value) if isinstance(value, tuple) else value


def _limit(limit: VenueLimit) -> dict[str, Any]:
    numbers = {key or "value": number for key, number in limit.values}
    return {**numbers, "type": limit_type(limit), "unit": limit.unit}


def _meaning(text: KnownText) -> dict[str, Any]:
    code = text.code.constant if text.code is not None else None
    return {"field": text.field.name if text.field is not None else None, "code": code}


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
            "unit": member.field.unit,
            "default": member.default,
            # Sentences, because every change to a rule changes its sentence, and a report can quote them.
            "rules": _rules(member, siblings, products),
        }
        for member in attributes_of(members)
    }


def _rules(member: Member, siblings: Mapping[str, Field], products: tuple[str, ...]) -> str:
    presence = prose.presence_text(member, siblings, products)
    limits = prose.limits_text(member.field, member.limits)
    count = prose.count_text(member.group) if member.group else ""
    return " ".join(filter(None, (presence, limits, count)))


def read(path: Path) -> Api:
    """Read an API written by `text`.

    Raises:
        ApiError: there is no such file, it is not an API, or the API lacks a section.
    """
    try:
        api: Api = json.loads(path.read_text(encoding="utf-8"))
        missing = sorted({*_SECTIONS, *_SETTINGS} - api.keys())
    except FileNotFoundError:
        advice = "record one with `--release`, or pass a commit with `--against`"
        raise ApiError(f"{path}: no released API has been recorded; {advice}") from None
    except (ValueError, AttributeError):
        raise ApiError(f"{path} does not contain an API; write one with `--release`") from None
    if missing:
        advice = "pass the commit of the release with `--against`"
        raise ApiError(f"{path} lacks {', '.join(missing)}; {advice}")
    return api


def text(api: Api) -> str:
    """Return an API as the content of a file, which `read` reads."""
    return json.dumps(api, indent=1, sort_keys=True) + "\n"


def compare(old: Api, new: Api) -> list[Difference]:
    """Return all differences, breaking ones first, then in the order of `EFFECTS`."""
    differences = [
        *_classes(old["classes"], new["classes"]),
        *_values(old, new),
        *_flows_rules_and_constructors(old, new),
    ]
    for section, (label, breaks) in _SETTINGS.items():
        differences += _settings(label, breaks, old[section], new[section])
    # LogonFields repeats fields of the Logon message; their differences are reported only for the message.
    repeated = {f"{LOGON_FIELDS}{each.what.removeprefix('Logon')}" for each in differences}
    differences = [each for each in differences if each.what not in repeated]
    order = list(EFFECTS)
    return sorted(differences, key=lambda each: (not each.breaking, order.index(each.breaks)))


def _classes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    yield from _removed_and_added("class", old, new)
    for name in sorted(old.keys() & new.keys()):
        yield from _class(name, old[name], new[name])


def _removed_and_added(
    label: str, old: Mapping[str, Any], new: Mapping[str, Any], breaks: BreakKind = "source"
) -> Iterator[Difference]:
    for name in sorted(old.keys() - new.keys()):
        yield Difference(f"{label} {name} is gone", breaks, breaking=True)
    for name in sorted(new.keys() - old.keys()):
        yield Difference(f"{label} {name} is new", breaks, breaking=False)


def _settings(
    label: str, breaks: BreakKind | None, old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[Difference]:
    """Yield differences in a section of settings by name."""
    if breaks is not None:
        yield from _removed_and_added(label, old, new, breaks)
    for name in sorted(old.keys() & new.keys()):
        yield from _removed_and_added(f"{label} {name}:", old[name], new[name])
        for setting in sorted(old[name].keys() & new[name].keys()):
            before, after = old[name][setting], new[name][setting]
            if before != after:
                what = f"{label} {name}: {setting} is {_value_text(after)}, was {_value_text(before)}"
                # `type` is the type of the generated constant, which programs use.
                yield Difference(what, "source" if setting == "type" else "venue", breaking=True)


def _value_text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    return "not set" if value is None else str(value)


def _class(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    # An attribute whose tag now belongs to a new attribute has been renamed.
    added = {new[attribute]["tag"]: attribute for attribute in new.keys() - old.keys()}
    for attribute in sorted(old.keys() - new.keys()):
        new_name = added.pop(old[attribute]["tag"], None)
        change = f"has become {name}.{new_name}" if new_name else "is gone"
        yield Difference(f"{name}.{attribute} {change}", "source", breaking=True)
        if new_name:
            yield from _attribute(f"{name}.{new_name}", old[attribute], new[new_name])
    for attribute in sorted(added.values()):
        required = new[attribute]["required"]
        change = "is new and required" if required else "is new"
        yield Difference(f"{name}.{attribute} {change}", "source", breaking=required)
    for attribute in sorted(old.keys() & new.keys()):
        yield from _attribute(f"{name}.{attribute}", old[attribute], new[attribute])


def _attribute(label: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    if old["type"] != new["type"]:
        # A widened type still accepts all previous values.
        widened = set(old["type"].split(" | ")) <= set(new["type"].split(" | "))
        breaks: BreakKind = "typing" if widened else "source"
        yield Difference(f"{label} is {new['type']}, was {old['type']}", breaks, breaking=True)
    if old["tag"] != new["tag"]:
        yield Difference(f"{label} is tag {new['tag']}, was {old['tag']}", "wire", breaking=True)
    if new["required"] != old["required"]:
        now = "must be given" if new["required"] else "may be left out"
        yield Difference(f"{label} {now}", "source", breaking=new["required"])
    # A type checker requires a test against None that was not needed before.
    if new["none"] != old["none"]:
        now = "can be None" if new["none"] else "is never None"
        yield Difference(f"{label} {now}", "typing", breaking=new["none"])
    if new["rules"] != old["rules"]:
        before, after = old["rules"] or "no rule", new["rules"] or "no rule"
        yield Difference(f"{label} is now: {after} Before: {before}", "venue", breaking=True)
    for setting in ("unit", "default"):
        if new[setting] != old[setting]:
            what = f"{label}: {setting} is {_value_text(new[setting])}, was {_value_text(old[setting])}"
            yield Difference(what, "venue", breaking=True)


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
                yield Difference(f"{name}.{constant} is {now!r}, was {value!r}", "wire", breaking=True)
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
            yield Difference(f"{name} is MsgType {now}, was {msg_type}", "wire", breaking=True)


def _flows_rules_and_constructors(old: Api, new: Api) -> Iterator[Difference]:
    """Yield differences in flows, rules and constructors."""
    for name, constructors in old["constructors"].items():
        for removed in sorted(set(constructors) - set(new["constructors"].get(name, ()))):
            yield Difference(f"{name}.{removed}() is gone", "source", breaking=True)
    for name, constructors in new["constructors"].items():
        for added in sorted(set(constructors) - set(old["constructors"].get(name, ()))):
            yield Difference(f"{name}.{added}() is new", "source", breaking=False)
    for section in ("flows", "rules"):
        for name in sorted(old["classes"].keys() & new["classes"].keys()):
            before, after = old[section].get(name, []), new[section].get(name, [])
            for removed in before:
                if removed in after:
                    continue
                change = (
                    f"is no longer sent {removed}"
                    if section == "flows"
                    else f"no longer has the rule: {removed}"
                )
                yield Difference(f"{name} {change}", "venue", breaking=section == "flows")
            for added in after:
                if added in before:
                    continue
                change = f"is now sent {added}" if section == "flows" else f"has a new rule: {added}"
                yield Difference(f"{name} {change}", "venue", breaking=section == "rules")
