"""Encode the messages in acceptance definitions, and compare received messages with expected ones."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from kalshi_fix_sansio.dialect.layout import BlockLayout, FieldMember
from tests.fix50sp2.dialect import DIALECT

SOH = "\x01"
_TIME = re.compile(r"<TIME(?:([+-])([0-9]+))?>")
_TIMESTAMP = re.compile(r"[0-9]{8}-[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{3})?")
_TIMES = frozenset({42, 52, 60, 122})
"""Tags whose values only need to have the form of a time."""
_OMITTED_TIMES = frozenset({52, 60})
"""SendingTime (52) and TransactTime (60). Some definitions omit them, although SendingTime is required in
every message and TransactTime in every order.
"""
_ENVELOPE = frozenset({9, 10})
"""Tags whose values depend on all other fields, and are checked against them."""
_FREE_TEXT = frozenset({58})
"""Free text: only its presence is compared."""
Field = tuple[int, str]


def _tags(block: BlockLayout) -> Iterator[int]:
    for member in block.members:
        yield member.tag
        if not isinstance(member, FieldMember):
            yield from _tags(member.entry)
        elif member.field.length_tag:
            yield member.field.length_tag


HEADER = frozenset(_tags(DIALECT.header))
"""Tags of the standard header."""


def to_wire(text: str) -> bytes:
    """Convert a step's message to bytes: insert times, and add BodyLength and CheckSum if missing."""
    now = datetime.now(UTC)
    message = _TIME.sub(lambda match: _time(now, match[1], match[2]), text)
    if not message.startswith("8="):
        return message.encode("latin-1")
    head, rest = message.split(SOH, 1)
    match = re.search(rf"(?<={SOH})10=[^{SOH}]*{SOH}$", rest)
    check_sum = None if match is None else match[0]
    body = rest if match is None else rest[: match.start()]
    length = "" if re.search(rf"(^|{SOH})9=", body) else f"9={len(body)}{SOH}"
    whole = f"{head}{SOH}{length}{body}"
    return (whole + (check_sum or f"10={_sum(whole):03d}{SOH}")).encode("latin-1")


def _time(now: datetime, sign: str | None, seconds: str | None) -> str:
    offset = timedelta(seconds=int(seconds or 0))
    return f"{now - offset if sign == '-' else now + offset:%Y%m%d-%H:%M:%S}"


def _sum(text: str) -> int:
    return sum(text.encode("latin-1")) % 256


def fields(text: str) -> list[Field]:
    """Split a message into its fields."""
    return [(int(tag), value) for tag, _, value in (part.partition("=") for part in text.split(SOH)[:-1])]


def frame_fault(frame: bytes) -> str | None:
    """Return the fault in the BodyLength or CheckSum of a message from the engine, or None."""
    text = frame.decode("latin-1")
    match = re.fullmatch(rf"(8=[^{SOH}]*{SOH}9=([0-9]+){SOH}(.*))10=([0-9]{{3}}){SOH}", text, re.DOTALL)
    if match is None:
        return "not a FIX message"
    if int(match[2]) != len(match[3]):
        return f"BodyLength is {match[2]}, expected {len(match[3])}"
    if int(match[4]) != _sum(match[1]):
        return f"CheckSum is {match[4]}, expected {_sum(match[1]):03d}"
    return None


def difference(expected: str, actual: str) -> str | None:
    """Return how a message differs from the expected one, or None.

    The order of header fields is compared; the order of body fields is not.
    """
    expected_fields, actual_fields = (
        [_normalized(*each) for each in fields(text) if each[0] not in _ENVELOPE]
        for text in (expected, actual)
    )
    omitted = _OMITTED_TIMES.difference(tag for tag, _ in expected_fields)
    actual_fields = [each for each in actual_fields if each[0] not in omitted]
    missing, unexpected = (
        Counter(expected_fields) - Counter(actual_fields),
        Counter(actual_fields) - Counter(expected_fields),
    )
    if missing or unexpected:
        return f"missing {_listed(missing)}, unexpected {_listed(unexpected)}"
    order = [[tag for tag, _ in side if tag in HEADER] for side in (expected_fields, actual_fields)]
    if order[0] != order[1]:
        return f"header in the order {order[1]}, expected {order[0]}"
    if actual_fields[: len(order[0])] != [each for each in actual_fields if each[0] in HEADER]:
        return "header fields follow body fields"
    return None


def _normalized(tag: int, value: str) -> Field:
    if tag in _FREE_TEXT:
        return tag, "text"
    if tag in _TIMES:
        return tag, "time" if not value or _TIMESTAMP.fullmatch(value) or value.startswith("<TIME") else value
    return tag, value


def _listed(counted: Counter[Field]) -> str:
    return ", ".join(f"{tag}={value}" for tag, value in counted.elements()) or "nothing"
