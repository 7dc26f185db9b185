"""Parse the example messages in the code blocks of a page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from codegen.diff.facts import MSG_TYPE, ExampleFact, Pair
from kalshi_fix_adapters.documents.mistakes import Location


def parse(location: Location, lines: Sequence[str]) -> Iterator[ExampleFact]:
    """Yield the messages of a code block; each begins with 8= or 35=, and may span lines."""
    pairs: list[Pair] = []
    for number, line in enumerate(lines, location.line + 1):
        # Pages separate fields with |, SOH itself, or one of two symbols for it.
        for field in re.split(r"\||\x01|\^A|␁", line):
            match = re.match(r"\s*(\d{1,6})=(.*)", field)
            # A message begins with 8=, or with 35= if it is shortened to its body.
            if match and (match[1] == "8" or (match[1] == "35" and all(pair.tag != 8 for pair in pairs))):
                yield from _example(pairs, lines)
                pairs = []
            if match and (pairs or match[1] in ("8", "35")):
                pairs.append(Pair(Location(location.file, number), int(match[1]), match[2].strip()))
    yield from _example(pairs, lines)


def _example(pairs: list[Pair], lines: Sequence[str]) -> Iterator[ExampleFact]:
    """Yield the message with these fields, unless it has no MsgType."""
    if any(pair.tag == MSG_TYPE for pair in pairs):
        shortened = any(re.search(r"\.\.\.|…", line) for line in lines)
        yield ExampleFact(pairs[0].location, tuple(pairs), shortened)
