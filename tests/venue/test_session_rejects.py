"""Answers from a venue session to messages that break the rules of the session layer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from kalshi_fix_sansio import BusinessMessageReject, BusinessRejectReason, Reject, SessionRejectReason, Side
from kalshi_fix_sansio._generated.limits import SENDING_TIME_TOLERANCE
from kalshi_fix_sansio.dialect.base import Message
from tests.helpers import raw, wire_time
from tests.venue.exchange_harness import MARKET
from tests.venue.venue_harness import KEYS, VenueHarness, decode_all, order

ORDER = f"11=a1|38=1|40=2|44=40|54=1|55={MARKET}|59=1|"


def answers(
    harness: VenueHarness, session_type: str, msg_type: str, fields: str, *, late: float = 0.0
) -> list[Message]:
    """Log on, send one message that bypasses the session, and return the answers."""
    client = harness.connect("ann", session_type)
    time = wire_time(harness.now.utc - timedelta(seconds=late))
    head = f"35={msg_type}|49={KEYS['ann'].key_id}|56={session_type}|34=2|52={time}|"
    harness.venue.receive_data(client.conn, raw(head + fields), harness.now)
    return decode_all(harness.venue.data_to_send(client.conn))


def rejects(*args: Any, **kwargs: Any) -> list[Reject]:
    return [answer for answer in answers(*args, **kwargs) if isinstance(answer, Reject)]


@pytest.mark.parametrize(
    ("msg_type", "fields", "reason"),
    [
        ("0", "0=1|", SessionRejectReason.INVALID_TAG_NUMBER),
        ("0", "112=a|50=late|", SessionRejectReason.TAG_OUT_OF_ORDER),
        ("A", "98=0|108=30|95=1|96=x|1137=9|", SessionRejectReason.OTHER),
        ("D", ORDER.replace(f"55={MARKET}|", ""), SessionRejectReason.REQUIRED_TAG_MISSING),
        ("D", f"{ORDER}269=0|", SessionRejectReason.TAG_NOT_DEFINED_FOR_MESSAGE),
        ("D", f"{ORDER}333333=a|", SessionRejectReason.UNDEFINED_TAG),
        ("D", ORDER.replace("59=1", "59="), SessionRejectReason.TAG_WITHOUT_VALUE),
        ("D", ORDER.replace("54=1", "54=x"), SessionRejectReason.VALUE_INCORRECT),
        ("D", f"{ORDER}2964=9|", SessionRejectReason.VALUE_INCORRECT),
        ("D", ORDER.replace("38=1", "38=a"), SessionRejectReason.INCORRECT_DATA_FORMAT),
        ("D", f"{ORDER}453=1|452=24|448=a|", SessionRejectReason.GROUP_FIELDS_OUT_OF_ORDER),
        ("D", f"{ORDER}453=2|448=a|452=24|", SessionRejectReason.WRONG_NUM_IN_GROUP),
        ("ZZ", "", SessionRejectReason.INVALID_MSG_TYPE),
    ],
)
def test_a_violation_is_rejected_with_its_reason(
    harness: VenueHarness, msg_type: str, fields: str, reason: SessionRejectReason
) -> None:
    found = rejects(harness, "KalshiRT", msg_type, fields)
    assert [reject.session_reject_reason for reject in found][:1] == [reason]


def test_a_mass_cancel_is_accepted_only_on_kalshinr(harness: VenueHarness) -> None:
    second = harness.connect("ann-2", "KalshiRT")
    second.send(order("a1", Side.BUY, 1, "0.40"))
    (refused,) = answers(harness, "KalshiRT", "q", "11=m1|530=6|")
    assert isinstance(refused, BusinessMessageReject)
    assert (refused.business_reject_reason, refused.ref_msg_type) == (
        BusinessRejectReason.UNSUPPORTED_MESSAGE_TYPE,
        "q",
    )
    assert len(harness.venue.exchange("prediction").open_orders()) == 1


def test_a_message_with_a_wrong_sending_time_is_rejected_and_ends_the_session(harness: VenueHarness) -> None:
    (found,) = rejects(harness, "KalshiRT", "0", "", late=SENDING_TIME_TOLERANCE + 1)
    assert found.session_reject_reason == SessionRejectReason.SENDING_TIME_ACCURACY
    assert not rejects(VenueHarness(), "KalshiRT", "0", "", late=SENDING_TIME_TOLERANCE - 1)
