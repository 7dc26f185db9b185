"""After a crash of any process at any step, the two sides establish a session again and agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.session import Session
from tests.helpers import config
from tests.session.crash_world import Step, World, world

Script = Callable[[World], Iterator[Step]]
Failure = Callable[[World, bool], None]


def trading(w: World) -> Iterator[Step]:
    """Log on and trade, lose the connection, log on and trade again."""
    yield from w.connect()
    for _ in range(2):
        yield w.order
        yield w.order
        yield from w.settle(2)


def client_resets(w: World) -> Iterator[Step]:
    """The client resets the numbers within the session."""
    yield from trading(w)
    yield lambda: reset(w.client.session, w)
    yield from w.settle(2)
    yield w.order
    yield from w.settle(2)


def venue_resets(w: World) -> Iterator[Step]:
    """The venue resets the numbers within the session."""
    yield from trading(w)
    yield lambda: reset(w.venue.session, w)
    yield from w.settle(2)
    yield w.order
    yield from w.settle(2)


def both_reset(w: World) -> Iterator[Step]:
    """Both sides reset the numbers at the same time."""
    yield from trading(w)
    yield lambda: reset(w.client.session, w)
    yield lambda: reset(w.venue.session, w)
    yield from w.settle(3)
    yield w.order
    yield from w.settle(2)


def reset(session: Session, w: World) -> None:
    if session.is_established:
        session.reset(w.clock.now)


def new(*, reset_seq_num: bool = False, offer: bool = False) -> World:
    return world(
        config(reset_seq_num=reset_seq_num, offer_next_expected=offer, explicit_confirm=True),
        config(Role.ACCEPTOR, explicit_confirm=True),
    )


def cut(w: World, lucky: bool) -> None:
    del lucky
    w.cut()


def client_crashes(w: World, lucky: bool) -> None:
    w.crash(w.client, lucky=lucky)


def venue_crashes(w: World, lucky: bool) -> None:
    w.crash(w.venue, lucky=lucky)


def both_crash(w: World, lucky: bool) -> None:
    w.crash(w.client, w.venue, lucky=lucky)


def reconnect_and_trade(w: World) -> Iterator[Step]:
    """Connect again and trade."""
    yield from w.connect()
    yield w.order
    yield from w.settle(4)


def recover(w: World) -> None:
    """Connect again, trade, and check the final state."""
    for step in reconnect_and_trade(w):
        step()
    w.check()


FAILURES: list[Failure] = [cut, client_crashes, venue_crashes, both_crash]
SCRIPTS: list[Script] = [trading, client_resets, venue_resets, both_reset]


@pytest.mark.parametrize(
    "lucky", [False, True], ids=["only committed records survive", "all records survive"]
)
@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("settings", [{}, {"reset_seq_num": True}, {"offer": True}], ids=str)
def test_the_pair_always_recovers_from_a_crash(
    settings: dict[str, bool], script: Script, failure: Failure, lucky: bool
) -> None:
    finished, crash_at = False, 0
    while not finished:
        w, finished = new(**settings), True
        for number, step in enumerate(script(w)):
            if number == crash_at:
                finished = False
                break
            step()
        failure(w, lucky)
        recover(w)
        crash_at += 1


@pytest.mark.parametrize("second", FAILURES)
@pytest.mark.parametrize("first", FAILURES)
@pytest.mark.parametrize("script", SCRIPTS)
def test_the_pair_recovers_from_a_second_crash_during_recovery(
    script: Script, first: Failure, second: Failure
) -> None:
    finished, crash_at = False, 0
    while not finished:
        w, finished = new(), True
        for number, step in enumerate(script(w)):
            if number == crash_at:
                finished = False
                break
            step()
        first(w, False)
        second_crash_at = crash_at * 7 % 50
        for number, step in enumerate(reconnect_and_trade(w)):
            if number == second_crash_at:
                break
            step()
        second(w, crash_at % 2 == 0)
        recover(w)
        crash_at += 3
