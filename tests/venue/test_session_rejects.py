"""Answers from a venue session to messages that break the rules of the session layer."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kalshi_fix_sansio import Reject, SessionRejectReason
from kalshi_fix_sansio._generated.limits import SENDING_TIME_TOLERANCE
from tests.helpers import raw, wire_time
from tests.venue.exchange_harness import MARKET
from tests.venue.venue_harness import KEYS, VenueHarness, decode_all

ORDER = f"11=a1|38=1|40=2|44=40|54=1|55={MARKET}|59=1|"


def rejects(harness: VenueHarness, msg_type: str, fields: str, *, late: float = 0.0) -> list[Reject]:
    """Log on, send one message that bypasses the session, and return the Rejects that answer it."""
    client = harness.connect("ann", "KalshiRT")
    time = wire_time(harness.now.utc - timedelta(seconds=late))
    head = f"35={msg_type}|49={KEYS['ann'].key_id}|56=KalshiRT|34=2|52={time}|"
    harness.venue.receive_data(client.conn, raw(head + fields), harness.now)
    answers = decode_all(harness.venue.data_to_send(client.conn))
    return [answer for answer in answers if isinstance(answer, Reject)]


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
    found = rejects(harness, msg_type, fields)
    assert [reject.session_reject_reason for reject in found][:1] == [reason]


def test_a_message_with_a_wrong_sending_time_is_rejected_and_ends_the_session(harness: VenueHarness) -> None:
    (found,) = rejects(harness, "0", "", late=SENDING_TIME_TOLERANCE + 1)
    assert found.session_reject_reason == SessionRejectReason.SENDING_TIME_ACCURACY
    assert not rejects(VenueHarness(), "0", "", late=SENDING_TIME_TOLERANCE - 1)
