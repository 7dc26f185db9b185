"""How each kind of fault is applied to a world. A fault that cannot be applied when it is due is skipped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from kalshi_fix_sansio.errors import LocalProtocolError
from tests.simulation import exchange, wire_changes
from tests.simulation.disk_shared import SharedDisk
from tests.simulation.network import BUFFER_SIZE
from tests.simulation.process import Connection, Point
from tests.simulation.schedule import Fault, Kind, Side
from tests.simulation.venue import REFUSALS
from tests.simulation.wire_changes import WireChange

if TYPE_CHECKING:
    from tests.simulation.world import World

DISK_FAILURES = ("commit", "written", "advance", "read", "hang")
"""commit: commits fail; written: commits fail, although they reach the disk; advance: advancing the numbers
fails; read: reading fails; hang: commits never complete, but this has no effect if the disk's commits are
instantaneous (`Disk.max_commit_seconds` is 0).
"""
DOWNTIME = 1.0


class Injector:
    """Applies the schedule's faults to a world, and counts the faults that were applied."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.done: Counter[str] = Counter()
        self.downtime = dict.fromkeys(Side, DOWNTIME)
        self.torn: dict[Side, Random | None] = dict.fromkeys(Side)
        """Draws how many of the uncommitted changes survive the next crash of a side."""
        self._until: dict[tuple[Side, Kind], float] = {}
        self._stopped = False

    def plan(self) -> None:
        for index, fault in enumerate(self._world.schedule.faults):
            self._world.at(fault.at, lambda fault=fault, index=index: self._inject(fault, index))  # type: ignore[misc]

    def _inject(self, fault: Fault, index: int) -> None:
        if self._stopped or not _ACTIONS[fault.kind](self, fault, index):
            return
        self.done[fault.kind.value] += 1
        self._world.wire.add_line(self._world.now, fault.side, f"** {fault!r}")

    def stop(self) -> None:
        """End every fault."""
        world = self._world
        self._stopped = True
        world.shut_until = world.refused_until = 0.0
        for side in Side:
            world.conditions[side].end_faults()
            world.disks[side].failure = None
            world.processes[side].end_faults()
        world.end_takeover_faults()
        world.exchange.end_faults()
        self._schedule_deliveries()

    def _schedule_deliveries(self) -> None:
        for link in self._world.links:
            for pipe in link.pipes.values():
                pipe.schedule_delivery()
                if pipe.writer is not None:
                    self._world.at(self._world.now, pipe.writer.writable)

    def _end_later(self, fault: Fault, end: Callable[[], object]) -> bool:
        """End an effect after the fault's duration, unless a fault of the same kind and side lasts longer."""
        world, key = self._world, (fault.side, fault.kind)
        self._until[key] = max(self._until.get(key, 0.0), world.now + fault.seconds)

        def expire() -> None:
            if world.now >= self._until[key] and not self._stopped:
                end()

        world.at(world.now + fault.seconds, expire)
        return True

    def _set(self, fault: Fault, owner: object, name: str, value: object, normal: object) -> bool:
        """Set an attribute for the duration of a fault."""
        setattr(owner, name, value)
        return self._end_later(fault, lambda: setattr(owner, name, normal))

    def _connections(self, side: Side) -> list[Connection]:
        process = self._world.processes[side]
        return [one for one in process.connections if not one.closed] if process.awake else []

    # The wire

    def _delay(self, fault: Fault, _: int) -> bool:
        return self._set(fault, self._world.conditions[fault.side], "extra", fault.number / 1000, 0.0)

    def _split(self, fault: Fault, _: int) -> bool:
        return self._set(fault, self._world.conditions[fault.side], "split", max(fault.number, 1), 0)

    def _merge(self, fault: Fault, _: int) -> bool:
        return self._set(
            fault, self._world.conditions[fault.side], "merge_interval", max(fault.number, 1) / 1000, 0.0
        )

    def _stall(self, fault: Fault, _: int) -> bool:
        conditions = self._world.conditions[fault.side]
        conditions.stalled_until = max(conditions.stalled_until, self._world.now + fault.seconds)
        return True

    def _cut(self, fault: Fault, _: int) -> bool:
        self._world.conditions[fault.side].cut_after = fault.number
        return True

    def _vanish(self, fault: Fault, _: int) -> bool:
        for link in self._world.links:
            link.vanish()
        return bool(self._world.links)

    def _garbage(self, fault: Fault, _: int) -> bool:
        self._world.conditions[fault.side].changes.append(wire_changes.garbage(Random(fault.number)))
        return True

    def _flip(self, fault: Fault, _: int) -> bool:
        self._world.conditions[fault.side].changes.append(wire_changes.flip(Random(fault.number)))
        return True

    def _repeat(self, fault: Fault, _: int) -> bool:
        world = self._world
        again = wire_changes.repeat(
            Random(fault.number),
            lambda: world.wire.written[fault.side].seen,
            lambda: world.processes[fault.side].now.utc,
        )
        world.conditions[fault.side].changes.append(again)
        return True

    def _set_deviation(self, fault: Fault, deviation: WireChange) -> bool:
        deviations = self._world.conditions[fault.side].deviations
        deviations[fault.kind.value] = deviation
        return self._end_later(fault, lambda: deviations.pop(fault.kind.value, None))

    def _stale(self, fault: Fault, _: int) -> bool:
        return self._set_deviation(fault, wire_changes.keep_first_times)

    def _name(self, fault: Fault, _: int) -> bool:
        name = self._world.other_names[fault.side]
        return self._set_deviation(fault, wire_changes.rename_sender(name, every_other=fault.number == 1))

    def _full(self, fault: Fault, _: int) -> bool:
        conditions = self._world.conditions[fault.side]
        conditions.buffer_size = fault.number

        def end() -> None:
            conditions.buffer_size = BUFFER_SIZE
            self._schedule_deliveries()

        return self._end_later(fault, end)

    # Processes, machines, users

    def _crash(self, fault: Fault, _: int) -> bool:
        process = self._world.processes[fault.side]
        if not process.alive:
            return False
        point, torn = fault.number % len(Point), fault.number // len(Point)
        self.downtime[fault.side] = fault.seconds
        self.torn[fault.side] = Random(torn) if torn else None
        process.crash_at(Point(point))
        return True

    def _power(self, fault: Fault, _: int) -> bool:
        world = self._world
        if not world.processes[fault.side].alive:
            return False
        self.downtime[fault.side] = fault.seconds
        world.kill(world.processes[fault.side], power=Random(fault.number))
        return True

    def _freeze(self, fault: Fault, _: int) -> bool:
        process = self._world.processes[fault.side]
        process.freeze(fault.seconds, timers_first=fault.number == 1)
        return process.alive

    def _suspend(self, fault: Fault, _: int) -> bool:
        process = self._world.processes[fault.side]
        if process.alive:
            process.suspend(fault.seconds, timers_first=fault.number == 1)
        return process.alive

    def _slow(self, fault: Fault, _: int) -> bool:
        process = self._world.processes[fault.side]
        process.slow_down(fault.seconds, fault.number / 1000)
        return process.alive

    def _disk(self, fault: Fault, _: int) -> bool:
        failure = DISK_FAILURES[fault.number % len(DISK_FAILURES)]
        return self._set(fault, self._world.disks[fault.side], "failure", failure, None)

    def _isolate(self, fault: Fault, _: int) -> bool:
        disk, store = self._world.disks[fault.side], self._world.stores[fault.side]
        if not isinstance(disk, SharedDisk):
            return False
        disk.isolated.add(store.host)
        return self._end_later(fault, disk.isolated.clear)

    def _step(self, fault: Fault, _: int) -> bool:
        self._world.processes[fault.side].clock.step(fault.number / 1000)
        return True

    def _clock(self, fault: Fault, _: int) -> bool:
        clock = self._world.processes[fault.side].clock
        return self._set(fault, clock, "fault_offset", float(fault.number), 0.0)

    # The venue's operators

    def _maintenance(self, fault: Fault, _: int) -> bool:
        world = self._world
        world.shut_until = max(world.shut_until, world.now + fault.seconds)
        for connection in self._connections(Side.VENUE):
            if fault.number:
                connection.link.die()
            else:
                now = connection.process.now
                self._call(connection, partial(connection.session.logout, now, text="maintenance"))
        return True

    def _refuse(self, fault: Fault, _: int) -> bool:
        world = self._world
        world.refused_until = max(world.refused_until, world.now + fault.seconds)
        world.refused_with = REFUSALS[fault.number % len(REFUSALS)]
        return True

    def _forget(self, fault: Fault, _: int) -> bool:
        process = self._world.processes[fault.side]
        if process.awake:
            self._world.stores[fault.side].keep_only(fault.number)
        return process.awake

    def _unsure(self, fault: Fault, _: int) -> bool:
        venue = self._world.exchange
        venue.unsure_until = max(venue.unsure_until, self._world.now + fault.seconds)
        return True

    def _pause(self, fault: Fault, _: int) -> bool:
        venue = self._world.exchange
        venue.paused_until = max(venue.paused_until, self._world.now + fault.seconds)
        return True

    # Calls that either side may make to its session

    def _call(self, connection: Connection, action: Callable[[], object]) -> bool:
        """Make a call that the state of the session may forbid."""
        allowed = True

        def act() -> None:
            nonlocal allowed
            try:
                action()
            except LocalProtocolError:
                allowed = False
            connection.process.service(connection)

        connection.process.run(act)
        return allowed

    def _call_sessions(self, fault: Fault, _: int) -> bool:
        done = False
        for one in self._connections(fault.side):
            session, now = one.session, one.process.now
            calls: dict[Kind, Callable[[], object]] = {
                Kind.RESET: partial(session.reset, now),
                Kind.LOGOUT: partial(session.logout, now, text="enough"),
                Kind.ABORT: partial(session.abort, "enough", now),
                Kind.PROBE: partial(session.test_request, now),
            }
            done |= self._call(one, calls[fault.kind])
        return done

    _reset = _logout = _abort = _probe = _call_sessions

    def _restart(self, fault: Fault, _: int) -> bool:
        self._world.client.restart_numbers = True
        return True

    def _burst(self, fault: Fault, index: int) -> bool:
        world = self._world
        for number in range(fault.number):
            if fault.side is Side.VENUE:
                world.exchange.publish(world.exchange.unsolicited)
            elif world.schedule.session != "KalshiPT":
                world.client_sends(
                    exchange.client_message(world.schedule.session, f"b{index}-{number}", number)
                )
        return True

    def _huge(self, fault: Fault, index: int) -> bool:
        world = self._world
        if fault.side is Side.VENUE:
            if world.schedule.session in {"KalshiPT", "KalshiMD"}:
                return False
            world.exchange.publish(lambda: world.exchange.unsolicited(text="x" * fault.number))
        elif world.schedule.session in {"KalshiRT", "KalshiNR"}:
            world.client_sends(exchange.order(f"h{index}", note="x" * fault.number))
        else:
            return False
        return True

    def _flood(self, fault: Fault, index: int) -> bool:
        world = self._world
        if world.schedule.session not in {"KalshiRT", "KalshiNR"}:
            return False
        for number in range(fault.number):
            world.client_sends(exchange.order(f"f{index}", quantity=10 + number))
        return True

    def _reuse(self, fault: Fault, index: int) -> bool:
        world = self._world
        pair = exchange.request_and_cancel(world.schedule.session, f"r{index}", quotes=fault.number == 1)
        for message in pair:
            world.client_sends(message)
        return bool(pair)


_ACTIONS: dict[Kind, Callable[[Injector, Fault, int], bool]] = {
    kind: getattr(Injector, "_" + kind.value) for kind in Kind
}
