"""Scenarios on the command line: options of `kalshi-fix venue`, and its commands `check` and `schema`."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any, TypedDict

import attrs
import click

from kalshi_fix_adapters.cli.kit.failures import converting_errors
from kalshi_fix_adapters.cli.kit.terminal import Screen, plain, pluralize
from kalshi_fix_venue.flow import FlowConfig
from kalshi_fix_venue.scenario import KEYS_PER_OWNER, MAX_KEYS_PER_OWNER, OWNER, Scenario
from kalshi_fix_venue.scenario.file import load_scenario

MAX_OWNERS = 1000
_FILE = click.Path(path_type=Path, dir_okay=False)


class ScenarioOptions(TypedDict):
    """The values of the options of `scenario_options`."""

    scenario: Path | None
    flow: bool
    owners: int | None
    keys: int | None
    key_type: str | None


def scenario_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options for the initial state of a venue to a command."""
    options = (
        click.option(
            "--scenario",
            type=_FILE,
            help="A YAML file with markets, accounts, keys and timed events; `kalshi-fix venue schema` "
            "prints its JSON Schema.",
        ),
        click.option(
            "--flow",
            is_flag=True,
            help="Add simulated traders, who move all markets. No effect if the scenario defines traders.",
        ),
        click.option(
            "--owners",
            type=click.IntRange(1, MAX_OWNERS),
            help=f"Number of owners to add to those of the scenario, named {OWNER}, {OWNER}-2, and so on. "
            "Each has an account on each product. The default is 1 if the scenario has no owners, else 0.",
        ),
        click.option(
            "--keys",
            type=click.IntRange(1, MAX_KEYS_PER_OWNER),
            help="Number of API keys of each owner on each product, overriding the scenario; "
            f"{KEYS_PER_OWNER} by default.",
        ),
        click.option(
            "--key-type",
            type=click.Choice(["ed25519", "rsa"]),
            help="Type of all API keys, overriding the scenario; ed25519 by default.",
        ),
    )
    return reduce(lambda wrapped, option: option(wrapped), reversed(options), function)


def chosen_scenario(
    scenario: Path | None = None,
    *,
    flow: bool = False,
    owners: int | None = None,
    keys: int | None = None,
    key_type: str | None = None,
) -> Scenario:
    """Return the scenario that the options describe.

    Raises:
        ConfigurationError: the file cannot be used.
    """
    chosen = Scenario() if scenario is None else load_scenario(scenario)
    if flow and chosen.flow is None:
        chosen = attrs.evolve(chosen, flow=FlowConfig(seed=chosen.seed or 0))
    if owners is None:
        owners = 0 if chosen.accounts else 1
    names = [OWNER if number == 1 else f"{OWNER}-{number}" for number in range(1, owners + 1)]
    return chosen.with_owners(names).with_keys(
        count=keys, rsa=None if key_type is None else key_type == "rsa"
    )


@click.command()
@click.argument("file", type=_FILE)
def check(file: Path) -> None:
    """Read a scenario file and report whether a venue can start with it."""
    with converting_errors():
        scenario = load_scenario(file)
    count = sum(len(markets) for markets in scenario.markets.values())
    keys = sum(each.count for each in scenario.keys)
    screen = Screen()
    counts = [
        pluralize(count, "market"),
        pluralize(len(scenario.owners), "owner"),
        pluralize(keys, "API key"),
    ]
    screen.print_lines([plain(f"{file}: {', '.join(counts)}; valid")])
    screen.flush()


@click.command()
def schema() -> None:
    """Print the JSON Schema of scenario files, for editors."""
    with converting_errors():
        from kalshi_fix_venue.scenario.schema import json_schema

        click.echo(json.dumps(json_schema(), indent=2))
