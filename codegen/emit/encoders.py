"""Views of the encoders: straight-line functions from an instance to `tag=value SOH` text.

Each function puts together, as one string, what is always there and what stands between it; what may be
absent behind that is appended. Most optional fields are absent, and cost a comparison.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import attrs

from codegen.emit import kinds
from codegen.emit.classes import CODEC_TAGS, always_required, attributes_of
from codegen.emit.docstrings import WIDTH
from codegen.emit.imports import Imports
from codegen.model import CodeSet, Group, Member
from codegen.naming import snake_case, upper_snake

_OWN_NAMES = frozenset({"checked", "data", "entry", "len", "message", "str", "text", "type"})
"""Names that the functions use: the variable for an attribute of such a name gets an underscore behind it."""


@attrs.frozen
class EncoderView:
    """One function; `lines` are its body's statements, without the function's own indentation."""

    function: str
    parameter: str
    title: str
    lines: tuple[str, ...]
    tables: tuple[tuple[str, str], ...]
    """Constants of its module: name and expression. Encoders of one module have many in common."""


def tables_of(views: Iterable[EncoderView]) -> list[tuple[str, str]]:
    """Return the constants of a module with these encoders, by name."""
    return sorted({table for view in views for table in view.tables})


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

    `tags` has the tag of every field of the dialect by its FIX name. With `in_groups` it is the class of a
    group's entries, in whose module the entries of all groups stand.
    """
    imports.fixed("kalshi_fix_sansio.support", "format_unknown")
    body = _Body(parameter, imports, package, tags, in_groups)
    if in_groups:
        imports.fixed("kalshi_fix_sansio.support", "require_entry")
        body.lines += [f"if type({parameter}) is not {cls}:", f"    require_entry({parameter}, {cls})"]
    body.write([member for member in attributes_of(members) if member.field.tag not in CODEC_TAGS])
    return EncoderView(encoder_name(cls), parameter, title, tuple(body.lines), tuple(body.tables))


def _is_always_there(member: Member) -> bool:
    if member.group or member.field.length_field:
        return False
    return always_required(member) or member.presence == "constant"


def _text_codes(member: Member) -> CodeSet | None:
    codeset = None if member.group else member.field.codeset
    return None if codeset is None or codeset.integer else codeset


def _commented(line: str, name: str) -> str:
    """Return a line with the name of its field behind it, where there is room."""
    commented = f"{line}  # {name}"
    # The line stands in parentheses in a function: twice four columns.
    return commented if len(commented) + 8 <= WIDTH else line


