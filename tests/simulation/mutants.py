"""Sessions, stores and disks with one fault each, to see that the invariants can fail.

A mutant is a patch; `EXPECTED` says which invariant must catch it, and `test_mutants.py` how many seeds that
may take.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any
from unittest.mock import patch

import attrs

from kalshi_fix_sansio.errors import StoreError
from kalshi_fix_sansio.events import MessagesLost
from kalshi_fix_sansio.framing import Framer
from kalshi_fix_sansio.session import receive
from kalshi_fix_sansio.session.core import Core
from kalshi_fix_sansio.session.ledger import Ledger
from kalshi_fix_sansio.session.machine import Session
from kalshi_fix_sansio.session.outbound import Outbound
from kalshi_fix_sansio.session.recovery import Recovery
from kalshi_fix_sansio.session.resend import Resender
from kalshi_fix_sansio.session.sequence import Verdict, judge
from kalshi_fix_sansio.session.timers import Timers
from tests.simulation.disk import Disk, DiskStore
from tests.simulation.world import World

Mutant = Callable[[], AbstractContextManager[object]]


def _instead(owner: Any, name: str, replacement: Callable[..., Any]) -> Mutant:
    return lambda: patch.object(owner, name, replacement)


def _every(count: int, owner: Any, name: str, replacement: Callable[..., Any]) -> Mutant:
    """Let every so many-th call go wrong."""
    original = getattr(owner, name)

    @contextmanager
    def mutant() -> Iterator[None]:
        calls = 0

        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal calls
            calls += 1
            return (original if calls % count else replacement)(*arguments, **named)

        with patch.object(owner, name, call):
            yield

    return mutant


# The store and its disk


def _forget_the_commit(store: DiskStore) -> None:
    """Everything seems to be well."""


def _lose_more(disk: Disk, random: object) -> None:
    """A sync that does not wait for the disk."""
    del disk.log[len(disk.log) // 2 :]
    disk.marks = [mark for mark in disk.marks if mark <= len(disk.log)]


def _forget_requests(store: DiskStore, request: object) -> None:
    """The order leaves, and nothing is known of it after a crash."""


# The session


def _never_commit(ledger: Ledger, *, leaving: bool) -> None:
    """Bytes leave before what they rest on is on the disk."""


def _confirm_at_once(ledger: Ledger) -> None:
    """What was handed out counts as taken care of."""
    ledger._handed.extend(ledger.marks)
    ledger.marks.clear()
    reached = ledger.mark
    if ledger._counting and reached > ledger.store.next_incoming and not ledger.broken:
        with suppress(StoreError):
            ledger.store.advance_incoming(reached)
        ledger._stale = True


def _skip_a_message(resender: Resender, message: object, stored: object, now: object) -> None:
    """A message of a resend is left out, though its number counts."""


def _take_no_number(
    outbound: Outbound, seq_num: int, frame: bytes, stored: object, now: Any, request: object = None
) -> None:
    """The bytes go; the number is not taken."""
    outbound.write(frame, now)


@contextmanager
def _wake_late() -> Iterator[None]:
    """The next deadline is told too late."""
    original = Timers.next_deadline

    def late(timers: Timers, state: Any) -> float | None:
        due = original(timers, state)
        return None if due is None else due + 0.3 * timers.heart_bt_int

    with patch.object(Timers, "next_deadline", late):
        yield


def _deliver_duplicates(seq_num: int, expected: int, *, poss_dup: bool) -> Verdict:
    verdict = judge(seq_num, expected, poss_dup=poss_dup)
    return Verdict.EXPECTED if verdict is Verdict.DUPLICATE else verdict


def _ignore_gaps(seq_num: int, expected: int, *, poss_dup: bool) -> Verdict:
    verdict = judge(seq_num, expected, poss_dup=poss_dup)
    return Verdict.EXPECTED if verdict is Verdict.TOO_HIGH else verdict


def _say_nothing(core: Core, requests: Any, why: object) -> None:
    """Outcomes that will not be learnt are not told."""


def _settle_nothing(ledger: Ledger) -> None:
    """Answered requests stay open in the store."""


def _trust_every_sum(framer: Framer, start: int, end: int) -> int:
    return int(framer._buffer[end + 3 : end + 6])


@contextmanager
def _lose_too_much() -> Iterator[None]:
    """One more message is said to be lost than is."""
    tell = Core.tell

    def tell_more(core: Core, event: Any) -> None:
        if isinstance(event, MessagesLost):
            event = attrs.evolve(event, end=event.end + 3)
        tell(core, event)

    with patch.object(Core, "tell", tell_more):
        yield


@contextmanager
def _lose_silently() -> Iterator[None]:
    """What the peer no longer has is passed over without a word."""
    tell = Core.tell

    def tell_less(core: Core, event: Any) -> None:
        if not isinstance(event, MessagesLost):
            tell(core, event)

    with patch.object(Core, "tell", tell_less):
        yield


@contextmanager
def _hold_everything() -> Iterator[None]:
    """Messages behind a gap are held without end."""
    config = World.config

    def boundless(world: World, side: Any, **named: Any) -> Any:
        return attrs.evolve(config(world, side, **named), max_held=10**6)

    with patch.object(World, "config", boundless):
        yield


@contextmanager
def _raise_at_garbage() -> Iterator[None]:
    """What the peer does wrong is an exception."""
    take = Framer._take_garbage

    def raising(framer: Framer) -> Any:
        raise ValueError(f"garbage: {take(framer).reason}")

    with patch.object(Framer, "_take_garbage", raising):
        yield


def _ask_nothing(recovery: Recovery, begin: int, end: int, now: object) -> None:
    """A gap is found, and nobody is asked to fill it."""


def _stay(session: Session) -> bool:
    return False


MUTANTS: dict[str, tuple[Mutant, frozenset[str]]] = {
    "a store that forgets a commit": (
        _every(7, DiskStore, "commit", _forget_the_commit),
        frozenset({"left early", "number reused"}),
    ),
    "a disk that syncs less than it says": (
        _instead(Disk, "lose_power", _lose_more),
        frozenset({"left early", "number reused", "forgotten"}),
    ),
    "a store that forgets an order": (
        _every(3, DiskStore, "record_request", _forget_requests),
        frozenset({"forgotten", "unsettled"}),
    ),
    "a session that commits too late": (
        _instead(Ledger, "save", _never_commit),
        frozenset({"left early", "number reused"}),
    ),
    "a session that confirms what it hands out": (
        _instead(Ledger, "hand_out", _confirm_at_once),
        frozenset({"silent loss", "unsettled"}),
    ),
    "a resend that leaves out a message": (
        _every(3, Resender, "_send_again", _skip_a_message),
        frozenset({"silent loss", "unsettled"}),
    ),
    "a number that is used twice": (
        _every(50, Outbound, "commit", _take_no_number),
        frozenset({"number reused", "altered"}),
    ),
    "a heartbeat that is late": (_wake_late, frozenset({"late heartbeat"})),
    "duplicates that are delivered again": (
        _instead(receive, "judge", _deliver_duplicates),
        frozenset({"order", "repeated", "silent loss"}),
    ),
    "gaps that nobody sees": (
        _instead(receive, "judge", _ignore_gaps),
        frozenset({"silent loss"}),
    ),
    "unknown outcomes that are not told": (
        _instead(Core, "give_up_on", _say_nothing),
        frozenset({"unsettled", "forgotten"}),
    ),
    "answered orders that stay open": (
        _instead(Ledger, "_settle_confirmed", _settle_nothing),
        frozenset({"unsettled", "listed twice"}),
    ),
    "check sums that are not looked at": (
        _instead(Framer, "_check_sum", _trust_every_sum),
        frozenset({"altered", "invented"}),
    ),
    "a loss that is told of too widely": (_lose_too_much, frozenset({"false loss"})),
    "a loss that is not told of": (_lose_silently, frozenset({"silent loss", "unsettled"})),
    "a gap behind which everything is held": (_hold_everything, frozenset({"unbounded"})),
    "garbage that raises": (_raise_at_garbage, frozenset({"ValueError"})),
    "a gap that is not asked about": (_instead(Recovery, "_request", _ask_nothing), frozenset({"unsettled"})),
    "a session that does not close": (
        lambda: patch.object(Session, "wants_close", property(_stay)),
        frozenset({"unsettled"}),
    ),
}
