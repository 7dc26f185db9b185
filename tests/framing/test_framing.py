"""Framing: every stream yields its messages, however it is split, and no valid message is lost to garbage."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalshi_fix_sansio.dialect.problems import Reason
from kalshi_fix_sansio.framing import (
    MAX_SAMPLE,
    Frame,
    Framer,
    Garbled,
    Oversized,
    byte_sum,
    encode_frame,
    frame_problems,
    is_frame,
)

HEARTBEAT = encode_frame("FIXT.1.1", b"35=0\x0134=2\x01")
ORDER = encode_frame("FIXT.1.1", b"35=D\x0111=a\x0158=8=FIXT.1.1 9=5 10=000\x01")
WITH_SOH = encode_frame("FIXT.1.1", b"35=A\x0195=16\x0196=x\x0110=000\x018=FIX\x01\x01")
OTHER_VERSION = encode_frame("FIX.4.4", b"35=0\x01")
NO_START = "the bytes do not begin with BeginString, BodyLength and MsgType"
SIZES = pytest.mark.parametrize("size", [1, 10_000])


@pytest.fixture
def framer() -> Framer:
    """Return a new framer."""
    return Framer()


def frames_of(chunks: Iterable[bytes], framer: Framer | None = None) -> list[Frame | Garbled | Oversized]:
    framer = framer or Framer()
    found = []
    for chunk in chunks:
        framer.feed(chunk)
        while (item := framer.next()) is not None:
            found.append(item)
    return found


def split_into(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def with_check_sum(data: bytes) -> bytes:
    return data + b"10=%03d\x01" % (sum(data) % 256)


@pytest.mark.parametrize(
    "data", [b"", b"a", b"ascii" * 1000, b"\xff" * 255, b"\xff" * 256, b"\xff" * 1000, bytes(range(256)) * 5]
)
def test_byte_sum_equals_the_sum_of_the_bytes(data: bytes) -> None:
    assert byte_sum(data) == byte_sum(bytearray(data)) == sum(data)


def test_encode_frame_agrees_with_a_hand_written_frame() -> None:
    assert b"8=FIXT.1.1\x019=10\x0135=0\x0134=2\x0110=" + HEARTBEAT[-4:] == HEARTBEAT
    assert with_check_sum(b"8=FIXT.1.1\x019=10\x0135=0\x0134=2\x01") == HEARTBEAT
    assert Frame(OTHER_VERSION).begin_string == "FIX.4.4"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10_000])
def test_messages_are_framed_however_the_stream_is_split(size: int) -> None:
    messages = [HEARTBEAT, WITH_SOH, ORDER, OTHER_VERSION, HEARTBEAT]
    assert frames_of(split_into(b"".join(messages), size)) == [Frame(message) for message in messages]


def test_a_message_is_not_returned_before_its_last_byte(framer: Framer) -> None:
    assert frames_of([ORDER[:-1]], framer) == []
    assert framer.pending == len(ORDER) - 1
    assert frames_of([ORDER[-1:]], framer) == [Frame(ORDER)]
    assert framer.pending == 0


@pytest.mark.parametrize("size", [1, 5, 10_000])
def test_garbage_between_messages_is_reported_together(size: int) -> None:
    garbage = b"GET / HTTP/1.1\r\n8=FIXT.1.1\x019=x8=FI8=FIXT.1.18=\x01"
    found = frames_of(split_into(HEARTBEAT + garbage + ORDER, size))
    assert found == [Frame(HEARTBEAT), Garbled(NO_START, garbage, len(garbage)), Frame(ORDER)]


def test_garbage_is_counted_and_only_its_beginning_kept(framer: Framer) -> None:
    garbage = bytes(range(2, 256)) * 40
    found = frames_of([*split_into(garbage, 100), HEARTBEAT], framer)
    assert found == [Garbled(NO_START, garbage[:MAX_SAMPLE], len(garbage)), Frame(HEARTBEAT)]
    framer.feed(garbage)
    assert framer.next() is None
    assert framer.pending == 0


@SIZES
def test_a_wrong_check_sum_is_reported_at_once_and_loses_no_other_message(size: int) -> None:
    wrong = ORDER[:-4] + (b"000\x01" if ORDER[-4:] != b"000\x01" else b"001\x01")
    found = frames_of(split_into(wrong, size))
    (garbled,) = found
    assert isinstance(garbled, Garbled)
    assert garbled.size == len(wrong)
    assert garbled.reason.startswith("CheckSum is 000, expected ")
    assert frames_of(split_into(wrong + HEARTBEAT + wrong + wrong + OTHER_VERSION, size)) == [
        garbled,
        Frame(HEARTBEAT),
        garbled,
        garbled,
        Frame(OTHER_VERSION),
    ]


@SIZES
def test_a_message_inside_a_broken_one_is_found(size: int) -> None:
    broken = b"8=FIXT.1.1\x019=%d\x0135=0\x0158=cut" % (15 + len(HEARTBEAT) - 7)
    [garbled, *found] = frames_of(split_into(broken + HEARTBEAT + ORDER, size))
    assert isinstance(garbled, Garbled)
    assert found == [Frame(HEARTBEAT), Frame(ORDER)]


@SIZES
def test_a_wrong_body_length_loses_only_its_own_message(size: int) -> None:
    for length in (9, 11):
        wrong = with_check_sum(b"8=FIXT.1.1\x019=%d\x0135=0\x0134=2\x01" % length)
        found = frames_of(split_into(wrong + HEARTBEAT, size))
        garbled = Garbled(f"CheckSum is not at the position given by BodyLength {length}", wrong, len(wrong))
        assert found == [garbled, Frame(HEARTBEAT)]


@pytest.mark.parametrize(
    "length", [b"-10", b"+10", b" 10", b"1_0", b"010", b"", b"1e1", b"0", b"9999999999", b"\xb2", b"10 "]
)
@SIZES
def test_a_non_numeric_body_length_is_garbage(length: bytes, size: int) -> None:
    wrong = with_check_sum(b"8=FIXT.1.1\x019=%b\x0135=0\x0134=2\x01" % length)
    found = frames_of(split_into(wrong + HEARTBEAT, size))
    assert found == [Garbled(NO_START, wrong, len(wrong)), Frame(HEARTBEAT)]


def test_a_message_over_the_limit_is_reported_at_its_beginning_and_skipped() -> None:
    framer = Framer(max_body_length=len(ORDER))
    large = encode_frame("FIXT.1.1", b"35=D\x0158=%b\x01" % (b"x" * 5000))
    head = large.index(b"58=")
    assert frames_of([large[: head - 1]], framer) == []
    (oversized,) = frames_of([large[head - 1 : head]], framer)
    assert oversized == Oversized(5009, len(ORDER), "D")
    assert frames_of(split_into(large[head:], 64), framer) == []
    assert framer.pending < len(b"8=FIXT.1.1\x019=")
    reason = f"BodyLength 5009 is over the limit of {len(ORDER)}"
    assert frames_of([HEARTBEAT], framer) == [
        Garbled(reason, large[:MAX_SAMPLE], len(large), oversized=True),
        Frame(HEARTBEAT),
    ]


def test_a_body_of_exactly_the_maximum_length_is_accepted() -> None:
    assert frames_of([HEARTBEAT], Framer(max_body_length=10)) == [Frame(HEARTBEAT)]
    assert frames_of([HEARTBEAT], Framer(max_body_length=9)) == [Oversized(10, 9, "0")]


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_each_of_several_messages_over_the_limit_is_reported(size: int) -> None:
    found = frames_of(split_into(ORDER + OTHER_VERSION + ORDER + HEARTBEAT, size), Framer(max_body_length=10))
    length = len(ORDER) - len(b"8=FIXT.1.1\x019=43\x01") - len(b"10=000\x01")
    reported = Oversized(length, 10, "D")
    skipped = len(ORDER + OTHER_VERSION + ORDER)
    [garbled] = [item for item in found if isinstance(item, Garbled)]
    assert (garbled.size, garbled.oversized) == (skipped, True)
    found.remove(garbled)
    assert found == [reported, reported, Frame(HEARTBEAT)]


@SIZES
def test_garbage_that_begins_before_a_message_over_the_limit_is_not_marked_as_oversized(size: int) -> None:
    data = b"?" + ORDER + HEARTBEAT + ORDER + HEARTBEAT
    found = frames_of(split_into(data, size), Framer(max_body_length=10))
    assert [type(item) for item in found] == [Oversized, Garbled, Frame] * 2
    assert [item.oversized for item in found if isinstance(item, Garbled)] == [False, True]


@SIZES
@pytest.mark.parametrize("msg_type", [b"", b"\xff", b"123456789"])
def test_an_unreadable_type_of_a_message_over_the_limit_is_none(msg_type: bytes, size: int) -> None:
    large = encode_frame("FIXT.1.1", b"35=%b\x0158=some more text\x01" % msg_type)
    found = frames_of(split_into(large, size), Framer(max_body_length=10))
    assert [item.msg_type for item in found if isinstance(item, Oversized)] == [None]


def test_msg_type_must_be_the_third_field() -> None:
    wrong = with_check_sum(b"8=FIXT.1.1\x019=10\x0134=2\x0135=0\x01")
    assert [type(item) for item in frames_of([wrong + HEARTBEAT])] == [Garbled, Frame]


def test_garbage_is_searched_for_the_expected_version_only() -> None:
    garbage = b"?" + OTHER_VERSION
    assert frames_of([garbage + HEARTBEAT]) == [Garbled(NO_START, garbage, len(garbage)), Frame(HEARTBEAT)]
    other = Framer("FIX.4.4")
    assert frames_of([garbage], other)[1:] == [Frame(OTHER_VERSION)]


def test_an_incomplete_message_can_be_abandoned(framer: Framer) -> None:
    incomplete = b"8=FIXT.1.1\x019=200000\x0135=D\x01"
    assert frames_of([incomplete, HEARTBEAT, ORDER], framer) == []
    assert framer.pending == len(incomplete + HEARTBEAT + ORDER)
    framer.resync()
    garbled = Garbled("the end of the message did not arrive", incomplete, len(incomplete))
    assert frames_of([b""], framer) == [garbled, Frame(HEARTBEAT), Frame(ORDER)]
    assert framer.pending == 0


def test_abandoning_a_message_also_reports_bytes_skipped_earlier(framer: Framer) -> None:
    assert frames_of([b"garbage8=FIXT"], framer) == []
    assert framer.pending == 6
    framer.resync()
    assert framer.pending == 0
    assert framer.next() == Garbled(NO_START, b"garbage8=FIXT", 13)
    assert framer.next() is None


def test_abandoning_without_a_pending_message_has_no_effect(framer: Framer) -> None:
    framer.resync()
    assert framer.next() is None
    assert frames_of([b"x"], framer) == []
    assert [type(item) for item in frames_of([HEARTBEAT], framer)] == [Garbled, Frame]


def test_reprs_show_no_content() -> None:
    assert repr(Frame(HEARTBEAT)) == "Frame()"
    assert "secret" not in repr(Garbled("why", b"secret", 6))


FRAGMENTS = [
    HEARTBEAT,
    ORDER,
    WITH_SOH,
    OTHER_VERSION,
    HEARTBEAT[:-4] + b"000\x01",
    b"8=FIXT.1.1\x019=",
    b"8=FIXT.1.1\x019=30\x0135=",
    b"8=FIXT.1.1\x019=300\x0135=8\x01",
    b"8=FIXT.1.1\x019=300000\x0135=8\x01",
    b"8=FIXT.1.1\x019=300000\x0135=",
    b"8=FIX.4.4\x019=5\x0135=0\x0110=000\x01",
    b"8=FIX",
    b"8=F",
    b"8",
    b"\x0110=000\x01",
    b"10=123\x01",
    b"x",
    b"\xff\x00",
    b"35=0\x01",
    b"58=abcdefghijklmnopqrstuvwxyz\x01",
]
STREAMS = st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=8), max_size=30).map(b"".join)


@settings(max_examples=500)
@given(STREAMS, st.lists(st.integers(1, 40), min_size=1, max_size=50))
def test_the_result_does_not_depend_on_the_chunks(stream: bytes, sizes: list[int]) -> None:
    expected = frames_of([stream])
    chunks, at, index = [], 0, 0
    while at < len(stream):
        size = sizes[index % len(sizes)]
        chunks.append(stream[at : at + size])
        at, index = at + size, index + 1
    framer = Framer()
    assert frames_of(chunks, framer) == expected
    framer.resync()
    while framer.pending or framer.next() is not None:
        framer.resync()
    assert sum(len(item.data) for item in expected if isinstance(item, Frame)) <= len(stream)


@settings(max_examples=200)
@given(STREAMS)
def test_every_byte_is_in_a_frame_or_counted_as_skipped(stream: bytes) -> None:
    framer = Framer()
    found = frames_of([stream], framer)
    while framer.pending:
        framer.resync()
        found += frames_of([b""], framer)
    framer.resync()
    found += frames_of([b""], framer)
    skipped = sum(item.size for item in found if isinstance(item, Garbled))
    assert skipped + sum(len(item.data) for item in found if isinstance(item, Frame)) == len(stream)
    assert all(is_frame(item.data) for item in found if isinstance(item, Frame))


class ForgetfulDict(dict[bytes, int]):
    """A dictionary that never stores a value."""

    def __setitem__(self, key: bytes, value: int) -> None:
        pass


SIMILAR_MESSAGES = [
    *FRAGMENTS,
    encode_frame("FIXT.1.1", b"35=0\x0134=3\x01"),
    HEARTBEAT[:20],
    ORDER[:30],
    ORDER[20:],
]


@settings(max_examples=800)
@given(
    st.lists(st.sampled_from(SIMILAR_MESSAGES) | st.binary(max_size=3), max_size=30).map(b"".join),
    st.integers(1, 60),
    st.booleans(),
)
def test_the_framers_cache_does_not_change_the_result(
    stream: bytes, chunk: int, skip_by_check_sum: bool
) -> None:
    forgetful, primed = (Framer(skip_by_check_sum=skip_by_check_sum) for _ in range(2))
    forgetful._sizes = ForgetfulDict()
    valid = HEARTBEAT + ORDER + WITH_SOH + OTHER_VERSION
    chunks = [valid, *split_into(stream, chunk)]
    assert frames_of(chunks, primed) == frames_of(chunks, forgetful)
    for framer in (primed, forgetful):
        framer.resync()
    assert frames_of([b"", valid], primed) == frames_of([b"", valid], forgetful)
    assert (primed.pending, primed.skipped) == (forgetful.pending, forgetful.skipped)


def test_the_cache_of_message_beginnings_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kalshi_fix_sansio.framing.framer.MAX_HEADS", 5)
    framer = Framer()
    for size in [*range(1, 40), *range(40, 1, -3)]:
        data = encode_frame("FIXT.1.1", b"35=0\x0158=" + b"x" * size + b"\x01")
        assert frames_of([data], framer) == [Frame(data)]
        assert len(framer._sizes) <= 5


def test_only_messages_of_the_expected_version_are_cached(framer: Framer) -> None:
    versions = ("FIX.4.4", "FIXT.1.1", "FIX" + "T" * 20)
    data = [encode_frame(version, b"35=0\x0158=abc\x01") for version in versions]
    assert frames_of(data * 3, framer) == [Frame(item) for item in data * 3]
    assert len(framer._sizes) == 1


def test_a_cached_message_is_not_returned_before_its_last_byte(framer: Framer) -> None:
    framer.feed(ORDER)
    assert framer.next() == Frame(ORDER)
    for byte in split_into(ORDER, 1)[:-1]:
        framer.feed(byte)
        assert framer.next() is None
    framer.feed(ORDER[-1:] + ORDER)
    assert [framer.next(), framer.next(), framer.next()] == [Frame(ORDER), Frame(ORDER), None]


def nested(total: int) -> bytes:
    """Return the beginnings of messages that all claim the same end, with a placeholder for the CheckSum."""
    starts = []
    left = total
    while left > 60:
        head = b"8=FIXT.1.1\x019=%d\x01" % (left - 20)
        starts.append(b"8=FIXT.1.1\x019=%d\x0135=" % (left - len(head)))
        left -= len(starts[-1])
    return b"".join(starts) + b"x" * (left - 1) + b"\x0110=%03d\x01"


@pytest.mark.parametrize("chunk", [97, 10_000])
def test_check_sums_of_nested_messages_are_computed_correctly(chunk: int) -> None:
    """The valid message is found, however many attempts over the same bytes have failed."""
    template = nested(5000)
    for check_sum in range(0, 256, 37):
        stream = template % check_sum
        found = [item for item in frames_of(split_into(stream, chunk)) if isinstance(item, Frame)]
        expected = [
            start
            for start in range(len(stream))
            if stream.startswith(b"8=FIXT.1.1\x019=", start) and sum(stream[start:-7]) % 256 == check_sum
        ]
        assert [len(stream) - len(frame.data) for frame in found] == expected[:1]


@pytest.fixture
def summed_sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Record the number of bytes that each call sums for a CheckSum."""
    sizes: list[int] = []

    def sum_and_record(data: bytes | bytearray) -> int:
        sizes.append(len(data))
        return byte_sum(data)

    for module in ("framer", "sums"):
        monkeypatch.setattr(f"kalshi_fix_sansio.framing.{module}.byte_sum", sum_and_record)
    return sizes


