"""What a scenario file says is what the venue is."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import attrs
import jsonschema
import pytest

from kalshi_fix_adapters.testing import Sandbox
from kalshi_fix_adapters.venue.exchange import AccountId, MarketState, PauseState, Side
from kalshi_fix_adapters.venue.scenario import MARKETS, Scenario
from kalshi_fix_adapters.venue.scenario.file import load_scenario, parse_scenario
from kalshi_fix_adapters.venue.scenario.layout import json_schema, plain
from kalshi_fix_adapters.venue.scenario.nodes import read_bytes, read_file
from kalshi_fix_adapters.venue.venue import Venue
from kalshi_fix_adapters.venue.virtual_time import pass_time
from kalshi_fix_sansio.clock import Instant
from tests.adapters.venue.desk import d
from tests.adapters.venue.town import START

ROOT = Path(__file__).parents[4]
EXAMPLE = ROOT / "examples" / "scenario.yaml"
SCHEMA = ROOT / "adapters" / "kalshi_fix_adapters" / "venue" / "scenario" / "scenario.schema.json"
NOW = Instant(1000.0, START)


def parse(text: str) -> Scenario:
    return parse_scenario(text.encode())


def begun(scenario: Scenario) -> Venue:
    venue = Venue(scenario.config(scenario.make_keys()), Random(scenario.seed))
    venue.begin(NOW)
    return venue


def test_an_empty_mapping_is_the_default_scenario() -> None:
    scenario = parse("{}")
    assert scenario == Scenario(markets=dict(MARKETS))
    venue = begun(scenario)
    assert len(venue.exchange("prediction").levels("KXNBA-27-NYK", Side.BUY)) == 2
    assert venue.next_deadline() is None


def test_the_example_is_what_it_says() -> None:
    scenario = load_scenario(EXAMPLE)
    assert scenario.flow is not None
    assert (scenario.flow.rate, scenario.flow.volatility, scenario.seed) == (5.0, 0.1, 7)
    venue = begun(attrs.evolve(scenario, flow=None))
    prediction, margin = venue.exchange("prediction"), venue.exchange("margin")
    assert list(prediction.markets) == ["KXHIGHNY-26DEC31-B50", "KXNBA-27-NYK", "KXHIGHNY-26DEC30-B50"]
    assert [price for price, _ in prediction.levels("KXHIGHNY-26DEC31-B50", Side.BUY)] == [
        d("0.43"),
        d("0.41"),
        d("0.39"),
    ]
    assert all(size <= 50 for _, size in prediction.levels("KXHIGHNY-26DEC31-B50", Side.SELL))
    nba = prediction.markets["KXNBA-27-NYK"].rules
    assert (nba.tick, nba.maximum_price, nba.shard, nba.position_limit) == (
        d("0.001"),
        d("0.999"),
        1,
        d("25000"),
    )
    assert [price for price, _ in prediction.levels("KXNBA-27-NYK", Side.SELL)] == [d("0.125"), d("0.126")]
    assert prediction.markets["KXHIGHNY-26DEC30-B50"].state is MarketState.SETTLED
    assert [price for price, _ in margin.levels("BTC-PERP", Side.SELL)] == [d("19.55"), d("19.60")]
    balances = {
        AccountId("ann"): 10000,
        AccountId("ann", 1): 250,
        AccountId("ann", 0, 1): 500,
        AccountId("bob"): 1000,
        AccountId("bob", 0, 1): 0,
    }
    assert {each: prediction.account(each).balance for each in balances} == balances
    assert margin.account(AccountId("ann")).balance == 5000
    keys = scenario.make_keys()
    assert {place: len(made) for place, made in keys.items()} == {
        ("ann", "prediction"): 3,
        ("ann", "margin"): 3,
        ("bob", "prediction"): 2,
    }
    config = scenario.config(keys)
    assert {key.scopes for key in config.api_keys if key.owner == "bob"} == {frozenset({"read"})}
    now = pass_time(venue, NOW, 599)
    assert prediction.pause is PauseState.OPEN
    now = pass_time(venue, now, 1)
    assert (prediction.pause, margin.pause) == (PauseState.TRADING_PAUSED, PauseState.TRADING_PAUSED)
    now = pass_time(venue, now, 120)
    assert prediction.pause is PauseState.OPEN
    assert venue.not_done == []


def test_the_same_scenario_gives_the_same_day() -> None:
    def books() -> list[Any]:
        venue = begun(load_scenario(EXAMPLE))
        pass_time(venue, NOW, 60)
        exchange = venue.exchange("prediction")
        return [exchange.levels(ticker, side) for ticker in exchange.markets for side in Side] + [
            order.order_id for order in exchange.open_orders()
        ]

    assert books() == books()


def test_values_are_exact_and_text_stays_text() -> None:
    scenario = parse(
        "accounts:\n  no:\n    margin: {balance: 0.1}\n  007: {prediction: {balance: '10.10'}}\n"
        "markets: {prediction: {2026: {}}}\nstart: 2026-11-05T09:30:00-05:00"
    )
    assert [(each.owner, each.balance) for each in scenario.accounts] == [
        ("no", d("0.1")),
        ("007", d("10.10")),
    ]
    assert scenario.markets["prediction"][0].rules.ticker == "2026"
    assert scenario.start == datetime(2026, 11, 5, 14, 30, tzinfo=UTC)


def test_a_byte_order_mark_and_anchors_are_taken() -> None:
    data = b"\xef\xbb\xbfaccounts:\r\n  a: &purse {margin: {balance: 5}}\r\n  b: *purse\r\n"
    assert [each.owner for each in parse_scenario(data).accounts] == ["a", "b"]


def test_settings_reach_the_venue() -> None:
    config = parse(
        "fees: {prediction: {taker-rate: 0.05}, margin: {maker-rate: 0}}\n"
        "limits: {sending-time-tolerance: 5s, logon-timeout: 1m, max-unsent: 4096}\n"
        "assumptions: {wrong-shard-knows-no-market: false, parties-per-settlement-report: 2}\n"
        "seed: 3\n"
        "flow: {rate: 2.5, makers: 1, markets: [BTC-PERP], volatility: 0, balance: 99.5, burst-length: 2}\n"
        "markets: {margin: {BTC-PERP: {maximum-price: 50, middle: 30}}}"
    ).config({})
    assert config.fees["prediction"].taker_rate == d("0.05")
    assert (config.fees["margin"].taker_rate, config.fees["margin"].maker_rate) == (d("0.0005"), d("0"))
    assert (config.sending_time_tolerance, config.logon_timeout, config.max_unsent) == (5.0, 60.0, 4096)
    assert not config.assumptions.wrong_shard_knows_no_market
    assert config.assumptions.parties_per_settlement_report == 2
    assert config.assumptions.rebate_waits_for_a_fee
    flow = config.flow
    assert flow is not None
    assert (flow.seed, flow.rate, flow.makers, flow.takers, flow.markets) == (3, 2.5, 1, 3, ("BTC-PERP",))
    assert (flow.balance, flow.burst_length, flow.middles["BTC-PERP"]) == (d("99.5"), 2, d("30"))
    assert config.markets["margin"][0].maximum_price == 50


def test_what_cannot_be_done_when_its_time_comes_is_noted_and_stops_nothing() -> None:
    venue = begun(
        parse(
            "schedule:\n- {at: 1s, do: close, market: BTC-PERP}\n- {at: 2s, do: open, market: BTC-PERP}\n"
            "- {at: 2s, do: halt, market: ETH-PERP}\n"
        )
    )
    pass_time(venue, NOW, 10)
    assert venue.not_done == ["open: market BTC-PERP is closed and cannot become active"]
    assert venue.exchange("margin").markets["ETH-PERP"].state is MarketState.INACTIVE


def test_a_market_is_in_its_state_from_the_beginning() -> None:
    states = ("active", "inactive", "closed", "determined", "settled")
    markets = ", ".join(
        f"M-{state}: {{state: {state}{', result: no' if state in states[3:] else ''}}}" for state in states
    )
    exchange = begun(parse(f"markets: {{prediction: {{{markets}}}}}")).exchange("prediction")
    assert [market.state.value for market in exchange.markets.values()] == list(states)


def test_owners_and_keys_of_the_command_line_join_those_of_the_file() -> None:
    scenario = parse("accounts: {ann: {prediction: {balance: 5}}}").joined_by(("ann", "you"))
    assert [(each.owner, each.product, each.balance) for each in scenario.accounts] == [
        ("ann", "prediction", d("5")),
        ("ann", "margin", d("10000")),
        ("you", "prediction", d("10000")),
        ("you", "margin", d("10000")),
    ]
    assert {each.count for each in scenario.keys} == {2}
    changed = scenario.with_keys(count=1, rsa=True)
    assert {(each.count, each.rsa) for each in changed.keys} == {(1, True)}
    assert scenario.with_keys() == scenario


def test_a_sandbox_takes_a_scenario() -> None:
    scenario = parse("accounts: {ann: {prediction: {balance: 5}}}\nseed: 1")
    with Sandbox(("bob",), scenario=scenario) as sandbox:
        assert (
            sandbox.server.inspect(
                lambda venue: venue.exchange("prediction").account(AccountId("ann")).balance
            )
            == 5
        )
        assert set(sandbox.keys) == {("ann", "prediction"), ("bob", "prediction"), ("bob", "margin")}


# The schema


def test_the_published_schema_is_that_of_the_code() -> None:
    wanted = json.dumps(json_schema(), indent=2) + "\n"
    assert SCHEMA.read_text() == wanted, f"run: kalshi-fix venue schema > {SCHEMA.relative_to(ROOT)}"


def test_the_schema_takes_the_example_and_refuses_what_the_reader_refuses() -> None:
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert list(validator.iter_errors(plain(read_file(EXAMPLE)))) == []
    for text in (
        "sed: 1",
        "seed: x",
        "accounts: {ann: {margin: {}}}",
        "accounts: {ann: {margin: {balance: x}}}",
        "accounts: {a/b: {margin: {balance: 1}}}",
        "keys: [{}]",
        "schedule: [{do: paus}]",
        "schedule: [{at: 5, do: pause}]",
        "schedule: [{do: pause, what: everything}]",
        "markets: {prediction: {A: {shard: 100}}}",
    ):
        assert list(validator.iter_errors(plain(read_bytes(text.encode(), "f")))), text


@pytest.mark.parametrize(
    "key", ["seed", "markets", "accounts", "keys", "schedule", "flow", "fees", "assumptions"]
)
def test_every_part_is_told_in_the_schema(key: str) -> None:
    assert json_schema()["properties"][key]["description"]
