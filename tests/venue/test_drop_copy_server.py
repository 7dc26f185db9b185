"""Drop copy sends past reports over TLS in pages."""

from __future__ import annotations

from kalshi_fix_sansio import EventResendComplete, EventResendRequest, ExecutionReport, Side
from kalshi_fix_venue.gateway.drop_copy import PAGE_SIZE
from kalshi_fix_venue.identities import Authority
from kalshi_fix_venue.server import VenueServer
from tests.venue.test_server import PATIENCE, client_of, report
from tests.venue.venue_harness import accounts, config, order


def test_pages_are_sent_in_sequence_over_a_socket() -> None:
    authority = Authority()
    sent = [f"a{number}" for number in range(2 * PAGE_SIZE + 1)]
    with (
        VenueServer(config(accounts=accounts(ann={"drop_copy": True})), authority.issue()) as server,
        client_of(server, authority, "ann") as ann,
    ):
        for name in sent:
            ann.send(order(name, Side.BUY, 1, "0.01"))
        for _ in range(2 * len(sent)):  # each order is reported as pending and as new
            report(ann)
        ann.send(EventResendRequest(begin_exec_id="0;0"))
        found = []
        for message in ann.messages(PATIENCE):
            if not isinstance(message, ExecutionReport):
                break
            found.append(message.cl_ord_id)
    assert found == sent
    assert isinstance(message, EventResendComplete)
    assert message.resend_event_count == len(sent)
