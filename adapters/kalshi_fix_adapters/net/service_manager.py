"""Reports to the service manager that started this process, with systemd's protocol (sd_notify).

Without a service manager, or on a system without Unix sockets, no reports are sent.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from typing import Final

_REPORTS_PER_PERIOD: Final = 3
"""Number of reports in each watchdog period. The service manager kills a process that sends no report for a
whole period.
"""


class ServiceManager:
    """Sends reports to the socket that the environment variable NOTIFY_SOCKET names."""

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "") if hasattr(socket, "AF_UNIX") else ""
        # A name that begins with @ is in the abstract namespace. The address of such a socket begins with a
        # zero byte instead.
        if self._address.startswith("@"):
            self._address = "\0" + self._address[1:]
        self._stopped = threading.Event()

    def notify(self, state: str) -> None:
        """Report a state, such as `READY=1`. A report that cannot be sent is dropped."""
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
            # A full socket must not block this process.
            connection.setblocking(False)
            connection.sendto(state.replace("\n", " ").encode(), self._address)

    def start_watchdog(self) -> None:
        """Report regularly that this process is running, if the manager requires it (WATCHDOG_USEC)."""
        microseconds = os.environ.get("WATCHDOG_USEC", "")
        for_another_process = os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid())
        if not self._address or for_another_process or not microseconds.isdecimal() or int(microseconds) == 0:
            return
        # Each thread has its own event. So a stopped thread ends, even if the next one starts before the
        # stopped thread has checked its event.
        self._stopped = threading.Event()
        interval = int(microseconds) / 1_000_000 / _REPORTS_PER_PERIOD
        threading.Thread(
            target=self._report_regularly,
            args=(interval, self._stopped),
            name="kalshi-fix-watchdog",
            daemon=True,
        ).start()

    def stop_watchdog(self) -> None:
        """Stop reporting that this process is running."""
        self._stopped.set()

    def _report_regularly(self, interval: float, stopped: threading.Event) -> None:
        # A separate thread sends the reports, so they show only that the process is running. If a commit or a
        # connection hangs, the client detects it and ends the session.
        self.notify("WATCHDOG=1")
        while not stopped.wait(interval):
            self.notify("WATCHDOG=1")
