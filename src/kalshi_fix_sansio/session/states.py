"""The states of a session and the table of its transitions.

Initiators and acceptors share one table. They differ only in the input that leaves DISCONNECTED: CONNECT or
LISTEN. The table has an entry for every input in every state: the next state, or None if the input raises
LocalProtocolError. Once the session is connected, only inputs from the caller lead to None.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, ClassVar


class State(Enum):
    """The state of a session.

    Attributes:
        DISCONNECTED: `connect` has not been called.
        AWAITING_LOGON: Connected as the acceptor; the peer's Logon is awaited.
        LOGON_RECEIVED: The user must accept or refuse the peer's Logon; no further message is read.
        LOGON_SENT: Connected as the initiator; the Logon was sent and the answer is awaited.
        ESTABLISHED: Logged on; no message from the peer is missing.
        RECOVERING: Logged on; messages from the peer are missing, and their resend is awaited.
        RESETTING: A Logon with ResetSeqNumFlag=Y was sent within the session and the answer is awaited.
            Messages that arrive before the answer are processed.
        LOGOUT_SENT: A Logout was sent and the peer's Logout is awaited. Messages that arrive before it are
            processed.
        ENDING: A Logout was sent because the peer violated the protocol; only the peer's Logout is awaited.
        CLOSED: The session has ended; close the transport when all bytes are sent.
    """

    DISCONNECTED = "disconnected"
    AWAITING_LOGON = "awaiting logon"
    LOGON_RECEIVED = "logon received"
    LOGON_SENT = "logon sent"
    ESTABLISHED = "established"
    RECOVERING = "recovering"
    RESETTING = "resetting"
    LOGOUT_SENT = "logout sent"
    ENDING = "ending"
    CLOSED = "closed"

    # The state is looked up in a set whenever bytes are received. The hash of Enum is written in Python. A
    # hash by identity runs in C, and is equivalent because each member is a single object. This saves 2% of
    # the time to process a report.
    __hash__: ClassVar[Callable[[Any], int]] = object.__hash__


class Source(Enum):
    """The party that causes an input."""

    CALLER = "caller"
    PEER = "peer"
    TIMER = "timer"
    STORE = "store"


class Input(Enum):
    """The inputs of the table."""

    CONNECT = "connect as the initiator"
    LISTEN = "connect as the acceptor"
    ACCEPT = "accept the logon"
    REFUSE = "refuse the logon"
    SEND = "send a message"
    RESET = "reset the numbers"
    LOGOUT = "log out"
    ABORT = "abort"
    PEER_LOGON = "Logon"
    PEER_MESSAGE = "a message other than Logon or Logout"
    PEER_LOGOUT = "Logout"
    PEER_GAP = "a gap that can be filled"
    PEER_CAUGHT_UP = "the gap is filled"
    PEER_LOST = "a gap that cannot be filled"
    PEER_VIOLATION = "a protocol error that ends the session at once"
    PEER_VIOLATION_LOGOUT = "a protocol error answered with a Logout"
    PEER_GONE = "the end of the connection"
    LOGON_OVERDUE = "the logon timeout"
    LOGOUT_OVERDUE = "the logout timeout"
    RESEND_OVERDUE = "a resend that does not complete in time"
    SILENCE = "a TestRequest without an answer"
    STORE_FAILED = "a store that fails"

    @property
    def source(self) -> Source:
        """The party that causes the input."""
        if self in _CALLER_INPUTS:
            return Source.CALLER
        if self is Input.STORE_FAILED:
            return Source.STORE
        return Source.PEER if self.name.startswith("PEER_") else Source.TIMER


_CALLER_INPUTS = frozenset(
    {
        Input.CONNECT,
        Input.LISTEN,
        Input.ACCEPT,
        Input.REFUSE,
        Input.SEND,
        Input.RESET,
        Input.LOGOUT,
        Input.ABORT,
    }
)
Row = Mapping[Input, State | None]
_NO_PEER_INPUTS = {i: None for i in Input if i.source is Source.PEER}
_CONNECTED = {Input.ABORT: State.CLOSED, Input.PEER_VIOLATION: State.CLOSED, Input.PEER_GONE: State.CLOSED}
_LOGGED_OUT = {**_CONNECTED, Input.PEER_LOGOUT: State.CLOSED, Input.LOGOUT_OVERDUE: State.CLOSED}
_LOGGED_ON = {
    **_CONNECTED,
    Input.SEND: State.ESTABLISHED,
    Input.LOGOUT: State.LOGOUT_SENT,
    # This input is a Logon with ResetSeqNumFlag=Y, after which no message is missing. Any other Logon is
    # rejected and is not an input.
    Input.PEER_LOGON: State.ESTABLISHED,
    Input.PEER_LOGOUT: State.CLOSED,
    Input.PEER_GAP: State.RECOVERING,
    Input.PEER_LOST: State.LOGOUT_SENT,
    Input.PEER_VIOLATION_LOGOUT: State.ENDING,
    Input.SILENCE: State.CLOSED,
}

_ENTRIES: Mapping[State, Row] = {
    State.DISCONNECTED: {
        **_NO_PEER_INPUTS,
        Input.CONNECT: State.LOGON_SENT,
        Input.LISTEN: State.AWAITING_LOGON,
        Input.ABORT: State.CLOSED,
    },
    State.AWAITING_LOGON: {
        **_CONNECTED,
        Input.PEER_LOGON: State.LOGON_RECEIVED,
        Input.PEER_MESSAGE: State.CLOSED,
        Input.PEER_LOGOUT: State.CLOSED,
        Input.LOGON_OVERDUE: State.CLOSED,
    },
    State.LOGON_RECEIVED: {
        **_CONNECTED,
        Input.ACCEPT: State.ESTABLISHED,
        Input.REFUSE: State.CLOSED,
        Input.LOGON_OVERDUE: State.CLOSED,
    },
    State.LOGON_SENT: {
        **_CONNECTED,
        Input.PEER_LOGON: State.ESTABLISHED,
        Input.PEER_MESSAGE: State.CLOSED,
        Input.PEER_LOGOUT: State.CLOSED,
        Input.LOGON_OVERDUE: State.CLOSED,
    },
    State.ESTABLISHED: {**_LOGGED_ON, Input.RESET: State.RESETTING},
    State.RECOVERING: {
        **_LOGGED_ON,
        Input.SEND: State.RECOVERING,
        Input.PEER_CAUGHT_UP: State.ESTABLISHED,
        Input.RESEND_OVERDUE: State.LOGOUT_SENT,
    },
    State.RESETTING: {
        **_LOGGED_ON,
        # Until the peer has answered the reset, it may expect either the old or the new numbers.
        Input.SEND: None,
        Input.PEER_GAP: State.RESETTING,
        Input.LOGON_OVERDUE: State.CLOSED,
    },
    State.LOGOUT_SENT: _LOGGED_OUT,
    State.ENDING: _LOGGED_OUT,
    State.CLOSED: {Input.ABORT: State.CLOSED},
}
"""The entries of each row that differ from the defaults of `_row`."""


def _row(state: State) -> Row:
    """Return a complete row. By default, inputs from the caller are refused (None), STORE_FAILED leads to
    CLOSED, and all other inputs keep the state.
    """
    rest = {i: None if i.source is Source.CALLER else state for i in Input}
    return MappingProxyType({**rest, Input.STORE_FAILED: State.CLOSED, **_ENTRIES[state]})


TRANSITIONS: Mapping[State, Row] = MappingProxyType({state: _row(state) for state in State})
"""The next state by state and input. All state changes follow this table (`Core.move`)."""

LOGGED_ON_STATES = frozenset({State.ESTABLISHED, State.RECOVERING})
SENDING_STATES = frozenset(state for state, row in TRANSITIONS.items() if row[Input.SEND] is not None)
"""States in which the user may send messages."""
ENDED_STATES = frozenset({State.ENDING, State.CLOSED})
"""States in which no message except the peer's Logout is processed."""
RECEIVING_STATES = frozenset(
    state for state, row in TRANSITIONS.items() if row[Input.PEER_MESSAGE] is not None
)
"""States in which `receive_data` accepts bytes from the peer; after the end it ignores them."""
