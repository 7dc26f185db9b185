"""ExecIDs are parsed, formatted and ordered as the venue defines them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_fix_sansio.trading import ExecKey

numbers = st.integers(0, 10**18 - 1)


@given(st.integers(0, 10**9 - 1), numbers, numbers)
def test_a_key_survives_a_round_trip(shard: int, clock: int, event: int) -> None:
    key = ExecKey(shard, clock, event)
    assert ExecKey.parse(str(key)) == key


@pytest.mark.parametrize(
    ("text", "key"), [("4;7", (0, 4, 7)), ("4;7;1", (1, 4, 7)), ("4;7;0", (0, 4, 7)), ("0;0", (0, 0, 0))]
)
def test_the_shard_defaults_to_0(text: str, key: tuple[int, int, int]) -> None:
    assert ExecKey.parse(text) == key


@pytest.mark.parametrize("text", ["-1;-1", "-1;-1;2"])
def test_a_pending_report_has_no_key(text: str) -> None:
    assert ExecKey.parse(text) is None


MALFORMED = [
    "",
    ";",
    "4",
    "4;",
    ";7",
    "4;7;",
    "4;7;1;1",
    " 4;7",
    "4;7 ",
    "4;7\n",
    "+4;7",
    "-1;7",
    "4;-1",
    "4,7",
    "4;7;-1",
    "4.0;7",
    "1_0;7",
    "0x4;7",
    "NONE",
    "-1;-1;-1",
    "\N{ARABIC-INDIC DIGIT FOUR};7",
    "1111111111111111111;7",
    "4;7;1111111111",
]


@pytest.mark.parametrize("text", MALFORMED)
def test_any_other_exec_id_is_malformed(text: str) -> None:
    with pytest.raises(ValueError, match="ExecID must be"):
        ExecKey.parse(text)


def test_the_error_quotes_only_the_beginning_of_a_long_text() -> None:
    with pytest.raises(ValueError, match="ExecID must be") as caught:
        ExecKey.parse("9" * 100_000)
    assert len(str(caught.value)) < 200


def test_the_keys_of_a_shard_are_ordered_by_clock_and_event() -> None:
    texts = ["9;1", "10;0", "2;30", "2;4", "1;1;1"]
    keys = sorted(key for text in texts if (key := ExecKey.parse(text)) is not None)
    assert [str(key) for key in keys] == ["2;4", "2;30", "9;1", "10;0", "1;1;1"]
