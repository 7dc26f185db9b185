"""Log records as JSON."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from kalshi_fix_adapters.blocking import order_entry
from kalshi_fix_adapters.observe.json_log import JsonFormatter
from kalshi_fix_sansio import LogonFields, NewOrderSingle, Side
from kalshi_fix_venue.testing import MARKETS, Sandbox


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Collect the lines of all loggers of the library at every level."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("kalshi_fix_adapters")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield stream
    logger.removeHandler(handler)
    logger.setLevel(level)


def objects(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_a_session_writes_one_object_per_line_without_secrets(log: io.StringIO) -> None:
    password = "sesame-sesame"
    with Sandbox(("me",)) as venue:
        options = venue.options("me", "prediction", "KalshiNR")
        fields = LogonFields(password=password)
        with order_entry(**options, logon_fields=fields) as client:
            market = MARKETS["prediction"][0].rules.ticker
            client.send(
                NewOrderSingle(cl_ord_id="a-1", symbol=market, side=Side.BUY, order_qty=1, price="0.01")
            )
            next(client.messages(timeout=10))
    found = objects(log)
    assert {item["logger"].rpartition(".")[2] for item in found} == {"connection", "session", "wire"}
    assert {item["fix"]["session"] for item in found} == {"KalshiNR prediction"}
    states = [(item["fix"]["old"], item["fix"]["new"]) for item in found if "old" in item["fix"]]
    assert len(states) >= 2
    [logon] = [item["fix"] for item in found if "tls" in item["fix"]]
    assert {"tcp", "tls", "logon"} <= logon.keys()
    logons = [item for item in found if "|35=A|" in item["message"]]
    assert len(logons) == 2
    assert "|96=****" in logons[0]["message"]
    text = log.getvalue()
    assert password not in text
    assert options["private_key"].splitlines()[1].decode() not in text


def test_a_record_is_one_line_and_keeps_its_traceback() -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        record = logging.LogRecord("desk", logging.ERROR, "", 0, "a\nb\u2028%s", ("c",), sys.exc_info())
    record.extra = object()
    line = JsonFormatter().format(record)
    assert line.isascii()
    assert "\n" not in line
    found = json.loads(line)
    assert found.keys() == {"time", "level", "logger", "message", "exception"}
    assert (found["level"], found["logger"], found["message"]) == ("ERROR", "desk", "a\nb\u2028c")
    assert found["exception"].endswith("ValueError: first\nsecond")
    assert found["time"].endswith("+00:00")
