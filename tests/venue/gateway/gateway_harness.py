"""A product's gateway without sessions: it accepts requests and returns the messages for each login."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import count
from typing import Any, TypeVar

from kalshi_fix_sansio import ExecutionReport, Header, NewOrderSingle, Side
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.dialect.layout import Sender
from kalshi_fix_sansio.validation import validate
from kalshi_fix_venue.exchange import PREDICTION
from kalshi_fix_venue.gateway.flags import LogonFlags
from kalshi_fix_venue.gateway.logins import Delivery, Login
from kalshi_fix_venue.gateway.market_data import SymbolLimits
from kalshi_fix_venue.gateway.product import ProductGateway
from tests.venue import venue_harness
from tests.venue.exchange_harness import START, ExchangeHarness

M = TypeVar("M", bound=Message)


class GatewayHarness:
    """Checks every message to a login against the dialect, as a session would. `settings` are passed to the
    exchange (see `ExchangeHarness`).
    """

    def __init__(self, product: str = PREDICTION, **settings: Any) -> None:
        balances, ids = {"ann": "10000", "bob": "10000"}, count(1)
        harness = ExchangeHarness(product=product, balances=balances, **settings)
        self.symbol = harness.market
        self.gateway = ProductGateway(harness.exchange, SymbolLimits(), lambda: f"id-{next(ids)}")
        self.product = product
        self.now = START
        self._seq_num = count(2)

    def login(self, owner: str, session_type: str = "KalshiNR", **flags: Any) -> Login:
        """Return a login, by default without pending reports and in dollars."""
        login = Login(
            key_id=f"key-{owner}",
            owner=owner,
            session_type=session_type,
            product=self.product,
            keeps_messages=session_type in ("KalshiRT", "KalshiPT"),
        )
        self.gateway.logins.add(login)
        self.gateway.logins.start_session(
            login,
            LogonFlags(**{"use_dollars": True, "skip_pending_exec_reports": True, **flags}),
            connection=1,
        )
        return login

    def wait(self, **time: float) -> None:
        self.now += timedelta(**time)

    def send(self, login: Login, message: Message) -> list[Delivery]:
        message.header = Header(
            msg_type=message.MSG_TYPE,
            sender_comp_id=login.key_id,
            target_comp_id=login.session_type,
            msg_seq_num=next(self._seq_num),
            sending_time=self.now,
        )
        return self._checked(self.gateway.handle(message, login, self.now))

    def order(self, cl_ord_id: str, side: Side, quantity: int, price: str, **fields: Any) -> NewOrderSingle:
        """Return a new order in the harness's market."""
        return venue_harness.order(cl_ord_id, side, quantity, price, symbol=self.symbol, **fields)

    def _checked(self, deliveries: list[Delivery]) -> list[Delivery]:
        for login, message in deliveries:
            problems = validate(
                message,
                type(message).MESSAGE,
                product=login.product,
                session=login.session_type,
                sender=Sender.VENUE,
            )
            assert problems == (), f"{message!r}: {problems}"
        return deliveries


def reports(deliveries: Sequence[Delivery], login: Login) -> list[ExecutionReport]:
    """Return the messages for one login, all of which must be execution reports."""
    received = [message for to, message in deliveries if to is login]
    only_reports = [message for message in received if isinstance(message, ExecutionReport)]
    assert len(only_reports) == len(received), received
    return only_reports


def only(deliveries: Sequence[Delivery], kind: type[M]) -> M:
    """Return the only message."""
    ((_, message),) = deliveries
    assert isinstance(message, kind), message
    return message
