"""QuickFIX: an initiator that is measured, and the acceptor with which every client trades.

    python -m benchmarks.clients.quickfix_peer PORT

Until its standard input ends, the acceptor answers each NewOrderSingle with an ExecutionReport whose ExecType
is New.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import quickfix

from benchmarks import samples

REPORT_TAGS = (11, 37, 17, 150, 39, 54, 55, 38, 151, 14, 6)
_SETTINGS = """\
[DEFAULT]
ConnectionType={role}
BeginString=FIXT.1.1
DefaultApplVerID=FIX.5.0SP2
NonStopSession=Y
HeartBtInt=30
ReconnectInterval=1
UseDataDictionary=N
ResetOnLogon=Y
SocketNodelay=Y
SocketAcceptPort={port}
SocketReuseAddress=Y
SocketConnectHost=127.0.0.1
SocketConnectPort={port}
SenderCompID={sender}
TargetCompID={target}
[SESSION]
"""


class Peer(quickfix.Application):  # type: ignore[misc, unused-ignore]
    """One QuickFIX session, open while the context lasts; it passes application messages to `receive`."""

    def __init__(
        self,
        role: str,
        port: int,
        receive: Callable[[quickfix.Message], None],
        venue: str = samples.VENUE,
    ) -> None:
        super().__init__()
        self.logged_on = threading.Event()
        self._receive = receive
        names = (venue, samples.KEY_ID)
        sender, target = names if role == "acceptor" else reversed(names)
        with TemporaryDirectory() as folder:
            path = Path(folder, "quickfix.cfg")
            path.write_text(_SETTINGS.format(role=role, port=port, sender=sender, target=target))
            self._settings = quickfix.SessionSettings(str(path))
        # The C++ engine refers to these objects without owning them, so they must exist as long as it does.
        self._store = quickfix.MemoryStoreFactory()
        kind = quickfix.ThreadedSocketAcceptor if role == "acceptor" else quickfix.SocketInitiator
        self._engine = kind(self, self._store, self._settings)

    def __enter__(self) -> Self:
        self._engine.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.stop()

    def send(self, msg_type: str, fields: samples.Fields) -> None:
        message = quickfix.Message()
        message.getHeader().setField(35, msg_type)
        for tag, value in fields:
            message.setField(tag, value)
        quickfix.Session.sendToTarget(message, self._session_id)

    # The engine calls these methods. An exception raised in one would end the process, so it is printed.

    def onCreate(self, session_id: quickfix.SessionID) -> None:  # noqa: N802
        self._session_id = session_id

    def onLogon(self, _: quickfix.SessionID) -> None:  # noqa: N802
        self.logged_on.set()

    def fromApp(self, message: quickfix.Message, _: quickfix.SessionID) -> None:  # noqa: N802
        try:
            self._receive(message)
        except Exception:  # noqa: BLE001
            traceback.print_exc()

    def _ignore(self, *_: Any) -> None: ...

    onLogout = toAdmin = fromAdmin = toApp = _ignore  # noqa: N815


def main() -> None:
    """Accept orders until the input ends."""
    numbers = count(1)

    def answer(order: quickfix.Message) -> None:
        number, size = next(numbers), order.getField(38)
        varying = {
            11: order.getField(11),
            37: f"venue-{number}",
            17: f"exec-{number}",
            54: order.getField(54),
            55: order.getField(55),
        }
        fixed = {150: "0", 39: "0", 38: size, 151: size, 14: "0", 6: "0"}
        venue.send("8", [*(varying | fixed).items()])

    venue = Peer("acceptor", int(sys.argv[1]), answer)
    with venue:
        print("listening", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
