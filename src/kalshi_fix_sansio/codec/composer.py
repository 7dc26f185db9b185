"""The fast way out: for each form of message one function, made from the layouts.

The form of a message is which attributes of it and of its header are set. Its function looks at every value
once (the class, what text must not hold, the limits of numbers) and puts all of them behind their tags in one
string. What is not plain it leaves alone, by returning None or by an error of its own: another form, code
values that no enum has, text beyond ASCII, unknown fields, a trailer. The careful path then writes the
message, or names what is wrong with it. Whatever the fast path does write is byte for byte what the careful
one would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache, partial
from itertools import takewhile
from typing import Any, Final
from zlib import adler32

import attrs

from kalshi_fix_sansio.codec.encoder import CODEC_TAGS
from kalshi_fix_sansio.codec.tables import always_required
from kalshi_fix_sansio.framing import ADLER_ASCII_BLOCK, CHECK_SUM_FIELDS, encode_frame
from kalshi_fix_sansio.layout import Dialect, FieldMember, GroupMember, Kind, Member, MessageLayout
from kalshi_fix_sansio.scalars import (
    MAX_DECIMAL_DIGITS,
    THREE_DIGITS,
    format_data,
    format_string,
    format_utcdateonly,
    format_utctimeonly,
    format_utctimestamp,
    format_value,
)

Compose = Callable[[Any, Any], bytes | None]
"""From a message and its header to the whole message on the wire; None to try something else."""
Present = tuple[bool, ...]
"""For each member of header and body that `optional_members` gives, whether it is set."""

COMPOSER_ERRORS: Final = (AttributeError, KeyError, TypeError, ValueError)
"""What a function raises of values that it cannot write."""
PLAIN_INT_END: Final = 10**9
"""Integers from here on go the careful way: below it CPython compares them fast."""

# Adler-32 starts from 1 by itself, and to start it from 0 takes longer: the table is shifted by one instead.
_CHECK_SUMS: Final = CHECK_SUM_FIELDS[-1:] + CHECK_SUM_FIELDS[:-1]
_UNSIGNED: Final = frozenset((Kind.LENGTH, Kind.SEQNUM, Kind.NUMINGROUP))
_FUNCTIONS: Final = {Kind.UTCDATEONLY: "date_only", Kind.UTCTIMEONLY: "time_only"}

Second = tuple[datetime, datetime, str]
"""The first and the last moment of a second, and its text: messages come many in one second."""
NO_SECOND: Final[Second] = (datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC), "")
"""A second that no moment lies in."""


def second_of(moment: datetime) -> Second:
    """Return the second that a moment in UTC lies in, with its text up to the point."""
    begin = moment.replace(microsecond=0)
    return begin, moment.replace(microsecond=999_999), format_utctimestamp(begin)[:-3]


@cache
def heads(begin_string: str) -> tuple[bytes, ...]:
    """Return what stands in front of MsgType, by the length of the body, while Adler-32 adds up all of it."""
    first = f"8={begin_string}\x019="
    longest = ADLER_ASCII_BLOCK - len(f"{first}{ADLER_ASCII_BLOCK}\x01")
    return tuple(f"{first}{size}\x01".encode("latin-1") for size in range(longest + 1))


def optional_members(layout: MessageLayout, dialect: Dialect) -> Iterator[tuple[str, Member]]:
    """Yield what a message may go without, with `h` or `m` for where it is."""
    for block, members in (("h", dialect.header.members), ("m", layout.body.members)):
        for member in members:
            if member.tag not in CODEC_TAGS and not always_required(member):
                yield block, member


def form_of(layout: MessageLayout, dialect: Dialect, message: Any, header: Any) -> Present:
    """Say which optional members are set."""
    blocks = {"h": header, "m": message}
    return tuple(
        bool(value) if isinstance(member, GroupMember) else value is not None
        for block, member in optional_members(layout, dialect)
        for value in (getattr(blocks[block], member.attribute),)
    )


def composer(layout: MessageLayout, dialect: Dialect, present: Present) -> Compose:
    """Make the function for one form of a message; costs about a millisecond."""
    writer = _Writer()
    writer.names["heads"] = heads(dialect.begin_string)
    writer.names["frame"] = partial(encode_frame, dialect.begin_string)
    source = writer.form(layout, dialect, present)
    exec(compile(source, f"<compose {layout.name}>", "exec"), writer.names)  # noqa: S102 - from the layout alone
    function: Compose = writer.names["compose"]
    return function


@attrs.define(eq=False)
class _Value:
    """How one value is written."""

    piece: str
    """Part of an f-string: the field with the SOH in front of it."""
    guards: tuple[str, ...] = ()
    """Conditions under which the value is not plain."""
    lines: tuple[str, ...] = ()
    """What is worked out once all values are known to be plain."""


@attrs.define(eq=False)
class _Writer:
    """Writes the source; `names` is what it refers to."""

    functions: str = ""
    cells: list[str] = attrs.field(factory=list)
    """Names whose values the functions set anew: what was written last, with what it was made of. Each holds
    a tuple, which threads can only see as a whole."""
    names: dict[str, Any] = attrs.field(
        factory=lambda: {
            "Decimal": Decimal,
            "datetime": datetime,
            "UTC": UTC,
            "milliseconds": THREE_DIGITS,
            "second_of": second_of,
            "date_only": format_utcdateonly,
            "time_only": format_utctimeonly,
            "data": format_data,
            "text_of": format_string,
            "adler32": adler32,
            "check_sums": _CHECK_SUMS,
        }
    )

    def form(self, layout: MessageLayout, dialect: Dialect, present: Present) -> str:
        """Return the source of `compose` and of what it calls."""
        optional = list(optional_members(layout, dialect))
        absent = [pair for pair, is_set in zip(optional, present, strict=True) if not is_set]
        guards = ["m.unknown", "h.unknown", "m.trailer is not None"]
        guards += [
            f"{block}.{member.attribute}{'' if isinstance(member, GroupMember) else ' is not None'}"
            for block, member in absent
        ]
        members = [("h", member) for member in dialect.header.members]
        members += [("m", member) for member in layout.body.members]
        written = [pair for pair in members if pair[1].tag not in CODEC_TAGS and pair not in absent]
        names = [member for _, member in takewhile(_is_name, written)]
        loads, lines, pieces = (
            [],
            self._route(layout, names),
            ["{names}" if names else f"35={layout.msg_type}"],
        )
        for block, member in written[len(names) :]:
            name = f"{block}{member.tag}"
            value = self._value(member, name)
            loads.append(f"{name} = {block}.{member.attribute}")
            # What is made for a value that is there must not stumble over None: another form is tried then.
            guards += value.guards or (f"{name} is None",)
            lines += value.lines
            pieces.append(value.piece)
        body = [
            *loads,
            f"if {' or '.join(guards)}: return None",
            *lines,
            f'text = f"{"".join(pieces)}\\x01"',
            "if not text.isascii() or '\\0' in text: return None",
            "size = len(text)",
            f"if size >= {len(self.names['heads'])}: return frame(text.encode())",
            "message = heads[size] + text.encode()",
            "return message + check_sums[adler32(message) % 256]",
        ]
        return self.functions + _define("compose", "m, h", body, self.cells)

    def _route(self, layout: MessageLayout, names: Sequence[Member]) -> list[str]:
        """Write how the names at the header's beginning become text, which hardly ever differs."""
        if not names:
            return []
        self._cell("route", (*(None for _ in names), ""))
        loads = "".join(f"h{member.tag}, " for member in names)
        values = "".join(f"h.{member.attribute}, " for member in names)
        same = " and ".join(f"h.{member.attribute} is h{member.tag}" for member in names)
        made = "".join(f"\\x01{member.tag}={{text_of(h.{member.attribute})}}" for member in names)
        return [
            f"{loads}names = route",
            f"if not ({same}):",
            f'    names = f"35={layout.msg_type}{made}"',
            f"    route = ({values}names)",
        ]

    def _value(self, member: Member, name: str) -> _Value:
        if isinstance(member, GroupMember):
            return self._group(member, name)
        kind, tag = member.field.kind, f"\\x01{member.tag}="
        if kind is Kind.BOOLEAN:
            for answer, flag in (("yes", True), ("no", False)):
                self.names[f"{answer}{member.tag}"] = f"\x01{member.tag}={format_value(kind, flag)}"
            piece = f"{{yes{member.tag} if {name} else no{member.tag}}}"
            return _Value(piece, (f"{name}.__class__ is not bool",))
        if member.field.codes is not None:
            return self._code(member, name)
        if kind in {Kind.STRING, Kind.CHAR}:
            guards = [f"{name}.__class__ is not str", f"not {name}", f"'\\x01' in {name}"]
            guards += [f"len({name}) != 1"] if kind is Kind.CHAR else []
            return _Value(f"{tag}{{{name}}}", tuple(guards))
        if kind is Kind.DECIMAL:
            text = f"{name}s"
            spelt = f"len({text}) <= {MAX_DECIMAL_DIGITS} and 'E' not in {text} and 'e' not in {text}"
            return _Value(
                f"{tag}{{{text}}}",
                (f"{name}.__class__ is not Decimal", f"not {name}.is_finite()"),
                (f"{text} = str({name})", f"if not ({spelt}): return None"),
            )
        if kind is Kind.UTCTIMESTAMP:
            return self._timestamp(tag, name)
        if kind is Kind.DATA:
            length = (
                "" if member.field.length_tag is None else f"\\x01{member.field.length_tag}={{len({name})}}"
            )
            return _Value(f"{length}{tag}{{{name}}}", (), (f"{name} = data({name})",))
        if kind in _FUNCTIONS:
            return _Value(f"{tag}{{{_FUNCTIONS[kind]}({name})}}")
        least = 0 if kind in _UNSIGNED else 1 - PLAIN_INT_END
        guards = [f"{name}.__class__ is not int", f"not {least} <= {name} < {PLAIN_INT_END}"]
        return _Value(f"{tag}{{{name}}}", tuple(guards))

    def _code(self, member: FieldMember, name: str) -> _Value:
        """Known codes have their field ready."""
        codes = member.field.codes
        table = self._table(member.tag, {code: format_value(member.field.kind, code) for code in codes})
        if issubclass(codes, str):
            return _Value(f"{{{table}[{name}]}}")
        self.names[f"{table}_class"] = codes
        return _Value(f"{{{table}[{name}]}}", (f"{name}.__class__ is not {table}_class",))

    def _timestamp(self, tag: str, name: str) -> _Value:
        cell = self._cell(f"second{len(self.names)}", NO_SECOND)
        return _Value(
            f"{tag}{{{name}s}}{{milliseconds[{name}.microsecond // 1000]}}",
            (f"{name}.__class__ is not datetime", f"{name}.tzinfo is not UTC"),
            (
                f"begin, end, {name}s = {cell}",
                f"if not begin <= {name} <= end: begin, end, {name}s = {cell} = second_of({name})",
            ),
        )

    def _group(self, member: GroupMember, name: str) -> _Value:
        entry = self._entry(member)
        entries = f"{{''.join([{entry}(entry) for entry in {name}])}}"
        guards = [f"{name}.__class__ is not list"]
        guards += [] if always_required(member) else [f"not {name}"]
        return _Value(f"\\x01{member.tag}={{len({name})}}{entries}", tuple(guards))

    def _entry(self, member: GroupMember) -> str:
        """Write a function for the entries of a group, whatever is set in each; return its name."""
        lines, pieces = [], []
        before = len(self.cells)
        for inner in member.entry.members:
            name = f"e{inner.tag}"
            value = self._value(inner, name)
            lines.append(f"{name} = e.{inner.attribute}")
            checks = [f"if {' or '.join(value.guards)}: return None"] if value.guards else []
            steps = [*checks, *value.lines]
            if always_required(inner):
                lines += steps
                pieces.append(value.piece)
                continue
            absent = f"not {name}" if isinstance(inner, GroupMember) else f"{name} is None"
            lines += [f"if {absent}: {name} = ''", "else:"]
            lines += [f"    {line}" for line in (*steps, f'{name} = f"{value.piece}"')]
            pieces.append(f"{{{name}}}")
        function = f"entry{len(self.names)}"
        self.names[f"{function}_class"] = member.entry.cls
        first = f"if e.__class__ is not {function}_class or e.unknown: return None"
        lines = [first, *lines, f'return f"{"".join(pieces)}"']
        self.functions += _define(function, "e", lines, self.cells[before:])
        return function

    def _table(self, tag: int, texts: dict[Any, str]) -> str:
        name = f"field{tag}"
        self.names[name] = {value: f"\x01{tag}={text}" for value, text in texts.items()}
        return name

    def _cell(self, name: str, value: tuple[Any, ...]) -> str:
        self.names[name] = value
        self.cells.append(name)
        return name


def _is_name(pair: tuple[str, Member]) -> bool:
    block, member = pair
    return (
        block == "h"
        and isinstance(member, FieldMember)
        and member.field.kind is Kind.STRING
        and member.field.codes is None
        and always_required(member)
    )


def _define(name: str, parameters: str, lines: Sequence[str], cells: Sequence[str]) -> str:
    held = [f"global {', '.join(cells)}"] if cells else []
    return f"def {name}({parameters}):\n" + "".join(f"    {line}\n" for line in (*held, *lines))
