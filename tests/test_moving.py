"""The `*_after` programs in examples/moving; `interop` runs the `*_before` programs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kalshi_fix_adapters.blocking import order_entry
from kalshi_fix_sansio import NewOrderSingle, Side
from kalshi_fix_venue.testing import Venue
from tests.moving import (
    EXAMPLES,
    SYMBOL,
    finish,
    ported_gateway,
    reports_of,
    wait_until_logged_on,
    write_order,
)
from tests.programs import run_tests


@pytest.fixture(scope="module")
def shared() -> Iterator[Venue]:
    with Venue(tls=True) as running:
        yield running


@pytest.fixture
def venue(shared: Venue) -> Iterator[Venue]:
    yield shared
    shared.reset()


def test_the_gateway_starts_from_a_file_store_and_receives_missed_messages_once(
    venue: Venue, tmp_path: Path
) -> None:
    options: Any = venue.options(session="KalshiRT")
    with order_entry(**options, retransmission=True, store=tmp_path / "other") as client:
        client.send(NewOrderSingle(cl_ord_id="old", symbol=SYMBOL, side=Side.BUY, order_qty=10, price="0.40"))
        for _ in range(2):
            next(client.messages(timeout=20))
    numbers = client.numbers
    (tmp_path / "filestore").mkdir()
    seqnums = tmp_path / "filestore" / f"FIXT.1.1-{options['key_id']}-KalshiRT.seqnums"
    seqnums.write_text(f"{numbers.next_outgoing:020d} : {numbers.next_incoming:020d}")
    venue.trader().fill("old", 4)
    with ported_gateway(venue, tmp_path) as first:
        lines = wait_until_logged_on(first)
        created = {line for line in lines if line.startswith("created")}
        assert created == {f"created KalshiRT {numbers.next_outgoing}", "created KalshiPT 1"}
        [(_, *missed)] = reports_of(first, lines, 1)
        assert missed == ["old", "F"]
        write_order(first, "new")
        assert [report[1:] for report in reports_of(first, [], 2)] == [["new", "A"], ["new", "0"]]
        rest = finish(first)
        assert not any(line.startswith("report") for line in rest)
    # The second run continues from the library's store and does not read the FileStore again.
    with ported_gateway(venue, tmp_path) as second:
        lines = wait_until_logged_on(second)
        assert f"created KalshiRT {numbers.next_outgoing}" not in lines
        assert not any(line.startswith("report") for line in lines + finish(second))


def test_the_sdk_programs_pass_their_own_tests() -> None:
    options = ("-W", "error", "-c", os.devnull, "--rootdir", EXAMPLES)
    assert "3 passed" in run_tests(EXAMPLES, *options, EXAMPLES / "test_sdk_after.py")
