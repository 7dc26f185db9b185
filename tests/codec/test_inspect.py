"""Inspection shows any message as a tree of nodes, however damaged it is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalshi_fix_sansio.codec import Codec, FieldNode, GroupNode, Node
from kalshi_fix_sansio.dialect.problems import Reason
from tests.codec.wire import VALID_BODIES, damaged, fields_of
from tests.tiny_dialect import DIALECT, FIELDS, ORDER, PARTIES, frame

CODEC = Codec(DIALECT)


def shown(nodes: tuple[Node, ...]) -> str:
    """Return the nodes as `tag=value` text, entries in brackets."""
    parts = []
    for node in nodes:
        if isinstance(node, FieldNode):
            parts.append(f"{node.tag}={node.text}" + ("" if node.placed else "?"))
        else:
            entries = "".join(f"[{shown(entry)}]" for entry in node.entries)
            parts.append(f"{node.tag}={node.raw.decode()}{entries}")
    return " ".join(parts)


def test_a_valid_message_is_shown_with_all_its_fields() -> None:
    inspection = CODEC.inspect(frame("D", "11=a|38=10.00|453=1|448=p|802=1|523=s|58=x|"))
    assert inspection.msg_type == "D"
    assert inspection.layout is ORDER
    assert shown(inspection.header) == "8=FIXT.1.1 9=88 35=D 49=a 56=b 34=7 52=20260801-12:30:15.123"
    assert shown(inspection.body) == "11=a 38=10.00 453=1[448=p 802=1[523=s]] 58=x"
    assert shown(inspection.trailer).startswith("10=")
    assert inspection.problems == ()
    quantity, parties = inspection.body[1:3]
    assert isinstance(quantity, FieldNode)
    assert quantity.layout is FIELDS[38]
    assert isinstance(parties, GroupNode)
    assert parties.layout.entry is PARTIES.entry


def test_every_field_on_the_wire_is_shown_in_its_position() -> None:
    inspection = CODEC.inspect(frame("D", "11=a|9001=x|11=b|383=5|453=2|448=p|9002=y|43=Y|38=1|9003=|"))
    assert shown(inspection.body) == "11=a 9001=x? 11=b? 383=5? 453=2[448=p 9002=y?] 38=1 9003=?"
    assert shown(inspection.header).endswith("52=20260801-12:30:15.123 43=Y")
    undefined, other = inspection.body[1], inspection.body[3]
    assert isinstance(undefined, FieldNode)
    assert undefined.layout is None
    assert isinstance(other, FieldNode)
    assert other.layout is FIELDS[383]


def test_unknown_tags_and_missing_fields_are_distinguished() -> None:
    inspection = CODEC.inspect(frame("D", "11=a|9001=x|383=5|"))
    assert [(problem.reason, problem.tag) for problem in inspection.problems] == [
        (Reason.UNDEFINED_TAG, 9001),
        (Reason.TAG_NOT_DEFINED_FOR_MESSAGE, 383),
        (Reason.REQUIRED_TAG_MISSING, 38),
    ]


def test_an_invalid_frame_is_reported_first_and_its_fields_are_shown() -> None:
    data = frame("D", "11=a|38=x|").replace(b"\x019=", b"\x019=1")[:-4] + b"000\x01"
    inspection = CODEC.inspect(data)
    length, check_sum, quantity = inspection.problems
    assert str(length).startswith("BodyLength (9) is '1")
    assert str(check_sum).startswith("CheckSum (10) is '000', expected ")
    assert quantity.tag == 38
    assert shown(inspection.body) == "11=a 38=x"


@pytest.mark.parametrize("size", range(1, len(frame("D", "11=a|38=1|453=1|448=p|"))))
def test_a_message_truncated_anywhere_is_shown(size: int) -> None:
    data = frame("D", "11=a|38=1|453=1|448=p|")
    inspection = CODEC.inspect(data[:size])
    assert inspection.problems
    assert len({(problem.reason, problem.tag) for problem in inspection.problems}) == len(inspection.problems)


def test_the_truncated_field_is_named() -> None:
    inspection = CODEC.inspect(frame("D", "11=a|38=1|44=0.4567|")[:-10])
    assert [str(problem) for problem in inspection.problems] == [
        "CheckSum (10) with three digits is not the last field: the message is cut short or damaged",
        "Price (44) is cut short by the end of the message",
    ]
    assert shown(inspection.body) == "11=a 38=1"
    inspection = CODEC.inspect(frame("D", "11=a|38=1|9001=abc|")[:-10])
    assert str(inspection.problems[1]) == "tag 9001 is cut short by the end of the message"


def test_another_version_is_reported_once() -> None:
    data = frame("A", "").replace(b"FIXT.1.1", b"FIX.4.4", 1)
    assert [(problem.reason, problem.tag) for problem in CODEC.inspect(data).problems] == [
        (Reason.VALUE_INCORRECT, 10),
        (Reason.VALUE_INCORRECT, 8),
    ]
    inspection = CODEC.inspect(frame("A", "").replace(b"FIXT.1.1", b"BEER", 1))
    assert [problem.tag for problem in inspection.problems] == [8, 10]


def test_messages_of_unknown_type_are_shown_field_by_field() -> None:
    inspection = CODEC.inspect(frame("ZZ", "55=K|453=1|448=p|"))
    assert (inspection.msg_type, inspection.layout) == ("ZZ", None)
    assert shown(inspection.body) == "55=K? 453=1? 448=p?"
    assert [problem.reason for problem in inspection.problems] == [Reason.INVALID_MSG_TYPE]


def test_bytes_that_are_not_a_message_can_be_inspected() -> None:
    inspection = CODEC.inspect(b"8=")
    assert inspection.msg_type is None
    assert CODEC.inspect(b"").problems


@settings(max_examples=200)
@given(damaged([fields_of(body) for body in VALID_BODIES]), st.integers(0, 60), st.binary(max_size=3))
def test_any_damaged_message_can_be_inspected(data: bytes, at: int, junk: bytes) -> None:
    inspection = CODEC.inspect(data[: -at or None] + junk)
    assert shown(inspection.header).startswith("8=FIXT.1.1")