def test_work_is_linear_in_the_size_of_hostile_streams(summed_sizes: list[int]) -> None:
    """The number of bytes summed for CheckSum is at most a small multiple of the bytes received."""
    for size in (20_000, 40_000, 80_000):
        stream = nested(size) % 0 + nested(size) % 1
        summed_sizes.clear()
        frames_of(split_into(stream, 4096))
        assert sum(summed_sizes) < 40 * len(stream)


def test_work_is_linear_if_broken_messages_begin_like_valid_ones(summed_sizes: list[int]) -> None:
    """Each beginning is that of a long valid message sent earlier, but a short valid message follows."""
    valid = encode_frame("FIXT.1.1", b"35=D\x0158=" + b"x" * 20_000 + b"\x01")
    head = valid[: valid.index(b"35=D\x01") + 5]
    stream = valid + (head + HEARTBEAT) * 1000 + valid
    found = [item for item in frames_of([stream]) if isinstance(item, Frame)]
    assert (found[0].data, found[-1].data, len(found)) == (valid, valid, 1002)
    assert sum(summed_sizes) < 10 * len(stream)


def test_work_is_linear_if_a_message_continues_in_the_next_chunk(summed_sizes: list[int]) -> None:
    """The buffer is trimmed after a broken message, inside which a second message has already begun."""
    for size in (20_000, 80_000):
        end = b"\x0110=000\x01"
        second = b"8=FIXT.1.1\x019=%d\x0135=0\x01" % (len(b"35=0\x01") + len(end) + size + 1)
        body = b"35=0\x0158=" + b"x" * size + second
        first = b"8=FIXT.1.1\x019=%d\x01%b%b" % (len(body) + 1, body, end)
        wrong = [first, b"y" * size + end + HEARTBEAT]
        summed_sizes.clear()
        found = frames_of(wrong)
        assert found[-1] == Frame(HEARTBEAT)
        assert sum(summed_sizes) < 10 * sum(map(len, wrong))


