"""The neutral peer of the round trips: a QuickFIX acceptor in a process of its own.

    python -m benchmarks.acceptor PORT

It answers each NewOrderSingle by an ExecutionReport with ExecType New, and ends when its input does.
"""

from __future__ import annotations

import sys
import tempfile
import traceback
from pathlib import Path

import quickfix

from benchmarks import samples

_SETTINGS = """\
[DEFAULT]
ConnectionType=acceptor
BeginString=FIXT.1.1
DefaultApplVerID=FIX.5.0SP2
NonStopSession=Y
UseDataDictionary=N
ResetOnLogon=Y
SocketAcceptPort={port}
SocketReuseAddress=Y
SocketNodelay=Y
SenderCompID={venue}
TargetCompID={client}
[SESSION]
"""


class Venue(quickfix.Application):  # type: ignore[misc, unused-ignore]
    """Answers orders."""

    def onCreate(self, session_id: quickfix.SessionID) -> None:  # noqa: N802
        """Note the session."""
        self._session_id = session_id
        self._count = 0

    def onLogon(self, session_id: quickfix.SessionID) -> None:  # noqa: N802
        """Ignore it."""

    def onLogout(self, session_id: quickfix.SessionID) -> None:  # noqa: N802
        """Ignore it."""

    def toAdmin(self, message: quickfix.Message, session_id: quickfix.SessionID) -> None:  # noqa: N802
        """Ignore it."""

    def fromAdmin(self, message: quickfix.Message, session_id: quickfix.SessionID) -> None:  # noqa: N802
        """Ignore it."""

    def toApp(self, message: quickfix.Message, session_id: quickfix.SessionID) -> None:  # noqa: N802
        """Ignore it."""

    def fromApp(self, message: quickfix.Message, session_id: quickfix.SessionID) -> None:  # noqa: N802
        """Answer an order; an exception that left this would end the process."""
        try:
            self._count += 1
            report = quickfix.Message()
            report.getHeader().setField(35, "8")
            size = message.getField(38)
            values = (
                (37, f"venue-{self._count}"),
                (11, message.getField(11)),
                (17, f"exec-{self._count}"),
                (150, "0"),
                (39, "0"),
                (54, message.getField(54)),
                (55, message.getField(55)),
                (38, size),
                (151, size),
                (14, "0"),
                (6, "0"),
            )
            for tag, value in values:
                report.setField(tag, value)
            quickfix.Session.sendToTarget(report, session_id)
        except Exception:  # noqa: BLE001
            traceback.print_exc()


def main() -> None:
    """Accept until the input ends."""
    port = int(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "acceptor.cfg")
        path.write_text(_SETTINGS.format(port=port, venue=samples.VENUE, client=samples.KEY_ID))
        # The engine keeps references, not owners: all of these must live as long as it does.
        settings = quickfix.SessionSettings(str(path))
        venue, store = Venue(), quickfix.MemoryStoreFactory()
        engine = quickfix.ThreadedSocketAcceptor(venue, store, settings)
        engine.start()
        print("listening", flush=True)
        sys.stdin.read()
        engine.stop()


if __name__ == "__main__":
    main()
