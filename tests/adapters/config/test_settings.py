from __future__ import annotations

import os
import ssl
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast, get_args, get_type_hints

import attrs
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from kalshi_fix_adapters.config.environment import (
    MAX_KEY_FILE,
    KeyFileWarning,
    export_lines,
    find_credentials,
    find_endpoint,
    find_security,
)
from kalshi_fix_adapters.config.factories import Factories
from kalshi_fix_adapters.config.plan import ClientConfig, Options, SessionSettings, make_plan, merge
from kalshi_fix_adapters.config.reconnect import Maintenance, ReconnectPolicy
from kalshi_fix_adapters.events import Endpoint
from kalshi_fix_adapters.net.tls import Tls
from kalshi_fix_adapters.store_sqlite import SqliteFolder
from kalshi_fix_sansio import SESSION_TYPES, LogonFields
from kalshi_fix_sansio.config import QUICKFIX, SessionConfig, resend_everything
from kalshi_fix_sansio.errors import ConfigurationError, KeyFileError
from kalshi_fix_sansio.session import MemoryStore
from kalshi_fix_sansio.signing import Signer, load_private_key, load_public_key
from kalshi_fix_sansio.trading import RateBudget
from tests.helpers import locals_of

KEY_ID = "3c6e2a5e-7f7d-4d3a-9a50-1f3f6f0c8d11"
KEY = ed25519.Ed25519PrivateKey.generate()
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
ENCRYPTED = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"sesame")).decode()
BODY = PEM.splitlines()[1]
"""The base64 text of the key."""
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
NR, PT = SESSION_TYPES["KalshiNR"], SESSION_TYPES["KalshiPT"]
CONFIG = ClientConfig(key_id=KEY_ID, private_key=PEM, tls=Tls())
"""A configuration that needs no environment variables."""
OTHER_WINDOW = Maintenance(weekday=(Maintenance().weekday + 1) % 7)


def signs_like_the_key(signer: Signer) -> bool:
    return Signer(KEY).verifier(b"payload", signer(b"payload"))


# --- credentials


@pytest.mark.parametrize("key", [PEM, PEM.replace("\n", "\\n")], ids=["line breaks", "escaped line breaks"])
def test_the_text_of_a_key_may_be_in_the_environment(key: str) -> None:
    found = find_credentials("prediction", environ={"KALSHI_KEY_ID": KEY_ID, "KALSHI_PRIVATE_KEY": key})
    assert found.key_id == KEY_ID
    assert signs_like_the_key(found.signer)


