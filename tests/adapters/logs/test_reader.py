from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.targets.log_reader import CarefulLogReader
from kalshi_fix_adapters.logs import reader as log_reader
from kalshi_fix_adapters.logs.fields import SEPARATORS
from kalshi_fix_adapters.logs.reader import MAX_PREFIX, LoggedMessage, LogReader

BODY = b"35=D|34=5|49=me|56=KalshiNR|11=a1|38=10|40=2|54=1|55=HIGHNY-23DEC31|44=75|"
ORDER = b"8=FIXT.1.1|9=%d|%s10=123|" % (len(BODY), BODY)
LOGON = b"8=FIXT.1.1|9=10|35=A|98=0|10=001|"


def read(log: bytes, *, max_message: int = 1024, chunk_size: int = 1 << 30) -> list[LoggedMessage]:
    reader = LogReader(max_message)
    chunks = (log[at : at + chunk_size] for at in range(0, len(log), chunk_size))
    return [*(message for chunk in chunks for message in reader.feed(chunk)), *reader.close()]


def frames(log: bytes) -> list[bytes]:
    return [message.frame.replace(b"\x01", b"|") for message in read(log)]


def test_every_separator_is_recognised() -> None:
    for separator in SEPARATORS:
        assert frames(ORDER.replace(b"|", separator) + b"\n") == [ORDER]
        assert frames(b"b'%b'\n" % ORDER.replace(b"|", separator)) == [ORDER]


INCOMPLETE = b"8=FIXT.1.1|35=V|263=2|"


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        # Text around a message is ignored, and the last line needs no line break.
        (b"12:00:01,123 [io] <- '" + ORDER + b"' 99 bytes\n", [ORDER]),
        (ORDER, [ORDER]),
        (ORDER.rstrip(b"|"), [ORDER]),
        # A line contains several messages, with different separators.
        (ORDER + LOGON + b" then " + ORDER + b"\n" + LOGON, [ORDER, LOGON, ORDER, LOGON]),
        (ORDER.replace(b"|", b"\x01") + LOGON + ORDER.replace(b"|", b"^A"), [ORDER, LOGON, ORDER]),
        # A message spans several lines, which end with or without a separator, and with unrelated text
        # between them.
        (
            ORDER.replace(b"|11=", b"|\n11=").replace(b"|55=", b"|\r\n   55=").replace(b"|10=", b"|  \n\t10=")
            + b"\n"
            + LOGON,
            [ORDER, LOGON],
        ),
        (b"sent:\n" + ORDER.replace(b"|", b"\n") + b"\n" + LOGON, [ORDER, LOGON]),
        (ORDER.replace(b"|11=", b"\n11="), [ORDER]),
        (ORDER.replace(b"|10=", b"|\n      ^^ price\n10="), [ORDER]),
        # A line of other text or an empty line ends a message.
        (INCOMPLETE + b"\n12:00 the market\n12:01 is closed\n11=a1|\n" + LOGON, [INCOMPLETE, LOGON]),
        (INCOMPLETE + b"\n\n11=a1|\n" + LOGON, [INCOMPLETE, LOGON]),
        (INCOMPLETE + b"\r\n\r\n11=a1|", [INCOMPLETE]),
        # An incomplete message ends where the next message begins.
        (INCOMPLETE + LOGON, [INCOMPLETE, LOGON]),
        (INCOMPLETE + b"55=BTC" + LOGON, [INCOMPLETE + b"55=BTC|", LOGON]),
        (INCOMPLETE + b"\n12:00 " + LOGON, [INCOMPLETE, LOGON]),
        # Text after the last field of a line is not part of the message.
        (b"8=FIXT.1.1|35=D|11=1|...\n", [b"8=FIXT.1.1|35=D|11=1|"]),
        (b"['8=FIXT.1.1|35=D|11=1|'] ||\n", [b"8=FIXT.1.1|35=D|11=1|"]),
        # Only BeginString begins a message.
        (b"58=FIXT.1.1|35=D|11=1|10=000|\n", []),
        (b"8=FIX.4.4|35=D|11=1|10=000|\n", []),
        (b"whatever stands before 8=FIXT.1.1\nis ignored, is it not?\n", []),
    ],
)
def test_messages_are_found_in_a_log(log: bytes, expected: list[bytes]) -> None:
    assert frames(log) == expected


