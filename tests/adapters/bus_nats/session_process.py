"""A session process that kills itself before it sends a certain answer. Its options are read from stdin."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from typing import Any

from nats.aio.client import Client

from kalshi_fix_adapters.asyncio import order_entry
from kalshi_fix_adapters.bus_nats import connect
from kalshi_fix_adapters.net.tls import Tls


async def main(url: str, ca: str, options: dict[str, Any], kill_before_answer: int) -> None:
    """Serve commands, and kill the process before answer number `kill_before_answer`; 0 means never."""
    publish, answers = Client.publish, 0

    async def publish_or_kill(self: Client, subject: str, *rest: Any, **options: Any) -> None:
        nonlocal answers
        if subject.startswith("_INBOX"):
            answers += 1
            if answers == kill_before_answer:
                os.kill(os.getpid(), signal.SIGKILL)
        await publish(self, subject, *rest, **options)

    Client.publish = publish_or_kill  # type: ignore[method-assign]
    session = order_entry(**options, tls=Tls(ca_data=ca), explicit_confirm=True)
    async with (
        connect(url) as bus,
        session.standby(every=0.1) as client,
        asyncio.TaskGroup() as tasks,
    ):
        tasks.create_task(bus.publish(client))
        tasks.create_task(bus.serve(client))


if __name__ == "__main__":
    asyncio.run(main(**json.load(sys.stdin)))
