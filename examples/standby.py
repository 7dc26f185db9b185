"""One session on two hosts: start this program on both. One is the primary; the other waits, and takes over
if the primary fails. The environment contains the key, and the URL of a database (STORE)."""

import os
import signal
import sys

from kalshi_fix_adapters.blocking import order_entry
from kalshi_fix_sansio import MessageReceived

# systemd stops a service with SIGTERM; sys.exit leaves the `with` block, which logs out.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
client = order_entry(retransmission=True, store=os.environ["STORE"], account="desk")
with client.standby(on_wait=lambda why: print("standby:", why, flush=True)):
    print("primary; next MsgSeqNum", client.numbers.next_outgoing, flush=True)
    for event in client.events():
        if isinstance(event, MessageReceived):
            print(event.message, flush=True)