def test_a_key_file_may_have_a_passphrase(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_text(ENCRYPTED)
    path.chmod(0o600)
    environ = {
        "KALSHI_PERPS_KEY_ID": KEY_ID,
        "KALSHI_PERPS_PRIVATE_KEY_PATH": str(path),
        "KALSHI_PERPS_PRIVATE_KEY_PASSPHRASE": "sesame",
    }
    assert signs_like_the_key(find_credentials("margin", environ=environ).signer)


def test_a_key_for_one_product_is_not_used_for_the_other() -> None:
    environ = {"KALSHI_KEY_ID": KEY_ID, "KALSHI_PRIVATE_KEY": PEM}
    with pytest.raises(ConfigurationError, match="KALSHI_PERPS_KEY_ID is not set"):
        find_credentials("margin", environ=environ)


def test_arguments_override_the_environment() -> None:
    environ = {"KALSHI_KEY_ID": "other", "KALSHI_PRIVATE_KEY": "broken", "KALSHI_PRIVATE_KEY_PATH": "missing"}
    found = find_credentials("prediction", key_id=KEY_ID, private_key=PEM, environ=environ)
    assert found.key_id == KEY_ID
    assert find_credentials("prediction", key_id=KEY_ID, private_key=found.signer).signer is found.signer


@pytest.mark.parametrize("loaded", [False, True])
def test_a_key_and_the_path_of_a_key_are_not_both_accepted(loaded: bool) -> None:
    key = Signer(KEY) if loaded else PEM
    with pytest.raises(ConfigurationError, match="private_key and private_key_path are both set"):
        find_credentials("prediction", key_id=KEY_ID, private_key=key, private_key_path="key.pem", environ={})


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"KEY_ID": ""}, ConfigurationError, "KALSHI_KEY_ID is not set"),
        ({"KEY_ID": PEM}, ConfigurationError, "give the id"),
        ({}, ConfigurationError, "KALSHI_PRIVATE_KEY_PATH is not set"),
        ({"PRIVATE_KEY": PEM, "PRIVATE_KEY_PATH": "x"}, ConfigurationError, "both set"),
        ({"PRIVATE_KEY_PATH": "/nowhere/key.pem"}, KeyFileError, "/nowhere/key.pem cannot be read"),
        ({"PRIVATE_KEY": "nonsense"}, KeyFileError, "not a PEM private key"),
        ({"PRIVATE_KEY": PUBLIC}, KeyFileError, "public key"),
        ({"PRIVATE_KEY": ENCRYPTED}, KeyFileError, "give its passphrase"),
        (
            {"PRIVATE_KEY": ENCRYPTED, "PRIVATE_KEY_PASSPHRASE": "wrong"},
            *(KeyFileError, "check the passphrase"),
        ),
        # Python represents a byte in the environment that is not UTF-8 in this form.
        ({"PRIVATE_KEY": "\udcff"}, KeyFileError, "not a PEM private key"),
        (
            {"PRIVATE_KEY": ENCRYPTED, "PRIVATE_KEY_PASSPHRASE": "\udcff"},
            *(KeyFileError, "check the passphrase"),
        ),
    ],
)
def test_missing_or_invalid_settings_are_named(
    changes: dict[str, str], error: type[Exception], text: str
) -> None:
    settings = {"KEY_ID": KEY_ID} | changes
    environ = {f"KALSHI_{name}": value for name, value in settings.items() if value}
    with pytest.raises(error, match=text) as caught:
        find_credentials("prediction", environ=environ)
    assert "\n" not in str(caught.value)


PASTED_KEYS = {
    "PEM text": PEM,
    "escaped line breaks": PEM.replace("\n", "\\n"),
    "on one line": PEM.replace("\n", " "),
    "base64 only": BODY,
}


def full_text(error: BaseException) -> str:
    """Return all text that a log with tracebacks may contain about an exception, including suppressed
    causes."""
    reported = ""
    cause: BaseException | None = error
    while cause is not None:
        reported += f"{cause!r} {cause} {vars(cause)} " + "".join(traceback.format_exception(cause))
        cause = cause.__cause__ or cause.__context__
    return reported


@pytest.mark.parametrize("pasted", PASTED_KEYS.values(), ids=PASTED_KEYS)
@pytest.mark.parametrize(
    "setting", ["path", "variable", "endpoints", "host", "ca_file", "ca variable", "product"]
)
def test_a_key_pasted_into_another_setting_is_not_repeated(setting: str, pasted: str) -> None:
    def use() -> None:
        match setting:
            case "path":
                find_credentials("prediction", key_id=KEY_ID, private_key_path=pasted, environ={})
            case "variable":
                environ = {"KALSHI_KEY_ID": KEY_ID, "KALSHI_PRIVATE_KEY_PATH": pasted}
                find_credentials("prediction", environ=environ)
            case "endpoints":
                for item in (pasted, f"KalshiNR={pasted}:8228", f"KalshiNR=host:{pasted}"):
                    with pytest.raises(ConfigurationError) as found:
                        find_endpoint("prediction", "demo", NR, environ={"KALSHI_FIX_ENDPOINTS": item})
                    assert BODY[4:20] not in full_text(found.value)
                find_endpoint("prediction", "demo", NR, environ={"KALSHI_FIX_ENDPOINTS": pasted})
            case "host":
                find_endpoint("prediction", "demo", NR, host=pasted, environ={})
            case "ca_file":
                Tls(ca_file=pasted)
            case "ca variable":
                find_security("prediction", "demo", environ={"KALSHI_FIX_CA_FILE": pasted})
            case "product":
                find_credentials(pasted, environ={})

    with pytest.raises(ConfigurationError) as caught:
        use()
    assert BODY[4:20] not in full_text(caught.value)


