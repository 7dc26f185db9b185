"""The FIXT 1.1 session layer for both roles, without I/O and independent of the dialect.

Modules:

- `machine`: the Session that users and adapters call
- `core`: the state that the other parts share
- `states`: the transition table
- `logon`: the Logon handshake; `own_logon`: the Logons that this side sends, and the resets they request
- `receive`: the processing of incoming messages, with `checks` (CompIDs, SendingTime, the dialect's rules,
  MsgSeqNum) and `recovery` (gaps: ResendRequests, held messages, the search for the messages that the peer
  still has)
- `answers`: the matching of messages with open requests; `open_requests`: open requests and resting orders
- `resend`: the answer to the peer's ResendRequest
- `timers`: deadlines, and the range of SendingTime that is accepted
- `send_validator`: the checks before sending; `outbound`: all outgoing messages
- `store`: the state that survives the process; `ledger`: the state that survives a connection

Where to look:

- The steps in which a message is processed: `Receiver._handle_in_session`, then `_handle_numbered` for the
  checks of MsgSeqNum. A number that is too low is answered there with a Logout, which ends the session;
  `Handshake` does the same for a Logon.
- When a ResendRequest is sent, and the limits on requests: `Recovery._request` and `handle_stall`. One is
  sent for each gap, and another after each `resend_timeout` without progress; after `resend_attempts`
  failures the session logs out.
- Durability before bytes are sent: `Outbound.commit` records the number and the request before the bytes are
  in the buffer; `Session.data_to_send` commits the store before it returns the buffer.
- The ways in which a session ends: `Core` lists them.
- A new venue rule: a rule about a message or a field belongs in `spec/`: `validation` applies it to outgoing
  and, on a strict session, incoming messages, and this package does not change. A rule about the session
  belongs in `checks` if any message can violate it, and otherwise in the module of its message. A choice that
  differs between peers is a setting of `ProtocolOptions`.
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
