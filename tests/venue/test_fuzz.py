"""Whatever a client sends, the venue keeps running and continues to serve others."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from kalshi_fix_sansio import (
    MarketDataRequest,
    Side,
)
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.framing import encode_frame
from tests.helpers import tag_of
from tests.venue.exchange_harness import MARKET
from tests.venue.venue_harness import VenueHarness, amend, cancel, encode, mass_cancel, order

SOH = b"\x01"
MESSAGES: dict[str, list[Message]] = {
    "KalshiNR": [
        order("a1", Side.BUY, 10, "0.40"),
        amend("a2", "a1", 5, price="0.41"),
        cancel("a3", "a2"),
        mass_cancel("m1"),
    ],
    "KalshiMD": [
        MarketDataRequest.subscribe(MARKET),
        MarketDataRequest(subscription_request_type="2"),
    ],
}
BIG, SMALL = b"9" * 19, b"0." + b"0" * 18 + b"1"
VALUES = st.sampled_from(
    [b"", b"0", b"-1", BIG, SMALL, b"1e9", b"NaN", b"+5", b"Y", b"x", b"7", b"x=11=y", b"\xff", b"Z" * 80]
)
ORDER_TAGS = [6, 11, 18, 37, 38, 40, 41, 44, 54, 55, 59, 79, 100, 117, 126, 448, 452, 453, 526, 2964]
TAGS = st.sampled_from([*ORDER_TAGS, tag_of("MaxExecutionCost"), 146, 263, 530])
CHANGES = st.tuples(st.sampled_from(["change", "add", "drop"]), st.integers(0, 30), TAGS, VALUES)


def mutate(frame: bytes, changes: list[tuple[str, int, int, bytes]]) -> bytes:
    """Change fields after the header, and correct BodyLength and CheckSum."""
    fields = frame.split(SOH)[2:-2]
    for kind, where, tag, value in changes:
        index = 5 + where % max(1, len(fields) - 5)
        if kind == "add":
            fields.insert(index, b"%d=%b" % (tag, value))
        elif index < len(fields) and kind == "drop":
            del fields[index]
        elif index < len(fields):
            fields[index] = fields[index].partition(b"=")[0] + b"=" + value
    return encode_frame("FIXT.1.1", SOH.join(fields) + SOH)


@settings(max_examples=60)
@given(st.sampled_from(sorted(MESSAGES)), st.data())
def test_mutated_messages_never_break_the_venue(session_type: str, data: st.DataObject) -> None:
    harness = VenueHarness()
    client, other = harness.connect("ann", session_type), harness.connect("bob")
    other.events.clear()
    messages = MESSAGES[session_type]
    for number in range(2, 8):
        message = data.draw(st.sampled_from(messages))
        frame = encode("ann", session_type, number, harness.now, message)
        changes = data.draw(st.lists(CHANGES, max_size=3))
        harness.venue.receive_data(client.conn, mutate(frame, changes), harness.now)
        harness.venue.data_to_send(client.conn)
    other.send(order("b1", Side.SELL, 1, "0.99"))
    assert [m.MSG_TYPE for m in other.take()] == ["8"]


@given(st.binary(max_size=300))
def test_random_bytes_never_break_the_venue(noise: bytes) -> None:
    harness = VenueHarness()
    conn = harness.venue.connection_made("prediction", "KalshiNR", harness.now)
    harness.venue.receive_data(conn, noise, harness.now)
    harness.venue.receive_eof(conn, harness.now)
    assert harness.connect("ann").is_logged_on
