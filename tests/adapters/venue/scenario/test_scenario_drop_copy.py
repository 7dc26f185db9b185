"""What a scenario file says of drop copy."""

from __future__ import annotations

from kalshi_fix_adapters.venue.scenario.file import parse_scenario


def test_an_account_may_ask_for_past_reports_where_the_file_says_so() -> None:
    text = "accounts: {ann: {prediction: {balance: 1, drop-copy: true}, margin: {balance: 1}}}"
    scenario = parse_scenario(text.encode())
    config = scenario.config(scenario.make_keys())
    assert config.with_drop_copy("prediction") == {"ann"}
    assert config.with_drop_copy("margin") == frozenset()
