"""Framing as QuickFIX does it: a message with a wrong BodyLength ends with the next CheckSum field."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio.framing import Frame, Framer, Garbled, Oversized, encode_frame
from tests.framing.test_framing import frames_of, split_into

FIRST = encode_frame("FIXT.1.1", b"35=0\x0134=2\x01")
SECOND = encode_frame("FIXT.1.1", b"35=1\x0134=3\x01112=HELLO\x01")
THIRD = encode_frame("FIXT.1.1", b"35=0\x0134=4\x01")
SIZES = pytest.mark.parametrize("size", [1, 2, 7, 10_000])


def with_length(message: bytes, length: int) -> bytes:
    """Return the message with only BodyLength changed."""
    begin, _, rest = message.split(b"\x01", 2)
    return b"%b\x019=%d\x01%b" % (begin, length, rest)


def framed(data: bytes, size: int, **settings: bool | int) -> list[Frame | Garbled | Oversized]:
    return frames_of(split_into(data, size), Framer(**settings))  # type: ignore[arg-type]


@SIZES
@pytest.mark.parametrize("length", [1, 5, 9])
def test_a_body_length_that_is_too_small_loses_only_its_own_message(length: int, size: int) -> None:
    wrong = with_length(FIRST, length)
    found = framed(wrong + SECOND, size, skip_by_check_sum=True)
    assert found == [
        Garbled(f"CheckSum is not at the position given by BodyLength {length}", wrong, len(wrong)),
        Frame(SECOND),
    ]


@SIZES
@pytest.mark.parametrize("skip_by_check_sum", [True, False])
def test_a_body_length_that_reaches_into_the_next_message_loses_both(
    skip_by_check_sum: bool, size: int
) -> None:
    wrong = with_length(FIRST, 25)
    found = framed(wrong + SECOND + THIRD, size, skip_by_check_sum=skip_by_check_sum)
    lost = wrong + SECOND if skip_by_check_sum else wrong
    kept = [Frame(THIRD)] if skip_by_check_sum else [Frame(SECOND), Frame(THIRD)]
    assert found == [
        Garbled("CheckSum is not at the position given by BodyLength 25", lost, len(lost)),
        *kept,
    ]


@SIZES
def test_the_framer_does_not_wait_for_a_missing_check_sum_field(size: int) -> None:
    wrong = b"8=FIXT.1.1\x019=5\x0135=0\x0158=" + b"x" * 200
    found = framed(wrong + SECOND, size, skip_by_check_sum=True, max_body_length=100)
    assert found == [
        Garbled("CheckSum is not at the position given by BodyLength 5", wrong, len(wrong)),
        Frame(SECOND),
    ]


def test_searching_for_a_check_sum_field_takes_linear_time() -> None:
    wrong = b"8=FIXT.1.1\x019=5\x0135=0\x0158=" + b"x" * 200_000
    framer = Framer(skip_by_check_sum=True)
    assert frames_of(split_into(wrong, 1), framer) == []
    (garbled, frame) = frames_of([b"\x0110=000\x01", FIRST], framer)
    assert isinstance(garbled, Garbled)
    assert garbled.size == len(wrong) + 8
    assert frame == Frame(FIRST)


def test_abandoning_an_incomplete_message_finds_the_next_one() -> None:
    framer = Framer(skip_by_check_sum=True)
    wrong = with_length(FIRST, 60)
    assert frames_of([wrong, SECOND], framer) == []
    framer.resync()
    assert [type(item) for item in frames_of([b""], framer)] == [Garbled, Frame]
