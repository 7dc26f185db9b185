"""Fast formatting of valid messages as a line or as JSON, with a template for each sequence of tags.

A template is the output of the slower renderers (`render`) for the first message with these tags, with
placeholders for the values. A message must not be passed to this module if it is invalid, or if it may
contain a secret or arbitrary bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import attrs

from kalshi_fix_adapters.cli.kit.terminal import printable
from kalshi_fix_adapters.cli.logs.render import brief, json_fields, names_of_codes
from kalshi_fix_sansio.codec import FieldNode, Node
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.dialect.layout import BlockLayout, FieldMember, Kind
from kalshi_fix_sansio.messages import CODEC

MAX_SIZE: Final = 4 * 1024 * 1024
"""Maximum total size of the cached templates in characters. When it is exceeded, all templates are
dropped.
"""
USES_TO_COMPILE: Final = 8
"""Number of uses after which a template is compiled to a regular expression. Compiling a template takes as
long as using it 100 times.
"""
MAX_COMPILED: Final = 200
"""Maximum number of fields of a template that is compiled to a regular expression."""
_PLACEHOLDER: Final = re.compile(r"(?:\0|\\u0000)([0-9]+)(?:\0|\\u0000)")
"""The placeholder of a value while a template is created. It contains the value's position in the message,
between NUL characters or their JSON escapes.
"""


def _is_sensitive(layout: BlockLayout) -> bool:
    """Return whether a block has secret fields or data fields."""
    return any(
        member.field.secret or member.field.kind is Kind.DATA or member.field.length_tag is not None
        for member in layout.members
        if isinstance(member, FieldMember)
    )


_Codes = tuple[tuple[int, dict[str, str]], ...]


@attrs.define
class _Template:
    tags: list[str]
    text: str
    """The output, with `%s` for each value."""
    positions: tuple[int, ...]
    """For each `%s` in `text`, the position of the value in the message."""
    codes: _Codes
    """For each value that is a code: its index in `positions`, and the displayed text of each code."""
    use_count: int = 0
    match: Callable[[str], re.Match[str] | None] | None = None
    """The compiled regular expression for messages with these tags; None before it is compiled."""
    groups: tuple[int, ...] = ()
    """For each `%s` in `text`, the group of a match."""

    def compile(self) -> None:
        """Compile the regular expression."""
        captured = sorted({*self.positions})
        parts = (
            f"{tag}=([^\x01]*+)\x01" if n in captured else f"{tag}=[^\x01]*+\x01"
            for n, tag in enumerate(self.tags)
        )
        self.match = re.compile("".join(parts)).fullmatch
        self.groups = tuple(captured.index(position) + 1 for position in self.positions)

    def fill(self, values: list[str]) -> str:
        """Return the text with these values, one for each `%s`."""
        for index, codes in self.codes:
            value = values[index]
            if value in codes:
                values[index] = codes[value]
        return self.text % (*values,)


class Templates:
    """Formats the fields of valid messages as `brief` does or, with `as_json`, as `json_fields` does."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._escape: Callable[[str], str] = _json_escape if as_json else printable
        self._by_tags: dict[tuple[str, ...], _Template] = {}
        self._last: dict[str, _Template] = {}
        """The last template by message name, because the next message usually has the same tags."""
        self._size = 0
        self._fits: dict[type[Message], bool] = {}
        """Whether the messages of a class have neither secret fields nor data fields."""

    def fits(self, message: Message) -> bool:
        """Return whether a valid message has neither secret fields nor data fields, so that it may be
        formatted with templates.
        """
        cls = message.__class__
        fits = self._fits.get(cls)
        if fits is None:
            fits = self._fits[cls] = not _is_sensitive(cls.LAYOUT)
        return fits and message.trailer.signature is None

    def fields(self, frame: bytes, name: str) -> str:
        """Return the formatted fields of a valid message for which `fits` is true; `name` is the name of the
        message.
        """
        text = frame.decode("latin-1")
        template = self._last.get(name)
        if template is not None and template.match is not None:
            # One match checks the tags and captures the values. If a value must be escaped, the slower code
            # below is used.
            match = template.match(text)
            if match is not None:
                values = match.group(*template.groups)
                if self._as_json:
                    joined = "".join(values)
                    if joined.isascii() and joined.isprintable() and '"' not in joined and "\\" not in joined:
                        return template.text % values
                else:
                    formatted = template.fill([*values])
                    if formatted.isprintable():
                        return formatted
        # The value begins after the first `=` of a field, and may contain further `=`.
        pairs = [field.partition("=") for field in text.split("\x01")[:-1]]
        tags = [pair[0] for pair in pairs]
        if template is None or tags != template.tags:
            template = self._last[name] = self._by_tags.get(tuple(tags)) or self._create_template(tags, frame)
        template.use_count += 1
        # With only one group, `Match.group` does not return a tuple.
        if (
            template.use_count == USES_TO_COMPILE
            and len(tags) <= MAX_COMPILED
            and len(template.positions) > 1
        ):
            template.compile()
        return template.fill([self._escape(pairs[position][2]) for position in template.positions])

    def _create_template(self, tags: list[str], frame: bytes) -> _Template:
        """Create the template for messages with these tags; `frame` is the first such message."""
        inspection = CODEC.inspect(frame)
        # The keys are object ids, because two nodes may be equal.
        nodes = list(_walk((*inspection.header, *inspection.body, *inspection.trailer)))
        position_of = {id(node): number for number, node in enumerate(nodes)}

        def placeholder(node: Node) -> str:
            return f"\0{position_of[id(node)]}\0"

        text = (
            json.dumps(json_fields(inspection, placeholder))
            if self._as_json
            else brief(inspection, placeholder)
        )
        parts = _PLACEHOLDER.split(text)
        positions = tuple(map(int, parts[1::2]))
        codes = {} if self._as_json else _codes_by_position(nodes)
        template = _Template(
            tags,
            "%s".join(part.replace("%", "%%") for part in parts[::2]),
            positions,
            tuple((n, codes[position]) for n, position in enumerate(positions) if position in codes),
        )
        self._size += len(template.text)
        if self._size > MAX_SIZE:
            self._by_tags.clear()
            self._last.clear()
            self._size = len(template.text)
        self._by_tags[tuple(tags)] = template
        return template


def _walk(nodes: Iterable[Node]) -> Iterator[Node]:
    """Yield all nodes, including those in groups, in wire order."""
    for node in nodes:
        yield node
        if not isinstance(node, FieldNode):
            for entry in node.entries:
                yield from _walk(entry)


def _codes_by_position(nodes: Iterable[Node]) -> dict[int, dict[str, str]]:
    return {
        position: names_of_codes(node.layout.codes)
        for position, node in enumerate(nodes)
        if isinstance(node, FieldNode) and node.layout is not None and node.layout.codes is not None
    }


def _json_escape(text: Any) -> str:
    return json.dumps(text)[1:-1]
