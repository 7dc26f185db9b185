"""`kalshi-fix demo`: place a first order on each product of the simulated Kalshi."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from functools import partial
from random import Random
from typing import Any, TypeVar

import click

from kalshi_fix_adapters.blocking import Client
from kalshi_fix_adapters.cli.kit.failures import converting_errors
from kalshi_fix_adapters.cli.kit.terminal import Line, Screen, folded, plain
from kalshi_fix_adapters.cli.logs.render import brief, code_name, value
from kalshi_fix_adapters.cli.logs.units import Units
from kalshi_fix_adapters.config.plan import ClientConfig, make_plan
from kalshi_fix_adapters.errors import AdapterError
from kalshi_fix_adapters.observe.observer import Direction, Observer
from kalshi_fix_sansio import (
    ExecType,
    ExecutionReport,
    MarketDataIncrementalRefresh,
    MarketDataRequest,
    MarketDataSnapshotFullRefresh,
    MDEntryType,
    MDUpdateAction,
    NewOrderSingle,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrdStatus,
    OrdType,
    Side,
    TimeInForce,
)
from kalshi_fix_sansio._generated.sessions import Product
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.codec import FieldNode, Inspection, Node
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.framing import Frame, Framer
from kalshi_fix_sansio.messages import CODEC
from kalshi_fix_venue.testing import MARGIN, MARKETS, PREDICTION, Sandbox

YOU, OTHER = "you", "them"
MESSAGE_TIMEOUT = 10.0
"""Seconds that the demo waits for a message."""
WIDTH = 100
"""Maximum width of running text, in columns."""
_SEED = 1
"""Seed of the ids and the resting orders: every demo is the same except for keys and times."""
_CHANGE, _DELETE, _NEW = MDUpdateAction.CHANGE, MDUpdateAction.DELETE, MDUpdateAction.NEW
_BID, _TRADE = MDEntryType.BID, MDEntryType.TRADE
_UNITS = Units(always_dollars=True)
M = TypeVar("M", bound=Message)
_Entry = tuple[MDUpdateAction, MDEntryType, str, int]
"""A change to the book: action, type of entry, price in dollars, contracts (0 for a removed level)."""


class DemoError(AdapterError):
    """A step of the demo failed; the text contains the reason."""


@click.command()
def demo() -> None:
    """Show a first order from end to end: logon, book, order, amend, fill, cancel, logout, on both
    products.

    Everything runs on this machine: a simulated Kalshi on loopback TLS ports, with keys and a certificate
    authority generated for this run. The exit status is 1 if a step fails.
    """
    with converting_errors(), Sandbox((YOU, OTHER), random=Random(_SEED)) as sandbox:  # noqa: S311
        story = _Story(sandbox)
        story.trade_prediction()
        story.trade_margin()
        story.print_tables()


class _Story:
    """Places the orders, checks the results and prints the messages."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._screen = Screen()
        self._step_count = 0
        self._reports: list[tuple[Participant, ExecutionReport]] = []
        port = sandbox.server.port(PREDICTION, "KalshiNR")
        self._screen.print_lines(
            [
                (("bold", "A first order, end to end"),),
                plain(f"A simulated Kalshi listens on {sandbox.server.host} (KalshiNR on port {port})."),
                plain("Its CA and your API keys are created for this run. All connections use TLS."),
            ]
        )

    def trade_prediction(self) -> None:
        """Place a resting order, amend it, have it partly filled, cancel the rest; check the book each
        time."""
        symbol = MARKETS[PREDICTION][0].rules.ticker
        with self._logged_on(PREDICTION, symbol) as (you, books):
            self._begin_step(
                f"Place a resting order: buy 10 contracts of {symbol} at 0.44 dollars",
                "The venue reports twice, pending and new, and the book has a new best bid.",
            )
            order_id = self._place(you, _order("first", symbol, Side.BUY, "0.44", 10))
            books.expect_book((_NEW, _BID, "0.44", 10))

            self._begin_step(
                "Amend it: 12 contracts at 0.45 dollars",
                "In the book the new level replaces the old one.",
            )
            identity: dict[str, Any] = {"order_id": order_id, "symbol": symbol, "side": Side.BUY}
            you.send(
                OrderCancelReplaceRequest(
                    cl_ord_id="first-amended",
                    orig_cl_ord_id="first",
                    ord_type=OrdType.LIMIT,
                    price="0.45",
                    order_qty=12,
                    **identity,
                )
            )
            self._expect_report(you, ExecType.PENDING_REPLACE)
            self._expect_report(you, ExecType.REPLACED, order_qty=12, price=Decimal("0.45"))
            books.expect_book((_DELETE, _BID, "0.44", 0), (_NEW, _BID, "0.45", 12))

            self._begin_step(
                "Another trader sells 5 contracts into it",
                "Both sides receive a report of the trade; 7 contracts are left in the book.",
            )
            self._take_liquidity(PREDICTION, _order("hit", symbol, Side.SELL, "0.45", 5))
            partly = OrdStatus.PARTIALLY_FILLED
            self._expect_report(you, ExecType.TRADE, ord_status=partly, last_qty=5, leaves_qty=7)
            books.expect_book((_NEW, _TRADE, "0.45", 5), (_CHANGE, _BID, "0.45", 7))

            self._begin_step("Cancel the rest of it", "The level is removed from the book.")
            you.send(
                OrderCancelRequest(cl_ord_id="first-cancelled", orig_cl_ord_id="first-amended", **identity)
            )
            self._expect_report(you, ExecType.PENDING_CANCEL)
            self._expect_report(you, ExecType.CANCELED, cum_qty=5, leaves_qty=0)
            books.expect_book((_DELETE, _BID, "0.45", 0))

    def trade_margin(self) -> None:
        """Place a resting order and have it filled."""
        symbol = MARKETS[MARGIN][0].rules.ticker
        with self._logged_on(MARGIN, symbol) as (you, books):
            self._begin_step(
                f"Place a resting order: bid 19.48 dollars for 3 contracts of {symbol}",
                "Perpetuals trade in whole contracts, and their prices are always in dollars.",
            )
            self._place(you, _order("perp", symbol, Side.BUY, "19.48", 3))
            books.expect_book((_NEW, _BID, "19.48", 3))

            self._begin_step(
                "Another trader sells 3 contracts into it", "The order is filled, and its level is removed."
            )
            self._take_liquidity(MARGIN, _order("perp-hit", symbol, Side.SELL, "19.48", 3))
            self._expect_report(you, ExecType.TRADE, ord_status=OrdStatus.FILLED, last_qty=3)
            books.expect_book((_NEW, _TRADE, "19.48", 3), (_DELETE, _BID, "19.48", 0))

    def print_tables(self) -> None:
        """Print the orders with their last reports, and the fills."""
        last_reports = {(who.product, who.name, report.order_id): report for who, report in self._reports}
        orders = [
            _row(
                product,
                name,
                report.orig_cl_ord_id or report.cl_ord_id,
                report.side,
                report.order_qty,
                report.price,
                report.cum_qty,
                report.leaves_qty,
                report.ord_status,
            )
            for (product, name, _), report in last_reports.items()
        ]
        fills = [
            _row(
                who.product,
                who.name,
                report.cl_ord_id,
                report.side,
                report.last_qty,
                report.last_px,
                sum(fee.misc_fee_amt for fee in report.misc_fees),
                (report.trd_match_id or "-")[:8],
            )
            for who, report in self._reports
            if report.exec_type == ExecType.TRADE
        ]
        order_columns = ["product", "who", "order", "side", "qty", "price", "filled", "left", "status"]
        fill_columns = ["product", "who", "order", "side", "qty", "price", "fee", "trade id"]
        for title, columns, rows in (("Orders", order_columns, orders), ("Fills", fill_columns, fills)):
            self._screen.print_lines([()])
            self._screen.print_table(f"{title} (contracts, dollars)", columns, rows)

    def _begin_step(self, heading: str, explanation: str) -> None:
        self._step_count += 1
        self._screen.print_lines(
            [(), (("bold", f"{self._step_count}. {heading}"),), (("italic", f"   {explanation}"),)]
        )

    @contextmanager
    def _logged_on(self, product: Product, symbol: str) -> Iterator[tuple[Participant, Participant]]:
        """Log on for orders and, with another key, for the book of a market; log out at the end."""
        self._begin_step(
            f"{product.capitalize()}: log on to KalshiNR for orders and to KalshiMD for books",
            "RawData is a signature made with your private key. Each connection has its own API key.",
        )
        with ExitStack() as stack:
            you = stack.enter_context(self._participant(YOU, product, "KalshiNR").logged_on())
            books = stack.enter_context(self._participant(YOU, product, "KalshiMD", key=1).logged_on())
            self._begin_step(f"Subscribe to the book of {symbol}", "A snapshot is followed by changes.")
            books.send(MarketDataRequest.subscribe(symbol))
            if not books.expect(MarketDataSnapshotFullRefresh, symbol=symbol).md_entries:
                raise DemoError(f"the book of {symbol} is empty; resting orders were expected")
            yield you, books
            self._begin_step("Log out", "The venue answers each Logout, then the connections close.")

    def _participant(self, who: str, product: Product, session: str, key: int = 0) -> Participant:
        return Participant(self._sandbox, self._screen, who, product, session, key)

    def _place(self, who: Participant, order: NewOrderSingle) -> str:
        """Send an order that is expected to rest; return its OrderID."""
        who.send(order)
        self._expect_report(who, ExecType.PENDING_NEW)
        return self._expect_report(who, ExecType.NEW, leaves_qty=order.order_qty).order_id

    def _take_liquidity(self, product: Product, order: NewOrderSingle) -> None:
        """Log the other trader on, send an order that is expected to fill at once, and log out."""
        with self._participant(OTHER, product, "KalshiNR").logged_on() as other:
            other.send(order)
            self._expect_report(other, ExecType.PENDING_NEW)
            filled = {"ord_status": OrdStatus.FILLED, "last_qty": order.order_qty}
            self._expect_report(other, ExecType.TRADE, **filled)

    def _expect_report(self, who: Participant, exec_type: ExecType, **values: object) -> ExecutionReport:
        report = who.expect(ExecutionReport, exec_type=exec_type, **values)
        self._reports.append((who, report))
        return report