@attrs.define
class _Body:
    """The statements of one encoder, as they grow."""

    parameter: str
    imports: Imports
    package: str
    tags: Mapping[str, int]
    in_groups: bool
    lines: list[str] = attrs.field(factory=list)
    tables: list[tuple[str, str]] = attrs.field(factory=list)

    def write(self, members: list[Member]) -> None:
        """Write all statements for these members."""
        unknown = f"{self.parameter}.unknown"
        # Behind a group a reader takes unknown fields for those of its last entry. So they stand in front of
        # the first group that is there, or at the end.
        has_group = any(member.group for member in members)
        if has_group:
            self.lines.append(f'unknown = format_unknown({unknown}, checked) if {unknown} else ""')
        there = [place for place, member in enumerate(members) if _is_always_there(member)]
        # One string reaches as far as the last member that is always there, and over codes behind it: a
        # table has a text for None as well, so these need no comparison.
        first = there[-1] + 1 if there else 0
        while first and first < len(members) and _text_codes(members[first]):
            first += 1
        pieces = [_commented(f'f"{self._piece(member)}"', member.field.name) for member in members[:first]]
        self.lines += ["text = (", *(f"    {piece}" for piece in pieces), ")"] if pieces else ['text = ""']
        for member in members[first:]:
            self.lines += self._appended(member)
        if has_group:
            self.lines.append("return text + unknown")
        else:
            self.lines += [f"if {unknown}:", f"    text += format_unknown({unknown}, checked)", "return text"]

    def _piece(self, member: Member) -> str:
        """Add what comes before the string; return the part of it that the member is."""
        name, value = self._variable(member), f"{self.parameter}.{member.attribute}"
        codes = _text_codes(member)
        if codes:
            return f"{{{self._table(member, codes)}[{value}]}}"
        if _is_always_there(member):
            return f"{member.field.tag}={{{self._required(member, name, value)}}}\\x01"
        self.lines.append(f'{name} = ""')
        self.lines += self._optional(member, name, value)
        return f"{{{name}}}"

    def _appended(self, member: Member) -> Iterator[str]:
        """Yield the statements that append a member that may be absent."""
        yield from self._optional(member, "text", f"{self.parameter}.{member.attribute}")

    def _variable(self, member: Member) -> str:
        taken = member.attribute in _OWN_NAMES or member.attribute == self.parameter
        return f"{member.attribute}_" if taken else member.attribute

    def _required(self, member: Member, name: str, value: str) -> str:
        """Add what makes the text of a value that is always there; return the expression for it."""
        field = member.field
        kind = field.datatype.kind
        if field.codeset:
            # Formatting a member of an enum goes through Python code; its `_value_` is a plain int.
            self.lines += [
                f"if type({value}) is {field.codeset.name}:",
                f'    {name} = f"{{{value}._value_}}"',
                "else:",
                f"    {name} = {self._formatted(member, value)}",
            ]
        # The call of a function costs as much as all of the comparisons of these.
        elif kinds.kind_of(field).formatter == "format_string":
            self.lines += [
                f"{name} = {value}",
                f'if type({name}) is not str or not {name} or "\\x01" in {name}:',
                f"    {name} = {self._formatted(member, name)}",
            ]
        elif kind == "DECIMAL":
            self.imports.name("kalshi_fix_sansio.scalars", "MAX_DECIMAL_DIGITS")
            self.lines += [
                f'{name} = str({value}) if type({value}) is Decimal else ""',
                # Digits and a point: neither an exponent nor NaN, which may have digits too. A sign is rare.
                f'if len({name}) > MAX_DECIMAL_DIGITS or not {name}.replace(".", "").isdigit():',
                f"    {name} = {self._formatted(member, value)}",
            ]
        elif kind == "UTCTIMESTAMP":
            return self._call("format_current_utctimestamp", value)
        else:
            return self._formatted(member, value)
        return name

    def _optional(self, member: Member, text: str, value: str) -> Iterator[str]:
        """Yield the statements that append a field or group to a variable if it is there."""
        if member.group:
            yield from self._group(member, member.group, text, value)
            return
        codes = _text_codes(member)
        if codes:
            yield f"{text} += {self._table(member, codes)}[{value}]"
            return
        field, codeset = member.field, member.field.codeset
        if codeset:
            yield f"if type({value}) is {codeset.name}:"
            yield f'    {text} += f"{field.tag}={{{value}._value_}}\\x01"'
            yield f"elif {value} is not None:"
        elif not always_required(member):
            yield f"if {value} is not None:"
        indent = "" if always_required(member) else "    "
        # The text is latin-1, a character for each byte, so `len` gives what the length field has to say.
        if not field.length_field:
            yield f'{indent}{text} += f"{field.tag}={{{self._formatted(member, value)}}}\\x01"'
            return
        length = f"{self.tags[field.length_field]}={{len(data)}}\\x01"
        yield f"{indent}data = {self._formatted(member, value)}"
        yield f'{indent}{text} += f"{length}{field.tag}={{data}}\\x01"'

    def _group(self, member: Member, group: Group, text: str, value: str) -> Iterator[str]:
        """Yield the statements that append a group; the first one takes the unknown fields in front of it."""
        encode = encoder_name(group.entry_class)
        if not self.in_groups:
            self.imports.name(f"{self.package}.groups", encode)
        each = f"{snake_case(group.entry_class)}_entry"
        indent, count = "    ", "len"
        if always_required(member):
            # Behind a group without entries some unknown fields would be read as its first entry. And without
            # entries nothing else would see that it is no list at all.
            indent, count = "", "entry_count"
            self.imports.fixed("kalshi_fix_sansio.support", count)
        else:
            yield f"if {value}:"
        yield f'{indent}{text} += f"{{unknown}}{member.field.tag}={{{count}({value})}}\\x01"'
        yield f'{indent}unknown = ""'
        yield f"{indent}for {each} in {value}:"
        yield f"{indent}    {text} += {encode}({each}, checked)"

    def _table(self, member: Member, codeset: CodeSet) -> str:
        """Return the constant with the fields of all known codes."""
        field, formatter = member.field, kinds.kind_of(member.field).formatter
        self.imports.name("kalshi_fix_sansio.scalars", formatter)
        self.imports.fixed("kalshi_fix_sansio.support", "code_fields")
        name, arguments = f"_{upper_snake(field.name)}", f"{field.tag}, {codeset.name}, {formatter}"
        if not _is_always_there(member):
            name, arguments = f"{name}_IF_ANY", f"{arguments}, optional=True"
        self.tables.append((name, f"code_fields({arguments})"))
        return name

    def _formatted(self, member: Member, value: str) -> str:
        return self._call(kinds.kind_of(member.field).formatter, value)

    def _call(self, formatter: str, value: str) -> str:
        self.imports.name("kalshi_fix_sansio.scalars", formatter)
        return f"{formatter}({value})"
