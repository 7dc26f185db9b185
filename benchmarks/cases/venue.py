"""Benchmarks: (n) an order through the simulated venue, with growing numbers of sessions and subscribers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from random import Random

import attrs

from benchmarks import samples
from benchmarks.measure import Contender, Result, measure
from kalshi_fix_sansio import (
    LogonFields,
    MarketDataRequest,
    Message,
    NewOrderSingle,
    OrderCancelRequest,
)
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.config import SignLogon
from kalshi_fix_sansio.session import Session
from kalshi_fix_sansio.signing import load_private_key
from kalshi_fix_venue.config import AccountConfig, ApiKey, VenueConfig
from kalshi_fix_venue.exchange import prediction_market
from kalshi_fix_venue.identities import ClientKey
from kalshi_fix_venue.venue import VenueModel

ORDER = "n: an order through the simulated venue"
SUBSCRIBER = "n: each further subscriber to the market"
SESSIONS = (10, 100, 500, 1000)
SUBSCRIBERS = 5
"""Number of logged-on sessions that subscribe to the market of the orders."""
MORE_SUBSCRIBERS = 100
ORDERS = 100
"""Number of orders in a batch. None of them trades; all are cancelled before the next batch."""
MARKET = "KXBENCH-26"
NOW = Instant(50.0, datetime(2026, 10, 5, 14, 30, tzinfo=UTC))


def result_name(sessions: int) -> str:
    """Return the name of the result for this number of sessions."""
    return f"{sessions:,} sessions"


@attrs.frozen
class _Client:
    connection: int
    session: Session


class PopulatedVenue:
    """A venue with `sessions` logged-on sessions, of which `subscribers` subscribe to market data.

    The first of the remaining sessions places orders; all others are silent.
    """

    def __init__(self, sessions: int, subscribers: int, orders: int) -> None:
        key = ClientKey.generate(ed25519_key=True, key_id="key")
        signer = load_private_key(key.private_key_pem)
        names = [f"key-{number}" for number in range(sessions)]
        config = VenueConfig(
            markets={"prediction": (prediction_market(MARKET),)},
            accounts=tuple(
                AccountConfig(owner=name, product="prediction", balance=Decimal(1_000_000)) for name in names
            ),
            api_keys=tuple(
                ApiKey(key_id=name, public_key=key.public_key, owner=name, product="prediction")
                for name in names
            ),
        )
        self._venue = VenueModel(config, Random(1))  # noqa: S311 - nothing secret is drawn from it
        self._venue.begin(NOW)
        self._orders = orders
        self._number = 0
        self._batch: list[bytes] = []
        self._unread: list[bytes] = []
        for name in names[:subscribers]:
            client = self._log_on(name, "KalshiMD", signer.sign_logon)
            self._send(client, MarketDataRequest.subscribe(MARKET))
        self._trader, *_ = [self._log_on(name, "KalshiNR", signer.sign_logon) for name in names[subscribers:]]

    def _log_on(self, name: str, session_type: str, sign: SignLogon) -> _Client:
        skip_pending = True if session_type == "KalshiNR" else None
        fields = LogonFields(use_dollars=True, skip_pending_exec_reports=skip_pending)
        session = Session(
            samples.session_config(session_type, sender_comp_id=name, logon_fields=fields, sign_logon=sign)
        )
        client = _Client(self._venue.connection_made("prediction", session_type, NOW), session)
        session.connect(NOW)
        self._exchange(client)
        assert session.is_established
        return client

    def _exchange(self, client: _Client) -> None:
        self._venue.receive_data(client.connection, client.session.data_to_send(), NOW)
        client.session.receive_data(self._venue.data_to_send(client.connection), NOW)
        client.session.events()

    def _send(self, client: _Client, message: Message) -> None:
        client.session.send(message, NOW)
        self._exchange(client)

    def prepare(self) -> None:
        """Read the answers to the previous batch, cancel its orders, and encode the next batch."""
        self._trader.session.receive_data(b"".join(self._unread), NOW)
        self._unread.clear()
        for number in range(self._number - len(self._batch), self._number):
            cancel = OrderCancelRequest(
                cl_ord_id=f"c{number}", orig_cl_ord_id=f"o{number}", symbol=MARKET, side="1"
            )
            self._send(self._trader, cancel)
        self._flush()
        self._batch.clear()
        for number in range(self._number, self._number + self._orders):
            order = NewOrderSingle(
                cl_ord_id=f"o{number}",
                symbol=MARKET,
                side="1",
                ord_type="2",
                order_qty=1,
                price=Decimal(1 + number % 40) / 100,
                time_in_force="1",
            )
            self._trader.session.send(order, NOW)
            self._batch.append(self._trader.session.data_to_send())
        self._number += self._orders

    def run(self) -> None:
        """Pass the orders to the venue one by one, and collect the answers to each."""
        venue, connection = self._venue, self._trader.connection
        for data in self._batch:
            venue.receive_data(connection, data, NOW)
            self._flush()

    def _flush(self) -> None:
        """Make the calls that the venue's server makes after each read."""
        venue = self._venue
        for number in venue.connections_with_output():
            data = venue.data_to_send(number)
            if number == self._trader.connection:
                self._unread.append(data)
        venue.connections_to_close()
        venue.next_deadline()

    def resting(self) -> int:
        """Return the number of resting orders."""
        return len(self._venue.exchange("prediction").open_orders())


def orders(
    rounds: int = 9,
    *,
    sessions: Sequence[int] = SESSIONS,
    more_subscribers: int = MORE_SUBSCRIBERS,
    count: int = ORDERS,
) -> list[Result]:
    """Measure the time of an order with each number of sessions, and the additional time for each of
    `more_subscribers` subscribers."""
    session_count = 2 * SUBSCRIBERS + more_subscribers
    venues = {
        (ORDER, result_name(number)): PopulatedVenue(number, SUBSCRIBERS, count) for number in sessions
    } | {
        (SUBSCRIBER, "without"): PopulatedVenue(session_count, SUBSCRIBERS, count),
        (SUBSCRIBER, "with"): PopulatedVenue(session_count, SUBSCRIBERS + more_subscribers, count),
    }
    contenders = [
        Contender(case, name, venue.run, count, max_calls=1, prepare=venue.prepare)
        for (case, name), venue in venues.items()
    ]
    *results, few_subscribers, many_subscribers = measure(contenders, rounds)
    us_min = (many_subscribers.us_min - few_subscribers.us_min) / more_subscribers
    us_median = (many_subscribers.us_median - few_subscribers.us_median) / more_subscribers
    per_subscriber = attrs.evolve(
        many_subscribers, engine=f"each of {more_subscribers}", us_min=us_min, us_median=us_median
    )
    return [*results, per_subscriber]
