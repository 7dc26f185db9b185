"""Shards: the destination of a request, and the state kept per shard."""

from __future__ import annotations

from decimal import Decimal
from itertools import count
from typing import Any

import pytest

from kalshi_fix_sansio import (
    CxlRejReason,
    ExecType,
    ExecutionReport,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrderMassCancelReport,
    OrdRejReason,
    Side,
)
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_venue.config import AccountConfig
from kalshi_fix_venue.exchange import AccountId, margin_market, prediction_market
from tests.venue.exchange_harness import MARKET, PERP
from tests.venue.venue_harness import (
    Client,
    VenueHarness,
    accounts,
    amend,
    cancel,
    config,
    encode,
    mass_cancel,
    order,
)

BUY, SELL = Side.BUY, Side.SELL
CRYPTO = "KXBTC-26AUG20"
"""A market on shard 2."""
MARKETS = {
    "prediction": (prediction_market(MARKET), prediction_market(CRYPTO, shard=2)),
    "margin": (margin_market(PERP),),
}
ACCOUNTS = accounts(
    ann={"subaccounts": {3: Decimal(10)}, "on_shards": {2: {0: Decimal(50), 4: Decimal(5)}}},
    bob={"on_shards": {2: {0: Decimal(50)}}},
)
ON_SHARD = AccountId("ann", shard=2)


def sharded(**changes: Any) -> VenueHarness:
    return VenueHarness(markets=MARKETS, accounts=ACCOUNTS, **changes)


@pytest.fixture
def harness() -> VenueHarness:
    return sharded()


def crypto(cl_ord_id: str, side: Side = BUY, quantity: int = 1, price: str = "0.40", **fields: Any) -> Any:
    return order(cl_ord_id, side, quantity, price, symbol=CRYPTO, **fields)


def crypto_cancel(cl_ord_id: str, orig: str, **fields: Any) -> OrderCancelRequest:
    return cancel(cl_ord_id, orig, **({"symbol": CRYPTO} | fields))


def crypto_amend(cl_ord_id: str, orig: str, **fields: Any) -> OrderCancelReplaceRequest:
    return amend(cl_ord_id, orig, 2, **({"symbol": CRYPTO} | fields))


def told(client: Client, message: Any) -> ExecutionReport:
    client.take()
    return client.answer_to(message, ExecutionReport)


@pytest.mark.parametrize(
    ("symbol", "destination", "shard"),
    [(CRYPTO, None, 2), (CRYPTO, -1, 2), (CRYPTO, 2, 2), (MARKET, None, 0), (MARKET, -1, 0), (MARKET, 0, 0)],
)
def test_a_request_reaches_the_shard_of_its_symbol(symbol: str, destination: int | None, shard: int) -> None:
    harness = sharded()
    ann = harness.connect("ann")
    where: dict[str, Any] = {"symbol": symbol, "ex_destination": destination}
    end = f";{shard}" if shard else ""
    for number, (message, exec_type) in enumerate(
        (
            (order("a1", BUY, 1, "0.40", **where), ExecType.NEW),
            (crypto_amend("a2", "a1", **where), ExecType.REPLACED),
            (crypto_cancel("a3", "a2", **where), ExecType.CANCELED),
        ),
        start=1,
    ):
        report = told(ann, message)
        expected = (exec_type, str(shard), f"{number};1{end}")
        assert (report.exec_type, report.last_mkt, report.exec_id) == expected


def test_clocks_and_events_run_per_shard(ann: Client, bob: Client) -> None:
    assert told(ann, order("a1", BUY, 1, "0.40")).exec_id == "1;1"
    assert told(ann, crypto("a2")).exec_id == "1;1;2"
    assert told(ann, order("a3", BUY, 1, "0.40")).exec_id == "2;1"
    assert told(ann, crypto("a4")).exec_id == "2;1;2"
    ann.take()
    bob.send(crypto("b1", SELL, 2))
    assert [r.exec_id for r in ann.take() if isinstance(r, ExecutionReport)] == ["3;3;2", "3;5;2"]
    assert told(ann, crypto("a5", price="0.405")).exec_id == "4;1;2"


@pytest.mark.parametrize("destination", [0, 1, 77])
def test_a_shard_without_the_market_rejects_requests_for_it(ann: Client, destination: int) -> None:
    rejected = told(ann, crypto("a1", ex_destination=destination))
    assert (rejected.text, rejected.ord_rej_reason) == ("MARKET_NOT_FOUND", OrdRejReason.UNKNOWN_SYMBOL)
    assert (rejected.last_mkt, rejected.exec_id) == ("0", "1;1")
    told(ann, crypto("a1"))
    for message in (
        crypto_amend("a2", "a1", ex_destination=destination),
        crypto_cancel("a3", "a1", ex_destination=destination),
    ):
        refused = ann.answer_to(message, OrderCancelReject)
        assert (refused.text, refused.cxl_rej_reason) == ("MARKET_NOT_FOUND", CxlRejReason.OTHER)
    assert told(ann, crypto_cancel("a4", "a1")).exec_type == ExecType.CANCELED


