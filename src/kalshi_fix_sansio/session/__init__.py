"""The FIXT 1.1 session layer for both roles, free of I/O and of any one dialect.

Where things are: `states` the transition table; `logon` the Logon handshake, `own_logon` what this side
says in it, `reset` a reset of the numbers; `receive` what happens to each incoming message, by `checks`
(CompIDs, SendingTime, the dialect's rules), `sequence` (MsgSeqNum: expected, too low, duplicate) and
`recovery` (gaps: asking, holding, giving up, searching for what the peer still has); `answers` which of the
open `requests` it settles; `resting` which orders rest; `resend` how the peer's ResendRequest is answered;
`timers` every deadline; `send_validator` what may be sent, `outbound` everything that leaves; `store` what
outlives the process, `ledger` what outlives a connection; `core` what these parts share; `machine` the
Session that users and adapters see.

What a reader asks first:

- What happens to a message, in which order? `Receiver._take_in_session`, then `_take_numbered` for what
  depends on MsgSeqNum: a number too low is answered there by a Logout and the end of the session, that of a
  Logon by `Handshake`.
- When does a ResendRequest leave, and what bounds it? `Recovery._ask` and `stalled`: one for each gap, and
  again after each `resend_timeout` without progress; a Logout after `resend_attempts` in vain.
- What is durable before bytes leave? `Outbound.commit` records number and request before the bytes reach the
  buffer; `Session.data_to_send` commits the store before it hands the buffer out.
- How does a session end? `Core` lists the ways.
- Where does a new rule of the venue go? One about a message or a field: into `spec/`, which `validation` goes
  by on the way out and, on a strict session, on the way in; nothing here changes. One about the session:
  into `checks` if any message can break it, else into the module of its message; a choice that not every
  peer makes is a `ProtocolOptions` setting.
"""

from kalshi_fix_sansio.outcomes import OpenRequest
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
