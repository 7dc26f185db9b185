"""Code shared by the two FIXT examples: a session on a socket, and an application that echoes orders.

The dialect, a small subset of FIX 5.0 SP2, is unrelated to Kalshi. Neither signatures nor TLS are used. To
use your own dialect, change its spec, `fixt_spec`: the next run generates the package `fixt.dialect` from it.
"""

from __future__ import annotations

import contextlib
import socket
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from datetime import UTC, datetime

from fixt.dialect import (
    DIALECT,
    ApplVerID,
    BusinessMessageReject,
    BusinessRejectReason,
    Email,
    NewOrderSingle,
    SecurityDefinition,
)
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.config import QUICKFIX, QUICKFIXJ, Role, SessionConfig, resend_everything
from kalshi_fix_sansio.events import LogonRequested, MessageReceived
from kalshi_fix_sansio.session import Session, reply_route

SEND_TIMEOUT = 30.0
"""Maximum number of seconds to wait for a peer that does not read."""
PROTOCOL_OPTIONS = {"quickfix": QUICKFIX, "quickfixj": QUICKFIXJ}
SENDING_TIME_TOLERANCE = 119.0
"""In seconds. QuickFIX's test scripts (acceptance definitions) use times that are 121 whole seconds off. With
a tolerance of 120, their result would depend on how fast a message arrives."""
LINGER_TIMEOUT = 1.0
"""Maximum number of seconds to wait for the peer to close its end after ours."""


def argument_parser(description: str) -> ArgumentParser:
    """Return a parser with the arguments of both programs."""
    parser = ArgumentParser(description=description)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--comp-id", required=True, help="SenderCompID of this side")
    parser.add_argument("--peer-comp-id", required=True, help="SenderCompID of the other side")
    parser.add_argument(
        "--like",
        choices=sorted(PROTOCOL_OPTIONS),
        default="quickfix",
        help="engine whose behaviour is imitated",
    )
    return parser


def session_config(role: Role, options: Namespace, heart_bt_int: int = 30) -> SessionConfig:
    """Return the configuration of a strict session."""
    return SessionConfig(
        role=role,
        dialect=DIALECT,
        session_type=DIALECT.session_types["FIXT"],
        sender_comp_id=options.comp_id,
        target_comp_id=options.peer_comp_id,
        heart_bt_int=heart_bt_int,
        min_heart_bt_int=0,
        strict=True,
        protocol_options=PROTOCOL_OPTIONS[options.like],
        resend_policy=resend_everything,
        sending_time_tolerance=SENDING_TIME_TOLERANCE,
        logout_timeout=2,
    )


class Peer:
    """One connection. Its sequence numbers start at 1, because earlier messages are not stored."""

    def __init__(self, sock: socket.socket, config: SessionConfig, admit: Callable[[], bool]) -> None:
        """Take over a connected socket; `admit` decides whether the peer's Logon is accepted."""
        self._socket = sock
        self._session = Session(config)
        self._admit = admit
        self._like_quickfixj = config.protocol_options == QUICKFIXJ
        self._cl_ord_ids: set[str] = set()

    def run(self) -> None:
        """Transfer bytes between the socket and the session, and handle timers, until the session ends."""
        self._session.connect(_now())
        self._flush()
        while not self._session.wants_close:
            deadline = self._session.next_deadline()
            self._socket.settimeout(None if deadline is None else max(0.001, deadline - time.monotonic()))
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                self._session.handle_timer(_now())
            except OSError:
                self._session.receive_eof(_now())
            else:
                self._receive(data)
            self._handle_events()

    def close(self) -> None:
        """Close our end, and read the remaining bytes before closing the socket."""
        with self._socket, contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
            self._socket.settimeout(LINGER_TIMEOUT)
            while self._socket.recv(65536):
                pass

    def _receive(self, data: bytes) -> None:
        if data:
            self._session.receive_data(data, _now())
            self._session.handle_timer(_now())
        else:
            self._session.receive_eof(_now())

    def _handle_events(self) -> None:
        while events := self._session.events():
            for event in events:
                if isinstance(event, LogonRequested):
                    self._answer_logon()
                elif isinstance(event, MessageReceived) and self._session.is_established:
                    self._answer(event)
        self._flush()

    def _answer_logon(self) -> None:
        if self._admit():
            self._session.accept_logon(_now())
        else:
            self._session.abort("already logged on", _now())

    def _answer(self, event: MessageReceived) -> None:
        """Echo orders, security definitions and email; reject all other messages.

        QuickFIX/J's test application does not forward the bytes of a definition, but encodes it again, which
        omits empty groups. Its rejects do not contain DefaultApplVerID.
        """
        message, header = event.message, event.message.header
        if isinstance(message, NewOrderSingle):
            if event.poss_resend and message.cl_ord_id in self._cl_ord_ids:
                return
            self._cl_ord_ids.add(message.cl_ord_id)
        route = reply_route(header)
        if self._like_quickfixj and isinstance(message, SecurityDefinition):
            self._session.send(message, _now(), header_fields=route)
            return
        if isinstance(message, NewOrderSingle | SecurityDefinition | Email):
            fields = {**route, "poss_resend": True} if event.poss_resend else route
            self._session.forward(event.frame, _now(), header_fields=fields)
            return
        refusal = BusinessMessageReject(
            ref_seq_num=header.msg_seq_num,
            ref_msg_type=header.msg_type,
            business_reject_reason=BusinessRejectReason.UNSUPPORTED_MESSAGE_TYPE,
            text=f"{message.NAME} is not supported",
            default_appl_ver_id=None if self._like_quickfixj else ApplVerID.FIX50SP2,
        )
        self._session.send(refusal, _now(), header_fields=route)

    def _flush(self) -> None:
        data = self._session.data_to_send()
        self._socket.settimeout(SEND_TIMEOUT)
        try:
            self._socket.sendall(data)
        except OSError:
            self._session.receive_eof(_now())


def _now() -> Instant:
    return Instant(time.monotonic(), datetime.now(UTC))
