"""Session settings: defaults that depend on the session type and the role, and rejected contradictions."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from kalshi_fix_sansio import Logon, LogonFields
from kalshi_fix_sansio._generated import DIALECT
from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.config import ResendFresh, Role, resend_everything
from kalshi_fix_sansio.dialect.layout import Sender
from kalshi_fix_sansio.errors import ConfigurationError
from tests.fix50sp2.dialect import LogonFields as OtherFields
from tests.helpers import KEY_ID, config


def test_an_initiator_takes_its_defaults_from_the_session_type() -> None:
    settings = config(Role.INITIATOR, "KalshiNR")
    assert settings.reset_seq_num
    assert settings.accepted_sender_comp_ids == {"KalshiNR", "Kalshi"}
    assert settings.resend_policy == ResendFresh()
    assert not settings.reject_forgotten_resend
    assert not config(Role.INITIATOR, "KalshiRT").reset_seq_num


def test_an_acceptor_accepts_any_peer_or_the_configured_one() -> None:
    settings = config(Role.ACCEPTOR)
    assert settings.accepted_sender_comp_ids == frozenset()
    assert settings.resend_policy is resend_everything
    assert settings.reject_forgotten_resend
    assert config(Role.ACCEPTOR, target_comp_id=KEY_ID).accepted_sender_comp_ids == {KEY_ID}


def test_each_role_is_client_or_venue() -> None:
    assert (Role.INITIATOR.sender, Role.INITIATOR.peer) == (Sender.CLIENT, Sender.VENUE)
    assert (Role.ACCEPTOR.sender, Role.ACCEPTOR.peer) == (Sender.VENUE, Sender.CLIENT)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"sender_comp_id": ""}, "sender_comp_id is empty; set"),
        ({"target_comp_id": None}, "an initiator needs target_comp_id"),
        ({"target_comp_id": ""}, "an initiator needs target_comp_id"),
        ({"product": "equities"}, "'equities'; choose one of prediction, margin"),
        ({"product": ""}, "choose one of prediction, margin"),
        ({"reset_seq_num": False}, "KalshiNR requires ResetSeqNumFlag=Y; leave"),
        ({"min_heart_bt_int": 40}, "heart_bt_int 30 is outside 40 to 3600 seconds"),
        ({"max_heart_bt_int": 20}, "heart_bt_int 30 is outside 1 to 20 seconds"),
        ({"min_heart_bt_int": -1}, "at least 0 and not above"),
        ({"min_heart_bt_int": 50, "max_heart_bt_int": 40}, "at least 0 and not above"),
        ({"logon_fields": {"password": "hunter2"}}, r"LogonFields\(.*=...\), not dict$"),
        ({"logon_fields": Logon(heart_bt_int=5)}, r"LogonFields\(.*=...\), not Logon$"),
        ({"logon_fields": OtherFields(username="x")}, r"must be a LogonFields of kalshi_fix_sansio\."),
        ({"logon_fields": LogonFields(raw_data=b"x")}, "raw_data is set by sign_logon; remove it"),
        ({"codec": Codec(attrs.evolve(DIALECT))}, "codec must belong to the dialect of this SessionConfig"),
        ({"offer_next_expected": True}, "offer_next_expected must be False on KalshiNR"),
        ({"offer_next_expected_at_reset": True}, "needs offer_next_expected; set both"),
        ({"send_last_processed": True}, "whose header has no LastMsgSeqNumProcessed"),
        ({"logon_timeout": 0}, "logon_timeout must be above 0"),
        ({"max_held": -1}, "max_held must be above 0"),
        ({"sending_time_tolerance": 0.0}, "sending_time_tolerance must be above 0"),
    ],
)
def test_the_error_for_an_invalid_setting_names_it(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        config(Role.INITIATOR, "KalshiNR", **changes)


def test_sessions_can_share_a_codec() -> None:
    codec = Codec(DIALECT)
    assert config(codec=codec).codec is codec
    settings = config(dialect=attrs.evolve(DIALECT))
    assert settings.codec.dialect is settings.dialect


def test_the_product_is_ignored_where_the_session_type_names_none() -> None:
    plain = attrs.evolve(config().session_type, products=())
    assert config(session_type=plain, product="").product == ""


def test_raw_data_may_be_set_without_a_signer() -> None:
    settings = config(sign_logon=None, logon_fields=LogonFields(raw_data=b"x"), sending_time_tolerance=None)
    assert settings.logon_fields == LogonFields(raw_data=b"x")


def test_settings_are_immutable_and_show_no_secrets() -> None:
    fields = LogonFields(username="joe", password="hunter2")
    settings = config(logon_fields=fields)
    fields.username = "eve"
    assert settings.logon_fields == LogonFields(username="joe", password="hunter2")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        settings.strict = True  # type: ignore[misc]
    assert "hunter2" not in repr(settings)
    assert "sign_logon" not in repr(settings)
