"""Third-party clients."""

from __future__ import annotations

import asyncio
import queue
import ssl
from typing import Any

from benchmarks import samples
from benchmarks.clients.drive import TIMEOUT, Measured, awaited, drive, finished


def sdk(port: int, key: str, authority: str | None) -> Measured:
    """kalshi-sdk's session, its messages decoded to typed models as its documentation has it."""
    from kalshi.fix.auth import FixSigner
    from kalshi.fix.config import FixConfig, FixSessionType
    from kalshi.fix.messages.dispatch import decode_app_message
    from kalshi.fix.session import FixSession

    from benchmarks.engines import kalshi_sdk

    async def run() -> Measured:
        reports: asyncio.Queue[Any] = asyncio.Queue()

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
            on_message=awaited(lambda raw: reports.put_nowait(decode_app_message(raw))),
            ssl_context=context,
        ) as session:
            return await drive(lambda values: session.send(kalshi_sdk.order(values)), take)

    return asyncio.run(run())


def quickfix_initiator(port: int, _: str, authority: str | None) -> Measured:
    """QuickFIX's own initiator: reports are received in its thread, and passed to ours through a queue."""
    from benchmarks.clients.quickfix_peer import REPORT_TAGS, Peer

    assert authority is None
    reports: queue.SimpleQueue[list[str]] = queue.SimpleQueue()

    def receive(message: Any) -> None:
        reports.put([message.getField(tag) for tag in REPORT_TAGS])

    with Peer("initiator", port, receive) as peer:
        assert peer.logged_on.wait(TIMEOUT)
        send = awaited(lambda values: peer.send("D", samples.order_fields(values)))
        return finished(drive(send, awaited(lambda: reports.get(timeout=TIMEOUT)[0])))


ENGINES = {"kalshi-sdk": sdk, "quickfix": quickfix_initiator}
