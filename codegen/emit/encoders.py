"""Data for the templates of the encoders: straight-line functions from an instance to `tag=value SOH`.

Each function builds one string from the preceding text and all fields up to the last mandatory one, and
appends the optional fields after that. Most optional fields are absent and cost one comparison.

A module caches text that repeats from message to message: the first fields of a header, and the text of the
current second of a timestamp. Each cache is one tuple, replaced and read as a whole: with separate variables,
a thread could combine values written by different threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile

import attrs

from codegen.emit import kinds
from codegen.emit.classes import CODEC_TAGS, ClassWriter, always_required, attributes_of
from codegen.emit.docstrings import WIDTH
from codegen.emit.imports import Imports
from codegen.model import CodeSet, Field, Group, Member
from codegen.naming import snake_case, upper_snake

_RESERVED_NAMES = frozenset(
    {"begin", "checked", "data", "end", "entry", "len", "message", "names", "str", "text", "type"}
)
"""Names used in the functions: a variable for an attribute with one of these names gets a trailing
underscore.
"""
_NAMES, _SECOND = "_names", "_second"


@attrs.frozen
class EncoderView:
    """One function; `lines` are the statements of its body without indentation."""

    function: str
    parameter: str
    title: str
    lines: tuple[str, ...]
    tables: tuple[tuple[str, str], ...]
    """Constants of its module: name and expression."""


def encoder_name(cls: str) -> str:
    """Return the name of the function that encodes instances of a class."""
    return f"encode_{snake_case(cls)}"


def encoder_view(
    writer: ClassWriter,
    cls: str,
    parameter: str,
    title: str,
    members: tuple[Member, ...],
    *,
    is_header: bool = False,
) -> EncoderView:
    """Return the encoder of a class with these members; `writer` is that of the class's module.

    With `is_header`, the text of the leading string fields is cached, because they rarely change between
    messages.
    """
    imports = writer.imports
    imports.import_on_one_line("kalshi_fix_sansio.dialect.support", "format_unknown")
    body = _Body(parameter, imports, writer.package, writer.in_groups)
    if writer.in_groups:
        imports.import_on_one_line("kalshi_fix_sansio.dialect.support", "require_entry")
        body.lines += [f"if type({parameter}) is not {cls}:", f"    require_entry({parameter}, {cls})"]
    # Fields written by the codec precede or follow the text of this function.
    written = [member for member in attributes_of(members) if member.field.tag not in CODEC_TAGS]
    leading = (
        list(takewhile(lambda each: _is_mandatory(each) and _is_plain_string(each.field), written))
        if is_header
        else []
    )
    body.write(leading, written[len(leading) :])
    # Names assigned in a function are local unless declared global.
    global_names = sorted({name for name, _ in body.tables} & {_NAMES, _SECOND})
    lines = [f"global {', '.join(global_names)}"] if global_names else []
    return EncoderView(encoder_name(cls), parameter, title, (*lines, *body.lines), tuple(body.tables))


def _is_mandatory(member: Member) -> bool:
    if member.group or member.field.length_field:
        return False
    return always_required(member) or member.presence == "constant"


def _is_plain_string(field: Field) -> bool:
    return not field.codeset and kinds.formatter_of(field) == "format_string"


def _string_codeset(member: Member) -> CodeSet | None:
    codeset = None if member.group else member.field.codeset
    return None if codeset is None or codeset.integer else codeset


def _with_comment(line: str, name: str) -> str:
    """Append the name of a line's field as a comment, if the line has room for it."""
    commented = f"{line}  # {name}"
    # The line is in parentheses in a function: two levels of four columns.
    return commented if len(commented) + 8 <= WIDTH else line


