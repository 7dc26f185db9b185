"""In-memory sessions and messages of the second dialect."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from kalshi_fix_sansio.codec import Codec
from kalshi_fix_sansio.config import QUICKFIX, Role, SessionConfig, resend_everything
from kalshi_fix_sansio.framing import Frame, Framer
from kalshi_fix_sansio.session import Session
from tests.fix50sp2.dialect import DIALECT, NewOrderSingle, OrdType, Side
from tests.helpers import Clock, Pair, Peer, Wired

CODEC = Codec(DIALECT)
CLIENT, VENUE = "TW", "ISLD"
NOON = datetime(2026, 8, 21, 12, tzinfo=UTC)


def config(role: Role, **changes: Any) -> SessionConfig:
    """Return the settings of one side: strict, with the behaviour of QuickFIX and without a signature."""
    ours, theirs = (CLIENT, VENUE) if role is Role.INITIATOR else (VENUE, CLIENT)
    values: dict[str, Any] = {
        "role": role,
        "dialect": DIALECT,
        "codec": CODEC,
        "session_type": DIALECT.session_types["FIXT"],
        "sender_comp_id": ours,
        "target_comp_id": theirs,
        "strict": True,
        "protocol_options": QUICKFIX,
        "resend_policy": resend_everything,
    }
    return SessionConfig(**(values | changes))


def pair(client: Mapping[str, Any] | None = None, venue: Mapping[str, Any] | None = None) -> Pair:
    """Return two sessions that are not connected yet."""
    return Pair(
        Clock(),
        Session(config(Role.INITIATOR, **(client or {}))),
        Session(config(Role.ACCEPTOR, **(venue or {}))),
    )


def established(role: Role, **changes: Any) -> Wired:
    """Return a session of this role after its Logon handshake, and its hand-written peer."""
    clock, settings = Clock(), config(role, **changes)
    session = Session(settings)
    peer = Peer(clock, str(settings.target_comp_id), settings.sender_comp_id)
    session.connect(clock.now)
    session.receive_data(peer.logon(), clock.now)
    if role is Role.ACCEPTOR:
        session.accept_logon(clock.now)
    session.events()
    session.data_to_send()
    return Wired(clock, session, peer)


def sent(wired: Wired) -> list[Any]:
    """Return the messages that the session sends."""
    framer = Framer()
    framer.feed(wired.session.data_to_send())
    found = []
    while (frame := framer.next()) is not None:
        assert isinstance(frame, Frame), frame
        found.append(CODEC.decode_strict(frame))
    return found


def order(cl_ord_id: str = "id", **changes: Any) -> NewOrderSingle:
    """Return the smallest valid order."""
    values: dict[str, Any] = {
        "cl_ord_id": cl_ord_id,
        "side": Side.BUY,
        "transact_time": NOON,
        "ord_type": OrdType.MARKET,
    }
    return NewOrderSingle(**(values | changes))
