"""The names available in scenarios: session types with their dialects, messages, fields, times, settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import attrs

from kalshi_fix_sansio._generated import DIALECT as KALSHI
from kalshi_fix_sansio.config import QUICKFIX, ProtocolOptions, ResendFresh, SessionConfig, resend_everything
from kalshi_fix_sansio.dialect.layout import Dialect
from kalshi_fix_sansio.dialect.problems import Reason
from tests.fix50sp2.dialect import DIALECT as PLAIN
from tests.scenarios.runner.model import Moment, Substring, Value
from tests.scenarios.runner.numbered_yaml import ScenarioError

MSG_TYPE, MSG_SEQ_NUM = 35, 34
APPLICATION = "Application"
_SAMPLES: Mapping[tuple[str, bool], str] = MappingProxyType(
    {
        ("kalshi", True): "35=F|11=any|41=first|54=1|55=KXHIGHNY-26AUG21-B80|",
        ("kalshi", False): "35=9|37=o1|11=any|39=8|434=1|",
        ("fix50sp2", True): "35=F|11=any|41=first|54=1|60=20260821-14:00:00|38=1|55=X|",
        ("fix50sp2", False): "35=F|11=any|41=first|54=1|60=20260821-14:00:00|38=1|55=X|",
    }
)
"""A sample application message for each dialect and sender. The default policy resends an initiator's."""
ORDER = "NewOrderSingle"
_ORDERS: Mapping[str, str] = MappingProxyType(
    {
        "kalshi": "35=D|11=any|55=KXHIGHNY-26AUG21-B80|54=1|40=2|38=10|44=75|",
        "fix50sp2": "35=D|11=any|55=X|54=1|60=20260821-14:00:00|40=2|38=10|44=75|",
    }
)
_MOMENT = re.compile(r"(now|start)(?:([+-])(\d+(?:\.\d+)?))?")
_POLICIES = {"everything": resend_everything, "nothing": lambda message, age: False, "fresh": ResendFresh()}
_RESERVED_SETTINGS = {"role", "dialect", "codec", "session_type", "product", "sender_comp_id", "sign_logon"}
SETTINGS = frozenset(field.name for field in attrs.fields(SessionConfig)) - _RESERVED_SETTINGS


def dialect_of(session_type: str) -> Dialect:
    """Return the dialect that has this session type."""
    for dialect in (KALSHI, PLAIN):
        if session_type in dialect.session_types:
            return dialect
    known = ", ".join([*KALSHI.session_types, *PLAIN.session_types])
    raise ScenarioError(f"there is no session type {session_type}; choose one of {known}")


def tag_of(dialect: Dialect, name: str) -> int:
    """Return the tag of a field, given its FIX name or its number."""
    if name == "seq":
        return MSG_SEQ_NUM
    if name.isdecimal():
        return int(name)
    for field in dialect.fields.values():
        if field.name == name:
            return field.tag
    raise ScenarioError(f"{dialect.name} has no field {name}")


def msg_type_of(dialect: Dialect, name: str) -> str:
    """Return the MsgType of the message with this name."""
    for layout in dialect.messages.values():
        if layout.name == name:
            return layout.msg_type
    raise ScenarioError(f"{dialect.name} has no message {name}; a MsgType is written as MsgType: x")


def sample(dialect: Dialect, name: str, *, by_client: bool) -> dict[int, Value] | None:
    """Return the sample fields of Application (a placeholder type) or NewOrderSingle; None for others."""
    text = _ORDERS[dialect.name] if name == ORDER else _SAMPLES[dialect.name, by_client]
    if name not in {APPLICATION, ORDER}:
        return None
    return {int(tag): value for tag, _, value in (field.partition("=") for field in text[:-1].split("|"))}


def value_of(written: Any) -> Value:
    """Read the value of a field, or the expectation for it."""
    if written is None:
        return None
    if isinstance(written, dict):
        if set(written) != {"contains"}:
            raise ScenarioError("a value must be text, a number, null or {contains: text}")
        return Substring(str(written["contains"]))
    if isinstance(written, bool | float) or not isinstance(written, str | int):
        raise ScenarioError(f"the value {written!r} could mean several things; quote it")
    time = _MOMENT.fullmatch(str(written))
    if time is None:
        return str(written)
    seconds = float(time[3] or 0)
    return Moment(time[1] == "start", -seconds if time[2] == "-" else seconds)


def setting(name: str, written: Any) -> Any:
    """Read a setting of the session."""
    if name not in SETTINGS:
        raise ScenarioError(f"SessionConfig has no setting {name} that a scenario may set")
    if name == "protocol_options":
        return _protocol_options(written)
    if name != "resend_policy":
        return written
    if written not in _POLICIES:
        raise ScenarioError(f"resend_policy must be one of {', '.join(_POLICIES)}")
    return _POLICIES[written]


def _protocol_options(written: Any) -> ProtocolOptions:
    if written == "quickfix":
        return QUICKFIX
    choices = {field.name for field in attrs.fields(ProtocolOptions)}
    if not isinstance(written, dict) or not choices.issuperset(written):
        raise ScenarioError(
            f"protocol_options must be quickfix, or a mapping of {', '.join(sorted(choices))}"
        )
    values: dict[str, Any] = dict(written)
    if "undefined_tag_reason" in values:
        values["undefined_tag_reason"] = Reason[values["undefined_tag_reason"]]
    if "reject_without_tag" in values:
        pairs = values["reject_without_tag"].items()
        values["reject_without_tag"] = frozenset((Reason[reason], tag) for reason, tag in pairs)
    return ProtocolOptions(**values)
