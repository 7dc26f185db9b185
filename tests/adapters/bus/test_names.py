"""Encoded names, subjects and batch ids of the bus."""

from __future__ import annotations

import re

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_fix_adapters.bus import BatchId, Channel, escape, parse_subject, unescape

KEY = re.compile(r"[-/_=.a-zA-Z0-9]+")
"""The keys that the key-value store of NATS accepts."""
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
NUMBER = st.integers(0, 10**18)


@given(TEXT)
def test_encoded_names_are_valid_and_decode_to_the_original_text(text: str) -> None:
    name = escape(text)
    assert KEY.fullmatch(name)
    assert not set(name) & set(".*> \t:")
    assert unescape(name) == text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("KXHIGHNY-26NOV21-T55", "KXHIGHNY-26NOV21-T55"),
        ("a.b", "a=2Eb"),
        ("*>", "=2A=3E"),
        ("=", "=3D"),
        ("é", "=C3=A9"),
        ("", "="),
    ],
)
def test_names_are_encoded_as_in_the_examples(text: str, name: str) -> None:
    assert escape(text) == name


@pytest.mark.parametrize("name", ["", "a.b", "a=2", "=2e", "=41", "=FF", "==", "a b", "é", "=2E\n"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"not |decode"):
        unescape(name)


@given(TEXT, TEXT, TEXT, TEXT, TEXT, TEXT)
def test_subjects_round_trip(
    environment: str, product: str, session: str, account: str, kind: str, symbol: str
) -> None:
    channel = Channel(environment, product, session, account)
    subject = channel.subject(kind, symbol)
    assert subject.count(".") == 6
    assert KEY.fullmatch(subject)
    assert parse_subject(subject) == (channel, kind, symbol)


@pytest.mark.parametrize(
    "subject", ["", "kalshi", "other.a.b.c.d.e.f", "kalshi.a.b.c.d.e", "kalshi.a.b.c.d.e.f.g"]
)
def test_other_subjects_are_refused(subject: str) -> None:
    with pytest.raises(ValueError, match="not a subject of a session"):
        parse_subject(subject)


BATCH_IDS = st.builds(
    BatchId,
    account=TEXT,
    session=TEXT,
    fence=NUMBER,
    generation=NUMBER,
    first=NUMBER,
    last=NUMBER,
    event=NUMBER,
    part=st.integers(1, 99),
    parts=st.integers(1, 99),
)


@given(BATCH_IDS)
def test_ids_round_trip(batch: BatchId) -> None:
    ordered = attrs.evolve(batch, last=batch.first + batch.last, parts=batch.part + batch.parts - 1)
    assert BatchId.parse(str(ordered)) == ordered


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a:b:1:2:3",
        "a:b:1:2:4-3",
        "a:b:01:2:3-4",
        "a:b:1:2:3-4:p3.2",
        "a:b:1:2:3-4:p1.1",
        "a:b:1:2:3-4:e0",
        "a:b:٣:2:3-4",
        "a.c:b:1:2:3-4",
        "a:b:1:2:3-4\n",
        "a" * 2000 + ":b:1:2:3-4",
    ],
)
def test_other_ids_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not (the id of a bus message|a valid name)"):
        BatchId.parse(text)


def test_the_id_of_a_batch_is_as_documented() -> None:
    batch = BatchId(account="a:b", session="KalshiMD", fence=3, generation=2, first=17, last=36)
    assert str(batch) == "a=3Ab:KalshiMD:3:2:17-36"
