"""One order group: the evidence in the venue's messages, and the state derived from it.

A group triggers when more contracts of its orders fill within the rolling window than its limit allows. It
also triggers when an update lowers the limit below the number already filled in the window, or on request.
The venue then cancels the orders of the group, but sends no message about the group. The only evidence is
fills, cancels and refusals of its orders (Kalshi's pages on order groups).

Evidence may arrive late, repeatedly and in any sequence. It is therefore kept with the venue's times, and
`state` is derived from all of it. An answer to a request does not contain the time of the change. The change
took place after the latest SendingTime (52) received before the request was sent, and before the SendingTime
of the answer.
"""

from __future__ import annotations

from bisect import bisect, insort
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Final, NamedTuple

import attrs

from kalshi_fix_sansio._generated.limits import ORDER_GROUP_WINDOW
from kalshi_fix_sansio.clock import BEGINNING, END, shift_time
from kalshi_fix_sansio.trading.common.amounts import ZERO, add, subtract, total
from kalshi_fix_sansio.trading.common.dumping import NOT_DUMPED

WINDOW: Final = timedelta(seconds=ORDER_GROUP_WINDOW)
"""Length of the rolling window in which fills count."""
MAX_LIMITS: Final = 16
"""Maximum number of limits kept per group: the current limit and earlier ones, which apply to late fills."""


class GroupState(Enum):
    """Whether a group accepts orders.

    Attributes:
        ACTIVE: The messages received show that the group has not triggered, or has been reset since.
        UNKNOWN: Reports about its orders may be missing, the outcome of a request about it is unknown, or the
            times of the messages do not determine their sequence. Reset the group, or query REST and pass
            the answer to `OrderGroups.learn`.
    """

    ACTIVE = "accepts orders"
    TRIGGERED = "accepts no orders until it is reset"
    UNKNOWN = "may have triggered"


class Limit(NamedTuple):
    """A limit that took effect between the times `since` and `until`."""

    since: datetime
    until: datetime
    contracts: int | None
    """The limit in contracts; None if unknown."""