PASSPHRASE = "Hunter2-secret"
RSA_1024 = rsa.generate_private_key(65537, 1024).private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)
AS_TEXT: dict[str, Any] = {"key_id": KEY_ID, "private_key": PEM, "passphrase": PASSPHRASE}
AS_PATH: dict[str, Any] = {"key_id": KEY_ID, "private_key_path": "key.pem", "passphrase": PASSPHRASE}
CLIENT: Any = Factories(lambda plan: plan)
SECRETS = {
    "KALSHI_KEY_ID": KEY_ID,
    "KALSHI_PRIVATE_KEY": PEM,
    "KALSHI_PRIVATE_KEY_PASSPHRASE": PASSPHRASE,
    "KALSHI_FIX_ENDPOINTS": "nowhere",
    "KALSHI_FIX_CA_FILE": PEM,
}
REFUSALS: dict[str, tuple[str | bytes, Callable[[], object]]] = {
    "a passphrase that is not needed": (PEM, lambda: CLIENT.order_entry(**AS_PATH)),
    "a wrong passphrase": (ENCRYPTED, lambda: CLIENT.order_entry(**AS_PATH)),
    "a damaged key": (PEM.replace("-----END", "!-----END"), lambda: CLIENT.rfq(**AS_PATH)),
    "a small key": (RSA_1024, lambda: CLIENT.drop_copy(**AS_PATH | {"passphrase": ""})),
    "a file that is too large": (PEM + " " * MAX_KEY_FILE, lambda: CLIENT.post_trade(**AS_PATH)),
    "a public key": (PUBLIC, lambda: CLIENT.market_data(**AS_PATH)),
    "not a key": ("", lambda: CLIENT.market_data(**AS_PATH)),
    "the text as an argument": ("", lambda: CLIENT.order_entry(**AS_TEXT)),
    "the text as a path": ("", lambda: CLIENT.order_entry(key_id=KEY_ID, private_key_path=PEM)),
    "the text as the key id": ("", lambda: CLIENT.order_entry(key_id=PEM, private_key=PEM)),
    "the text as the host": ("", lambda: CLIENT.order_entry(**AS_TEXT, host=PEM, port=1)),
    "the text as the CA": ("", lambda: Tls(ca_file=PEM)),
    "both": ("", lambda: CLIENT.order_entry(**AS_TEXT, private_key_path="key.pem")),
    "a misspelled option": ("", lambda: CLIENT.order_entry(**AS_PATH, private_key_passphrase=PASSPHRASE)),
    "another invalid option": ("", lambda: ClientConfig(**AS_TEXT, timeout=-1)),
    "another invalid option of a client": ("", lambda: CLIENT.order_entry(**AS_TEXT, timeout=-1)),
    "a config for another endpoint": (
        "",
        lambda: CLIENT.order_entry(config=ClientConfig(**AS_TEXT), product="margin", passphrase=PASSPHRASE),
    ),
    "a plan": ("", lambda: make_plan("KalshiNR", ClientConfig(**AS_TEXT))),
    "the environment": ("", lambda: find_credentials("prediction", environ=SECRETS)),
    "the endpoint's environment": ("", lambda: find_endpoint("prediction", "demo", NR, environ=SECRETS)),
    "the CA's environment": ("", lambda: find_security("prediction", "demo", environ=SECRETS)),
    "the signer": ("", lambda: load_private_key(PEM.encode(), PASSPHRASE)),
    "the verifier": ("", lambda: load_public_key(PEM.encode())),
}
"""By description: the content of key.pem, and a call that is refused."""


