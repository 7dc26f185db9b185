"""Events are immutable values whose repr contains no secrets."""

from __future__ import annotations

import typing

import attrs
import pytest

from kalshi_fix_sansio import events
from kalshi_fix_sansio._generated import Logon
from kalshi_fix_sansio.config import LogonToSign, Role
from tests.helpers import config


def test_every_event_is_frozen_and_part_of_the_union() -> None:
    members = typing.get_args(events.Event)
    for member in members:
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(object.__new__(member), attrs.fields(member)[0].name, 5)
    defined = {
        value
        for value in vars(events).values()
        if isinstance(value, type) and attrs.has(value) and value.__module__ == events.__name__
    }
    # OpenRequest and RestingOrder are attributes of events.
    assert defined - {events.OpenRequest, events.RestingOrder} == set(members)


def test_a_logon_request_shows_no_signature() -> None:
    signed = LogonToSign("20260821-14:03:07.123", "A", 1, "key", config(Role.ACCEPTOR).sender_comp_id)
    shown = repr(events.LogonRequested(Logon(heart_bt_int=30, raw_data=b"c2VjcmV0"), signed))
    assert "c2VjcmV0" not in shown
    assert "20260821-14:03:07.123" in shown


def test_garbage_is_not_shown() -> None:
    assert "554=hunter2" not in repr(events.GarbledReceived("no CheckSum", b"554=hunter2", 11))
