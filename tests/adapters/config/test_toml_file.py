"""Options of several clients from a TOML file."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import attrs
import pytest

from kalshi_fix_adapters.config.plan import ClientConfig, SessionSettings
from kalshi_fix_adapters.config.reconnect import ReconnectPolicy
from kalshi_fix_adapters.config.toml_file import load_configs
from kalshi_fix_adapters.errors import ConfigFileError
from kalshi_fix_adapters.net.tls import Plaintext, Tls
from kalshi_fix_sansio import LogonFields
from kalshi_fix_sansio.errors import ConfigurationError
from tests.adapters.config.test_settings import BODY, PEM
from tests.helpers import locals_of

COMPLETE = """
environment = "production"
timeout = 5
store = "stores"
reconnect = { cap = 30, attempts = 5 }

[sessions.orders]
key_id = "first"
private_key_path = "orders.pem"
account = "desk"
wire_log = "/var/log/orders.log"
logon_fields = { cancel_orders_on_disconnect = true, message_retention_period = 24 }
session = { strict = true, resend_timeout = 2.5 }

[sessions.orders.tls]
pinned_file = "venue.pem"
server_name = "fix.example"

[sessions.prices]
product = "margin"
key_id = "second"
timeout = 2.5
tls = "plaintext"
reconnect = false
store = "postgresql://trader@db.example/desk?failover=none"
"""


def load(folder: Path, text: str) -> dict[str, ClientConfig]:
    path = folder / "desk.toml"
    path.write_text(text, "utf-8")
    return load_configs(path)


def test_sessions_share_the_options_above_them(tmp_path: Path) -> None:
    configs = load(tmp_path, COMPLETE)
    assert configs == {
        "orders": ClientConfig(
            environment="production",
            timeout=5,
            store=tmp_path / "stores",
            reconnect=ReconnectPolicy(cap=30, attempts=5),
            key_id="first",
            private_key_path=tmp_path / "orders.pem",
            account="desk",
            wire_log=Path("/var/log/orders.log"),
            logon_fields=LogonFields(cancel_orders_on_disconnect=True, message_retention_period=24),
            session=SessionSettings(strict=True, resend_timeout=2.5),
            tls=Tls(pinned_file=tmp_path / "venue.pem", server_name="fix.example"),
        ),
        "prices": ClientConfig(
            environment="production",
            product="margin",
            timeout=2.5,
            store="postgresql://trader@db.example/desk?failover=none",
            reconnect=None,
            key_id="second",
            tls=Plaintext(),
        ),
    }


PLAIN: dict[str, Any] = {
    "product": "margin",
    "environment": "production",
    "key_id": "key",
    "private_key_path": "/key.pem",
    "host": "fix.example",
    "port": 8228,
    "heart_bt_int": 10,
    "timeout": 1.5,
    "store": "/stores",
    "account": "desk",
    "sync": "normal",
    "reset_seq_num": True,
    "shapes": "/shapes",
    "freeze": True,
    "queue_limit": 5,
    "queue_bytes": 6,
    "max_message_size": 4096,
    "explicit_confirm": True,
    "wire_log": "/fix.log",
}
TABLES = {"tls", "reconnect", "logon_fields", "session"}
NOT_IN_A_FILE = {"private_key", "passphrase", "observer", "budget"}


def test_every_option_is_a_key_a_table_or_refused(tmp_path: Path) -> None:
    assert {*PLAIN, *TABLES, *NOT_IN_A_FILE} == {field.name for field in attrs.fields(ClientConfig)}
    lines = [
        f"{name} = {str(value).lower() if value is True else repr(value)}" for name, value in PLAIN.items()
    ]
    config = load(tmp_path, "\n".join(["[sessions.one]", *lines]))["one"]
    for name, value in PLAIN.items():
        expected = Path(value) if str(value).startswith("/") else value
        assert getattr(config, name) == expected
        assert getattr(config, name) != getattr(ClientConfig(), name), (
            "the value must differ from the default"
        )


ONE = "[sessions.one]\n"


@pytest.mark.parametrize(
    ("text", "location", "problem"),
    [
        # syntax errors, located by line
        ("timeout = \n", ":1", "is not valid TOML: Invalid value"),
        ("timeout = 5\ntimeout = 6\n", ":2", "is not valid TOML: Cannot overwrite a value"),
        ("timeout = 5\n[sessions.one\n", ":2", "is not valid TOML: Expected ']'"),
        ('a = 1\nkey_id = "open', ":2", "is not valid TOML"),
        ("a = " + "[" * 100_000, "", "is nested too deeply"),
        # sessions
        ("", ": sessions", "is missing; add a table for each session"),
        ("timeout = 5", ": sessions", "is missing"),
        ("sessions = 5", ": sessions", "is missing"),
        ("[sessions]", ": sessions", "is missing"),
        ("sessions.one = 5", ": sessions.one", "must be a table: write [sessions.one]"),
        ("[[sessions.one]]", ": sessions.one", "must be a table"),
        # names
        (ONE + "time_out = 5", ": sessions.one", "has no option 'time_out'; did you mean `timeout`?"),
        ("time_out = 5\n" + ONE, "", "has no option 'time_out'; did you mean `timeout`?"),
        (ONE + "tls = {ca = 'a'}", ": sessions.one.tls", "has no option 'ca'; "),
        (ONE + "session = {stric = true}", ": sessions.one.session", "did you mean `strict`?"),
        (ONE + "reconnect = {caps = 1}", ": sessions.one.reconnect", "did you mean `cap`?"),
        (ONE + "logon_fields = {dollars = true}", ": sessions.one.logon_fields", "has no option 'dollars'"),
        # types
        (ONE + "timeout = '5'", ": sessions.one.timeout", "must be a number"),
        (ONE + "timeout = true", ": sessions.one.timeout", "must be a number"),
        (ONE + "heart_bt_int = 2.5", ": sessions.one.heart_bt_int", "must be an integer"),
        (ONE + "freeze = 1", ": sessions.one.freeze", "must be true or false"),
        (ONE + "store = 5", ": sessions.one.store", "must be text in quotes"),
        (ONE + "store = ['a']", ": sessions.one.store", "must be text in quotes"),
        (ONE + "key_id = 2026-11-21", ": sessions.one.key_id", "must be text in quotes"),
        (ONE + "product = 'perps'", ": sessions.one.product", 'must be "prediction" or "margin"'),
        (ONE + "product = ['margin']", ": sessions.one.product", 'must be "prediction" or "margin"'),
        (ONE + "sync = 'off'", ": sessions.one.sync", 'must be "full" or "normal"'),
        (ONE + "tls = 'none'", ": sessions.one.tls", "must be a table"),
        (ONE + "tls = false", ": sessions.one.tls", "must be a table"),
        (ONE + "reconnect = true", ": sessions.one.reconnect", "must be a table"),
        (ONE + "reconnect = {cap = 'x'}", ": sessions.one.reconnect.cap", "must be a number"),
        (ONE + "logon_fields = {use_dollars = 'Y'}", ": sessions.one.logon_fields.use_dollars", "true or"),
        # values of the right type that are not allowed
        (ONE + "timeout = 0", ": sessions.one", "timeout must be above 0, not 0"),
        ("timeout = -1\n" + ONE, "", "timeout must be above 0, not -1"),
        (ONE + "tls = {pinned_sha256 = 'ab'}", ": sessions.one.tls", "64 hexadecimal digits"),
        (ONE + "reconnect = {cap = 0}", ": sessions.one.reconnect", "cap must be above 0 seconds"),
        (ONE + "account = ''", ": sessions.one", "account must be a short name"),
        # an option for one product or environment, shared with another
        ("key_id = 'a'\n" + ONE + "product = 'margin'", ": sessions.one", "key_id of this config is for"),
        ("host = 'a'\n" + ONE + "environment = 'production'", ": sessions.one", "host of this config is for"),
        (ONE + "store = '~unknown-user/store'", ": sessions.one.store", "begins with ~"),
        (ONE + "private_key_path = '~unknown-user/a'", ": sessions.one.private_key_path", "begins with ~"),
        (ONE + "tls = {ca_file = '~unknown-user/ca.pem'}", ": sessions.one.tls.ca_file", "begins with ~"),
        (ONE + f"heart_bt_int = {2**63}", ": sessions.one.heart_bt_int", "an integer of more than 64 bits"),
        (ONE + f"heart_bt_int = 0x{'f' * 4000}", ": sessions.one.heart_bt_int", "more than 64 bits"),
        (ONE + f"timeout = {'9' * 4301}", "", "contains an integer of more than 64 bits"),
        # options that a file cannot contain
        (ONE + "observer = 'x'", ": sessions.one.observer", "cannot be set in a file; pass it to the client"),
        (ONE + "budget = 5", ": sessions.one.budget", "cannot be set in a file"),
        (ONE + "session = {resend_policy = 'x'}", ": sessions.one.session.resend_policy", "cannot be set"),
        (
            ONE + "session = {accepted_sender_comp_ids = 'x'}",
            ": sessions.one.session.accepted_sender_comp_ids",
            "cannot be",
        ),
        (ONE + "reconnect = {maintenance = 'x'}", ": sessions.one.reconnect.maintenance", "cannot be set"),
        (ONE + "logon_fields = {password = 'x'}", ": sessions.one.logon_fields.password", "cannot be set"),
        (ONE + "passphrase = 'sesame'", ": sessions.one.passphrase", "is a secret; set private_key_path"),
        ("private_key = 'sesame'\n" + ONE, ": private_key", "is a secret; set private_key_path"),
    ],
)
def test_a_mistake_is_reported_with_its_location(
    tmp_path: Path, text: str, location: str, problem: str
) -> None:
    with pytest.raises(ConfigFileError) as raised:
        load(tmp_path, text)
    path = tmp_path / "desk.toml"
    assert str(raised.value).startswith(f"{path}{location}: ")
    assert problem in str(raised.value)
    assert raised.value.path == path
    line, key = raised.value.line, raised.value.key
    assert location == (f":{line}" if line else f": {key}" if key else "")
    assert isinstance(raised.value, ConfigurationError)
    assert "sesame" not in str(raised.value)


@pytest.mark.parametrize("content", ["nothing", "a folder", "latin-1"])
def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path, content: str) -> None:
    path = tmp_path / "desk.toml"
    if content == "a folder":
        path.mkdir()
    elif content == "latin-1":
        path.write_bytes(b"timeout = 5\naccount = 'd\xe9sk'\n")
    with pytest.raises(ConfigFileError) as raised:
        load_configs(path)
    expected = f"{path}:2: is not UTF-8" if content == "latin-1" else f"{path}: cannot be read ("
    assert str(raised.value).startswith(expected)


@pytest.mark.parametrize(
    "text",
    [
        ONE + f"private_key = '''{PEM}'''",
        ONE + f"key_id = ['''{PEM}''']",
        ONE + f'"""{PEM}""" = 1',
        ONE + f"'{BODY}' = 1",
        ONE + f"account = '''{PEM}'''",
        ONE + f"product = '''{PEM}'''",
        ONE + f"private_key = '''{PEM}'''\nproduct = 5",
        ONE + f"tls.ca_file = '''{PEM}'''",
        ONE + f"private_key = {PEM}",
    ],
    ids=range(9),  # not the key's text, which differs between the processes of pytest-xdist
)
def test_a_key_in_the_wrong_place_is_in_no_message_and_no_traceback(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigFileError) as raised:
        load(tmp_path, text)
    assert BODY not in "".join(traceback.format_exception(raised.value))
    assert BODY not in locals_of(raised.value, "kalshi_fix")


def test_a_key_in_place_of_its_path_is_not_shown(tmp_path: Path) -> None:
    config = load(tmp_path, ONE + f"private_key_path = '''{PEM}'''")["one"]
    assert BODY not in repr(config)
