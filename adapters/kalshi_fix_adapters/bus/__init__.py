"""Distribution of a session's events to other processes, independent of the broker.

Terms:
- A channel is one account on one session type.
- A lane is a part of a channel. The order of messages is preserved within a lane (see `batches`).
- A fence is a number that identifies a publisher; each later publisher of the channel has a higher fence.
- A generation is a series of increasing MsgSeqNums. It ends when the numbers restart.

The package does no I/O, and may import `events`, `errors` and the core. Modules:
- `names`: subjects and ids of messages
- `event_json`: the encoding of events that are not messages from the venue
- `batches`: the messages to be published
- `publisher`: publishes the events of a client, and then confirms them to the client
- `receiver`: turns received messages into events, without duplicates
- `marks`: positions in a stream, and snapshots
- `commands`: messages that other processes send through a session
"""

from kalshi_fix_adapters.bus.batches import Batcher, OutgoingMessage, Round, bucket_of
from kalshi_fix_adapters.bus.commands import Answer, Check, Refusal, Refused, Sent, Unknown
from kalshi_fix_adapters.bus.marks import Machine, Mark
from kalshi_fix_adapters.bus.names import BatchId, Channel, escape, parse_subject, unescape
from kalshi_fix_adapters.bus.publisher import AtLimit, NotAcknowledged, Publisher
from kalshi_fix_adapters.bus.receiver import Receiver, Verdict, split_frames

__all__ = [
    "Answer",
    "AtLimit",
    "BatchId",
    "Batcher",
    "Channel",
    "Check",
    "Machine",
    "Mark",
    "NotAcknowledged",
    "OutgoingMessage",
    "Publisher",
    "Receiver",
    "Refusal",
    "Refused",
    "Round",
    "Sent",
    "Unknown",
    "Verdict",
    "bucket_of",
    "escape",
    "parse_subject",
    "split_frames",
    "unescape",
]
