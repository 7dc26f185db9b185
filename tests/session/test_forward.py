"""Forwarding a message: a new header, and the unchanged body."""

from __future__ import annotations

import pytest

from kalshi_fix_sansio.config import Role, resend_everything
from kalshi_fix_sansio.errors import DecodeError, EncodeError, InvalidMessageError, LocalProtocolError
from kalshi_fix_sansio.events import MessageReceived
from kalshi_fix_sansio.framing import encode_frame
from kalshi_fix_sansio.session import State
from tests.helpers import Wired, established, of_type, one, raw, wire, wire_time

BODY = b"54=1\x0138=0010.00\x0155=KX\x0140=2\x0144=.5\x0111=a1\x019001=new\x01"
"""An order in an unusual field order, with values that this library would write differently."""
ORDER = raw(
    "35=D|34=77|49=elsewhere|52=20260101-00:00:00|56=somewhere|43=Y|" + BODY.decode().replace("\x01", "|")
)


def body_of(data: bytes) -> bytes:
    """Return the order's body as sent."""
    return data[data.index(b"54=1\x01") : data.rindex(b"10=")]


@pytest.fixture
def client() -> Wired:
    """Return a client that resends everything."""
    return established(Role.INITIATOR, resend_policy=resend_everything)


def test_the_body_is_unchanged_and_the_header_is_new(client: Wired) -> None:
    assert client.session.forward(ORDER, client.clock.now, header_fields={"poss_resend": True}) == 2
    data = client.session.data_to_send()
    assert body_of(data) == BODY
    client.session.receive_data(client.peer.message("2", "7=2|16=0|"), client.clock.now)
    (header,) = [found.header for found in client.sent()]
    assert (header.msg_seq_num, header.poss_resend, header.poss_dup_flag) == (2, True, True)
    assert (header.sender_comp_id, header.target_comp_id) == (client.peer.target, client.peer.sender)
    assert b"elsewhere" not in data
    assert b"34=77" not in data


def test_a_resent_message_is_identical_byte_for_byte(client: Wired) -> None:
    client.session.forward(ORDER, client.clock.now)
    first = client.session.data_to_send()
    client.clock.advance(5)
    client.receive(client.peer.message("2", "7=2|16=2|"))
    again = client.session.data_to_send()
    assert body_of(again) == body_of(first) == BODY
    assert b"\x0143=Y\x01" in again
    assert b"\x01122=20260821-14:03:07.123\x01" in again


def test_a_body_whose_price_would_be_read_as_data_is_not_forwarded(client: Wired) -> None:
    """The length also covers the price, once the header field between the length and RawData is removed."""
    hostile = raw(
        "35=D|34=7|49=x|56=y|52=20260101-00:00:00|11=a|55=K|54=1|40=2|38=1|95=10|43=N|96=abc|44=0.5|59=1|"
    )
    with pytest.raises(EncodeError, match="which bytes belong to a data field"):
        client.session.forward(hostile, client.clock.now)
    assert (client.session.next_outgoing, client.session.data_to_send()) == (2, b"")


def test_the_event_has_the_message_as_received(wired: Wired) -> None:
    frames = [wired.peer.message("9", f"37=o|434=1|11=m{n}|39=8|", n) for n in (2, 3, 4)]
    at_once, second, held = frames
    again = {"t43": "Y", "t122": wire_time(wired.clock.utc)}
    late = wired.peer.message("9", "37=o|434=1|11=m3|39=8|", 3, **again)
    assert second != late
    events = wired.receive(at_once, held, late)
    assert [event.frame for event in of_type(events, MessageReceived)] == [at_once, late, held]
    assert "37=o" not in repr(events)


def test_a_received_message_can_be_forwarded(client: Wired) -> None:
    venue, onward = established(Role.ACCEPTOR), client
    event = one(venue.receive(venue.peer.message("D", BODY.decode().replace("\x01", "|"))), MessageReceived)
    onward.session.forward(event.frame, onward.clock.now)
    assert body_of(onward.session.data_to_send()) == BODY


@pytest.mark.parametrize(
    ("frame", "error", "expected"),
    [
        (ORDER[:-1], DecodeError, "not one complete FIX message"),
        (
            raw("35=0|49=a|56=b|34=1|52=20260101-00:00:00|"),
            LocalProtocolError,
            "must be sent by the session itself",
        ),
        (raw("35=ZZ|49=a|56=b|34=1|52=20260101-00:00:00|1=x|"), LocalProtocolError, "is not a message of"),
        (
            raw("35=8|49=a|56=b|34=1|52=20260101-00:00:00|"),
            InvalidMessageError,
            "ExecutionReport cannot be sent",
        ),
        (raw("35=D|49=a|56=b|34=1|52=20260101-00:00:00|11=a|"), InvalidMessageError, "OrderQty"),
    ],
)
def test_invalid_messages_are_not_forwarded(
    client: Wired, frame: bytes, error: type[Exception], expected: str
) -> None:
    with pytest.raises(error, match=expected):
        client.session.forward(frame, client.clock.now)
    assert (client.session.next_outgoing, client.session.data_to_send()) == (2, b"")


def test_the_header_is_checked_as_in_send(client: Wired) -> None:
    with pytest.raises(LocalProtocolError, match="the session itself sets msg_seq_num"):
        client.session.forward(ORDER, client.clock.now, header_fields={"msg_seq_num": 5})


def test_no_message_is_forwarded_before_the_logon() -> None:
    wired = wire(Role.INITIATOR)
    with pytest.raises(LocalProtocolError, match="in the state 'disconnected'"):
        wired.session.forward(ORDER, wired.clock.now)
    assert wired.session.state is State.DISCONNECTED


def test_a_session_without_resend_stores_no_messages() -> None:
    wired = established(Role.INITIATOR, "KalshiNR")
    wired.session.forward(ORDER, wired.clock.now)
    assert wired.session.store.find(2) is None


def test_the_frame_of_another_version_gets_the_version_of_the_session(client: Wired) -> None:
    other = encode_frame("FIX.4.4", ORDER.split(b"\x01", 2)[2][: -len(b"10=000\x01")])
    client.session.forward(other, client.clock.now)
    data = client.session.data_to_send()
    assert data.startswith(b"8=FIXT.1.1\x01")
    assert body_of(data) == BODY


@pytest.mark.parametrize("field", ["102=|", "38=many|", "54=1|"])
def test_a_body_with_problems_is_not_forwarded(client: Wired, field: str) -> None:
    frame = raw(f"35=D|34=7|49=a|52=20260101-00:00:00|56=b|11=a1|55=KX|54=1|38=1|40=2|44=0.5|{field}")
    with pytest.raises(InvalidMessageError, match="cannot be sent"):
        client.session.forward(frame, client.clock.now)
    assert client.session.data_to_send() == b""
    assert client.session.next_outgoing == 2