def test_trimming_the_buffer_keeps_check_sums_correct() -> None:
    """Many broken messages are received in chunks, and a valid message follows much later."""
    start = b"8=FIXT.1.1\x019=1000\x0135=0\x01"
    broken = (start + b"y" * 400) * 20
    stream = bytearray(broken + b"z" * 1200)
    for at in range(0, len(broken), len(start) + 400):
        end = at + stream.index(b"35=", at) - at + 1000
        stream[end - 1 : end + 7] = b"\x0110=999\x01"
    found = frames_of(split_into(bytes(stream) + HEARTBEAT, 61))
    assert found[-1] == Frame(HEARTBEAT)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", [(Reason.TAG_OUT_OF_ORDER, 8)]),
        (b"9=5\x01", [(Reason.TAG_OUT_OF_ORDER, 8)]),
        (b"8=FIXT.1.1", [(Reason.TAG_OUT_OF_ORDER, 8)]),
        (b"8=FIXT.1.1\x0135=0\x01", [(Reason.TAG_OUT_OF_ORDER, 9)]),
        (b"8=FIXT.1.1\x019=5\x0134=1\x01", [(Reason.TAG_OUT_OF_ORDER, 35)]),
        (HEARTBEAT[:-1], [(Reason.REQUIRED_TAG_MISSING, 10)]),
        (HEARTBEAT[:-7], [(Reason.REQUIRED_TAG_MISSING, 10)]),
        (HEARTBEAT.replace(b"\x0110=", b"110="), [(Reason.REQUIRED_TAG_MISSING, 10)]),
        (HEARTBEAT.replace(b"9=10", b"9=11"), [(Reason.VALUE_INCORRECT, 9), (Reason.VALUE_INCORRECT, 10)]),
        (with_check_sum(b"8=FIXT.1.1\x019=010\x0135=0\x0134=2\x01"), [(Reason.VALUE_INCORRECT, 9)]),
        (with_check_sum(b"8=BEER\x019=10\x0135=0\x0134=2\x01"), [(Reason.VALUE_INCORRECT, 8)]),
        (HEARTBEAT[:-4] + b"000\x01", [(Reason.VALUE_INCORRECT, 10)]),
        (HEARTBEAT, []),
        (OTHER_VERSION, []),
    ],
)
def test_the_problems_with_a_frame_are_reported(data: bytes, expected: list[tuple[Reason, int]]) -> None:
    assert [(problem.reason, problem.tag) for problem in frame_problems(data)] == expected
    assert is_frame(data) == (not expected)


