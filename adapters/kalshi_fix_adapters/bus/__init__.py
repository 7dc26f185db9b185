"""Events of a session for many processes, without a broker: names, batches, de-duplication.

Modules: `names` (subjects and ids), `batches` (what is published, and in which order), `receiver` (what a
consumer applies) and `event_json` (events that are no message of the venue). The package does no I/O, and may
import `events` and the core.
"""

from kalshi_fix_adapters.bus.batches import Batcher, Outgoing, Round, bucket_of
from kalshi_fix_adapters.bus.names import BatchId, Channel, escape, parse_subject, unescape
from kalshi_fix_adapters.bus.receiver import Receiver, Verdict, split_frames

__all__ = [
    "BatchId",
    "Batcher",
    "Channel",
    "Outgoing",
    "Receiver",
    "Round",
    "Verdict",
    "bucket_of",
    "escape",
    "parse_subject",
    "split_frames",
    "unescape",
]