@attrs.define(eq=False)
class OrderGroup:
    """One group. Read-only: `OrderGroups` creates it and changes it in place.

    Attributes:
        group_id: OrderGroupID.
        limit: Contracts that may fill within the window; None if unknown.
        alloc_account: The subaccount that owns the group; 0 is the primary account.
        orphan: Whether the group was created by an unknown request, such as one from another program.
        filled_qty: Contracts filled since the last reset, within the window that ends at the newest fill.
        deleting: Whether a request to delete the group is unanswered.
    """

    group_id: str
    limit: int | None
    alloc_account: int
    orphan: bool = False
    filled_qty: Decimal = attrs.field(default=ZERO, metadata=NOT_DUMPED)
    # All times are the venue's, in UTC. BEGINNING means never.
    _limits: list[Limit] = attrs.field(factory=list, repr=False)
    """Limits that may have been in effect, the oldest first."""
    _fills: list[tuple[datetime, str, Decimal]] = attrs.field(factory=list, repr=False)
    """Time, key and contracts of fills, oldest first. Fills are kept for twice the length of the window,
    because a late fill may belong to any window that ended within the last window length.
    """
    _keys: set[str] = attrs.field(factory=set, repr=False)
    """The keys of `_fills`, and of the fills that the last reset removed. Removed fills whose times prove
    that they preceded the reset are left out.
    """
    _start: int = attrs.field(default=0, repr=False, metadata=NOT_DUMPED)
    """Index of the first fill in the newest window."""
    _volume: Decimal = attrs.field(default=ZERO, repr=False, metadata=NOT_DUMPED)
    """Contracts filled in the newest window, including fills that may have preceded the last reset."""
    _dropped_at: datetime = attrs.field(default=BEGINNING, repr=False)
    """Time of the newest fill that was dropped because of `max_fills`."""
    _exceeded_at: datetime = attrs.field(default=BEGINNING, repr=False, metadata=NOT_DUMPED)
    """Time at which the fills last exceeded the limit."""
    _may_exceed_at: datetime = attrs.field(default=BEGINNING, repr=False, metadata=NOT_DUMPED)
    """Time at which the fills may last have exceeded the limit. Unlike `_exceeded_at`, it includes fills that
    may have preceded the last reset, and limits that may have been in effect.
    """
    _triggered_at: datetime = attrs.field(default=BEGINNING, repr=False)
    """Time of the newest cancel or refusal of an order, which proves that the group had triggered."""
    _accepted_at: datetime = attrs.field(default=BEGINNING, repr=False)
    """Time at which the group last accepted an order."""
    _reported_at: datetime | None = attrs.field(default=None, repr=False)
    """Time at which the group was triggered on request, or REST reported it as triggered; None if a reset
    followed.
    """
    _reset_after: datetime = attrs.field(default=BEGINNING, repr=False)
    _reset_by: datetime = attrs.field(default=BEGINNING, repr=False)
    """The last reset took place between these two times."""
    _may_be_reset_by: datetime = attrs.field(default=BEGINNING, repr=False)
    """Time until which a request without a known outcome may have reset the group. REST has since reported
    the state, but does not report resets.
    """
    _settled_at: datetime = attrs.field(default=BEGINNING, repr=False)
    """Evidence up to this time does not count, because a reset or a REST report has superseded it."""
    _lost_since: datetime | None = attrs.field(default=None, repr=False)
    _lost_until: datetime | None = attrs.field(default=BEGINNING, repr=False)
    """Reports of events between these two times may be missing, or a request may have taken effect between
    them. `_lost_until` is None while this period has not ended.
    """
    _request_lost: bool = attrs.field(default=False, repr=False)
    """Whether a request about the group has an unknown outcome."""
    _evidence_before_request: tuple[datetime, frozenset[str]] = attrs.field(
        default=(BEGINNING, frozenset()), repr=False, metadata=NOT_DUMPED
    )
    """`_triggered_at` and the keys of the fills when the unanswered request was sent. This evidence preceded
    the request.
    """
    deleting: bool = attrs.field(default=False, repr=False, metadata=NOT_DUMPED)

    def __attrs_post_init__(self) -> None:
        if not self._limits:
            self._limits.append(Limit(BEGINNING, BEGINNING, self.limit))

    @property
    def state(self) -> GroupState:
        """State derived from the evidence received."""
        if self._is_triggered():
            # A deletion cancels the orders of a group, as a trigger does. While a deletion is unanswered, a
            # cancel therefore does not prove a trigger.
            return GroupState.UNKNOWN if self.deleting else GroupState.TRIGGERED
        return GroupState.UNKNOWN if self._is_uncertain() else GroupState.ACTIVE

    @property
    def reset_at(self) -> datetime | None:
        """Time of the answer to the last reset, in UTC; None without a reset, or if the time is unknown."""
        return None if self._reset_by in (BEGINNING, END) else self._reset_by

    @property
    def since(self) -> datetime | None:
        """Time at which the UNKNOWN state began, in UTC; None in another state, or if the time is unknown."""
        if self.state is not GroupState.UNKNOWN:
            return None
        return self._lost_since if self._may_miss_trigger() else max(self._triggered_at, self._may_exceed_at)

    # --- conclusions from the evidence ----------------------------------------------------------------

    def _is_triggered(self) -> bool:
        # A request with an unknown outcome may have reset the group at any time up to `lost_until`, so
        # evidence up to that time does not count.
        lost_until = (self._lost_until or END) if self._request_lost else BEGINNING
        if (
            self._reported_at is not None
            and self._accepted_at <= self._reported_at
            and not self._request_lost
        ):
            return True
        after = max(self._settled_at, lost_until)
        # A later accepted order proves that the group has been reset, or had not triggered.
        if self._triggered_at > max(self._reset_by, after) and self._triggered_at >= self._accepted_at:
            return True
        return self._exceeded_at > after and self._exceeded_at >= self._active_at

    def _may_miss_trigger(self) -> bool:
        """Return whether missing reports, or a missing outcome of a request, may affect the state."""
        if self._lost_until is None:
            return True
        # An order accepted one window later proves that the group had not triggered. By then, the missing
        # fills are outside the window.
        return self._lost_until > BEGINNING and self._accepted_at < shift_time(self._lost_until, WINDOW)

    def _is_uncertain(self) -> bool:
        if self._may_miss_trigger():
            return True
        # There is a cancel or refusal whose time does not show whether it preceded or followed the reset.
        if (
            self._triggered_at > self._settled_at
            and self._triggered_at >= self._accepted_at
            and self._triggered_at >= self._reset_after
        ):
            return True
        # The fills exceed the limit, but the group may still trade: another program may have reset or updated
        # it, or the venue has not triggered it yet. An order or fill one window later proves that it had not
        # triggered.
        return self._may_exceed_at > self._settled_at and self._active_at < shift_time(
            self._may_exceed_at, WINDOW
        )

    @property
    def _active_at(self) -> datetime:
        """Time of the last accepted order or fill, whichever is later."""
        return max(self._accepted_at, self._fills[-1][0]) if self._fills else self._accepted_at

    def room(self, now: datetime) -> Decimal | None:
        """Return the number of contracts that may fill before the group triggers; None if unknown."""
        if self.state is GroupState.TRIGGERED:
            return ZERO
        limits = self.limits_at(END)
        if self.state is GroupState.UNKNOWN or None in limits:
            return None
        first = bisect(self._fills, max(shift_time(now, -WINDOW), self._certain_from), key=_time)
        largest = Decimal(max(limit or 0 for limit in limits))
        return max(ZERO, subtract(largest, _total(self._fills[first:])))

    # --- fills ----------------------------------------------------------------------------------------

    def count_fill(self, time: datetime, key: str, quantity: Decimal, max_fills: int) -> None:
        """Count a fill of `quantity` contracts, and keep at most `max_fills` fills. A fill is ignored if its
        key was already counted, if it preceded the last reset, or if it is older than the newest fill by at
        least twice the length of the window.
        """
        fills = self._fills
        if key in self._keys or time < self._reset_after or time <= self._implied_reset:
            return
        if fills and time <= shift_time(fills[-1][0], -2 * WINDOW):
            return
        self._keys.add(key)
        insort(fills, (time, key, quantity))
        if fills[-1][1] == key:
            self._extend(len(fills) - 1)
        else:
            self._recount()
        expired = bisect(fills, shift_time(fills[-1][0], -2 * WINDOW), key=_time)
        if len(fills) - expired > max_fills:
            expired = len(fills) - max_fills
            self._dropped_at = fills[expired - 1][0]
        if expired > self._start:
            self._drop(expired)
            self._recount()
        elif expired:
            self._drop(expired)
            self._start -= expired

    @property
    def _certain_from(self) -> datetime:
        """Time after which fills certainly count; earlier fills may have preceded a reset."""
        return max(self._reset_by, self._may_be_reset_by)

    @property
    def _implied_reset(self) -> datetime:
        """Time of a trigger after which the group has accepted an order; BEGINNING if there is none. The
        group must have been reset after that trigger, so fills up to the trigger do not count.
        """
        return self._triggered_at if self._triggered_at < self._accepted_at else BEGINNING

    def _drop(self, count: int) -> None:
        """Remove this many of the oldest fills."""
        self._keys.difference_update(key for _, key, _ in self._fills[:count])
        del self._fills[:count]

    def _recount(self) -> None:
        self._start, self._volume, self.filled_qty = 0, ZERO, ZERO
        self._exceeded_at = self._may_exceed_at = BEGINNING
        for index in range(len(self._fills)):
            self._extend(index)
        for limit in self._limits[1:]:
            self._check_update(limit)

    def _extend(self, index: int) -> None:
        """Advance the window to the next fill, and compare its volume with the limit."""
        time, _, quantity = self._fills[index]
        self._volume = add(self._volume, quantity)
        if time > self._certain_from:
            self.filled_qty = add(self.filled_qty, quantity)
        begin = shift_time(time, -WINDOW)
        while self._fills[self._start][0] <= begin:
            expired_time, _, expired_quantity = self._fills[self._start]
            self._start += 1
            self._volume = subtract(self._volume, expired_quantity)
            if expired_time > self._certain_from:
                self.filled_qty = subtract(self.filled_qty, expired_quantity)
        limits = self.limits_at(time)
        if all(limit is not None and limit < self.filled_qty for limit in limits):
            self._exceeded_at = time
        if begin < self._dropped_at or any((limit or 0) < self._volume for limit in limits):
            self._may_exceed_at = time

    # --- limits ---------------------------------------------------------------------------------------

    def limits_at(self, time: datetime) -> list[int | None]:
        """Return the limits that may have been in effect at a time."""
        limits = self._limits
        certain = max(index for index, limit in enumerate(limits) if limit.until < time)
        return [limit.contracts for limit in limits[certain:] if limit.since <= time]

    def record_limit(self, since: datetime, until: datetime, contracts: int | None) -> None:
        """Record a new limit that took effect between two times."""
        self.limit = contracts
        self._add_limit(Limit(since, until, contracts))

    def record_possible_limit(self, since: datetime, contracts: int) -> None:
        """Record a new limit that may have taken effect at any time since `since`."""
        self._add_limit(Limit(since, END, contracts))

    def _add_limit(self, limit: Limit) -> None:
        self._limits.append(limit)
        if len(self._limits) > MAX_LIMITS:
            self._limits[:2] = [Limit(BEGINNING, BEGINNING, None)]
        self._recount()

    def _check_update(self, limit: Limit) -> None:
        """Compare a new limit with the volume in the window that ended at the time of the update."""
        if limit.until == END:  # the outcome of the update is unknown, which `_request_lost` records
            return
        # The window ended at an unknown time between `since` and `until`. A fill is certainly in the window
        # if it is in every window that ends between these times.
        earliest_begin, latest_begin = shift_time(limit.since, -WINDOW), shift_time(limit.until, -WINDOW)
        possible = [fill for fill in self._fills if earliest_begin < fill[0] <= limit.until]
        certain_begin = max(latest_begin, self._certain_from)
        certain = [fill for fill in possible if certain_begin < fill[0] <= limit.since]
        if limit.contracts is not None and limit.contracts < _total(certain):
            self._exceeded_at = max(self._exceeded_at, limit.until)
        if (limit.contracts or 0) < _total(possible):
            self._may_exceed_at = max(self._may_exceed_at, limit.until)

    # --- other evidence -------------------------------------------------------------------------------

    def record_trigger(self, time: datetime) -> None:
        """Record a cancel or refusal, which proves that the group had triggered by `time`."""
        self._triggered_at = max(self._triggered_at, time)
        self._drop_superseded_fills()

    def record_order(self, time: datetime) -> None:
        """Record that the group accepted an order at `time`."""
        self._accepted_at = max(self._accepted_at, time)
        self._drop_superseded_fills()

    def _drop_superseded_fills(self) -> None:
        """Drop the fills that do not count, because the group has been reset since (`_implied_reset`)."""
        count = bisect(self._fills, self._implied_reset, key=_time)
        if count:
            self._drop(count)
            self._recount()

    def record_loss(self, since: datetime | None, until: datetime | None, *, request: bool = False) -> None:
        """Record that reports of events between two times may be missing or, with `request`, that a request
        may have taken effect between them.
        """
        if not self._may_miss_trigger():
            self._lost_since, self._request_lost = since, False
        if self._lost_until is not None:
            self._lost_until = None if until is None else max(self._lost_until, until)
        self._request_lost |= request

    def record_logon(self, time: datetime | None) -> None:
        """End the period in which reports may be missing, because a session has logged on."""
        if self._lost_until is None:
            self._lost_until = time

    # --- requests -------------------------------------------------------------------------------------

    def begin_request(self, *, deletes: bool) -> None:
        """Record that a request about the group is about to be sent."""
        self._evidence_before_request = (self._triggered_at, frozenset(self._keys))
        self.deleting = deletes

    def record_reset(self, earliest: datetime, latest: datetime) -> None:
        """Record that a request reset the group between two times."""
        triggered_at, earlier_keys = self._evidence_before_request
        self._settled_at = max(self._settled_at, triggered_at)
        self._reset_after, self._reset_by, self._reported_at = earliest, latest, None
        self._fills = [each for each in self._fills if each[0] >= earliest]
        self._keys = {key for _, key, _ in self._fills}
        self._fills = [each for each in self._fills if each[1] not in earlier_keys]
        self._dropped_at = BEGINNING
        # Reports that may have been lost before the request was sent no longer affect the state.
        if self._lost_until is not None and self._lost_until <= earliest:
            self.end_loss()
        self._recount()

    def record_requested_trigger(self, answered_at: datetime) -> None:
        """Record that a request triggered the group."""
        self._reported_at, self._request_lost = max(answered_at, self._accepted_at), False

    def record_state(self, now: datetime, *, triggered: bool) -> None:
        """Record the state reported by REST."""
        self._settled_at = max(now, self._active_at, self._triggered_at, self._may_exceed_at)
        self._reported_at = self._settled_at if triggered else None
        if self._request_lost:
            self._may_be_reset_by = self._lost_until or self._settled_at
            self._request_lost = False
            self._recount()

    def end_loss(self) -> None:
        """Clear the record of `record_loss`, because it no longer affects the state."""
        self._lost_since, self._lost_until, self._request_lost = None, BEGINNING, False

    # --- dump -----------------------------------------------------------------------------------------

    def restore(self) -> None:
        """Recompute the attributes that are not dumped."""
        self._fills.sort()
        self._recount()


def _time(fill: tuple[datetime, str, Decimal]) -> datetime:
    return fill[0]


def _total(fills: list[tuple[datetime, str, Decimal]]) -> Decimal:
    return total(quantity for _, _, quantity in fills)
