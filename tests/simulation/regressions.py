"""Schedules that once broke an invariant, shortened, by what was wrong. README.md tells each one's story."""

from __future__ import annotations

from tests.simulation.schedule import Fault, Kind, Schedule, Side

REGRESSIONS = {
    "an acceptor forgets that its reset was never answered": Schedule(
        seed=30,
        calm=23.8,
        orders=0,
        reports=0,
        faults=(Fault(13.0, Kind.VANISH, Side.CLIENT), Fault(23.0, Kind.RESET, Side.VENUE)),
    ),
    "an acceptor forgets it across a failed store": Schedule(
        seed=966,
        heart_bt_int=5,
        calm=17.2,
        orders=0,
        reports=0,
        faults=(Fault(6.0, Kind.DISK, Side.VENUE, 13.0, 1), Fault(7.0, Kind.RESET, Side.VENUE)),
    ),
    "a Reject that is never sent again leaves its order open": Schedule(
        seed=69,
        heart_bt_int=30,
        calm=200.0,
        orders=8,
        reports=0,
        faults=(
            Fault(113.0, Kind.FREEZE, Side.VENUE, 53.0),
            Fault(153.0, Kind.FREEZE, Side.VENUE, 34.0),
        ),
    ),
    "a report refused for its SendingTime leaves its order open": Schedule(
        seed=4,
        heart_bt_int=30,
        calm=77.6,
        orders=8,
        reports=0,
        faults=(Fault(76.6, Kind.CLOCK, Side.VENUE, 13.0, -40),),
    ),
    "what was sent again waits for answers that are lost": Schedule(
        seed=3621,
        heart_bt_int=3,
        calm=60.0,
        orders=5,
        reports=7,
        keep=5,
        faults=(
            Fault(0.2, Kind.CRASH, Side.VENUE, 1.0, 19),
            Fault(4.0, Kind.CRASH, Side.VENUE, 30.0),
        ),
    ),
    "a cancel that was sent again waits for answers that are lost": Schedule(
        seed=948,
        heart_bt_int=30,
        calm=30.0,
        orders=30,
        reports=0,
        keep=30,
        faults=(
            Fault(8.0, Kind.DISK, Side.VENUE, 8.0),
            Fault(10.0, Kind.BURST, Side.VENUE, 0.0, 13),
        ),
    ),
    "what is forgotten during a resend is gap-filled": Schedule(
        seed=12558,
        heart_bt_int=5,
        calm=60.0,
        orders=30,
        reports=10,
        resend_orders=True,
        keep=5,
        page=1,
        faults=(Fault(28.6, Kind.VANISH, Side.VENUE),),
    ),
    "a Reject of an old order does not say which": Schedule(
        seed=22673,
        session="KalshiNR",
        heart_bt_int=30,
        calm=60.0,
        orders=22,
        reports=0,
        faults=(Fault(9.0, Kind.FREEZE, Side.VENUE, 74.0),),
    ),
    "a restart of the numbers that a crash keeps from the user": Schedule(
        seed=1782,
        heart_bt_int=30,
        calm=5.3,
        orders=0,
        reports=0,
        pace=1.0,
        faults=(
            Fault(3.9, Kind.CRASH, Side.CLIENT),
            Fault(4.2, Kind.RESET, Side.CLIENT),
            Fault(4.3, Kind.CRASH, Side.VENUE),
        ),
    ),
    "what is kept is given up because the peer's memory shrinks": Schedule(
        seed=1090,
        heart_bt_int=30,
        calm=28.9,
        orders=0,
        reports=0,
        resend_orders=True,
        keep=30,
        faults=(
            Fault(16.0, Kind.VANISH, Side.CLIENT),
            Fault(18.0, Kind.BURST, Side.VENUE, 0.0, 44),
            Fault(28.0, Kind.BURST, Side.CLIENT, 0.0, 23),
        ),
    ),
    "a message that comes slowly is thrown away": Schedule(
        seed=578,
        session="KalshiNR",
        heart_bt_int=5,
        calm=83.3,
        orders=0,
        reports=0,
        faults=(Fault(73.0, Kind.FULL, Side.VENUE, 9.0, 1),),
    ),
}