def test_problems_contain_the_found_and_the_expected_value() -> None:
    wrong = with_check_sum(b"8=FIXT.1.1\x019=12\x0135=0\x0134=2\x01")[:-4] + b"001\x01"
    length, check_sum = frame_problems(wrong)
    assert str(length) == "BodyLength (9) is '12', expected 10"
    assert length.value == "12"
    assert str(check_sum) == f"CheckSum (10) is '001', expected {sum(wrong[:-7]) % 256:03d}"


@settings(max_examples=300)
@given(st.data())
def test_a_single_changed_byte_is_always_detected(data: st.DataObject) -> None:
    changed = bytearray(ORDER)
    at = data.draw(st.integers(0, len(changed) - 1))
    changed[at] = data.draw(st.integers(0, 255).filter(lambda value: value != changed[at]))
    assert not is_frame(bytes(changed))
    assert frame_problems(bytes(changed))


@SIZES
@pytest.mark.parametrize("skip_by_check_sum", [False, True])
@pytest.mark.parametrize("warm", [False, True])
def test_a_check_sum_field_without_a_preceding_soh_does_not_end_a_message(
    size: int, skip_by_check_sum: bool, warm: bool
) -> None:
    valid = with_check_sum(b"8=FIXT.1.1\x019=12\x0135=0\x0134=2\x017\x01")
    wrong = with_check_sum(b"8=FIXT.1.1\x019=12\x0135=0\x0134=2\x0177")
    assert len(valid) == len(wrong)
    assert is_frame(valid)
    assert not is_frame(wrong)
    framer = Framer(skip_by_check_sum=skip_by_check_sum)
    if warm:
        assert frames_of([valid], framer) == [Frame(valid)]
    found = frames_of(split_into(wrong + HEARTBEAT + valid, size), framer)
    assert Frame(wrong) not in found
    assert found[-1] == Frame(valid)
    assert isinstance(found[0], Garbled)
    assert found[0].reason == "CheckSum is not at the position given by BodyLength 12"
