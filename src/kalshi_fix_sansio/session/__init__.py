"""The FIXT 1.1 session layer for both roles, free of I/O and of any one dialect.

Where things are: `states` the transition table, `sequence` the rules about incoming MsgSeqNum, `resend` how
a ResendRequest is answered, `logon` the Logon handshake, `checks` CompIDs, SendingTime and the other rules
for what comes in, `timers` every deadline, `outbound` everything that leaves, `store` what outlives a
connection, `machine` the Session itself.
"""

from kalshi_fix_sansio.session.machine import Session
from kalshi_fix_sansio.session.states import TRANSITIONS, Input, Source, State
from kalshi_fix_sansio.session.store import MemoryStore, MessageStore, StoredMessage

__all__ = [
    "TRANSITIONS",
    "Input",
    "MemoryStore",
    "MessageStore",
    "Session",
    "Source",
    "State",
    "StoredMessage",
]
