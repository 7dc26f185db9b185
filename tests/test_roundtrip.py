"""Every message of the dialect encoded and decoded, and decoded from truncated bytes."""

from __future__ import annotations

import contextlib
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kalshi_fix_sansio import DIALECT, DecodeError, EncodeError, Header, decode, decode_strict, encode
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.dialect.layout import Dialect, MessageLayout
from kalshi_fix_sansio.framing import Frame, Framer
from kalshi_fix_sansio.messages import inspect
from tests.fix50sp2.dialect import DIALECT as FIX50SP2
from tests.samples import full
from tests.strategies import any_message, headers, hostile_fields, messages, unknown_fields
from tests.tiny_dialect import DIALECT as TINY

every_message = pytest.mark.parametrize(
    "layout", DIALECT.messages.values(), ids=[layout.name for layout in DIALECT.messages.values()]
)


HEADER: Header = full(DIALECT.header, unknown=())


@every_message
def test_a_full_message_survives_a_round_trip_with_its_header(layout: MessageLayout) -> None:
    message = full(layout.body)
    back: Any = decode(encode(message, HEADER))
    assert back == message
    assert back.problems == ()
    assert back.header == attrs.evolve(
        HEADER,
        begin_string="FIXT.1.1",
        msg_type=layout.msg_type,
        body_length=back.header.body_length,
    )


@every_message
@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(data=st.data())
def test_any_message_survives_a_round_trip(layout: MessageLayout, data: st.DataObject) -> None:
    message = data.draw(messages(layout, DIALECT))
    wire = encode(message, data.draw(headers(DIALECT)))
    back = decode(wire)
    assert back == message
    assert back.problems == ()
    assert encode(back) == wire
    framer = Framer()
    framer.feed(wire)
    framed = framer.next()
    assert isinstance(framed, Frame)
    assert decode(framed) == message


@every_message
@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(data=st.data())
def test_a_message_without_unknown_fields_passes_the_strict_reader(
    layout: MessageLayout, data: st.DataObject
) -> None:
    message = data.draw(messages(layout, DIALECT, unknown=False))
    assert decode_strict(encode(message, data.draw(headers(DIALECT)))) == message


@every_message
def test_a_truncated_message_is_refused_and_can_be_inspected(layout: MessageLayout) -> None:
    data = encode(full(layout.body), HEADER)
    for length in range(len(data)):
        with pytest.raises(DecodeError):
            decode(data[:length])
        with pytest.raises(DecodeError):
            decode_strict(data[:length])
        if length > 1:
            inspection = inspect(data[:length])
            assert inspection.problems


@settings(max_examples=200)
@given(message=any_message(DIALECT), data=st.data())
def test_a_damaged_message_raises_only_documented_exceptions(message: Any, data: st.DataObject) -> None:
    wire = bytearray(encode(message, HEADER))
    for _ in range(data.draw(st.integers(1, 4))):
        wire[data.draw(st.integers(2, len(wire) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(wire)
    inspect(damaged)
    for reader in (decode, decode_strict):
        with contextlib.suppress(DecodeError):
            reader(damaged)


@settings(max_examples=100)
@given(extra=unknown_fields(DIALECT), message=any_message(DIALECT))
def test_inspection_shows_every_field(extra: Any, message: Any) -> None:
    message.unknown = extra
    wire = encode(message, HEADER)
    inspection = inspect(wire)
    assert inspection.msg_type == message.MSG_TYPE
    shown = {node.tag for node in (*inspection.header, *inspection.body, *inspection.trailer)}
    assert {tag for tag, _ in extra} <= shown
    assert {8, 9, 35, 10} <= shown


@pytest.mark.parametrize("dialect", [DIALECT, FIX50SP2, TINY], ids=["kalshi", "fix50sp2", "tiny"])
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(data=st.data())
def test_hostile_unknown_fields_are_refused_or_survive_a_round_trip(
    dialect: Dialect, data: st.DataObject
) -> None:
    """No unknown field makes a reader lose another field or confuse two fields."""
    message = data.draw(any_message(dialect, unknown=False))
    for block in data.draw(st.permutations(blocks_of(message)))[:3]:
        block.unknown = data.draw(hostile_fields(dialect))
    codec, head = Codec(dialect), data.draw(headers(dialect))
    try:
        wire = codec.encode(message, head)
    except EncodeError:
        return
    back = codec.decode(wire)
    assert back == message
    assert back.problems == ()


def blocks_of(block: Any) -> list[Any]:
    """Return a block and all entries of its groups."""
    found = [block]
    for member in block.LAYOUT.members:
        value = getattr(block, member.attribute)
        for entry in value if isinstance(value, list) else ():
            found += blocks_of(entry)
    return found
