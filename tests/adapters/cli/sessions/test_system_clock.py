"""The result of adjtimex, from a stub and from this machine's kernel."""

from __future__ import annotations

import ctypes
import struct
import subprocess
import sys
from typing import Any

import pytest

from kalshi_fix_adapters.cli.sessions.system_clock import Synchronization, Timex, read_synchronization

ERROR = 5


@pytest.mark.parametrize(
    ("result", "found"),
    [
        (0, Synchronization(True, 0.0125)),
        (1, Synchronization(True, 0.0125)),  # a leap second is announced
        (4, Synchronization(True, 0.0125)),
        (ERROR, Synchronization(False, 0.0125)),
        (-1, None),
    ],
)
def test_the_state_is_derived_from_the_result_of_adjtimex(result: int, found: Synchronization | None) -> None:
    def adjtimex(argument: Any) -> int:
        timex = argument._obj
        assert timex.modes == 0, "the clock must not be changed"
        timex.maxerror = 12_500
        return result

    assert read_synchronization(adjtimex) == found


def test_systems_other_than_linux_report_no_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert read_synchronization() is None


@pytest.mark.skipif(sys.platform != "linux", reason="adjtimex is a Linux system call")
def test_this_machine_agrees_with_the_raw_structure() -> None:
    """Another process reads the structure by offset: an int and its padding, then longs."""
    code = (
        "import ctypes, sys; raw = ctypes.create_string_buffer(1024); "
        "print(ctypes.CDLL(None).adjtimex(raw)); sys.stdout.flush(); sys.stdout.buffer.write(raw.raw[:32])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    result, raw = printed.split(b"\n", 1)
    found = read_synchronization()
    if int(result) < 0:
        assert found is None
        return
    assert found is not None
    assert found.synchronized is (int(result) != ERROR)
    [max_error] = struct.unpack_from("@l", raw, Timex.maxerror.offset)
    assert Timex.maxerror.offset == 3 * ctypes.sizeof(ctypes.c_long)
    # The error bound grows by 500 microseconds a second between the calls, and shrinks when the clock is
    # corrected.
    assert (max_error > 0) is (found.max_error > 0)
