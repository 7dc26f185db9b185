"""Requests without an answer, and resting orders.

`OpenRequests` finds requests by the fields of an answer. Each request has a key of its own, because no field
of the message is unique. A QuoteCancel has the id of its Quote, a user may send a ClOrdID twice, and a reset
restarts the numbers. Adding, finding or removing a request takes constant time, regardless of how many
requests are open or share an id.

`RestingOrders` holds the orders resting at the peer, according to its reports on this connection. Without
resend, the session misses changes to these orders while it is disconnected. It therefore reports the orders
when the connection ends, and the user can look them up. The dialect defines which messages report a resting
order, and in which attribute (`MessageLayout.tracks`).
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Collection, Iterable, Mapping
from operator import attrgetter
from typing import Any, Final

import attrs

from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.config import Role, SessionConfig
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.dialect.conditions import Terms, holds, terms
from kalshi_fix_sansio.dialect.layout import MessageLayout
from kalshi_fix_sansio.events import OpenRequest, OrdersUnverified, RestingOrder
from kalshi_fix_sansio.framing import Frame

Names = tuple[tuple[str, str], ...]
"""The names by which answers refer to a request: pairs of an attribute and its value."""
MSG_SEQ_NUM = "msg_seq_num"
"""The header attribute by which an answer can refer to any request."""
NUMBER_NAME: Final = (MSG_SEQ_NUM, "")
"""The first name of a request that answers identify by its MsgSeqNum. The value is empty, because names are
determined before the number is known. To find a request by its number, `OpenRequests` has a separate index.
"""
NO_ID = ""
"""Placeholder for the attribute of an id. The names of a request without an id are NUMBER_NAME and
(NO_ID, MsgType). An answer without an id settles the oldest request of this type that has no id either.
"""

MAX_RECENT_HASHES: Final = 40_000
"""Number of hashes after which `RecentAnswers` begins a new set. At most twice as many are kept; an answer
adds one or two.
"""


class RecentAnswers:
    """The names and OrderIDs in the latest answers; here a name is only a value, such as a ClOrdID. Only
    hashes are kept, so the peer cannot exhaust memory with long ids.

    There are two sets. When the recent one is full, it replaces the previous one. This limits the size
    without recording the order in which names were added.
    """

    def __init__(self) -> None:
        self.recent: set[int] = set()
        self.previous: set[int] = set()

    def __contains__(self, item: object) -> bool:
        """Return whether a recorded answer contained this name, or this pair of a name and an OrderID."""
        item_hash = hash(item)
        return item_hash in self.recent or item_hash in self.previous

    def __len__(self) -> int:
        return len(self.recent) + len(self.previous)

    def add(self, name: str, created_id: str | None) -> None:
        """Record an answer; `created_id` is the id of the object that its request created, if any."""
        recent = self.recent
        if len(recent) >= MAX_RECENT_HASHES:
            self.previous, self.recent = recent, set()
            recent = self.recent
        recent.add(hash(name))
        if created_id:
            recent.add(hash((name, created_id)))


class RequestsSharingName:
    """Requests that share a name: by MsgType, oldest first."""

    __slots__ = ("_by_type",)

    def __init__(self, *requests: OpenRequest) -> None:
        self._by_type: dict[str, OrderedDict[int, OpenRequest]] = {}
        for request in requests:
            self.add(request)

    def add(self, request: OpenRequest) -> None:
        """Add a request."""
        self._by_type.setdefault(request.msg_type, OrderedDict())[request.key] = request

    def remove(self, request: OpenRequest) -> bool:
        """Remove a request; return whether any requests are left."""
        same_type = self._by_type[request.msg_type]
        del same_type[request.key]
        if not same_type:
            del self._by_type[request.msg_type]
        return bool(self._by_type)

    def oldest(self, msg_types: Collection[str]) -> OpenRequest | None:
        """Return the oldest request of these types; None if there is none."""
        candidates = (
            next(iter(requests.values())) for each, requests in self._by_type.items() if each in msg_types
        )
        return min(candidates, key=attrgetter("key"), default=None)


RequestIndex = Mapping[Any, "OpenRequest | RequestsSharingName"]
"""Requests by the value of one attribute."""


class OpenRequests:
    """Requests without an answer."""

    def __init__(self) -> None:
        self.by_key: dict[int, OpenRequest] = {}
        """All requests by key, oldest first."""
        self._by_number: dict[int, OpenRequest] = {}
        self._by_name: defaultdict[str, dict[str, OpenRequest | RequestsSharingName]] = defaultdict(dict)
        self._names: dict[int, Names] = {}
        """The names of each request, by its key."""
        self.size: int = 0
        """Total bytes of the messages of all requests."""
        self.creating_types: set[str] = set()
        """MsgTypes of requests that create an object, such as an order (`layout.AnswerRule.creates`)."""
        self.answered: RecentAnswers = RecentAnswers()
        """Names in answers, and pairs of a name and the id of the created object (an OrderID)."""

    def index(self, attribute: str) -> RequestIndex:
        """Return the requests by the value of this attribute, as a live view."""
        return self._by_number if attribute == MSG_SEQ_NUM else self._by_name[attribute]

    def add(self, request: OpenRequest, names: Names) -> None:
        """Add a request."""
        key = request.key
        self.by_key[key] = request
        # An uncertain request may have been sent before a reset, so its number may now identify another
        # message.
        if not request.uncertain:
            self._by_number[request.seq_num] = request
        self.size += len(request.frame)
        self._names[key] = names
        for attribute, value in names:
            index = self._by_name[attribute]
            indexed = index.get(value)
            if indexed is None:
                index[value] = request
            elif isinstance(indexed, RequestsSharingName):
                indexed.add(request)
            else:
                index[value] = RequestsSharingName(indexed, request)

    def is_repeated(self, msg_type: str, names: Names) -> bool:
        """Return whether this type of request creates an object, and the name was used before. Reports with
        this name may then concern either object.
        """
        if msg_type not in self.creating_types:
            return False
        attribute, value = names[0]
        return value in self._by_name[attribute] or value in self.answered

    def remove(self, request: OpenRequest) -> None:
        """Remove a request."""
        key = request.key
        del self.by_key[key]
        names = self._names.pop(key)
        # The number may belong to another request, because uncertain requests are not indexed by number.
        if self._by_number.get(request.seq_num) is request:
            del self._by_number[request.seq_num]
        self.size -= len(request.frame)
        for attribute, value in names:
            index = self._by_name[attribute]
            indexed = index.pop(value)
            if (
                indexed is not request
                and isinstance(indexed, RequestsSharingName)
                and indexed.remove(request)
            ):
                index[value] = indexed

    def find_by_number(self, seq_num: int) -> OpenRequest | None:
        """Return the request that was sent with this number; None if there is none."""
        return self._by_number.get(seq_num)

    def find_between(self, begin: int, end: int) -> list[OpenRequest]:
        """Return the requests with a number from `begin` up to, but not including, `end`."""
        numbers: Iterable[int] = range(begin, end)
        # The peer chooses the range, which may be huge. Iterate over the range or over the requests,
        # whichever is shorter.
        if len(self._by_number) < end - begin:
            numbers = [number for number in self._by_number if begin <= number < end]
        return [self._by_number[number] for number in numbers if number in self._by_number]


def names_of(message: Any, layout: MessageLayout) -> Names:
    """Return the names by which answers may refer to a message. The value of the first name is the id shown
    to the user.

    The first name is the number if the message has no other name, or if the dialect lists the number first.
    """
    names = [
        (attribute, value)
        for attribute in layout.request
        if attribute != MSG_SEQ_NUM and (value := getattr(message, attribute))
    ]
    if not names:
        return NUMBER_NAME, (NO_ID, layout.msg_type)
    return (NUMBER_NAME, *names) if layout.request[0] == MSG_SEQ_NUM else tuple(names)


@attrs.frozen
class _Rule:
    """A compiled `layout.RestingOrderRule`."""

    attribute: str
    """The attribute of the report that contains the venue's id of the order."""
    resting: Terms
    done: Terms