def test_a_text_may_contain_the_separator() -> None:
    assert frames(b"8=FIXT.1.1|35=5|58=a|b||c|10=001|")[0] == b"8=FIXT.1.1|35=5|58=a|b||c|10=001|"
    [message] = read(b"8=FIXT.1.1|35=5|58=a|b||c|10=001|")
    assert message.frame == b"8=FIXT.1.1\x0135=5\x0158=a|b||c\x0110=001\x01"
    [message] = read(b"8=FIXT.1.1|35=5|junk|58=a|10=001|")
    assert message.frame == b"8=FIXT.1.1\x0135=5\x01junk\x0158=a\x0110=001\x01"


def test_body_length_distinguishes_a_broken_value_from_two_fields() -> None:
    for position in range(ORDER.index(b"35="), ORDER.index(b"10=123") - 1):
        assert frames(ORDER[:position] + b"\n" + ORDER[position:]) == [ORDER], position


def test_a_text_may_contain_the_characters_that_begin_separators() -> None:
    text = fields("35=j", "58=a\\b<c^").replace(b"|", b"\x01")
    for separator in SEPARATORS[1:]:
        assert [found.frame for found in read(text.replace(b"\x01", separator))] == [text]


def test_a_valid_message_is_found_in_any_notation() -> None:
    for separator in SEPARATORS:
        for end in (b"\n", b"\r\n", b"'\n", b" and more\n", b""):
            for log in (VALID + end, VALID[:-1] + end):
                [found] = read(b"12:00 " + log.replace(b"|", separator))
                assert found.frame == VALID.replace(b"|", b"\x01")
    for log in (VALID.replace(b"|", b"\n"), VALID.replace(b"|", b" \r\n\t")):
        first, second = read(b"sent 12:00\n" + log + b"\n12:00 " + log)
        assert (first.line, second.line) == (2, 2 + VALID.count(b"|") + 1)
        assert {first.frame, second.frame} == {VALID.replace(b"|", b"\x01")}


def test_the_checksum_detects_a_line_break_in_a_value() -> None:
    text = b"8=FIXT.1.1\x019=18\x0135=5\x0158=one\n2=two\x01"
    whole = b"%s10=%03d\x01" % (text, sum(text) % 256)
    assert read(whole)[0].frame == whole


def test_lines_are_counted() -> None:
    log = b"\n\n" + ORDER + b"\n" + ORDER.replace(b"|", b"\n") + b"\n\nx " + LOGON + LOGON
    assert [message.line for message in read(log)] == [3, 4, 19, 19]


def test_a_message_without_an_end_is_truncated() -> None:
    [first, second] = read(b"8=FIXT.1.1|35=D|11=1|58=" + b"x" * 5000 + b"\n" + LOGON)
    assert first == LoggedMessage(b"8=FIXT.1.1\x0135=D\x0111=1\x01", 1, truncated=True)
    assert second.frame.startswith(b"8=FIXT.1.1\x019=10\x01")
    assert second.line == 2


def test_a_message_with_too_many_fields_is_truncated() -> None:
    [first, second] = read(b"8=FIXT.1.1|35=D|" + b"11=1|" * 1000 + LOGON)
    assert first.truncated
    assert len(first.frame) < 1100
    assert not second.truncated


def test_memory_is_bounded_on_a_log_without_line_ends() -> None:
    reader = LogReader(1024)
    for _ in range(200):
        assert list(reader.feed(b"junk 8=FIXT.1. " * 100)) == []
        assert len(reader._buffer) < 2000
    assert not [*reader.feed(b"8=FIXT.1.1|35=D|58=")]
    found: list[LoggedMessage] = []
    for _ in range(200):
        found += reader.feed(b" " * 1500)
        assert len(reader._buffer) < 4000
    assert [message.truncated for message in found] == [True]


