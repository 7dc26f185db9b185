"""Hypothesis strategies that build instances of the classes of any dialect from its layouts."""

from __future__ import annotations

import string
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from kalshi_fix_sansio.codec.encoder import CODEC_TAGS
from kalshi_fix_sansio.dialect.base import Block, Message
from kalshi_fix_sansio.dialect.layout import (
    BlockLayout,
    Dialect,
    FieldLayout,
    FieldMember,
    GroupMember,
    Kind,
    Member,
    MessageLayout,
)
from tests.samples import is_required

PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F))
LATIN_1 = PRINTABLE + "".join(chr(code) for code in range(0xA0, 0x100))


def utc_times() -> st.SearchStrategy[datetime]:
    """Times in whole milliseconds, which a UTCTIMESTAMP represents exactly."""
    start = datetime(1970, 1, 1, tzinfo=UTC)
    return st.integers(0, 32 * 10**12).map(lambda number: start + timedelta(milliseconds=number))


def decimals() -> st.SearchStrategy[Decimal]:
    """Any decimal that is sent without an exponent, including ones with trailing zeros."""
    return st.decimals(
        allow_nan=False, allow_infinity=False, places=4, min_value=-(10**12), max_value=10**12
    ) | (st.integers(-(10**6), 10**6).map(lambda cents: Decimal(cents) / 100))


def texts() -> st.SearchStrategy[str]:
    """Text that a STRING field can contain, including equals signs, commas and letters beyond ASCII."""
    return st.text(LATIN_1, min_size=1, max_size=20)


def data() -> st.SearchStrategy[bytes]:
    """Bytes that a data field can contain, including SOH and whole fields."""
    return st.binary(min_size=1, max_size=30) | st.sampled_from(
        [b"\x01", b"a\x0110=000\x01", b"8=FIXT.1.1\x01"]
    )


def values(field: FieldLayout) -> st.SearchStrategy[Any]:
    """Valid values of a field: mostly known values of its codeset, or values of its kind within its
    limits."""
    plain = _plain(field)
    if field.codes is None:
        return plain
    known = st.sampled_from(list(field.codes))
    if not field.open_codes:
        return known
    return known | known | plain.map(lambda value: field.codes._value2member_map_.get(value, value))


