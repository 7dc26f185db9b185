"""The venue's web page: its protection, its content, and browsers that do not read."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import sys
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from starlette.types import Message

from kalshi_fix_adapters.blocking import order_entry
from kalshi_fix_adapters.cli.commands import commands
from kalshi_fix_sansio import ExecType, ExecutionReport, NewOrderSingle, Side
from kalshi_fix_venue.control import MAX_LINE
from kalshi_fix_venue.exchange import PauseState
from kalshi_fix_venue.gateway.product import RECENT_TRADES
from kalshi_fix_venue.operations import OPERATIONS, operation
from kalshi_fix_venue.operations.faults import FAULTS
from kalshi_fix_venue.parameters import display_name, parameters
from kalshi_fix_venue.web.page_content import MAX_LEVELS, MAX_ROWS
from kalshi_fix_venue.web.server import MAX_VIEWERS, WebServer, _Stream
from tests.adapters.cli.pipes import interrupt, lines_until, started
from tests.venue.web.conftest import Page

MARKET = "KXNBA-27-NYK"
PAUSE = json.dumps({"do": "pause"}).encode()
PROTECTED_PATHS = ("/operations", "/updates", "/messages/1", "/do", "/nowhere")
PUBLIC_PATHS = ("/", "/app.js", "/style.css")


def pause_state(page: Page) -> PauseState:
    return page.sandbox.server.inspect(lambda venue: venue.exchange("prediction").pause)


@pytest.mark.parametrize("path", [*PROTECTED_PATHS, *PUBLIC_PATHS])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        # DNS rebinding: the name of another site resolves to this machine.
        ({"Host": "evil.example"}, 421),
        ({"Host": "evil.example:{port}"}, 421),
        ({"Host": "127.0.0.1.evil.example:{port}"}, 421),
        ({"Host": "127.0.0.1"}, 421),
        ({"Host": "127.0.0.1:1"}, 421),
        # These requests are caused by another site.
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "http://localhost:{port}"}, 403),
        ({"Origin": "https://127.0.0.1:{port}"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
    ],
)
def test_requests_from_other_sites_are_refused_even_with_the_token(
    page: Page, path: str, headers: dict[str, str], status: int
) -> None:
    method, body = ("POST", PAUSE) if path == "/do" else ("GET", None)
    sent = {name: value.format(port=page.server.port) for name, value in headers.items()}
    assert page.request(path, method=method, body=body, **sent).status == status
    assert pause_state(page) is PauseState.OPEN


@pytest.mark.parametrize("path", PROTECTED_PATHS)
@pytest.mark.parametrize(
    "given", [None, "", "Bearer ", "Bearer 0", "Basic {token}", "{token}", "Bearer {token}0"]
)
def test_everything_but_the_page_itself_needs_the_token(page: Page, path: str, given: str | None) -> None:
    method, body = ("POST", PAUSE) if path == "/do" else ("GET", None)
    sent = None if given is None else given.format(token=page.token)
    assert page.request(path, method=method, body=body, Authorization=sent).status == 401
    # A token in the address would appear in histories and logs.
    in_address = page.request(f"{path}?token={page.token}", method=method, body=body, Authorization=sent)
    assert in_address.status == 401
    assert pause_state(page) is PauseState.OPEN


@pytest.mark.parametrize("path", PUBLIC_PATHS)
def test_the_page_loads_nothing_from_elsewhere_and_contains_no_secret(page: Page, path: str) -> None:
    response = page.request(path, Authorization=None)
    text = response.body.decode()
    assert response.status == 200
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'")
    assert "unsafe" not in policy
    assert response.headers["Set-Cookie"] is None
    assert response.headers["Access-Control-Allow-Origin"] is None
    assert response.headers["Cache-Control"] == "no-store"
    assert "://" not in text
    assert page.token not in text


def test_a_large_request_or_a_wrong_method_is_refused(page: Page) -> None:
    assert page.request("/do", method="POST", body=b" " * (MAX_LINE + 1)).status == 413
    assert page.request("/do").status == 405


def test_the_listed_operations_are_those_of_venue_do(page: Page) -> None:
    listed = page.request("/operations").json
    assert [item["name"] for item in listed] == list(OPERATIONS)
    assert {item["name"] for item in listed if item["is_fault"]} == set(FAULTS)
    for item in listed:
        names = [display_name(one.name) for one in parameters(OPERATIONS[item["name"]])]
        assert [one["name"] for one in item["parameters"]] == names
        for one in item["parameters"]:
            assert (one["word"] == "CONTRACTS") == one["doc"].startswith("number of contracts")


def test_operations_are_performed_or_refused(page: Page) -> None:
    assert page.do("pause", product="prediction")["answer"]["text"] == "prediction: trading paused"
    assert page.update()["pauses"]["prediction"] == "trading paused"
    assert page.do("resume")["ok"]
    assert "did you mean" in page.do("puase")["error"]
    assert page.request("/do", method="POST", body=b"[]").json["ok"] is False


def test_orders_trades_positions_and_messages_are_shown(page: Page) -> None:
    order = NewOrderSingle(cl_ord_id="a-1", symbol=MARKET, side=Side.BUY, price="0.12", order_qty=5)
    key = page.sandbox.keys["you", "prediction"][0].key_id
    with order_entry(**page.sandbox.options("you", "prediction", "KalshiNR")) as client:
        client.send(order)
        reports = (message for message in client.messages(timeout=5) if isinstance(message, ExecutionReport))
        next(report for report in reports if report.exec_type is ExecType.NEW)
        update = page.update(f"market={MARKET}&session=prediction KalshiNR {key}".replace(" ", "+"))
        [row] = update["orders"]
        assert (row["owner"], row["id"], row["side"], row["price"], row["leaves"]) == (
            "you",
            "a-1",
            "buy",
            "0.12",
            "5",
        )
        assert [(price, own) for price, _, own in update["book"]["buy"] if own] == [("0.12", "5")]
        [session] = update["sessions"]
        assert session["id"] == ["prediction", "KalshiNR", key]
        assert [item["name"] for item in session["last"]] == ["NewOrderSingle", "ExecutionReport"]
        assert {item["name"] for item in update["messages"]} == {"Logon", "NewOrderSingle", "ExecutionReport"}
        # "Trade against me"
        assert page.do("trade", **row["trade"])["ok"]
        update = page.update()
        assert update["orders"] == []
        assert [item["own"] for item in update["trades"] if item["own"]] == [["you bought"]]
        assert {item["market"]: Decimal(item["net"]) for item in update["positions"]} == {MARKET: 5}
        logon = next(item for item in update["messages"] if item["name"] == "Logon" and not item["sent"])
    explained = page.request(f"/messages/{logon['id']}").json
    text = "\n".join("".join(text for _, text in line) for line in explained)
    assert "Logon (35=A)" in text
    assert "<hidden>" in text  # the signature is hidden
    [session] = page.update()["sessions"]
    assert session["status"] is None  # the client has logged out, but its messages are still shown
    assert page.request("/messages/999999").status == 404


def test_trades_and_levels_are_bounded(page: Page) -> None:
    server = page.sandbox.server
    for _ in range(RECENT_TRADES // 2 + 1):
        for side in ("buy", "sell"):
            server.perform(operation("trade", {"market": MARKET, "side": side, "quantity": "0.01"}))
    assert len(server.inspect(lambda venue: venue.recent_trades("prediction"))) == RECENT_TRADES
    update = page.update(f"market={MARKET}")
    assert len(update["trades"]) == MAX_ROWS
    assert 0 < max(len(update["book"][side]) for side in ("buy", "sell")) <= MAX_LEVELS


def test_a_venue_that_is_down_is_shown_as_stopped(page: Page) -> None:
    with page.sandbox.server.down():
        assert page.update() == {"stopped": True}
        assert page.do("pause") == {"ok": False, "error": "the venue has stopped"}
    assert "pauses" in page.update()


def scope_of(path: str) -> dict[str, Any]:
    return {"type": "http", "path": path, "headers": [], "query_string": b""}


async def _wait_forever() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


def test_a_browser_that_does_not_read_is_dropped(page: Page) -> None:
    sent: list[str] = []

    async def send(message: Message) -> None:
        sent.append(message["type"])
        if message["type"] == "http.response.body":
            await _wait_forever()

    server = WebServer(page.sandbox.server, page.server._channel, patience=0.01)
    asyncio.run(_Stream(server, None, None)(scope_of("/updates"), _wait_forever, send))
    # No update was queued behind the one that the browser did not read.
    assert sent == ["http.response.start", "http.response.body"]
    assert server.viewers == 0


def test_the_number_of_open_pages_is_limited(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page.server, "viewers", MAX_VIEWERS)
    assert page.request("/updates").status == 503


def test_the_command_prints_the_address(tmp_path: Path) -> None:
    with started("venue", "--folder", str(tmp_path / "venue"), "--web") as process:
        address = lines_until(process, "/#")[-1]
        token = json.loads((tmp_path / "venue" / "control.json").read_text())["token"]
        assert re.fullmatch(rf"http://127\.0\.0\.1:[0-9]+/#{token}", address)
        port = int(re.findall("[0-9]+", address)[4])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        with closing(connection):
            connection.request("GET", "/updates", headers={"Authorization": f"Bearer {token}"})
            with connection.getresponse() as page:
                assert page.readline().startswith(b"data: ")
                status, errors = interrupt(process)
    assert (status, errors.decode().strip()) == (130, "")


def test_the_command_names_the_missing_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "kalshi_fix_venue.web", raising=False)
    monkeypatch.setitem(sys.modules, "kalshi_fix_venue.web.server", None)
    result = CliRunner().invoke(commands, ["venue", "--folder", str(tmp_path / "venue"), "--web"])
    assert result.exit_code == 1
    assert "pip install 'kalshi-fix-venue[web]'" in result.output
