"""The venue has the settings of its scenario file."""

from __future__ import annotations

import json
from datetime import time
from pathlib import Path
from random import Random
from typing import Any

import attrs
import jsonschema
import pytest

from kalshi_fix_adapters.documents.nodes import plain
from kalshi_fix_sansio import Side
from kalshi_fix_sansio._generated.limits import REBALANCING_INTERVAL
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_venue.exchange import AccountId, MarketState, PauseState
from kalshi_fix_venue.operations import OPERATIONS, operation
from kalshi_fix_venue.parameters import parameters
from kalshi_fix_venue.pauses import MAINTENANCE, WeeklyPause
from kalshi_fix_venue.scenario import MARKETS, Scenario
from kalshi_fix_venue.scenario.file import ScenarioError, load_scenario, parse_scenario, read_nodes
from kalshi_fix_venue.scenario.schema import json_schema
from kalshi_fix_venue.testing import Sandbox
from kalshi_fix_venue.venue import VenueModel
from kalshi_fix_venue.virtual_time import pass_time
from tests.venue.exchange_harness import d
from tests.venue.venue_harness import START

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "scenario.yaml"
SCHEMA = ROOT / "venue/kalshi_fix_venue/scenario/scenario.schema.json"
NOW = Instant(1000.0, START)


def parse(text: str) -> Scenario:
    return parse_scenario(text.encode())


def start_venue(scenario: Scenario) -> VenueModel:
    venue = VenueModel(scenario.config(scenario.make_keys()), Random(scenario.seed))
    venue.begin(NOW)
    return venue


def test_an_empty_mapping_is_the_default_scenario() -> None:
    scenario = parse("{}")
    assert scenario == Scenario(markets=dict(MARKETS))
    venue = start_venue(scenario)
    assert len(venue.exchange("prediction").levels("KXNBA-27-NYK", Side.BUY)) == 2
    assert venue.next_deadline() is None


def test_the_example_has_the_stated_settings() -> None:
    scenario = load_scenario(EXAMPLE)
    assert scenario.flow is not None
    assert (scenario.flow.rate, scenario.flow.volatility, scenario.seed) == (5.0, 0.1, 7)
    venue = start_venue(attrs.evolve(scenario, flow=None))
    prediction, margin = venue.exchange("prediction"), venue.exchange("margin")
    assert list(prediction.markets) == [
        "KXHIGHNY-26DEC31-B50",
        "KXNBA-27-NYK",
        "KXNBA-27-BOS",
        "KXHIGHNY-26DEC30-B50",
    ]
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
    assert {account: prediction.account(account).balance for account in balances} == balances
    assert margin.account(AccountId("ann")).balance == 5000
    assert prediction.position(AccountId("ann"), "KXHIGHNY-26DEC31-B50").net == -20
    keys = scenario.make_keys()
    assert {account: len(created) for account, created in keys.items()} == {
        ("ann", "prediction"): 3,
        ("ann", "margin"): 3,
        ("bob", "prediction"): 4,
    }
    config = scenario.config(keys)
    assert [(group.name, group.markets) for group in config.market_groups] == [
        ("KXNBA-27", ("KXNBA-27-NYK", "KXNBA-27-BOS"))
    ]
    assert config.pauses == (MAINTENANCE,)
    assert {account.owner: account.tier for account in config.accounts}["ann"] is None
    assert config.accounts[0].tier == "Premier"
    assert {key.scopes for key in config.api_keys if key.owner == "bob"} == {frozenset({"read"})}
    now = pass_time(venue, 599, NOW)
    assert prediction.pause is PauseState.OPEN
    now = pass_time(venue, 1, now)
    assert (prediction.pause, margin.pause) == (PauseState.TRADING_PAUSED, PauseState.TRADING_PAUSED)
    now = pass_time(venue, 120, now)
    assert prediction.pause is PauseState.OPEN
    assert venue.failed_operations == []


def test_the_same_scenario_gives_the_same_books() -> None:
    def books() -> list[Any]:
        venue = start_venue(load_scenario(EXAMPLE))
        pass_time(venue, 60, NOW)
        exchange = venue.exchange("prediction")
        return [exchange.levels(ticker, side) for ticker in exchange.markets for side in Side] + [
            order.order_id for order in exchange.open_orders()
        ]

    assert books() == books()


