"""Order groups: which there are, whether they take orders, and what may still fill of them.

A group triggers when more contracts of its orders fill within a rolling window than its limit allows: then
its resting orders are cancelled, and it takes no more until it is reset (Kalshi's page on order groups). The
venue's answer names the group and not the request, so that one request at a time is made, and what a cut
leaves open is told as unknown.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final

import attrs

from kalshi_fix_sansio._generated import (
    ExecType,
    ExecutionReport,
    ExecutionReportText,
    NewOrderSingle,
    OrderGroupAction,
    OrderGroupRequest,
    OrderGroupResponse,
)
from kalshi_fix_sansio._generated.limits import ORDER_GROUP_WINDOW
from kalshi_fix_sansio.classes.explained import explained
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_sansio.events import MessageReceived, OutcomesUnknown, RejectReceived
from kalshi_fix_sansio.trading.amounts import ZERO
from kalshi_fix_sansio.trading.doubts import Doubt, Remedy
from kalshi_fix_sansio.trading.dumping import VERSION, dump_time, load_time, reading_dump
from kalshi_fix_sansio.trading.received import clipped, readable, remember, sending_time

WINDOW: Final = timedelta(seconds=ORDER_GROUP_WINDOW)
"""How long a fill counts."""


@explained
class GroupState(Enum):
    """Whether a group takes orders."""

    ACTIVE = "takes orders"
    TRIGGERED = "takes no orders until it is reset"
    UNKNOWN = "a request about it has no known outcome"
    """Ask REST, and tell what it says by `learn`; or make a request about it anew."""


@explained
class GroupDiscrepancyKind(Enum):
    """In what way something that came does not fit."""

    ORPHAN = "a response names a group that nobody here asked for"
    """It is kept: the answer to a request of before a cut, or of another program."""
    OTHER_LIMIT = "the limit is not the one that was asked for"
    """The venue's holds."""
    TOO_MANY = "there are more groups than are kept, or an id is too long"


@explained
@attrs.frozen
class GroupDiscrepancy:
    """Something from the venue that does not fit."""

    kind: GroupDiscrepancyKind
    """In what way."""
    group_id: str
    """Id of the group."""
    detail: str
    """For people."""

    def __str__(self) -> str:
        return f"order group {self.group_id}: {self.kind.value}: {self.detail}"


@explained
@attrs.define(eq=False)
class OrderGroup:
    """One group. To be read: `OrderGroups` makes it and changes it in place."""

    group_id: str
    """Its id."""
    limit: int | None
    """Contracts that may fill within the window; None if nothing has told."""
    alloc_account: int
    """The subaccount that owns it; 0 is the primary one."""
    state: GroupState = GroupState.ACTIVE
    """Whether it takes orders."""
    orphan: bool = False
    """Whether no request of this program is known to have made it."""
    reset_at: datetime | None = None
    """When it was last reset, in UTC: fills of before count no more."""
    since: datetime | None = None
    """Since when its state is UNKNOWN, in UTC: SendingTime (52) of the request, or of the answer that is all
    that is known of it."""
    _fills: list[tuple[datetime, str, Decimal]] = attrs.field(factory=list, repr=False)
    """Time, ExecID and contracts, the oldest first."""
    _seen: set[str] = attrs.field(factory=set, repr=False)
    """The ExecIDs of these."""
    filled: Decimal = ZERO
    """Contracts of these fills, of which the oldest may count no more: `OrderGroups.room` looks."""

    def _count(self, time: datetime, exec_id: str, quantity: Decimal, most: int) -> None:
        if exec_id in self._seen or (self.reset_at is not None and time <= self.reset_at):
            return
        insort(self._fills, (time, exec_id, quantity))
        self._seen.add(exec_id)
        self.filled += quantity
        # The newest fill shows how late it is at least. Whatever leaves, leaves more room than there is.
        self._forget(self._fills[-1][0] - WINDOW, len(self._fills) - most)

    def _forget(self, until: datetime, least: int = 0) -> None:
        """Drop the fills that are as old as this, and so many of the oldest at the least."""
        gone = max(0, least)
        while gone < len(self._fills) and self._fills[gone][0] <= until:
            gone += 1
        for _, exec_id, quantity in self._fills[:gone]:
            self._seen.discard(exec_id)
            self.filled -= quantity
        del self._fills[:gone]

    def _reset(self, at: datetime | None) -> None:
        self.state = GroupState.ACTIVE
        self.reset_at = at
        self._fills.clear()
        self._seen.clear()
        self.filled = ZERO


