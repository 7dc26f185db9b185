"""The venue over TLS, its record of the client's account, and two other accounts that trade."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from random import Random
from typing import Any, Self
from unittest.mock import patch

import attrs

from kalshi_fix_sansio import Side
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_venue.config import AccountConfig, ApiKey, VenueConfig
from kalshi_fix_venue.exchange import (
    AccountId,
    Command,
    Exchange,
    PlaceOrder,
    TimeInForce,
    prediction_market,
)
from kalshi_fix_venue.exchange.outcomes import OrderAccepted, OrderTraded, Outcome
from kalshi_fix_venue.gateway.logins import Delivery, Login
from kalshi_fix_venue.gateway.product import ProductGateway
from kalshi_fix_venue.identities import Authority, ClientKey
from kalshi_fix_venue.server import VenueServer
from kalshi_fix_venue.venue import VenueModel
from tests.kill.knowledge import Fill
from tests.kill.trader import MARKET, PRICES

ME, MAKER, TAKER = AccountId("me"), AccountId("maker"), AccountId("taker")
BALANCE = Decimal(10) ** 9
PREDICTION = "prediction"
_SIGNATURE = re.compile(r"\|9[56]=[^|]*")
_SIDES = {Side.BUY: "1", Side.SELL: "2"}


@attrs.define
class Record:
    """The venue's record of the client's account, written by the exchange, the gateway and the server."""

    received: Counter[str] = attrs.field(factory=Counter)
    """Number of requests that the session passed to the gateway, by ClOrdID."""
    accepted: Counter[str] = attrs.field(factory=Counter)
    """Number of orders that the exchange accepted, by ClOrdID."""
    fills: dict[str, Fill] = attrs.field(factory=dict)
    """Fills by ExecID."""
    logons: int = 0
    """The number of logons, accepted and refused."""
    wires: list[tuple[bytearray, bytearray]] = attrs.field(factory=list)
    """For each connection, the decrypted bytes from and to the client."""

    def wire(self) -> str:
        """Return the bytes of both directions in readable form, one direction after the other, without
        signatures."""
        lines = []
        for number, streams in enumerate(self.wires):
            for direction, stream in zip("<>", streams, strict=True):
                for frame in bytes(stream).replace(b"\x01", b"|").split(b"|8=FIX"):
                    text = _SIGNATURE.sub("", frame.decode("latin-1"))
                    lines.append(f"{number} {direction} {text}\n")
        return "".join(lines)

    def record_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            match outcome:
                case OrderAccepted(order=order) if order.account == ME:
                    self.accepted[order.cl_ord_id] += 1
                case OrderTraded(order=order) if order.account == ME:
                    assert str(outcome.exec_id) not in self.fills
                    self.fills[str(outcome.exec_id)] = Fill(
                        order.cl_ord_id, _SIDES[order.side], outcome.quantity, outcome.price
                    )


@contextlib.contextmanager
def recording(record: Record) -> Iterator[type[VenueModel]]:
    """Record the venue that is created within this context."""

    class RecordedExchange(Exchange):
        def apply(self, command: Command, now: datetime) -> tuple[Outcome, ...]:
            outcomes = super().apply(command, now)
            record.record_outcomes(outcomes)
            return outcomes

    class RecordedGateway(ProductGateway):
        def handle(self, message: Message, login: Login, now: datetime) -> list[Delivery]:
            fields: Any = message
            record.received[fields.cl_ord_id] += 1
            return super().handle(message, login, now)

    class RecordedVenue(VenueModel):
        wires: dict[int, tuple[bytearray, bytearray]]

        def connection_made(self, product: str, session_type: str, now: Instant) -> int:
            if not hasattr(self, "wires"):
                self.wires = {}
            number = super().connection_made(product, session_type, now)
            self.wires[number] = bytearray(), bytearray()
            record.wires.append(self.wires[number])
            return number

        def receive_data(self, conn: int, data: bytes, now: Instant) -> None:
            self.wires[conn][0].extend(data)
            super().receive_data(conn, data, now)
            record.logons += b"\x0135=A\x01" in data

        def data_to_send(self, conn: int) -> bytes:
            data = super().data_to_send(conn)
            self.wires[conn][1].extend(data)
            return data

    with (
        patch("kalshi_fix_venue.venue.Exchange", RecordedExchange),
        patch("kalshi_fix_venue.venue.ProductGateway", RecordedGateway),
    ):
        yield RecordedVenue


class TradingVenue:
    """A venue with one market, the client's account, and two accounts that trade on command."""

    def __init__(self, random: Random) -> None:
        self.record = Record()
        self.key = ClientKey.generate(ed25519_key=True)
        authority = Authority()
        self.ca = authority.certificate_pem.decode()
        config = VenueConfig(
            markets={PREDICTION: (prediction_market(MARKET),)},
            accounts=tuple(
                AccountConfig(owner=account.owner, product=PREDICTION, balance=BALANCE)
                for account in (ME, MAKER, TAKER)
            ),
            api_keys=(
                ApiKey(
                    key_id=self.key.key_id,
                    public_key=self.key.public_key,
                    owner=ME.owner,
                    product=PREDICTION,
                ),
            ),
        )
        with recording(self.record) as make:
            ports = {(PREDICTION, "KalshiRT"): 0}
            self.server = VenueServer(config, authority.issue(), ports=ports, make_venue=make)
        self._random = random
        self._orders = 0

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self.server.__exit__(*raised)

    @property
    def port(self) -> int:
        return self.server.port(PREDICTION, "KalshiRT")

    def trade(self) -> None:
        """Send an order from another account that may match the client's."""
        self._orders += 1
        random, name = self._random, f"other-{self._orders}"
        is_resting = random.random() < 0.3
        order = PlaceOrder(
            order_id=name,
            cl_ord_id=name,
            account=MAKER if is_resting else TAKER,
            origin="others",
            market=MARKET,
            side=random.choice((Side.BUY, Side.SELL)),
            quantity=Decimal(random.randint(1, 6)),
            price=random.choice(PRICES),
            time_in_force=TimeInForce.GOOD_TILL_CANCEL if is_resting else TimeInForce.IMMEDIATE_OR_CANCEL,
        )
        self.server.execute(PREDICTION, order)

    def position(self) -> Decimal:
        """Return the client's position according to the exchange."""
        return self.server.inspect(lambda venue: venue.exchange(PREDICTION).position(ME, MARKET).net)

    def leaves_qty_of(self, cl_ord_ids: Sequence[str]) -> dict[str, Decimal]:
        """Return the leaves quantity of each of these orders that may still trade."""

        def find_open(venue: VenueModel) -> dict[str, Decimal]:
            found = ((name, venue.exchange(PREDICTION).find(ME.owner, name)) for name in cl_ord_ids)
            return {name: order.leaves for name, order in found if order is not None}

        return self.server.inspect(find_open)
