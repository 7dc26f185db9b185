"""The operator's operations on a venue, looked up by name."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from kalshi_fix_sansio import ExecutionReport, Side
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_venue.exchange import MarketState
from kalshi_fix_venue.operations import OPERATIONS, operation
from kalshi_fix_venue.operations.base import Operation
from kalshi_fix_venue.operations.faults import Unavailable
from kalshi_fix_venue.operations.operator import Halt, LogOut, Open, Pause, Settle, Status
from kalshi_fix_venue.parameters import parameters
from tests.venue.exchange_harness import MARKET, PERP
from tests.venue.venue_harness import KEYS, Client, VenueHarness, accounts, order


def test_every_operation_has_a_name_a_description_and_documented_parameters() -> None:
    for name, cls in OPERATIONS.items():
        assert name == cls.NAME
        assert (cls.__doc__ or "").rstrip().endswith(".")
        for each in parameters(cls):
            assert each.doc
            assert each.name not in {"when", "do"}  # Reserved: scenario steps use these keys themselves.


def test_an_operation_round_trips_through_its_values() -> None:
    pause = operation("pause", {"what": "exchange", "product": "margin"})
    assert pause == Pause(what="exchange", product="margin")
    assert operation(pause.NAME, pause.values()) == pause
    assert operation("pause").values() == {}
    texts = {"applied": "yes", "times": "0", "after": "1.5"}
    assert operation("unavailable", texts) == Unavailable(applied=True, times=0, after=1.5)


@pytest.mark.parametrize(
    ("name", "values", "text"),
    [
        ("pase", {}, "there is no operation 'pase'; did you mean `pause`?"),
        ("xyz", {}, "there is no operation 'xyz'; use one of "),
        ("pause", {"what": "tading"}, "pause: what: 'tading' is not one of trading, exchange; did you mean"),
        ("pause", {"wat": "trading"}, "pause has no parameter 'wat'; did you mean `what`?"),
        ("halt", {}, "halt needs market: ticker of the market"),
        ("halt", {"market": None}, "halt: market: None is not text"),
        ("halt", {"market": " "}, "halt: market: ' ' is blank"),
        ("status", {"x": 1}, "status has no parameter 'x'; leave it out"),
        (
            "cut",
            {"at": "frme"},
            "cut: at: 'frme' is not one of now, frame, request, reply; did you mean",
        ),
        (
            "cut",
            {"message": "ExecutionReprt"},
            "cut: message: 'ExecutionReprt' is neither a MsgType nor",
        ),
        ("delay", {}, "delay needs by: delay"),
        ("delay", {"by": -1}, "delay: by: -1 is not a duration"),
        ("delay", {"by": "soon"}, "delay: by: 'soon' is not a number"),
        ("delay", {"by": "nan"}, "delay: by: 'nan' is not a finite number"),
        ("delay", {"by": True}, "delay: by: True is not a number"),
        ("gap", {"times": 1.5}, "gap: times: 1.5 is not a whole number"),
        ("gap", {"chance": 0}, "gap: chance: 0 is not a probability"),
        ("gap", {"session": "NR"}, "gap: session: 'NR' is not one of"),
        ("unavailable", {"applied": "perhaps"}, "unavailable: applied: 'perhaps' is neither yes nor no"),
        ("reject", {"text": ""}, "reject: text: '' is blank"),
    ],
)
def test_an_invalid_operation_is_reported_with_the_valid_choices(
    name: str, values: dict[str, Any], text: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        operation(name, values)
    assert str(caught.value).startswith(text)


def test_a_market_is_found_in_either_product(harness: VenueHarness) -> None:
    for product, market in (("prediction", MARKET), ("margin", PERP)):
        assert harness.venue.perform(Halt(market=market), harness.now) == {
            "text": f"{market}: inactive",
            "market": market,
            "state": "inactive",
        }
        assert harness.venue.exchange(product).markets[market].state is MarketState.INACTIVE
        harness.venue.perform(Open(market=market), harness.now)
        assert harness.venue.exchange(product).markets[market].state is MarketState.ACTIVE


def test_a_market_settles_from_any_earlier_state(harness: VenueHarness) -> None:
    with pytest.raises(ConfigurationError, match="has no result; specify yes, no, or scalar"):
        harness.venue.perform(Settle(market=MARKET), harness.now)
    assert harness.venue.exchange("prediction").markets[MARKET].state is MarketState.ACTIVE
    assert harness.venue.perform(Settle(market=MARKET, result="no"), harness.now)["state"] == "settled"
    assert harness.venue.perform(Settle(market=MARKET), harness.now)["state"] == "settled"
    with pytest.raises(ConfigurationError, match="is settled and cannot become active"):
        harness.venue.perform(Open(market=MARKET), harness.now)
    with pytest.raises(ConfigurationError, match="did you mean"):
        harness.venue.perform(Open(market=MARKET[:-1]), harness.now)


@pytest.mark.parametrize(
    ("who", "names"),
    [
        ({}, ("ann", "ann-md", "bob", "perp")),
        ({"owner": "ann"}, ("ann", "ann-md")),
        ({"key": KEYS["bob"].key_id}, ("bob",)),
        ({"session": "KalshiMD"}, ("ann-md",)),
        ({"product": "margin"}, ("perp",)),
        ({"owner": "ann", "session": "KalshiNR"}, ("ann",)),
        ({"owner": "bob", "session": "KalshiMD"}, ()),
    ],
    ids=lambda value: "+".join(value) or "all",
)
def test_only_the_selected_sessions_are_logged_out_with_the_text(
    harness: VenueHarness, who: dict[str, str], names: tuple[str, ...]
) -> None:
    clients = {
        "ann": harness.connect("ann"),
        "ann-md": harness.connect("ann-md", "KalshiMD"),
        "bob": harness.connect("bob"),
        "perp": harness.connect("perp", product="margin"),
    }
    answer = harness.perform(LogOut(text="see you", **who))
    assert answer["keys"] == [KEYS[name].key_id for name in names]
    for name, client in clients.items():
        if name in names:
            assert "see you" in client.session_end().text
        else:
            assert not any(type(event).__name__ == "SessionEnded" for event in client.events)


def test_each_session_is_logged_out_once(harness: VenueHarness) -> None:
    client = harness.connect("ann")
    assert len(harness.venue.perform(LogOut(), harness.now)["keys"]) == 1
    assert harness.venue.perform(LogOut(), harness.now)["keys"] == []
    harness.run()
    assert client.session_end().clean
    assert harness.venue.perform(LogOut(), harness.now)["text"] == "0 sessions logged out"


def test_status_contains_orders_positions_cash_and_sequence_numbers(
    harness: VenueHarness, ann: Client, bob: Client
) -> None:
    ann.send(order("a", Side.BUY, 10, "0.40"))
    bob.send(order("b", Side.SELL, 4, "0.40"))
    answer = harness.venue.perform(Status(), harness.now)
    prediction = answer["products"]["prediction"]
    (resting,) = prediction["orders"]
    assert (resting["cl_ord_id"], resting["leaves"], resting["filled"]) == ("a", "6", "4")
    assert prediction["open_orders"] == 1
    held = {each["owner"]: each["positions"] for each in prediction["accounts"]}
    assert held == {"ann": {MARKET: "4"}, "bob": {MARKET: "-4"}}
    fills = [m for m in ann.take() + bob.take() if isinstance(m, ExecutionReport) and m.last_qty]
    assert len(fills) == 2
    numbers = {each["owner"]: each for each in answer["sessions"]}
    assert numbers["ann"]["next_outgoing"] == ann.session.next_incoming
    assert numbers["bob"]["next_incoming"] == bob.session.next_outgoing
    assert answer["text"] == "2 sessions are logged on"


def test_status_lists_the_orders_of_clients_first(
    harness: VenueHarness, ann: Client, bob: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kalshi_fix_venue.operations.status.MAX_ORDERS", 1)
    monkeypatch.setattr("kalshi_fix_venue.operations.status.belongs_to_venue", lambda owner: owner == "bob")
    bob.send(order("b", Side.BUY, 1, "0.40"))
    ann.send(order("a", Side.BUY, 1, "0.40"))
    prediction = harness.venue.perform(Status(), harness.now)["products"]["prediction"]
    assert [each["owner"] for each in prediction["orders"]] == ["ann"]
    assert prediction["open_orders"] == 2


def test_operations_are_compared_by_value() -> None:
    assert isinstance(Status(), Operation)
    assert hash(Pause()) == hash(Pause(what="trading"))


def test_a_transfer_is_reported_with_both_balances() -> None:
    harness = VenueHarness(accounts=accounts(ann={"subaccounts": {1: Decimal(50)}}))
    answer = harness.do("transfer", owner="ann", amount=100, to_subaccount=1)
    assert answer["text"] == "ann: 100 dollars moved; the source has 900 left, the target has 150"
