"""The JSON of events that are not messages from the venue, such as losses and the end of a session.

Messages are always published as the received bytes; a message inside an event is encoded as a string. The
decoder creates only objects of the classes listed in this module.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final

import attrs

from kalshi_fix_adapters.events import Disconnected, Resubscribed
from kalshi_fix_sansio import events
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.dialect.layout import FieldMember
from kalshi_fix_sansio.dialect.problems import Problem, Reason
from kalshi_fix_sansio.errors import KalshiFixError
from kalshi_fix_sansio.messages import decode, encode

PUBLISHED_EVENTS: Final = (
    Disconnected,
    Resubscribed,
    events.GapClosed,
    events.GapDetected,
    events.GarbledReceived,
    events.LoggedOn,
    events.MessageRejected,
    events.MessagesLost,
    events.MessageTooLarge,
    events.OrdersUnverified,
    events.OutcomesUnknown,
    events.RejectReceived,
    events.SequenceSkipped,
    events.SessionEnded,
)
"""The events that are published in addition to messages: losses, uncertainties, rejects, and the start and
end of a session. Other events, such as attempts to connect, concern only the client's process.
"""
_CLASSES: Final[dict[str, Any]] = {
    each.__name__: each for each in (*PUBLISHED_EVENTS, events.OpenRequest, events.RestingOrder, Problem)
}
_ENUMS: Final = {each.__name__: each for each in (events.CloseReason, events.Uncertainty, Reason)}


def encode_event(event: object) -> bytes:
    """Return the JSON of a published event."""
    return json.dumps(_to_json(event), separators=(",", ":")).encode()


def decode_event(data: bytes) -> Any:
    """Return the event encoded in a JSON text.

    Raises:
        ValueError: the data is not the JSON of a published event.
    """
    try:
        event = _from_json(json.loads(data))
    except (KeyError, TypeError, ValueError, ArithmeticError, RecursionError, KalshiFixError) as error:
        raise ValueError(f"not a bus event: {data[:80]!r}") from error
    if not isinstance(event, PUBLISHED_EVENTS):
        raise ValueError(f"not a bus event: {data[:80]!r}")
    return event


def _to_json(value: Any) -> Any:
    match value:
        case Enum() if type(value).__name__ in _ENUMS:
            return {"enum": [type(value).__name__, value.name]}
        case Enum():
            return _to_json(value.value)
        case None | bool() | int() | float() | str():
            return value
        case bytes():
            return {"bytes": value.decode("latin-1")}
        case Decimal():
            return {"decimal": str(value)}
        case datetime():
            return {"time": value.isoformat()}
        case Message():
            return _message_to_json(value)
        case tuple() | list():
            return [_to_json(each) for each in value]
        case Mapping():
            return {"map": {str(key): _to_json(each) for key, each in value.items()}}
    fields = {field.name: _to_json(getattr(value, field.name)) for field in attrs.fields(type(value))}
    return {"class": type(value).__name__, "fields": fields}


def _message_to_json(message: Message) -> Any:
    members = message.LAYOUT.members
    if any(
        member.field.secret and getattr(message, member.attribute) is not None
        for member in members
        if isinstance(member, FieldMember)
    ):
        # RejectReceived may contain the Logon that this process sent. The signature in it is secret.
        return None
    try:
        return {"message": encode(message).decode("latin-1")}
    except KalshiFixError:
        # A malformed message from the venue may lack a field that is needed to encode it.
        return None


def _from_json(plain: Any) -> Any:
    match plain:
        case {"enum": [str(kind), str(name)]}:
            return _ENUMS[kind][name]
        case {"bytes": str(text)}:
            return text.encode("latin-1")
        case {"decimal": str(text)}:
            return Decimal(text)
        case {"time": str(text)}:
            return datetime.fromisoformat(text)
        case {"message": str(text)}:
            return decode(text.encode("latin-1"))
        case {"map": dict(entries)}:
            return {key: _from_json(each) for key, each in entries.items()}
        case {"class": str(kind), "fields": dict(fields)}:
            return _CLASSES[kind](**{name: _from_json(each) for name, each in fields.items()})
        case dict():
            raise ValueError("the object has no known kind")
        case list():
            return tuple(_from_json(each) for each in plain)
    return plain
