"""Print the answer to `kalshi-fix venue do status` as tables."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from kalshi_fix_adapters.cli.kit.terminal import Screen, plain, pluralize
from kalshi_fix_venue.operations.status import belongs_to_venue

WIDTH = 60
"""Width of the widest table, in columns."""
MAX_KEY_LENGTH = 8
"""Maximum length of a key id in a table; the rest is cut off."""


def print_status(screen: Screen, status: dict[str, Any]) -> None:
    """Print markets with their best prices, and the clients' accounts, positions, orders and sessions."""

    def table(title: str, columns: str, rows: Sequence[Sequence[str]]) -> None:
        if rows:
            screen.print_table(title, columns.split(), rows, width=WIDTH)

    hidden = 0
    for product, state in status["products"].items():
        prices = state["prices"]
        markets = [
            [ticker, market_state, prices[ticker]["buy"] or "-", prices[ticker]["sell"] or "-"]
            for ticker, market_state in state["markets"].items()
        ]
        accounts = [each for each in state["accounts"] if not belongs_to_venue(each["owner"])]
        orders = [each for each in state["orders"] if not belongs_to_venue(each["owner"])]
        hidden += state["open_orders"] - len(orders)
        table(f"{product}: {state['state']}", "market state bid ask", markets)
        table(
            f"{product} accounts",
            "account balance available",
            [[_account(a), _dollars(a["balance"]), _dollars(a["available"])] for a in accounts],
        )
        table(
            f"{product} positions",
            "account market contracts",
            [[_account(a), market, net] for a in accounts for market, net in a["positions"].items()],
        )
        table(
            f"{product} orders",
            "account market side open price",
            [[_account(o), o["market"], o["side"], o["leaves"], o["price"]] for o in orders],
        )
    table(
        "sessions",
        "session product owner key in out",
        [
            [
                f"{each['session']} listener" if each["listener"] else each["session"],
                each["product"],
                each["owner"],
                each["key"][:MAX_KEY_LENGTH],
                str(each["next_incoming"]),
                str(each["next_outgoing"]),
            ]
            for each in status["sessions"]
        ],
    )
    table("faults", "fault with", [[each["fault"], str(each["with"])] for each in status["faults"]])
    table(
        "failed scheduled operations",
        "operation",
        [[each["scheduled_step"]] for each in status["failed_operations"]],
    )
    screen.print_lines(
        [
            plain(f"Not shown: {pluralize(hidden, 'order')}, mostly from simulated traders."),
            plain("--json prints everything, with all ids."),
        ]
    )


def _account(row: dict[str, Any]) -> str:
    """Return the name of an account: its owner, with the subaccount and the shard if they are not 0."""
    name = f"{row['owner']}/{row['subaccount']}" if row["subaccount"] else str(row["owner"])
    return f"{name} shard {row['shard']}" if row["shard"] else name


def _dollars(text: str) -> str:
    return f"{Decimal(text):.2f}"
