"""The orders of a log, one per line, for `kalshi-fix decode --orders`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Final

import attrs

from kalshi_fix_adapters.cli.kit.terminal import Line, pluralize, printable
from kalshi_fix_adapters.cli.logs.explain import VENUE_IDS
from kalshi_fix_adapters.cli.logs.render import names_of_codes
from kalshi_fix_adapters.logs.entries import parse_origin
from kalshi_fix_adapters.logs.reader import LoggedMessage
from kalshi_fix_sansio import DIALECT, OrdStatus

MAX_ORDERS: Final = 100_000
"""Maximum number of orders; the messages of further orders are only counted."""
MAX_IDS: Final = 1_000
"""Maximum number of ClOrdIDs and OrderIDs of an order."""
MAX_TEXT: Final = 100
"""Maximum length of a stored value, in characters; longer values are truncated."""
_QUANTITY: Final = re.compile("[0-9]{1,20}(?:[.][0-9]{1,20})?", re.ASCII)
_REPORTS: Final = frozenset({"8", "9"})
_TYPES: Final = _REPORTS | {"D", "F", "G"}
_TAGS: Final = {field.name: str(tag) for tag, field in DIALECT.fields.items()}
_USED_TAGS: Final = frozenset(
    _TAGS[name]
    for name in (
        *("MsgType", "SenderCompID", "TargetCompID", "ClOrdID", "OrigClOrdID", "OrderID", "Symbol", "Side"),
        *("OrderQty", "Price", "OrdStatus", "CumQty", "Text"),
    )
)
_NAMES: Final = {tag: name for name, tag in _TAGS.items() if tag in _USED_TAGS}


def _codes(name: str) -> dict[str, str]:
    codes = DIALECT.fields[int(_TAGS[name])].codes
    return {} if codes is None else names_of_codes(codes)


_SIDES: Final = _codes("Side")
_STATUSES: Final = _codes("OrdStatus")
_CANCELLED: Final = frozenset({OrdStatus.CANCELED.value, OrdStatus.EXPIRED.value})


@attrs.frozen
class OrderFacts:
    """The values of one message about an order."""

    time: datetime | None
    values: dict[str, str]
    """The values by field name."""


@attrs.define
class _Order:
    """An order, with the latest values from its messages."""

    time: datetime | None
    ids: list[str] = attrs.field(factory=list)
    """The ClOrdIDs of the order, oldest first."""
    id_count: int = 0
    """Number of ClOrdIDs and OrderIDs of the order."""
    values: dict[str, str] = attrs.field(factory=dict)
    """Latest value of each field, by field name. The values are taken from reports; before the first report,
    they are taken from the first request.
    """
    filled: Decimal = Decimal(0)
    is_answered: bool = False
    """Whether the last message about the order is a report."""
    is_reported: bool = False
    """Whether there has been a report about the order."""


def order_facts(logged: LoggedMessage) -> OrderFacts | None:
    """Return the values of a message about an order; None if the message is not about an order."""
    values: dict[str, str] = {}
    for field in logged.frame.decode("latin-1").split("\x01"):
        tag, _, value = field.partition("=")
        if tag in _USED_TAGS:
            values.setdefault(_NAMES[tag], value[:MAX_TEXT])
    if values.get("MsgType") not in _TYPES:
        return None
    return OrderFacts(parse_origin(logged.prefix)[0], values)


def _quantity(text: str) -> Decimal | None:
    """Return a quantity; None if the text is not a quantity."""
    return Decimal(text).normalize() if _QUANTITY.fullmatch(text) else None


class OrderList:
    """The orders of a log, in the order of their first messages."""

    def __init__(self) -> None:
        self._orders: list[_Order] = []
        self._by_id: dict[tuple[str, str, str], _Order] = {}
        self._omitted_messages = 0

    def add(self, facts: OrderFacts) -> None:
        """Add a message to the order that its ids identify."""
        values = facts.values
        comp_ids = [values[name] for name in ("SenderCompID", "TargetCompID") if name in values]
        client = next((comp_id for comp_id in comp_ids if comp_id not in VENUE_IDS), "")
        keys = [(client, "c", values[name]) for name in ("OrigClOrdID", "ClOrdID") if values.get(name)]
        # The key for an OrderID contains no client, because drop copy logs on with a separate API key. The
        # OrderID of an OrderCancelReject is not used, because it may be NONE.
        if values.get("OrderID") and values["MsgType"] != "9":
            keys.append(("", "o", values["OrderID"]))
        if not keys:
            return
        order = next((self._by_id[key] for key in keys if key in self._by_id), None)
        if order is None:
            if len(self._orders) >= MAX_ORDERS:
                self._omitted_messages += 1
                return
            order = _Order(facts.time)
            self._orders.append(order)
        for key in keys:
            if key not in self._by_id and order.id_count < MAX_IDS:
                self._by_id[key] = order
                order.id_count += 1
                if key[1] == "c" and key[2] not in order.ids:
                    order.ids.append(key[2])
        self._update(order, values)

    @staticmethod
    def _update(order: _Order, values: dict[str, str]) -> None:
        is_report = values["MsgType"] in _REPORTS
        order.is_answered = is_report
        if is_report:
            order.is_reported = True
            order.values.pop("Text", None)
            # Drop copy may repeat an older report.
            order.filled = max(order.filled, _quantity(values.get("CumQty", "")) or order.filled)
        # A requested change of price or quantity is only shown after a report has confirmed it.
        if is_report or not order.values:
            quantity = order.values.get("OrderQty")
            order.values |= values
            # In a report, OrderQty is CumQty plus LeavesQty, so after a cancel it is only the filled part.
            if quantity is not None and values.get("OrdStatus") in _CANCELLED:
                order.values["OrderQty"] = quantity

    def lines(self) -> Iterator[Line]:
        """Yield a line with the number of orders, then a line for each order."""
        yield (("bold", pluralize(len(self._orders), "order")),)
        for order in self._orders:
            yield self._line(order)
        if self._omitted_messages:
            yield (
                (
                    "bold red",
                    f"not shown: {pluralize(self._omitted_messages, 'message')} about further orders",
                ),
            )

    @staticmethod
    def _line(order: _Order) -> Line:
        values = {name: printable(value) for name, value in order.values.items()}
        side = _SIDES.get(values.get("Side", ""), values.get("Side", "-"))
        status = _STATUSES.get(values.get("OrdStatus", ""), values.get("OrdStatus", "-"))
        if not order.is_reported:
            status = "NOT REPORTED"
        elif not order.is_answered:
            status += ", last request not answered"
        time_text = "-" if order.time is None else f"{order.time:%Y-%m-%d %H:%M:%S}"
        size = values.get("OrderQty") or "-"
        quantity = _quantity(size)
        total = size if quantity is None else f"{quantity:f}"
        text = f" ({values['Text']})" if values.get("Text") else ""
        return (
            ("dim", f"{time_text} "),
            ("bold", " > ".join(map(printable, order.ids)) or "-"),
            ("", f" {side} {order.filled:f}/{total} {values.get('Symbol', '-')}"),
            ("", f" at {values.get('Price', '-')} {status}{text}"),
        )
