"""What a session of the venue says of messages that break the rules of the session layer."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kalshi_fix_sansio import Reject, SessionRejectReason
from tests.adapters.venue.town import KEYS, Town, decode_all
from tests.helpers import raw, wire_time


def rejects(town: Town, session_type: str, msg_type: str, fields: str, *, late: float = 0.0) -> list[Reject]:
    """Log on, send one message by hand, and return the Rejects that come."""
    client = town.connect("ann", session_type)
    time = wire_time(town.now.utc - timedelta(seconds=late))
    head = f"35={msg_type}|49={KEYS['ann'].key_id}|56={session_type}|34=2|52={time}|"
    town.venue.receive_data(client.conn, raw(head + fields), town.now)
    answers = decode_all(town.venue.data_to_send(client.conn))
    return [answer for answer in answers if isinstance(answer, Reject)]


@pytest.mark.parametrize(
    ("msg_type", "fields", "reason"),
    [
        ("0", "0=1|", SessionRejectReason.INVALID_TAG_NUMBER),
        ("0", "112=a|50=late|", SessionRejectReason.TAG_OUT_OF_ORDER),
        ("A", "98=0|108=30|95=1|96=x|1137=9|", SessionRejectReason.OTHER),
    ],
)
def test_it_is_named_by_its_reason(
    town: Town, msg_type: str, fields: str, reason: SessionRejectReason
) -> None:
    found = rejects(town, "KalshiRT", msg_type, fields)
    assert [reject.session_reject_reason for reject in found][:1] == [reason]


def test_a_message_of_another_time_is_rejected_and_ends_the_session(town: Town) -> None:
    (found,) = rejects(town, "KalshiRT", "0", "", late=31)
    assert found.session_reject_reason == SessionRejectReason.SENDING_TIME_ACCURACY
    assert not rejects(Town(), "KalshiRT", "0", "", late=29)
