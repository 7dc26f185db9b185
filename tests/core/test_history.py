"""`Dialect.as_of`: the states of a dialect, by date."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

import attrs
import pytest

from kalshi_fix_sansio import DIALECT
from kalshi_fix_sansio._generated.history import HISTORY as KALSHI_HISTORY
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.dialect.history import Change, History
from kalshi_fix_sansio.dialect.layout import Dialect, FieldMember, GroupMember, Presence, Sender
from kalshi_fix_sansio.messages import CODEC, codec_as_of
from kalshi_fix_sansio.validation import validate
from tests.helpers import raw

OPTIONAL_SYMBOL: Final = FieldMember(DIALECT.fields[55], presence=Presence.OPTIONAL)
HISTORY: Final = History(
    since=date(2024, 1, 1),
    changes=(
        Change(date(2024, 1, 1), date(2024, 1, 1), "the beginning"),
        Change(
            date(2024, 2, 1), date(2024, 2, 1), "Symbol", "NewOrderSingle", 55, old_member=OPTIONAL_SYMBOL
        ),
        Change(date(2024, 3, 1), date(2024, 4, 1), "OrdType", "NewOrderSingle", 40),
        Change(date(2024, 5, 1), date(2024, 5, 1), "PartyID", "Party", 448),
        Change(date(2024, 6, 1), date(2024, 6, 1), "OrderQty", "OrderCancelRequest", removed_tags=(38, 9999)),
        Change(date(2024, 7, 1), date(2024, 7, 1), "SecurityStatus", "SecurityStatus"),
        Change(date(2024, 8, 1), date(2024, 9, 1), "words"),
    ),
)
DIALECT_WITH_HISTORY: Final = attrs.evolve(DIALECT, since=date(2024, 7, 1), history=f"{__name__}.HISTORY")
ORDER = "35=D|34=1|49=a|56=KalshiNR|52=20240101-00:00:00|11=a|38=1|54=1|44=0.5|"
SYMBOL, ORD_TYPE = "Symbol (55) is missing", "OrdType (40) is missing"
CANCEL = "35=F|34=1|49=a|56=KalshiNR|52=20240101-00:00:00|11=a|41=b|54=1|55=x|"


def on(day: str) -> Dialect:
    return DIALECT_WITH_HISTORY.as_of(date.fromisoformat(day))


def problems(dialect: Dialect, body: str) -> list[str]:
    return [str(item) for item in Codec(dialect).check(raw(body))[1]]


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("0001-01-01", []),
        ("2023-12-31", []),
        ("2024-01-31", []),
        ("2024-02-01", [SYMBOL]),
        ("2024-02-02", [SYMBOL]),
        ("2024-02-29", [SYMBOL]),
        ("2024-03-01", [SYMBOL]),  # the change is on an unknown day of this month
        ("2024-03-31", [SYMBOL]),
        ("2024-04-01", [SYMBOL, ORD_TYPE]),
        ("2024-04-02", [SYMBOL, ORD_TYPE]),
        ("9999-12-31", [SYMBOL, ORD_TYPE]),
    ],
)
def test_a_member_is_required_from_the_day_of_its_addition(day: str, expected: list[str]) -> None:
    assert sorted(problems(on(day), ORDER)) == sorted(expected)


def test_a_member_is_optional_in_the_month_of_its_addition() -> None:
    days = ("2024-02-29", "2024-03-01", "2024-03-31", "2024-04-01")
    found = [on(day).messages["D"].body.by_tag[40].presence for day in days]
    assert found == [Presence.FORBIDDEN, Presence.OPTIONAL, Presence.OPTIONAL, Presence.REQUIRED]


@pytest.mark.parametrize(
    ("day", "expected"), [("2024-04-30", Presence.FORBIDDEN), ("2024-05-01", Presence.REQUIRED)]
)
def test_a_member_of_a_group_is_required_from_the_day_of_its_addition(day: str, expected: Presence) -> None:
    for msg_type in ("D", "8", "F"):
        group = on(day).messages[msg_type].body.by_tag[453]
        assert isinstance(group, GroupMember)
        assert group.entry.by_tag[448].presence is expected


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2024-05-31", []),
        ("2024-06-01", ["OrderQty (38) is not defined for OrderCancelRequest"]),
    ],
)
def test_a_removed_field_is_reported_from_the_day_of_its_removal(day: str, expected: list[str]) -> None:
    dialect = on(day)
    codec = Codec(dialect)
    frame = raw(f"{CANCEL}38=5|")
    for _ in range(8):  # a compiled decoder reads the later messages
        message, found = codec.check(frame)
        assert [str(item) for item in found] == expected
        assert message.unknown == ((38, b"5"),)
        assert codec.decode(codec.encode(message, message.header)).unknown == message.unknown
    assert problems(dialect, f"{CANCEL}9998=5|") == ["tag 9998 is not defined by kalshi"]
    # The field was never part of a group entry.
    assert problems(dialect, f"{CANCEL}453=1|448=x|38=5|452=24|") != []


@pytest.mark.parametrize(("day", "expected"), [("2024-06-30", False), ("2024-07-01", True)])
def test_a_message_may_be_sent_from_the_day_of_its_addition(day: str, expected: bool) -> None:
    layout = on(day).messages["f"]
    assert layout.allowed("prediction", "KalshiMD", Sender.VENUE) is expected


def test_an_added_member_is_invalid_before_its_addition_but_still_read() -> None:
    frame = raw(f"{ORDER}40=2|55=x|")
    dialect = on("2024-02-15")
    message, found = Codec(dialect).check(frame)
    assert found == ()
    assert message == CODEC.decode(frame)
    texts = [
        str(item)
        for item in validate(
            message, dialect.messages["D"], product="prediction", session="KalshiNR", sender=Sender.CLIENT
        )
    ]
    assert "OrdType (40) must not be sent here" in texts


def test_states_are_derived_once_and_share_unchanged_parts() -> None:
    january, february = on("2024-01-01"), on("2024-02-01")
    assert january is on("2024-01-31") is february.as_of(date(2024, 1, 1))
    assert january is not february
    assert (january.since, january.until) == (None, date(2024, 2, 1))
    assert (february.since, february.until) == (date(2024, 2, 1), date(2024, 3, 1))
    assert january.messages["0"] is DIALECT_WITH_HISTORY.messages["0"]
    assert on("2024-07-01") is DIALECT_WITH_HISTORY is january.as_of(date(2024, 7, 1))


def test_a_dialect_without_history_is_the_same_on_every_day() -> None:
    plain = attrs.evolve(DIALECT, since=None, history=None)
    assert plain.as_of(date(1, 1, 1)) is plain
    assert plain.unknown_as_of(date(1, 1, 1)) == ()


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (
            "2023-12-31",
            [
                "the dialect before 2024-01-01 is not known",
                "changed on 2024-01-01; only a description of the change is known: the beginning",
                "changed in 2024-08; only a description of the change is known: words",
            ],
        ),
        ("2024-01-01", ["changed in 2024-08; only a description of the change is known: words"]),
        (
            "2024-03-31",
            [
                "changed on an unknown day of 2024-03: OrdType",
                "changed in 2024-08; only a description of the change is known: words",
            ],
        ),
        ("2024-08-01", ["changed on an unknown day of 2024-08: words"]),
        ("2024-09-01", []),
    ],
)
def test_unknown_elements_in_the_history_are_listed(day: str, expected: list[str]) -> None:
    assert list(DIALECT_WITH_HISTORY.unknown_as_of(date.fromisoformat(day))) == expected
    assert list(on("2024-01-01").unknown_as_of(date.fromisoformat(day))) == expected


# --- the Kalshi dialect


def test_the_history_of_kalshi_begins_with_its_first_version() -> None:
    assert KALSHI_HISTORY.since == date(2025, 4, 15)
    assert DIALECT.since is not None
    assert DIALECT.as_of(DIALECT.since) is DIALECT


@pytest.mark.parametrize(
    "change", [item for item in KALSHI_HISTORY.changes if item.block], ids=lambda value: value.text
)
def test_each_change_to_the_kalshi_dialect_has_an_effect(change: Change) -> None:
    """A change to a block or a tag that does not exist would have no effect."""
    before = DIALECT.as_of(date.fromordinal(change.first_day.toordinal() - 1))
    after = DIALECT.as_of(change.certain_from)
    blocks: list[Any] = [(item.header, item.trailer) for item in (before, after)]
    pairs = [*zip(*blocks, strict=True)]
    pairs += [(before.messages[name].body, after.messages[name].body) for name in DIALECT.messages]
    for old, current in pairs:
        pairs += [
            (old_member.entry, current_member.entry)
            for old_member, current_member in zip(old.members, current.members, strict=True)
            if isinstance(old_member, GroupMember) and isinstance(current_member, GroupMember)
        ]
    [(old, current)] = {
        id(old): (old, current) for old, current in pairs if old.name == change.block
    }.values()
    if change.removed_tags:
        assert old.past_tags - current.past_tags == set(change.removed_tags)
    elif change.tag is None:
        flows = [
            message.flows
            for dialect in (before, after)
            for message in dialect.messages.values()
            if message.name == change.block
        ]
        assert flows[0] != flows[1]
    else:
        assert old.by_tag[change.tag] != current.by_tag[change.tag]


def test_dates_with_the_same_dialect_share_a_codec() -> None:
    assert codec_as_of(date(2026, 6, 10)) is codec_as_of(date(2026, 6, 11))
    assert codec_as_of(date(2026, 6, 10)) is not codec_as_of(date(2026, 9, 10))
    assert codec_as_of(date(2027, 1, 1)) is CODEC
