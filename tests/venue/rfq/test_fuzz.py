"""Whatever creators and makers send, the venue keeps running, serves others and conserves money."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from kalshi_fix_sansio import RFQCancel
from kalshi_fix_sansio.dialect.base import Message
from tests.helpers import tag_of
from tests.venue.rfq.rfq_harness import (
    BUY,
    RfqHarness,
    accept,
    cancel_quote,
    confirm,
    quote,
    request,
    request_quotes,
)
from tests.venue.rfq.test_combos import COLLECTIONS, HIGH, RAINS, combo
from tests.venue.test_fuzz import VALUES, mutate
from tests.venue.venue_harness import encode, order

NAMES = [
    "QuoteReqID",
    "NoRelatedSym",
    "Symbol",
    "OrderQty",
    "CashOrderQty",
    "QuoteID",
    "RfqId",
    "BidPx",
    "OfferPx",
    "Side",
    "AllocAccount",
    "RestRemainder",
    "ReplaceExisting",
    "TargetCostExcludesFees",
    "PreferBetterQuote",
    "NoMultivariateSelectedLegs",
    "MultivariateCollectionTicker",
    "MultivariateSelectedSide",
    "NoPartyIDs",
    "ExecInst",
]
CHANGES = st.tuples(
    st.sampled_from(["change", "add", "drop"]),
    st.integers(0, 30),
    st.sampled_from([tag_of(name) for name in NAMES]),
    VALUES,
)


def messages(rfq_id: str) -> list[tuple[str, Message]]:
    """Return the messages that the creator and the maker may send about one request."""
    from_creator: list[Message] = [
        request("r2", replace_existing=True),
        request("r3", cash_order_qty="20", target_cost_excludes_fees=True),
        request("r4", **combo(HIGH, RAINS)),
        accept("q1", rfq_id=rfq_id, order_qty=5, prefer_better_quote=True),
        order("o1", BUY, 5, "0.60", quote_id="q1", rfq_id=rfq_id),
        RFQCancel(quote_req_id="r1"),
    ]
    from_maker: list[Message] = [
        quote(rfq_id, "q2", rest_remainder=True, exec_inst="6"),
        cancel_quote("q1", rfq_id),
        confirm("q1", rfq_id),
    ]
    return [*(("ann", message) for message in from_creator), *(("bob", message) for message in from_maker)]


@settings(max_examples=40)
@given(st.data())
def test_mutated_messages_never_break_an_rfq(data: st.DataObject) -> None:
    harness = RfqHarness(combos=COLLECTIONS)
    clients = {"ann": harness.creator(), "bob": harness.maker()}
    rfq_id = request_quotes(clients["ann"])
    clients["bob"].send(quote(rfq_id))
    numbers = {name: client.session.next_outgoing for name, client in clients.items()}
    for _ in range(8):
        name, message = data.draw(st.sampled_from(messages(rfq_id)))
        session_type = clients[name].session.config.session_type.name
        frame = encode(name, session_type, numbers[name], harness.now, message)
        numbers[name] += 1
        changes = data.draw(st.lists(CHANGES, max_size=2))
        harness.venue.receive_data(clients[name].conn, mutate(frame, changes), harness.now)
        for client in clients.values():
            harness.venue.data_to_send(client.conn)
    harness._move_to(harness.monotonic + 31)
    harness.venue.handle_timer(harness.now)
    harness._move_to(harness.monotonic + 31)
    harness.venue.handle_timer(harness.now)
    dan, cat = harness.creator("dan"), harness.maker("cat")
    cat.send(quote(request_quotes(dan, "last"), "c1"))
    dan.send(accept("c1"))
    assert [message.MSG_TYPE for message in dan.take()] == ["S", "UC"]
    owners, nothing = ("ann", "bob", "cat", "dan"), Decimal(0)
    held = sum((max(harness.net(owner), nothing) for owner in owners), nothing)
    assert sum((harness.balance(owner) for owner in owners), nothing) + held == 4000
