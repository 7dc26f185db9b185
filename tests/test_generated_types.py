"""Types and imports of the generated classes as users' type checkers see them."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.programs import run_program

REPOSITORY = Path(__file__).resolve().parents[1]

SCRIPT = """
from decimal import Decimal

from kalshi_fix_sansio import ExecutionReport, Header, NewOrderSingle, OrdType, Party, Side

order = NewOrderSingle(
    cl_ord_id="a",
    symbol="X",
    side="1",
    ord_type=OrdType.LIMIT,
    order_qty=10,
    price="0.75",
    party_ids=[Party(party_id="p")],
)
NewOrderSingle(cl_ord_id="a", symbol="X", side=Side.BUY, order_qty=Decimal(1), price=1)
reveal_type(order.max_execution_cost)
reveal_type(order.order_qty)
reveal_type(order.party_ids)
reveal_type(order.header)
reveal_type(ExecutionReport.MSG_TYPE)
NewOrderSingle(cl_ord_id="a", symbol="X", side="1", ord_type="2", order_qty=10, price=0.75)  # float
NewOrderSingle(cl_ord_id="a", symbol="X", side=1, ord_type="2", order_qty=10, price=1)  # side
NewOrderSingle(symbol="X", side="1", ord_type="2", order_qty=10, price=1)  # missing
NewOrderSingle("a")  # positional
Header(sender_comp_id="a", target_comp_id="b", msg_seq_num=1, sending_time="now")  # time
"""

EXPECTED = [
    'Revealed type is "decimal.Decimal | None"',
    'Revealed type is "decimal.Decimal"',
    'Revealed type is "list[kalshi_fix_sansio._generated.groups.Party]"',
    'Revealed type is "kalshi_fix_sansio._generated.blocks.Header | None"',
    'Revealed type is "str"',
    'Argument "price" to "NewOrderSingle" has incompatible type "float"; expected "Decimal | int | str"',
    'Argument "side" to "NewOrderSingle" has incompatible type "int"; expected "Side | str"',
    'Missing named argument "cl_ord_id" for "NewOrderSingle"',
    'Argument "sending_time" to "Header" has incompatible type "str"; expected "datetime"',
]


def test_type_checkers_know_constructor_parameters_and_attributes(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    result = run_program(
        sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", script, cwd=REPOSITORY
    )
    messages = [line.partition(": ")[2].partition(": ")[2] for line in result.stdout.splitlines()]
    reported = [message.partition("  [")[0] for message in messages]
    for expected in EXPECTED:
        assert expected in reported, result.stdout
    assert any("Too many positional arguments" in message for message in reported), result.stdout
    wrong = {line.split(":")[1] for line in result.stdout.splitlines() if ": error: " in line}
    marked = {str(number) for number, line in enumerate(SCRIPT.splitlines(), start=1) if line.count("  # ")}
    assert wrong == marked, result.stdout
