"""Third-party clients with the simulated venue: from logon to logout."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from kalshi.fix.auth import FixSigner
from kalshi.fix.config import FixConfig, FixSessionType
from kalshi.fix.enums import OrdType, Side, TimeInForce
from kalshi.fix.errors import FixLogonError
from kalshi.fix.messages import market_data, order_entry, settlement
from kalshi.fix.messages.dispatch import decode_app_message_strict
from kalshi.fix.orderbook import FixOrderBook
from kalshi.fix.session import FixSession

from interop.peer import PATIENCE, Fields
from interop.quickfix_peer import QuickfixPeer
from kalshi_fix_sansio._generated.layouts.fields import FIELDS
from kalshi_fix_sansio.signing import load_private_key, logon_payload
from kalshi_fix_venue.testing import MARKETS, Venue
from tests.relay import Relay

SYMBOL = MARKETS["prediction"][0].rules.ticker
TAGS = {field.name: field.tag for field in FIELDS.values()}
DOLLARS, SKIP_PENDING = {TAGS["UseDollars"]: "Y"}, {TAGS["SkipPendingExecReports"]: "Y"}
"""UseDollars and SkipPendingExecReports, fields of the Logon."""


@pytest.fixture(scope="module")
def shared() -> Iterator[Venue]:
    with Venue(tls=True, rsa_keys=True) as running:
        yield running


@pytest.fixture
def venue(shared: Venue) -> Iterator[Venue]:
    yield shared
    shared.reset()


# --- kalshi-sdk, the other client for Kalshi's FIX, over TLS and with an RSA key, because it supports only
# RSA keys


class Sdk:
    """A session of kalshi-sdk, and the messages that it received."""

    def __init__(self, venue: Venue, name: str, **settings: Any) -> None:
        options: Any = venue.options(session=name)
        self.received: asyncio.Queue[Any] = asyncio.Queue()
        self.session = FixSession(
            FixSigner.from_pem(options["key_id"], options["private_key"]),
            FixConfig.prediction(
                host=options["host"], port=options["port"], use_dollars=True, max_retries=0, **settings
            ),
            FixSessionType(name),
            on_message=self._take,
            ssl_context=ssl.create_default_context(cadata=venue.ca_pem),
        )

    async def _take(self, raw: Any) -> None:
        self.received.put_nowait(decode_app_message_strict(raw))

    async def next(self, kind: type) -> Any:
        """Wait for the next message, which must be of this kind."""
        async with asyncio.timeout(PATIENCE):
            message = await self.received.get()
        assert isinstance(message, kind), message
        return message


def sdk_order(cl_ord_id: str, price: str, quantity: str = "10") -> Any:
    return order_entry.NewOrderSingle(
        cl_ord_id=cl_ord_id,
        symbol=SYMBOL,
        side=Side.BUY_YES,
        ord_type=OrdType.LIMIT,
        order_qty=Decimal(quantity),
        price=Decimal(price),
        time_in_force=TimeInForce.GTC,
    )


def test_kalshi_sdk_trades(venue: Venue) -> None:
    async def main() -> None:
        sdk = Sdk(venue, "KalshiNR", skip_pending_exec_reports=True)
        report = order_entry.ExecutionReport
        async with sdk.session as client:
            assert venue.logged_on() == ("KalshiNR",)
            await client.send(sdk_order("s-1", "0.40"))
            new = await sdk.next(report)
            assert (new.exec_type, new.cl_ord_id, new.leaves_qty) == ("0", "s-1", Decimal(10))

            venue.trader().fill("s-1", 4)
            fill = await sdk.next(report)
            assert (fill.exec_type, fill.last_qty, fill.last_px) == ("F", Decimal(4), Decimal("0.40"))
            assert venue.positions() == {SYMBOL: Decimal(4)}

            await client.send(
                order_entry.OrderCancelReplaceRequest(
                    cl_ord_id="s-2",
                    orig_cl_ord_id="s-1",
                    symbol=SYMBOL,
                    side=Side.BUY_YES,
                    ord_type=OrdType.LIMIT,
                    order_qty=Decimal(8),
                    price=Decimal("0.41"),
                )
            )
            amended = await sdk.next(report)
            assert (amended.exec_type, amended.cl_ord_id, amended.leaves_qty) == ("5", "s-2", Decimal(4))

            await client.send(
                order_entry.OrderCancelRequest(
                    cl_ord_id="s-3", orig_cl_ord_id="s-2", symbol=SYMBOL, side=Side.BUY_YES
                )
            )
            assert (await sdk.next(report)).exec_type == "4"

            await client.send(
                order_entry.OrderCancelRequest(
                    cl_ord_id="s-4", orig_cl_ord_id="s-2", symbol=SYMBOL, side=Side.BUY_YES
                )
            )
            assert (await sdk.next(order_entry.OrderCancelReject)).cl_ord_id == "s-4"
        assert sdk.received.empty()

    asyncio.run(main())
    assert venue.logged_on() == ()
    assert venue.cash() == Decimal(10_000) - Decimal("1.60")


def test_kalshi_sdk_keeps_a_book(venue: Venue) -> None:
    async def main() -> None:
        sdk = Sdk(venue, "KalshiMD")
        other = venue.trader()
        other.buy(SYMBOL, 5, "0.40")
        async with sdk.session as client:
            await client.send(market_data.MarketDataRequest.subscribe([SYMBOL]))
            books = FixOrderBook()
            books.apply(await sdk.next(market_data.MarketDataSnapshotFullRefresh))
            other.buy(SYMBOL, 2, "0.40")
            books.apply(await sdk.next(market_data.MarketDataIncrementalRefresh))
            book = books.get(SYMBOL)
            assert book is not None
            assert [(level.price, level.size) for level in book.bids] == [(Decimal("0.40"), Decimal(7))]
            # kalshi-sdk also decodes a new level, but its book does not support MDUpdateAction New and
            # ignores the level.
            other.sell(SYMBOL, 3, "0.44")
            [level] = (await sdk.next(market_data.MarketDataIncrementalRefresh)).entries
            assert (level.md_update_action, level.md_entry_px) == ("0", Decimal("0.44"))

    asyncio.run(main())


def test_kalshi_sdk_receives_a_settlement(venue: Venue) -> None:
    async def main() -> None:
        sdk = Sdk(venue, "KalshiPT")
        venue.trader("me").buy(SYMBOL, 3, "0.40")
        venue.trader().sell(SYMBOL, 3, "0.40")
        async with sdk.session:
            venue.do("settle", market=SYMBOL, result="yes")
            report = await sdk.next(settlement.MarketSettlementReport)
            assert (report.symbol, report.market_result) == (SYMBOL, "yes")
            assert len(report.parties) == 1

    asyncio.run(main())
    assert venue.cash() == Decimal(10_000) - 3 * Decimal("0.40") + 3


def test_kalshi_sdk_with_a_wrong_key_is_refused(venue: Venue) -> None:
    async def main() -> None:
        sdk = Sdk(venue, "KalshiNR")
        stranger: Any = venue.options("other")
        sdk.session._signer = FixSigner.from_pem(sdk.session._signer.sender_comp_id, stranger["private_key"])
        with pytest.raises(FixLogonError):
            async with sdk.session:
                pass

    asyncio.run(main())
    assert venue.logged_on() == ()


# --- QuickFIX, with the dictionaries written from the spec and all checks enabled


@contextlib.contextmanager
def quickfix_at(
    venue: Venue, name: str, folder: Path, dictionaries: dict[str, Path], logon: Fields
) -> Iterator[QuickfixPeer]:
    options: Any = venue.options(session=name)
    signer = load_private_key(options["private_key"])
    with Relay(lambda: venue.server.connect("prediction", name)) as relay:
        peer = QuickfixPeer(
            folder,
            dictionaries["prediction"],
            sender=options["key_id"],
            target=name,
            connect_to=relay.port,
            sign=lambda *values: signer(logon_payload(*values)),
            logon=logon,
        )
        with contextlib.closing(peer):
            peer.inbox.wait_until_logged_on()
            yield peer
        peer.inbox.wait_until_logged_out()


@pytest.mark.parametrize("name", ["KalshiNR", "KalshiRT"])
def test_quickfix_trades(venue: Venue, tmp_path: Path, dictionaries: dict[str, Path], name: str) -> None:
    with quickfix_at(venue, name, tmp_path, dictionaries, DOLLARS | SKIP_PENDING) as peer:
        assert venue.logged_on() == (name,)
        peer.send("D", {11: "q-1", 38: "10.00", 40: "2", 44: "0.40", 54: "1", 55: SYMBOL, 59: "1"})
        new = peer.inbox.take("8")
        assert (new[150], new[11], new[151]) == ("0", "q-1", "10.00")

        venue.trader().fill("q-1", 4)
        fill = peer.inbox.take("8")
        assert (fill[150], Decimal(fill[32]), Decimal(fill[31])) == ("F", Decimal(4), Decimal("0.40"))

        peer.send("F", {11: "q-2", 41: "q-1", 54: "1", 55: SYMBOL})
        assert peer.inbox.take("8")[150] == "4"
        peer.send("F", {11: "q-3", 41: "q-1", 54: "1", 55: SYMBOL})
        assert peer.inbox.take("9")[11] == "q-3"
        assert peer.inbox.is_empty()
    assert venue.logged_on() == ()
    assert venue.positions() == {SYMBOL: Decimal(4)}
    assert venue.cash() == Decimal(10_000) - Decimal("1.60")


def test_quickfix_receives_a_settlement(venue: Venue, tmp_path: Path, dictionaries: dict[str, Path]) -> None:
    venue.trader("me").buy(SYMBOL, 3, "0.40")
    venue.trader().sell(SYMBOL, 3, "0.40")
    with quickfix_at(venue, "KalshiPT", tmp_path, dictionaries, DOLLARS) as peer:
        venue.do("settle", market=SYMBOL, result="no")
        report = peer.inbox.take("UMS")
        assert (report[55], report[TAGS["MarketResult"]]) == (SYMBOL, "no")
    assert venue.cash() == Decimal(10_000) - 3 * Decimal("0.40")
