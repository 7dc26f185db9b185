"""The subcommands that trade, against a simulated venue."""

from __future__ import annotations

import pytest
from click.testing import Result

from kalshi_fix_adapters.cli.sessions import order_entry
from kalshi_fix_venue.operations import operation
from kalshi_fix_venue.testing import Sandbox
from tests.adapters.cli.runner import invoke

MARKET = "KXHIGHNY-26DEC31-B50"
BUY = ("order", "buy", MARKET, "10", "0.40")


def run(environ: dict[str, str], *arguments: str, typed: str = "", status: int = 0) -> Result:
    result = invoke(*arguments, environ=environ, stdin=typed, status=status)
    assert all(len(line) <= 60 for line in result.stdout.splitlines()), result.stdout
    return result


def values_by_label(result: Result) -> dict[str, str]:
    """Return the printed values by their labels."""
    return {line[:9].rstrip(): line[9:] for line in result.stdout.splitlines() if line[:1] != " "}


def test_an_order_is_placed_changed_and_cancelled(environ: dict[str, str]) -> None:
    placed = run(environ, *BUY, "--id", "a-1", "--yes")
    assert values_by_label(placed)["open"] == "10.00 contracts at 0.4000 dollars"
    assert values_by_label(placed)["ClOrdID"] == "a-1"
    changed = run(environ, "amend", "a-1", "buy", MARKET, "15", "0.41", "--id", "a-2", "--yes")
    assert values_by_label(changed)["open"] == "15.00 contracts at 0.4100 dollars"
    assert values_by_label(changed)["OrderID"] == values_by_label(placed)["OrderID"]
    ended = run(environ, "cancel", "a-2", "buy", MARKET, "--yes")
    assert values_by_label(ended)["ended"] == "canceled"
    for again in (("amend", "a-2", "buy", MARKET, "5", "0.41"), ("cancel", "a-2", "buy", MARKET)):
        assert run(environ, *again, "--yes", status=1).stdout == "refused  ORDER_NOT_FOUND\n"


def test_fills_are_shown_in_dollars(environ: dict[str, str]) -> None:
    filled = run(environ, "order", "buy", MARKET, "1", "0.47", "--yes")
    output = values_by_label(filled)
    assert output["filled"] == "1.00 contracts at 0.4700 dollars on average"
    assert output["value"].startswith("0.470000 dollars, plus 0.0")
    assert "open" not in output


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("order", "buy", "NOPE", "5", "0.40"), "MARKET_NOT_FOUND: No market has this symbol."),
        (("order", "buy", MARKET, "5", "0.40", "--expiry", "ioc"), "canceled: IMMEDIATE_OR_CANCELLED"),
        (("order", "sell", MARKET, "5", "0.40", "--post-only"), "canceled: POST_ONLY_CROSS"),
    ],
)
def test_the_exit_status_is_1_if_an_order_is_refused_or_ends_without_a_fill(
    environ: dict[str, str], arguments: tuple[str, ...], text: str
) -> None:
    assert text in run(environ, *arguments, "--yes", status=1).stdout


def test_all_orders_of_the_key_are_cancelled(environ: dict[str, str]) -> None:
    run(environ, *BUY, "--id", "m-1", "--yes")
    assert "m-1" in run(environ, "mass-cancel", "--yes").stdout
    # The venue accepts one mass cancel a second. Only the command's own lines are printed.
    again = run(environ, "mass-cancel", "--yes", status=1)
    assert again.stdout == "refused  Rate limit exceeded\n"
    assert "MsgSeqNum" not in again.stderr


def test_the_confirmation_shows_product_environment_price_and_cost(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_entry, "_is_interactive", lambda: True)
    declined = run(environ, "order", "sell", MARKET, "10", "0.60", typed="n\n", status=1)
    assert declined.stdout == ""
    for part in (
        f"sell 10 {MARKET}",
        "at 0.60 dollars",
        "costs up to 4.00 dollars",
        "prediction, demo: KalshiNR at 127.0.0.1:",
        "Send it? [y/N]",
        "kalshi-fix: nothing was sent",
    ):
        assert part in declined.stderr
    accepted = run(environ, *BUY, "--expiry", "ioc", typed="y\n", status=1)
    assert "canceled" in accepted.stdout
    margin = run(environ, "order", "buy", "X", "2", "20", "--product", "margin", typed="\n", status=1)
    assert "worth 40 dollars; requires margin" in margin.stderr
    assert "margin, demo" in margin.stderr


def test_without_a_terminal_a_confirmation_in_the_input_is_not_read(environ: dict[str, str]) -> None:
    result = run(environ, *BUY, typed="y\n", status=1)
    assert result.stdout == ""
    assert result.stderr.endswith("there is no terminal for the confirmation; add --yes\n")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("order", "buy", MARKET, "1e3", "0.40"), "'1e3' is not a number such as 10 or 0.40"),
        (("order", "buy", MARKET, "NaN", "0.40"), "is not a number"),
        (("order", "buy", "A\x01B", "1", "0.40"), "printable"),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent(
    environ: dict[str, str], arguments: tuple[str, ...], text: str
) -> None:
    assert text in run(environ, *arguments, "--yes", status=2).stderr


@pytest.mark.parametrize(
    ("fault", "options", "text"),
    [
        ("withhold", {"message": "8"}, "no answer within 0.5 seconds"),
        ("unavailable", {"applied": True}, "does not know"),
        ("cut", {"at": "reply", "message": "NewOrderSingle"}, "connection"),
    ],
)
def test_an_unknown_outcome_is_reported_as_unknown(
    environ: dict[str, str], sandbox: Sandbox, fault: str, options: dict[str, object], text: str
) -> None:
    sandbox.server.perform(operation(fault, options))
    result = run(environ, *BUY, "--id", f"u-{fault}", "--yes", "--timeout", "0.5", status=3)
    sandbox.server.perform(operation("release", {}))
    assert text in " ".join(result.stdout.split())
    assert values_by_label(result)["ClOrdID"] == f"u-{fault}"
    assert "REST" in result.stdout
