"""Sessions that handle incoming messages incorrectly."""

from __future__ import annotations

from typing import Any

import attrs

from kalshi_fix_sansio.events import CloseReason, MessageReceived, MessagesLost
from kalshi_fix_sansio.framing import Framer
from kalshi_fix_sansio.session import receive
from kalshi_fix_sansio.session.checks import Verdict, sending_time_problem
from kalshi_fix_sansio.session.core import Core
from kalshi_fix_sansio.session.receive import Receiver
from kalshi_fix_sansio.session.recovery import Recovery
from kalshi_fix_sansio.session.timers import SendingTimes
from tests.simulation.mutants.patching import caught_by, do_nothing, replace, replace_every, wrap
from tests.simulation.schedule import Side
from tests.simulation.world import World


def _deliver_duplicates(classify: Any, *arguments: Any, **named: Any) -> Verdict:
    verdict: Verdict = classify(*arguments, **named)
    return Verdict.EXPECTED if verdict is Verdict.DUPLICATE else verdict


def _ignore_gaps(classify: Any, *arguments: Any, **named: Any) -> Verdict:
    verdict: Verdict = classify(*arguments, **named)
    return Verdict.EXPECTED if verdict is Verdict.TOO_HIGH else verdict


def _leave_unmarked(message: Any, poss_dup: bool, *rest: Any) -> MessageReceived:
    return MessageReceived(message, False, *rest)


def _accept_every_check_sum(framer: Framer, start: int, end: int) -> int:
    return int(framer._buffer[end + 3 : end + 6])


def _lose_too_much(emit: Any, core: Core, event: Any) -> None:
    emit(core, attrs.evolve(event, end=event.end + 3) if isinstance(event, MessagesLost) else event)


def _lose_silently(emit: Any, core: Core, event: Any) -> None:
    if not isinstance(event, MessagesLost):
        emit(core, event)


def _hold_without_bound(config: Any, world: World, side: Side, **named: Any) -> Any:
    return attrs.evolve(config(world, side, **named), max_held=10**6)


def _raise_on_garbage(take: Any, framer: Framer) -> Any:
    raise ValueError(f"garbage: {take(framer).reason}")


def _end_on_heartbeat(receiver: Receiver, message: Any, now: Any) -> None:
    receiver._core.break_off(CloseReason.PROTOCOL_ERROR, "a Heartbeat was received", now)


def _count_refused_messages(refuse: Any, receiver: Receiver, message: Any, *rest: Any) -> None:
    refuse(receiver, message, *rest)
    receiver._advance_past(message.header.msg_seq_num)


def _check_the_time(receiver: Receiver, header: Any, now: Any) -> Any:
    return sending_time_problem(header, receiver._core.config, now)


def _accept_one_name(record_peer: Any, core: Core, name: str) -> None:
    record_peer(core, name)
    core.peer_names = frozenset((name,))


MUTANTS = {
    "duplicates that are delivered again": caught_by(wrap(receive, "classify", _deliver_duplicates), "order"),
    "gaps that are not detected": caught_by(wrap(receive, "classify", _ignore_gaps), "silent loss"),
    "duplicates that are not marked": caught_by(
        replace(receive, "MessageReceived", _leave_unmarked), "unmarked"
    ),
    "checksums that are not checked": caught_by(
        replace(Framer, "_check_sum", _accept_every_check_sum), "altered", "invented"
    ),
    "a loss that is reported as larger than it is": caught_by(
        wrap(Core, "emit", _lose_too_much), "false loss"
    ),
    "a loss that is not reported": caught_by(wrap(Core, "emit", _lose_silently), "silent loss"),
    "a gap after which all messages are held": caught_by(
        wrap(World, "config", _hold_without_bound), "unbounded"
    ),
    "a framer that raises an exception for garbage": caught_by(
        wrap(Framer, "_take_garbage", _raise_on_garbage), "ValueError"
    ),
    "a session that ends without a reason": caught_by(
        replace_every(50, Receiver, "_handle_heartbeat", _end_on_heartbeat), "unexplained"
    ),
    "a session that counts refused messages": caught_by(
        wrap(Receiver, "_refuse", _count_refused_messages), "silent loss", "unsettled"
    ),
    "a session that refuses late messages permanently": caught_by(
        replace(Receiver, "_is_for_user", lambda *_: False), "refused for good"
    ),
    "a session that checks the time of resent messages": caught_by(
        replace(Receiver, "_time_problem", _check_the_time), "unexplained", "unsettled"
    ),
    "a session that does not notice that it was blocked": caught_by(
        replace(SendingTimes, "may_have_waited", lambda *_: False), "unexplained"
    ),
    "a session that accepts only one name of its peer": caught_by(
        wrap(Core, "record_peer", _accept_one_name), "unexplained"
    ),
    "a gap that is not requested": caught_by(replace(Recovery, "_request", do_nothing), "unsettled"),
}
