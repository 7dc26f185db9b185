"""Views of the encoders: straight-line functions from an instance to `tag=value SOH` text."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby

import attrs

from codegen.emit import kinds
from codegen.emit.classes import CODEC_TAGS, always_required, attributes_of
from codegen.emit.docstrings import WIDTH
from codegen.emit.imports import Imports
from codegen.model import Group, Member
from codegen.naming import snake_case


@attrs.frozen
class EncoderView:
    """One function; `lines` are its body's statements, without the function's own indentation."""

    function: str
    cls: str
    parameter: str
    title: str
    lines: tuple[str, ...]


def encoder_name(cls: str) -> str:
    """Return the name of the function that encodes instances of a class."""
    return f"encode_{snake_case(cls)}"


def encoder_view(
    cls: str,
    parameter: str,
    title: str,
    members: tuple[Member, ...],
    imports: Imports,
    package: str,
    tags: Mapping[str, int],
    *,
    in_groups: bool = False,
) -> EncoderView:
    """Return the encoder of a class with these members.

    `tags` has the tag of every field of the dialect by its FIX name. With `in_groups` the function stands in
    the module of the entries' encoders itself.
    """
    written = [member for member in attributes_of(members) if member.field.tag not in CODEC_TAGS]
    body = _Body(parameter, imports, package, tags, in_groups)
    for required, run in groupby(written, key=_is_plain_required):
        if required:
            body.required(list(run))
            continue
        for member in run:
            if member.group:
                body.group(member, member.group)
            else:
                body.optional(member)
    return EncoderView(encoder_name(cls), cls, parameter, title, tuple(body.finished()))


def _is_plain_required(member: Member) -> bool:
    if member.group or member.field.length_field:
        return False
    return always_required(member) or member.presence == "constant"


def _commented(line: str, name: str) -> str:
    """Return a line with the name of its field behind it, where there is room."""
    commented = f"{line}  # {name}"
    return commented if len(commented) + 4 <= WIDTH else line


@attrs.define
class _Body:
    """The statements of one encoder, as they grow."""

    parameter: str
    imports: Imports
    package: str
    tags: Mapping[str, int]
    in_groups: bool
    lines: list[str] = attrs.field(factory=list)
    has_group: bool = False

    def required(self, members: list[Member]) -> None:
        """Add a run of fields that are always there, as one f-string."""
        lines = (_commented(f"    {self._field(member)}", member.field.name) for member in members)
        # The comment keeps the parentheses, and with them each field its line, also around a single one.
        self.lines += [f"{self._assign()} (  # required", *lines, ")"]

    def optional(self, member: Member) -> None:
        """Add a field that may be None, or a data field with its length."""
        start = self._start()
        attribute = f"{self.parameter}.{member.attribute}"
        inner = []
        if member.field.length_field:
            inner.append(f"{member.attribute} = {self._formatted(member)}")
            length = f'f"{self.tags[member.field.length_field]}={{len({member.attribute})}}\\x01"'
            inner += [
                "text += (",
                f"    {length}  # {member.field.length_field}",
                f"    {self._piece(member, member.attribute)}  # {member.field.name}",
                ")",
            ]
        else:
            inner.append(f"text += {self._field(member)}")
        self.lines += [*start, f"if {attribute} is not None:", *(f"    {line}" for line in inner)]

    def group(self, member: Member, group: Group) -> None:
        """Add a group: its counter, then entry by entry."""
        start = self._start()
        attribute = f"{self.parameter}.{member.attribute}"
        entry = encoder_name(group.entry_class)
        if not self.in_groups:
            self.imports.name(f"{self.package}.encoders.groups", entry)
        each = snake_case(group.entry_class)
        if not self.has_group:
            self.imports.fixed("kalshi_fix_sansio.support", "format_unknown")
            start.append(
                f'unknown = format_unknown({self.parameter}.unknown) if {self.parameter}.unknown else ""'
            )
            self.has_group = True
        counter = f'f"{member.field.tag}={{len({attribute})}}\\x01"'
        loop = [f"for {each} in {attribute}:", f"    text += {entry}({each})"]
        self.lines += start
        if always_required(member):
            # Behind a group without entries some of them would be read as its first entry.
            self.lines += [f"text += unknown + {counter}  # {member.field.name}", 'unknown = ""', *loop]
        else:
            self.lines += [
                f"if {attribute}:",
                f"    text += unknown + {counter}  # {member.field.name}",
                '    unknown = ""',
                *(f"    {line}" for line in loop),
            ]

    def finished(self) -> list[str]:
        """Return the statements with the return at the end."""
        lines = self.lines + self._start()
        if self.has_group:
            return [*lines, "return text + unknown"]
        self.imports.fixed("kalshi_fix_sansio.support", "format_unknown")
        return [
            *lines,
            f"if {self.parameter}.unknown:",
            f"    text += format_unknown({self.parameter}.unknown)",
            "return text",
        ]

    def _start(self) -> list[str]:
        return [] if self.lines else ['text = ""']

    def _assign(self) -> str:
        return "text +=" if self.lines else "text ="

    def _field(self, member: Member) -> str:
        return self._piece(member, self._formatted(member))

    def _formatted(self, member: Member) -> str:
        formatter = kinds.kind_of(member.field).formatter
        self.imports.name("kalshi_fix_sansio.scalars", formatter)
        return f"{formatter}({self.parameter}.{member.attribute})"

    def _piece(self, member: Member, value: str) -> str:
        return f'f"{member.field.tag}={{{value}}}\\x01"'
