"""Messages convert to dicts and JSON and back: only secrets are lost, and invalid input is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import attrs
import pytest

import kalshi_fix_sansio as kalshi
from kalshi_fix_sansio import (
    DIALECT,
    Logon,
    MarketDataRequest,
    NewOrderSingle,
    Side,
    UnknownMessage,
    from_dict,
    from_json,
    to_dict,
    to_json,
)
from kalshi_fix_sansio.codec import mapping
from kalshi_fix_sansio.dialect.layout import BlockLayout, Dialect, GroupMember
from kalshi_fix_sansio.errors import DecodeError, EncodeError
from tests import helpers
from tests.fix50sp2.dialect import DIALECT as OTHER
from tests.samples import execution_report, full, minimal

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
BY: list[mapping.By] = ["name", "tag"]
LAYOUTS = [
    pytest.param(dialect, layout.body, id=f"{dialect.name}-{layout.name}")
    for dialect in (DIALECT, OTHER)
    for layout in dialect.messages.values()
]


def without_secrets(block: Any) -> Any:
    """Return the block without secret values, including those in groups."""
    for member in block.LAYOUT.members:
        if isinstance(member, GroupMember):
            for entry in getattr(block, member.attribute):
                without_secrets(entry)
        elif member.field.secret:
            setattr(block, member.attribute, None)
    return block


def order(**changes: Any) -> NewOrderSingle:
    return helpers.order(**({"symbol": "K", "price": "0.5500"} | changes))


@pytest.mark.parametrize("by", BY)
@pytest.mark.parametrize(("dialect", "layout"), LAYOUTS)
def test_every_message_round_trips(dialect: Dialect, layout: BlockLayout, by: mapping.By) -> None:
    for sample in (minimal(layout), full(layout)):
        message = without_secrets(sample)
        as_dict = mapping.to_dict(dialect, message, by)
        assert mapping.from_dict(dialect, as_dict) == message
        text = mapping.to_json(dialect, message, by)
        assert mapping.from_json(dialect, text) == message
        assert list(json.loads(text)) == list(as_dict)
        assert all(key == "unknown" or key.isdigit() is (by == "tag") for key in as_dict)


def test_values_have_the_documented_forms_in_dicts_and_json() -> None:
    message = order(expire_time=datetime(2026, 10, 1, 12, tzinfo=UTC), party_ids=[kalshi.Party(party_id="p")])
    assert to_dict(message) == {
        "MsgType": "D",
        "ClOrdID": "a1",
        "OrderQty": Decimal(10),
        "OrdType": kalshi.OrdType.LIMIT,
        "Price": Decimal("0.5500"),
        "Side": Side.BUY,
        "Symbol": "K",
        "ExpireTime": datetime(2026, 10, 1, 12, tzinfo=UTC),
        "NoPartyIDs": [{"PartyID": "p"}],
    }
    assert json.loads(to_json(message, "tag")) == {
        "35": "D",
        "11": "a1",
        "38": "10",
        "40": "2",
        "44": "0.5500",
        "54": "1",
        "55": "K",
        "126": "20261001-12:00:00.000",
        "453": [{"448": "p"}],
    }
    header = kalshi.Header(sender_comp_id="a", target_comp_id="b", msg_seq_num=7, sending_time=NOON)
    assert to_dict(header, "tag")["34"] == 7
    assert to_dict(kalshi.Party(party_id="p")) == {"PartyID": "p"}


@pytest.mark.parametrize(
    "price", ["0.5500", "1E+3", "-0.00", "9999999999999999999.9999999999999999999", "1e-19"]
)
def test_a_decimal_keeps_its_value_and_does_not_become_a_float(price: str) -> None:
    read: Any = from_json(to_json(order(price=Decimal(price))))
    assert read.price == Decimal(price)
    if "e" not in price.lower():
        assert str(read.price) == price
    with pytest.raises(DecodeError, match=r"NewOrderSingle.price, Price \(44\)"):
        from_json(to_json(order()).replace('"0.5500"', "0.55"))


@pytest.mark.parametrize("microsecond", [0, 1000, 1, 999_999, 120_000, 120_001])
def test_a_timestamp_keeps_its_microseconds(microsecond: int) -> None:
    for zone in (UTC, timezone(timedelta(hours=-4, minutes=-30))):
        at = datetime(2026, 10, 1, 23, 59, 59, microsecond, zone)
        read: Any = from_json(to_json(execution_report(transact_time=at)))
        assert read.transact_time == at
        assert read.transact_time.tzinfo is UTC
    entry = kalshi.MDFullEntry(
        md_entry_type="0", md_entry_px=1, md_entry_size=1, md_entry_time=time(1, 2, 3, microsecond, UTC)
    )
    book = kalshi.MarketDataSnapshotFullRefresh(symbol="K", md_entries=[entry])
    assert from_json(to_json(book)) == book


def test_unknown_fields_and_codes_keep_their_position_and_text() -> None:
    fields = [(9001, b"a"), (9002, b"\xe9\xff"), (9001, b"b"), (9003, b"x\x01y")]
    message = order(side="Z", unknown=fields)
    assert to_dict(message)["unknown"] == [[tag, value] for tag, value in fields]
    for read in (from_dict(to_dict(message, "tag")), from_json(to_json(message))):
        assert read == message
        assert read.unknown == tuple(fields)
    unknown_message = UnknownMessage(msg_type="ZZ", unknown=fields)
    assert from_json(to_json(unknown_message)) == unknown_message
    assert from_json('{"35": "ZZ"}') == UnknownMessage(msg_type="ZZ")


@pytest.mark.parametrize("by", BY)
def test_secrets_are_hidden_and_not_restored(by: mapping.By) -> None:
    logon = Logon(heart_bt_int=30, raw_data=b"hush1", password="hush2", unknown=[(9001, b"x")])
    # A misplaced signature is an unknown field, and still secret.
    misplaced = order(unknown=[(96, b"hush3"), (9001, b"x")])
    for message in (logon, misplaced):
        shown = f"{to_dict(message, by)} {to_json(message, by)}"
        assert "hush" not in shown
        assert "<hidden>" in shown
        with pytest.raises(DecodeError, match="hidden"):
            from_dict(to_dict(message, by))
        with pytest.raises(DecodeError, match="hidden"):
            from_json(to_json(message, by))
    assert from_dict({**to_dict(logon), "RawData": b"x", "Password": "y"}) == attrs.evolve(
        logon, raw_data=b"x", password="y"
    )
    with pytest.raises(DecodeError) as caught:
        from_dict({**to_dict(logon), "RawData": b"x", "Password": "hush\x01"})
    assert "hush" not in str(caught.value)


GOOD = {"MsgType": "V", "SubscriptionRequestType": "1", "NoRelatedSym": [{"Symbol": "K"}]}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"MsgType": None}, "expected MsgType"),
        ({"MsgType": "ZZ"}, "unknown MsgType 'ZZ'"),
        ({"35": "V"}, "expected MsgType"),
        ({"263": "0"}, "must be given only once"),
        ({"Nonsense": "0"}, "has no field 'Nonsense'"),
        ({"9999": "0"}, "has no field '9999'"),
        ({1: "0"}, "has no field 1"),
        ({"SubscriptionRequestType": 1.0}, "cannot be 1.0"),
        ({"SubscriptionRequestType": ""}, "cannot be ''"),
        ({"SubscriptionRequestType": None}, "cannot be None"),
        ({"NoRelatedSym": "K"}, "must be a list of entries"),
        ({"NoRelatedSym": 1}, "must be a list of entries"),
        ({"NoRelatedSym": ["K"]}, "expected a mapping for MDReqSymbol, not str"),
        ({"NoRelatedSym": [{}]}, "symbol"),
        ({"unknown": {"9999": "x"}}, "must be a list of"),
        ({"unknown": [["9999", "x"]]}, "must be a list of"),
        ({"unknown": [[9999]]}, "must be a list of"),
        ({"unknown": [[0, "x"]]}, "must be a list of"),
        ({"unknown": [[True, "x"]]}, "must be a list of"),
        ({"unknown": [[9999, "\u20ac"]]}, "latin-1"),
    ],
    ids=str,
)
def test_invalid_mappings_are_refused_with_the_reason(change: dict[Any, Any], text: str) -> None:
    assert from_dict(GOOD) == MarketDataRequest.subscribe("K")
    data = {key: value for key, value in (GOOD | change).items() if key != "MsgType" or value is not None}
    with pytest.raises(DecodeError, match=text):
        from_dict(data)


@pytest.mark.parametrize(
    "text",
    [
        *("", "null", "[]", "1", '"D"', "{", "[" * 100_000, '{"MsgType": NaN}'),
        '{"MsgType": "5", "Text": "a", "Text": "b"}',
        '{"MsgType": "V", "NoRelatedSym": [{"Symbol": "K", "Symbol": "L"}]}',
    ],
    ids=lambda text: text[:20],
)
def test_invalid_json_is_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        from_json(text)
    with pytest.raises(DecodeError):
        from_json(None)  # type: ignore[arg-type]


def test_values_that_cannot_be_encoded_have_no_json() -> None:
    message = order()
    message.price = Decimal("NaN")
    with pytest.raises(EncodeError, match="NaN"):
        to_json(message)
    with pytest.raises(ValueError, match="by must be"):
        to_dict(message, "attribute")  # type: ignore[arg-type]


def test_many_entries_round_trip() -> None:
    request = MarketDataRequest.subscribe(*(f"K{number}" for number in range(5000)))
    assert from_json(to_json(request, "tag")) == request


def test_a_value_that_could_not_be_parsed_is_omitted_from_the_dict() -> None:
    header = kalshi.Header(sender_comp_id="a", target_comp_id="b", msg_seq_num=7, sending_time=NOON)
    frame = kalshi.encode(order(), header)
    damaged: Any = kalshi.decode(frame)
    damaged.price = None
    assert "Price" not in to_dict(damaged)
    with pytest.raises(DecodeError, match="price"):
        from_dict(to_dict(damaged))
