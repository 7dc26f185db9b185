"""Logons to the venue: which are accepted, and the Text with which others are refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from kalshi_fix_sansio import SESSION_TYPES, Logon, Logout, Side
from kalshi_fix_sansio._generated.limits import MIN_HEARTBEAT_INTERVAL, SENDING_TIME_TOLERANCE
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_sansio.events import CloseReason
from kalshi_fix_venue.config import AccountConfig, trading_zone
from kalshi_fix_venue.identities import ClientKey
from tests.helpers import field_layout
from tests.venue.exchange_harness import d
from tests.venue.venue_harness import KEYS, START, VenueHarness, api_key, encode, order, raw_logon

PORTS = [(product, kind.name) for kind in SESSION_TYPES.values() for product in kind.products]
OWNERS = {"prediction": "ann", "margin": "perp"}
LISTENER = {"listener_session": True, "skip_pending_exec_reports": True}


def answer(data: bytes, session_type: str = "KalshiNR", product: str = "prediction") -> str | None:
    """Return the Text of the Logout that answers these bytes, or None if the answer is a Logon."""
    harness = VenueHarness()
    conn, reply = harness.begin(data, session_type, product)
    if isinstance(reply, Logon):
        assert not harness.venue.should_close(conn)
        return None
    assert isinstance(reply, Logout)
    assert harness.venue.should_close(conn)
    return reply.text


def refusal(*args: Any) -> str:
    """Return the Text of the Logout that answers these bytes."""
    text = answer(*args)
    assert text is not None
    return text


@pytest.mark.parametrize(("product", "session_type"), PORTS)
def test_every_session_type_of_both_products_accepts_a_logon(
    harness: VenueHarness, product: str, session_type: str
) -> None:
    client = harness.connect(OWNERS[product], session_type, product=product)
    assert client.is_logged_on
    harness.wait(300)
    assert client.session.is_established
    client.logout()
    ended = client.session_end()
    assert (ended.reason, ended.clean) == (CloseReason.LOGGED_OUT, True)


def test_an_rsa_key_can_log_on(monkeypatch: pytest.MonkeyPatch) -> None:
    key = ClientKey.generate(key_id="key-rsa")
    monkeypatch.setitem(KEYS, "rsa", key)
    accounts = (AccountConfig(owner="rsa", product="prediction", balance=d(1)),)
    harness = VenueHarness(accounts=accounts, api_keys=(api_key("rsa"),), markets={})
    assert harness.connect("rsa").is_logged_on


def test_the_gateway_uses_the_session_type_as_comp_id(harness: VenueHarness) -> None:
    _, reply = harness.begin(raw_logon("ann", "KalshiMD"), "KalshiMD")
    assert (reply.header.sender_comp_id, reply.header.target_comp_id) == ("KalshiMD", "key-ann")


def test_an_unknown_key_or_a_target_comp_id_of_another_port_is_refused() -> None:
    assert answer(raw_logon("stranger")) == "Unknown API key"
    assert answer(raw_logon("ann", "KalshiRT"), "KalshiNR") == "Invalid TargetCompID"


@pytest.mark.parametrize(
    "signature",
    [
        {"signer": "bob"},
        {"signed_for": "KalshiRT"},
        {"raw_data": b"bm90IGEgc2lnbmF0dXJl"},
        {"raw_data": b"%%%"},
    ],
    ids=["another key", "another text", "not a signature", "not base64"],
)
def test_a_wrong_signature_is_refused(signature: dict[str, Any]) -> None:
    assert answer(raw_logon("ann", **signature)) == "Invalid signature"


def test_keys_are_not_shared_between_products() -> None:
    assert answer(raw_logon("perp")) == "API key is not valid for prediction"
    assert answer(raw_logon("ann"), product="margin") == "API key is not valid for margin"


@pytest.mark.parametrize(("seconds", "refused"), [(0, False), (1, True)])
@pytest.mark.parametrize("direction", [-1, 1])
def test_the_sending_time_must_be_within_the_tolerance(seconds: int, refused: bool, direction: int) -> None:
    difference = timedelta(seconds=direction * (SENDING_TIME_TOLERANCE + seconds))
    text = answer(raw_logon("ann", now=Instant(50.0, START + difference)))
    assert (text == f"SendingTime is more than {SENDING_TIME_TOLERANCE} seconds off") is refused


@pytest.mark.parametrize("flag", [None, False])
def test_sessions_without_resend_must_reset_their_numbers(flag: bool | None) -> None:
    for session_type in ("KalshiNR", "KalshiDC", "KalshiRFQ", "KalshiMD"):
        assert "ResetSeqNumFlag" in refusal(
            raw_logon("ann", session_type, reset_seq_num_flag=flag), session_type
        )
    for session_type in ("KalshiRT", "KalshiPT"):
        assert answer(raw_logon("ann", session_type, reset_seq_num_flag=flag), session_type) is None


def test_heartbeats_have_a_minimum_interval() -> None:
    for product, name in OWNERS.items():
        minimum = MIN_HEARTBEAT_INTERVAL[product]
        assert answer(raw_logon(name, heart_bt_int=minimum), product=product) is None
        assert "HeartBtInt" in refusal(raw_logon(name, heart_bt_int=minimum - 1), "KalshiNR", product)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"raw_data": None}, "RawData"),
        ({"default_appl_ver_id": "8"}, "DefaultApplVerID"),
        ({"encrypt_method": 1}, "EncryptMethod"),
        ({"listener_session": True}, "SkipPendingExecReports"),
        (LISTENER | {"cancel_orders_on_disconnect": True}, "CancelOrdersOnDisconnect"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_invalid_field_of_the_logon_is_named_in_the_refusal(fields: dict[str, Any], word: str) -> None:
    assert word in refusal(raw_logon("ann", **fields))


@pytest.mark.parametrize(
    ("session_type", "product", "fields"),
    [
        ("KalshiMD", "prediction", {"listener_session": True}),
        ("KalshiNR", "prediction", {"message_retention_period": 24}),
        ("KalshiNR", "margin", {"always_emit_new_before_trade": True}),
        ("KalshiNR", "margin", {"split_collateral_return": True}),
        ("KalshiMD", "prediction", {"receive_settlement_reports": True}),
    ],
)
def test_flags_for_one_session_type_are_refused_on_others(
    session_type: str, product: str, fields: dict[str, Any]
) -> None:
    assert answer(raw_logon(OWNERS[product], session_type, **fields), session_type, product) is not None


@pytest.mark.parametrize(("product", "session_type"), PORTS)
def test_flags_that_are_not_tied_to_a_session_type_are_accepted_on_every_type(
    product: str, session_type: str
) -> None:
    flags: dict[str, Any] = dict.fromkeys(
        (
            "cancel_orders_on_disconnect",
            "enable_ioc_cancel_report",
            "preserve_original_order_qty",
            "skip_pending_exec_reports",
            "use_expired_ord_status",
            *(("always_emit_new_before_trade", "split_collateral_return") if product == "prediction" else ()),
        ),
        True,
    )
    assert answer(raw_logon(OWNERS[product], session_type, **flags), session_type, product) is None


def test_the_retention_period_has_a_limit() -> None:
    maximum = field_layout("MessageRetentionPeriod").maximum or 0
    for hours, refused in ((maximum, False), (maximum + 1, True)):
        logon = raw_logon("ann", "KalshiRT", message_retention_period=hours)
        assert (answer(logon, "KalshiRT") is not None) == refused


def test_a_key_has_one_connection_at_a_time(harness: VenueHarness) -> None:
    first = harness.connect("ann")
    second = harness.connect("ann", "KalshiMD")
    ended = second.session_end()
    assert (ended.reason, ended.text) == (CloseReason.LOGON_REFUSED, "already exists")
    assert first.session.is_established
    assert harness.connect("ann-2").is_logged_on
    first.drop()
    assert harness.connect("ann", "KalshiMD").is_logged_on


def test_a_dead_connection_blocks_its_key_until_the_heartbeat_timeout(harness: VenueHarness) -> None:
    first = harness.connect("ann")
    harness.clients.remove(first)
    assert harness.connect("ann").session_end().text == "already exists"
    harness.wait(80)
    assert harness.connect("ann").is_logged_on


def test_a_connection_that_never_logs_on_is_closed(harness: VenueHarness) -> None:
    conn = harness.venue.connection_made("prediction", "KalshiNR", harness.now)
    harness.wait(9)
    assert not harness.venue.should_close(conn)
    harness.wait(2)
    assert harness.venue.should_close(conn)
    harness.venue.receive_eof(conn, harness.now)
    assert harness.venue.next_deadline() is None


def test_no_request_is_served_before_the_logon(harness: VenueHarness) -> None:
    conn = harness.venue.connection_made("prediction", "KalshiNR", harness.now)
    data = encode("ann", "KalshiNR", 1, harness.now, order("a1", Side.BUY, 1, "0.5"))
    harness.venue.receive_data(conn, data, harness.now)
    assert harness.venue.should_close(conn)
    assert harness.venue.exchange("prediction").find("ann", "a1") is None


def test_missing_time_zone_data_is_reported_with_the_package_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from kalshi_fix_venue import config

    monkeypatch.setattr(config, "TRADING_ZONE", "No/Such_Zone")
    with pytest.raises(ConfigurationError, match="install the package tzdata"):
        trading_zone()


def test_a_product_without_the_session_type_has_no_port(harness: VenueHarness) -> None:
    with pytest.raises(ConfigurationError, match="KalshiPT"):
        harness.venue.connection_made("margin", "KalshiPT", harness.now)