def test_balances_are_per_shard(harness: VenueHarness, ann: Client, bob: Client) -> None:
    rejected = told(ann, crypto("a1", quantity=120))
    assert (rejected.text, rejected.ord_rej_reason) == (
        "INSUFFICIENT_BALANCE",
        OrdRejReason.ORDER_EXCEEDS_LIMIT,
    )
    assert told(ann, crypto("a1", quantity=119)).exec_type == ExecType.NEW
    bob.send(crypto("b1", SELL, 10))
    exchange = harness.venue.exchange("prediction")
    assert exchange.account(ON_SHARD).balance == 46
    assert exchange.account(AccountId("ann")).balance == 1000
    assert exchange.position(AccountId("ann"), CRYPTO).net == 10


def test_the_primary_account_is_on_every_shard_and_a_subaccount_where_it_was_made() -> None:
    harness = VenueHarness(
        markets=MARKETS,
        accounts=(AccountConfig(owner="ann", product="prediction", balance=Decimal(9)),),
        api_keys=tuple(key for key in config().api_keys if key.owner == "ann"),
    )
    ann = harness.connect("ann")
    assert told(ann, crypto("a1")).text == "INSUFFICIENT_BALANCE"
    other = sharded()
    ann = other.connect("ann")
    assert told(ann, crypto("a1", alloc_account=4)).exec_type == ExecType.NEW
    assert told(ann, crypto("a2", alloc_account=3)).text == "CUSTOMER_ACCOUNT_NOT_FOUND"
    assert told(ann, order("a3", BUY, 1, "0.40", alloc_account=4)).text == "CUSTOMER_ACCOUNT_NOT_FOUND"


def test_a_mass_cancel_cancels_the_orders_of_all_shards(ann: Client) -> None:
    told(ann, order("a1", BUY, 1, "0.40"))
    told(ann, crypto("a2"))
    ann.send(mass_cancel("q"))
    report, *canceled = ann.take()
    assert isinstance(report, OrderMassCancelReport)
    assert [(r.cl_ord_id, r.exec_id, r.last_mkt) for r in canceled if isinstance(r, ExecutionReport)] == [
        ("a1", "2;1", "0"),
        ("a2", "2;1;2", "2"),
    ]


def test_a_cancel_on_disconnect_cancels_the_orders_of_all_shards(harness: VenueHarness) -> None:
    ann = harness.connect("ann", cancel_orders_on_disconnect=True)
    told(ann, order("a1", BUY, 1, "0.40"))
    told(ann, crypto("a2"))
    ann.drop()
    exchange = harness.venue.exchange("prediction")
    assert exchange.find("ann", "a1") is exchange.find("ann", "a2") is None
    assert exchange.account(ON_SHARD).available == 50


def test_clients_cannot_create_shards(ann: Client) -> None:
    for number in count(3):
        rejected = told(ann, crypto(f"a{number}", ex_destination=number))
        assert rejected.exec_id == f"{number - 2};1"
        if number == 40:
            break


@pytest.mark.parametrize(
    "changes",
    [
        {"markets": {"margin": (margin_market(PERP), prediction_market("X", shard=1))}},
        {"markets": {"prediction": (prediction_market("X", shard=-1),)}},
        {
            "accounts": (
                AccountConfig(
                    owner="a", product="prediction", balance=Decimal(0), on_shards={0: {0: Decimal(1)}}
                ),
            )
        },
        {
            "accounts": (
                AccountConfig(
                    owner="a", product="margin", balance=Decimal(0), on_shards={1: {0: Decimal(1)}}
                ),
            )
        },
    ],
    ids=["margin market", "negative", "shard 0", "margin account"],
)
def test_invalid_shards_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"shard -?\d"):
        config(**{"api_keys": (), **changes})


@pytest.mark.parametrize("destination", [-1, 0, 7])
def test_margin_ignores_the_destination(destination: int) -> None:
    """Our client does not send this destination, so the bytes are built by hand."""
    harness = VenueHarness()
    perp = harness.connect("perp", product="margin")
    requests: list[Message] = [
        order("a1", BUY, 1, "100", symbol=PERP, ex_destination=destination),
        crypto_amend("a2", "a1", symbol=PERP, ex_destination=destination),
        crypto_cancel("a3", "a2", symbol=PERP, ex_destination=destination),
    ]
    for seq_num, message in enumerate(requests, start=2):
        harness.venue.receive_data(
            perp.conn, encode("perp", "KalshiNR", seq_num, harness.now, message), harness.now
        )
        harness.run()
    reports = [(r.exec_type, r.last_mkt) for r in perp.take() if isinstance(r, ExecutionReport)]
    assert reports == [(ExecType.NEW, "0"), (ExecType.REPLACED, "0"), (ExecType.CANCELED, "0")]