def test_values_are_exact_and_text_stays_text() -> None:
    scenario = parse(
        "accounts:\n  no:\n    margin: {balance: 0.1}\n  007: {prediction: {balance: '10.10'}}\n"
        "markets: {prediction: {2026: {}}}"
    )
    assert [(account.owner, account.balance) for account in scenario.accounts] == [
        ("no", d("0.1")),
        ("007", d("10.10")),
    ]
    assert scenario.markets["prediction"][0].rules.ticker == "2026"


def test_a_byte_order_mark_and_anchors_are_accepted() -> None:
    data = b"\xef\xbb\xbfaccounts:\r\n  a: &purse {margin: {balance: 5}}\r\n  b: *purse\r\n"
    assert [account.owner for account in parse_scenario(data).accounts] == ["a", "b"]


def test_settings_reach_the_venue() -> None:
    config = parse(
        "fees: {prediction: {taker-rate: 0.05}, margin: {maker-rate: 0}}\n"
        "limits: {sending-time-tolerance: 5s, logon-timeout: 1m, max-unsent: 4096}\n"
        "assumptions: {one-quote-per-market: true, parties-per-settlement-report: 2}\n"
        "seed: 3\n"
        "flow: {rate: 2.5, makers: 1, markets: [BTC-PERP], volatility: 0, balance: 99.5, burst-length: 2}\n"
        "markets: {margin: {BTC-PERP: {maximum-price: 50, middle: 30}}}"
    ).config({})
    assert config.fees["prediction"].taker_rate == d("0.05")
    assert (config.fees["margin"].taker_rate, config.fees["margin"].maker_rate) == (d("0.0005"), d("0"))
    assert (config.sending_time_tolerance, config.logon_timeout, config.max_unsent) == (5.0, 60.0, 4096)
    assert config.assumptions.one_quote_per_market
    assert config.assumptions.parties_per_settlement_report == 2
    assert config.assumptions.rebate_waits_for_a_fee
    flow = config.flow
    assert flow is not None
    assert (flow.seed, flow.rate, flow.makers, flow.takers, flow.markets) == (3, 2.5, 1, 3, ("BTC-PERP",))
    assert (flow.balance, flow.burst_length, flow.initial_prices["BTC-PERP"]) == (d("99.5"), 2, d("30"))
    assert config.markets["margin"][0].maximum_price == 50


def test_a_failing_scheduled_operation_is_logged_and_does_not_stop_the_venue() -> None:
    venue = start_venue(
        parse(
            "schedule:\n- {when: 1s, do: close, market: BTC-PERP}\n- {when: 2s, do: halt, market: BTC-PERP}\n"
            "- {when: 2s, do: halt, market: ETH-PERP}\n"
        )
    )
    pass_time(venue, REBALANCING_INTERVAL, NOW)
    assert venue.failed_operations == ["halt: market BTC-PERP is closed and cannot become inactive"]
    assert venue.perform(operation("status"), NOW)["failed_operations"] == [
        {"scheduled_step": venue.failed_operations[0]}
    ]
    assert venue.exchange("margin").markets["ETH-PERP"].state is MarketState.INACTIVE


def test_an_allocation_divides_the_free_cash() -> None:
    shards = "shards: {1: {balance: 100}}, allocation: {0: 25.5, 1: 74.5}"
    market = "markets: {prediction: {M-1: {shard: 1}}}\n"
    venue = start_venue(parse(f"{market}accounts: {{ann: {{prediction: {{balance: 300, {shards}}}}}}}"))
    pass_time(venue, REBALANCING_INTERVAL, NOW)
    accounts = [venue.exchange("prediction").account(AccountId("ann", 0, shard)) for shard in (0, 1)]
    assert [account.balance for account in accounts] == [102, 298]
    with pytest.raises(ScenarioError, match="allocation of ann must not be negative and must add up to 100"):
        parse(f"{market}accounts: {{ann: {{prediction: {{balance: 300, allocation: {{0: 75}}}}}}}}")


def test_assumptions_may_be_amounts() -> None:
    venue = start_venue(parse("assumptions: {initial-margin: 0.25}"))
    assert venue.exchange("margin").assumptions.initial_margin == d("0.25")


def test_a_market_starts_in_the_state_given_in_the_file() -> None:
    markets = ", ".join(
        f"M-{state.value}: {{state: {state.value}{', result: no' if state.is_decided else ''}}}"
        for state in MarketState
    )
    venue = start_venue(parse(f"markets: {{prediction: {{{markets}}}}}"))
    assert [market.state for market in venue.exchange("prediction").markets.values()] == list(MarketState)
    assert venue.failed_operations == []


