"""Invariants after every step of a process: memory stays within its bounds and no heartbeat is late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kalshi_fix_sansio.events import MessageReceived
from tests.simulation.violation import Violation

if TYPE_CHECKING:
    from tests.simulation.process import Connection, Process

HEARTBEAT_MARGIN = 0.2
"""Seconds that a Heartbeat may be late: four times the longest delay of a timer in the simulated driver."""
MAX_MESSAGE, MAX_HUGE = 4096, 8192
"""The longest message that a side accepts, before and after its operator raises the limit."""
MAX_UNSENT = 8192
MAX_HELD = 8
MAX_EVENTS = 60
MAX_RECORD = 20
MAX_OPEN, MAX_RESTING = 40, 6
MAX_OPEN_BYTES, MAX_RESTING_BYTES = 4000, 3000
MAX_HELD_BYTES, MAX_RECORD_BYTES, MAX_EVENT_BYTES = 1000, 3000, 32 * 1024
"""These limits in bytes are low enough to be reached before the limits on the number of messages. A single
message may exceed them.
"""
KEPT_BYTES_PER_MESSAGE = 200
"""The limit on the bytes that a store keeps, per message that it may keep."""
MESSAGES_PER_TURN = 10
"""The number of stored messages that one call to a session reads for resends."""
MAX_READ = 64 * 1024
"""The maximum number of bytes that one call feeds to a session."""
MIN_MESSAGE = 60
"""The size of the shortest message in bytes."""


def check(process: Process, connection: Connection) -> None:
    """Raise Violation if the session of a connection exceeds a bound now."""
    session = connection.session
    core: Any = session._core
    side = connection.side.value
    outbound, record = core.outbound, core.outbound._record
    page = min(process.world.schedule.page, MAX_UNSENT)
    if len(outbound.buffer) > 2 * MAX_UNSENT + page + process.world.wire.longest:
        raise Violation("unbounded", f"{side} holds {len(outbound.buffer)} bytes to be sent")
    if len(record) > MAX_RECORD or sum(map(len, record.values())) > MAX_RECORD_BYTES:
        raise Violation("unbounded", f"{side} remembers {len(record)} messages that it sent")
    if core.events:
        size = sum(len(event.frame) for event in core.events if isinstance(event, MessageReceived))
        if len(core.events) > MAX_EVENTS + MAX_READ // MIN_MESSAGE or size > MAX_EVENT_BYTES + MAX_READ:
            raise Violation(
                "unbounded", f"{side} has {len(core.events)} events waiting, with {size} bytes of messages"
            )
    recovery = session._receiver.recovery
    held = recovery._held
    if held or recovery._held_numbers:
        size = sum(len(frame.data) for frame in held.values() if frame is not None)
        if max(len(held), len(recovery._held_numbers)) > MAX_HELD or size > MAX_HELD_BYTES:
            raise Violation(
                "unbounded", f"{side} holds {len(held)} messages, {size} bytes in total, after a gap"
            )
    if core.framer.pending > session.config.max_message_size + MAX_READ:
        raise Violation("unbounded", f"{side} holds {core.framer.pending} bytes of a message")
    requests = core.ledger.open_requests
    # After a restart, up to MAX_EVENTS answers may be unconfirmed; their requests are still open.
    if len(requests.by_key) > MAX_OPEN + MAX_EVENTS:
        raise Violation("unbounded", f"{side} has {len(requests.by_key)} open requests")
    if requests.size >= MAX_OPEN_BYTES and process.incarnation == 1:
        # The request that reaches the bound may exceed it, but must then be the last one.
        *_, last = requests.by_key.values()
        if requests.size - len(last.frame) >= MAX_OPEN_BYTES:
            raise Violation("unbounded", f"{side} has {requests.size} bytes of open requests")
    if len(core.resting._reports) > MAX_RESTING or core.resting._size > MAX_RESTING_BYTES:
        raise Violation("unbounded", f"{side} tracks {len(core.resting._reports)} resting orders")
    store = process.store
    keep = process.world.schedule.keep
    if len(store._messages) > keep:
        raise Violation("unbounded", f"{side} keeps {len(store._messages)} messages")
    if store.kept_bytes > KEPT_BYTES_PER_MESSAGE * keep:
        raise Violation("unbounded", f"{side} keeps {store.kept_bytes} bytes of messages")
    if store.read_count > MESSAGES_PER_TURN + 1:
        raise Violation("unbounded", f"{side} read {store.read_count} stored messages at once")
    store.read_count = 0
    if (
        session.is_established
        and not connection.blocked
        and not connection.output
        and connection.heart_bt_int
    ):
        silence = process.now.monotonic - connection.last_output_at
        # A Heartbeat may wait for a commit, but only as long as a commit may take.
        commit = core.timers.commit_limit if session.unreleased else process.world.schedule.max_commit_seconds
        if silence > connection.heart_bt_int + commit + HEARTBEAT_MARGIN:
            raise Violation(
                "late heartbeat",
                f"{side} was silent for {silence:.2f} s (HeartBtInt is {connection.heart_bt_int} s)",
            )
