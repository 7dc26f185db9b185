"""Past reports over TLS, in pages."""

from __future__ import annotations

from contextlib import closing

from kalshi_fix_adapters.venue.gateway.drop_copy import PAGE
from kalshi_fix_adapters.venue.identities import Authority
from kalshi_fix_adapters.venue.server import VenueServer
from kalshi_fix_sansio import EventResendComplete, EventResendRequest, ExecutionReport, Side
from kalshi_fix_sansio.events import MessageReceived
from tests.adapters.venue.test_server import Wire, now
from tests.adapters.venue.town import accounts, config, order


def test_pages_follow_one_another_over_a_socket() -> None:
    authority = Authority()
    count = 2 * PAGE + 1
    with (
        VenueServer(config(accounts=accounts(ann={"drop_copy": True})), authority.issue()) as server,
        closing(Wire(server, authority, "ann")) as ann,
    ):
        for number in range(count):
            ann.session.send(order(f"a{number}", Side.BUY, 1, "0.01"), now())
        for _ in range(2 * count):  # pending and new
            ann.report()
        ann.session.send(EventResendRequest(begin_exec_id="0;0"), now())
        names = []
        while True:
            event = ann.wait_for(MessageReceived)
            if isinstance(event.message, EventResendComplete):
                break
            assert isinstance(event.message, ExecutionReport)
            names.append(event.message.cl_ord_id)
    assert names == [f"a{number}" for number in range(count)]
    assert event.message.resend_event_count == count
