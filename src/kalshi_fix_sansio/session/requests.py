"""The open requests, each found by what an answer says of it.

A request is known by its key, since nothing else is unique: a QuoteCancel has the id of its Quote, a user may
send one ClOrdID twice, and numbers begin anew with a reset. Whatever is done here takes the same few steps
however many requests are open, and however many of them share a name.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from kalshi_fix_sansio.layout import MessageLayout
from kalshi_fix_sansio.outcomes import OpenRequest

Names = tuple[tuple[str, str], ...]
"""What answers may name a request by: attributes, each with its value."""
MSG_SEQ_NUM = "msg_seq_num"
"""The attribute of the header by which every request can be named."""
BY_NUMBER: Final = (MSG_SEQ_NUM, "")
"""The first name of a request that people know by its number. The value is empty because the number is not
taken yet when the names are; `OpenRequests` finds by number without it."""
UNNAMED = ""
"""Stands for the attribute of requests that have nothing by which an answer could name them, but a MsgSeqNum;
their value is their MsgType. The answer to such a request answers those of one type."""

MAX_REMEMBERED: Final = 40_000
"""At least so many hashes are remembered, at most twice as many. An answer takes up to two."""


class Remembered:
    """The names that the last answers gave, and what they were about (OrderIDs), by their hashes: however
    long an id the peer makes up, it takes no room here.

    Two sets take turns, so that a bound is kept without the order in which each name came.
    """

    __slots__ = ("before", "recent")

    def __init__(self) -> None:
        self.recent: set[int] = set()
        self.before: set[int] = set()

    def __contains__(self, what: object) -> bool:
        """Say whether an answer gave this name, or this pair of a name and what was made."""
        known = hash(what)
        return known in self.recent or known in self.before

    def __len__(self) -> int:
        return len(self.recent) + len(self.before)

    def add(self, name: str, made: str | None) -> None:
        """Take note of an answer; at a bound, the older half is forgotten."""
        recent = self.recent
        if len(recent) >= MAX_REMEMBERED:
            self.before, self.recent = recent, set()
            recent = self.recent
        recent.add(hash(name))
        if made:
            recent.add(hash((name, made)))


class Several:
    """Requests that share a name, by type, oldest first."""

    __slots__ = ("_by_type",)

    def __init__(self, *requests: OpenRequest) -> None:
        self._by_type: dict[str, OrderedDict[int, OpenRequest]] = {}
        for request in requests:
            self.add(request)

    def add(self, request: OpenRequest) -> None:
        """Take one more."""
        self._by_type.setdefault(request.msg_type, OrderedDict())[request.key] = request

    def remove(self, request: OpenRequest) -> bool:
        """Take one out; say whether any is left."""
        of_its_type = self._by_type[request.msg_type]
        del of_its_type[request.key]
        if not of_its_type:
            del self._by_type[request.msg_type]
        return bool(self._by_type)

    def oldest(self, msg_types: Collection[str]) -> OpenRequest | None:
        """Return the oldest of these types."""
        found = [
            next(iter(requests.values())) for each, requests in self._by_type.items() if each in msg_types
        ]
        return min(found, key=_key) if found else None


Named = Mapping[Any, "OpenRequest | Several"]
"""Requests by the value of one attribute."""


class OpenRequests:
    """Requests without an answer, oldest first."""

    __slots__ = (
        "_by_name",
        "_by_number",
        "_named_by",
        "_names",
        "answered",
        "by_key",
        "makers",
        "size",
    )

    def __init__(self) -> None:
        self.by_key: dict[int, OpenRequest] = {}
        """All of them, oldest first."""
        self._by_number: dict[int, OpenRequest] = {}
        self._by_name: defaultdict[str, dict[str, OpenRequest | Several]] = defaultdict(dict)
        self._named_by: dict[str, str] = {}
        """By MsgType, the attribute of requests whose only name is their id: orders, and most others."""
        self._names: dict[int, Names] = {}
        """By key, the names of all other requests."""
        self.size: int = 0
        """Bytes of all messages together."""
        self.makers: set[str] = set()
        """MsgTypes of requests each of which makes something of its own (`layout.Answers.makes`)."""
        self.answered: Remembered = Remembered()
        """Names that answers gave, and names with what they were about (an OrderID)."""

    def index(self, attribute: str) -> Named:
        """Return the requests by the value of this attribute, as they are at any time from now on."""
        return self._by_number if attribute == MSG_SEQ_NUM else self._by_name[attribute]

    def add(self, request: OpenRequest, names: Names) -> None:
        """Take one more."""
        key = request.key
        self.by_key[key] = request
        # The number of an uncertain one may be from before a reset, and mean another message by now.
        if not request.uncertain:
            self._by_number[request.seq_num] = request
        self.size += len(request.frame)
        # Most requests have one name, the request_id that they hold already, under the same attribute as all
        # of their type: `remove` makes it up again, and only those of others are kept.
        attribute, value = names[0]
        if (
            len(names) > 1
            or value != request.request_id
            or self._named_by.setdefault(request.msg_type, attribute) != attribute
        ):
            self._names[key] = names
        for attribute, value in names:
            index = self._by_name[attribute]
            there = index.get(value)
            if there is None:
                index[value] = request
            elif isinstance(there, Several):
                there.add(request)
            else:
                index[value] = Several(there, request)

    def is_repeated(self, msg_type: str, names: Names) -> bool:
        """Say whether a request of this type and name makes something like another of that name, so that
        reports about either may come."""
        if msg_type not in self.makers:
            return False
        attribute, value = names[0]
        if value in self._by_name[attribute]:
            return True
        known, answered = hash(value), self.answered
        return known in answered.recent or known in answered.before

    def remove(self, request: OpenRequest) -> None:
        """Take out one that is here."""
        key = request.key
        del self.by_key[key]
        names = self._names.pop(key, None)
        if names is None:
            names = ((self._named_by[request.msg_type], request.request_id),)
        # The number may be another request's: that of an uncertain one was never entered.
        if self._by_number.get(request.seq_num) is request:
            del self._by_number[request.seq_num]
        self.size -= len(request.frame)
        for attribute, value in names:
            index = self._by_name[attribute]
            there = index.pop(value)
            if there is not request and isinstance(there, Several) and there.remove(request):
                index[value] = there

    def numbered(self, seq_num: int) -> OpenRequest | None:
        """Return the request that was sent under this number."""
        return self._by_number.get(seq_num)

    def between(self, begin: int, end: int) -> list[OpenRequest]:
        """Return those with a number from `begin` to before `end`."""
        numbers: Iterable[int] = range(begin, end)
        # A peer may name a range of any length: the shorter way of the two.
        if len(self._by_number) < end - begin:
            numbers = [number for number in self._by_number if begin <= number < end]
        return [self._by_number[number] for number in numbers if number in self._by_number]


def names_of(message: Any, layout: MessageLayout) -> Names:
    """Return what the answers to a message may name it by, first what people know it by: its number where it
    has nothing else, or where the dialect says so."""
    names = [
        (attribute, value)
        for attribute in layout.request
        if attribute != MSG_SEQ_NUM and (value := getattr(message, attribute))
    ]
    if not names:
        return BY_NUMBER, (UNNAMED, layout.msg_type)
    return (BY_NUMBER, *names) if layout.request[0] == MSG_SEQ_NUM else tuple(names)


def _key(request: OpenRequest) -> int:
    return request.key