@attrs.define
class _Body:
    """Statements of one encoder under construction."""

    parameter: str
    imports: Imports
    package: str
    in_groups: bool
    lines: list[str] = attrs.field(factory=list)
    tables: list[tuple[str, str]] = attrs.field(factory=list)

    def write(self, leading: list[Member], members: list[Member]) -> None:
        """Write the statements for the leading fields, which rarely change, and for the other members."""
        unknown = f"{self.parameter}.unknown"
        # Unknown fields after a group would be parsed as part of its last entry. They are therefore written
        # before the first group that is present, or at the end if there is none.
        has_group = any(member.group for member in members)
        if has_group:
            self.lines.append(f'unknown = format_unknown({unknown}, checked) if {unknown} else ""')
        mandatory = [position for position, member in enumerate(members) if _is_mandatory(member)]
        # The single string extends to the last mandatory member, and includes the fields with a string
        # codeset that directly follow it. These need no check for None, because their lookup tables map None
        # to an empty string.
        string_count = mandatory[-1] + 1 if mandatory else 0
        while string_count and string_count < len(members) and _string_codeset(members[string_count]):
            string_count += 1
        parts = [self._cached_fields(leading)] if leading else []
        parts += [
            _with_comment(f'f"{self._part(member)}"', member.field.name) for member in members[:string_count]
        ]
        if parts:
            self.lines += ["text = (", '    f"{text}"', *(f"    {part}" for part in parts), ")"]
        for member in members[string_count:]:
            self.lines += self._optional(member, "text", f"{self.parameter}.{member.attribute}")
        rest = "unknown" if has_group else f"format_unknown({unknown}, checked)"
        self.lines += [f"if {'unknown' if has_group else unknown}:", f"    text += {rest}", "return text"]

    def _cached_fields(self, leading: list[Member]) -> str:
        """Write the cache lookup for the leading fields; return their part of the string.

        Without the cache, checking and formatting these fields takes a twentieth of the time needed to encode
        an order.
        """
        self.imports.import_one_per_line("kalshi_fix_sansio.scalars", "format_string")
        self.imports.import_on_one_line("kalshi_fix_sansio.dialect.support", "MAX_CACHED_COMP_ID_CHARS")
        # A new object is not identical to the value of any attribute, so at first no header matches the
        # cache.
        self.tables.append((_NAMES, f'({"object(), " * len(leading)}"")'))
        pairs = [self._variable(member) for member in leading]
        variables = ", ".join(name for name, _ in pairs)
        fields = (
            f"{member.field.tag}={{format_string({name})}}\\x01"
            for member, (name, _) in zip(leading, pairs, strict=True)
        )
        self.lines += [
            f"{variables}, names = {_NAMES}",
            f"if {' or '.join(f'{value} is not {name}' for name, value in pairs)}:",
            *(f"    {name} = {value}" for name, value in pairs),
            f'    names = f"{"".join(fields)}"',
            "    if len(names) <= MAX_CACHED_COMP_ID_CHARS:",
            f"        {_NAMES} = {variables}, names",
        ]
        return 'f"{names}"'

    def _part(self, member: Member) -> str:
        """Write the statements before the string; return the member's part of the string."""
        name, value = self._variable(member)
        codeset = _string_codeset(member)
        if codeset:
            return f"{{{self._table(member, codeset, or_none=not _is_mandatory(member))}[{value}]}}"
        if _is_mandatory(member):
            if member.field.codeset:
                self.lines.append(f"{name} = {self._field(member, value)}")
                return f"{{{name}}}"
            return f"{member.field.tag}={self._required(member, name, value)}\\x01"
        self.lines.append(f'{name} = ""')
        self.lines += self._optional(member, name, value)
        return f"{{{name}}}"

    def _variable(self, member: Member) -> tuple[str, str]:
        """Return the variable for a member, and the expression of its value."""
        is_reserved = member.attribute in _RESERVED_NAMES or member.attribute == self.parameter
        name = f"{member.attribute}_" if is_reserved else member.attribute
        return name, f"{self.parameter}.{member.attribute}"

    def _required(self, member: Member, name: str, value: str) -> str:
        """Write the statements that format a mandatory value; return its part of the string."""
        field = member.field
        kind = field.datatype.kind
        # The usual values are checked inline: a function call costs as much as all these comparisons.
        if _is_plain_string(field):
            self.lines += [
                f"{name} = {value}",
                f'if type({name}) is not str or not {name} or "\\x01" in {name}:',
                f"    {name} = {self._formatted(member, name)}",
            ]
        elif kind == "SEQNUM":
            # CPython compares integers fast only below 2**30, so larger ones are left to the function.
            self.lines += [
                f"{name}: int | str = {value}",
                f"if type({name}) is not int or not 0 <= {name} < 10**9:",
                f"    {name} = {self._formatted(member, value)}",
            ]
        elif kind == "DECIMAL":
            self.imports.import_one_per_line("kalshi_fix_sansio.scalars", "MAX_DECIMAL_DIGITS")
            self.lines += [
                # A value that is not a finite decimal is formatted like a value with an exponent.
                f'{name} = str({value}) if type({value}) is Decimal and {value}.is_finite() else "E"',
                f'if len({name}) > MAX_DECIMAL_DIGITS or "E" in {name} or "e" in {name}:',
                f"    {name} = {self._formatted(member, value)}",
            ]
        elif kind == "UTCTIMESTAMP":
            return self._timestamp(name, value)
        else:
            return f"{{{self._formatted(member, value)}}}"
        return f"{{{name}}}"

    def _timestamp(self, name: str, value: str) -> str:
        """Write the statements that format a timestamp; return its part of the string.

        A busy session writes many messages in the same second, so the text of that second is cached. Without
        the cache, encoding an order takes a seventh longer.
        """
        self.imports.import_one_per_line("datetime", "UTC")
        self.imports.import_one_per_line(
            "kalshi_fix_sansio.scalars", "NO_SECOND", "THREE_DIGITS", "second_of", "to_datetime"
        )
        self.tables.append((_SECOND, "NO_SECOND"))
        second = f"{name}_second"
        self.lines += [
            f"{name} = {value}",
            f"begin, end, {second} = {_SECOND}",
            f"if type({name}) is not datetime or {name}.tzinfo is not UTC or not begin <= {name} <= end:",
            f"    {name} = to_datetime({name})",
            f"    begin, end, {second} = {_SECOND} = second_of({name})",
        ]
        return f"{{{second}}}{{THREE_DIGITS[{name}.microsecond // 1000]}}"

    def _optional(self, member: Member, text: str, value: str) -> Iterator[str]:
        """Yield the statements that append a field or group to a variable if it is present."""
        if member.group:
            yield from self._group(member, member.group, text, value)
            return
        field = member.field
        indent = ""
        if not always_required(member):
            yield f"if {value} is not None:"
            indent = "    "
        if field.length_field:
            # The text is latin-1, one character per byte, so `len` is the value of the length field.
            length = f"{field.length_tag}={{len(data)}}\\x01"
            yield f"{indent}data = {self._formatted(member, value)}"
            yield f'{indent}{text} += f"{length}{field.tag}={{data}}\\x01"'
        else:
            yield f"{indent}{text} += {self._field(member, value)}"

    def _field(self, member: Member, value: str) -> str:
        """Return the expression for a field that is present."""
        field, codeset, formatted = member.field, member.field.codeset, self._formatted(member, value)
        if codeset and codeset.integer:
            # Only members are looked up: other integers and values of other types may be equal to a member.
            from_table = f"{self._table(member, codeset)}[{value}]"
            return f'{from_table} if type({value}) is {codeset.name} else f"{field.tag}={{{formatted}}}\\x01"'
        if codeset:
            return f"{self._table(member, codeset)}[{value}]"
        if field.datatype.kind == "BOOLEAN":
            return f'"{field.tag}=Y\\x01" if {value} is True else f"{field.tag}={{{formatted}}}\\x01"'
        return f'f"{field.tag}={{{formatted}}}\\x01"'

    def _group(self, member: Member, group: Group, text: str, value: str) -> Iterator[str]:
        """Yield the statements that append a group.

        The first group of a message is preceded by the unknown fields.
        """
        encode = encoder_name(group.entry_class)
        if not self.in_groups:
            self.imports.import_one_per_line(f"{self.package}.groups", encode)
        entry = f"{snake_case(group.entry_class)}_entry"
        indent, count = "    ", "len"
        if always_required(member):
            # The counter is written even if the group is empty, so the value must be checked: `entry_count`
            # raises if it is not a sequence.
            indent, count = "", "entry_count"
            self.imports.import_on_one_line("kalshi_fix_sansio.dialect.support", count)
        else:
            yield f"if {value}:"
        yield f'{indent}{text} += f"{{unknown}}{member.field.tag}={{{count}({value})}}\\x01"'
        yield f'{indent}unknown = ""'
        yield f"{indent}for {entry} in {value}:"
        yield f"{indent}    {text} += {encode}({entry}, checked)"

    def _table(self, member: Member, codeset: CodeSet, *, or_none: bool = False) -> str:
        """Return the constant with the fields of all known codes; with `or_none` it maps None to an empty
        string.
        """
        field, formatter = member.field, kinds.formatter_of(member.field)
        self.imports.import_one_per_line("kalshi_fix_sansio.scalars", formatter)
        self.imports.import_on_one_line("kalshi_fix_sansio.dialect.support", "code_fields")
        name, arguments = f"_{upper_snake(field.name)}", f"{field.tag}, {codeset.name}, {formatter}"
        if or_none:
            name, arguments = f"{name}_IF_ANY", f"{arguments}, optional=True"
        self.tables.append((name, f"code_fields({arguments})"))
        return name

    def _formatted(self, member: Member, value: str) -> str:
        formatter = kinds.formatter_of(member.field)
        self.imports.import_one_per_line("kalshi_fix_sansio.scalars", formatter)
        return f"{formatter}({value})"
