"""Sessions that write messages they must not write, or write messages late."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import attrs

from kalshi_fix_sansio.session.core import HEARTBEAT
from kalshi_fix_sansio.session.machine import Session
from kalshi_fix_sansio.session.outbound import Outbound
from kalshi_fix_sansio.session.receive import Receiver
from kalshi_fix_sansio.session.resend import Resender
from kalshi_fix_sansio.session.timers import Timers
from tests.simulation.mutants.patching import caught_by, do_nothing, replace, replace_every, wrap
from tests.simulation.schedule import Side
from tests.simulation.world import World


def _change_orig_sending_time(
    send_again: Any, resender: Resender, message: Any, stored: Any, now: Any
) -> None:
    earlier = attrs.evolve(stored, sent_at=stored.sent_at - timedelta(seconds=1))
    send_again(resender, message, earlier, now)


def _reuse_number(outbound: Outbound, seq_num: int, frame: bytes, now: Any, **_: object) -> None:
    outbound.write(frame, now)


def _skip_number(commit: Any, outbound: Outbound, seq_num: int, frame: bytes, now: Any, **rest: Any) -> None:
    commit(outbound, seq_num, frame, now, **rest)
    if seq_num % 20 == 0:
        outbound._ledger.store.record_sent(seq_num + 1, None)


def _keep_heartbeat(receiver: Receiver, now: Any) -> None:
    outbound = receiver._core.outbound
    outbound.post(outbound.admin(HEARTBEAT), now, keep=True)


def _fill_backwards(fill: Any, resender: Resender, job: Any, new_seq_no: int, now: Any) -> None:
    if new_seq_no > job.position:
        outbound = resender._core.outbound
        message = outbound.admin("4", gap_fill_flag=True, new_seq_no=job.position)
        header = outbound.header(
            "4", job.position, now, fields={"poss_dup_flag": True, "orig_sending_time": now.utc}
        )
        outbound.write(resender._core.codec.encode(message, header), now)
        job.position = new_seq_no


def _report_deadline_late(next_deadline: Any, timers: Timers, state: Any) -> float | None:
    due: float | None = next_deadline(timers, state)
    return None if due is None else due + 0.3 * timers.heart_bt_int


def _decline_reports(config: Any, world: World, side: Side, **named: Any) -> Any:
    settings = config(world, side, **named)
    if side is Side.CLIENT:
        return settings
    return attrs.evolve(settings, resend_policy=lambda message, _: message.MSG_TYPE != "8")


MUTANTS = {
    "a resend that omits a message": caught_by(
        replace_every(3, Resender, "_resend_message", do_nothing), "unsettled", "silent loss"
    ),
    "a resend with a different OrigSendingTime": caught_by(
        wrap(Resender, "_resend_message", _change_orig_sending_time), "changed"
    ),
    "a resend of session messages": caught_by(
        replace(Receiver, "send_heartbeat", _keep_heartbeat), "admin resent"
    ),
    "a resend that declines reports": caught_by(
        wrap(World, "config", _decline_reports), "lost to a gap fill"
    ),
    "a gap fill with a wrong NewSeqNo": caught_by(wrap(Resender, "_fill", _fill_backwards), "gap fill"),
    "a number that is used twice": caught_by(
        replace_every(50, Outbound, "record_and_queue", _reuse_number), "number reused", "altered"
    ),
    "a number that is skipped": caught_by(wrap(Outbound, "record_and_queue", _skip_number), "number skipped"),
    "a heartbeat that is late": caught_by(
        wrap(Timers, "next_deadline", _report_deadline_late), "late heartbeat"
    ),
    "a session that does not close": caught_by(
        replace(Session, "wants_close", property(lambda _: False)), "unsettled"
    ),
}