class _MessageRecorder(Observer):
    """Records the messages of a connection by direction and MsgSeqNum (34)."""

    def __init__(self) -> None:
        self._framers: dict[Direction, Framer] = {"sent": Framer(), "received": Framer()}
        self.messages: dict[Direction, dict[int, Inspection]] = {"sent": {}, "received": {}}

    def on_wire(self, direction: Direction, data: bytes, now: Instant) -> None:  # noqa: ARG002
        framer = self._framers[direction]
        framer.feed(data)
        while isinstance(frame := framer.next(), Frame):
            number = CODEC.decode(frame.data).header.msg_seq_num
            self.messages[direction][number] = CODEC.inspect(frame.data)


class Participant:
    """One connection of a demo trader: prints its messages and checks the received ones."""

    def __init__(
        self, sandbox: Sandbox, screen: Screen, name: str, product: Product, session: str, key: int = 0
    ) -> None:
        self.name: str = name
        self.product: Product = product
        self._session = session
        self._screen = screen
        self._messages = (recorder := _MessageRecorder()).messages
        options = sandbox.options(name, product, session, key)
        self._client = Client(make_plan(session, ClientConfig(**options, observer=recorder, reconnect=None)))

    @contextmanager
    def logged_on(self) -> Iterator[Participant]:
        """Log on; log out at the end."""
        with self._client:
            self._print("sent", 1)
            self._print("received", 1)
            yield self
        ended = self._client.ended
        if ended is None or not ended.clean:
            raise DemoError(f"{self.name} could not log out of {self._session} cleanly")
        for direction in self._messages:
            self._print(direction, max(self._messages[direction]))

    def send(self, message: Message) -> None:
        """Send a message."""
        self._print("sent", self._client.send(message))

    def expect(self, kind: type[M], **values: Any) -> M:
        """Wait for the next message, which must be of this kind and have these attributes.

        Raises:
            DemoError: another message is received, or no message at all.
        """
        expected = f"{self.name} expected {kind.__name__}" + "".join(
            f" {name}={getattr(value, 'name', value)}" for name, value in values.items()
        )
        try:
            message = next(self._client.messages(MESSAGE_TIMEOUT), None)
        except AdapterError as error:
            raise DemoError(f"{expected} from {self._session}, but {error}") from None
        if message is None:
            raise DemoError(
                f"{expected} from {self._session}, but nothing was received within {MESSAGE_TIMEOUT:g} s"
            )
        self._print("received", message.header.msg_seq_num)
        mismatched = [name for name, value in values.items() if getattr(message, name, None) != value]
        if not isinstance(message, kind) or mismatched:
            raise DemoError(f"{expected} from {self._session}, but got {message}")
        return message

    def expect_book(self, *changes: _Entry) -> None:
        """Expect these changes to the book, in one message or several."""
        values = [(action, kind, Decimal(price), Decimal(size)) for action, kind, price, size in changes]
        while values:
            for entry in self.expect(MarketDataIncrementalRefresh).md_entries:
                change = (entry.md_update_action, entry.md_entry_type, entry.md_entry_px, entry.md_entry_size)
                if change not in values:
                    raise DemoError(f"{self.name} expected other changes to the book, but got {entry}")
                values.remove(change)

    def _print(self, direction: Direction, number: int) -> None:
        """Print a message: who sent it, and its fields by name."""
        message = self._messages[direction].pop(number)
        ends = (self.name, self._session)
        sender, receiver = ends if direction == "sent" else ends[::-1]
        name = "a message" if message.layout is None else message.layout.name
        heading: Line = (
            ("green", f"   {sender} -> {receiver}: "),
            ("bold", name),
            ("", f" ({message.msg_type})"),
        )
        line = plain("      " + brief(message, partial(_value_text, message)))
        self._screen.print_lines([heading, *folded(line, min(self._screen.width, WIDTH), indent=6)])
        self._screen.flush()


def _value_text(message: Inspection, node: Node) -> str:
    """Return the printed value of a field or group: a code's meaning, a value with its unit, or the number of
    entries."""
    if not isinstance(node, FieldNode):
        return str(len(node.entries))
    return (node.layout and code_name(node.layout, node.text)) or value(node, message, _UNITS)


def _row(*values: object) -> list[str]:
    return [str(getattr(value, "name", value)) for value in values]


def _order(cl_ord_id: str, symbol: str, side: Side, price: str, quantity: int) -> NewOrderSingle:
    return NewOrderSingle(
        cl_ord_id=cl_ord_id,
        symbol=symbol,
        side=side,
        ord_type=OrdType.LIMIT,
        time_in_force=TimeInForce.GOOD_TILL_CANCEL,
        price=price,
        order_qty=quantity,
    )
