"""The commands and claims of the page on production, checked against the simulated venue."""

from __future__ import annotations

import io
import json
import logging
import re
import shutil
import stat
from pathlib import Path

import pytest

from kalshi_fix_adapters.blocking import Client, order_entry
from kalshi_fix_adapters.config.toml_file import load_configs
from kalshi_fix_adapters.errors import ConfigFileError, LogonFailedError, LogonRefusedError
from kalshi_fix_adapters.events import Disconnected
from kalshi_fix_adapters.observe.dispatch import Dispatcher
from kalshi_fix_adapters.observe.json_log import JsonFormatter
from kalshi_fix_sansio import ExecType, ExecutionReport, NewOrderSingle, Side
from kalshi_fix_sansio.events import CloseReason, MessageReceived, OutcomesUnknown, SessionEnded
from kalshi_fix_venue.testing import MARKETS, Sandbox, Venue
from tests.helpers import Clock
from tests.programs import PATH, run_program

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "how-to" / "production.md").read_text("utf-8")
BLOCKS = dict(re.findall(r'^```\w+ title="(.*?)"\n(.*?)^```$', PAGE, re.DOTALL | re.MULTILINE))
SYMBOL = MARKETS["prediction"][0].rules.ticker
SESSION = "KalshiRT"


def run(title: str, cwd: Path | None = None, **variables: object) -> str:
    """Run a shell block of the page, with `kalshi-fix` on PATH and these variables; return the output."""
    environ = {"PATH": PATH, **{name: str(value) for name, value in variables.items()}}
    done = run_program("sh", "-euc", BLOCKS[title], cwd=cwd, env=environ)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def order(cl_ord_id: str) -> NewOrderSingle:
    return NewOrderSingle(cl_ord_id=cl_ord_id, symbol=SYMBOL, side=Side.BUY, order_qty=1, price="0.01")


def test_the_config_file_is_accepted_and_a_mistake_in_it_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "desk.toml"
    path.write_text(BLOCKS["desk.toml"], encoding="utf-8")
    configs = load_configs(path)
    assert configs["orders"].private_key_path == tmp_path / "orders.pem"
    assert {name: config.environment for name, config in configs.items()} == {
        "orders": "production",
        "prices": "production",
    }
    path.write_text("[sessions.orders]\nheartbeat = 30\n", encoding="utf-8")
    with pytest.raises(ConfigFileError) as raised:
        load_configs(path)
    assert str(raised.value).removeprefix(f"{tmp_path}/") in PAGE
    untitled = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert len(untitled) == 2
    for text in untitled:
        path.write_text(text, encoding="utf-8")
        assert load_configs(path)["orders"].tls is not None


def test_the_log_line_on_the_page_has_the_fields_that_are_written() -> None:
    [shown] = re.findall(r"^```json\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("kalshi_fix_adapters.reconnect")
    logger.addHandler(handler)
    ended = SessionEnded(CloseReason.CONNECTION_LOST, "the connection ended", clean=False)
    Dispatcher("KalshiRT prediction").report_event(Disconnected(ended, 0.4), Clock().now)
    logger.removeHandler(handler)
    written = json.loads(stream.getvalue())
    written["time"] = json.loads(shown)["time"]
    assert json.dumps(written) + "\n" == shown


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_the_certificate_can_be_pinned(tmp_path: Path) -> None:
    with Sandbox(("you",)) as venue:
        key_id, key = venue.write_files(tmp_path / "venue", "you")["prediction"][0]
        printed = run(
            "pin",
            HOST=venue.host,
            PORT=venue.server.port("prediction", "KalshiNR"),
            KALSHI_KEY_ID=key_id,
            KALSHI_PRIVATE_KEY_PATH=key,
            cwd=tmp_path,
        )
    assert re.search(
        "^sha256 fingerprint=([0-9A-F]{2}:){31}[0-9A-F]{2}$", printed, re.MULTILINE | re.IGNORECASE
    )
    assert re.search("^logout +ok$", printed, re.MULTILINE)


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="needs sqlite3")
def test_a_store_in_use_is_backed_up_and_later_restored(tmp_path: Path) -> None:
    folder, backup = tmp_path / "stores", tmp_path / "desk.backup"
    with Sandbox(("me",)) as venue:
        options = venue.options("me", "prediction", SESSION)

        def open_client(*, reset: bool = False) -> Client:
            return order_entry(
                **options,
                retransmission=True,
                store=folder,
                account="desk",
                explicit_confirm=True,
                reset_seq_num=reset,
            )

        def trade(client: Client, cl_ord_id: str) -> None:
            """Send an order; confirm the report that it is resting, together with a row about it."""
            client.send(order(cl_ord_id))
            for event in client.events(timeout=10):
                report = event.message if isinstance(event, MessageReceived) else None
                if isinstance(report, ExecutionReport) and report.exec_type is ExecType.NEW:
                    client.rows["last"] = report.cl_ord_id
                    client.confirm(event)
                    if report.cl_ord_id == cl_ord_id:
                        return

        with open_client() as client:
            trade(client, "a-0")
        with open_client() as client:
            client.send(order("a-1"))
            [path] = folder.glob("*.sqlite3")
            printed = run("back up", STORE=path, BACKUP=backup)
            assert "a-1" in printed, "the open request is missing from the copy"
            trade(client, "a-2")
        assert stat.S_IMODE(backup.stat().st_mode) == 0o600
        run("restore", STORE=path, BACKUP=backup, cwd=tmp_path)
        with pytest.raises((LogonFailedError, LogonRefusedError)), open_client():
            pass
        with open_client(reset=True) as client:
            assert client.rows["last"] == "a-0"
            unknown = next(e for e in client.events(timeout=10) if isinstance(e, OutcomesUnknown))
            assert [request.request_id for request in unknown.requests] == ["a-1"]


def test_a_new_key_of_the_account_uses_the_same_store(tmp_path: Path) -> None:
    with Sandbox(("me",)) as venue:
        for key in (0, 1):
            options = venue.options("me", "prediction", SESSION, key)
            with order_entry(**options, retransmission=True, store=tmp_path, account="desk") as client:
                assert client.rows.get("keys", 0) == key
                client.send(order(f"a-{key}"))
                next(client.messages(timeout=10))
                client.rows["keys"] = key + 1
                assert next(client.messages(timeout=10), None) is not None


def test_a_tier_without_fix_is_refused_with_the_text_on_the_page(tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    assert "`API usage level is not allowed for FIX`" in PAGE
    path.write_text("accounts: {me: {prediction: {balance: 100, tier: Basic}}}")
    with Venue(scenario=path) as venue:
        with pytest.raises(LogonRefusedError) as raised, order_entry(**venue.options("me")):
            pass
        assert raised.value.text == "API usage level is not allowed for FIX"
        assert not raised.value.retryable
    path.write_text("accounts: {me: {prediction: {balance: 100, tier: Advanced}}}")
    with Venue(scenario=path) as venue, order_entry(**venue.options("me")) as client:
        assert client.is_logged_on
