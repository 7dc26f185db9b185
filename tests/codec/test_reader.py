"""Which messages the reader decodes, and which it leaves to the explainer. `explain` checks that the two
agree.
"""

from __future__ import annotations

import pytest

from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.codec.reader import read
from kalshi_fix_sansio.codec.tokens import split
from kalshi_fix_sansio.dialect.base import Message
from tests.codec.wire import HEAD, VALID_BODIES, explain, fields_of, joined
from tests.tiny_dialect import DIALECT

CODEC = Codec(DIALECT)


def read_body(body: str, *, strict: bool = False) -> Message | None:
    """Return the message that the reader decodes, or None if it leaves the message to the explainer."""
    data = joined(fields_of(body))
    explain(CODEC, data)
    return read(CODEC._tables, split(data.decode("latin-1")), strict=strict)


def order(body: str) -> str:
    return f"35=D|{HEAD}11=a|38=1|{body}"


def book(entries: str) -> str:
    return f"35=W|{HEAD}55=K|{entries}"


def test_only_some_valid_messages_are_left_to_the_explainer() -> None:
    left = {body for body in VALID_BODIES if read_body(body) is None}
    data_or_obsolete = tuple(f"|{tag}=" for tag in (95, 354, 355, 93, 5001))
    delimiter_not_first = "453=1|452=3|448=p|"
    unknown_type = "35=ZZ|"
    reasons = (*data_or_obsolete, delimiter_not_first, unknown_type)
    assert left == {body for body in VALID_BODIES if any(reason in body for reason in reasons)}


@pytest.mark.parametrize(
    "body",
    [
        order("44=0.45|58=x|"),
        order("453=2|448=p|452=3|448=q|802=1|523=s|803=4|58=x|"),
        order("58=x|44=0.45|"),  # the fields of the body have no fixed order
        book("268=0|58=x|"),
        book("268=2|269=1|270=1|269=2|270=2|"),
        book("268=4|269=1|270=1|269=2|270=2|269=1|270=3|269=2|270=4|58=x|"),
        order("453=3|448=p|802=1|523=s|448=q|802=1|523=t|448=r|802=1|523=u|58=x|"),
        order("453=3|448=p|802=0|448=q|802=0|448=r|802=0|58=x|"),
        order("58=a=b|"),
    ],
)
def test_messages_without_problems_are_also_decoded_by_the_strict_reader(body: str) -> None:
    assert read_body(body) is not None
    assert read_body(body, strict=True) is not None


@pytest.mark.parametrize(
    "body",
    [
        order("9001=x|"),
        order("9001=x|9001=y|58=x|"),
        order("453=1|448=p|9001=x|452=3|"),
        order("453=1|448=p|452=3|802=1|523=s|9001=x|803=4|"),
        order("453=1|448=p|802=1|523=s|803=-1|"),
        order("453=1|448=p|802=3|523=s|803=1|523=t|803=-1|523=u|803=2|"),
        order("453=3|448=p|9001=x|448=q|9001=x|448=r|9001=x|"),
        order("40=9|"),  # a code that is not in the dialect
        order("453=1|448=p|452=3|802=1|523=s|803=4|58=x|9001=x|"),
    ],
)
def test_violations_of_strict_rules_are_accepted_by_lenient_decoding(body: str) -> None:
    assert read_body(body) is not None
    assert read_body(body, strict=True) is None


@pytest.mark.parametrize(
    "body",
    [
        order("44=x|"),
        order("44=|"),
        order("9001=|"),
        order("007=x|"),
        order("58|"),
        order("x|"),
        order("38=2|"),
        order("34=8|"),
        order("9001=x|").replace("34=7|", "").replace("9001=x|", "9001=x|34=7|"),
        order("270=1|"),  # a tag of another message
        f"35=D|{HEAD}38=1|",
        f"35=R|{HEAD}58=x|",
        order("453=x|448=p|"),
        order("453=2|448=p|"),
        order("453=1|448=p|448=q|"),
        order("453=0|448=p|"),
        order("453=1|"),
        order("453=0|453=0|"),
        order("453=3|448=p|448=q|"),
        order("453=999999999999999999|448=p|448=q|"),
        order("453=3|448=p|452=3|448=q|452=3|448=r|452=x|"),
        order("453=3|448=p|448=q|448=r|448=s|"),
        book("268=3|269=1|271=1|270=1|269=1|271=1|270=1|269=1|271=1|270=1|"),
        book("268=3|269=1|271=1|269=1|271=1|269=1|271=1|"),
        order("453=1|9001=x|448=p|"),
        order("453=1|452=3|448=p|"),
        order("453=1|448=p|452=3|452=3|"),
        order("453=1|448=p|58=x|452=3|"),
        order("453=1|448=p|802=1|523=s|803=4|452=3|"),
        order("453=1|448=p|453=1|448=q|"),
        order("453=1|448=p|802=2|523=s|"),
        book("268=1|269=1|270=1|271=x|"),
        book("268=1|270=1|269=1|"),
        book("268=1|269=1|"),
        order("95=3|96=a\x01b|"),
    ],
)
def test_messages_with_problems_are_left_to_the_explainer(body: str) -> None:
    assert read_body(body) is None
    assert read_body(body, strict=True) is None


def test_messages_with_an_unknown_beginning_or_no_end_are_left_to_the_explainer() -> None:
    data = joined(fields_of(order(""))).decode("latin-1")
    for text in (
        data[:-1],
        data.replace("FIXT", "FIXU"),
        "8=FIXT.1.1\x01",
        "",
        data.replace("35=D", "58=D"),
    ):
        assert read(CODEC._tables, split(text), strict=False) is None
