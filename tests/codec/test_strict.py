"""Strict decoding: every violation with its SessionRejectReason (373) and RefTagID (371)."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.dialect.problems import Reason
from kalshi_fix_sansio.errors import DecodeError
from tests.codec.wire import HEAD, fields_of, joined
from tests.tiny_dialect import DIALECT, Order, frame

CODEC = Codec(DIALECT)

ORDER = "11=a|38=1|"
VIOLATIONS: list[tuple[str, str, list[tuple[Reason, int | None]]]] = [
    ("D", f"{ORDER}0=x|", [(Reason.INVALID_TAG_NUMBER, 0)]),
    ("D", f"{ORDER}-1=x|", [(Reason.INVALID_TAG_NUMBER, -1)]),
    ("D", f"{ORDER}x|", [(Reason.INVALID_TAG_NUMBER, None)]),
    ("D", "11=a|", [(Reason.REQUIRED_TAG_MISSING, 38)]),
    (
        "D",
        f"{ORDER}453=1|452=3|",
        [(Reason.GROUP_FIELDS_OUT_OF_ORDER, 452), (Reason.REQUIRED_TAG_MISSING, 448)],
    ),
    ("D", f"{ORDER}383=1|", [(Reason.TAG_NOT_DEFINED_FOR_MESSAGE, 383)]),
    ("D", f"{ORDER}448=p|", [(Reason.TAG_NOT_DEFINED_FOR_MESSAGE, 448)]),
    ("D", f"{ORDER}453=1|448=p|383=1|", [(Reason.TAG_NOT_DEFINED_FOR_MESSAGE, 383)]),
    ("D", f"{ORDER}9001=x|", [(Reason.UNDEFINED_TAG, 9001)]),
    ("A", "383=1|44=1|", [(Reason.UNDEFINED_TAG, 44)]),
    ("A", "383=1|52=20260801-12:30:15|", [(Reason.TAG_REPEATED, 52)]),
    ("D", f"{ORDER}9001=|", [(Reason.TAG_WITHOUT_VALUE, 9001), (Reason.UNDEFINED_TAG, 9001)]),
    ("D", f"{ORDER}58=|", [(Reason.TAG_WITHOUT_VALUE, 58)]),
    ("D", f"{ORDER}40=9|", [(Reason.VALUE_INCORRECT, 40)]),
    ("D", f"{ORDER}44=-1|", [(Reason.VALUE_INCORRECT, 44)]),
    ("D", f"{ORDER}44=99.5|", [(Reason.VALUE_INCORRECT, 44)]),
    ("D", f"{ORDER}79=64|", [(Reason.VALUE_INCORRECT, 79)]),
    ("D", "11=A|38=1|", [(Reason.VALUE_INCORRECT, 11)]),
    ("D", "11=abcdefghi|38=1|", [(Reason.VALUE_INCORRECT, 11)]),
    ("D", f"{ORDER}44=+1|", [(Reason.INCORRECT_DATA_FORMAT, 44)]),
    ("D", f"{ORDER}126=20260801 12:00:00|", [(Reason.INCORRECT_DATA_FORMAT, 126)]),
    ("D", f"{ORDER}11=a|", [(Reason.TAG_REPEATED, 11)]),
    ("D", f"{ORDER}34=8|", [(Reason.TAG_REPEATED, 34)]),
    ("D", f"{ORDER}43=Y|", [(Reason.TAG_OUT_OF_ORDER, 43)]),
    ("D", "11=a|93=1|89=s|38=1|", [(Reason.TAG_OUT_OF_ORDER, 38)]),
    ("D", f"{ORDER}93=1|89=s|43=Y|", [(Reason.TAG_OUT_OF_ORDER, 43)]),
    ("D", f"{ORDER}453=2|448=p|452=3|452=3|448=q|", [(Reason.TAG_REPEATED, 452)]),
    (
        "D",
        f"{ORDER}453=1|448=p|802=1|523=s|452=3|",
        [(Reason.GROUP_FIELDS_OUT_OF_ORDER, 452)],
    ),
    (
        "D",
        f"{ORDER}453=1|448=p|802=1|803=1|523=s|",
        [(Reason.GROUP_FIELDS_OUT_OF_ORDER, 803), (Reason.GROUP_FIELDS_OUT_OF_ORDER, 523)],
    ),
    ("W", "55=K|268=2|269=1|270=1|58=x|269=2|270=2|", [(Reason.GROUP_FIELDS_OUT_OF_ORDER, 269)]),
    ("D", f"{ORDER}453=2|448=p|", [(Reason.WRONG_NUM_IN_GROUP, 453)]),
    ("D", f"{ORDER}453=1|448=p|448=q|", [(Reason.WRONG_NUM_IN_GROUP, 453)]),
    ("D", f"{ORDER}453=-1|448=p|", [(Reason.INCORRECT_DATA_FORMAT, 453)]),
    ("*", "11=a|", [(Reason.INVALID_MSG_TYPE, 35)]),
    ("A", "554=123|", [(Reason.VALUE_INCORRECT, 554)]),
]


@pytest.mark.parametrize(("msg_type", "body", "expected"), VIOLATIONS)
def test_each_violation_is_reported_with_its_reason_and_tag(
    msg_type: str, body: str, expected: list[tuple[Reason, int | None]]
) -> None:
    data = frame(msg_type, body)
    message, problems = CODEC.check(data)
    assert [(problem.reason, problem.tag) for problem in problems] == expected
    assert set(message.problems) <= set(problems)
    with pytest.raises(DecodeError) as caught:
        CODEC.decode_strict(data)
    assert caught.value.problems == problems
    assert all(str(problem) in str(caught.value) for problem in problems)


VALID = [
    f"35=D|{HEAD}38=1|11=a|",
    "35=D|56=b|43=N|52=20260801-12:30:15|49=a|34=1|58=x|11=a|38=1|40=2|44=0|79=63|93=3|89=a\x01b|",
    f"35=D|{HEAD}11=a|38=1|453=2|448=p|452=99|802=2|523=s|803=1|523=t|354=1|355=x|448=q|",
    f"35=D|{HEAD}11=a|38=1|453=0|54=Z|",
    f"35=R|{HEAD}146=2|55=K|38=1|38=2|152=1|",
    f"35=A|{HEAD}96=abc|383=1|554=sesame|5001=Y|",
]


@pytest.mark.parametrize("body", VALID)
def test_valid_messages_pass(body: str) -> None:
    data = joined(fields_of(body))
    message = CODEC.decode_strict(data)
    assert message == CODEC.decode(data)
    assert message.problems == ()


def test_problems_are_in_the_order_of_the_message() -> None:
    _, problems = CODEC.check(frame("D", "9001=x|38=x|40=9|43=Y|453=7|448=|11=a|11=b|x|"))
    assert [problem.tag for problem in problems] == [9001, 38, 40, 43, 453, 448, 11, None]


def test_problem_texts_contain_the_value_found_and_the_value_expected() -> None:
    _, problems = CODEC.check(frame("D", "11=a|38=1|40=9|44=100|9001=x|383=1|43=Y|"))
    assert [str(problem) for problem in problems] == [
        "OrdType (40) is '9': expected one of 1 (MARKET), 2 (LIMIT)",
        "Price (44) is '100': expected 99 or less",
        "tag 9001 is not defined by tiny",
        "MaxMessageSize (383) is not defined for Order",
        "PossDupFlag (43) follows the beginning of the body",
    ]


def test_check_returns_the_same_message_as_lenient_decoding() -> None:
    message, problems = CODEC.check(frame("D", "11=a|38=1|9001=x|40=9|"))
    assert message == Order(cl_ord_id="a", order_qty=1, ord_type="9", unknown=[(9001, b"x")])
    assert message.problems == ()
    assert len(problems) == 2
