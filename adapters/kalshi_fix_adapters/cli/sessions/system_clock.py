"""Whether the clock of this machine is synchronized, according to the Linux kernel (adjtimex).

chrony, ntpd, systemd-timesyncd and PTP daemons all report to the kernel, and any user may read the clock
state that the kernel keeps. So it is not necessary to detect or query a particular service. The kernel
reports that the clock is not synchronized from boot until the first correction, and if the last correction
was more than about nine hours ago.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import Any

import attrs

_TIME_ERROR = 5
"""The result of adjtimex if the clock is not synchronized."""
_MICROSECONDS = 1_000_000


class Timex(ctypes.Structure):
    """The first fields of `struct timex`, with space for the other fields. With `modes` 0, adjtimex changes
    nothing.
    """

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("rest", ctypes.c_byte * 512),
    )


@attrs.frozen
class Synchronization:
    """The state of this machine's clock."""

    synchronized: bool
    max_error: float
    """Maximum error of the clock in seconds, as estimated by the kernel."""


def read_synchronization(adjtimex: Callable[[Any], int] | None = None) -> Synchronization | None:
    """Return the state of the clock; None on systems other than Linux, or if reading it is not permitted."""
    if adjtimex is None:
        if sys.platform != "linux":
            return None
        adjtimex = ctypes.CDLL(None).adjtimex
    timex = Timex()
    result = adjtimex(ctypes.byref(timex))
    if result < 0:
        return None
    return Synchronization(result != _TIME_ERROR, timex.maxerror / _MICROSECONDS)
