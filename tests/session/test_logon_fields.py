"""Logon fields beyond those of the session: typed, copied once, and extensible with unknown fields."""

from __future__ import annotations

import attrs
import pytest

from kalshi_fix_sansio import DIALECT, LogonFields, encode
from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.errors import ConfigurationError, EncodeError, LocalProtocolError
from kalshi_fix_sansio.events import LoggedOn
from tests.fix50sp2.dialect import LogonFields as OtherFields
from tests.helpers import LOGON, Wired, config, connected, of_type, tag_of, wire

RESET = "98=0|108=30|1137=9|141=Y|"
SESSION_FIELDS = {"heart_bt_int", "reset_seq_num_flag", "next_expected_msg_seq_num"}


def logons(wired: Wired) -> list[bytes]:
    """Return the Logons that wait to be written, in wire form."""
    frames = wired.session.data_to_send().split(b"8=FIXT.1.1\x01")
    return [frame for frame in frames if b"\x0135=A\x01" in frame]


def test_every_logon_field_can_be_set_except_those_of_the_session_and_the_dialect() -> None:
    names = {member.attribute for member in DIALECT.messages["A"].body.members}
    assert names - {field.name for field in attrs.fields(LogonFields)} == {
        *SESSION_FIELDS,
        "encrypt_method",
        "default_appl_ver_id",
    }
    for name in SESSION_FIELDS:
        for cls in (LogonFields, OtherFields):
            with pytest.raises(TypeError, match=f"unexpected keyword argument '{name}'"):
                cls(**{name: 1})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"use_dollars": "yes"}, r"LogonFields.use_dollars, UseDollars \(\d+\), cannot be 'yes'"),
        ({"use_euros": True}, "unexpected keyword argument 'use_euros'"),
    ],
)
def test_invalid_fields_are_refused_by_the_constructor(given: dict[str, object], text: str) -> None:
    with pytest.raises((TypeError, ValueError), match=text):
        LogonFields(**given)  # type: ignore[arg-type]


def test_secrets_are_not_shown() -> None:
    fields = LogonFields(use_dollars=True, password="hunter2", raw_data=b"hunter3")
    assert repr(fields) == "LogonFields(raw_data=<hidden>, password=<hidden>, use_dollars=True)"


def test_logged_on_contains_the_fields_without_secrets() -> None:
    fields = LogonFields(use_dollars=True, cancel_orders_on_disconnect=False, password="hush")
    wired = connected(Role.INITIATOR, "KalshiNR", logon_fields=fields)
    (event,) = of_type(wired.receive(wired.peer.logon(RESET)), LoggedOn)
    assert event.flags == {"use_dollars": True, "cancel_orders_on_disconnect": False}
    assert "hush" not in repr(event)
    with pytest.raises(TypeError):
        event.flags["use_dollars"] = False  # type: ignore[index]


def test_an_unknown_flag_is_sent_and_not_shown() -> None:
    fields = LogonFields(use_dollars=False, unknown=[(21099, b"hush")])
    wired = connected(Role.INITIATOR, "KalshiNR", logon_fields=fields)
    (logon,) = logons(wired)
    assert b"\x0121099=hush\x01" in logon
    assert b"\x01%d=N\x01" % tag_of("UseDollars") in logon
    (event,) = of_type(wired.receive(wired.peer.logon(RESET)), LoggedOn)
    assert event.flags == {"use_dollars": False}


def test_a_session_field_cannot_be_set_as_an_unknown_field() -> None:
    wired = wire(Role.INITIATOR, "KalshiNR", logon_fields=LogonFields(unknown=[(108, b"5")]))
    with pytest.raises(EncodeError, match="108"):
        wired.session.connect(wired.clock.now)
    assert wired.session.data_to_send() == b""


def test_later_changes_to_the_fields_do_not_affect_a_session() -> None:
    fields = LogonFields(use_dollars=True)
    wired = wire(Role.INITIATOR, "KalshiRT", logon_fields=fields)
    fields.use_dollars = False
    kept = wired.session.config.logon_fields
    assert isinstance(kept, LogonFields)
    assert kept is not fields
    kept.use_dollars = False
    wired.session.connect(wired.clock.now)
    wired.receive(wired.peer.logon())
    wired.session.reset(wired.clock.now)
    assert [b"\x01%d=Y\x01" % tag_of("UseDollars") in logon for logon in logons(wired)] == [True, True]


def test_fields_of_an_answer_override_the_settings_one_by_one() -> None:
    mine = LogonFields(use_dollars=False, test_message_indicator=True)
    wired = connected(Role.ACCEPTOR, "KalshiNR", logon_fields=mine)
    wired.receive(wired.peer.logon(LOGON + "141=Y|"))
    with pytest.raises(LocalProtocolError, match="must be a LogonFields of kalshi_fix_sansio"):
        wired.session.accept_logon(wired.clock.now, fields=OtherFields())
    wired.session.accept_logon(wired.clock.now, fields=LogonFields(use_dollars=True))
    (event,) = of_type(wired.session.events(), LoggedOn)
    assert event.flags == {"use_dollars": True, "test_message_indicator": True}


def test_a_dialect_without_logon_fields_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="cannot be set with the dialect kalshi"):
        config(dialect=attrs.evolve(DIALECT, logon_fields=None))
    settings = config(dialect=attrs.evolve(DIALECT, logon_fields=None), logon_fields=None)
    assert settings.logon_fields is None


def test_logon_fields_are_not_a_message() -> None:
    with pytest.raises(EncodeError, match="LogonFields is not a message; pass it to a SessionConfig"):
        LogonFields.LAYOUT.encode(LogonFields(use_dollars=True))
    with pytest.raises((EncodeError, TypeError, AttributeError)):
        encode(LogonFields())  # type: ignore[arg-type]