def test_an_account_may_request_past_reports_if_the_file_enables_it() -> None:
    scenario = parse("accounts: {ann: {prediction: {balance: 1, drop-copy: true}, margin: {balance: 1}}}")
    config = scenario.config(scenario.make_keys())
    assert config.drop_copy_owners("prediction") == {"ann"}
    assert config.drop_copy_owners("margin") == frozenset()


MEMBER = "8f93bc43-d535-40f7-8548-a16e2505bd33"


def test_terms_customers_and_restricted_keys_reach_the_venue() -> None:
    scenario = parse(
        f"""
accounts:
  firm:
    prediction:
      balance: 1
      drop-copy: true
      direct-member: false
      without-netting: [0, 2]
      customers:
        {MEMBER}_A1: {{balance: 50, shards: {{1: 5}}, daily-cap: 20}}
        {MEMBER}_B2: {{balance: 60}}
keys:
- {{owner: firm, count: 1, customers: [{MEMBER}_A1], restricted-to: 0}}
"""
    )
    config = scenario.config(scenario.make_keys())
    (account, *_) = config.accounts
    assert (account.drop_copy, account.terms.direct_member) == (True, False)
    assert account.terms.without_netting == {0, 2}
    assert [
        (customer.party_id[-2:], customer.balance, dict(customer.on_shards), customer.daily_cap)
        for customer in account.customers
    ] == [
        ("A1", d("50"), {1: d("5")}, d("20")),
        ("B2", d("60"), {}, None),
    ]
    (key,) = config.api_keys
    assert (key.customers, key.restricted_to) == (frozenset({f"{MEMBER}_A1"}), 0)


def test_rules_of_markets_and_pauses_reach_the_venue() -> None:
    config = parse(
        """
markets:
  prediction:
    A: {structure: center_half_edge_deci_cent, fractional: false, sell-position-floor: 0}
  margin:
    B: {band: {share: 0.5, ticks: 10}, fees: {taker-rate: 0.001}}
    C: {banded: false, sell-position-floor: -5}
pauses:
- weekday: monday
  begins: 00:00
  ends: 23:59
  what: exchange
  products: [margin]
  logs-out: false
  accepts-logons: false
limits: {max-kept-messages: 5, max-kept-bytes: 5000, max-past-events: 7}
"""
    ).config({})
    (a,) = config.markets["prediction"]
    assert (a.tick, a.minimum_price, a.quantity_step, a.sell_position_floor) == (
        d("0.005"),
        d("0.001"),
        d("1"),
        d("0"),
    )
    b, c = config.markets["margin"]
    assert b.band is not None
    assert (b.band.share, b.band.ticks, c.band, c.sell_position_floor) == (d("0.5"), 10, None, d("-5"))
    assert b.fees is not None
    assert (b.fees.taker_rate, b.fees.variance) == (d("0.001"), False)
    assert config.pauses == (
        WeeklyPause(
            weekday=0,
            begins=time(0),
            ends=time(23, 59),
            state=PauseState.EXCHANGE_PAUSED,
            products=("margin",),
            logs_out=False,
            accepts_logons=False,
        ),
    )
    assert (config.max_kept_messages, config.max_kept_bytes, config.max_past_events) == (5, 5000, 7)


def test_initial_positions_cost_nothing_and_pay_at_settlement() -> None:
    """For each contract, the YES and NO holders receive one dollar between them, as if they had paid it."""
    scenario = parse(
        """
markets:
  prediction: {A: {liquidity: {levels: 0}}, B: {shard: 1, liquidity: {levels: 0}}}
  margin: {P: {middle: 10, liquidity: {levels: 0}}}
accounts:
  ann:
    prediction: {balance: 5, positions: {A: {quantity: 10}, B: {quantity: -3, price: 0.2}}}
    margin: {balance: 7, positions: {P: {quantity: 4}}}
"""
    )
    venue = start_venue(scenario)
    exchange, margin = venue.exchange("prediction"), venue.exchange("margin")
    ann, liquidity = AccountId("ann"), AccountId("liquidity")
    assert [exchange.position(item, "A").net for item in (ann, liquidity)] == [10, -10]
    assert [exchange.position(item, "B").net for item in (ann, liquidity)] == [-3, 3]
    assert [exchange.account(item).balance for item in (ann, AccountId("ann", shard=1))] == [5, 0]
    assert (margin.position(ann, "P").net, margin.position(ann, "P").entry_value) == (d("4"), d("40"))
    before = sum(account.balance for account in exchange.accounts())
    for market, result in (("A", "yes"), ("B", "no")):
        venue.perform(operation("settle", {"market": market, "result": result}), NOW)
    assert exchange.account(ann).balance == 15
    assert exchange.account(AccountId("ann", shard=1)).balance == 3
    assert sum(account.balance for account in exchange.accounts()) == before + 10 + 3