def _plain(field: FieldLayout) -> st.SearchStrategy[Any]:
    if field.pattern is not None:
        return st.from_regex(field.pattern, fullmatch=True, alphabet=st.sampled_from(PRINTABLE)).filter(
            lambda text: 0 < len(text) <= (field.max_length or 60)
        )
    match field.kind:
        case Kind.STRING:
            return texts().map(lambda text: text[: field.max_length])
        case Kind.CHAR:
            return st.sampled_from(string.ascii_letters + string.digits)
        case Kind.INT:
            minimum = -(10**17) if field.minimum is None else field.minimum
            return st.integers(minimum, 10**17 if field.maximum is None else field.maximum)
        case Kind.LENGTH | Kind.SEQNUM | Kind.NUMINGROUP:
            return st.integers(field.minimum or 0, 10**9 if field.maximum is None else field.maximum)
        case Kind.DECIMAL:
            if field.minimum is None and field.maximum is None:
                return decimals()
            return st.integers(field.minimum or 0, field.maximum or 10**6).map(Decimal)
        case Kind.BOOLEAN:
            return st.booleans()
        case Kind.UTCTIMESTAMP:
            return utc_times()
        case Kind.UTCDATEONLY:
            return st.dates(date(1970, 1, 1), date(2999, 1, 1))
        case Kind.UTCTIMEONLY:
            return st.times().map(lambda t: t.replace(microsecond=t.microsecond // 1000 * 1000))
        case Kind.DATA:
            return data()


def unknown_fields(dialect: Dialect) -> st.SearchStrategy[tuple[tuple[int, bytes], ...]]:
    """Unknown fields whose tags neither the dialect nor the standard's data fields use."""
    taken = {*dialect.fields, *dialect.standard_data, *dialect.standard_data.values()}
    tags = st.integers(1, 99_999).filter(lambda tag: tag not in taken)
    value = st.binary(min_size=1, max_size=12).filter(lambda raw: b"\x01" not in raw)
    return st.lists(st.tuples(tags, value), max_size=3, unique_by=lambda pair: pair[0]).map(tuple)


def hostile_fields(dialect: Dialect) -> st.SearchStrategy[tuple[tuple[int, bytes], ...]]:
    """Fields that a reader could mistake for others: any tag, and data with wrong lengths."""
    pairs = [(field.length_tag, field.tag) for field in dialect.fields.values() if field.length_tag]
    pairs += dialect.standard_data.items()
    single_tags = st.sampled_from(sorted(dialect.fields)) | st.integers(1, 99_999)
    value = st.sampled_from([b"abc", b"1", b"10", b"a\x0144=1", b"10=000\x01", b"Y"]) | st.binary(min_size=1)
    lengths = st.integers(0, 40).map(lambda number: b"%d" % number) | st.sampled_from([b"003", b"-3", b"+3"])

    def pair(tags: tuple[int | None, int], raw: bytes, wrong_length: bytes | None) -> list[tuple[Any, bytes]]:
        length = b"%d" % len(raw) if wrong_length is None else wrong_length
        return [(tags[0], length), (tags[1], raw)]

    data_fields = st.builds(pair, st.sampled_from(pairs), value, st.none() | lengths)
    single_fields = st.tuples(single_tags, value | lengths).map(lambda field: [field])
    return st.lists(data_fields | single_fields, min_size=1, max_size=3).map(
        lambda runs: tuple(field for run in runs for field in run)
    )


def blocks(
    layout: BlockLayout, dialect: Dialect, *, unknown: bool = True, opens_entry: tuple[int, ...] = ()
) -> st.SearchStrategy[Any]:
    """Instances of a block's class: with all required members, and some of the others.

    An entry of a group has at least one of the tags that begin an entry (`opens_entry`).
    """
    required = {
        member.attribute: _member(member, dialect, unknown=unknown)
        for member in layout.members
        if is_required(member)
    }
    optional = {
        member.attribute: _member(member, dialect, unknown=unknown)
        for member in layout.members
        if member.attribute not in required and member.tag not in CODEC_TAGS
    }
    if unknown:
        optional["unknown"] = unknown_fields(dialect)
    instances = st.fixed_dictionaries(required, optional=optional).map(lambda given: layout.cls(**given))
    openers = [member.attribute for member in layout.members if member.tag in opens_entry]
    if not openers:
        return instances
    return instances.filter(lambda entry: any(getattr(entry, name) is not None for name in openers))


def _member(member: Member, dialect: Dialect, *, unknown: bool) -> st.SearchStrategy[Any]:
    if isinstance(member, FieldMember):
        return values(member.field)
    return groups(member, dialect, unknown=unknown)


def groups(member: GroupMember, dialect: Dialect, *, unknown: bool = True) -> st.SearchStrategy[list[Block]]:
    """Lists of a group's entries."""
    max_size = 3 if member.maximum is None else min(3, member.maximum)
    entries = st.deferred(
        lambda: blocks(member.entry, dialect, unknown=unknown, opens_entry=member.delimiters)
    )
    return st.lists(entries, min_size=min(member.minimum, max_size), max_size=max_size)


def messages(layout: MessageLayout, dialect: Dialect, *, unknown: bool = True) -> st.SearchStrategy[Message]:
    """Instances of a message's class."""
    return blocks(layout.body, dialect, unknown=unknown)


def headers(dialect: Dialect) -> st.SearchStrategy[Any]:
    """Instances of the header's class.

    They have no unknown fields, because an unknown field after the last header field is read as part of the
    body."""
    return blocks(dialect.header, dialect, unknown=False)


def any_message(dialect: Dialect, *, unknown: bool = True) -> st.SearchStrategy[Message]:
    """Instances of any message class of a dialect."""
    return st.sampled_from(list(dialect.messages.values())).flatmap(
        lambda layout: messages(layout, dialect, unknown=unknown)
    )
