"""After a crash of any process at any step, the two sides establish a session again and agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from kalshi_fix_sansio.config import Role
from tests.helpers import config
from tests.session.crash_world import Side, Step, World, world

Script = Callable[[World], Iterator[Step]]


def trade_script(w: World) -> Iterator[Step]:
    """Log on, and trade twice."""
    yield from w.connect()
    for _ in range(2):
        yield w.order
        yield w.order
        yield from w.settle(2)


def reset_script(*names: str) -> Script:
    """Return a script in which these sides reset the sequence numbers in the session at the same time."""

    def script(w: World) -> Iterator[Step]:
        yield from trade_script(w)
        for name in names:
            yield partial(reset, getattr(w, name))
        yield from w.settle(1 + len(names))
        yield w.order
        yield from w.settle(2)

    return script


def reset(side: Side) -> None:
    if side.session.is_established:
        side.session.reset(side.clock.now)


def new_world(*, reset_seq_num: bool = False, offer: bool = False) -> World:
    return world(
        config(reset_seq_num=reset_seq_num, offer_next_expected=offer, explicit_confirm=True),
        config(Role.ACCEPTOR, explicit_confirm=True),
    )


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


FAILURES = {
    "the connection is lost": (),
    "the client crashes": ("client",),
    "the venue crashes": ("venue",),
    "both crash": ("client", "venue"),
}
SCRIPTS: dict[str, Script] = {
    "trading": trade_script,
    "the client resets": reset_script("client"),
    "the venue resets": reset_script("venue"),
    "both reset": reset_script("client", "venue"),
}
every_script = pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)


@pytest.mark.parametrize(
    "all_survive", [False, True], ids=["only committed records survive", "all records survive"]
)
@pytest.mark.parametrize("crashed", FAILURES.values(), ids=FAILURES)
@every_script
@pytest.mark.parametrize("settings", [{}, {"reset_seq_num": True}, {"offer": True}], ids=str)
def test_the_pair_always_recovers_from_a_crash(
    settings: dict[str, bool], script: Script, crashed: tuple[str, ...], all_survive: bool
) -> None:
    finished, crash_at = False, 0
    while not finished:
        w, finished = new_world(**settings), True
        for number, step in enumerate(script(w)):
            if number == crash_at:
                finished = False
                break
            step()
        w.crash(*crashed, all_survive=all_survive)
        recover(w)
        crash_at += 1


@pytest.mark.parametrize("second", FAILURES.values(), ids=FAILURES)
@pytest.mark.parametrize("first", FAILURES.values(), ids=FAILURES)
@every_script
def test_the_pair_recovers_from_a_second_crash_during_recovery(
    script: Script, first: tuple[str, ...], second: tuple[str, ...]
) -> None:
    finished, crash_at = False, 0
    while not finished:
        w, finished = new_world(), True
        for number, step in enumerate(script(w)):
            if number == crash_at:
                finished = False
                break
            step()
        w.crash(*first, all_survive=False)
        second_crash_at = crash_at * 7 % 50
        for number, step in enumerate(reconnect_and_trade(w)):
            if number == second_crash_at:
                break
            step()
        w.crash(*second, all_survive=crash_at % 2 == 0)
        recover(w)
        crash_at += 3