class RestingOrders:
    """The last report of each resting order, within `max_resting_orders` and `max_resting_order_bytes`."""

    def __init__(self, config: SessionConfig) -> None:
        self._max_orders, self._max_bytes = config.max_resting_orders, config.max_resting_order_bytes
        self.rules: dict[type[Message], _Rule] = {}
        """The rules by class of message; empty if orders are not tracked."""
        self._reports: dict[str, bytes] = {}
        """The bytes of the last report of each order, by the venue's id of the order. Reports are decoded
        only when they are emitted, because a decoded report takes many times the memory of its bytes.
        """
        self._size = 0
        """Bytes of all reports."""
        self._complete = True
        """Whether all resting orders are tracked."""
        for layout in config.dialect.messages.values():
            tracks, body = layout.tracks, layout.body
            if tracks is not None and _is_tracked(config, tracks.sessions):
                resting, done = terms(tracks.resting, body), terms(tracks.done, body)
                self.rules[layout.cls] = _Rule(tracks.attribute, resting, done)

    def update(self, message: Message, frame: bytes) -> None:
        """Update an order from a delivered message, if its class reports on orders."""
        rule = self.rules.get(message.__class__)
        order_id = None if rule is None else getattr(message, rule.attribute)
        if rule is None or not order_id:
            return
        reports = self._reports
        if holds(rule.resting, message):
            earlier = reports.get(order_id)
            size = self._size + len(frame) - (0 if earlier is None else len(earlier))
            if size > self._max_bytes or (earlier is None and len(reports) >= self._max_orders):
                # An order that is already tracked keeps its earlier report; a new order is left out.
                self._complete = self._complete and earlier is not None
                return
            reports[order_id] = frame
            self._size = size
        elif holds(rule.done, message):
            earlier = reports.pop(order_id, None)
            if earlier is not None:
                self._size -= len(earlier)

    def take_unverified(self, codec: Codec) -> OrdersUnverified | None:
        """Remove the orders, and return the event that reports them at the end of the session; None if no
        order is resting.
        """
        if not self._reports and self._complete:
            return None
        orders = tuple(
            _order(order_id, codec.decode(Frame(data))) for order_id, data in self._reports.items()
        )
        complete, self._complete = self._complete, True
        self._reports.clear()
        self._size = 0
        return OrdersUnverified(orders, complete)


def _is_tracked(config: SessionConfig, sessions: tuple[str, ...]) -> bool:
    session_type = config.session_type
    return config.role is Role.INITIATOR and not session_type.resend and session_type.name in sessions


def _order(order_id: str, report: Message) -> RestingOrder:
    names = ("cl_ord_id", "symbol", "side", "price", "leaves_qty")
    return RestingOrder(order_id, *(getattr(report, name, None) for name in names))
