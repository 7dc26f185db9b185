"""Order groups of an account, their states, and the contracts that may still fill.

A group triggers when more contracts of its orders fill within a rolling window than its limit allows. The
venue then cancels its resting orders, and the group accepts no orders until it is reset (Kalshi's page on
order groups). The venue's answer to a request contains the id of the group but no id of the request.
Therefore only one request may be unanswered at a time. If the connection is lost before the answer is
received, the outcome of the request is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final, NamedTuple

import attrs

from kalshi_fix_sansio._generated import (
    SESSION_TYPES,
    ExecType,
    ExecutionReport,
    ExecutionReportText,
    NewOrderSingle,
    OrderGroupAction,
    OrderGroupRequest,
    OrderGroupResponse,
)
from kalshi_fix_sansio.clock import BEGINNING, END
from kalshi_fix_sansio.errors import LocalProtocolError
from kalshi_fix_sansio.events import (
    LoggedOn,
    MessageRejected,
    MessagesLost,
    OpenRequest,
    OutcomesUnknown,
    RejectReceived,
    SequenceSkipped,
    SessionEnded,
)
from kalshi_fix_sansio.trading.common.amounts import ZERO
from kalshi_fix_sansio.trading.common.dumping import dump_attributes, keyed_by, load_attributes, loading
from kalshi_fix_sansio.trading.common.received import (
    clipped,
    first_sending_time,
    is_valid_id,
    remember,
    sending_time,
)
from kalshi_fix_sansio.trading.common.unanswered import UnattributedRequests
from kalshi_fix_sansio.trading.common.uncertain_items import Remedy, UncertainItem, numbered_items
from kalshi_fix_sansio.trading.groups.order_group import GroupState, OrderGroup
from kalshi_fix_sansio.trading.orders.order_reports import ENDED_STATUSES
from kalshi_fix_sansio.trading.orders.uncertain_orders import DropCopyReport, unwrap

MAX_LOST_REQUESTS: Final = 64
"""Maximum number of unanswered requests from earlier processes that are remembered until an event
(`OutcomesUnknown`) lists them.
"""
_TRIGGER_TEXTS: Final = frozenset(
    (ExecutionReportText.ORDER_GROUP_CANCEL.value, ExecutionReportText.EXCEEDED_ORDER_GROUP_RISK_LIMIT.value)
)
"""Texts (58) of reports that show that the group of the order had triggered."""


class GroupDiscrepancyKind(Enum):
    """Kinds of inconsistency between a response and the known requests and groups.

    Attributes:
        ORPHAN: The response answers a request that was sent before a connection loss, or by another program.
            The group is kept.
        OTHER_LIMIT: The limit in the response is used.
    """

    ORPHAN = "a response about a group that this program did not request"
    OTHER_LIMIT = "the limit differs from the requested one"
    TOO_MANY = "the limit on groups was reached, or an id is too long"


@attrs.frozen
class GroupDiscrepancy:
    """An inconsistency in the venue's messages.

    Attributes:
        kind: The kind of inconsistency.
        group_id: OrderGroupID.
        detail: The values found, as text for humans.
    """

    kind: GroupDiscrepancyKind
    group_id: str
    detail: str

    def __str__(self) -> str:
        return f"order group {self.group_id}: {self.kind.value}: {self.detail}"


@attrs.define(eq=False)
class GroupUpdate:
    """The changes that an event or message makes to a group.

    Attributes:
        group: The group itself, which later messages change; None if the group is not known.
        before: Previous state of the group; None if the group is new or not known.
        request: The request that the message answers, or whose outcome is now unknown; None if there is none.
        discrepancies: Inconsistencies found.
    """

    group: OrderGroup | None
    before: GroupState | None = None
    request: OrderGroupRequest | None = None
    discrepancies: list[GroupDiscrepancy] = attrs.field(factory=list)
    _filled_before: Decimal = attrs.field(default=ZERO, repr=False)
    """Value of `OrderGroup.filled_qty` before the event."""

    @property
    def state_changed(self) -> bool:
        """Whether the state of the group has changed."""
        return self.group is not None and self.group.state is not self.before

    @property
    def _has_effect(self) -> bool:
        if self.request is not None or self.discrepancies or self.state_changed:
            return True
        return self.group is not None and self.group.filled_qty != self._filled_before


class _Terms(NamedTuple):
    """Fields that identify a request. Its MsgSeqNum cannot, because it is unknown before the request is
    sent.
    """

    action: int
    group_id: str | None
    limit: int | None
    alloc_account: int | None


@attrs.frozen
class _State:
    """The layout of a dump."""

    lost_creates: int
    _lost: list[_Terms]
    unattributed: UnattributedRequests
    _by_cl_ord_id: dict[str, str]
    _by_order_id: dict[str, str]
    _ended: dict[str, str]
    _time: datetime | None
    _logged_on: bool
    _groups: dict[str, OrderGroup] = attrs.field(metadata=keyed_by("group_id"))
    _unanswered: _Terms | None


class OrderGroups(Mapping[str, OrderGroup]):
    """The order groups of one account by OrderGroupID, across all its order entry sessions.

    Pass every event and every drop copy report to `apply`. Before you send an OrderGroupRequest, or a
    NewOrderSingle that joins a group, pass it to `apply` too. No message from the venue raises an exception.
    The state of a group depends on which messages were received, not on their sequence.
    """

    def __init__(
        self,
        session_type: str = "KalshiNR",
        *,
        max_groups: int = 100_000,
        max_orders: int = 100_000,
        max_fills: int = 10_000,
    ) -> None:
        """Start without groups.

        Args:
            session_type: the type of the sessions, which determines whether the venue resends missed reports.
                Pass KalshiNR if any of them has this type.
            max_groups: maximum number of groups, about 1 KB each. A response about a further group is
                reported as TOO_MANY.
            max_orders: maximum number of open orders whose group is remembered, and the same number of ended
                orders. Beyond it, the oldest order is removed. If that order was open, its group becomes
                UNKNOWN.
            max_fills: maximum number of fills kept per group. A group with more fills within two windows is
                UNKNOWN.
        """
        self._resend = SESSION_TYPES[session_type].resend
        self._max_groups, self._max_orders, self._max_fills = max_groups, max_orders, max_fills
        self._groups: dict[str, OrderGroup] = {}
        self._in_flight: OrderGroupRequest | None = None
        self._requested_at: datetime | None = None
        """The latest SendingTime received from the venue when the unanswered request was sent."""
        self._by_cl_ord_id: dict[str, str] = {}
        """OrderGroupID of each sent order by its ClOrdID, until a report contains its OrderID."""
        self._by_order_id: dict[str, str] = {}
        """OrderGroupID of each open order by its OrderID, which does not change when the order is
        replaced."""
        self._ended: dict[str, str] = {}
        """OrderGroupID of each ended order by its OrderID, because fills may be reported late."""
        self._time: datetime | None = None
        """The latest SendingTime received from the venue."""
        self._logged_on = False
        """Whether a session has logged on."""
        self._disconnected = False
        """Whether a session has ended since the last logon, and the venue will not resend its reports."""
        self._updates: dict[str | int, GroupUpdate] = {}
        """Updates of the current call, by OrderGroupID, or by a number for unknown groups."""
        self.lost_creates: int = 0
        """Number of create requests with an unknown outcome. Each may have created a group whose id is
        unknown.
        """
        self._lost: list[_Terms] = []
        """Unanswered requests from earlier processes that no event has listed since."""
        self.unattributed: UnattributedRequests = UnattributedRequests()
        """Requests with an unknown outcome that could not be decoded, or that concern groups for which there
        is no room.
        """

    def __getitem__(self, group_id: str) -> OrderGroup:
        return self._groups[group_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._groups)

    def __len__(self) -> int:
        return len(self._groups)

    @property
    def in_flight(self) -> OrderGroupRequest | None:
        """The unanswered request. No other may be sent until it is answered."""
        return self._in_flight

    @property
    def _unanswered(self) -> _Terms | None:
        return None if self._in_flight is None else _terms(self._in_flight)

    def room(self, group_id: str, now: datetime) -> Decimal | None:
        """Return the maximum number of contracts that a group's orders may fill before the group triggers.

        Fills that are not reported yet may have used part of this number. Return None if the limit or state
        of the group is unknown, and 0 if the group accepts no orders.

        Args:
            group_id: OrderGroupID.
            now: the current time, timezone-aware.

        Raises:
            KeyError: there is no such group.
        """
        return self._groups[group_id].room(now)

    def uncertain(self) -> list[UncertainItem]:
        """Return the groups whose state is unknown, and the requests whose outcome is unknown."""
        items = [
            UncertainItem(
                what=each.state.value,
                about=f"order group {each.group_id}",
                since=each.since,
                remedies=(Remedy.REST, Remedy.REQUEST),
            )
            for each in self._groups.values()
            if each.state is GroupState.UNKNOWN
        ]
        if self.lost_creates:
            is_single = self.lost_creates == 1
            about = "1 new order group" if is_single else f"{self.lost_creates} new order groups"
            what = f"the venue may have created {'it' if is_single else 'them'}"
            items.append(UncertainItem(what=what, about=about))
        items += numbered_items(self.unattributed, "its outcome is unknown", "order group request")
        return items

    def apply(self, event: object) -> list[GroupUpdate]:
        """Apply an event of a session or client, a received message, a drop copy report (`DropCopyReport`),
        or a request that is about to be sent.

        Returns one update for each affected group.

        Raises:
            LocalProtocolError: an earlier OrderGroupRequest is unanswered, or there is no room for the group
                that the passed request would create. Do not send the passed request.
        """
        message = unwrap(event)
        # Only the venue's times count. A message passed without its event may be a request, whose header
        # contains the client's time. The time of such a message is therefore used only if clients never send
        # its type.
        if message is not event or isinstance(message, ExecutionReport | OrderGroupResponse):
            self._record_time(message)
        match message:
            case ExecutionReport():
                self._handle_report(message, is_copy=isinstance(event, DropCopyReport))
            case OrderGroupResponse():
                self._handle_response(message)
            case OrderGroupRequest():
                self._handle_request(message)
            case NewOrderSingle():
                self._handle_order(message)
            case RejectReceived(sent=OrderGroupRequest() as sent):
                # The session decodes `sent` from the bytes that it sent, so it is another object.
                if self._in_flight is not None and _terms(sent) == _terms(self._in_flight):
                    self._answer(self._in_flight)
            case RejectReceived(sent=NewOrderSingle() as sent):
                self._by_cl_ord_id.pop(sent.cl_ord_id, None)
            case OutcomesUnknown():
                self._handle_unanswered(message)
            case LoggedOn():
                self._handle_logon(message)
            case SessionEnded():
                self._handle_end()
            case MessagesLost() | SequenceSkipped(gap_fill=False):
                self._mark_reports_missing(self._open_group_ids())
            case MessageRejected(will_be_resent=False, message=refused):
                self._handle_undelivered(refused)
        return self._take_updates()

    def withdraw(self, message: OrderGroupRequest | NewOrderSingle) -> None:
        """Undo `apply` for a request that was not sent because `send` refused it."""
        if message is self._in_flight:
            self._answer(message)
            self._updates.clear()
        elif isinstance(message, NewOrderSingle):
            self._by_cl_ord_id.pop(message.cl_ord_id, None)

    def learn(
        self, group_id: str, *, limit: int | None, alloc_account: int = 0, triggered: bool = False
    ) -> OrderGroup:
        """Record the current state of a group from another source, such as REST; return the group.

        While a session without resends is disconnected, groups may change without a report, so this group
        stays UNKNOWN until `learn` is called again after the logon.

        Raises:
            LocalProtocolError: there is no room for another group.
        """
        group = self._groups.get(group_id)
        if group is None:
            self._require_room()
            group = self._groups[group_id] = OrderGroup(group_id, limit, alloc_account)
        # Compares all possible limits, not only `group.limit`: a request for another limit may have an
        # unknown outcome.
        if group.limits_at(END) != [limit]:
            group.record_limit(BEGINNING, self._time or END, limit)
        group.record_state(self._time or BEGINNING, triggered=triggered)
        if not self._disconnected:
            group.end_loss()
        self._drop_lost_requests(group_id)
        return group

    def forget(self, group_id: str) -> None:
        """Remove a group that no longer exists."""
        self._groups.pop(group_id, None)
        self._drop_lost_requests(group_id)

    # --- requests and responses -----------------------------------------------------------------------

    def _handle_request(self, request: OrderGroupRequest) -> None:
        if self._in_flight is not None:
            raise LocalProtocolError(
                "an order group request has no answer yet; send one at a time, because answers do not "
                "identify their requests"
            )
        if request.order_group_action == OrderGroupAction.CREATE:
            self._require_room()
        self._in_flight, self._requested_at = request, self._time
        group = self._groups.get(request.order_group_id or "")
        if group is not None:
            group.begin_request(deletes=request.order_group_action == OrderGroupAction.DELETE)

    def _require_room(self) -> None:
        if len(self._groups) >= self._max_groups:
            raise LocalProtocolError(
                f"{len(self._groups)} order groups are kept already; forget some, or raise max_groups"
            )

    def _answer(self, request: OrderGroupRequest) -> GroupUpdate:
        """Record that the pending request is answered; return the update of its group."""
        self._in_flight = None
        update = self._update_of(self._groups.get(request.order_group_id or ""))
        update.request = request
        if update.group is not None:
            update.group.deleting = False
        return update

    def _handle_response(self, response: Any) -> None:
        # A lenient session may deliver a response without an id.
        group_id = response.order_group_id or ""
        request = self._in_flight
        is_create = request is not None and request.order_group_action == OrderGroupAction.CREATE
        group = self._groups.get(group_id)
        if request is None or not (group is None if is_create else request.order_group_id == group_id):
            self._handle_unsolicited(response, group)
            return
        update = self._answer(request)
        if group is None:
            group = update.group = self._adopt(update, response, group_id, created=is_create)
            if group is None:
                return
        limit, requested = response.order_group_contracts_limit, request.order_group_contracts_limit
        if requested is not None and limit is not None and requested != limit:
            _add_discrepancy(
                update, GroupDiscrepancyKind.OTHER_LIMIT, group_id, f"{limit} instead of {requested}"
            )
        self._apply_action(group, request, response)

    def _handle_unsolicited(self, response: Any, group: OrderGroup | None) -> None:
        """Apply a response to another program's request, or to a request whose outcome was unknown."""
        group_id = response.order_group_id or ""
        self._drop_lost_requests(group_id, created=group is None)
        if group is None:
            update = self._update_of(None)
            group = update.group = self._adopt(update, response, group_id, created=False)
            if group is not None:
                # The group may have been created by a request whose answer was lost.
                self.lost_creates = max(0, self.lost_creates - 1)
                _add_discrepancy(update, GroupDiscrepancyKind.ORPHAN, group_id, f"limit {group.limit}")
            return
        self._update_of(group)
        answered_at = first_sending_time(response) or self._time
        limit = response.order_group_contracts_limit
        if limit is None:  # a reset, trigger or deletion
            self._mark_outcome_unknown(group, answered_at)
        elif limit != group.limit:
            group.record_limit(BEGINNING, answered_at or END, limit)

    def _adopt(
        self, update: GroupUpdate, response: OrderGroupResponse, group_id: str, *, created: bool
    ) -> OrderGroup | None:
        """Add and return a group that is not known yet; return None if there is no room for it."""
        if not is_valid_id(group_id) or len(self._groups) >= self._max_groups:
            detail = f"{len(self._groups)} groups are kept, and the id has {len(group_id)} characters"
            _add_discrepancy(update, GroupDiscrepancyKind.TOO_MANY, clipped(group_id), detail)
            return None
        group = OrderGroup(
            group_id, response.order_group_contracts_limit, response.alloc_account or 0, orphan=not created
        )
        self._groups[group_id] = group
        if not created:
            # Earlier requests about the group, and their effects, are unknown.
            self._mark_outcome_unknown(group, first_sending_time(response))
        return group

    def _apply_action(
        self, group: OrderGroup, request: OrderGroupRequest, response: OrderGroupResponse
    ) -> None:
        """Apply an answered request to its group. The venue executed it between `earliest` and `latest`."""
        latest = first_sending_time(response) or self._time or END
        earliest = self._requested_at or (BEGINNING if latest is END else latest)
        limit = response.order_group_contracts_limit
        match request.order_group_action:
            case OrderGroupAction.CREATE:
                pass
            case OrderGroupAction.RESET:
                group.record_reset(earliest, max(earliest, latest))
            case OrderGroupAction.TRIGGER:
                group.record_requested_trigger(latest)
            case OrderGroupAction.DELETE:
                del self._groups[group.group_id]
            case _:
                # If the answer contains no limit, the requested one is not confirmed, so use it only if no
                # limit is known.
                if limit is None and group.limit is None:
                    limit = request.order_group_contracts_limit
                if limit is not None and limit != group.limit:
                    group.record_limit(earliest, max(earliest, latest), limit)

    def _handle_unanswered(self, event: OutcomesUnknown) -> None:
        """Record that the outcomes of requests are unknown, because they will not be answered."""
        for each, message in self.unattributed.read(event, OrderGroupRequest, NewOrderSingle):
            if each.msg_type == NewOrderSingle.MSG_TYPE:
                if message is not None and message.cl_ord_id not in self._by_cl_ord_id:
                    self._handle_order(message)
                continue
            in_flight = self._in_flight
            if in_flight is not None and (message is None or _terms(message) == _terms(in_flight)):
                message = in_flight
            elif message is not None and _terms(message) in self._lost:
                # `load` has already recorded that the outcome of this request is unknown.
                self._lost.remove(_terms(message))
                continue
            if message is None:
                self.unattributed.keep(each)
            else:
                self._record_unknown_outcome(message, each)

    def _record_unknown_outcome(self, request: OrderGroupRequest, lost: OpenRequest) -> None:
        """Record that the outcome of a request is unknown. If its group is not known yet, add the group."""
        group_id = request.order_group_id or ""
        is_create = request.order_group_action == OrderGroupAction.CREATE
        group = self._groups.get(group_id)
        requested_at = None
        if request is self._in_flight:
            self._in_flight, requested_at = None, self._requested_at
        if group is None and not is_create and (not is_valid_id(group_id) or len(self) >= self._max_groups):
            self.unattributed.keep(lost)
            return
        update = self._update_of(group)
        update.request = request
        if is_create:
            self.lost_creates += 1
            return
        if group is None:
            group = OrderGroup(group_id, None, request.alloc_account or 0, orphan=True)
            update.group = self._groups[group_id] = group
        group.deleting = False
        if request.order_group_contracts_limit is not None:
            group.record_possible_limit(requested_at or BEGINNING, request.order_group_contracts_limit)
        self._mark_outcome_unknown(group, lost.sent_at)

    def _drop_lost_requests(self, group_id: str, *, created: bool = False) -> None:
        """Remove the unanswered requests of earlier processes that concern a group, because newer information
        about the group was received. With `created`, also remove the oldest create request, which may have
        created the group, and all create requests with the same terms.
        """
        creates = [each for each in self._lost if each.action == OrderGroupAction.CREATE]
        answered = creates[:1] if created else []
        self._lost = [each for each in self._lost if each.group_id != group_id and each not in answered]

    def _handle_order(self, order: NewOrderSingle) -> None:
        group_id = order.secondary_cl_ord_id or order.order_group_id
        if group_id:
            self._remember(self._by_cl_ord_id, order.cl_ord_id, group_id)

    def _mark_outcome_unknown(self, group: OrderGroup, since: datetime | None) -> None:
        # The venue cannot have executed the request before it was sent, so the period in which it may have
        # taken effect ends at or after `since`.
        until = max(filter(None, (self._time, since)), default=None)
        group.record_loss(since, None if self._disconnected else until, request=True)

    # --- sessions -------------------------------------------------------------------------------------

    def _handle_logon(self, event: LoggedOn) -> None:
        self._record_time(event.logon)
        # With resends, only a reset of the sequence numbers loses messages. Without resends, a logon that
        # follows no SessionEnded means that the end of the previous session was missed, so reports may have
        # been lost.
        if event.reset if self._resend else (self._logged_on and not self._disconnected):
            self._mark_reports_missing(self._open_group_ids())
        self._logged_on, self._disconnected = True, False
        for group in self._groups.values():
            group.record_logon(self._time)

    def _handle_end(self) -> None:
        if not self._resend:
            self._disconnected = True
            self._mark_reports_missing(self._open_group_ids())

    def _open_group_ids(self) -> Iterable[str]:
        """Return the ids of the groups that may have open orders."""
        return dict.fromkeys((*self._by_cl_ord_id.values(), *self._by_order_id.values()))

    def _mark_reports_missing(self, group_ids: Iterable[str]) -> None:
        """Record that reports about orders of these groups may be missing; ids of unknown groups have no
        effect.
        """
        for group in filter(None, map(self._groups.get, group_ids)):
            self._update_of(group)
            group.record_loss(self._time, None if self._disconnected else self._time)

    def _handle_undelivered(self, refused: Any) -> None:
        """Handle a message that the session rejected and did not deliver."""
        if refused is None:
            self._mark_reports_missing(self._open_group_ids())
        elif refused.msg_type == ExecutionReport.MSG_TYPE:
            self._mark_reports_missing([self._group_id(refused) or ""])

    def _record_time(self, message: Any) -> None:
        time = sending_time(message)
        if time is not None and (self._time is None or self._time < time):
            self._time = time

    # --- execution reports ----------------------------------------------------------------------------

    def _group_id(self, report: Any) -> str | None:
        """Return the OrderGroupID of the order that a report is about; None if it is in no known group."""
        return (
            self._by_order_id.get(report.order_id)
            or self._by_cl_ord_id.get(report.cl_ord_id)
            or self._ended.get(report.order_id)
        )

    def _remember(self, group_ids: dict[str, str], order_key: str, group_id: str) -> None:
        """Remember the group of an open order. Beyond the limit, the oldest order is removed."""
        if len(group_ids) >= self._max_orders and order_key not in group_ids:
            self._mark_reports_missing([group_ids[next(iter(group_ids))]])
        group = self._groups.get(group_id)
        # All orders of a group share one string object, which makes the comparisons in `_open_group_ids` four
        # times as fast.
        remember(group_ids, order_key, group_id if group is None else group.group_id, self._max_orders)

    def _record_order_id(self, report: Any, group_id: str) -> None:
        """Remember the group of an order under its OrderID, and whether the order has ended."""
        order_id = report.order_id
        if not is_valid_id(order_id):
            return
        self._by_cl_ord_id.pop(report.cl_ord_id, None)
        if report.ord_status in ENDED_STATUSES:
            self._by_order_id.pop(order_id, None)
            remember(self._ended, order_id, group_id, self._max_orders)
        elif order_id not in self._ended and order_id not in self._by_order_id:
            self._remember(self._by_order_id, order_id, group_id)

    def _handle_report(self, report: Any, *, is_copy: bool) -> None:
        group_id = self._group_id(report)
        if group_id is None:
            return
        self._record_order_id(report, group_id)
        group = self._groups.get(group_id)
        if group is None:
            return
        self._update_of(group)
        time = self._event_time(report, is_copy=is_copy)
        if report.exec_type == ExecType.TRADE:
            if (
                time is None
                or not report.last_qty
                or report.last_qty < ZERO
                or not is_valid_id(report.exec_id)
            ):
                self._mark_reports_missing([group_id])
            else:
                # The OrderID is part of the key, because both sides of a trade may belong to the group.
                key = f"{report.exec_id} {clipped(report.order_id)}"
                group.count_fill(time, key, report.last_qty, self._max_fills)
        elif report.text in _TRIGGER_TEXTS:
            if time is None:
                self._mark_reports_missing([group_id])
            else:
                group.record_trigger(time)
        elif report.exec_type == ExecType.NEW and time is not None:
            group.record_order(time)

    def _event_time(self, report: Any, *, is_copy: bool) -> datetime | None:
        """Return the time of the event in a report, in UTC; None if unknown."""
        sent = first_sending_time(report)
        # The SendingTime of a drop copy report is the time of the copy, not of the event.
        time: datetime | None = report.transact_time or (None if is_copy else sent)
        if time is None or time == BEGINNING:
            return None
        if sent is None:
            self._time = max(self._time or time, time)
            return time
        # An event cannot follow the SendingTime of its report; a later time would make all following events
        # look old.
        return min(time, sent)

    def _update_of(self, group: OrderGroup | None) -> GroupUpdate:
        """Return the update of a group that is about to change."""
        key = len(self._updates) if group is None else group.group_id
        update = self._updates.get(key)
        if update is None:
            update = self._updates[key] = GroupUpdate(group)
            if group is not None:
                update.before, update._filled_before = group.state, group.filled_qty
        return update

    def _take_updates(self) -> list[GroupUpdate]:
        updates, self._updates = self._updates, {}
        return [each for each in updates.values() if each._has_effect]

    # --- dump and load --------------------------------------------------------------------------------

    def dump(self) -> dict[str, Any]:
        """Return the state as JSON values, for `load`."""
        return dump_attributes(self, _State)

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Replace the state with a dump. The sessions at the time of the dump count as ended.

        Raises:
            ValueError: the dump was not produced by `dump` of this class and version; the state is unchanged.
        """
        with loading(dumped, _State, "OrderGroups") as state:
            for each in state._groups.values():
                each.restore()
        load_attributes(self, state)
        self._in_flight = None
        self._logged_on = self._disconnected = False
        if state._logged_on:
            self._handle_end()
        # The outcome of a request that was unanswered is unknown after a crash.
        request = state._unanswered
        if request is not None:
            self._lost.append(request)
            self.lost_creates += request.action == OrderGroupAction.CREATE
            group = self._groups.get(request.group_id or "")
            if group is not None:
                self._mark_outcome_unknown(group, self._time)
        del self._lost[:-MAX_LOST_REQUESTS]
        self._updates.clear()


def _add_discrepancy(update: GroupUpdate, kind: GroupDiscrepancyKind, group_id: str, detail: str) -> None:
    update.discrepancies.append(GroupDiscrepancy(kind, group_id, detail))


def _terms(request: OrderGroupRequest) -> _Terms:
    return _Terms(
        int(request.order_group_action),
        request.order_group_id,
        request.order_group_contracts_limit,
        request.alloc_account,
    )
