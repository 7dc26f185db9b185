"""The FIXT 1.1 session layer for both roles, free of I/O and of any one dialect.

Where things are: `states` the transition table; `logon` the Logon handshake, `own_logon` what this side
says in it, `reset` a reset of the numbers; `receive` what happens to each incoming message, by `checks`
(CompIDs, SendingTime, the dialect's rules), `sequence` (MsgSeqNum: expected, too low, duplicate) and
`recovery` (gaps: asking, holding, giving up, searching for what the peer still has); `answers` which of the
open `requests` it settles; `resting` which orders rest; `resend` how the peer's ResendRequest is answered;
`timers` every deadline; `send_validator` what may be sent, `outbound` everything that leaves; `store` what
outlives the process, `ledger` what outlives a connection; `core` what these parts share; `machine` the
Session that users and adapters see.
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
