"""Uncertain items of all state machines: since when they are uncertain, and how to resolve them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from enum import Enum
from typing import Final, Generic, Protocol, TypeVar

import attrs

from kalshi_fix_sansio._generated import SESSION_TYPES
from kalshi_fix_sansio.clock import END, shift_time
from kalshi_fix_sansio.trading.common.unanswered import UnattributedRequest

WINDOW: Final = timedelta(hours=SESSION_TYPES["KalshiDC"].past_reports_hours or 0)
"""Age of the oldest reports that drop copy returns."""


class Remedy(Enum):
    """How an uncertain item can be resolved.

    Attributes:
        DROP_COPY: Request the orders' reports again with `DropCopy`, on KalshiDC or KalshiNR, while they
            are recent enough for drop copy to return them.
        REQUEST: Send a new request on the session. The state machine that lists the item documents which one.
        REST: Query the venue's REST interface, and pass the result to the state machine (`resolve`, `learn`).
    """

    DROP_COPY = "drop copy"
    REQUEST = "a new request"
    REST = "REST"


@attrs.frozen(kw_only=True, eq=False)
class UncertainItem:
    """An uncertain item that no expected message will resolve.

    Attributes:
        what: Description of the uncertainty, for humans.
        about: The subject, such as an order, a group, a quote, a market or a range of reports.
        since: The last time at which it was certain, in UTC, from the venue's timestamps; None if unknown.
        remedies: Ways to resolve the uncertainty, the best first.
        unattributed: The request with an unknown outcome, if its state machine cannot attribute it to any
            known order, group or quote. When you know the outcome, pass the request to `unattributed.resolve`
            of that machine.
    """

    what: str
    about: str
    since: datetime | None = None
    remedies: tuple[Remedy, ...] = (Remedy.REST,)
    unattributed: UnattributedRequest | None = None

    def __str__(self) -> str:
        since = "" if self.since is None else f" (since {self.since:%Y-%m-%d %H:%M:%S} UTC)"
        remedies = " or ".join(each.value for each in self.remedies)
        return f"{self.about}: {self.what}{since}; resolve via {remedies}"


def numbered_items(requests: Iterable[UnattributedRequest], what: str, about: str) -> Iterator[UncertainItem]:
    """Yield the uncertain items about unattributed requests that have no id, only a MsgSeqNum."""
    for each in requests:
        subject = f"{about} with MsgSeqNum {each.seq_num}"
        yield UncertainItem(what=what, about=subject, since=each.sent_at, unattributed=each)


T = TypeVar("T")


@attrs.frozen(eq=False)
class LazyItems(Iterable[T], Generic[T]):
    """A lazy iterable, true if it contains at least one item. Each item is computed when the iteration
    reaches it, because computing all of them takes a long time if there are many orders.
    """

    _find: Callable[[], Iterator[T]]

    def __iter__(self) -> Iterator[T]:
        return self._find()

    def __bool__(self) -> bool:
        return next(iter(self), None) is not None


class HasUncertainItems(Protocol):
    """A state machine that lists its uncertain items."""

    def uncertain(self) -> Iterable[UncertainItem]:
        """Return the uncertain items that no expected message will resolve."""
        ...


class UncertainItems:
    """A combined list of the uncertain items of any number of state machines, computed on each access."""

    def __init__(self, *machines: HasUncertainItems) -> None:
        """Combine state machines that have the method `uncertain`: `Orders`, `Positions`, `Cash`, `DropCopy`
        and others.
        """
        self._machines = machines

    def __iter__(self) -> Iterator[UncertainItem]:
        items = [item for machine in self._machines for item in machine.uncertain()]
        return iter(sorted(items, key=lambda item: item.since or END))

    def __len__(self) -> int:
        return sum(1 for machine in self._machines for _ in machine.uncertain())

    def by_remedy(self, now: datetime) -> dict[Remedy, list[UncertainItem]]:
        """Return the uncertain items grouped by the best remaining remedy, the oldest first.

        Args:
            now: the current time, timezone-aware. Drop copy does not return reports older than `WINDOW`.
        """
        items_by_remedy: dict[Remedy, list[UncertainItem]] = {remedy: [] for remedy in Remedy}
        for item in self:
            is_too_old = item.since is not None and item.since <= shift_time(now, -WINDOW)
            remaining = [each for each in item.remedies if not (is_too_old and each is Remedy.DROP_COPY)]
            items_by_remedy[remaining[0] if remaining else Remedy.REST].append(item)
        return items_by_remedy
