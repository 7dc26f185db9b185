"""Events of a session for many processes, without a broker: names, batches, de-duplication.

Modules: `names` (subjects and ids), `batches` (messages of the bus), `publisher` (publishes and confirms the
events of a client), `receiver` (the events that a consumer applies) and `event_json` (events that are no
message of the venue). The package does no I/O, and may import `events`, `errors` and the core.
"""

from kalshi_fix_adapters.bus.batches import Batcher, Outgoing, Round, bucket_of
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
    "Outgoing",
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
