"""What must hold after every step of a process: nothing grows beyond its bound, no heartbeat is late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.simulation.violation import Violation

if TYPE_CHECKING:
    from tests.simulation.process import Connection, Process

HEARTBEAT_MARGIN = 0.2
"""Seconds beyond HeartBtInt: four times what the simulated driver is late for a timer at most."""
MAX_MESSAGE, MAX_HUGE = 4096, 8192
"""Longest message that a side takes, before and after its operator had to raise the limit."""
MAX_UNSENT = 8192
MAX_HELD = 8
MAX_EVENTS = 60
MAX_RECORD = 20
MAX_OPEN = 40
ONE_READ = 64 * 1024
"""Most that one call feeds a session with."""
SHORTEST = 60
"""Bytes of the shortest message."""


def check(process: Process, connection: Connection) -> None:
    """Raise Violation if the session of a connection breaks a promise at this moment."""
    session = connection.session
    core: Any = session._core
    side = connection.side.value
    longest = process.world.wire.longest
    if len(core.outbound.buffer) > 2 * MAX_UNSENT + process.world.schedule.page + 4 * longest:
        raise Violation("unbounded", f"{side} holds {len(core.outbound.buffer)} bytes to be sent")
    if len(core.outbound._record) > MAX_RECORD:
        raise Violation("unbounded", f"{side} remembers {len(core.outbound._record)} messages it sent")
    if len(core.events) > MAX_EVENTS + ONE_READ // SHORTEST:
        raise Violation("unbounded", f"{side} has {len(core.events)} events waiting")
    recovery = session._receiver.recovery
    if len(recovery._held) > MAX_HELD or len(recovery._order) > MAX_HELD:
        raise Violation("unbounded", f"{side} holds {len(recovery._held)} messages behind a gap")
    if core.framer.pending > session.config.max_message_size + ONE_READ:
        raise Violation("unbounded", f"{side} holds {core.framer.pending} bytes of a message")
    if len(core.ledger.open) > MAX_OPEN + MAX_EVENTS:  # after a restart, with answers that were not confirmed
        raise Violation("unbounded", f"{side} has {len(core.ledger.open)} open requests")
    store = process.world.stores[connection.side]
    if len(store._messages) > process.world.schedule.keep:
        raise Violation("unbounded", f"{side} keeps {len(store._messages)} messages")
    if (
        session.is_established
        and not connection.blocked
        and not connection.output
        and connection.heart_bt_int
    ):
        silence = process.now.monotonic - connection.heard_at
        if silence > connection.heart_bt_int + HEARTBEAT_MARGIN:
            raise Violation(
                "late heartbeat", f"{side} was silent for {silence:.2f} s of {connection.heart_bt_int}"
            )
