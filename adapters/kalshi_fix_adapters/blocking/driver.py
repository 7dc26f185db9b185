"""One client's core and connection under one lock, driven by the thread that waits for what comes.

To drive is to sleep until the socket is ready, something is due or another thread wakes, then to read, to do
what is due and to write. A user's thread that waits drives by itself, so that an event needs no handover to
it; while no user waits, the background thread (`background`) does, which also makes and ends connections.
The change costs the user nothing as a rule: the background thread stands by and sees by itself, some
milliseconds later, that nobody drives any more.

| background  | a user drives | it does                   | goes on                                         |
| ----------- | ------------- | ------------------------- | ----------------------------------------------- |
| AWAY        | no            | connects, waits, hangs up | DRIVING once connected                          |
| DRIVING     | no            | drives                    | STANDING_BY when a user drives; AWAY at the end |
| STANDING_BY | maybe         | looks after GRACE seconds | DRIVING if none has driven since the last look, |
|             |               | and when it is needed     | or it is needed and none drives now;            |
|             |               |                           | RESTING if one sleeps since the last look       |
| RESTING     | yes           | sleeps until that user    | STANDING_BY when it has                         |
|             |               | lets go                   |                                                 |

Users that find another one driving wait for it to tell them; so they do while there is no connection.

`Driver` alone writes what says who drives; the client and the background thread call its methods.

Ctrl-C, or whatever a signal handler raises, may strike the user's thread anywhere, so what it holds it holds
as a context that is implemented in C: nothing comes between. A user that drives has a lease: a lock of its
own, entered first and shown afterwards. The lease is good while that lock is held, and the background thread
rests on it. In the middle of a change to core or stream an interrupt leaves them half changed. So the driver
is `poisoned` while a change is under way, and who finds it so afterwards ends the client, rather than going
on with doubtful numbers. Nobody sleeps in the middle of a change.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, NoReturn, ParamSpec, TypeVar

from kalshi_fix_adapters.config.plan import ConnectionPlan
from kalshi_fix_adapters.engine.client import ClientCore
from kalshi_fix_adapters.engine.user import Ended
from kalshi_fix_adapters.errors import SessionClosedError
from kalshi_fix_adapters.locks import Lock, ReentrantLock
from kalshi_fix_adapters.net.sleeper import READ, READY, WRITE, Sleeper
from kalshi_fix_sansio.errors import KalshiFixError

if TYPE_CHECKING:
    from kalshi_fix_adapters.blocking.transport import Transport

GRACE = 0.02
"""Seconds for which a connection may be left alone after a user has driven, before the background thread
drives. A user who calls again within that time finds the connection free; waking a thread and waiting for it
costs 12 µs there and back on an idle machine, and far more on a busy one."""
_READS_PER_TURN = 8
"""Reads after which the driver looks at the time and writes, however much more there is to be read: a venue
that never pauses must not keep heartbeats from leaving."""
_NOBODY = Lock()
"""The lease while no user drives; never held."""
_OWN_ERRORS = (KalshiFixError, Ended, TypeError, ValueError, ArithmeticError, AttributeError, LookupError)
"""What a change raises by itself, after which the core is as before: what the caller did wrong or is told,
and what Python raises for odd values. Anything else counts as thrown in by a signal handler. That may be any
class, an Exception too, so what is listed here is what is known to be harmless and not what is harmful."""
P = ParamSpec("P")
T = TypeVar("T")
_INTERRUPTED = "a call was interrupted halfway, so the connection was dropped; reconcile what was sent last"
_FORKED = "this process was forked from the one that has the connection; make a client of its own here"


class Background(Enum):
    """What the background thread does; see above."""

    AWAY = "away"
    DRIVING = "driving"
    STANDING_BY = "standing by"
    RESTING = "resting"


class Driver:
    """What the threads of one client share. All of it but `wait` is to be used under `lock`."""

    def __init__(self, plan: ConnectionPlan) -> None:
        self.core: ClientCore = ClientCore(
            plan, wake=self.wake, current_task=threading.get_ident, has_ended=_has_ended
        )
        self.lock: ReentrantLock = ReentrantLock()
        self.poisoned: bool = False
        """Whether a change to core or stream is under way. It is seen true by whoever has just taken the lock
        only if an interrupt has cut a change off; the client is over then."""
        self.forked: bool = False
        """Whether this is the copy in a forked child, where nobody drives; the parent goes on."""
        self._transport: Transport | None = None
        """The connection, while there is one to be driven."""
        self.write: Callable[[bytearray], int] | None = None
        """How to write to that: bound once a connection, because every `send` calls it."""
        self.background: Background = Background.AWAY
        """What the background thread does."""
        self._needed = False
        """Whether the background thread has to drive as soon as no user does."""
        self.background_sleeper: Sleeper = Sleeper()
        """Where the background thread sleeps, whatever it does."""
        self._users_sleeper = self.background_sleeper
        """Where the user that drives sleeps. Two, because a sleeper is for one thread at a time, and the
        background thread sleeps while a user drives."""
        self.user_turns: int = 0
        """How often users have driven; the background thread sees by it whether one has since its last
        look."""
        self._lease = _NOBODY
        """The lock of the user that drives, or that drove last; locked as long as it does."""
        self._due: float | None = None
        """When `core.tick` is due as the driver knows it, monotonic: it sleeps no longer than that."""
        self._waiters: set[threading.Lock] = set()
        """Users that wait without driving and were not told since; each sleeps by acquiring its lock a second
        time."""
        # `wake` may be called before `open` makes the sleepers; on one that is closed it does nothing.
        self.close()
        _all.add(self)

    def open(self) -> None:
        """Be ready for a background thread that starts."""
        self.poisoned = self.forked = False
        self.background_sleeper, self._users_sleeper = Sleeper(), Sleeper()

    def close(self) -> None:
        """The background thread is over."""
        self.background = Background.AWAY
        self.background_sleeper.close()
        self._users_sleeper.close()
        self.notify()

    def forked_off(self) -> None:
        """In a forked child: leave the connection to the parent, whatever its threads were about to do."""
        # A new lock: a thread of the parent, which this process does not have, may have held the old one.
        self.lock = ReentrantLock()
        self.poisoned = self.forked = True
        self._lease = _NOBODY
        if self._transport is not None:
            # No goodbye of TLS: it would go out on the parent's connection and end that.
            self._transport.abort()
            self._transport = self.write = None
        self._waiters.clear()
        self.close()

    def wake(self) -> None:
        """Let the driver look again, or the background thread if there is none."""
        if self._lease.locked():
            self._users_sleeper.wake()
        else:
            self._wake_background()

    def _wake_background(self) -> None:
        self._needed = True
        self.background_sleeper.wake()

    def notify(self) -> None:
        """Let users that wait without driving look again: with all of them, since each looks for something
        else."""
        for each in self._waiters:
            # One that is free was told by a call that was cut off; to release it again would raise.
            if each.locked():
                each.release()
        # Who goes on waiting comes with another lock. An interrupt may have kept others from taking theirs
        # out.
        self._waiters.clear()

    @property
    def lease(self) -> Lock | None:
        """What the user that drives holds as long as it does; None if none drives."""
        return self._lease if self._lease.locked() else None

    # Changes that must be whole, or poison the client

    def change(self, act: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Let a function change the core, write what the core has to say then, and wake the driver if it does
        not sleep for what is left to be done; an interrupt in the middle ends the client.

        What takes something from the core goes to `wait` instead, which does not write: what was taken would
        be lost if that failed.
        """
        core = self.core
        self.poisoned = True
        try:
            result = act(*args, **kwargs)
            if core.output and self.write is not None:
                try:
                    core.flush(self.write)
                except Exception as error:  # noqa: BLE001 - it is raised again in the user's calls
                    # Not raised here: the message has its number and may have left. Whoever sees an error
                    # from `send` sends again, and that would be a second order.
                    core.failure(error)
                    self.wake()
            # The socket has not taken all, so the driver has to watch for room. Inside of the change: an
            # interrupt between the two would leave bytes that nobody writes until something else wakes it.
            if core.output:
                self.wake()
        except _OWN_ERRORS:
            self.poisoned = False
            raise
        except BaseException:
            # An interrupt: it stays poisoned. Whoever is woken sees that and ends the connection.
            self.wake()
            raise
        self.poisoned = False
        # A change may have a deadline before the one until which the driver sleeps: that of a Logout, say.
        # Without a driver the background thread looks after GRACE by itself, and need not be woken.
        if self.background is Background.DRIVING or self._lease.locked():
            due = core.due()
            if due is not None and (self._due is None or due < self._due):
                self.wake()
        return result

    def refuse(self, kind: type[SessionClosedError]) -> NoReturn:
        """Raise that the client is over: it is `poisoned`. The background thread is to see that, too."""
        self._wake_background()
        raise kind(_FORKED if self.forked else _INTERRUPTED)

    def _prepare(self, transport: Transport, sleeper: Sleeper, deadline: float | None = None) -> float | None:
        """Have the sleeper watch for what the next turn needs; return the seconds to sleep, None for any
        time. `deadline` is the user's, monotonic."""
        core = self.core
        until = self._due = core.due()
        if deadline is not None and (until is None or deadline < until):
            until = deadline
        reading = core.wants_read
        interest = READ if reading else 0
        # Watched for writing only where a write will follow: a socket is writable nearly always, and the
        # driver would spin. So not while TLS has to read before it can write (`write_wants_read`).
        if (reading and transport.read_wants_write) or (core.output and not transport.write_wants_read):
            interest |= WRITE
        if interest != sleeper.interest:
            sleeper.watch(transport.number, interest)
        # Bytes inside the TLS layer do not show on the socket, so there is nothing to sleep for.
        if reading and transport.unread:
            return 0.0
        return None if until is None else max(0.0, until - time.monotonic())

    def _turn(self, transport: Transport, ready: bool) -> None:
        """Do what can be done after a sleep: read, do what is due, write. `ready` says that the socket is."""
        core = self.core
        # An interrupt from here to the last line leaves this true: bytes may have been read and not received.
        self.poisoned = True
        try:
            # Before the deadline is looked at: what has come may move it, such as that of a silent peer.
            if ready or transport.unread:
                for _ in range(_READS_PER_TURN):
                    if not core.wants_read or (data := transport.read()) is None:
                        break
                    core.receive(data)
                    if not transport.unread:
                        break
            due = self._due
            if due is not None and due <= time.monotonic():
                core.tick()
            if core.output:
                core.flush(transport.write)
        except Exception as error:  # noqa: BLE001 - it is raised again in the user's calls
            core.failure(error)
        self.poisoned = False
        if self._waiters:
            self.notify()

    # The background thread

    def keep(self, transport: Transport) -> None:
        """Drive a connection that is up whenever no user does, until it is to be closed; close it."""
        core = self.core
        try:
            with self.lock:
                core.connected()
                self._transport, self.write = transport, transport.write
            while self._drive_in_background(transport):
                self._stand_by()
        finally:
            self._retire(transport)
        with self.lock:
            # After `failure` the core has no connection, and what an interrupt has half changed is left
            # alone.
            if not self.poisoned and not core.over:
                core.disconnected()

    def _drive_in_background(self, transport: Transport) -> bool:
        """Drive until a user does (True) or the connection is to be ended (False)."""
        sleeper = self.background_sleeper
        with self.lock:
            if self.lease is not None:
                return True
            self.background = Background.DRIVING
            # Users may wait for one that was interrupted and never told them: now one of them can drive.
            self.notify()
        ready = False
        while True:
            with self.lock:
                if self.background is not Background.DRIVING:
                    # A user has taken over (`wait`) and reads from now on. What comes must not wake this
                    # thread as well.
                    sleeper.watch(transport.number, 0)
                    return True
                self._needed = False
                if not self.poisoned:
                    self._turn(transport, ready)
                if self.poisoned or self.core.finished:
                    return False
                seconds = self._prepare(transport, sleeper)
            # Without the lock: a `send` goes on meanwhile.
            ready = bool(sleeper.sleep(seconds) & READY)

    def _stand_by(self) -> None:
        """Let users drive until none has for a while, or the thread is needed."""
        while True:
            with self.lock:
                self.background = Background.STANDING_BY
                seen = self.user_turns
                needed = self._needed and self.lease is None
            if not needed:
                self.background_sleeper.sleep(GRACE)
            with self.lock:
                lease, idle = self.lease, self.user_turns == seen
                if lease is None and (idle or self._needed):
                    return
                if lease is None or not idle:
                    continue
                # One and the same user has slept since the last look. It may sleep for hours: rest until it
                # lets go, rather than look fifty times a second.
                self.background = Background.RESTING
            _wait_for(lease)

    def _retire(self, transport: Transport) -> None:
        """Take the connection from whoever drives it, and close it."""
        with self.lock:
            self.background = Background.AWAY
            self._transport = self.write = None
            # The user that drives wakes up, sees that its connection is not the present one, and lets go.
            lease = self.lease
            self.wake()
        if lease is not None:
            _wait_for(lease)
        # Before the socket is closed. The system may give its number to the next file that is opened, and
        # `poll` would watch that.
        with self.lock:
            for sleeper in (self.background_sleeper, self._users_sleeper):
                sleeper.watch(transport.number, 0)
        transport.close()

    # Users that wait

    def wait(
        self,
        look: Callable[[], T],
        timeout: float | None,
        error: type[SessionClosedError] = SessionClosedError,
    ) -> T | None:
        """Return what a function finds, called whenever that may have changed; None if it has found nothing
        after `timeout` seconds. What it raises is raised.

        The function may change the core: it is called under the lock, and an interrupt in it ends the client.
        After an interrupt elsewhere, what it has taken of the core is there to be taken again.

        Raises:
            SessionClosedError: that, or its kind `error`, if an interrupt has ended the client.
        """
        core, sleeper = self.core, self._users_sleeper
        deadline = None if timeout is None else time.monotonic() + timeout
        # A timeout of 0 still sleeps once, for no time: that is what reads the socket.
        has_waited = False
        before = core.last_taken
        try:
            # One round for each time that this thread begins to drive, or waits for another one that does.
            while True:
                # What this thread drives, if it does.
                transport: Transport | None = None
                # What it waits for while another one does, or while there is no connection.
                waiter: threading.Lock | None = None
                seconds, ready = None, False
                # Held by `with` before it is shown as `_lease`: an interrupt at any point frees it, and so
                # the background thread that rests on it.
                lease = Lock()
                with lease:
                    # One round for each sleep on the connection.
                    while True:
                        with self.lock:
                            if self.poisoned:
                                self.refuse(error)
                            drives = False
                            try:
                                if transport is not None:
                                    self._turn(transport, ready)
                                # `look` may take something of the core, or send.
                                self.poisoned = True
                                found = look()
                                self.poisoned = False
                                if found is not None:
                                    return found
                                if has_waited and deadline is not None and time.monotonic() >= deadline:
                                    return None
                                # To be driven, unless only its closing is left, which is the background
                                # thread's. `wants_read` first: while it is true `finished` is false.
                                present = self._transport if core.wants_read or not core.finished else None
                                # No user drives: this one does from now on.
                                if transport is None and present is not None and not self._lease.locked():
                                    transport, self._lease = present, lease
                                    # In place of the background thread. That sleeps, since this one has
                                    # the lock, and once awake sees that it stands by.
                                    if self.background is Background.DRIVING:
                                        self.background = Background.STANDING_BY
                                        self.background_sleeper.wake()
                                # Not if the connection has ended, or was replaced, while this one slept.
                                if transport is not None and transport is present:
                                    self.user_turns += 1
                                    seconds = self._prepare(transport, sleeper, deadline)
                                    drives = True
                                elif transport is None:
                                    # Taken once here, and once more to wait: that blocks until `notify`
                                    # releases it, and one that comes in between is not missed.
                                    waiter = threading.Lock()
                                    waiter.acquire()
                                    self._waiters.add(waiter)
                            except _OWN_ERRORS:
                                self.poisoned = False
                                raise
                            finally:
                                # However this turn was left. Before the lock is: nobody may see a lease
                                # of one that does not sleep any more.
                                if transport is not None and not drives:
                                    self._let_go()
                                # Interrupted while it did not drive: whoever does has to end the client.
                                elif self.poisoned:
                                    self.wake()
                        if not drives:
                            break
                        ready = bool(sleeper.sleep(seconds) & READY)
                        has_waited = True
                if waiter is not None:
                    self._wait_for_others(waiter, deadline)
                    has_waited = True
        except _OWN_ERRORS:
            raise
        except BaseException:
            # An interrupt. It may have come after `look` was through, while the lock was left, which is a
            # call of its own: what was taken then has not reached the caller, and goes back.
            with self.lock:
                if not self.poisoned:
                    core.give_back(before)
            raise

    def _let_go(self) -> None:
        """Stop driving; the next one may be another user, or the background thread after GRACE."""
        self._lease = _NOBODY
        if self._waiters:
            self.notify()
        # What cannot wait for GRACE: an end, or bytes that the socket has not taken yet.
        core = self.core
        if self.poisoned or core.output or (not core.wants_read and core.finished):
            self._wake_background()

    def _wait_for_others(self, waiter: threading.Lock, deadline: float | None) -> None:
        if deadline is None:
            waiter.acquire()
        else:
            # A lock takes no timeout beyond TIMEOUT_MAX; a user may give one, as for ever.
            waiter.acquire(timeout=min(max(0.0, deadline - time.monotonic()), threading.TIMEOUT_MAX))
        with self.lock:
            self._waiters.discard(waiter)


def _wait_for(lease: Lock) -> None:
    """Wait for a user to let go of the connection."""
    with lease:
        pass


def _has_ended(thread: int) -> bool:
    return all(each.ident != thread for each in threading.enumerate())


_all: weakref.WeakSet[Driver] = weakref.WeakSet()
"""Those of this process. Weak, so that a client that is dropped can be freed."""


def _forked() -> None:
    for each in list(_all):
        each.forked_off()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
