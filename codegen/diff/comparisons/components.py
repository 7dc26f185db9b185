"""Compares the components of a dictionary that none of its messages uses, with the spec's groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from codegen import model
from codegen.diff.facts import MemberSaid
from codegen.diff.findings import DIFFERENT, GONE, NEW, Edit, Evidence, Finding

PREFIX = "component "
"""What stands before a component's name in the block of its members."""


def compare(evidence: Evidence, said: Sequence[MemberSaid]) -> Iterator[Finding]:
    """Which fields its groups have, at what depth, and which of them are required.

    A component changes nothing until a message uses it; but a venue that revises one means it.
    """
    name = said[0].block.removeprefix(PREFIX)
    groups = evidence.spec.dialect.groups
    if name not in evidence.spec.source.sections["components"] and name not in {
        group.name for group in groups
    }:
        yield _finding(evidence, said[0], name, "", "present", "is there, which the spec does not know")
    # The fields outside of groups are compared nowhere: the spec has no members of a component apart
    # from messages.
    for counter in (each for each in said if each.path == () and each.counts):
        fitting = [group for group in groups if _counter(group, evidence) == counter.tag]
        # By name, else any group with that counter: QuickFIX has names of its own for components.
        same = [group for group in fitting if group.name == name] or fitting
        if not same:
            text = f"has a group by {counter.name}, which no message of the spec has"
            yield _finding(evidence, counter, name, counter.name, "present", text)
        else:
            inner = [each for each in said if (each.path or ())[:1] == (counter.tag,)]
            # Whether a group must be there is each message's to say.
            if counter.required == "Y":
                text = f"requires {counter.name}, which the spec leaves to the messages"
                yield _finding(evidence, counter, name, counter.name, "required", text)
            yield from _group(evidence, counter, name, same[0], inner, (counter.tag,))


def _counter(group: model.Group, evidence: Evidence) -> int:
    """The tag of a group's counter, which the model keeps where the group is used."""
    for message in evidence.spec.messages:
        for placed in evidence.spec.members(message):
            if placed.member.group is group:
                return placed.field.tag
    return 0


def _group(
    evidence: Evidence,
    counter: MemberSaid,
    name: str,
    group: model.Group,
    said: Sequence[MemberSaid],
    path: tuple[int, ...],
) -> Iterator[Finding]:
    rows = {each.tag: each for each in said if each.path == path}
    members = {member.field.tag: member for member in group.members}
    for tag, row in rows.items():
        member = members.get(tag)
        if member is None:
            text = f"has {tag} {row.name}, which the spec's {group.name} has not"
            yield _finding(evidence, row, name, row.name, "present", text)
            continue
        required = member.presence == "required"
        if (row.required == "Y") != required:
            word = "required" if row.required == "Y" else "optional"
            text = f"has {row.name} as {word}, the spec's {group.name} has not"
            yield _finding(evidence, row, name, row.name, word, text)
        if member.group is not None:
            inner = [each for each in said if (each.path or ())[: len(path) + 1] == (*path, tag)]
            yield from _group(evidence, row, name, member.group, inner, (*path, tag))
    for tag, member in members.items():
        if tag not in rows:
            text = f"lacks {member.field.name} of the spec's {group.name}"
            yield _finding(evidence, counter, name, member.field.name, "absent", text)


def _finding(evidence: Evidence, said: MemberSaid, name: str, field: str, word: str, text: str) -> Finding:
    kind = {"present": NEW, "absent": GONE}.get(word, DIFFERENT)
    edit = Edit(
        evidence.spec.file("components.yaml"),
        "follow it, or keep it and say why: no message of the dictionary uses the component",
    )
    address = f"component {name}.{field}" if field else f"component {name}"
    return evidence.finding(
        kind, "member", address, word, f"component {name} {text}", [said.location], [edit]
    )
