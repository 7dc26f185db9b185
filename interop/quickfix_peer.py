"""QuickFIX as the peer: C++ threads that call back into Python."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path

import quickfix

from interop.peer import PATIENCE, Fields, Inbox, Responder, Sign
from tests.adapters.net.peers import unused_port

_SETTINGS = """\
[DEFAULT]
ConnectionType={connection_type}
BeginString=FIXT.1.1
DefaultApplVerID=FIX.5.0SP2
NonStopSession=Y
HeartBtInt=30
ReconnectInterval=1
PersistMessages=Y
UseDataDictionary=Y
TransportDataDictionary={dictionaries}/FIXT11.xml
AppDataDictionary={dictionaries}/FIX50SP2.xml
ValidateLengthAndChecksum=Y
ValidateFieldsOutOfOrder=Y
ValidateFieldsHaveValues=Y
ValidateUserDefinedFields=Y
AllowUnknownMsgFields=N
CheckCompID=Y
CheckLatency=Y
MaxLatency=30
FileLogPath={folder}/log
SocketAcceptPort={port}
SocketReuseAddress=Y
SocketConnectHost=127.0.0.1
SocketConnectPort={port}
ResetOnLogon={reset}
[SESSION]
SenderCompID={sender}
TargetCompID={target}
"""


class QuickfixPeer(quickfix.Application):
    """One QuickFIX session with all dictionary checks enabled."""

    def __init__(
        self,
        folder: Path,
        dictionaries: Path,
        *,
        sender: str,
        target: str,
        responder: Responder | None = None,
        sign: Sign | None = None,
        connect_to: int | None = None,
        inbox: Inbox | None = None,
        queued: Iterable[tuple[str, Fields]] = (),
        settings: Mapping[str, str] | None = None,
        logon: Fields | None = None,
    ) -> None:
        """Listen on a free port, or connect to the port `connect_to`; files are written to `folder`.

        `queued` messages are sent before there is a connection: each uses a sequence number, but reaches the
        other side only if that side requests it. `settings` adds to the QuickFIX settings above, or overrides
        them; `logon` contains additional fields of QuickFIX's Logon.
        """
        super().__init__()
        self.inbox = Inbox() if inbox is None else inbox
        self.port = unused_port() if connect_to is None else connect_to
        self._responder = responder
        self._sign = sign
        self._logon = logon or {}
        initiator = connect_to is not None
        path = folder / "quickfix.cfg"
        path.write_text(
            _SETTINGS.format(
                connection_type="initiator" if initiator else "acceptor",
                dictionaries=dictionaries,
                folder=folder,
                port=self.port,
                sender=sender,
                target=target,
                reset="Y" if initiator else "N",
            )
            + "".join(f"{name}={value}\n" for name, value in (settings or {}).items())
        )
        # The engine keeps C++ references that do not own these objects: all must live as long as it does.
        self._settings = quickfix.SessionSettings(str(path))
        self._store = quickfix.MemoryStoreFactory()
        self._log = quickfix.FileLogFactory(self._settings)
        # Use the threaded acceptor: the other acceptor frees its server socket while `stop` still uses it.
        kind = quickfix.SocketInitiator if initiator else quickfix.ThreadedSocketAcceptor
        self._engine = kind(self, self._store, self._settings, self._log)
        for msg_type, body in queued:
            self.send(msg_type, body)
        self._engine.start()

    def send(self, msg_type: str, body: Fields) -> None:
        """Send an application message, or a session message that QuickFIX would not send by itself."""
        message = quickfix.Message()
        message.getHeader().setField(quickfix.StringField(35, msg_type))
        for tag, value in body.items():
            message.setField(quickfix.StringField(tag, value))
        quickfix.Session.sendToTarget(message, self._session_id)

    @property
    def next_outgoing(self) -> int:
        """MsgSeqNum of the next message that QuickFIX sends."""
        number: int = quickfix.Session.lookupSession(self._session_id).getExpectedSenderNum()
        return number

    @next_outgoing.setter
    def next_outgoing(self, number: int) -> None:
        quickfix.Session.lookupSession(self._session_id).setNextSenderMsgSeqNum(number)

    @property
    def next_incoming(self) -> int:
        """MsgSeqNum that QuickFIX expects next."""
        number: int = quickfix.Session.lookupSession(self._session_id).getExpectedTargetNum()
        return number

    def wait_until_released(self) -> None:
        """Wait until QuickFIX has released its last connection, which happens after it reports the logout. A
        connection made before the release may be closed instead of the last one.
        """
        deadline = time.monotonic() + PATIENCE
        while quickfix.Session.isSessionRegistered(self._session_id):
            assert time.monotonic() < deadline, "QuickFIX never released its connection"
            os.sched_yield()

    def close(self) -> None:
        """Log out if necessary, end the engine's threads and free its session.

        QuickFIX finds sessions by CompIDs in one table per process, so a session that outlived its test would
        receive the messages of the next test.
        """
        if self._engine is not None:
            self._engine.stop()
            self._engine = None

    # The engine calls these methods. An exception raised here would end the process, so it is printed.

    def onCreate(self, session_id: quickfix.SessionID) -> None:  # noqa: N802
        self._session_id = session_id

    def onLogon(self, session_id: quickfix.SessionID) -> None:  # noqa: N802, ARG002
        self.inbox.logged_on.set()

    def onLogout(self, session_id: quickfix.SessionID) -> None:  # noqa: N802, ARG002
        self.inbox.logged_out.set()

    def toAdmin(self, message: quickfix.Message, session_id: quickfix.SessionID) -> None:  # noqa: N802, ARG002
        try:
            header = message.getHeader()
            if self._sign is not None and header.getField(35) == "A":
                names = (header.getField(49), header.getField(56))
                signature = self._sign(header.getField(52), int(header.getField(34)), *names).decode()
                message.setField(quickfix.StringField(95, str(len(signature))))
                message.setField(quickfix.StringField(96, signature))
                for tag, value in self._logon.items():
                    message.setField(quickfix.StringField(tag, value))
        except Exception:  # noqa: BLE001
            traceback.print_exc()

    def fromAdmin(self, message: quickfix.Message, session_id: quickfix.SessionID) -> None:  # noqa: N802
        pass

    def toApp(self, message: quickfix.Message, session_id: quickfix.SessionID) -> None:  # noqa: N802
        pass

    def fromApp(self, message: quickfix.Message, session_id: quickfix.SessionID) -> None:  # noqa: N802, ARG002
        try:
            pairs = (field.split("=", 1) for field in message.toString().split("\x01") if field)
            fields = {int(tag): value for tag, value in pairs}
            self.inbox.put(fields[35], fields)
            answer = self._responder(fields[35], fields) if self._responder is not None else None
            if answer is not None:
                self.send(*answer)
        except Exception:  # noqa: BLE001
            traceback.print_exc()
