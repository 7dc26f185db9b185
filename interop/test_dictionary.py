"""Both engines load the dictionaries written from the spec, and accept every message that we encode."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import quickfix
from fixcore.message import DataDictionary, load_combined_data_dictionary
from fixcore.message import Message as FixcoreMessage
from fixcore.message.message import DATA_LENGTH_PAIRS

from interop.samples import Sample, samples
from kalshi_fix_sansio import NewOrderSingle
from kalshi_fix_sansio._generated import DIALECT
from kalshi_fix_sansio.dialect.layout import Kind
from kalshi_fix_sansio.framing import encode_frame

SAMPLES = list(samples())
DATA = frozenset(tag for tag, field in DIALECT.fields.items() if field.kind is Kind.DATA)
QuickfixPair = tuple[quickfix.DataDictionary, quickfix.DataDictionary]


@pytest.fixture(scope="module")
def loaded(dictionaries: dict[str, Path]) -> dict[str, QuickfixPair]:
    return {
        product: (
            quickfix.DataDictionary(str(folder / "FIXT11.xml")),
            quickfix.DataDictionary(str(folder / "FIX50SP2.xml")),
        )
        for product, folder in dictionaries.items()
    }


@pytest.fixture(scope="module")
def combined(dictionaries: dict[str, Path]) -> dict[str, DataDictionary]:
    return {
        product: load_combined_data_dictionary(str(folder / "FIXT11.xml"), str(folder / "FIX50SP2.xml"))
        for product, folder in dictionaries.items()
    }


def validate(frame: bytes, pair: QuickfixPair, *, admin: bool) -> None:
    session, application = pair
    application = session if admin else application
    message = quickfix.Message(frame.decode("latin-1"), session, application, True)
    quickfix.DataDictionary.validate(message, session, application)


def for_fixcore(frame: bytes) -> bytes:
    """Return the message without SOH in the data fields that fixcore does not read by length: fixcore has a
    fixed list of data fields, whatever the dictionary says."""
    body = frame[frame.index(b"\x0135=") + 1 : -len(b"10=000\x01")]
    for tag in DATA - frozenset(DATA_LENGTH_PAIRS.values()):
        body = re.sub(rb"(?<=\x01%d=a)\x01" % tag, b".", body)
    return encode_frame("FIXT.1.1", body)


def test_the_samples_cover_every_message_of_the_spec() -> None:
    assert {sample.message.MSG_TYPE for sample in SAMPLES} == set(DIALECT.messages)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.label)
def test_quickfix_accepts_every_message(sample: Sample, loaded: dict[str, QuickfixPair]) -> None:
    validate(sample.frame, loaded[sample.product], admin=sample.message.MESSAGE.admin)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.label)
def test_fixcore_accepts_every_message(sample: Sample, combined: dict[str, DataDictionary]) -> None:
    dictionary, frame = combined[sample.product], for_fixcore(sample.frame)
    message = FixcoreMessage.decode(frame, dictionary)
    dictionary.validate(message, check_field_values=True, check_has_values=True, check_user_defined=True)
    assert message.encode() == frame


def test_quickfix_refuses_messages_that_the_dictionary_does_not_allow(
    loaded: dict[str, QuickfixPair],
) -> None:
    def check(product: str, body: str) -> None:
        head = "35=D\x0149=A\x0156=B\x0134=7\x0152=20261121-12:00:00.123\x01"
        validate(encode_frame("FIXT.1.1", (head + body).encode()), loaded[product], admin=False)

    order = NewOrderSingle(
        cl_ord_id="a", symbol="S", side="1", ord_type="2", order_qty=1, price=1, ex_destination=0
    )
    body = order.LAYOUT.encode(order)
    check("prediction", body)
    with pytest.raises(quickfix.InvalidTagNumber):
        check("margin", body)  # this message has no ExDestination
    with pytest.raises(quickfix.InvalidTagNumber):
        check("prediction", body + "9999=1\x01")
    with pytest.raises(quickfix.TagNotDefinedForMessage):
        check("prediction", body + "17=1\x01")
    with pytest.raises(quickfix.RequiredTagMissing):
        check("prediction", "11=a\x01")


def test_a_code_that_the_dictionary_does_not_list_is_accepted(loaded: dict[str, QuickfixPair]) -> None:
    [report] = [
        sample
        for sample in SAMPLES
        if sample.label.startswith("ExecutionReport-margin-KalshiNR") and "full=False" in sample.label
    ]
    body = report.frame.split(b"\x01", 2)[2].rsplit(b"10=", 1)[0].replace(b"\x01150=0", b"\x01150=x")
    assert b"150=x" in body
    validate(encode_frame("FIXT.1.1", body), loaded["margin"], admin=False)
