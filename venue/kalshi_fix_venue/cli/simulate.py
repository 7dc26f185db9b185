"""`kalshi-fix venue simulate`: run a scenario in virtual time, without clients."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Unpack

import click

from kalshi_fix_adapters.cli.kit.failures import converting_errors
from kalshi_fix_adapters.cli.kit.terminal import Screen, plain, pluralize
from kalshi_fix_adapters.cli.kit.values import ParsedParam
from kalshi_fix_sansio import PRODUCTS, Side
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_venue.cli.scenario import ScenarioOptions, chosen_scenario, scenario_options
from kalshi_fix_venue.input_log import InputLog
from kalshi_fix_venue.input_log.digest import state_digest
from kalshi_fix_venue.scenario.duration import DURATION_FORMAT, seconds_of
from kalshi_fix_venue.venue import VenueModel
from kalshi_fix_venue.virtual_time import pass_time

START = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
"""The default start time: a Monday, half past nine in New York."""
MAX_DURATION = 366 * 86400.0


def _parse_duration(text: str) -> float:
    seconds = seconds_of(text)
    if seconds is None or not 0 < seconds <= MAX_DURATION:
        raise ValueError(f"{text!r} is not a duration of at most a year; write {DURATION_FORMAT}")
    return seconds


def _parse_start(text: str) -> datetime:
    time = None
    with contextlib.suppress(ValueError):
        time = datetime.fromisoformat(text)
    if time is None or time.tzinfo is None or not 1970 < time.year < 9000:
        raise ValueError(f"{text!r} is not a time with a zone, such as 2026-11-05T14:30:00Z")
    return time.astimezone(UTC)


@click.command()
@scenario_options
@click.option(
    "--start",
    type=ParsedParam("time", _parse_start),
    default=START,
    help="Start of the simulated time, by default 2026-01-05T14:30:00Z.",
)
@click.option(
    "--for",
    "seconds",
    type=ParsedParam("duration", _parse_duration),
    default="1h",
    show_default=True,
    help="Length of the simulated time.",
)
@click.option(
    "--input-log",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the input log to this new file; `kalshi-fix venue replay` replays it.",
)
def simulate(
    start: datetime, seconds: float, input_log: Path | None, **options: Unpack[ScenarioOptions]
) -> None:
    """Run a scenario in virtual time without clients, and show the resulting state.

    The same scenario with the same seed produces the same state.
    """
    with converting_errors():
        scenario = chosen_scenario(**options)
        with contextlib.nullcontext() if input_log is None else InputLog(input_log) as log:
            make_venue = VenueModel if log is None else log.open_venue
            random = Random(scenario.seed)  # noqa: S311 - nothing secret is drawn from it
            venue = make_venue(scenario.config(scenario.make_keys()), random)
            now = Instant(0.0, start)
            venue.begin(now)
            end = pass_time(venue, seconds, now)
            _print_summary(venue, now, end)


def _print_summary(venue: VenueModel, begin: Instant, end: Instant) -> None:
    screen = Screen()
    rows = [
        [ticker, market.state.value, *(_best(venue, product, ticker, side) for side in (Side.BUY, Side.SELL))]
        for product in PRODUCTS
        for ticker, market in venue.exchange(product).markets.items()
    ]
    screen.print_table(
        f"From {begin.utc:%Y-%m-%d %H:%M:%S} to {end.utc:%Y-%m-%d %H:%M:%S} UTC",
        ["market", "state", "best bid", "best ask"],
        rows,
    )
    lines = [
        f"{product}: {pluralize(len(venue.exchange(product).open_orders()), 'open order')}, "
        f"{sum((account.balance for account in venue.exchange(product).accounts()), Decimal(0))} dollars"
        for product in PRODUCTS
    ]
    lines += [f"scheduled operation failed: {each}" for each in venue.failed_operations]
    screen.print_lines([plain(line) for line in (*lines, f"state: {state_digest(venue)}")])
    screen.flush()


def _best(venue: VenueModel, product: str, ticker: str, side: Side) -> str:
    level = next(iter(venue.exchange(product).levels(ticker, side)), None)
    return "-" if level is None else f"{level[1]} at {level[0]}"
