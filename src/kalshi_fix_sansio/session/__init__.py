"""The FIXT 1.1 session layer for both roles, free of I/O and of any one dialect.

Modules: `states` the transition table; `logon` the Logon handshake, `own_logon` the Logons that this side
sends and the resets of the numbers that they make; `receive` the processing of incoming messages, with
`checks` (CompIDs, SendingTime, the dialect's rules, MsgSeqNum) and `recovery` (gaps: ResendRequests, held
messages, the search for the messages that the peer still has); `answers` the matching of messages to open
requests; `open_requests` the open requests and resting orders; `resend` the answer to the peer's
ResendRequest; `timers` the deadlines and the check of SendingTime; `send_validator` the checks before
sending, `outbound` all outgoing messages; `store` the state that outlives the process, `ledger` the state
that outlives a connection; `core` the state shared by these parts; `machine` the Session used by users and
adapters.

Where to find:

- The order in which a message is processed: `Receiver._take_in_session`, then `_take_numbered` for the
  checks of MsgSeqNum: there a number that is too low is answered with a Logout and the end of the session;
  for a Logon, `Handshake` does it.
- When a ResendRequest is sent, and its limits: `Recovery._ask` and `stalled`: one for each gap, and
  again after each `resend_timeout` without progress; a Logout after `resend_attempts` failures.
- Durability before bytes are sent: `Outbound.commit` records number and request before the bytes reach the
  buffer; `Session.data_to_send` commits the store before it returns the buffer.
- The ways in which a session ends: `Core` lists them.
- The place for a new rule of the venue. A rule about a message or a field: `spec/`, which `validation`
  applies to outgoing and, on a strict session, incoming messages; this package does not change. A rule about
  the session: `checks` if any message can violate it, else the module of its message; a choice that differs
  between peers is a `ProtocolOptions` setting.
"""

from kalshi_fix_sansio.events import OpenRequest
from kalshi_fix_sansio.session.machine import Session
from kalshi_fix_sansio.session.outbound import reply_route
from kalshi_fix_sansio.session.states import TRANSITIONS, Input, Source, State
from kalshi_fix_sansio.session.store import MemoryStore, MessageStore, StoredMessage

__all__ = [
    "TRANSITIONS",
    "Input",
    "MemoryStore",
    "MessageStore",
    "OpenRequest",
    "Session",
    "Source",
    "State",
    "StoredMessage",
    "reply_route",
]