@pytest.mark.filterwarnings("ignore::kalshi_fix_adapters.config.environment.KeyFileWarning")
@pytest.mark.parametrize(("text", "use"), REFUSALS.values(), ids=REFUSALS)
def test_no_secret_is_in_the_stack_frames_of_a_refusal(
    text: str | bytes, use: Callable[[], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("key.pem").write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises((ConfigurationError, TypeError)) as caught:
        use()
    found = locals_of(caught.value, "kalshi_fix")
    for secret in (BODY, PASSPHRASE, RSA_1024.decode().splitlines()[1], ENCRYPTED.splitlines()[1]):
        assert secret[4:] not in found


def test_a_config_does_not_show_a_key_that_was_given_as_a_path() -> None:
    assert BODY[4:20] not in repr(ClientConfig(private_key_path=PEM))
    assert "keys/demo.pem" in repr(ClientConfig(private_key_path="keys/demo.pem"))


@pytest.mark.skipif(os.name != "posix", reason="this system has no POSIX permissions")
def test_a_key_file_readable_by_others_causes_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_text(PEM)
    for mode in (0o600, 0o400):
        path.chmod(mode)
        find_credentials("prediction", key_id=KEY_ID, private_key_path=path, environ={})
    for mode in (0o640, 0o604, 0o620, 0o602):
        path.chmod(mode)
        with pytest.warns(KeyFileWarning, match=f"mode {mode:03o}.*chmod 600"):
            find_credentials("prediction", key_id=KEY_ID, private_key_path=path, environ={})


def test_a_file_too_large_for_a_key_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.touch(0o600)
    path.write_text(PEM + "x" * MAX_KEY_FILE)
    with pytest.raises(KeyFileError, match="too large for a private key"):
        find_credentials("prediction", key_id=KEY_ID, private_key_path=path, environ={})


@pytest.mark.parametrize("path", ["a\0b", "~nobody-of-this-name/key.pem"])
def test_a_path_that_no_file_can_have_is_an_error_about_the_path(path: str) -> None:
    with pytest.raises(KeyFileError):
        find_credentials("prediction", key_id=KEY_ID, private_key_path=path, environ={})


@pytest.mark.parametrize("tls", [False, True, 1, "ca.pem", ssl.create_default_context()])
def test_tls_of_another_type_is_refused(tls: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"tls must be a Tls, a Plaintext, an InProcess or None"):
        ClientConfig(tls=tls)


@pytest.mark.parametrize("options", [Options, ClientConfig])
def test_a_type_checker_knows_the_products_and_environments(options: type) -> None:
    hints = get_type_hints(options)
    for product in get_args(hints["product"]):
        for environment in get_args(hints["environment"]):
            assert find_endpoint(product, environment, NR, environ={}).host
    assert len(get_args(hints["product"])) == len(get_args(hints["environment"])) == 2


def test_a_missing_endpoint_is_an_error_and_the_real_host_is_not_used() -> None:
    environ = {"KALSHI_FIX_ENDPOINTS": "KalshiMD=127.0.0.1:8233"}
    with pytest.raises(ConfigurationError, match=r"KALSHI_FIX_ENDPOINTS has no address for KalshiNR"):
        find_endpoint("prediction", "demo", NR, environ=environ)
    assert find_endpoint("prediction", "demo", NR, host="here", port=1, environ=environ).host == "here"


def test_the_error_for_an_unusable_key_names_its_file(tmp_path: Path) -> None:
    path = tmp_path / "small.pem"
    path.write_bytes(RSA_1024)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match=r"small\.pem: .*1024 bits"):
        find_credentials("prediction", key_id=KEY_ID, private_key_path=path)


def test_the_private_key_is_never_shown() -> None:
    assert BODY not in repr(CONFIG)
    assert BODY not in repr(make_plan("KalshiNR", CONFIG))
    assert BODY not in repr(find_credentials("prediction", key_id=KEY_ID, private_key=PEM))


# --- endpoints


def test_kalshis_demo_is_the_default_environment() -> None:
    plan = make_plan("KalshiNR", CONFIG)
    assert plan.endpoint == Endpoint("fix.demo.kalshi.co", 8228)
    assert plan.config.logon_fields == LogonFields(use_dollars=True)
    plan = make_plan("KalshiMD", attrs.evolve(CONFIG, product="margin"))
    assert str(plan.endpoint) == "margin-marketdata.fix.demo.kalshi.co:8233"
    assert plan.config.logon_fields == LogonFields()


def test_production_is_selected_by_name() -> None:
    assert find_endpoint("prediction", "production", NR, environ={}) == Endpoint(
        "mm.fix.elections.kalshi.com", 8228
    )


def test_environment_variables_can_set_the_endpoint() -> None:
    environ = {
        "KALSHI_FIX_ENDPOINTS": "KalshiNR=127.0.0.1:1234, KalshiMD=[::1]:99",
        "KALSHI_FIX_CA_FILE": "/ca.pem",
    }
    for product, session, expected in (
        ("prediction", NR, Endpoint("127.0.0.1", 1234)),
        ("prediction", SESSION_TYPES["KalshiMD"], Endpoint("::1", 99)),
        ("margin", NR, Endpoint("margin-fix.demo.kalshi.co", 8228)),
    ):
        assert find_endpoint(product, "demo", session, environ=environ) == expected
    assert find_security("prediction", "demo", environ=environ) == Tls(ca_file="/ca.pem")
    assert find_security("margin", "demo", environ=environ) == Tls()
    assert str(Endpoint("::1", 99)) == "[::1]:99"


@pytest.mark.parametrize(
    ("policy", "host", "expected"),
    [
        (ReconnectPolicy(cap=7), None, ReconnectPolicy(cap=7, maintenance=None)),
        (ReconnectPolicy(), "vpce.example", ReconnectPolicy()),
        (ReconnectPolicy(maintenance=OTHER_WINDOW), None, ReconnectPolicy(maintenance=OTHER_WINDOW)),
        (None, None, None),
    ],
)
def test_kalshis_maintenance_window_does_not_apply_to_other_endpoints(
    monkeypatch: pytest.MonkeyPatch,
    policy: ReconnectPolicy | None,
    host: str | None,
    expected: ReconnectPolicy | None,
) -> None:
    config = attrs.evolve(CONFIG, reconnect=policy, host=host)
    assert make_plan("KalshiNR", config).reconnect == policy
    monkeypatch.setenv("KALSHI_FIX_ENDPOINTS", "KalshiNR=127.0.0.1:1234")
    assert make_plan("KalshiNR", config).reconnect == expected


def test_arguments_can_set_the_endpoint() -> None:
    environ = {"KALSHI_FIX_ENDPOINTS": "KalshiNR=127.0.0.1:1234"}
    found = find_endpoint("prediction", "production", NR, host="vpce.example", environ=environ)
    assert found == Endpoint("vpce.example", 8228)
    found = find_endpoint("prediction", "demo", NR, port=9, environ=environ)
    assert found == Endpoint("127.0.0.1", 9)


@pytest.mark.parametrize(
    ("name", "value"),
    [("KALSHI_FIX_ENDPOINTS", "KalshiNR=127.0.0.1:1234"), ("KALSHI_FIX_CA_FILE", "/ca.pem")],
)
def test_production_is_refused_with_endpoints_from_environment_variables(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} is set; unset it"):  # noqa: PT012
        find_endpoint("prediction", "production", NR, environ={name: value})
        find_security("prediction", "production", environ={name: value})


@pytest.mark.parametrize(
    "value",
    [
        *("127.0.0.1:1", "KalshiXX=h:1", "KalshiNR=h", "KalshiNR=h:x", "KalshiNR=:1"),
        *("KalshiNR=h:0", "KalshiNR=h:65536", "KalshiNR=h:99999"),
        *(" ", ",", "KalshiNR=a..b:1", "KalshiNR=.b:1", f"KalshiNR={'a' * 64}.b:1"),
    ],
)
def test_an_invalid_endpoint_is_refused(value: str) -> None:
    with pytest.raises(ConfigurationError, match="write SESSION=HOST:PORT"):
        find_endpoint("prediction", "demo", NR, environ={"KALSHI_FIX_ENDPOINTS": value})


@pytest.mark.parametrize("port", [-1, 65536])
def test_an_invalid_port_is_refused(port: int) -> None:
    with pytest.raises(ConfigurationError, match=f"port is {port}; a TCP port is between 1 and 65535"):
        find_endpoint("prediction", "demo", NR, host="localhost", port=port)


@pytest.mark.parametrize(
    ("product", "environment", "text"),
    [
        ("futures", "demo", "no product 'futures'"),
        ("prediction", "staging", "no environment 'staging'"),
        ("margin", "demo", "KalshiPT is not offered for margin"),
    ],
)
def test_an_unknown_product_or_environment_is_refused(product: str, environment: str, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        find_endpoint(product, environment, PT, environ={})


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"timeout": 0}, "timeout must be above 0"),
        ({"max_message_size": 0}, "max_message_size must be above 0"),
        ({"max_message_size": -1}, "max_message_size must be above 0"),
        ({"queue_limit": 0}, "queue_limit must be above 0"),
        ({"sync": "sometimes"}, "sync must be full or normal"),
    ],
)
def test_invalid_settings_are_refused(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        ClientConfig(**changes)


def test_a_budget_for_the_other_product_is_refused() -> None:
    config = attrs.evolve(CONFIG, budget=RateBudget("Prime"))
    assert make_plan("KalshiNR", config).budget is config.budget
    with pytest.raises(ConfigurationError, match="the budget is for prediction, and the client for margin"):
        make_plan("KalshiNR", attrs.evolve(config, product="margin"))


# --- configs and options


def test_options_and_configs_have_the_same_settings() -> None:
    assert list(Options.__annotations__) == list(ClientConfig.__annotations__)


def test_options_override_the_config_and_the_environment_supplies_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KALSHI_PRIVATE_KEY", PEM)
    config = ClientConfig(
        key_id=KEY_ID, heart_bt_int=20, timeout=3.0, logon_fields=LogonFields(skip_pending_exec_reports=True)
    )
    found = make_plan("KalshiNR", merge(config, {"heart_bt_int": 25}))
    assert (found.config.heart_bt_int, found.timeout) == (25, 3.0)
    assert found.config.sender_comp_id == KEY_ID
    assert found.config.logon_fields == LogonFields(use_dollars=True, skip_pending_exec_reports=True)
    assert merge(None, {"timeout": 2.0}) == ClientConfig(timeout=2.0)


@pytest.mark.parametrize(
    ("kept", "value"),
    [
        ("key_id", KEY_ID),
        ("private_key", PEM),
        ("private_key_path", "key.pem"),
        ("passphrase", "sesame"),
        ("host", "vpce.example"),
        ("port", 9),
        ("tls", Tls()),
    ],
)
@pytest.mark.parametrize("moved", [{"product": "margin"}, {"environment": "production"}])
def test_a_config_with_a_key_or_address_cannot_change_its_product_or_environment(
    kept: str, value: Any, moved: dict[str, Any]
) -> None:
    config = ClientConfig(**{kept: value})
    with pytest.raises(
        ConfigurationError, match=f"{kept} of this config is for prediction in demo"
    ) as caught:
        merge(config, moved)  # type: ignore[arg-type]
    assert "sesame" not in str(caught.value)
    assert "PRIVATE" not in str(caught.value)
    moved_without_it: dict[str, Any] = {**moved, kept: None}
    assert getattr(merge(config, moved_without_it), kept) is None  # type: ignore[arg-type]


def test_a_config_without_a_key_or_address_may_change_the_environment() -> None:
    config = ClientConfig(timeout=3.0)
    assert merge(config, {"product": "margin", "environment": "production"}).timeout == 3.0
    # Naming the same product again is not a conflict.
    assert merge(ClientConfig(key_id=KEY_ID), {"product": "prediction"}).key_id == KEY_ID


def test_each_factory_returns_a_client_of_its_session_type() -> None:
    plans = [
        CLIENT.order_entry(config=CONFIG),
        CLIENT.order_entry(retransmission=True, config=CONFIG),
        CLIENT.drop_copy(config=CONFIG),
        CLIENT.market_data(config=CONFIG),
        CLIENT.post_trade(config=CONFIG),
        CLIENT.rfq(config=CONFIG),
    ]
    assert [plan.config.session_type.name for plan in plans] == [
        *("KalshiNR", "KalshiRT", "KalshiDC", "KalshiMD", "KalshiPT", "KalshiRFQ")
    ]


def test_a_listener_sets_the_flags_of_its_logon() -> None:
    found = CLIENT.order_entry(listener=True, config=CONFIG, logon_fields=LogonFields(use_dollars=False))
    assert found.config.logon_fields == LogonFields(
        listener_session=True, skip_pending_exec_reports=True, use_dollars=False
    )


SETTINGS: SessionSettings = {
    "accepted_sender_comp_ids": frozenset({"a", "b"}),
    "protocol_options": QUICKFIX,
    "max_event_bytes": 1,
    "max_events": 2,
    "max_held": 3,
    "max_held_bytes": 4,
    "max_open_request_bytes": 5,
    "max_open_requests": 6,
    "max_resting_order_bytes": 7,
    "max_resting_orders": 8,
    "max_sent_record": 9,
    "max_sent_record_bytes": 10,
    "max_unsent": 11,
    "offer_next_expected": True,
    "offer_next_expected_at_reset": True,
    "resend_attempts": 12,
    "resend_policy": resend_everything,
    "resend_timeout": 13.0,
    "send_last_processed": False,
    "sending_time_tolerance": None,
    "strict": True,
    "commit_timeout": 3.0,
}
REFUSED_SETTINGS = {
    *(
        "role",
        "dialect",
        "session_type",
        "codec",
        "product",
        "sender_comp_id",
        "target_comp_id",
        "sign_logon",
    ),
    *("logon_timeout", "logout_timeout", "heart_bt_int", "logon_fields", "max_message_size", "reset_seq_num"),
    *("min_heart_bt_int", "max_heart_bt_int", "reject_forgotten_resend", "explicit_confirm"),
}
"""Session settings that the option `session` does not accept: they are set by or derived from other client
options, or exist only for acceptors."""


def test_every_session_setting_is_a_client_option_or_derived() -> None:
    assert SessionSettings.__annotations__.keys() == SETTINGS.keys()
    names = {attribute.name for attribute in attrs.fields(SessionConfig)}
    assert names == SETTINGS.keys() | REFUSED_SETTINGS
    assert not SETTINGS.keys() & REFUSED_SETTINGS


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_reach_the_session(name: str) -> None:
    expected = cast("dict[str, Any]", SETTINGS)[name]
    # One of the settings has no effect without `offer_next_expected`.
    settings = cast("SessionSettings", {"offer_next_expected": True, name: expected})
    config = attrs.evolve(CONFIG, session=settings)
    for found in (
        CLIENT.order_entry(retransmission=True, config=config),
        CLIENT.order_entry(retransmission=True, config=CONFIG, session=settings),
    ):
        assert getattr(found.config, name) == expected


@pytest.mark.parametrize("name", ["explicit_confirm", "role", "stict", PEM])
def test_a_setting_that_clients_do_not_have_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"there is no setting .* choose one of .*strict") as caught:
        ClientConfig(session=cast("SessionSettings", {name: True}))
    assert "PRIVATE KEY" not in str(caught.value)


