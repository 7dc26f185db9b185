"""The clients of others."""

from __future__ import annotations

import asyncio
import queue
import ssl
import tempfile
import threading
import traceback
from pathlib import Path
from typing import Any

from benchmarks import samples
from benchmarks.clients.drive import TIMEOUT, Measured, drive, drive_async

_QUICKFIX = """\
[DEFAULT]
ConnectionType=initiator
BeginString=FIXT.1.1
DefaultApplVerID=FIX.5.0SP2
NonStopSession=Y
HeartBtInt=30
ReconnectInterval=1
UseDataDictionary=N
ResetOnLogon=Y
SocketNodelay=Y
SocketConnectHost=127.0.0.1
SocketConnectPort={port}
SenderCompID={client}
TargetCompID={venue}
[SESSION]
"""
_TAGS = (11, 37, 17, 150, 39, 54, 55, 38, 151, 14, 6)


def sdk(port: int, key: str, authority: str | None) -> Measured:
    """kalshi-sdk's session, its messages decoded to typed models as its documentation has it."""
    from kalshi.fix.auth import FixSigner
    from kalshi.fix.config import FixConfig, FixSessionType
    from kalshi.fix.messages.dispatch import decode_app_message
    from kalshi.fix.session import FixSession

    from benchmarks.engines import kalshi_sdk

    async def run() -> Measured:
        reports: asyncio.Queue[Any] = asyncio.Queue()

        async def take_raw(raw: Any) -> None:
            reports.put_nowait(decode_app_message(raw))

        async def take() -> str | None:
            name: str | None = (await reports.get()).cl_ord_id
            return name

        config = FixConfig.prediction(
            host="127.0.0.1", port=port, use_tls=authority is not None, use_dollars=True
        )
        context = None
        if authority is not None:
            context = ssl.create_default_context(cafile=authority)
            context.check_hostname = False
        async with FixSession(
            FixSigner.from_key_path(samples.KEY_ID, key),
            config,
            FixSessionType.ORDER_ENTRY_NR,
            on_message=take_raw,
            ssl_context=context,
        ) as session:
            return await drive_async(lambda values: session.send(kalshi_sdk.order(values)), take)

    return asyncio.run(run())


def quickfix_initiator(port: int, key: str, authority: str | None) -> Measured:
    """QuickFIX's own initiator: reports come in its thread, and go to ours through a queue."""
    import quickfix

    del key
    assert authority is None
    reports: queue.SimpleQueue[tuple[str, ...]] = queue.SimpleQueue()
    logged_on = threading.Event()

    class Application(quickfix.Application):  # type: ignore[misc, unused-ignore]
        def onCreate(self, session_id: Any) -> None:  # noqa: N802
            self.session_id = session_id

        def onLogon(self, session_id: Any) -> None:  # noqa: N802, ARG002
            logged_on.set()

        def onLogout(self, session_id: Any) -> None:  # noqa: N802
            pass

        def toAdmin(self, message: Any, session_id: Any) -> None:  # noqa: N802
            pass

        def fromAdmin(self, message: Any, session_id: Any) -> None:  # noqa: N802
            pass

        def toApp(self, message: Any, session_id: Any) -> None:  # noqa: N802
            pass

        def fromApp(self, message: Any, session_id: Any) -> None:  # noqa: N802, ARG002
            try:
                reports.put(tuple([message.getField(tag) for tag in _TAGS]))
            except Exception:  # noqa: BLE001
                traceback.print_exc()

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "initiator.cfg")
        path.write_text(_QUICKFIX.format(port=port, client=samples.KEY_ID, venue=samples.VENUE))
        settings = quickfix.SessionSettings(str(path))
        application, store = Application(), quickfix.MemoryStoreFactory()
        engine = quickfix.SocketInitiator(application, store, settings)

        def send(values: dict[str, Any]) -> None:
            message = quickfix.Message()
            message.getHeader().setField(35, "D")
            for tag, value in samples.order_fields(values):
                message.setField(tag, value)
            quickfix.Session.sendToTarget(message, application.session_id)

        engine.start()
        assert logged_on.wait(TIMEOUT)
        found = drive(send, lambda: reports.get(timeout=TIMEOUT)[0])
        engine.stop()
    return found


ENGINES = {"kalshi-sdk": sdk, "quickfix": quickfix_initiator}