class SearchCounter:
    """Counts the bytes that the searches of a log reader examine."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, reader: LogReader) -> None:
        self.bytes = 0
        counter = self

        class Pattern:
            def __init__(self, pattern: re.Pattern[bytes]) -> None:
                self._pattern = pattern

            def search(self, buffer: bytes, start: int, end: int = 1 << 62) -> Any:
                return counter.count(self._pattern.search(buffer, start, end), start, min(end, len(buffer)))

            def match(self, buffer: bytes, start: int = 0, end: int = 1 << 62) -> Any:
                found = self._pattern.match(buffer, start, end)
                return counter.count(found, start, start)

            def findall(self, buffer: bytes, start: int, end: int) -> list[bytes]:
                counter.bytes += end - start
                return self._pattern.findall(buffer, start, end)

        class Buffer(bytearray):
            def find(self, what: Any, start: Any = 0, end: Any = None) -> int:
                at = super().find(what, start, end)
                stop = len(self) if end is None else min(end, len(self))
                counter.bytes += (stop if at < 0 else at) - start
                return at

            def rfind(self, what: Any, start: Any = 0, end: Any = None) -> int:
                at = super().rfind(what, start, end)
                stop = len(self) if end is None else min(end, len(self))
                counter.bytes += stop - (start if at < 0 else at)
                return at

        for name in ("START", "_BLANKS", "_CHECKSUM", "_LINES"):
            monkeypatch.setattr(log_reader, name, Pattern(getattr(log_reader, name)))
        for name in ("_STOPS", "_ENDS"):
            patterns = {key: Pattern(value) for key, value in getattr(log_reader, name).items()}
            monkeypatch.setattr(log_reader, name, patterns)
        monkeypatch.setattr(reader, "_buffer", Buffer())

    def count(self, found: re.Match[bytes] | None, start: int, end: int) -> re.Match[bytes] | None:
        self.bytes += (end if found is None else found.end()) - start
        return found


@pytest.mark.parametrize("chunk_size", [1, 7, 100, 30_000])
@pytest.mark.parametrize(
    "log",
    [
        b"8=FIXT.1.1|35=0|58=" + b"y" * 20_000,
        b"8=FIXT.1.1|35=0|58=" + b"|" * 20_000,
        b"8=FIXT.1.1^A35=0^A58=" + b"^" * 20_000,
        b"8=FIXT.1.1<SOH>35=0<SOH>58=" + b"<SOH" * 5_000,
        b"8=FIXT.1.1^A9=5^A35=0^A" * 1_000 + b"10=000^A",
        b"8=FIXT.1.1|9=5|35=0|10=000" * 600,
        b"8=FIXT.1.1\n" + b"35=0\n" * 2_000 + b"58=8=FIXT.1.1\n" * 1_000,
        b"8=FIXT.1.1\n" + b" 35=0 \r\n" * 2_000 + b"35=0" + b" " * 4_000,
        b"8=FIXT.1.1|35=0|58=" + b"y|z\n" * 5_000,
        b"8=FIXT.1.1|35=0|10=" + b"1" * 20_000,
        b"8=FIXT.1.1|35=0|\n" + b" " * 20_000,
        b"8=FIXT.1.1|35=0|\n" + b" " * 10_000 + b"-" * 10_000,
        b"8=FIXT.1.1|35=0|58=x\n" + b"-" * 10_000 + b"|" * 10_000,
        b"8=FIXT.1.1\n" + b"35=0\n" * 4_000,
        b"8=FIXT.1.1|" * 2_000,
        b"8=FIXT.1.1|10=0|" * 1_200,
        b"8=FIXT.1.1" * 2_000,
        # In each of the next two logs, the BodyLength of every message points to a CheckSum.
        b"".join(b"8=FIXT.1.1|9=%05d|" % (19 * (1000 - item)) for item in range(1, 1001)) + b"10=000|",
        b"".join(b"8=FIXT.1.1|9=00005|35=0|10=000|" for item in range(600)),
        b"8" * 20_000,
    ],
)
def test_every_byte_is_examined_a_bounded_number_of_times(
    log: bytes, chunk_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = LogReader()
    counter = SearchCounter(monkeypatch, reader)
    for at in range(0, len(log), chunk_size):
        list(reader.feed(log[at : at + chunk_size]))
    list(reader.close())
    # The start of a message may be split anywhere, so with each chunk a few searches examine it again.
    assert counter.bytes <= 6 * len(log) + 100 * (len(log) // chunk_size + 1)


@pytest.mark.parametrize("rest", [b"|" * 1_000_000, b"y|z\n" * 50_000, b"|z" * 300_000])
def test_a_text_of_many_parts_is_joined_once(rest: bytes) -> None:
    """This used to take quadratic time: two minutes for a million separators."""
    log = b"8=FIXT.1.1|35=0|58=x" + rest + b"|10=000|"
    [message] = read(log, max_message=2_000_000)
    text = b"x" + rest.replace(b"\n", b"")
    assert message.frame == b"8=FIXT.1.1\x0135=0\x0158=%b\x0110=000\x01" % text


FRAGMENTS = st.sampled_from(
    [
        ORDER,
        LOGON,
        ORDER.replace(b"|", b"\x01"),
        LOGON.replace(b"|", b"^A"),
        LOGON.replace(b"|", b"\n"),
        b"8=FIXT.1.1",
        b"|",
        b"^A",
        b"\x01",
        b"\n",
        b"\r\n",
        b" ",
        b"\t",
        b"^",
        b"\r",
        b"5",
        b"10=",
        b"=",
        b"9=",
        b"11=a1|",
        b"10=123",
        b"35=A\n",
        b"junk",
        b"58=text with 8=FIXT.1.1 in it|",
        b"x" * 300,
    ]
)


@given(st.lists(FRAGMENTS, max_size=25).map(b"".join), st.lists(st.integers(0, 600), max_size=12))
def test_the_result_does_not_depend_on_how_a_log_is_split(log: bytes, cuts: list[int]) -> None:
    reader = LogReader(256)
    found: list[LoggedMessage] = []
    begin = 0
    for end in sorted(cuts):
        found += reader.feed(log[begin:end])
        begin = max(begin, end)
    found += reader.feed(log[begin:])
    found += reader.close()
    assert found == read(log, max_message=256)


@given(st.binary(max_size=300) | st.lists(FRAGMENTS, max_size=25).map(b"".join))
def test_reading_byte_by_byte_returns_the_same_messages(log: bytes) -> None:
    assert read(log, max_message=256, chunk_size=1) == read(log, max_message=256)


SEPARATOR = st.sampled_from(SEPARATORS)
VALUE = (
    st.text("abcXYZ0189.-:/ ^;\\<", min_size=1, max_size=12).map(str.encode).filter(lambda v: b"^A" not in v)
)
FIELDS = st.lists(st.tuples(st.integers(11, 30000), VALUE), max_size=12)


@given(
    st.lists(st.tuples(SEPARATOR, FIELDS, st.sampled_from([b"", b"\n", b" IN ", b"\r\n12:00 "])), max_size=5)
)
def test_every_message_is_found_unchanged(
    messages: list[tuple[bytes, list[tuple[int, bytes]], bytes]],
) -> None:
    log, expected = b"", []
    for separator, body, junk in messages:
        fields = [b"8=FIXT.1.1", b"35=D", *(b"%d=%s" % (tag, value) for tag, value in body), b"10=007"]
        expected.append(b"".join(field + b"\x01" for field in fields))
        log += junk + b"".join(field + separator for field in fields)
    assert [message.frame for message in read(log)] == expected


def fields(*values: str) -> bytes:
    """Return a valid message as in a log, with | for SOH."""
    body = "".join(f"{value}\x01" for value in values)
    text = f"8=FIXT.1.1\x019={len(body)}\x01{body}"
    return f"{text}10={sum(text.encode()) % 256:03}\x01".replace("\x01", "|").encode()


VALID = fields("35=0", "112=a")
NEARLY_VALID = [
    VALID,
    VALID.replace(b"|", b"\x01"),
    *(VALID.replace(b"|", item) for item in SEPARATORS),
    VALID.replace(b"|", b"\n"),
    VALID.replace(b"|", b" \r\n\t"),
    VALID.replace(b"|", b"|\n"),
    VALID.replace(b"112=a", b"112=b"),
    VALID[:-1],
    VALID[:-4],
    VALID[12:],
    fields("35=j", "58=x|y=z"),
    fields("35=j", "58=x", "y=z"),
    fields("35=j", "58=x", "", "=5"),
    fields("35=j", "58=x", "10=123"),
    fields("35=j", "58=8=FIXT.1.1", "9=5"),
    fields("35=j", "58=\\x41"),
    fields("35=j", "58=a\nb"),
    b"2026-11-21 12:00:00.123456Z 1 sent     ",
    b"10=",
    b"8",
    b"\n",
    b"|",
    b" ",
    b"\r\n12:00 ",
]


@given(st.lists(st.sampled_from(NEARLY_VALID), max_size=12).map(b"".join), st.integers(1, 60))
def test_the_fast_path_agrees_with_the_full_reader(log: bytes, chunk_size: int) -> None:
    careful = CarefulLogReader(1024)
    assert read(log, chunk_size=chunk_size) == [*careful.feed(log), *careful.close()]


def test_the_prefix_of_a_message_is_the_text_before_it_on_its_line() -> None:
    stamp = b"2026-11-21 12:00:00.123456Z 1 sent     "
    log = b"begin\n" + stamp + VALID + b" and " + VALID + b"\n" + VALID + b"\n" + b"x" * 1000 + VALID
    expected = [stamp, (stamp + VALID + b" and ")[:MAX_PREFIX], b"", b"x" * MAX_PREFIX]
    for chunk_size in (len(log), 1):
        assert [message.prefix for message in read(log, chunk_size=chunk_size)] == expected


def test_a_valid_message_with_a_malformed_field_is_read_identically_in_chunks_of_any_size() -> None:
    log = fields("35=5", "58=a", "ba", "b")
    whole = read(log)
    assert read(log, chunk_size=1) == whole
    # BodyLength and CheckSum show that the Text contained no |.
    assert [message.frame for message in whole] == [log.replace(b"|", b"\x01")]
