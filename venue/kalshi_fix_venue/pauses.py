"""Pauses of the exchange, scheduled or started by an operation (Kalshi's page on maintenance and pauses)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time, timedelta, tzinfo

import attrs

from kalshi_fix_sansio import PRODUCTS
from kalshi_fix_sansio._generated.limits import MAINTENANCE_WINDOW
from kalshi_fix_venue.exchange import PauseState

_SEVERITY = (PauseState.OPEN, PauseState.TRADING_PAUSED, PauseState.EXCHANGE_PAUSED)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WEEK = timedelta(days=7)
MAX_MANUAL_PAUSES = 100
"""Maximum number of pauses started by operations. If there are more, the oldest are dropped."""


@attrs.frozen(kw_only=True)
class PauseWindow:
    """A single pause, or one occurrence of a scheduled pause."""

    begins: datetime
    """A time with a time zone."""
    ends: datetime | None
    """None for a pause that lasts until `resume`."""
    state: PauseState = PauseState.TRADING_PAUSED
    products: tuple[str, ...] = tuple(PRODUCTS)
    logs_out: bool = False
    """Whether the sessions are logged out when it begins."""
    accepts_logons: bool = True
    """Whether clients can log on again while it lasts."""

    def is_active(self, now: datetime) -> bool:
        """Return whether the pause is active at a time."""
        return self.begins <= now and (self.ends is None or now < self.ends)


@attrs.frozen(kw_only=True)
class WeeklyPause:
    """A weekly pause, in the venue's time zone."""

    weekday: int
    """0 for Monday."""
    begins: time
    ends: time
    """On the same day."""
    state: PauseState = PauseState.TRADING_PAUSED
    products: tuple[str, ...] = tuple(PRODUCTS)
    logs_out: bool = True
    accepts_logons: bool = True

    def __attrs_post_init__(self) -> None:
        """Raise ValueError if the weekday does not exist, or if the end is not later than the beginning."""
        if not 0 <= self.weekday <= 6:
            raise ValueError(f"weekday must be from 0 (Monday) to 6 (Sunday), not {self.weekday}")
        if self.begins >= self.ends:
            raise ValueError(f"a pause that begins at {self.begins} must end later, not at {self.ends}")

    def window(self, zone: tzinfo, now: datetime) -> PauseWindow:
        """Return this week's pause or, if it has ended, next week's."""
        local = now.astimezone(zone)
        day = local.date() + timedelta(days=(self.weekday - local.weekday()) % 7)
        if now >= datetime.combine(day, self.ends, zone):
            day += _WEEK
        return PauseWindow(
            begins=datetime.combine(day, self.begins, zone),
            ends=datetime.combine(day, self.ends, zone),
            state=self.state,
            products=self.products,
            logs_out=self.logs_out,
            accepts_logons=self.accepts_logons,
        )


MAINTENANCE = WeeklyPause(
    weekday=MAINTENANCE_WINDOW["weekday"],
    begins=time(MAINTENANCE_WINDOW["begin"]),
    ends=time(MAINTENANCE_WINDOW["end"]),
)
"""The venue's weekly maintenance: trading is paused, and sessions are logged out at its beginning."""
PauseSchedule = tuple[WeeklyPause | PauseWindow, ...]


class Pauses:
    """All pauses of a venue. Of several active pauses the most severe applies."""

    def __init__(self, schedule: Iterable[WeeklyPause | PauseWindow], zone: tzinfo) -> None:
        """Start with the scheduled pauses; none is active before the first `update`."""
        self._zone = zone
        self._weekly = [each for each in schedule if isinstance(each, WeeklyPause)]
        self._scheduled = [each for each in schedule if isinstance(each, PauseWindow)]
        self._windows: list[PauseWindow] = []
        """Pauses started by operations."""
        self._ended_early: dict[WeeklyPause, PauseWindow] = {}
        """Occurrences that an operation ended early, for all products or some."""
        self._active: list[PauseWindow] = []
        """Active pauses, as of the last `update`."""
        self.states: dict[str, PauseState] = dict.fromkeys(PRODUCTS, PauseState.OPEN)
        """By product, as of the last `update`."""
        self.accepts_logons: dict[str, bool] = dict.fromkeys(PRODUCTS, True)
        self._next: datetime | None = None
        self._is_current = not (self._weekly or self._scheduled)
        """Whether `states` and `_next` are valid; if not, `update` is due immediately."""

    def is_due(self, now: datetime) -> bool:
        """Return whether a pause is due to begin or end."""
        return not self._is_current or (self._next is not None and self._next <= now)

    def next_change(self) -> datetime | None:
        """Return the time at which the next pause begins or ends; None if there is none."""
        return self._next

    def pause(self, window: PauseWindow) -> None:
        """Start a pause. It replaces earlier pauses of its products, unless they are scheduled or also affect
        another product."""
        self._windows = [
            each
            for each in self._windows
            if each.begins > window.begins or not set(each.products) <= set(window.products)
        ]
        self._windows = [*self._windows, window][-MAX_MANUAL_PAUSES:]
        self._is_current = False

    def resume(self, product: str | None, now: datetime) -> None:
        """End the active pauses of a product, or of all products; later scheduled pauses are not affected."""
        requested = set(PRODUCTS) if product is None else {product}
        for windows in (self._scheduled, self._windows):
            kept: list[PauseWindow] = []
            for each in windows:
                rest = tuple(name for name in each.products if name not in requested)
                if not each.is_active(now):
                    kept.append(each)
                elif rest:
                    kept.append(attrs.evolve(each, products=rest, logs_out=False))
            windows[:] = kept
        for weekly in self._weekly:
            window = self._window(weekly, now)
            if window.is_active(now):
                rest = tuple(name for name in window.products if name not in requested)
                # The products are removed only from this week's occurrence; next week's begins as scheduled.
                self._ended_early[weekly] = attrs.evolve(window, products=rest, logs_out=False)
        self._is_current = False

    def update(self, now: datetime) -> list[PauseWindow]:
        """Bring `states` up to date; return the pauses that have begun since the last call."""
        self._is_current = True
        weekly = [self._window(each, now) for each in self._weekly]
        windows = [*self._scheduled, *self._windows, *weekly]
        for pauses in (self._scheduled, self._windows):
            pauses[:] = [each for each in pauses if each.ends is None or now < each.ends]
        previously_active, self._active = self._active, [each for each in windows if each.is_active(now)]
        for product in PRODUCTS:
            active = [each for each in self._active if product in each.products]
            states = (PauseState.OPEN, *(each.state for each in active))
            self.states[product] = max(states, key=_SEVERITY.index)
            self.accepts_logons[product] = all(each.accepts_logons for each in active)
        times = [at for each in windows for at in (each.begins, each.ends) if at is not None]
        self._next = min((at for at in times if at > now), default=None)
        return [each for each in self._active if each not in previously_active]

    def _window(self, weekly: WeeklyPause, now: datetime) -> PauseWindow:
        window = weekly.window(self._zone, now)
        ended_early = self._ended_early.get(weekly)
        if ended_early is not None and ended_early.begins == window.begins:
            return ended_early
        return window
