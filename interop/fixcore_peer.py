"""fixcore-engine as the peer: an asyncio loop in a separate thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from fixcore.application import Application
from fixcore.message.message import Message
from fixcore.session import SessionID, SessionSettings
from fixcore.transport.acceptor import SocketAcceptor
from fixcore.transport.initiator import SocketInitiator

from interop.peer import PATIENCE, Fields, Inbox, Responder, Sign
from tests.adapters.net.peers import unused_port

T = TypeVar("T")

_SETTINGS = """\
[DEFAULT]
ConnectionType={connection_type}
DefaultApplVerID=FIX.5.0SP2
HeartBtInt=30
ReconnectInterval=1
UseDataDictionary=Y
TransportDataDictionary={dictionaries}/FIXT11.xml
AppDataDictionary={dictionaries}/FIX50SP2.xml
ValidateFieldsOutOfRange=Y
ValidateFieldsHaveValues=Y
ValidateUserDefinedFields=Y
CheckLatency=Y
MaxLatency=30
FileLogPath={folder}/log
SocketAcceptHost=127.0.0.1
SocketAcceptPort={port}
SocketConnectHost=127.0.0.1
SocketConnectPort={port}
ResetOnLogon={reset}
[SESSION]
BeginString=FIXT.1.1
SenderCompID={sender}
TargetCompID={target}
"""


class FixcorePeer(Application):
    """One fixcore session in either role, with all dictionary checks enabled."""

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
    ) -> None:
        """Listen on a free port, or connect to the port `connect_to`; files are written to `folder`."""
        self.inbox = Inbox()
        self.port = unused_port() if connect_to is None else connect_to
        self._responder = responder
        self._sign = sign
        initiator = connect_to is not None
        settings = SessionSettings.from_string(
            _SETTINGS.format(
                connection_type="initiator" if initiator else "acceptor",
                dictionaries=dictionaries,
                folder=folder,
                port=self.port,
                sender=sender,
                target=target,
                reset="Y" if initiator else "N",
            )
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fixcore")
        self._thread.start()
        self._engine = self._call(self._start(settings, initiator=initiator))
        [self._session] = self._engine.sessions.values()

    def send(self, msg_type: str, body: Fields) -> None:
        """Send an application message."""
        self._call(self._send(msg_type, body))

    def close(self) -> None:
        """Log out if necessary, and end the loop and its thread. A second call has no effect."""
        if self._loop.is_closed():
            return
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE)

    async def _start(self, settings: SessionSettings, *, initiator: bool) -> SocketInitiator | SocketAcceptor:
        engine = (SocketInitiator if initiator else SocketAcceptor)(settings, self)
        await engine.start()
        return engine

    async def _stop(self) -> None:
        if self._session.is_logged_on:
            await self._session.send_logout()
            # Wait for the answer to the Logout before closing, as programs that use this engine do.
            await asyncio.wait_for(self._logged_out.wait(), PATIENCE)
        await self._engine.stop()

    async def _send(self, msg_type: str, body: Fields) -> None:
        message = Message()
        message.header.set(35, msg_type)
        for tag, value in body.items():
            message.set_field(tag, value)
        await self._session.send_app(message)

    def on_logon(self, session_id: SessionID) -> None:  # noqa: ARG002
        self._logged_out = asyncio.Event()
        self.inbox.logged_on.set()

    def on_logout(self, session_id: SessionID) -> None:  # noqa: ARG002
        self._logged_out.set()
        self.inbox.logged_out.set()

    def to_admin(self, message: Message, session_id: SessionID) -> None:  # noqa: ARG002
        if self._sign is not None and message.msg_type == "A":
            header = message.header
            comp_ids = (header.get(49), header.get(56))
            signature = self._sign(header.get(52), int(header.get(34)), *comp_ids).decode()
            message.set_field(95, str(len(signature)))
            message.set_field(96, signature)

    def from_app(self, message: Message, session_id: SessionID) -> None:  # noqa: ARG002
        fields = {**dict(message.header.items()), **message.body}
        self.inbox.put(message.msg_type, fields)
        answer = self._responder(message.msg_type, fields) if self._responder is not None else None
        if answer is not None:
            self._answer = asyncio.ensure_future(self._send(*answer))
