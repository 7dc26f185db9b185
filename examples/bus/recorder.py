"""Record the messages that a session process publishes, and write snapshots for consumers that start late.

    python recorder.py FILE

`kalshi-fix decode FILE` and `kalshi-fix replay FILE` read the file. The position in each channel is stored in
a separate file, so a restarted recorder continues after the last recorded message.
"""

import asyncio
import json
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from sys import argv

from kalshi_fix_adapters.bus_nats import Bus, Mark, connect
from kalshi_fix_sansio import MessageReceived

SERVER = os.environ.get("KALSHI_FIX_BUS", "nats://127.0.0.1:4222")
CHANNELS = ("demo.prediction.KalshiNR.desk", "demo.prediction.KalshiMD.desk")


async def record(bus: Bus, channel: str, path: Path) -> None:
    """Append the messages of a channel to a file."""
    position = path.with_suffix(f".{channel}")
    mark = Mark.load(json.loads(position.read_text())) if position.exists() else None
    events = bus.events(channel, mark=mark)
    with path.open("ab") as file:
        async for event in events:
            if isinstance(event, MessageReceived):
                file.write(
                    f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f} received ".encode() + event.frame + b"\n"
                )
                file.flush()
            else:
                print(channel, type(event).__name__, flush=True)
            position.write_text(json.dumps(events.mark.dump()))


async def main(path: Path) -> None:
    """Run until cancelled."""
    async with connect(SERVER, name="recorder") as bus, asyncio.TaskGroup() as tasks:
        tasks.create_task(bus.keep_snapshots("demo.prediction.KalshiMD.desk", every=1.0))
        for channel in CHANNELS:
            tasks.create_task(record(bus, channel, path))


with suppress(KeyboardInterrupt):
    asyncio.run(main(Path(argv[1])))