def test_an_invalid_session_setting_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="max_held must be"):
        CLIENT.order_entry(config=CONFIG, session={"max_held": 0})


def test_a_plan_contains_the_settings(tmp_path: Path) -> None:
    found = CLIENT.order_entry(
        config=attrs.evolve(CONFIG, environment="production"),
        store=str(tmp_path),
        account="maker",
        sync="normal",
        reconnect=None,
        reset_seq_num=True,
        queue_limit=5,
        wire_log=tmp_path / "wire.log",
    )
    assert found.environment == "production"
    assert (found.store, found.account) == (SqliteFolder(tmp_path, "normal"), "maker")
    assert found.reset_seq_num
    assert (found.reconnect, found.queue_limit, found.wire_log) == (None, 5, tmp_path / "wire.log")
    assert str(found) == "KalshiNR prediction at mm.fix.elections.kalshi.com:8228"


def test_a_store_may_be_a_folder_a_url_or_a_factory(tmp_path: Path) -> None:
    expected = SqliteFolder(tmp_path)
    for store in (tmp_path, str(tmp_path), f"sqlite://{tmp_path}", expected):
        assert CLIENT.order_entry(config=CONFIG, store=store, account="a").store == expected


@pytest.mark.parametrize("account", ["", "a\nb", PEM])
def test_an_account_must_be_a_short_name_and_needs_a_store(account: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="account must be a short name") as caught:
        CLIENT.order_entry(config=CONFIG, store=tmp_path, account=account)
    assert "PRIVATE KEY" not in str(caught.value)
    for store in (None, MemoryStore()):
        with pytest.raises(ConfigurationError, match="the option `account` requires the option `store`"):
            CLIENT.order_entry(config=CONFIG, store=store, account="maker")


def test_export_lines_are_quoted_for_the_shell() -> None:
    assert export_lines("margin", {"KEY_ID": "a b", "FIX_CA_FILE": Path("/x")}) == [
        "export KALSHI_PERPS_KEY_ID='a b'",
        "export KALSHI_PERPS_FIX_CA_FILE=/x",
    ]
