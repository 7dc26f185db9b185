"""Kalshi's FIX dialect without I/O: typed messages, the codec, and a session for both roles.

Every message class, group entry, codeset and table of the dialect is generated from the spec and exported
here with its FIX name. A family of messages is imported when one of them is first accessed or received.
`kalshi_fix_sansio.signing` must be imported explicitly, because signing a Logon needs a cryptography library.
All I/O is in `kalshi_fix_adapters`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kalshi_fix_sansio import _generated
from kalshi_fix_sansio.classes.on_demand import exports
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.codec import Codec, FieldNode, GroupNode, Inspection
from kalshi_fix_sansio.config import (
    LogonToSign,
    ProtocolOptions,
    ResendFresh,
    ResendPolicy,
    Role,
    SessionConfig,
    SignLogon,
    resend_everything,
)
from kalshi_fix_sansio.dialect.base import Block, Message, UnknownField, UnknownMessage
from kalshi_fix_sansio.dialect.layout import Dialect, SessionType
from kalshi_fix_sansio.dialect.problems import Problem
from kalshi_fix_sansio.errors import (
    ConfigurationError,
    DecodeError,
    EncodeError,
    InvalidMessageError,
    KalshiFixError,
    KeyFileError,
    LocalProtocolError,
    SendFailedError,
    StoreError,
)
from kalshi_fix_sansio.events import (
    CloseReason,
    Event,
    GapClosed,
    GapDetected,
    GarbledReceived,
    HeartbeatReceived,
    LoggedOn,
    LogonRequested,
    LogoutReceived,
    MessageReceived,
    MessageRejected,
    MessagesLost,
    MessageTooLarge,
    OpenRequest,
    OrdersUnverified,
    OutcomesUnknown,
    PeerSilent,
    RejectReceived,
    ResendServed,
    RestingOrder,
    SequenceSkipped,
    SessionEnded,
    Uncertainty,
)
from kalshi_fix_sansio.framing import Frame, Framer, Garbled, Oversized
from kalshi_fix_sansio.messages import decode, decode_strict, encode, from_dict, from_json, to_dict, to_json
from kalshi_fix_sansio.session import MemoryStore, MessageStore, Session, State, StoredMessage, reply_route
from kalshi_fix_sansio.validation import validate

if TYPE_CHECKING:
    from kalshi_fix_sansio._generated import *  # noqa: F403 - its __all__ is generated, explicit and typed
else:
    __getattr__ = exports(globals(), {"kalshi_fix_sansio._generated": _generated.__all__})

__all__ = [
    "Block",
    "CloseReason",
    "Codec",
    "ConfigurationError",
    "DecodeError",
    "Dialect",
    "EncodeError",
    "Event",
    "FieldNode",
    "Frame",
    "Framer",
    "GapClosed",
    "GapDetected",
    "Garbled",
    "GarbledReceived",
    "GroupNode",
    "HeartbeatReceived",
    "Inspection",
    "Instant",
    "InvalidMessageError",
    "KalshiFixError",
    "KeyFileError",
    "LocalProtocolError",
    "LoggedOn",
    "LogonRequested",
    "LogonToSign",
    "LogoutReceived",
    "MemoryStore",
    "Message",
    "MessageReceived",
    "MessageRejected",
    "MessageStore",
    "MessageTooLarge",
    "MessagesLost",
    "OpenRequest",
    "OrdersUnverified",
    "OutcomesUnknown",
    "Oversized",
    "PeerSilent",
    "Problem",
    "ProtocolOptions",
    "RejectReceived",
    "ResendFresh",
    "ResendPolicy",
    "ResendServed",
    "RestingOrder",
    "Role",
    "SendFailedError",
    "SequenceSkipped",
    "Session",
    "SessionConfig",
    "SessionEnded",
    "SessionType",
    "SignLogon",
    "State",
    "StoreError",
    "StoredMessage",
    "Uncertainty",
    "UnknownField",
    "UnknownMessage",
    "decode",
    "decode_strict",
    "encode",
    "from_dict",
    "from_json",
    "reply_route",
    "resend_everything",
    "to_dict",
    "to_json",
    "validate",
]
__all__ += _generated.__all__


def __dir__() -> list[str]:
    return __all__
