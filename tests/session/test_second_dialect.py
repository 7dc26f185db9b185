"""The same engine with plain FIX 5.0 SP2: it does not depend on Kalshi's dialect."""

from __future__ import annotations

from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.dialect.problems import Reason
from kalshi_fix_sansio.events import CloseReason, MessageReceived, SessionEnded
from kalshi_fix_sansio.session import reply_route
from tests.fix50sp2.dialect import Header
from tests.fix50sp2.helpers import NOON, established, pair, sent
from tests.helpers import Clock, Peer, one, wire_time

ORDER = "11=id|21=3|40=1|54=1|55=INTC|60=20260821-12:00:00|"


def test_routing_fields_that_cannot_be_sent_are_omitted_from_the_answer(role: Role) -> None:
    wired = established(role)
    wired.receive(wired.peer.message("D", ORDER.replace("40=1", "40=w"), t115="a\0b", t116="CS"))
    (reject,) = sent(wired)
    assert (reject.header.deliver_to_comp_id, reject.header.deliver_to_sub_id) == (None, "CS")


def test_routing_fields_that_cannot_be_read_are_omitted_from_the_answer(role: Role) -> None:
    wired = established(role)
    wired.receive(wired.peer.message("D", ORDER, t128="JCD", t129=""))
    (reject,) = sent(wired)
    assert (reject.ref_tag_id, reject.session_reject_reason) == (129, Reason.TAG_WITHOUT_VALUE)
    assert (reject.header.on_behalf_of_comp_id, reject.header.on_behalf_of_sub_id) == ("JCD", None)


def test_the_routing_fields_of_an_answer_are_reversed() -> None:
    received = Header(
        sender_comp_id="a",
        target_comp_id="b",
        msg_seq_num=1,
        sending_time=NOON,
        on_behalf_of_comp_id="1",
        on_behalf_of_sub_id="2",
        on_behalf_of_location_id="3",
        deliver_to_comp_id="4",
        deliver_to_sub_id="5",
        deliver_to_location_id="6",
        sender_sub_id="not a route",
    )
    assert reply_route(received) == {
        "deliver_to_comp_id": "1",
        "deliver_to_sub_id": "2",
        "deliver_to_location_id": "3",
        "on_behalf_of_comp_id": "4",
        "on_behalf_of_sub_id": "5",
        "on_behalf_of_location_id": "6",
    }


def test_an_order_is_forwarded_unchanged() -> None:
    wired = established(Role.ACCEPTOR)
    body = "60=20260821-12:00:00|54=1|38=002000.00|40=1|21=1|11=ID|454=0|"
    event = one(wired.receive(wired.peer.message("D", body, t97="Y", t115="JCD")), MessageReceived)
    fields = {**reply_route(event.message.header), "poss_resend": True}
    wired.session.forward(event.frame, wired.clock.now, header_fields=fields)
    data = wired.session.data_to_send().decode().replace("\x01", "|")
    time = wire_time(wired.clock.utc)
    assert f"|35=D|34=2|49=ISLD|52={time}|56=TW|97=Y|128=JCD|{body}10=" in data


def test_a_logon_without_a_required_field_gets_no_answer() -> None:
    venue = pair().venue
    clock = Clock()
    venue.connect(clock.now)
    venue.receive_data(Peer(clock, "TW", "ISLD").logon("98=0|108=30|"), clock.now)
    ended = one(venue.events(), SessionEnded)
    assert (ended.reason, ended.text) == (CloseReason.LOGON_REFUSED, "DefaultApplVerID (1137) is missing")
    assert (venue.data_to_send(), venue.next_outgoing) == (b"", 1)
