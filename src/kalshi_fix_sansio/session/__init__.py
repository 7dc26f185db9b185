"""The FIXT 1.1 session layer for initiators and acceptors, without I/O and independent of the dialect.

Modules:

- `machine`: the Session that users and adapters call
- `core`: the state that the other parts share
- `states`: the transition table
- `logon`: the Logon handshake
- `own_logon`: the Logons that this side sends, and resets of the sequence numbers
- `receive`: the processing of incoming messages
- `checks`: the checks of CompIDs, SendingTime, the dialect's rules and MsgSeqNum
- `recovery`: gaps in the peer's numbers, ResendRequests, and messages held meanwhile
- `answers`: the matching of messages with open requests
- `open_requests`: open requests and resting orders
- `resend`: the answer to the peer's ResendRequest
- `timers`: deadlines, and the range of SendingTime that is accepted
- `send_validator`: the checks before sending
- `outbound`: all outgoing messages
- `store`: the state that survives a restart of the process
- `ledger`: the state that the next connection in the same process takes over

Where to look:

- How a message is processed: see `Receiver._handle_in_session`, then `_handle_numbered` for the checks of
  MsgSeqNum. `_handle_numbered` answers a number that is too low with a Logout, which ends the session;
  `Handshake` does the same for a Logon.
- When a ResendRequest is sent, and how often: see `Recovery._request` and `handle_stall`. The session sends
  one for each gap, and repeats it after each `resend_timeout` without progress. After `resend_attempts`
  requests without progress, it logs out.
- How records become durable before bytes are sent: `Outbound.record_and_queue` records a message in the
  store, then adds its bytes to the buffer. `Session.data_to_send` returns only bytes whose records are
  durable.
- How a session can end: see `Core`.
- Where to add a venue rule: a rule about a message or a field belongs in `spec/`, and this package does not
  change. `validation` applies such rules to outgoing messages and, on a strict session, to incoming ones. A
  rule about the session belongs in `checks` if any message can violate it, and otherwise in the module that
  handles the message. Behaviour that differs between peers is a setting of `ProtocolOptions`.
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
