"""A bus over NATS: many processes receive the events of a session, and send orders through it. This
package needs the extra `nats`.

    async with connect("nats://localhost") as bus, order_entry(explicit_confirm=True, store=...) as client:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(bus.publish(client))
            tasks.create_task(bus.serve(client))

Modules: `connection` (`connect` and `Bus`), `publishing`, `events` (the consumer's side), `snapshots`,
`commands`, `operators` and `link` (the connection to NATS, used by the others). Only this package imports the
NATS client, which needs asyncio; the package `bus` contains all code that does not depend on the broker.
"""

from kalshi_fix_sansio.errors import ConfigurationError

try:
    import nats as nats
except ModuleNotFoundError:
    raise ConfigurationError("the bus needs nats-py: pip install 'kalshi-fix-sansio[nats]'") from None

from kalshi_fix_adapters.bus import Answer, Channel, Mark, Refusal, Refused, Sent, Unknown
from kalshi_fix_adapters.bus_nats.commands import RemoteSession
from kalshi_fix_adapters.bus_nats.connection import Bus, connect
from kalshi_fix_adapters.bus_nats.events import Events

__all__ = [
    "Answer",
    "Bus",
    "Channel",
    "Events",
    "Mark",
    "Refusal",
    "Refused",
    "RemoteSession",
    "Sent",
    "Unknown",
    "connect",
]
