"""The examples that record and reconcile, run as a reader would run them."""

from __future__ import annotations

from pathlib import Path

from kalshi_fix_adapters.blocking import order_entry
from kalshi_fix_adapters.logs import Kind, Recorder, Recording, replay
from kalshi_fix_sansio import NewOrderSingle, OrdType, Side
from kalshi_fix_sansio.trading import OrderBooks
from tests.example_programs import PATIENCE, SYMBOL, ExampleEnvironment
from tests.test_examples import examples

__all__ = ["examples"]


def test_a_recorder_writes_a_replayable_recording(examples: ExampleEnvironment, tmp_path: Path) -> None:
    path = tmp_path / "day.rec"
    with examples.run("recorder.py", path, SYMBOL) as script:
        script.expect("messages recorded: 1")
        assert script.interrupt() == 0
    assert [record.kind for record in Recording(path)][-1] is Kind.ENDED
    books = OrderBooks()
    assert replay(path, books) >= 3
    assert list(books) == [SYMBOL]


def test_a_reconciler_requests_unreported_orders(examples: ExampleEnvironment, tmp_path: Path) -> None:
    path, options = tmp_path / "orders.rec", examples.sandbox.options("you", "prediction", "KalshiNR")
    with (
        Recorder(path) as recorder,
        order_entry(**options, observer=recorder) as client,
    ):
        order = NewOrderSingle(
            cl_ord_id="a-1", symbol=SYMBOL, side=Side.BUY, ord_type=OrdType.LIMIT, price="0.01", order_qty=1
        )
        client.send(order)
        for message in client.messages(timeout=PATIENCE):
            if getattr(message, "exec_type", None) == "0":
                break
    with examples.run("reconciler.py", path) as script:
        script.expect("orders: 1, uncertain items before drop copy: ")
        script.expect("orders: 1, uncertain items left: 0")
        assert script.process.wait(PATIENCE) == 0