def test_initial_positions_in_a_group_are_netted() -> None:
    scenario = parse(
        """
markets: {prediction: {A: {liquidity: {levels: 0}}, B: {liquidity: {levels: 0}}}}
groups: {G: {markets: [A, B]}}
accounts:
  ann: {prediction: {balance: 5, positions: {A: {quantity: -10}, B: {quantity: -10}}}}
"""
    )
    venue = start_venue(scenario)
    account = venue.exchange("prediction").account(AccountId("ann"))
    # At most one market can be decided YES, so 10 dollars are guaranteed and have already been returned.
    assert (account.balance, account.collateral_advance) == (d("5"), d("10"))
    venue.perform(operation("settle", {"market": "A", "result": "no"}), NOW)
    venue.perform(operation("settle", {"market": "B", "result": "no"}), NOW)
    assert (account.balance, account.collateral_advance) == (d("15"), d("0"))


def test_owners_and_keys_from_the_command_line_are_added_to_those_in_the_file() -> None:
    scenario = parse("accounts: {ann: {prediction: {balance: 5}}}").with_owners(("ann", "you"))
    assert [(account.owner, account.product, account.balance) for account in scenario.accounts] == [
        ("ann", "prediction", d("5")),
        ("ann", "margin", d("10000")),
        ("you", "prediction", d("10000")),
        ("you", "margin", d("10000")),
    ]
    assert {key.count for key in scenario.keys} == {4}
    changed = scenario.with_keys(count=1, rsa=True)
    assert {(key.count, key.rsa) for key in changed.keys} == {(1, True)}
    assert scenario.with_keys() == scenario


def test_a_sandbox_accepts_a_scenario() -> None:
    scenario = parse("accounts: {ann: {prediction: {balance: 5}}}\nseed: 1")
    with Sandbox(("bob",), scenario=scenario) as sandbox:
        assert (
            sandbox.server.inspect(
                lambda venue: venue.exchange("prediction").account(AccountId("ann")).balance
            )
            == 5
        )
        assert set(sandbox.keys) == {("ann", "prediction"), ("bob", "prediction"), ("bob", "margin")}


def test_a_scheduled_fault_is_armed_at_its_time_with_its_parameters() -> None:
    venue = start_venue(parse("schedule: [{when: 5s, do: cut, at: reply, times: 3}]"))
    now = pass_time(venue, 4, NOW)
    assert venue.faults() == []
    pass_time(venue, 1, now)
    (fault,) = venue.faults()
    assert (fault["fault"], fault["left"]) == ("cut", 3)
    assert "at reply" in fault["with"]


def test_no_parameter_of_an_operation_conflicts_with_the_schedule() -> None:
    for name, cls in OPERATIONS.items():
        assert not {"when", "do"} & {parameter.name for parameter in parameters(cls)}, name


# --- the schema -----------------------------------------------------------------------------------------


def test_the_published_schema_matches_the_code() -> None:
    expected = json.dumps(json_schema(), indent=2) + "\n"
    assert SCHEMA.read_text() == expected, f"run: kalshi-fix venue schema > {SCHEMA.relative_to(ROOT)}"


def test_the_schema_accepts_the_example_and_refuses_the_same_files_as_the_reader() -> None:
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert list(validator.iter_errors(plain(read_nodes(EXAMPLE.read_bytes(), "f")))) == []
    for text in (
        "sed: 1",
        "seed: x",
        "accounts: {ann: {margin: {}}}",
        "accounts: {ann: {margin: {balance: x}}}",
        "accounts: {a/b: {margin: {balance: 1}}}",
        "keys: [{}]",
        "schedule: [{do: paus}]",
        "schedule: [{when: 5, do: pause}]",
        "schedule: [{do: pause, what: everything}]",
        "markets: {prediction: {A: {shard: 100}}}",
    ):
        assert list(validator.iter_errors(plain(read_nodes(text.encode(), "f")))), text


@pytest.mark.parametrize(
    "key", ["seed", "markets", "accounts", "keys", "schedule", "flow", "fees", "assumptions"]
)
def test_every_key_is_described_in_the_schema(key: str) -> None:
    assert json_schema()["properties"][key]["description"]


def test_the_docs_show_the_example() -> None:
    assert f"```yaml\n{EXAMPLE.read_text()}```\n" in (ROOT / "docs" / "simulated-venue.md").read_text()
