"""Operators (SenderSubID 50) and cap reservations that our own session would not send.
dialogues/clearing.yaml and dialogues/daily_caps.yaml test all other cases."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio import ExecutionReport, Logout, Reject, Side
from kalshi_fix_venue.config import AccountConfig, CustomerConfig
from tests.helpers import SUB_ID_LENGTH
from tests.venue.exchange_harness import d
from tests.venue.venue_harness import Client, VenueHarness, accounts, decode_all, order, raw_logon, reframed

CUSTOMER = CustomerConfig(party_id="550e8400-e29b-41d4-a716-446655440000_customer1", balance=d(100))
ACCOUNTS: tuple[AccountConfig, ...] = accounts(ann={"customers": (CUSTOMER,)})


@pytest.fixture
def harness() -> VenueHarness:
    """Return a venue on which only Ann is a clearing member."""
    return VenueHarness(accounts=ACCOUNTS)


@pytest.mark.parametrize("operator", ["x" * (SUB_ID_LENGTH + 1), "joe\u00e9"])
def test_an_operator_id_is_printable_ascii_of_bounded_length(
    harness: VenueHarness, ann: Client, operator: str
) -> None:
    longest = "~ printable ~".ljust(SUB_ID_LENGTH, "~")
    ann.session.send(order("a1", Side.BUY, 1, "0.40"), harness.now, header_fields={"sender_sub_id": longest})
    harness.run()
    assert [party.party_id for party in ann.take_only(ExecutionReport).party_ids] == [longest]
    ann.session.send(order("a2", Side.BUY, 1, "0.40"), harness.now, header_fields={"sender_sub_id": "joe"})
    changed = reframed(ann.session.data_to_send(), b"50=joe", b"50=" + operator.encode("latin-1"))
    harness.venue.receive_data(ann.conn, changed, harness.now)
    (refused,) = decode_all(harness.venue.data_to_send(ann.conn))
    assert isinstance(refused, Reject)
    assert refused.ref_tag_id == 50


def test_a_logon_with_an_operator_is_refused(harness: VenueHarness) -> None:
    logon = reframed(raw_logon("ann"), b"56=KalshiNR\x01", b"56=KalshiNR\x0150=joe\x01")
    conn, reply = harness.begin(logon)
    assert isinstance(reply, Logout)
    assert reply.text is not None
    assert "SenderSubID" in reply.text
    assert harness.venue.should_close(conn)


@pytest.mark.parametrize(
    ("name", "session_type", "product", "text"),
    [
        ("bob", "KalshiNR", "prediction", "UseCapReservation is not allowed except for clearing members"),
        ("ann", "KalshiMD", "prediction", "UseCapReservation"),
        ("perp", "KalshiNR", "margin", "UseCapReservation"),
    ],
)
def test_only_clearing_members_can_use_cap_reservation_and_only_for_order_entry_on_prediction(
    harness: VenueHarness, name: str, session_type: str, product: str, text: str
) -> None:
    logon = raw_logon(name, session_type, use_cap_reservation=True)
    _, reply = harness.begin(logon, session_type, product)
    assert isinstance(reply, Logout)
    assert text in (reply.text or "")