@explained
@attrs.define(eq=False)
class GroupUpdate:
    """What something did to a group."""

    group: OrderGroup | None
    """The group itself, which goes on changing; None where it is not known which, or that it is gone."""
    request: OrderGroupRequest | None = None
    """The request that this answers."""
    discrepancies: list[GroupDiscrepancy] = attrs.field(factory=list)
    """What did not fit."""


class OrderGroups(Mapping[str, OrderGroup]):
    """The order groups of one account by OrderGroupID, over all its order entry sessions.

    Give `apply` every event, and before they are sent every OrderGroupRequest and every NewOrderSingle that
    joins a group. Nothing that the venue sends raises.
    """

    __slots__ = (
        "_by_cl_ord_id",
        "_by_order_id",
        "_groups",
        "_in_flight",
        "_max_fills",
        "_max_groups",
        "_max_orders",
        "lost_creates",
    )

    def __init__(
        self, *, max_groups: int = 100_000, max_orders: int = 100_000, max_fills: int = 10_000
    ) -> None:
        """Start without groups.

        Args:
            max_groups: groups that are kept, about 1 KB each. What the venue tells of one more is told as
                TOO_MANY.
            max_orders: orders whose group is remembered; the oldest is forgotten for one more, and its
                fills do not count.
            max_fills: fills that are remembered of each group; the oldest do not count beyond.
        """
        self._max_groups, self._max_orders, self._max_fills = max_groups, max_orders, max_fills
        self._groups: dict[str, OrderGroup] = {}
        self._in_flight: OrderGroupRequest | None = None
        self._by_cl_ord_id: dict[str, str] = {}
        """The group of each order by the ClOrdID that it was sent with."""
        self._by_order_id: dict[str, str] = {}
        """The same by OrderID, which stays when the order is replaced."""
        self.lost_creates: int = 0
        """Requests for new groups whose outcome is unknown: each may have made one that is not known here."""

    def __getitem__(self, group_id: str) -> OrderGroup:
        return self._groups[group_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._groups)

    def __len__(self) -> int:
        return len(self._groups)

    @property
    def in_flight(self) -> OrderGroupRequest | None:
        """The request that waits for its answer. Until it has come no other may be made."""
        return self._in_flight

    def room(self, group_id: str, now: datetime) -> Decimal | None:
        """Return how many contracts of a group's orders may fill before it triggers, at the most.

        Fills that no report has told yet may have taken of it. None for a group whose limit or state is not
        known, 0 for one that takes no orders.

        Args:
            group_id: the group.
            now: the time, aware; it may not go back.

        Raises:
            KeyError: there is no such group.
        """
        group = self._groups[group_id]
        if group.state is GroupState.TRIGGERED:
            return ZERO
        if group.limit is None or group.state is GroupState.UNKNOWN:
            return None
        group._forget(now - WINDOW)
        return max(ZERO, group.limit - group.filled)

    def doubts(self) -> list[Doubt]:
        """Return the groups whose state is not known, and those that may have been made."""
        found = [
            Doubt(
                what=each.state.value,
                about=f"order group {each.group_id}",
                since=each.since,
                remedies=(Remedy.REST, Remedy.REQUEST),
            )
            for each in self._groups.values()
            if each.state is GroupState.UNKNOWN
        ]
        if self.lost_creates:
            found.append(Doubt(what="whether there is one", about=f"{self.lost_creates} new order groups"))
        return found

    def apply(self, happened: object) -> GroupUpdate | None:
        """Take an event of a session or client, a message received, or a request that is about to be sent.

        Returns what it did to a group, if anything.

        Raises:
            LocalProtocolError: an OrderGroupRequest, while another has no answer; or there is no room for
                one more group. Do not send it.
        """
        message = happened.message if isinstance(happened, MessageReceived) else happened
        match message:
            case ExecutionReport():
                return self._take_report(message)
            case OrderGroupResponse():
                return self._take_response(message)
            case OrderGroupRequest():
                self._take_request(message)
            case NewOrderSingle():
                group_id = message.secondary_cl_ord_id or message.order_group_id
                if group_id:
                    remember(self._by_cl_ord_id, message.cl_ord_id, group_id, self._max_orders)
            case RejectReceived(sent=OrderGroupRequest() as sent) if sent is self._in_flight:
                self._in_flight = None
                return GroupUpdate(self._groups.get(sent.order_group_id or ""), sent)
            case OutcomesUnknown(requests=requests) if self._in_flight is not None:
                for each in requests:
                    if each.msg_type == OrderGroupRequest.MSG_TYPE:
                        return self._lose(self._in_flight, each.sent_at)
        return None

    def withdraw(self, message: OrderGroupRequest | NewOrderSingle) -> None:
        """Take back what was given to `apply`, and then refused by `send`: nothing of it has left."""
        if message is self._in_flight:
            self._in_flight = None
        elif isinstance(message, NewOrderSingle):
            self._by_cl_ord_id.pop(message.cl_ord_id, None)

    def learn(
        self, group_id: str, *, limit: int | None, alloc_account: int = 0, triggered: bool = False
    ) -> OrderGroup:
        """Take what another source, such as REST, says of a group; return it.

        Raises:
            LocalProtocolError: there is no room for one more group.
        """
        group = self._groups.get(group_id)
        if group is None:
            self._require_room()
            group = self._groups[group_id] = OrderGroup(group_id, limit, alloc_account)
        group.limit = limit
        group.state = GroupState.TRIGGERED if triggered else GroupState.ACTIVE
        return group

    def forget(self, group_id: str) -> None:
        """Drop a group that is there no more."""
        self._groups.pop(group_id, None)

    # What is asked, and answered

    def _take_request(self, request: OrderGroupRequest) -> None:
        if self._in_flight is not None:
            raise LocalProtocolError(
                "an order group request has no answer yet; answers do not say which of two they are for"
            )
        if request.order_group_action == OrderGroupAction.CREATE:
            self._require_room()
        self._in_flight = request

    def _require_room(self) -> None:
        if len(self._groups) >= self._max_groups:
            raise LocalProtocolError(
                f"{len(self._groups)} order groups are kept already; forget some, or raise max_groups"
            )

    def _take_response(self, response: Any) -> GroupUpdate:
        # A lenient session may deliver a response without an id.
        group_id = response.order_group_id or ""
        request = self._in_flight
        creates = request is not None and request.order_group_action == OrderGroupAction.CREATE
        group = self._groups.get(group_id)
        answers = request is not None and (group is None if creates else request.order_group_id == group_id)
        update = GroupUpdate(group, request if answers else None)
        if request is not None and answers:
            self._in_flight = None
        if group is None:
            group = update.group = self._adopt(update, response, group_id, made=creates, asked=answers)
        if group is None:
            return update
        limit = response.order_group_contracts_limit
        if limit is not None:
            group.limit = limit
        if request is None or not answers:
            return update
        self._carry_out(group, request, response)
        wanted = request.order_group_contracts_limit
        if wanted is not None and limit is not None and wanted != limit:
            _note(update, GroupDiscrepancyKind.OTHER_LIMIT, group_id, f"{limit} and not {wanted}")
        return update

    def _adopt(
        self, update: GroupUpdate, response: OrderGroupResponse, group_id: str, *, made: bool, asked: bool
    ) -> OrderGroup | None:
        """Take in a group that is not known yet."""
        if not readable(group_id) or len(self._groups) >= self._max_groups:
            detail = f"{len(self._groups)} groups, and an id of {len(group_id)} characters"
            _note(update, GroupDiscrepancyKind.TOO_MANY, clipped(group_id), detail)
            return None
        group = OrderGroup(
            group_id, response.order_group_contracts_limit, response.alloc_account or 0, orphan=not made
        )
        self._groups[group_id] = group
        if not made:
            # What else was done to it is not known.
            group.state, group.since = GroupState.UNKNOWN, sending_time(response)
        if not asked:
            # It may be the one of a request whose answer was lost.
            self.lost_creates = max(0, self.lost_creates - 1)
            _note(update, GroupDiscrepancyKind.ORPHAN, group_id, f"limit {group.limit}")
        return group

    def _carry_out(self, group: OrderGroup, request: OrderGroupRequest, response: OrderGroupResponse) -> None:
        match request.order_group_action:
            case OrderGroupAction.CREATE:
                group.state = GroupState.ACTIVE
            case OrderGroupAction.RESET:
                group._reset(sending_time(response))
            case OrderGroupAction.TRIGGER:
                group.state = GroupState.TRIGGERED
            case OrderGroupAction.DELETE:
                del self._groups[group.group_id]
            case _:
                # A new limit leaves a group as it is. If less than what has filled, it triggers, which the
                # cancels of its orders tell.
                if group.limit is None:
                    group.limit = request.order_group_contracts_limit

    def _lose(self, request: OrderGroupRequest, since: datetime) -> GroupUpdate:
        """Take note that nobody knows what became of a request."""
        self._in_flight = None
        group = self._groups.get(request.order_group_id or "")
        if request.order_group_action == OrderGroupAction.CREATE:
            self.lost_creates += 1
        elif group is not None:
            group.state, group.since = GroupState.UNKNOWN, since
        return GroupUpdate(group, request)

    # What fills

    def _take_report(self, report: Any) -> GroupUpdate | None:
        group_id = self._by_order_id.get(report.order_id)
        if group_id is None:
            group_id = self._by_cl_ord_id.get(report.cl_ord_id)
            if group_id is None:
                return None
            if readable(report.order_id):
                remember(self._by_order_id, report.order_id, group_id, self._max_orders)
                del self._by_cl_ord_id[report.cl_ord_id]
        group = self._groups.get(group_id)
        if group is None:
            return None
        time = report.transact_time or sending_time(report)
        if report.exec_type == ExecType.TRADE:
            # What cannot be read leaves more room than there is, as what is not told does.
            if time is None or not report.last_qty or not readable(report.exec_id):
                return None
            before = group.filled
            group._count(time, report.exec_id, report.last_qty, self._max_fills)
            return None if group.filled == before else GroupUpdate(group)
        if report.text == ExecutionReportText.ORDER_GROUP_CANCEL and self._has_triggered(group, time):
            group.state = GroupState.TRIGGERED
            return GroupUpdate(group)
        return None

    def _has_triggered(self, group: OrderGroup, time: datetime | None) -> bool:
        """Say whether a cancel of its order shows that a group has triggered just now. An order is cancelled
        by the deletion of its group as well, and a report may come again after the reset."""
        request = self._in_flight
        deleted = (
            request is not None
            and request.order_group_action == OrderGroupAction.DELETE
            and request.order_group_id == group.group_id
        )
        late = time is not None and group.reset_at is not None and time <= group.reset_at
        return group.state is GroupState.ACTIVE and not deleted and not late

    # To be kept by the user

    def dump(self) -> dict[str, Any]:
        """Return what is known, as values that JSON has; `load` takes it. A request in flight is not among
        it: after a crash its outcome is not known."""
        request = self._in_flight
        creates = request is not None and request.order_group_action == OrderGroupAction.CREATE
        unknown = None if request is None else request.order_group_id
        return {
            "version": VERSION,
            "lost_creates": self.lost_creates + creates,
            "by_cl_ord_id": dict(self._by_cl_ord_id),
            "by_order_id": dict(self._by_order_id),
            "groups": [
                {
                    "group_id": group.group_id,
                    "limit": group.limit,
                    "alloc_account": group.alloc_account,
                    "state": (GroupState.UNKNOWN if group.group_id == unknown else group.state).name,
                    "orphan": group.orphan,
                    "reset_at": dump_time(group.reset_at),
                    "since": dump_time(group.since),
                    "fills": [
                        [time.isoformat(), exec_id, str(quantity)] for time, exec_id, quantity in group._fills
                    ],
                }
                for group in self._groups.values()
            ],
        }

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Take the place of what is known by what `dump` gave.

        Raises:
            ValueError: it was given by another version, or not by `dump`; then nothing has changed.
        """
        with reading_dump(dumped, "order groups", "OrderGroups"):
            groups = {each["group_id"]: _loaded(each) for each in dumped["groups"]}
            maps = dict(dumped["by_cl_ord_id"]), dict(dumped["by_order_id"])
            lost = int(dumped["lost_creates"])
        self._groups, self.lost_creates, self._in_flight = groups, lost, None
        self._by_cl_ord_id, self._by_order_id = maps


def _loaded(each: Mapping[str, Any]) -> OrderGroup:
    group = OrderGroup(
        each["group_id"], each["limit"], each["alloc_account"], GroupState[each["state"]], each["orphan"]
    )
    group.reset_at, group.since = load_time(each["reset_at"]), load_time(each["since"])
    for time, exec_id, quantity in each["fills"]:
        group._count(datetime.fromisoformat(time), exec_id, Decimal(quantity), len(each["fills"]))
    return group


def _note(update: GroupUpdate, kind: GroupDiscrepancyKind, group_id: str, detail: str) -> None:
    update.discrepancies.append(GroupDiscrepancy(kind, group_id, detail))
